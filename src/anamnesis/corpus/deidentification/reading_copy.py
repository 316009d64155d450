"""A copy of a text for the rules to read, without what exports and scans put inside names.

Tags, entities and soft hyphens hide a name from every rule: Ива<b>но</b>ва, Иванова&nbsp;Анна, Ивано-⏎ва. The copy has
none of them, and knows where each of its characters is in the original.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from anamnesis.corpus.deidentification.findings import Found

_LOW, _UP = "a-zа-яёіїєґўқғҳәөүұңһ", "A-ZА-ЯЁІЇЄҐЎҚҒҲӘӨҮҰҢҺ"
_INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
_HIDING = re.compile(
    rf"(?P<nothing>(?<=[{_LOW}])\u00ad[ \t]*\r?\n[ \t]*(?=[{_LOW}])|[{_INVISIBLE}]+|"
    # Not "какой-⏎нибудь".
    rf"(?<=[{_LOW}])-[ \t]*\r?\n[ \t]*(?=[{_LOW}])(?!(?:нибудь|либо|то|таки|ка)(?!\w))|"
    rf"(?<=[{_UP}]{{2}})-[ \t]*\r?\n[ \t]*(?=[{_UP}]{{2}}))|"
    r"(?P<inline></?(?i:wbr|span|b|i|u|s|em|strong|a|sub|sup|small|big|font|mark)\b[^<>]{0,200}>)|"
    r"(?P<line></?(?i:br|p|div|li|ul|ol|tr|tbody|thead|table|h[1-6]|hr)\b[^<>]{0,200}>)|"
    r"(?P<space></?(?i:td|th)\b[^<>]{0,200}>|&(?:nbsp|ensp|emsp|thinsp|#160|#xa0);|"
    r"(?<=[А-ЯЁа-яё])_(?=[А-ЯЁа-яё]))"
)
_MAY_HIDE = re.compile(rf"[<&_{_INVISIBLE}]|-[ \t]*\r?\n")


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
            written = _written(text, match)
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


def _written(text: str, match: re.Match[str]) -> str:
    if match["line"]:
        return "\n"
    if match["space"]:
        return " "
    # Directly between a small letter and a capital, an inline tag parts two words: Анна<b>Иванова</b>.
    before, behind = text[max(0, match.start() - 1) : match.start()], text[match.end() : match.end() + 1]
    return " " if match["inline"] and before.islower() and behind.isupper() else ""
