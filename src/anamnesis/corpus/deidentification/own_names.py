"""The names of a row's own patient, wherever they are in the row: its column of patients says what to look for."""

import re
from collections.abc import Iterator
from functools import lru_cache

from anamnesis.corpus.deidentification.latin import is_latin, stem_of_rough
from anamnesis.corpus.deidentification.vocabulary import ClinicalWords
from anamnesis.corpus.deidentification.words import LETTER, forms_of_name, reading, stem

_WORD = re.compile(rf"{LETTER}+(?:['’ʼ-]{LETTER}+)*")
Span = tuple[int, int]
# Part of a code: К-1234, patient-0012.
_IN_CODE = re.compile(r"\d[\w-]*$|^[-_/]?\d")
_SHORTEST = 3
_BETWEEN_WORDS = re.compile(r"[\s,^]{1,2}")
# A patient's number, which no measurement is as long as.
_CODE = re.compile(r"(?=\S*\d)[\w/-]{5,40}")


def find_own(text: str, lower: str, patient: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Where words of the patient's name are, in any grammatical case, with or without capitals.

    A name that is also a word (Мороз, Вера) needs a capital, or another word of the name beside it.
    """
    names = _names(patient)
    if not names:
        return
    words = [match.span() for match in _WORD.finditer(text) if any(_same(match[0].lower(), name) for name in names)]
    for group in _neighbours(text, words):
        start, end = group[0][0], group[-1][1]
        if len(group) > 1 or text[start].isupper() or not _is_word(lower[start:end], clinical):
            yield start, end


def _neighbours(text: str, words: list[Span]) -> Iterator[list[Span]]:
    """Groups the words that only a space or a comma separates."""
    group: list[Span] = []
    for word in words:
        if group and not _BETWEEN_WORDS.fullmatch(text, group[-1][1], word[0]):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def find_own_code(lower: str, patient: str) -> Iterator[Span]:
    """Where the whole content of the patient's column is, if it is a number or a code."""
    code = patient.strip().lower()
    if _CODE.fullmatch(code):
        for match in re.finditer(rf"(?<!\w){re.escape(code)}(?!\w)", lower):
            yield match.span()


@lru_cache(maxsize=1000)
def _names(patient: str) -> tuple[str, ...]:
    """The words of the patient's column that may be names."""
    names = []
    for match in _WORD.finditer(patient):
        in_code = _IN_CODE.search(patient[: match.start()][-2:]) or _IN_CODE.search(patient[match.end() :][:2])
        word = match[0].lower()
        part = reading(word)
        if len(word) >= _SHORTEST and not in_code and (part.of_name or part.listed):
            names.append(word)
    return tuple(names)


@lru_cache(maxsize=200_000)
def _same(word: str, name: str) -> bool:
    if is_latin(word) != is_latin(name):
        return len(word) > _SHORTEST and stem_of_rough(word) == stem_of_rough(name)
    plain, other = word.replace("ё", "е"), name.replace("ё", "е")
    if plain == other or not forms_of_name(word).isdisjoint({name}) or word in forms_of_name(name):
        return True
    return min(len(plain), len(other)) > _SHORTEST and stem(plain) == stem(other)


def _is_word(word: str, clinical: ClinicalWords) -> bool:
    return word in clinical or reading(word).common > 0.1
