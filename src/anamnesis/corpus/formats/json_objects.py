"""JSON and JSON Lines: records that name their own columns, or lists under a header."""

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, islice
from typing import Any

import ijson

from anamnesis.corpus.columns import check_columns
from anamnesis.corpus.formats.cells import CellReader, Read
from anamnesis.corpus.formats.sources import SAMPLE_BYTES, Source
from anamnesis.corpus.formats.tables import read_table
from anamnesis.corpus.refusals import CorpusError, Refusal
from anamnesis.settings.corpus import Corpus

# The columns are looked for in this many first objects.
FIRST_OBJECTS = 1000


class _RepeatedKeyError(ValueError):
    pass


class _NumberTooLongError(ValueError):
    pass


class _AsUtf8:
    """Bytes for ijson, whatever the file's encoding. NaN and Infinity, which are no JSON, become strings."""

    # What may be continued in the next block: an escaped character, NaN, -Infinity.
    _OPEN_ENDS = frozenset("NaInfity-\\")
    # ijson crashes at a number of more digits than Python reads (4,300). A part of it, in one block, is enough.
    _DIGITS = re.compile(r"[0-9]{400}")
    _TOKENS = re.compile(r'\\.|"|-Infinity|Infinity|NaN|[0-9]{400}', re.DOTALL)

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._in_string = False

    def read(self, size: int) -> bytes:
        block = self._text.read(size)
        while block[-1:] in self._OPEN_ENDS and (more := self._text.read(1)):
            block += more
        if "NaN" in block or "Infinity" in block or self._DIGITS.search(block):
            block = self._TOKENS.sub(self._quoted, block)
        else:
            unescaped = block.replace("\\\\", "").replace('\\"', "")
            self._in_string ^= unescaped.count('"') % 2 == 1
        return block.encode("utf-8", "surrogateescape")

    def _quoted(self, token: re.Match[str]) -> str:
        if token[0] == '"':
            self._in_string = not self._in_string
        elif not self._in_string and token[0][0].isdigit():
            raise _NumberTooLongError
        elif not self._in_string and token[0][0] != "\\":
            return f'"{token[0]}"'
        return token[0]


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
                # Numbers as they are written: 1.2346e+12 has lost digits.
                yield json.loads(line, object_pairs_hook=_pairs, parse_float=Decimal)
            except _RepeatedKeyError:
                yield Refusal.REPEATED_KEY
            except (ValueError, ArithmeticError, RecursionError):
                yield Refusal.NOT_JSON


def read_json(source: Source) -> Iterator[Read]:
    """A list of objects or of lists, alone or as a value of the outer object; or JSON Lines named .json."""
    with source.characters() as file:
        first = file.readline(SAMPLE_BYTES)
        while first.isspace():
            first = file.readline(SAMPLE_BYTES)
    if _is_row(first, source.settings):
        yield from read_json_lines(source)
        return
    try:
        with source.characters() as file:
            layout = _layout(_AsUtf8(file), source)
        with source.characters() as file:
            values = ijson.items(_AsUtf8(file), layout.rows, map_type=_Strict)
            read = (Refusal.REPEATED_KEY if getattr(value, "repeated", False) else value for value in values)
            yield from _objects(chain([layout.header] if layout.header else [], read), source)
    except (ijson.JSONError, ArithmeticError, RecursionError, _NumberTooLongError):
        raise CorpusError(
            f"corpus.path: {source.label} is not a JSON list of objects: it is cut off or damaged, or holds a "
            f"number that is too large; write [{{...}}, {{...}}], or one object a line under the name .jsonl."
        ) from None


def _is_row(line: str, settings: Corpus) -> bool:
    value = next(_parsed([line]), None)
    names = settings.columns.named.values()
    return isinstance(value, dict) and any(name in value and not isinstance(value[name], dict) for name in names)


@dataclass(frozen=True)
class _Layout:
    """ijson's address of the rows, and the names of their columns if the file lists them apart."""

    rows: str
    header: list[str]


def _layout(file: Any, source: Source) -> _Layout:
    """The file itself if it is a list; "data" beside "columns"; the list whose objects, or whose header, have the
    column of the text; else the first with a declared column, or the first: the message says what it lacks.

    Raises:
        CorpusError: there is no list, or more than one with reports.
    """
    columns = source.settings.columns
    wanted, text = set(columns.named.values()), columns.text or columns.description
    lists, with_any, with_text = dict[str, None](), dict[str, None](), dict[str, None]()
    names: list[str] = []
    for prefix, event, value in ijson.parse(file):
        rows = prefix
        if event == "start_array":
            if not prefix:
                return _Layout("item", [])
            lists[f"{prefix}.item"] = None
            continue
        if event == "string" and prefix in ("columns.item", "columns.item.name"):
            names.append(value)
        if event == "string" and prefix.endswith(".item.item"):
            rows = prefix.removesuffix(".item")
        elif event != "map_key":
            continue
        if value in wanted and rows in lists and rows.split(".").count("item") == 1:
            with_any[rows] = None
            if value == text:
                with_text[rows] = None
    if len(with_text) > 1:
        raise CorpusError(
            f"corpus.path: {source.label} has {len(with_text)} lists of reports in one JSON object; write each list "
            f"into a file of its own, and give their folder, or join them to one list."
        )
    if names and "data.item" in lists and with_any.keys() <= {"data.item"}:
        return _Layout("data.item", names)
    if not lists:
        raise CorpusError(
            f"corpus.path: {source.label} is JSON without a list of rows; write [{{...}}, {{...}}] (in pandas, "
            f'to_json(orient="records")), or one object a line under the name .jsonl.'
        )
    return _Layout(next(iter([*with_text, *with_any, *lists])), [])


def _objects(values: Iterator[Any], source: Source) -> Iterator[Read]:
    """Objects may have different keys: a column must occur in one of the first. Lists are the rows of a table."""
    beginning = list(islice(values, FIRST_OBJECTS))
    if beginning and isinstance(beginning[0], list):
        yield from read_table(map(_record, chain(beginning, values)), source.label, source)
        return
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


def _record(value: Any) -> list[Any] | Refusal:
    if isinstance(value, list | Refusal):
        return value
    return Refusal.NOT_AN_OBJECT
