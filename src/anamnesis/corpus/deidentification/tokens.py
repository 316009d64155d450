"""The capitalized words of a text, and what is asked about them again and again."""

import re
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
