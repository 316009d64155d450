"""The report as one HTML file that needs nothing else: styles, script and pictures are inside, and it prints well.

After the verdict comes what a Markdown report cannot have: all arms by all measures, with filters that act on every
table of the page. Without a script everything is shown.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from anamnesis.analysis import drawing as places
from anamnesis.analysis.drawing import drawing, looks
from anamnesis.analysis.overview import Overview
from anamnesis.analysis.wording import number

TITLE = "Adaptation and forgetting"
PARTS = Path(__file__).parent / "page"
# The anchor and the title of the part that is not Markdown.
COMPARE = ("compare", "Compare")
# The column of a table of pairs that names the measure.
MEASURE = "measure"
# An interval is not broken at the end of a line.
INTERVAL = re.compile(r"\[([^\[\],]+), ([^\[\],]+)\]")


@dataclass(frozen=True)
class Section:
    """Something that came after the run: Markdown with tables and pictures, as in the report.

    A row whose first cell names arms (`ema`) and a column under a measure's title follow the filters.

    Attributes:
        title: in plain words, once on the page.
        text: Markdown; its headings stand below the title.
        folder: where the pictures are.
    """

    title: str
    text: str
    folder: Path


def page(
    text: str, title: str, folder: Path, shown: Overview, methods: Sequence[str], sections: Sequence[Section] = ()
) -> str:
    """Convert the report to a page of its own.

    Args:
        text: the report, Markdown with tables, and pictures named by files in `folder`.
        title: the page's title.
        folder: where the pictures are; each is written into the page.
        shown: the arms and measures.
        methods: the names of all methods of params.yaml, which give the colours.
        sections: what came after the run; they follow the comparison.
    """
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = _prepared(reader.parse(text), folder, shown)
    headings = [at for at, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    end_of_verdict = headings[1] if len(headings) > 1 else len(tokens)
    verdict, rest = tokens[:end_of_verdict], tokens[end_of_verdict:]
    later = [token for one in sections for token in _prepared(_section(reader, one), one.folder, shown)]
    script = _part("page.js")
    templates = Environment(
        loader=FileSystemLoader(PARTS), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters["number"] = number
    written: str = templates.get_template("template.html").render(
        title=title,
        style=_part("page.css"),
        script=script,
        digest=base64.b64encode(sha256(script.encode()).digest()).decode(),
        links=[*_links(verdict), COMPARE, *_links([*later, *rest])],
        verdict=_rendered(reader, verdict),
        rest=_rendered(reader, [*later, *rest]),
        shown=shown,
        drawing=drawing(shown),
        looks=looks(shown, methods),
        places=places,
    )
    return written


def _section(reader: MarkdownIt, one: Section) -> list[Token]:
    tokens = reader.parse(one.text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1]) + 1}"
    return [*reader.parse(f"## {one.title}"), *tokens]


def _part(name: str) -> Markup:
    return Markup((PARTS / name).read_text(encoding="utf-8"))


def _rendered(reader: MarkdownIt, tokens: Sequence[Token]) -> Markup:
    """As HTML. A table scrolls in a box of its own, which the keyboard can reach.

    The end tags of rows and cells, which HTML lets one leave out, are a tenth of a page with many methods.
    """
    body = re.sub(r"</t[dhr]>\n", "", str(reader.renderer.render(tokens, reader.options, {})))
    return Markup(body.replace("<table", '<div class="wide" tabindex="0"><table').replace("</table>", "</table></div>"))


def _links(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """The anchor and the text of each section."""
    return [
        (str(token.attrs["id"]), text.content)
        for token, text in pairwise(tokens)
        if token.type == "heading_open" and token.tag == "h2"
    ]


def _prepared(tokens: list[Token], folder: Path, shown: Overview) -> list[Token]:
    """Give sections an anchor, put the pictures in, and name the arms and measures that rows and columns are about."""
    keys = {one.title: one.key for one in shown.columns}
    for token, following in pairwise(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            token.attrSet("id", re.sub(r"\W+", "-", following.content.lower()).strip("-"))
        for part in token.children or ():
            if part.type == "image":
                part.attrSet("src", _inline(folder / str(part.attrs["src"])))
            elif part.type == "text":
                part.content = INTERVAL.sub("[\\1,\u00a0\\2]", part.content)
    for (_, header), *rows in _tables(tokens):
        titles = [text.content for _, text in header]
        for cells in (header, *(cells for _, cells in rows)):
            for (cell, _), title in zip(cells, titles, strict=True):
                if title in keys:
                    cell.attrSet("data-measure", keys[title])
        for row, cells in rows:
            _name(row, dict(zip(titles, (text for _, text in cells), strict=True)), keys, shown.arms)
    return tokens


Row = tuple[Token, list[tuple[Token, Token]]]


def _tables(tokens: Sequence[Token]) -> list[list[Row]]:
    """The rows of each table, the header first: the token of the row, and of each cell its own and that of its text."""
    tables: list[list[Row]] = []
    for token, following in pairwise(tokens):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append((token, []))
        elif token.type in ("th_open", "td_open"):
            tables[-1][-1][1].append((token, following))
    return tables


def _name(row: Token, cells: Mapping[str, Token], keys: Mapping[str, str], arms: Sequence[str]) -> None:
    """Say which arms a row is about, by its first cell, and in a table of pairs which measure."""
    first = next(iter(cells.values()))
    named = [part.content for part in first.children or () if part.type == "code_inline" and part.content in arms]
    if named:
        row.attrSet("data-arms", " ".join(named))
    if MEASURE in cells and cells[MEASURE].content in keys:
        row.attrSet("data-measure", keys[cells[MEASURE].content])


def _inline(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
