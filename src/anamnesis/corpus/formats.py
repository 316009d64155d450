"""The files of an export as rows of text, whatever their format: delimited text, workbooks, JSON, JSON Lines, Parquet.

Every record of every file becomes one `Row`, read or refused. Text, JSON and Parquet are read as they come; a workbook,
and Parquet packed by gzip, lie in memory whole. What concerns a whole file - it is missing, cut off, not a table - is a
CorpusError. No message holds a cell.
"""

import codecs
import csv
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import ijson
from charset_normalizer import from_bytes

from anamnesis.corpus.columns import check_columns
from anamnesis.corpus.refusals import CorpusError, Refusal
from anamnesis.settings.corpus import Corpus

LONGEST_LINE = 2**26
SAMPLE_BYTES = 2**20
# A table's header is looked for in this many rows: exports often begin with a title.
HEADER_ROWS = 20
JSON_ROWS = 1000
DELIMITERS = (";", ",", "\t", "|")
ENCODINGS = ("cp1251", "koi8_r", "cp866", "mac_cyrillic")
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

# What an undecodable byte has become, or half of a character in JSON.
SURROGATE = re.compile("[\ud800-\udfff]")
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
NOT_ASCII = re.compile("[^\x00-\x7f]")

Cells = Mapping[str, str]
# What a reader gives for one record: its cells, or why it has none.
Read = Cells | Refusal


@dataclass(frozen=True)
class Row:
    """One record: the file it is of, its number there (from 1, a header not counted), its cells or the refusal."""

    file: str
    number: int
    read: Read


@dataclass(frozen=True)
class Source:
    """A file being read: what messages call it, and `watch`, which is told the bytes as they come from the disk."""

    path: Path
    label: str
    settings: Corpus
    watch: Callable[[int], object]

    def open(self) -> BinaryIO:
        file = io.BufferedReader(_Watched(self.path, self.watch), 2**18)
        return gzip.GzipFile(fileobj=file) if _is_gzip(self.path) else file  # type: ignore[return-value]

    def open_anywhere(self) -> BinaryIO:
        """For formats that are not read from their beginning."""
        file = self.open()
        return io.BytesIO(file.read()) if _is_gzip(self.path) else file

    @contextmanager
    def characters(self) -> Iterator[io.TextIOWrapper]:
        """The decoded text. A byte that is no character becomes a surrogate, and its row is refused."""
        encoding = self.encoding()
        with self.open() as raw, io.TextIOWrapper(raw, encoding, errors="surrogateescape", newline="") as file:
            yield file

    @contextmanager
    def lines(self) -> Iterator[Iterator[str]]:
        """Its lines with their ends."""
        with self.characters() as file:
            yield self._short_lines(file)

    def _short_lines(self, file: io.TextIOWrapper) -> Iterator[str]:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise CorpusError(
                    f"corpus.path: line {number} of {self.label} has over {LONGEST_LINE} characters; give one report a "
                    f"row."
                )
            yield line

    def encoding(self) -> str:
        """The declared encoding, or the one found in the file's beginning.

        Raises:
            CorpusError: the file is not text.
        """
        with gzip.open(self.path) if _is_gzip(self.path) else self.path.open("rb") as file:
            sample = file.read(SAMPLE_BYTES)
        for mark, encoding in BYTE_ORDER_MARKS.items():
            if sample.startswith(mark):
                return encoding
        if self.settings.encoding is not None:
            return self.settings.encoding
        if len(CONTROL.findall(sample)) > len(sample) / 100:
            raise CorpusError(f"corpus.path: {self.label} is not text; give the table itself, or set corpus.encoding.")
        # A few bytes that are not UTF-8 are damage to their rows and not another encoding of the file.
        decoded = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(sample)
        if len(SURROGATE.findall(decoded)) <= len(NOT_ASCII.findall(decoded)) / 2:
            return "utf-8"
        found = from_bytes(sample, cp_isolation=list(ENCODINGS), enable_fallback=False).best()
        if found is None:
            raise CorpusError(f"corpus.path: {self.label} is text of no encoding that was found; set corpus.encoding.")
        return found.encoding


class _Watched(io.FileIO):
    """A file that says how much of it has been read."""

    def __init__(self, path: Path, watch: Callable[[int], object]) -> None:
        super().__init__(path)
        self._watch = watch

    def readinto(self, buffer: Any) -> int | None:
        size = super().readinto(buffer)
        self._watch(size or 0)
        return size


def read_rows(settings: Corpus, watch: Callable[[int], object] = lambda _: None) -> Iterator[Row]:
    """All rows of `corpus.path`, a file or a folder of files (in the order of their names).

    Raises:
        CorpusError: a file is missing, of no known kind, cut off, not what its name says, or lacks a column.
    """
    root = Path(settings.path)
    empty = True
    for place, path in enumerate(corpus_files(root), start=1):
        name = path.relative_to(root).as_posix() if path != root else path.name
        # A file of a folder may be called by a patient's name.
        label = str(path) if path == root else f"file {place} of {root} (by name)"
        with _said_plainly(label):
            for number, read in enumerate(READERS[_kind(path)](Source(path, label, settings, watch)), start=1):
                empty = False
                yield Row(name, number, read)
    if empty:
        raise CorpusError(f"corpus.path: {root} holds no reports; give a file with at least a few hundred.")


