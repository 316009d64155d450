"""Names typed without capitals."""

import re
from collections.abc import Iterator
from itertools import pairwise

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from anamnesis.corpus.deidentification import latin
from anamnesis.corpus.deidentification.bare_names import like_a_term
from anamnesis.corpus.deidentification.tokens import Announcement, Span, announces
from anamnesis.corpus.deidentification.vocabulary import (
    ABBREVIATIONS,
    DIRECT,
    FIELD,
    NO_NAME_BEHIND,
    NOT_INITIALS,
    ClinicalWords,
    is_thing,
)
from anamnesis.corpus.deidentification.words import (
    KINSHIP,
    cases,
    ends_like_surname,
    is_given_name,
    is_korean,
    is_lifeless,
    is_misspelt,
    is_oblique,
    may_be_name,
    reading,
)
from anamnesis.corpus.deidentification.writing import LOW

_LOWER_CASE = re.compile(
    r"(?<!\w)(?:(?P<surname>[а-яё]{2,20}(?:-[а-яё]{3,20})?)\s(?P<initials>[а-яё]\.(?:\s?[а-яё]\.)?)|"
    r"(?<!\w\.)(?<!\w\.\s)(?P<before>[а-яё]\.(?:(?:\s?|[,-])[а-яё]\.\s{0,2}|[а-яё]\s))(?P<behind>[а-яё]{2,20}(?:-[а-яё]{3,20})?)(?!\w)|"
    r"(?P<full>(?:[а-яё]{2,20}\s){1,2}[а-яё]{3,16}(?:(?:[оеё]в|ь)ич|[оеё]вн|[ьи]ничн)(?:а|у|ем|ом|е|ы|ой)?(?!\w)))"
)
_LOWER_NEXT = re.compile(r"\s([а-яё]{3,20}(?:-[а-яё]{3,20})?)(?!\w)")
_LOWER_BARE = re.compile(
    r"(?<![\w@.-])[а-яё]{3,18}(?:[оеё]в(?:а|у|ой|ым)?|швили|дзе|енко|янц?|[сц]к(?:ая|ую|ому|ого)|[а-я]ава|[чщ]ук(?:а|у|ом)?|ман(?:а|у|ом)?|штейн(?:а|у|ом)?|[иы]н(?:ой|у)|"
    r"(?:[оеё]в|ь)ич(?:а|у|ем)?|(?:[оеё]вн|[ьи]ничн)(?:а|ы|е|у|ой))(?![\w@-])"
)
_LOWER_PAIR = re.compile(
    r"(?<![\w.@-])(?=([а-яё]{3,20}(?:-[а-яё]{3,20})?|ни|но|ан|эм)[ \n]([а-яё]{3,20}(?:-[а-яё]{3,20})?)(?![\w@-]))",
    re.I,
)
_LOWER_AFTER = re.compile(
    r"(?:(?:\((?:а|ла|лась)\))?[\s:–—(-]{1,3}(?:(?:узи|узд|кдл|клд)\s)?)((?:(?<=\s)|(?<=[:–—(-]))[а-яё]{2,20}(?:-[а-яё]{3,20})?)"
    r"((?:\s[а-яё]{2,20}){0,2})(?![\w-])"
)
_VOWEL = re.compile("[аеёиоуыэюя]")
_COLON = re.compile(r"\s?:")
_LOWER_LATIN = re.compile(r"(?<![\w@.])[a-z]{3,20}(?:\s[a-z]\.)?(?:\s[a-z]{3,20}){1,2}(?![\w@])(?!\.\w)")
_LOWER_DESCENT = re.compile(
    rf"(?<!\w)(?P<before>(?:[{LOW}]{{2,20}}\s){{1,2}}[{LOW}]{{2,20}})[\s-]{KINSHIP.pattern}(?:\s(?P<behind>[{LOW}]{{3,20}}))?(?!\w)"
)


