"""Finds the text of reports in files that are about to leave the house: runs of words, and where they stand.

The runs of the files are kept as hashes, and the reports are read past them one by one. So the memory grows with the
text of the files, and not with the corpus. Nothing that is found is ever shown, only its file and its line.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gguf import GGUFReader, GGUFValueType
from tokenizers import Tokenizer

# So many words in a row are a report's own: shorter ones are phrases that every report has.
IN_A_ROW = 8
# Of these, so many must have letters: numbers alone are those of a table.
WITH_LETTERS = 4
FIELDS = ("description", "conclusion")

_WORD = re.compile(r"[^\W_]+")
# Of JSON, and of JSON that is text in JSON: there, each backslash is doubled.
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|[nrtbf])")
_SHORTEST = 2 * IN_A_ROW - 1

# Lines of text that follow one another, each with its name: what `line 5` says.
Passage = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Place:
    """Where the text of a report stands: the file and its line, or the entry of a tokenizer or a GGUF file."""

    file: str
    line: str

    def __str__(self) -> str:
        return f"{self.file} ({self.line})"


def leaks(files: Mapping[str, Path | str], reports: Iterable[Path], wording: Iterable[str]) -> list[Place]:
    """The places where `IN_A_ROW` words in a row are those of a report's description or conclusion.

    Args:
        files: what is searched, by name: the text, or the file.
        reports: files of prepared reports (JSON Lines).
        wording: texts that are the project's own, such as headings and names of categories: a run that stands whole in
            one of them is nobody's.
    """
    own = {run for text in wording for _, run in _runs(_words(text))}
    wanted = {run for name, file in files.items() for passage in _passages(name, file) for _, run in _located(passage)}
    wanted -= own
    found = {run for text in _texts(reports) for _, run in _runs(_words(text)) if run in wanted}
    if not found:
        return []
    places = (
        Place(name, line)
        for name, file in files.items()
        for passage in _passages(name, file)
        for line, run in _located(passage)
        if run in found
    )
    return list(dict.fromkeys(places))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _runs(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where each run begins, and its hash."""
    for start in range(len(words) - IN_A_ROW + 1):
        run = words[start : start + IN_A_ROW]
        if sum(not word.isdecimal() for word in run) >= WITH_LETTERS:
            yield start, hash(" ".join(run))


def _located(passage: Passage) -> Iterator[tuple[str, int]]:
    """The line in which each run of a passage begins, and its hash."""
    words, lines = [], []
    for line, text in passage:
        of_line = _words(text)
        words += of_line
        lines += [line] * len(of_line)
    for start, run in _runs(words):
        yield lines[start], run


def _texts(reports: Iterable[Path]) -> Iterator[str]:
    for path in reports:
        # Only line feeds end a row; JSON may leave other line ends unescaped inside a string.
        with path.open(encoding="utf-8", newline="\n") as rows:
            for row in rows:
                report = json.loads(row)
                yield from (report[field] for field in FIELDS)


def _passages(name: str, file: Path | str) -> Iterator[Passage]:
    """All text in a file. Of weights, what is written before the numbers; of a tokenizer, also each token as text."""
    if isinstance(file, str):
        yield from _of_text(file)
    elif name.endswith(".safetensors"):
        yield from _of_text(_header(file))
    elif name.endswith(".gguf"):
        yield from _of_gguf(file)
    else:
        yield from _of_text(file.read_text(encoding="utf-8", errors="replace"))
        if Path(name).name == "tokenizer.json":
            yield from _of_tokens(file)


def _of_text(text: str) -> Iterator[Passage]:
    """The text as it is; and as JSON, YAML or Python means it, if it has a backslash."""
    for read in (text, _ESCAPE.sub(_unescaped, text)) if "\\" in text else (text,):
        yield [(f"line {number}", line) for number, line in enumerate(read.split("\n"), start=1)]


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else " "


def _header(file: Path) -> str:
    """The JSON at the beginning of a safetensors file, after its length in 8 bytes."""
    with file.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        return content.read(min(length, file.stat().st_size)).decode("utf-8", "replace")


def _of_gguf(file: Path) -> Iterator[Passage]:
    """Every text in the metadata."""
    for field in GGUFReader(file).fields.values():
        if field.types and field.types[-1] == GGUFValueType.STRING:
            for index in field.data:
                text = field.parts[index].tobytes().decode("utf-8", "replace")
                if len(text) >= _SHORTEST:
                    yield [(field.name, text)]


def _of_tokens(file: Path) -> Iterator[Passage]:
    """Each token as the tokenizer itself writes it: in the file, the bytes of a token may be other characters."""
    tokenizer = Tokenizer.from_file(str(file))
    for token, number in tokenizer.get_vocab().items():
        if len(token) >= _SHORTEST:
            yield [(f"token {number}", tokenizer.decode([number], skip_special_tokens=False))]
