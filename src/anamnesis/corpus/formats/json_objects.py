"""JSON and JSON Lines, where every record names its own columns."""

import io
import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import ijson

from anamnesis.corpus.columns import check_columns
from anamnesis.corpus.formats.cells import CellReader, Read
from anamnesis.corpus.formats.sources import SAMPLE_BYTES, Source
from anamnesis.corpus.refusals import CorpusError, Refusal
from anamnesis.settings.corpus import Corpus

# The columns are looked for in this many first objects.
FIRST_OBJECTS = 1000


class _RepeatedKeyError(ValueError):
    pass


class _AsUtf8:
    """Bytes for ijson, whatever the file's encoding."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def read(self, size: int) -> bytes:
        return self._text.read(size).encode("utf-8", "surrogateescape")


class _Strict(dict[str, Any]):
    """A JSON object that records whether a key is repeated; the standard parsers silently keep the last value."""

    repeated = False

    def __setitem__(self, key: str, value: Any) -> None:
        self.repeated |= key in self
        super().__setitem__(key, value)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise _RepeatedKeyError
    return record


def read_json_lines(source: Source) -> Iterator[Read]:
    with source.lines() as lines:
        yield from _objects(_parsed(lines), source)


def _parsed(lines: Iterable[str]) -> Iterator[Any]:
    for line in lines:
        if line.strip():
            try:
                yield json.loads(line, object_pairs_hook=_pairs)
            except _RepeatedKeyError:
                yield Refusal.REPEATED_KEY
            except (ValueError, RecursionError):
                yield Refusal.NOT_JSON


def read_json(source: Source) -> Iterator[Read]:
    """A list of objects, alone or as a value of the outer object; or JSON Lines named .json."""
    with source.characters() as file:
        first = file.readline(SAMPLE_BYTES)
        while first.isspace():
            first = file.readline(SAMPLE_BYTES)
    if _is_row(first, source.settings):
        yield from read_json_lines(source)
        return
    try:
        with source.characters() as file:
            prefix = _list_prefix(_AsUtf8(file))
        with source.characters() as file:
            values = ijson.items(_AsUtf8(file), prefix, use_float=True, map_type=_Strict)
            read = (Refusal.REPEATED_KEY if getattr(value, "repeated", False) else value for value in values)
            yield from _objects(read, source)
    except (ijson.JSONError, RecursionError):
        raise CorpusError(
            f"corpus.path: {source.label} is not a JSON list of objects: it is cut off or damaged, or holds a "
            f"number that is too large; write [{{...}}, {{...}}], or one object a line under the name .jsonl."
        ) from None


def _is_row(line: str, settings: Corpus) -> bool:
    value = next(_parsed([line]), None)
    return isinstance(value, dict) and not value.keys().isdisjoint(settings.columns.named.values())


def _list_prefix(file: Any) -> str:
    """ijson's address of the items: of the outer list, or of the first list in the outer object."""
    for prefix, event, _ in ijson.parse(file, use_float=True):
        if event == "start_array":
            return f"{prefix}.item" if prefix else "item"
    return "item"


def _objects(values: Iterator[Any], source: Source) -> Iterator[Read]:
    """Objects may have different keys: a column must occur in one of the first."""
    beginning = list(islice(values, FIRST_OBJECTS))
    names = dict.fromkeys(key for value in beginning if isinstance(value, dict) for key in value)
    if any(isinstance(value, dict) for value in beginning):
        check_columns(list(names), source.settings.columns, source.label)
    reader = CellReader(source)
    for value in chain(beginning, values):
        if isinstance(value, Refusal):
            yield reader.refuse(value)
        elif not isinstance(value, dict):
            yield reader.refuse(Refusal.NOT_AN_OBJECT)
        else:
            yield reader.read(value)