def find_lower_case(text: str, lower: str, clinical: ClinicalWords, announced: list[Announcement]) -> Iterator[Span]:
    yield from _lower_case(text)
    yield from _lower_bare(text, clinical)
    yield from _lower_pairs(text, clinical)
    yield from _lower_latin(text, clinical)
    yield from _lower_descents(text, clinical)
    yield from _lower_after_announcement(text, lower, clinical, announced)


def _lower_case(text: str) -> Iterator[Span]:
    """Names typed without capitals: with a patronymic, or with initials on either side."""
    position = 0
    while match := _LOWER_CASE.search(text, position):
        position = match.end()
        if match["full"]:
            words = match["full"].split()
            if reading(words[-1]).patronymic > 0.5 and reading(words[-2]).given > 0:
                part = reading(words[0])
                surname = len(words) == 3 and (part.likely_surname or part.listed or part.noun)
                surname = surname and not (announces(words[0]) or words[0] in NO_NAME_BEHIND)
                start = match.start() if surname else match.end() - len(" ".join(words[-2:]))
                behind = None if surname else _LOWER_NEXT.match(text, match.end())
                yield start, behind.end() if behind and _is_lower_surname(behind[1], 2) else match.end()
        elif match["before"]:
            part = reading(match["behind"])
            sure = part.listed and part.likely_surname
            if (sure or _are_initials(match["before"])) and (part.likely_surname or (part.listed and part.noun)):
                yield match.span()
        elif (
            not announces(match["surname"])
            and _are_initials(match["initials"])
            and _is_lower_surname(match["surname"], match["initials"].count("."))
        ):
            yield match.span()
        else:
            position = match.start("initials")


