"""The result of every de-identification rule."""

from collections.abc import Iterable
from dataclasses import dataclass, field

# Which engine found an identifier.
FOUND_BY = RULES, TAGGER, BOTH = "rules", "tagger", "both"


@dataclass(frozen=True, order=True)
class Found:
    """An identifier: text[start:end]."""

    start: int
    end: int
    kind: str
    by: str = field(default=RULES, compare=False)


# By descending priority: overlapping findings are replaced as one, under the first of their kinds in this order.
PLACEHOLDERS = {
    "email": "[ПОЧТА]",
    "address": "[АДРЕС]",
    "snils": "[СНИЛС]",
    "passport": "[ПАСПОРТ]",
    "policy": "[ПОЛИС]",
    "phone": "[ТЕЛЕФОН]",
    "date": "[ДАТА]",
    "record": "[КАРТА]",
    "slide": "[СТЕКЛО]",
    "doctor": "[ВРАЧ]",
    "name": "[ИМЯ]",
}


def has_any(text: str, hints: Iterable[str]) -> bool:
    """Whether the text has one of the substrings. A loop, because any() with a generator takes twice as long."""
    for hint in hints:  # noqa: SIM110
        if hint in text:
            return True
    return False
