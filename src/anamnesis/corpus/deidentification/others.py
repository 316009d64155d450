"""The kinds that are found by tables of patterns alone."""

import re
from collections.abc import Iterator
from itertools import chain

from anamnesis.corpus.deidentification import ages, approximate, contacts, documents, hours, passports, spoken, weekdays
from anamnesis.corpus.deidentification.dates import with_weekdays
from anamnesis.corpus.deidentification.findings import Found
from anamnesis.corpus.deidentification.patterns import matches

_WITH_DIGITS = [*passports.PATTERNS, *documents.PATTERNS]
_IN_CAPITALS = [*passports.CAPITAL_PATTERNS, *documents.CAPITAL_PATTERNS]
_ANY = [
    *contacts.PATTERNS, *spoken.PATTERNS, *approximate.PATTERNS, *weekdays.PATTERNS, *hours.PATTERNS, *ages.PATTERNS,
    *passports.DICTATED,
]  # fmt: skip
_DIGIT = re.compile(r"\d")


def find_others(text: str, lower: str) -> Iterator[Found]:
    """Contacts, documents, ages, and dates and times spelt out."""
    found = chain(with_weekdays(lower, matches(lower, _ANY)), matches(text, passports.AUTHORITIES))
    if _DIGIT.search(lower):
        found = chain(found, matches(lower, _WITH_DIGITS), matches(text, _IN_CAPITALS))
    yield from found
