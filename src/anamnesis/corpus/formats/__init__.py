"""Reads the files of an export as rows of text: delimited text, workbooks, HTML pages, JSON, JSON Lines and
Parquet.

Every record of every file becomes one `Row`, read or refused. Text, JSON and Parquet are streamed; a workbook, and
Parquet packed by gzip, are held in memory whole. An error of a whole file (missing, cut off, not a table) is a
CorpusError. No message quotes a cell.
"""

from anamnesis.corpus.formats.reading import Row, corpus_files, read_rows

__all__ = ["Row", "corpus_files", "read_rows"]
