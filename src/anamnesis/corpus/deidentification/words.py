"""Which part of a name a word may be: by the dictionary of pymorphy3 (OpenCorpora), by lists, or by its ending."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pymorphy3 import MorphAnalyzer
from pymorphy3.analyzer import Parse

from anamnesis.corpus.deidentification.resources import natasha_words

# Latin and Cyrillic: pymorphy3 fails on letters that have no name in Unicode.
LETTER = "[A-Za-zÀ-ÖØ-öø-ɏЀ-ӿ]"
# Reports repeat their words, so results are cached; rare words, such as misspelt ones, drop out first.
_REMEMBERED = 200_000
_SURNAME_ENDING = re.compile(
    r".{2,}(?:(?:[оеё]в|[иы]н)(?:а|у|ой|ым|ом|е|ых|ы)?|[сц]к(?:ий|ого|ому|им|ом|ая|ой|ую|их)|(?:енк|йк)о|"
    r"[чщ]ук(?:а|у|ом|е)?|[юу]к(?:а|у|ом|е)?|[яа]нц?(?:а|у|ом|ем|е)?|швили|дзе|заде|[лр]иев\w{0,2}|их|ых|"
    r"ман(?:а|у|ом|е)?|берг(?:а|у|ом|е)?|[бв]ейли|бекли|оглу|[а-я]иани|[а-я]{2}ава)"
)
_OF_A_GIVEN_NAME = re.compile(r".{3,}[оеё]в(?:а|у|ой|ым|ом|е|ых|ы)?")
_PATRONYMIC_ENDING = re.compile(
    r".{2,}(?:(?:[оеё]в|[ьи])ич(?:а|у|ем|ом|е)?|(?:[оеё]вн|[ьи]ничн)(?:а|ы|е|у|ой|ою)|[кқг][иы]з[иыа]|о[гғ]л[иыу]|"
    r"[уў][гғ]л[иы])"
)
# Turkic patronymics are two words: Рашид оглы, Рауф кызы, Рустам ўғли, Рустам қизи, Азамат уулу.
KINSHIP = re.compile(
    r"(?i:[оўу][гғ]л[иыу]|[кқг][иы]з[иыа]|уулу|улы|заде|[ou]['’ʼʻ`]?g['’ʼʻ`]?h?l[iıyu]|[kqg][iıy]z[iıy]|uulu|uly|zade)(?!\w)"
)
# Letters of Ukrainian, Kazakh, Uzbek and other names, as Russian writes them.
_AS_RUSSIAN = str.maketrans("іїєґўқғҳәөүұңһј", "иеегукгхаоуунхй")
# A given name that is as often a word (Вера, Роман) needs a likely surname beside it.
_OFTEN_A_WORD = 0.2
# What a list of names adds to a word that the dictionary lacks, and to one that it has as something else.
_LISTED_SURNAME = 0.5
_LISTED_GIVEN = 0.2
# Shorter words are near to some common word by chance.
_SHORTEST_MISSPELT = 6
_ALPHABET = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_OF_NAMES_OR_PLACES = frozenset(("Surn", "Name", "Patr", "Geox", "Orgn", "Poss"))
_CASE_ENDING = re.compile(r"(?<=..)(?:ого|ому|ыми|ой|ою|ым|ом|ем|им|ая|ую|ий|ый|их|ых|[аеуыиюя])$")


class Reading(NamedTuple):
    """Probabilities, 0..1, that the word is a surname, a given name, a patronymic, or no name (`common`).

    `listed`: a list has it among surnames, some of which are also words (Мороз, Гусь, Коваль); `everyday`: it is one of
    the words that are known to be surnames. `nominal`: it is most likely a noun or an adjective in the singular.
    """

    surname: float
    given: float
    patronymic: float
    common: float
    known: bool
    listed: bool
    everyday: bool = False
    nominal: bool = False
    noun: bool = False

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

    @property
    def plain_given(self) -> bool:
        """A given name, and hardly a word."""
        return self.given >= 0.5 and self.common < _OFTEN_A_WORD

    @property
    def likely_given(self) -> bool:
        return self.given > 0.1


@lru_cache(maxsize=1)
def _analyzer() -> MorphAnalyzer:
    return MorphAnalyzer(lang="ru")


@lru_cache(maxsize=1)
def _given_names() -> frozenset[str]:
    return natasha_words("first")


@lru_cache(maxsize=1)
def packaged_names() -> dict[str, frozenset[str]]:
    """The lists of `names.yaml`."""
    lists = yaml.safe_load((Path(__file__).parent / "names.yaml").read_text(encoding="utf-8"))
    return {name: frozenset(word.replace("ё", "е") for word in words) for name, words in lists.items()}


@lru_cache(maxsize=1)
def _surnames() -> frozenset[str]:
    return natasha_words("last") | packaged_names()["words"] | packaged_names()["korean"]


@lru_cache(maxsize=_REMEMBERED)
def reading(word: str) -> Reading:
    """Possessives ("Базедова болезнь") and places (село Иваново) count neither for a surname nor against it."""
    word = word.lower().replace("’", "'").strip("-'")
    analyzer = _analyzer()
    # The last part decides about a double surname such as Петрова-Водкина.
    first, _, last = word.rpartition("-")
    if first and _is_double_surname(first, last):
        return Reading(1.0, 0.0, 0.0, 0.0, False, True)
    known = analyzer.word_is_known(word)
    if not known and last != word and analyzer.word_is_known(last):
        word, known = last, True
    parses = analyzer.parse(word)
    forms = {word.replace("ё", "е"), *(parse.normal_form.replace("ё", "е") for parse in parses)}
    if not known or stem(word) in packaged_names()["korean"]:
        forms.add(stem(word))
    listed = not forms.isdisjoint(_surnames())
    if not known and (russian := word.translate(_AS_RUSSIAN)) != word:
        return reading(russian)
    if not known:
        surname = 1.0 if _SURNAME_ENDING.fullmatch(word) else _LISTED_SURNAME * listed
        given_names = _given_names() | packaged_names()["given"]
        # The genitive plural of a given name is a surname: Наджафов.
        names = {word.replace("ё", "е")} if _OF_A_GIVEN_NAME.fullmatch(word) else forms
        given = 0.0 if names.isdisjoint(given_names) else 1.0
        patronymic = 1.0 if _PATRONYMIC_ENDING.fullmatch(word) else 0.0
        if given and not listed:
            surname = 0.0
        return Reading(surname, given, patronymic, 0.0, False, listed)
    shares = {"Surn": 0.0, "Name": 0.0, "Patr": 0.0, "": 0.0}
    for parse in parses:
        grammemes = parse.tag.grammemes
        kind = next((kind for kind in ("Surn", "Name", "Patr") if kind in grammemes), "")
        if kind or not grammemes & {"Poss", "Geox"}:
            shares[kind] += parse.score
    if listed and _OF_A_GIVEN_NAME.fullmatch(word) and shares["Name"] and not shares["Surn"]:
        shares["Surn"], shares["Name"] = shares["Name"], 0.0
    if word.replace("ё", "е") in _given_names():
        # That list has only names that are hardly anything else; the dictionary takes София for a town.
        shares["Name"], shares[""] = max(shares["Name"], 0.5), min(shares[""], _OFTEN_A_WORD / 2)
    elif not forms.isdisjoint(packaged_names()["given"]):
        shares["Name"] = max(shares["Name"], _LISTED_GIVEN)
    korean = len(word) > 2 and word in packaged_names()["korean"]
    everyday = korean or not forms.isdisjoint(packaged_names()["words"])
    return Reading(
        shares["Surn"],
        shares["Name"],
        shares["Patr"],
        shares[""],
        known=True,
        listed=listed,
        everyday=everyday,
        nominal=_is_nominal(parses, {"NOUN", "ADJF"}, everyday) or (everyday and word.endswith(("ых", "их"))) or korean,
        noun=_is_nominal(parses, {"NOUN"}, everyday),
    )


def _is_double_surname(first: str, last: str) -> bool:
    """Whether both halves are surnames, even if the dictionary has them as words: Сухово-Лыкова."""
    return (
        reading(last).listed
        and ends_like_surname(last)
        and (first.endswith("ово") or (reading(first).listed and ends_like_surname(first)))
    )


def _is_nominal(parses: list[Parse], parts: set[str], everyday: bool) -> bool:
    """Whether the word is most likely one of these parts of speech, and may be in the singular."""
    best = parses[0].tag.grammemes
    likely = everyday or (not best.isdisjoint(parts) and "Apro" not in best)
    return likely and any(
        "sing" in parse.tag.grammemes and not parse.tag.grammemes.isdisjoint(parts) for parse in parses
    )


@lru_cache(maxsize=_REMEMBERED)
def is_oblique(word: str) -> bool:
    """Whether the word is in none of the cases in which a sentence may begin with a thing."""
    return all(parse.tag.case not in ("nomn", "accs", None) for parse in _analyzer().parse(word.lower()))


@lru_cache(maxsize=_REMEMBERED)
def normal_forms(word: str) -> frozenset[str]:
    """The dictionary forms of a word that the dictionary has; of another word, the word itself."""
    word = word.lower()
    analyzer = _analyzer()
    if not analyzer.word_is_known(word):
        return frozenset({word})
    # The short form of an adjective is hardly written: "лев" is not "левый".
    return frozenset(parse.normal_form for parse in analyzer.parse(word) if "ADJS" not in parse.tag)


@lru_cache(maxsize=_REMEMBERED)
def forms_of_name(word: str) -> frozenset[str]:
    """All grammatical cases of a word as a name, of both sexes; of a word that may be no name, itself only."""
    word = word.lower()
    names = [parse for parse in _analyzer().parse(word) if parse.tag.grammemes & {"Surn", "Name", "Patr"}]
    return frozenset({word, *(form.word for parse in names for form in parse.lexeme)})


@lru_cache(maxsize=_REMEMBERED)
def is_place(word: str) -> bool:
    """Whether the word is most likely a place: Москва."""
    parses = _analyzer().parse(word.lower())
    # The dictionary takes "с Хабаровском" for an adjective.
    if word.lower().endswith("ском") and "ADJF" in parses[0].tag:
        return any("Geox" in parse.tag for parse in parses)
    return "Geox" in parses[0].tag.grammemes


@lru_cache(maxsize=_REMEMBERED)
def is_only_place(word: str) -> bool:
    """Whether the word is a place and nothing else: not "вены", which is also a part of the body."""
    return all("Geox" in parse.tag.grammemes for parse in _analyzer().parse(word.lower()))


@lru_cache(maxsize=_REMEMBERED)
def is_verb(word: str) -> bool:
    """Whether the word is most likely an action of one person: согласился, обследована."""
    grammemes = _analyzer().parse(word.lower())[0].tag.grammemes
    return "plur" not in grammemes and not grammemes.isdisjoint({"VERB", "INFN", "PRTS"})


@lru_cache(maxsize=_REMEMBERED)
def is_given_name(word: str) -> bool:
    """Whether a list has the word itself among given names."""
    return word.lower().replace("ё", "е") in _given_names() | packaged_names()["given"]


@lru_cache(maxsize=_REMEMBERED)
def is_subject(word: str) -> bool:
    """Whether the word may be a given name in the nominative."""
    return "nomn" in _cases(word, name=True)


@lru_cache(maxsize=_REMEMBERED)
def is_short_form(word: str) -> bool:
    """Whether the word is most likely a predicate: спокоен, осмотрен."""
    grammemes = _analyzer().parse(word.lower())[0].tag.grammemes
    return _analyzer().word_is_known(word.lower()) and not grammemes.isdisjoint({"ADJS", "PRTS"})


@lru_cache(maxsize=_REMEMBERED)
def governs(noun: str, word: str) -> bool:
    """Whether a noun may go on with this word: набор реагентов, масло иммерсионное."""
    tags = [parse.tag for parse in _analyzer().parse(word)]
    return ("NOUN" in tags[0] and tags[0].case == "gent") or ("ADJF" in tags[0] and is_noun_beside(noun, word))


@lru_cache(maxsize=_REMEMBERED)
def _cases(word: str, name: bool) -> frozenset[str]:
    parses = _analyzer().parse(word.lower())
    names = [parse for parse in parses if "Name" in parse.tag.grammemes] if name else []
    return frozenset(str(parse.tag.case) for parse in names or parses)


@lru_cache(maxsize=_REMEMBERED)
def cases(word: str) -> frozenset[str]:
    """The grammatical cases that the word may be in."""
    return _cases(word, name=False)


@lru_cache(maxsize=_REMEMBERED)
def is_lifeless(word: str) -> bool:
    """Whether the dictionary has the word as the noun of a thing only."""
    nouns = [parse.tag for parse in _analyzer().parse(word.lower()) if "NOUN" in parse.tag]
    return bool(nouns) and all("inan" in tag for tag in nouns)


@lru_cache(maxsize=_REMEMBERED)
def is_animate_object(word: str) -> bool:
    """Whether the noun may be the object of a verb as a person is: стола, as "вижу стола" would be said of one."""
    tags = [parse.tag for parse in _analyzer().parse(word.lower()) if "NOUN" in parse.tag and "sing" in parse.tag]
    return any(tag.case == ("gent" if tag.gender == "masc" else "accs") for tag in tags) and not any(
        tag.gender != "femn" and tag.case == "nomn" for tag in tags
    )


@lru_cache(maxsize=_REMEMBERED)
def is_function_word(word: str) -> bool:
    """Whether the word is most likely a conjunction, a preposition, a particle or a pronoun."""
    tag = _analyzer().parse(word.lower())[0].tag
    return any(part in tag for part in ("CONJ", "PREP", "PRCL", "NPRO", "INTJ", "Apro"))


def agree(word: str, given: str) -> bool:
    """Whether a word may be in the grammatical case of a first name. Surnames like Седых are the same in all.

    The dictionary has no case of a surname that it takes for a plural: Яхонтов Всеволод, Яхонтова Олега.
    """
    if word.lower().endswith(("ых", "их")) or (reading(word).listed and _OF_A_GIVEN_NAME.fullmatch(word.lower())):
        return True
    return not _cases(word, name=False).isdisjoint(_cases(given, name=True))


@lru_cache(maxsize=_REMEMBERED)
def is_misspelt(word: str) -> bool:
    """Whether a long word that the dictionary lacks is a common word with one typing error: Исследовн узел."""
    word = word.lower()
    if len(word) < _SHORTEST_MISSPELT or _analyzer().word_is_known(word):
        return False
    return any(_is_common(corrected) for corrected in _corrected(word))


def _corrected(word: str) -> Iterator[str]:
    """All words that are one typing error away."""
    for at in range(len(word)):
        before, letter, behind = word[:at], word[at], word[at + 1 :]
        yield before + behind
        if behind:
            yield before + behind[0] + letter + behind[1:]
        for other in _ALPHABET:
            yield before + other + behind
            yield before + other + letter + behind


@lru_cache(maxsize=_REMEMBERED)
def _is_common(word: str) -> bool:
    analyzer = _analyzer()
    return analyzer.word_is_known(word) and not any(
        parse.tag.grammemes & _OF_NAMES_OR_PLACES for parse in analyzer.parse(word)
    )


@lru_cache(maxsize=_REMEMBERED)
def is_noun_beside(noun: str, adjective: str) -> bool:
    """Whether the noun may be in the gender and case of the adjective."""
    described = [parse.tag for parse in _analyzer().parse(noun) if "NOUN" in parse.tag]
    describing = [parse.tag for parse in _analyzer().parse(adjective.lower()) if parse.tag.case]
    return any(
        one.case == other.case and one.number == other.number and (one.number == "plur" or one.gender == other.gender)
        for one in described
        for other in describing
    )


def may_be_name(word: str) -> bool:
    part = reading(word)
    return part.of_name or part.listed


@lru_cache(maxsize=_REMEMBERED)
def is_plain_word(word: str) -> bool:
    """Whether the dictionary has the word, and neither it nor a list takes it for a name: консультировал."""
    part = reading(word)
    return part.known and not part.listed and part.surname + part.given + part.patronymic == 0


def is_korean(word: str) -> bool:
    """Whether the word is one of the short Korean surnames."""
    return word.lower().replace("ё", "е") in packaged_names()["korean"]


def ends_like_surname(word: str) -> bool:
    return _SURNAME_ENDING.fullmatch(word.lower()) is not None


def stem(word: str) -> str:
    """The word without its case ending."""
    return _CASE_ENDING.sub("", word.lower())


@lru_cache(maxsize=_REMEMBERED)
def may_be_place(word: str) -> bool:
    """Whether the word may be the name of a village: the dictionary lacks it, or has it as a place or a name."""
    word = word.lower()
    parses = _analyzer().parse(word)
    return not _analyzer().word_is_known(word) or any(
        parse.tag.grammemes & {"Geox", "Surn", "Name", "Poss"} for parse in parses
    )
