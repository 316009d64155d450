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


# By descending priority: overlapping findings are replaced as one, under the first of their kinds in this order. An age
# of 90 or more keeps its unit ("[90+] лет"): it is generalized, as in HIPAA's Safe Harbor (45 CFR 164.514(b)(2)(i)(C)).
PLACEHOLDERS = {
    "email": "[ПОЧТА]",
    "url": "[ССЫЛКА]",
    "handle": "[НИК]",
    "uid": "[УИД]",
    "network": "[СЕТЬ]",
    "address": "[АДРЕС]",
    "snils": "[СНИЛС]",
    "document": "[ДОКУМЕНТ]",
    "passport": "[ПАСПОРТ]",
    "policy": "[ПОЛИС]",
    "phone": "[ТЕЛЕФОН]",
    "plate": "[АВТО]",
    "date": "[ДАТА]",
    "time": "[ВРЕМЯ]",
    "age": "[90+]",
    "record": "[КАРТА]",
    "slide": "[СТЕКЛО]",
    "number": "[НОМЕР]",
    "doctor": "[ВРАЧ]",
    "name": "[ИМЯ]",
}


def has_any(text: str, hints: Iterable[str]) -> bool:
    """Whether the text has one of the substrings. A loop, because any() with a generator takes twice as long."""
    for hint in hints:  # noqa: SIM110
        if hint in text:
            return True
    return False
