"""Delimited text: .csv, .tsv and .txt."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from anamnesis.corpus.formats.cells import Read
from anamnesis.corpus.formats.sources import LONGEST_LINE, Source
from anamnesis.corpus.formats.tables import HEADER_ROWS, find_header, read_table
from anamnesis.corpus.refusals import CorpusError, Refusal
from anamnesis.settings.corpus import Corpus

DELIMITERS = (";", ",", "\t", "|")
_LINE_END = re.compile(r"\r\n?|\n")


def read_delimited(source: Source) -> Iterator[Read]:
    csv.field_size_limit(LONGEST_LINE)
    settings = source.settings
    with source.lines() as lines:
        beginning = list(islice(lines, 5 * HEADER_ROWS))
        delimiter = settings.delimiter or _delimiter(beginning, settings)
        yield from read_table(_records(chain(beginning, lines), delimiter, source.label), source.label, source)


def _records(lines: Iterable[str], delimiter: str, place: str | None = None) -> Iterator[Sequence[str] | Refusal]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    # Of the last record that takes a single line.
    width, padded = 0, False
    while True:
        before = reader.line_num
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # The parser continues after the broken record, unless the record extends to the end of the file.
            if "end of data" in str(error) or "field limit" in str(error):
                if place is None:
                    return
                raise CorpusError(
                    f"corpus.path: a quote opened at line {before + 1} of {place} is never closed; close it."
                ) from None
            yield Refusal.BROKEN_QUOTES
            continue
        read = reader.line_num - before
        if read == 1 and len(record) > 1:
            width, padded = len(record), any(cell[:1] == " " for cell in record[1:])
        if read > 1 and any(
            _is_glued(field, column, record, delimiter, width or len(record), padded)
            for column, field in enumerate(record)
        ):
            yield from [Refusal.BROKEN_QUOTES] * read
        elif record:
            yield record


def _is_glued(field: str, column: int, record: Sequence[str], delimiter: str, width: int, padded: bool) -> bool:
    """Whether a stray quote has joined rows, perhaps of several patients: the lines of a field are the end of a row,
    whole rows, and the beginning of a row. In a text of several lines, a space follows a comma.

    Args:
        column: the place of the field in its record.
        width: of the rows of the table.
        padded: whether a space may follow a delimiter.
    """
    first, *others = _LINE_END.split(field)
    if width < 2 or not others:
        return False
    *whole, last = others
    # The quote opened in this column of a row, and closed in that column of a later one.
    opened, closed = column, width - len(record) + column
    if first.count(delimiter) != width - 1 - opened or last.count(delimiter) != closed:
        return False
    rows = sum(line.count(delimiter) == width - 1 for line in whole)
    return 5 * rows >= 4 * len(whole) and (padded or f"{delimiter} " not in field)


def _delimiter(beginning: Sequence[str], settings: Corpus) -> str:
    """The delimiter that finds the declared columns and gives most rows the same width."""

    def fitness(delimiter: str) -> tuple[bool, int, int]:
        records = [record for record in _records(beginning, delimiter) if not isinstance(record, Refusal)]
        header = find_header(records, settings)
        position = header.position if header else 0
        width = len(records[position]) if records else 0
        alike = sum(len(record) == width for record in records[position:])
        return header is not None, alike if header is not None else 0, width

    return max(DELIMITERS, key=fitness)
