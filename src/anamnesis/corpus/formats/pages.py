"""HTML pages, which web systems call .xls: every table of a page."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

from anamnesis.corpus.formats.cells import Read
from anamnesis.corpus.formats.sheets import Sheet, read_sheets
from anamnesis.corpus.formats.sources import Source
from anamnesis.corpus.formats.tables import MergedRecord, Record
from anamnesis.corpus.refusals import CorpusError

_BLOCK = 2**16
_DECLARED = re.compile(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]+)", re.IGNORECASE)
_BREAKS = frozenset({"br", "p", "div", "li"})
# Browsers limit spans to these numbers.
_WIDEST, _HIGHEST = 1000, 65534


def read_page(source: Source) -> Iterator[Read]:
    """The tables of a page, each with its own header; one that has none of the columns is left out.

    Raises:
        CorpusError: the page is damaged, or its tables cannot be read.
    """
    parser = _Tables()
    try:
        with _with_charset(source).characters() as file:
            while block := file.read(_BLOCK):
                parser.feed(block)
        parser.close()
    except AssertionError:
        # The parser's way to refuse a declaration that it does not know.
        raise CorpusError(
            f"corpus.path: {source.label} is not an HTML page that can be read; open it in a spreadsheet program and "
            f"save it as .xlsx."
        ) from None
    tables = enumerate(parser.finished, start=1)
    sheets = (Sheet(f"table {number} of {source.label}", iter(table.records)) for number, table in tables)
    yield from read_sheets(sheets, source)


def _with_charset(source: Source) -> Source:
    """With the encoding that the page declares, if none is set."""
    with source.open() as file:
        declared = _DECLARED.search(file.read(2**12))
    if source.settings.encoding is not None or declared is None:
        return source
    try:
        encoding = codecs.lookup(declared[1].decode()).name
    except LookupError:
        return source
    return replace(source, settings=replace(source.settings, encoding=encoding))


@dataclass
class _Table:
    """A table being read. `spans` are cells that reach into later rows: how many, and their text, by column."""

    records: list[Record] = field(default_factory=list)
    spans: dict[int, tuple[int, str]] = field(default_factory=dict)
    # The cells of the open row: text, columns and rows.
    row: list[tuple[str, int, int]] | None = None
    # The open cell: its text in pieces, columns and rows.
    cell: tuple[list[str], int, int] | None = None

    def end_cell(self) -> None:
        if self.cell is not None and self.row is not None:
            pieces, width, height = self.cell
            self.row.append(("".join(pieces).strip(), width, height))
        self.cell = None

    def end_row(self) -> None:
        self.end_cell()
        if self.row is None:
            return
        spans, self.spans = self.spans, {}
        record: list[str] = []
        cells = iter(self.row)
        while True:
            if len(record) in spans:
                rows, text = spans[len(record)]
                if rows > 1:
                    self.spans[len(record)] = rows - 1, text
                record.append(text)
            elif (cell := next(cells, None)) is not None:
                text, width, height = cell
                if height > 1:
                    self.spans[len(record)] = height - 1, text
                    self.spans |= {len(record) + i: (height - 1, "") for i in range(1, width)}
                record += [text, *[""] * (width - 1)]
            elif len(record) < max(spans, default=-1):
                record.append("")
            else:
                break
        if any(text for text, _, _ in self.row):
            self.records.append(MergedRecord(record) if any(text for _, text in spans.values()) else record)
        self.row = None


class _Tables(HTMLParser):
    """Collects the tables of a page; a table inside a cell is a table of its own. Closing tags may be missing."""

    def __init__(self) -> None:
        super().__init__()
        self.finished: list[_Table] = []
        self._open: list[_Table] = []
        self._skipped: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._skipped = tag
        elif tag == "table":
            self._open.append(_Table())
        elif self._open:
            table = self._open[-1]
            if tag == "tr":
                table.end_row()
                table.row = []
            elif tag in ("td", "th"):
                table.end_cell()
                table.row = [] if table.row is None else table.row
                spans = dict(attrs)
                table.cell = [], _span(spans, "colspan", _WIDEST), _span(spans, "rowspan", _HIGHEST)
            elif tag in _BREAKS and table.cell is not None:
                table.cell[0].append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._skipped:
            self._skipped = None
        elif tag == "table" and self._open:
            self._end_table()
        elif self._open and tag == "tr":
            self._open[-1].end_row()
        elif self._open and tag in ("td", "th"):
            self._open[-1].end_cell()

    def handle_data(self, data: str) -> None:
        if self._skipped is None and self._open and (cell := self._open[-1].cell) is not None:
            cell[0].append(data)

    def close(self) -> None:
        super().close()
        while self._open:
            self._end_table()

    def _end_table(self) -> None:
        table = self._open.pop()
        table.end_row()
        self.finished.append(table)


def _span(attributes: dict[str, str | None], name: str, most: int) -> int:
    value = (attributes.get(name) or "").strip()
    return min(max(int(value), 1), most) if re.fullmatch(r"\d{1,9}", value) else 1
