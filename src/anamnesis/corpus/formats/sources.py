"""Opens a file of an export: gzip, encoding, and lines of limited length."""

import codecs
import gzip
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from charset_normalizer import from_bytes

from anamnesis.corpus.refusals import CorpusError, Notice
from anamnesis.settings.corpus import Corpus

LONGEST_LINE = 2**26
SAMPLE_BYTES = 2**20
ENCODINGS = ("cp1251", "koi8_r", "cp866", "mac_cyrillic")
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

# An undecodable byte after decoding, or half of a surrogate pair in JSON.
SURROGATE = re.compile("[\ud800-\udfff]")
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
NOT_ASCII = re.compile("[^\x00-\x7f]")


@dataclass(frozen=True)
class Source:
    """A file being read: its name in messages, what is noticed in it, and `watch`, which receives the number of bytes
    of each read."""

    path: Path
    label: str
    settings: Corpus
    watch: Callable[[int], object]
    noticed: Counter[Notice]

    def open(self) -> BinaryIO:
        file = io.BufferedReader(_Watched(self.path, self.watch), 2**18)
        return gzip.GzipFile(fileobj=file) if is_gzip(self.path) else file  # type: ignore[return-value]

    def open_seekable(self) -> BinaryIO:
        """For formats that are not read from the beginning to the end."""
        file = self.open()
        return io.BytesIO(file.read()) if is_gzip(self.path) else file

    @contextmanager
    def characters(self) -> Iterator[io.TextIOWrapper]:
        """The decoded text. An undecodable byte becomes a surrogate, and its row is refused."""
        encoding = self.encoding()
        with self.open() as raw, io.TextIOWrapper(raw, encoding, errors="surrogateescape", newline="") as file:
            yield file

    @contextmanager
    def lines(self) -> Iterator[Iterator[str]]:
        """The lines, each with its line end."""
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
        """The declared encoding, or the one detected from the beginning of the file.

        Raises:
            CorpusError: the file is not text.
        """
        with gzip.open(self.path) if is_gzip(self.path) else self.path.open("rb") as file:
            sample = file.read(SAMPLE_BYTES)
        for mark, encoding in BYTE_ORDER_MARKS.items():
            if sample.startswith(mark):
                return encoding
        if self.settings.encoding is not None:
            return self.settings.encoding
        if len(CONTROL.findall(sample)) > len(sample) / 100:
            raise CorpusError(f"corpus.path: {self.label} is not text; give the table itself, or set corpus.encoding.")
        # A few bytes that are not UTF-8 are damaged rows, not another encoding of the whole file.
        decoded = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(sample)
        if len(SURROGATE.findall(decoded)) <= len(NOT_ASCII.findall(decoded)) / 2:
            return "utf-8"
        found = from_bytes(sample, cp_isolation=list(ENCODINGS), enable_fallback=False).best()
        if found is None:
            raise CorpusError(f"corpus.path: the encoding of {self.label} was not recognized; set corpus.encoding.")
        return found.encoding


class _Watched(io.FileIO):
    """A file that reports how much of it has been read."""

    def __init__(self, path: Path, watch: Callable[[int], object]) -> None:
        super().__init__(path)
        self._watch = watch

    def readinto(self, buffer: Any) -> int | None:
        size = super().readinto(buffer)
        self._watch(size or 0)
        return size


def is_gzip(path: Path) -> bool:
    return path.suffix.lower() == ".gz"
