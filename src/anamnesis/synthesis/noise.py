"""What makes a report look written by a person: idle remarks, abbreviations, slips of the keyboard.

A model that reads only clean text learns the wordings instead of the findings, and real reports are not clean.
"""

import random
import re
from functools import cached_property
from itertools import pairwise

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT
from anamnesis.synthesis.wording import Wordings
from anamnesis.tables import Texts

_WORD = re.compile(r"[А-Яа-яЁё]{4,}")
_KEYBOARD = ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю")
_NEIGHBOURS = {a: b for row in _KEYBOARD for pair in pairwise(row) for a, b in (pair, pair[::-1])}


@dataclass(frozen=True, config=STRICT)
class Noise:
    idle_remarks: Wordings
    abbreviations: dict[str, Texts]  # long form -> short forms

    @cached_property
    def _long_form(self) -> re.Pattern[str]:
        return re.compile(r"\b(?:" + "|".join(map(re.escape, self.abbreviations)) + r")\b")

    def abbreviate(self, text: str, share: float, rng: random.Random) -> str:
        def shorten(match: re.Match[str]) -> str:
            return rng.choice(self.abbreviations[match[0]]) if rng.random() < share else match[0]

        return self._long_form.sub(shorten, text)


def _slip(word: str, rng: random.Random) -> str:
    """A wrong neighbouring key, a lost, a doubled or a swapped letter, never in the first letter."""
    at = rng.randrange(1, len(word) - 1)
    before, letter, following, after = word[:at], word[at], word[at + 1], word[at + 2 :]
    slips = [before + following + after, before + letter + letter + following + after]
    slips.append(before + _NEIGHBOURS.get(letter, "е") + following + after)
    if letter != following:
        slips.append(before + following + letter + after)
    return rng.choice(slips)


def mistype(text: str, rate: float, rng: random.Random) -> str:
    """Put slips into `rate` of all words. Short words and numbers stay: a slip would change what they mean."""
    words = text.split(" ")
    typable = [index for index, word in enumerate(words) if _WORD.search(word)]
    for index in typable:
        if rng.random() < rate * len(words) / len(typable):
            words[index] = _WORD.sub(lambda match: _slip(match[0], rng), words[index], count=1)
    return " ".join(words)
