"""Which part of a name a word may be, by the dictionary of pymorphy3 (OpenCorpora) or by its ending."""

import re
from functools import lru_cache
from typing import NamedTuple

from pymorphy3 import MorphAnalyzer

# Reports repeat their words, so results are cached; rare words, such as misspelt ones, drop out first.
_REMEMBERED = 200_000
_SURNAME_ENDING = re.compile(
    r".{2,}(?:(?:[оеё]в|[иы]н)(?:а|у|ой|ым|ом|е|ых|ы)?|[сц]к(?:ий|ого|ому|им|ом|ая|ой|ую|их)|(?:енк|йк)о|"
    r"[чщ]ук(?:а|у|ом|е)?|[юу]к(?:а|у|ом|е)?|[яа]нц?(?:а|у|ом|ем|е)?|швили|дзе|заде|[лр]иев\w{0,2}|их|ых|"
    r"ман(?:а|у|ом|е)?|берг(?:а|у|ом|е)?)"
)
_PATRONYMIC_ENDING = re.compile(
    r".{2,}(?:(?:[оеё]в|[ьи])ич(?:а|у|ем|ом|е)?|(?:[оеё]вн|[ии]ничн)(?:а|ы|е|у|ой|ою)|кызы|оглы|к[иы]зи|у[гг]ли)"
)
# Turkic patronymics are two words: Рашид оглы, Рауф кызы.
KINSHIP = re.compile(r"(?i)(?:огл[ыу]|кыз[ыа]|гызы|[кқ]изи|[уў][гғ]ли|уулу|улы|заде)(?!\w)")


class Reading(NamedTuple):
    """Probabilities, 0..1, that the word is a surname, a given name, a patronymic, or no name (`common`)."""

    surname: float
    given: float
    patronymic: float
    common: float
    known: bool

    @property
    def of_name(self) -> bool:
        """May be part of a name: the dictionary says so, or does not have the word."""
        return not self.known or self.surname + self.given + self.patronymic > 0

    @property
    def plain_surname(self) -> bool:
        """A surname even without any other sign of one."""
        return self.known and self.surname >= 0.5 and self.common == 0

    @property
    def likely_surname(self) -> bool:
        return self.surname > 0.2


@lru_cache(maxsize=1)
def _analyzer() -> MorphAnalyzer:
    return MorphAnalyzer(lang="ru")


@lru_cache(maxsize=_REMEMBERED)
def reading(word: str) -> Reading:
    """Possessives ("Базедова болезнь") and places (село Иваново) count neither for a surname nor against it."""
    word = word.lower().replace("’", "'").strip("-'")
    analyzer = _analyzer()
    # The last part decides about a double surname such as Петрова-Водкина.
    last = word.rsplit("-", 1)[-1]
    known = analyzer.word_is_known(word)
    if not known and last != word and analyzer.word_is_known(last):
        word, known = last, True
    if not known:
        surname = 1.0 if _SURNAME_ENDING.fullmatch(word) else 0.0
        return Reading(surname, 0.0, 1.0 if _PATRONYMIC_ENDING.fullmatch(word) else 0.0, 0.0, False)
    shares = {"Surn": 0.0, "Name": 0.0, "Patr": 0.0, "": 0.0}
    for parse in analyzer.parse(word):
        grammemes = parse.tag.grammemes
        kind = next((kind for kind in ("Surn", "Name", "Patr") if kind in grammemes), "")
        if kind or not grammemes & {"Poss", "Geox"}:
            shares[kind] += parse.score
    return Reading(shares["Surn"], shares["Name"], shares["Patr"], shares[""], True)
