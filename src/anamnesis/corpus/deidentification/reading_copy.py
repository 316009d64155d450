"""A copy of a text for the rules to read, without what exports and scans put inside names.

The copy has no tags, soft hyphens or written line ends (`markup`), and knows where each of its characters is in the
original.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from anamnesis.corpus.deidentification.findings import Found
from anamnesis.corpus.markup import BROKEN_WORD, INVISIBLE, TAG, WRITTEN_LINE_END, WRITTEN_TAB, in_place_of

_HIDING = re.compile(
    rf"(?P<nothing>{BROKEN_WORD}|[{INVISIBLE}]+)|(?P<tag>{TAG})|"
    rf"(?P<space>{WRITTEN_LINE_END}|{WRITTEN_TAB}|&(?:nbsp|ensp|emsp|thinsp|#160|#xa0);|(?<=[А-ЯЁа-яё])_(?=[А-ЯЁа-яё]))"
)
_MAY_HIDE = re.compile(rf"[<&_\\{INVISIBLE}]|-[ \t]*\r?\n")


@dataclass(frozen=True)
class ReadingCopy:
    """Attributes:
    starts: where the parts that are as in the original begin in the copy.
    places: where they begin in the original.
    """

    text: str
    starts: tuple[int, ...] = (0,)
    places: tuple[int, ...] = (0,)

    @classmethod
    def of(cls, text: str) -> "ReadingCopy":
        if not _MAY_HIDE.search(text):
            return cls(text)
        parts, starts, places = list[str](), [0], [0]
        length = end = 0
        for match in _HIDING.finditer(text):
            written = _written(match)
            parts += [text[end : match.start()], written]
            length += match.start() - end + len(written)
            end = match.end()
            starts.append(length)
            places.append(end)
        return cls("".join([*parts, text[end:]]), tuple(starts), tuple(places))

    def in_the_original(self, found: Iterable[Found]) -> list[Found]:
        """The findings at their places in the original. Its trimmed findings begin and end with a character of it."""
        if len(self.starts) == 1:
            return list(found)
        return [replace(one, start=self._place(one.start), end=self._place(one.end - 1) + 1) for one in found]

    def _place(self, position: int) -> int:
        part = bisect_right(self.starts, position) - 1
        return self.places[part] + position - self.starts[part]


def _written(match: re.Match[str]) -> str:
    if match["tag"]:
        return in_place_of(match)
    return " " if match["space"] else ""
