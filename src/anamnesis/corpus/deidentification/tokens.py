"""The capitalized words of a text, and what is asked about them again and again."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from anamnesis.corpus.deidentification import latin
from anamnesis.corpus.deidentification.vocabulary import HEADING, PATIENT, STAFF
from anamnesis.corpus.deidentification.words import Reading, ends_like_surname, reading

Span = tuple[int, int]
# Start and end of the word, and the kind of person that it announces.
Announcement = tuple[int, int, str]

_IS_ANNOUNCING = re.compile(rf"(?:{STAFF}|{PATIENT})(?:-.*)?")


@dataclass(frozen=True)
class Token:
    start: int
    end: int
    word: str
    reading: Reading
    clinical: bool

    @property
    def announces(self) -> bool:
        return announces(self.word)

    @property
    def latin(self) -> bool:
        return latin.is_latin(self.word)

    @property
    def abbreviated(self) -> bool:
        return self.word.isupper() and len(self.word) < 5


@lru_cache(maxsize=200_000)
def announces(word: str) -> bool:
    return _IS_ANNOUNCING.fullmatch(word.lower()) is not None


@lru_cache(maxsize=200_000)
def is_heading(word: str) -> bool:
    """Whether the word begins like a heading (Карта, Телефон) and is no surname (Карташов, Телегина)."""
    part = reading(word)
    surname = part.surname > part.common and part.listed and ends_like_surname(word)
    return HEADING.match(word) is not None and not surname


def between(starts: Sequence[int], start: int, end: int) -> range:
    """Which of the words that begin at the sorted `starts` begin between two places."""
    return range(bisect_left(starts, start), bisect_left(starts, end))


def adjoin(text: str, left: Token, right: Token) -> bool:
    """Whether only spaces, or a comma and a space, are between two words."""
    gap = text[left.end : right.start]
    return len(gap) <= 4 and (gap.isspace() or (gap.strip() in (",", "") and gap[-1:].isspace()))


def side_by_side(text: str, left: Token, right: Token) -> bool:
    """Whether only spaces are between two words."""
    return right.start - left.end <= 4 and text[left.end : right.start].isspace()
