"""Files of several tables: the sheets of a workbook, the tables of a page."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from anamnesis.corpus.formats.cells import Read
from anamnesis.corpus.formats.sources import Source
from anamnesis.corpus.formats.tables import HEADER_ROWS, Record, find_header, is_filled, read_table
from anamnesis.corpus.refusals import CorpusError, Notice


@dataclass(frozen=True)
class Sheet:
    """A table of a file: its name in messages, its rows, whether it is hidden, and how many of its rows are."""

    place: str
    records: Iterator[Record]
    hidden: bool = False
    hidden_rows: int = 0


@dataclass(frozen=True)
class _Other:
    """A sheet that does not have the columns, and the sets of cells that its rows fill."""

    place: str
    beginning: Sequence[Record]
    rows: int
    filled: frozenset[frozenset[int]]


def read_sheets(sheets: Iterable[Sheet], source: Source) -> Iterator[Read]:
    """Every sheet that has the columns, each with its own header.

    Raises:
        CorpusError: no sheet has the columns, or one seems to lack only its header.
    """
    others: list[_Other] = []
    layouts: list[set[int]] = []
    declared = source.settings.columns.named
    names = declared.values()
    for sheet in sheets:
        beginning = list(islice(sheet.records, HEADER_ROWS))
        header = find_header(beginning, source.settings)
        if header is None and not _has_half(beginning, set(names)):
            others.append(_other(sheet, beginning))
            continue
        source.noticed[Notice.HIDDEN_SHEETS] += sheet.hidden
        source.noticed[Notice.HIDDEN_ROWS] += sheet.hidden_rows
        grouping = source.noticed[Notice.PATIENT_ROWS]
        yield from read_table(chain(beginning, sheet.records), sheet.place, source)
        if header is not None:
            # The rows of a grouped list have no patient of their own.
            without = {"patient"} if source.noticed[Notice.PATIENT_ROWS] > grouping else set()
            layouts.append({header.names.index(column) for field, column in declared.items() if field not in without})
    yield from _without_columns([other for other in others if other.rows], layouts, source)


def _has_half(beginning: Sequence[Record], names: set[str]) -> bool:
    """Whether a row looks like a header that lacks columns."""
    return any(2 * len(names & {str(cell).strip() for cell in record}) >= len(names) for record in beginning)


def _other(sheet: Sheet, beginning: Sequence[Record]) -> _Other:
    filled = Counter(
        frozenset(column for column, cell in enumerate(record) if is_filled(cell))
        for record in chain(beginning, sheet.records)
    )
    return _Other(sheet.place, beginning, filled.total(), frozenset(filled))


def _without_columns(others: Sequence[_Other], layouts: Sequence[set[int]], source: Source) -> Iterator[Read]:
    """Leaves out the sheets without the columns, unless they may hold reports."""
    if others and not layouts:
        yield from read_table(iter(others[0].beginning), others[0].place, source)
    for other in others:
        if any(layout <= filled for layout in layouts for filled in other.filled):
            raise CorpusError(
                f"corpus.path: {other.place} has none of the columns, but rows with cells where other sheets have "
                f"their reports; give it the header of those, or remove the sheet."
            )
        source.noticed[Notice.OTHER_SHEETS] += other.rows