def _lower_bare(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Words without capitals that the dictionary lacks, and that end like no word but a surname."""
    for match in _LOWER_BARE.finditer(text):
        part = reading(match[0])
        if part.patronymic > 0.5 and part.common < 0.1:
            yield match.span()
            continue
        listed = part.listed or (len(match[0]) > 8 and match[0].endswith(("евой", "евым")))
        if (part.plain_surname or (not part.known and listed)) and match[0] not in clinical:
            yield match.span()


def _are_initials(written: str) -> bool:
    return "".join(letter for letter in written if letter.isalpha()) not in NOT_INITIALS


def _is_lower_surname(word: str, initials: int) -> bool:
    part = reading(word)
    if initials == 1:
        return part.likely_surname and part.listed and part.common == 0
    return (part.likely_surname and part.common < 0.5) or (part.listed and part.noun)


def _lower_pairs(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """A first name beside a surname, at least one of them without a capital."""
    for match in _LOWER_PAIR.finditer(text):
        if (match[1][0].isupper() and match[2][0].isupper()) or is_thing(match[1]):
            continue
        if any(
            word in clinical and not _may_be_beside(other, word)
            for word, other in pairwise((*match.groups(), match[1]))
        ):
            continue
        if match[1][0].isupper() != match[2][0].isupper() and any(reading(w).common > 0.5 for w in match.groups()):
            continue
        if _certain_pair(match[1], match[2]) or _certain_pair(match[2], match[1]):
            yield match.start(1), match.end(2)


def _may_be_beside(word: str, clinical: str) -> bool:
    """Whether a clinical word is a surname beside this one: "лера нога", but not the misspelt "леаой доли"."""
    return reading(clinical).everyday and (reading(word).known or is_given_name(word))


def _lower_latin(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Two or three Latin words without capitals: a first name, and a surname or a patronymic."""
    for match in _LOWER_LATIN.finditer(text):
        words = match[0].split()
        if not ENGLISH_STOP_WORDS.isdisjoint(words):
            continue
        initial = any(word.endswith(".") for word in words)
        words = [word for word in words if not word.endswith(".")]
        surnames = [
            word
            for word in words
            if latin.is_surname(word) or latin.is_patronymic(word) or (initial and latin.is_everyday(word))
        ]
        given = [word for word in words if latin.is_given(word) and [word] != surnames]
        if given and surnames and not any(word in clinical for word in words):
            yield match.span()


def _lower_descents(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Turkic names without capitals: ходжаев рустам парвиз угли."""
    for match in _LOWER_DESCENT.finditer(text) if KINSHIP.search(text) else ():
        start = match.start()
        words = match["before"].split()
        while len(words) > 1 and (words[0] in clinical or announces(words[0]) or not may_be_name(words[0])):
            start += len(words.pop(0)) + 1
        if may_be_name(words[-1]) and words[-1] not in clinical:
            behind = match["behind"]
            end = (
                match.end() if behind and may_be_name(behind) and behind not in clinical else match.start("behind") - 1
            )
            yield start, end if behind else match.end()


def _certain_pair(first: str, second: str) -> bool:
    """Whether two words are a first name and a surname even without capitals."""
    given, surname = reading(first), reading(second)
    if surname.plain_surname:
        return given.likely_given
    if is_korean(second):
        return given.given >= 0.9 and given.common == 0
    if surname.listed and ends_like_surname(second):
        return given.plain_given
    if given.given >= 0.5 and given.common == 0 and not announces(second):
        return surname.everyday or (surname.listed and surname.nominal) or (surname.likely_surname or not surname.known)
    return given.plain_given and surname.likely_surname and (surname.known or surname.listed)


def _lower_after_announcement(
    text: str, lower: str, clinical: ClinicalWords, announced: list[Announcement]
) -> Iterator[Span]:
    """Names typed without capitals after "врач", "пациентка"."""
    for start, end, _ in announced:
        end += text.startswith(".", end) and lower[start:end] in ABBREVIATIONS
        match = _LOWER_AFTER.match(text, end)
        if not match or announces(match[1]) or match[1] in NO_NAME_BEHIND or _COLON.match(text, match.end(1)):
            continue
        following = match[2].split()
        direct = DIRECT.fullmatch(lower, start, end) is not None
        field = direct and FIELD.fullmatch(lower, start, end) is not None
        if match[1] in clinical and not field:
            continue
        pair = bool(following) and _pair_behind(match[1], following[0], clinical)
        if not (pair or _lower_name(match[1], direct, field)):
            continue
        last = match.end(1)
        for before, word in pairwise([match[1], *following]):
            if not _continues(before, word, direct, clinical):
                break
            last = text.index(word, last) + len(word)
        yield match.start(1), last


def _continues(before: str, word: str, direct: bool, clinical: ClinicalWords) -> bool:
    """Whether a name without capitals goes on with this word."""
    part = reading(word)
    if (word in clinical and not part.everyday) or announces(word):
        return False
    if part.plain_surname or part.plain_given or part.patronymic > 0.5 or _pair_behind(before, word, clinical):
        return True
    if not direct:
        return False
    return (
        (not part.known and not like_a_term(word))
        or part.given >= 0.5
        or (reading(before).likely_given and part.listed and part.nominal)
        or (reading(before).likely_surname and part.likely_given)
    )


def _pair_behind(first: str, second: str, clinical: ClinicalWords) -> bool:
    """Whether the two words behind an announcing word are a first name and a surname, in either order."""
    for given, surname in ((reading(first), reading(second)), (reading(second), reading(first))):
        if given.likely_given and surname.everyday and surname.nominal and not announces(second):
            return True
    return second not in clinical and _certain_pair(first, second)


def _lower_name(word: str, direct: bool, field: bool) -> bool:
    """Whether a word without a capital is a name behind a word that announces one."""
    part = reading(word)
    if part.plain_surname or (part.given >= 0.9 and part.common == 0):
        return True
    if part.likely_surname and ends_like_surname(word) and (part.known or part.listed):
        return True
    if not direct:
        return False
    if not part.known:
        return part.listed or not (like_a_term(word) or is_misspelt(word) or not _VOWEL.search(word))
    if part.likely_given or (part.likely_surname and part.common < 0.8):
        return True
    if field and ((part.listed and ends_like_surname(word)) or (is_lifeless(word) and "nomn" in cases(word))):
        return True
    return part.listed and (part.noun or (part.nominal and (field or word.endswith("х")))) and not is_oblique(word)
