"""Tables whose first rows name the columns, with or without a title above them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import Any

from anamnesis.corpus.columns import check_columns
from anamnesis.corpus.formats.cells import CellReader, Read
from anamnesis.corpus.formats.sources import Source
from anamnesis.corpus.refusals import CorpusError, Notice, Refusal
from anamnesis.settings.corpus import Corpus

# The header is searched for in this many rows: exports often begin with a title.
HEADER_ROWS = 20
# Rows that a page break or a subtotal leaves in a column.
_NO_GROUP = re.compile(
    r"(?:(?:итог[ои]?|всего|в том числе|total|subtotal)(?!\w)|(?:страница|стр\.?|лист|page)\s*№?\s*\d).*",
    re.IGNORECASE | re.DOTALL,
)

Record = Sequence[Any]


class MergedRecord(list[Any]):
    """A record with values of merged cells that begin above it."""


@dataclass(frozen=True)
class Header:
    """The names of the columns; `lines` are the one or two rows that they were read from, the last at `position`."""

    names: list[str]
    lines: list[list[str]]
    position: int

    def repeats(self, record: Record) -> bool:
        """Whether a record is one of the header's rows again, or numbers the columns (1, 2, 3, …)."""
        return self._numbers(record) or any(
            len(record) >= len(line)
            and all(map(_is_named, record, line))
            and not any(map(is_filled, record[len(line) :]))
            for line in self.lines
        )

    def _numbers(self, record: Record) -> bool:
        width = len(self.names)
        return 2 < width <= len(record) and all(map(_is_number, record, range(1, width + 1)))


def read_table(records: Iterator[Record | Refusal], place: str, source: Source) -> Iterator[Read]:
    """Cells by column; rows above the header are skipped.

    Raises:
        CorpusError: a declared column is missing, or it is unclear which patient a row belongs to.
    """
    beginning = list(islice(records, HEADER_ROWS))
    if not beginning:
        return
    columns = source.settings.columns
    header = find_header(beginning, source.settings)
    if header is None:
        check_columns(_names(() if isinstance(beginning[0], Refusal) else beginning[0]), columns, place)
        return
    check_columns(header.names, columns, place)
    if len(header.lines) == 2:
        source.noticed[Notice.TWO_ROW_HEADERS] += 1
    yield from _Rows(header, place, source).read(chain(beginning[header.position + 1 :], records))


class _Rows:
    """The rows below a header. In a grouped list, a row that holds nothing but a patient names the patient of the rows
    below it, which leave the cell empty."""

    def __init__(self, header: Header, place: str, source: Source) -> None:
        self._header, self._place, self._noticed = header, place, source.noticed
        self._cells = CellReader(source)
        declared = source.settings.columns.named
        self._patient = header.names.index(declared["patient"]) if "patient" in declared else None
        self._fields = {header.names.index(column) for field, column in declared.items() if field != "patient"}
        self._group: Any = None
        self._groups_in_a_row = 0
        # A row with a patient of its own has been read: the list is not grouped, and nothing is filled in.
        self._flat = False

    def read(self, records: Iterator[Record | Refusal]) -> Iterator[Read]:
        names = self._header.names
        for record in records:
            if isinstance(record, Refusal):
                yield self._refuse(record)
                continue
            filled = [place for place, cell in enumerate(record) if is_filled(cell)]
            if not filled or self._is_left_out(record, filled):
                continue
            if len(record) < len(names) or filled[-1] >= len(names):
                yield self._refuse(Refusal.WRONG_NUMBER_OF_FIELDS)
                continue
            if isinstance(record, MergedRecord):
                self._noticed[Notice.MERGED_CELLS] += 1
            yield self._cells.read(dict(zip(names, self._with_patient(record), strict=False)))

    def _refuse(self, refusal: Refusal) -> Read:
        """The refused row may have named the patient of the rows below it: these are refused too."""
        self._group = None
        return self._cells.refuse(refusal)

    def _is_left_out(self, record: Record, filled: Sequence[int]) -> bool:
        """Whether a row holds no report; it is noticed."""
        if self._header.repeats(record):
            self._noticed[Notice.REPEATED_HEADERS] += 1
            return True
        if len(filled) > 1 or filled[0] in self._fields or not filled[0] < len(self._header.names) <= len(record):
            return False
        cell = record[filled[0]]
        if filled[0] != self._patient or _NO_GROUP.fullmatch(str(cell).strip()):
            self._noticed[Notice.SINGLE_CELLS] += 1
        else:
            self._noticed[Notice.PATIENT_ROWS] += 1
            self._group = None if self._flat else cell
            self._groups_in_a_row += 1
        return True

    def _with_patient(self, record: Record) -> Record:
        groups, self._groups_in_a_row = self._groups_in_a_row, 0
        if self._patient is None:
            return record
        if is_filled(record[self._patient]):
            self._flat, self._group = True, None
            return record
        if self._group is None:
            return record
        if groups > 1:
            raise CorpusError(
                f"corpus.path: {self._place} has {groups} grouping rows one below the other, and which of them names "
                f"the patient is not known; export the list without groups, with the patient in every row."
            )
        self._noticed[Notice.GROUPED_ROWS] += 1
        return [*record[: self._patient], self._group, *record[self._patient + 1 :]]


def find_header(records: Sequence[Record | Refusal], settings: Corpus) -> Header | None:
    """The first row that has all declared columns, or else the first two rows that have them together.

    In a header of two rows, a column is called by its lower cell, by the upper one if the lower is empty, or by both
    ("Цитология Описание"), where an upper cell extends over the empty ones on its right.
    """
    wanted = set(settings.columns.named.values())
    lines = [_names(() if isinstance(record, Refusal) else record) for record in records[:HEADER_ROWS]]
    for position, names in enumerate(lines):
        if wanted <= set(names):
            return Header(names, [names], position)
    for position, (upper, lower) in enumerate(pairwise(lines), start=1):
        for names in _joined(upper, lower):
            if wanted <= set(names):
                return Header(names, [upper, lower], position)
    return None


def _joined(upper: Sequence[str], lower: Sequence[str]) -> Iterator[list[str]]:
    width = max(len(upper), len(lower))
    above, below = ([*line, *[""] * (width - len(line))] for line in (upper, lower))
    yield [low or high for high, low in zip(above, below, strict=True)]
    over, wide = "", []
    for high in above:
        over = high or over
        wide.append(over)
    yield [
        high if not low or low == high else f"{over} {low}".strip()
        for high, over, low in zip(above, wide, below, strict=True)
    ]


def _names(record: Record) -> list[str]:
    names = [_name(cell) for cell in record]
    while names and not names[-1]:
        names.pop()
    return names


def _name(cell: object) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _is_named(cell: object, name: str) -> bool:
    return _name(cell) == name


def _is_number(cell: object, number: int) -> bool:
    return cell in (number, str(number))


def is_filled(cell: object) -> bool:
    return cell is not None and not (isinstance(cell, str) and (not cell or cell.isspace()))
