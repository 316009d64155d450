"""Workbooks: .xlsx, .xls and .ods."""

import html
import posixpath
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any, BinaryIO

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from anamnesis.corpus.formats.cells import Read
from anamnesis.corpus.formats.sheets import Sheet, read_sheets
from anamnesis.corpus.formats.sources import Source
from anamnesis.corpus.formats.tables import MergedRecord, Record, is_filled
from anamnesis.corpus.refusals import CorpusError

_BLOCK = 2**20
# The last two: a part that is packed in an unknown way, or encrypted.
_DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_SHEET = re.compile(r"<(?:\w+:)?sheet\s[^>]*>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship\s[^>]*>")
# A row that is hidden and has cells.
_HIDDEN_ROW = re.compile(
    rb'<(?:\w{1,20}:)?row\s(?:[^<>]{0,2000}\s)?hidden="(?:1|true)"[^<>]{0,2000}>\s{0,99}<(?:\w{1,20}:)?c[\s/>]'
)
_LONGEST_ROW = 2**13


def read_workbook(source: Source) -> Iterator[Read]:
    """The sheets of a workbook.

    Raises:
        CorpusError: the workbook cannot be read, or its sheets cannot.
    """
    try:
        with source.open_seekable() as file:
            workbook = CalamineWorkbook.from_filelike(file)
            yield from read_sheets(_sheets(workbook, _hidden_rows(file), source.label), source)
    except (CalamineError, *_DAMAGED_ZIP):
        raise CorpusError(
            f"corpus.path: {source.label} is not a workbook that can be read: it is damaged, or needs a password."
        ) from None


def _sheets(workbook: CalamineWorkbook, hidden_rows: Counter[str], label: str) -> Iterator[Sheet]:
    for number, sheet in enumerate(workbook.sheets_metadata, start=1):
        if sheet.typ == SheetTypeEnum.WorkSheet:
            records = _records(workbook.get_sheet_by_name(sheet.name))
            hidden = sheet.visible != SheetVisibleEnum.Visible
            yield Sheet(f"sheet {number} of {label}", records, hidden, hidden_rows[sheet.name])


def _records(sheet: CalamineSheet) -> Iterator[Record]:
    """The rows that are not empty. The value of a merged cell is in each row that it covers, in its first column."""
    offset = [None] * (sheet.start[1] if sheet.start else 0)
    merged = sorted(range_ for range_ in sheet.merged_cell_ranges or () if range_[1][0] > range_[0][0])
    behind = iter(merged)
    following = next(behind, None)
    # Last row and value by column.
    covering: dict[int, tuple[int, object]] = {}
    for number, row in enumerate(sheet.iter_rows()):
        record: list[Any] = [*offset, *row]
        covering = {column: covered for column, covered in covering.items() if covered[0] >= number}
        if covering and any(map(is_filled, record)):
            for column, (_, value) in covering.items():
                record[column] = value
            record = MergedRecord(record)
        while following and following[0][0] == number:
            (_, column), (last, _) = following
            if column < len(record) and is_filled(record[column]):
                covering[column] = last, record[column]
            following = next(behind, None)
        if any(map(is_filled, record)):
            yield record


# ---- Hidden rows, which the library does not tell from others ------------------------------------------------------


def _hidden_rows(file: BinaryIO) -> Counter[str]:
    """The number of hidden rows of each sheet of an .xlsx; of other workbooks it is not known."""
    hidden: Counter[str] = Counter()
    file.seek(0)
    if not zipfile.is_zipfile(file):
        return hidden
    with zipfile.ZipFile(file) as archive:
        parts = set(archive.namelist())
        if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= parts:
            return hidden
        relations = archive.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace")
        targets = {_value(tag, "Id"): _value(tag, "Target") for tag in _RELATION.findall(relations)}
        for tag in _SHEET.findall(archive.read("xl/workbook.xml").decode("utf-8", "replace")):
            part = posixpath.join("/xl", targets.get(_value(tag, "id"), "")).lstrip("/")
            if part in parts:
                with archive.open(part) as sheet:
                    hidden[_value(tag, "name")] = _count_hidden(sheet)
    return hidden


def _value(tag: str, attribute: str) -> str:
    found = re.search(rf'[\s:]{attribute}="([^"]*)"', tag)
    return html.unescape(found[1]) if found else ""


def _count_hidden(sheet: IO[bytes]) -> int:
    count, rest = 0, b""
    while block := sheet.read(_BLOCK):
        rest += block
        # A row that begins behind this place may end in the next block.
        end = max(0, len(rest) - _LONGEST_ROW)
        count += sum(row.start() < end for row in _HIDDEN_ROW.finditer(rest))
        rest = rest[end:]
    return count + len(_HIDDEN_ROW.findall(rest))
