"""Tables whose first row names the columns, with or without a title above it."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from anamnesis.corpus.columns import check_columns
from anamnesis.corpus.formats.cells import Read, cells_of
from anamnesis.corpus.refusals import Refusal
from anamnesis.settings.corpus import Corpus

# The header is searched for in this many rows: exports often begin with a title.
HEADER_ROWS = 20


def read_table(records: Iterator[Sequence[Any] | Refusal], place: str, settings: Corpus) -> Iterator[Read]:
    """Cells by column; rows above the header are skipped."""
    beginning = list(islice(records, HEADER_ROWS))
    if not beginning:
        return
    tried = [[] if isinstance(record, Refusal) else record for record in beginning]
    position = header_position(tried, settings)
    names = [_name(cell) for cell in tried[position or 0]]
    while names and not names[-1]:
        names.pop()
    check_columns(names, settings.columns, place)
    for record in chain(beginning[(position or 0) + 1 :], records):
        if isinstance(record, Refusal):
            yield record
        elif all(map(is_empty, record)):
            continue
        elif len(record) < len(names) or any(not is_empty(cell) for cell in record[len(names) :]):
            yield Refusal.WRONG_NUMBER_OF_FIELDS
        else:
            yield cells_of(dict(zip(names, record, strict=False)), settings)


def header_position(records: Sequence[Sequence[Any]], settings: Corpus) -> int | None:
    """The first row that has all declared columns."""
    wanted = settings.columns.named.values()
    for position, record in enumerate(records[:HEADER_ROWS]):
        if set(wanted) <= set(map(_name, record)):
            return position
    return None


def _name(cell: object) -> str:
    return " ".join(str(cell).split())


def is_empty(cell: object) -> bool:
    return cell is None or cell == ""
