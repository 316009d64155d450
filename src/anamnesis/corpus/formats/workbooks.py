"""Workbooks: .xlsx, .xls and .ods."""

from collections.abc import Iterator

from python_calamine import CalamineError, CalamineWorkbook

from anamnesis.corpus.formats.cells import Read
from anamnesis.corpus.formats.sources import Source
from anamnesis.corpus.formats.tables import is_empty, read_table
from anamnesis.corpus.refusals import CorpusError


def read_workbook(source: Source) -> Iterator[Read]:
    """Every sheet that is not empty; each has its own header."""
    try:
        with source.open_seekable() as file:
            workbook = CalamineWorkbook.from_filelike(file)
            for number, name in enumerate(workbook.sheet_names, start=1):
                records = (row for row in workbook.get_sheet_by_name(name).iter_rows() if not all(map(is_empty, row)))
                yield from read_table(records, f"sheet {number} of {source.label}", source.settings)
    except CalamineError:
        raise CorpusError(
            f"corpus.path: {source.label} is not a workbook that can be read: it is damaged, or needs a password."
        ) from None