def corpus_files(root: Path) -> list[Path]:
    """The file itself, or a folder's files but for hidden ones.

    Raises:
        CorpusError: there is none, or a file that is no table.
    """
    if root.is_dir():
        files = sorted(
            path
            for path in root.rglob("*")
            if not path.is_dir() and not any(part.startswith(".") for part in path.relative_to(root).parts)
        )
        if not files:
            raise CorpusError(f"corpus.path: the folder {root} holds no files; put the corpus there.")
        if others := [path for path in files if _kind(path) not in READERS]:
            endings = sorted({path.suffix for path in others if re.fullmatch(r"\.[A-Za-z0-9]{1,5}", path.suffix)})
            raise CorpusError(
                f"corpus.path: the folder {root} holds {len(others)} files that are not read (endings: {endings}); "
                f"take them out, or save them as one of {sorted(READERS)}."
            )
        return files
    if not root.exists():
        raise CorpusError(
            f"corpus.path: there is no file or folder {root}; put the corpus there, or set corpus.path to where it is."
        )
    if _kind(root) not in READERS:
        raise CorpusError(
            f"corpus.path: {root} ends in {root.suffix or 'nothing'}; give a file of one of the kinds "
            f"{sorted(READERS)}, or a folder of them."
        )
    return [root]


def _is_gzip(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _kind(path: Path) -> str:
    return (path.with_suffix("") if _is_gzip(path) else path).suffix.lower()


@contextmanager
def _said_plainly(label: str) -> Iterator[None]:
    """A library's error about a file as one sentence; its own text may quote a row."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CorpusError(
            f"corpus.path: {label} is not a whole gzip file: it was cut off or damaged; copy it anew."
        ) from None
    except UnicodeError as error:
        raise CorpusError(
            f"corpus.path: {label} cannot be decoded as {getattr(error, 'encoding', 'text')}; set corpus.encoding to "
            f"its encoding, or save it as UTF-8."
        ) from None
    except OSError as error:
        raise CorpusError(f"corpus.path: {label} cannot be read ({error.strerror}); check the file's rights.") from None


# ---- Tables: the first of their rows names the columns -------------------------------------------------------------


def _delimited(source: Source) -> Iterator[Read]:
    csv.field_size_limit(LONGEST_LINE)
    settings = source.settings
    with source.lines() as lines:
        beginning = list(islice(lines, 5 * HEADER_ROWS))
        delimiter = settings.delimiter or _delimiter(beginning, settings)
        yield from _table(_records(chain(beginning, lines), delimiter, source.label), source.label, settings)


def _records(lines: Iterable[str], delimiter: str, place: str | None = None) -> Iterator[Sequence[str] | Refusal]:
    taken: list[str] = []

    def watched() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(watched(), delimiter=delimiter, strict=True)
    while True:
        begun = reader.line_num + 1
        taken.clear()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # The parser goes on behind the broken record, unless that reaches to the end.
            if "end of data" in str(error) or "field limit" in str(error):
                if place is None:
                    return
                raise CorpusError(
                    f"corpus.path: a quote opened at line {begun} of {place} is never closed; close it."
                ) from None
            yield Refusal.BROKEN_QUOTES
        else:
            if any(_is_whole(line, delimiter, len(record)) for line in taken[1:]):
                # A stray quote has glued rows together, of several patients perhaps.
                yield from [Refusal.BROKEN_QUOTES] * len(taken)
            elif record:
                yield record


def _is_whole(line: str, delimiter: str, width: int) -> bool:
    """Whether a line would be a record by itself, in a table of more than one column."""
    return width > 1 and line.count('"') % 2 == 0 and line.count(delimiter) == width - 1


def _delimiter(beginning: Sequence[str], settings: Corpus) -> str:
    """The one that finds the columns asked for, and cuts the following rows alike."""

    def fitness(delimiter: str) -> tuple[bool, int, int]:
        records = [record for record in _records(beginning, delimiter) if not isinstance(record, Refusal)]
        header = _header_position(records, settings)
        width = len(records[header or 0]) if records else 0
        alike = sum(len(record) == width for record in records[header or 0 :])
        return header is not None, alike if header is not None else 0, width

    return max(DELIMITERS, key=fitness)


def _header_position(records: Sequence[Sequence[Any]], settings: Corpus) -> int | None:
    wanted = settings.columns.named.values()
    for position, record in enumerate(records[:HEADER_ROWS]):
        if set(wanted) <= set(map(_name, record)):
            return position
    return None


def _table(records: Iterator[Sequence[Any] | Refusal], place: str, settings: Corpus) -> Iterator[Read]:
    """Cells by column; what stands above the header is left out."""
    beginning = list(islice(records, HEADER_ROWS))
    if not beginning:
        return
    tried = [[] if isinstance(record, Refusal) else record for record in beginning]
    position = _header_position(tried, settings)
    names = [_name(cell) for cell in tried[position or 0]]
    while names and not names[-1]:
        names.pop()
    check_columns(names, settings.columns, place)
    for record in chain(beginning[(position or 0) + 1 :], records):
        if isinstance(record, Refusal):
            yield record
        elif all(map(_is_empty, record)):
            continue
        elif len(record) < len(names) or any(not _is_empty(cell) for cell in record[len(names) :]):
            yield Refusal.WRONG_NUMBER_OF_FIELDS
        else:
            yield _cells(dict(zip(names, record, strict=False)), settings)


def _workbook(source: Source) -> Iterator[Read]:
    """Every sheet that is not empty; each has its own header."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with source.open_anywhere() as file:
            workbook = CalamineWorkbook.from_filelike(file)
            for number, name in enumerate(workbook.sheet_names, start=1):
                records = (row for row in workbook.get_sheet_by_name(name).iter_rows() if not all(map(_is_empty, row)))
                yield from _table(records, f"sheet {number} of {source.label}", source.settings)
    except CalamineError:
        raise CorpusError(
            f"corpus.path: {source.label} is not a workbook that can be read: it is damaged, or needs a password."
        ) from None


def _parquet(source: Source) -> Iterator[Read]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    with source.open_anywhere() as file:
        try:
            with ParquetFile(file) as table:
                check_columns(table.schema_arrow.names, source.settings.columns, source.label)
                wanted = sorted(set(source.settings.columns.named.values()))
                for batch in table.iter_batches(batch_size=1000, columns=wanted):
                    for record in batch.to_pylist():
                        yield _cells(record, source.settings)
        except (ArrowException, OSError, UnicodeDecodeError):
            raise CorpusError(
                f"corpus.path: {source.label} is not a Parquet file that can be read: it is damaged."
            ) from None


# ---- JSON: every record names its own columns ----------------------------------------------------------------------


class _RepeatedKeyError(ValueError):
    pass


class _AsUtf8:
    """What ijson reads: bytes, whatever the file's encoding."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def read(self, size: int) -> bytes:
        return self._text.read(size).encode("utf-8", "surrogateescape")


class _Strict(dict[str, Any]):
    """A JSON object that remembers a key written twice; the standard parsers keep the last value silently."""

    repeated = False

    def __setitem__(self, key: str, value: Any) -> None:
        self.repeated |= key in self
        super().__setitem__(key, value)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise _RepeatedKeyError
    return record


def _json_lines(source: Source) -> Iterator[Read]:
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


def _json(source: Source) -> Iterator[Read]:
    """A list of objects, alone or as a value of the outer object; or JSON Lines under this name."""
    with source.characters() as file:
        first = file.readline(SAMPLE_BYTES)
        while first.isspace():
            first = file.readline(SAMPLE_BYTES)
    if _is_row(first, source.settings):
        yield from _json_lines(source)
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
    """Objects need not all have the same keys: a column must be in one of the first."""
    beginning = list(islice(values, JSON_ROWS))
    names = dict.fromkeys(key for value in beginning if isinstance(value, dict) for key in value)
    if any(isinstance(value, dict) for value in beginning):
        check_columns(list(names), source.settings.columns, source.label)
    for value in chain(beginning, values):
        if isinstance(value, Refusal):
            yield value
        elif not isinstance(value, dict):
            yield Refusal.NOT_AN_OBJECT
        else:
            yield _cells(value, source.settings)


# ---- Cells ---------------------------------------------------------------------------------------------------------


def _name(cell: object) -> str:
    return " ".join(str(cell).split())


def _is_empty(cell: object) -> bool:
    return cell is None or cell == ""


def _cells(record: Mapping[str, Any], settings: Corpus) -> Read:
    """The columns asked for, as text."""
    cells = {}
    for column in settings.columns.named.values():
        text = _as_text(record.get(column))
        if text is None:
            return Refusal.NOT_TEXT
        if SURROGATE.search(text):
            return Refusal.UNDECODABLE
        cells[column] = text
    return cells


def _as_text(value: object) -> str | None:
    """A cell as it was written: 2 and not 2.0, a date without a time of zero. None: it is no single value."""
    match value:
        case str():
            return value
        case None:
            return ""
        case float() | Decimal() if not math.isfinite(value):
            return "" if math.isnan(value) else str(value)
        case float() | Decimal() if value == int(value):
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case bool() | int() | float() | Decimal() | datetime() | date() | time():
            return str(value)
        case _:
            return None


READERS: dict[str, Callable[[Source], Iterator[Read]]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".txt": _delimited,
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".xlsx": _workbook,
    ".xls": _workbook,
    ".ods": _workbook,
    ".parquet": _parquet,
}
