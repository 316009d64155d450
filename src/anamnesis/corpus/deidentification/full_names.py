"""Names of two or three words: a patronymic with its neighbours, a first name beside a surname."""

import re
from collections.abc import Iterator
from itertools import pairwise

from anamnesis.corpus.deidentification import latin
from anamnesis.corpus.deidentification.bare_names import like_a_term
from anamnesis.corpus.deidentification.tokens import Span, Token, adjoin, announces, is_heading, side_by_side
from anamnesis.corpus.deidentification.vocabulary import follows_a_medicine, is_thing, names_a_thing
from anamnesis.corpus.deidentification.words import (
    KINSHIP,
    agree,
    ends_like_surname,
    is_given_name,
    is_korean,
    is_misspelt,
    is_place,
    is_subject,
    reading,
)
from anamnesis.corpus.deidentification.writing import ENDS, INSIDE_SENTENCE, UP, WORD

# Кожа Капитолина С.
_INITIAL_BEHIND = re.compile(rf"\s[{UP}]\.(?=\s?(?:[,;)\n]|$))")
_INITIAL_AND_PATRONYMIC = re.compile(rf"(?<!\w)(?P<surname>{WORD})\s[{UP}]\.\s?(?P<patronymic>{WORD})")
_IRISH = re.compile(r"[OО]['’ʼ][А-ЯЁ][а-яё]{2}")
_KINSHIP_BEHIND = re.compile(rf"(?:\s{{1,4}}|-){KINSHIP.pattern}")


def find_full_names(text: str, tokens: list[Token]) -> Iterator[Span]:
    yield from _full(text, tokens)
    yield from _with_an_initial(text)
    yield from _pairs(text, tokens)
    yield from _alone(text, tokens)


def _full(text: str, tokens: list[Token]) -> Iterator[Span]:
    """A patronymic with the names beside it."""
    for index, token in enumerate(tokens):
        first = last = index
        kinship = _KINSHIP_BEHIND.match(text, token.end)
        end = kinship.end() if kinship else token.end
        if not (_is_patronymic(token) or kinship) or token.announces:
            continue
        if index and adjoin(text, tokens[index - 1], token) and _fits(tokens[index - 1], given=True):
            first = index - 1
            if first and adjoin(text, tokens[first - 1], tokens[first]) and _fits(tokens[first - 1]):
                first -= 1
        behind = index + 1
        while behind < len(tokens) and tokens[behind].start < end:
            behind += 1
        follower = tokens[behind] if behind < len(tokens) else None
        if follower and text[end : follower.start].isspace() and follower.start - end <= 4:
            surname_before = first == index - 2 and _sure_of_surname(tokens[first])
            if not surname_before and _is_surname_behind(text, follower):
                first, last = max(first, index - 1), behind
        if first < index or token.reading.known or kinship:
            yield tokens[first].start, tokens[last].end if last > index else end


def _is_patronymic(token: Token) -> bool:
    _, hyphen, kinship = token.word.rpartition("-")
    if hyphen and KINSHIP.fullmatch(kinship):
        return True
    return token.reading.patronymic > 0.5 or (token.latin and latin.is_patronymic(token.word))


def _is_surname_behind(text: str, follower: Token) -> bool:
    """Whether the word behind a patronymic is the surname."""
    part = follower.reading
    if follower.announces or is_heading(follower.word):
        return False
    if follower.latin and latin.is_surname(follower.word):
        return True
    if part.likely_surname or (part.nominal and follower.word.istitle() and not follower.clinical):
        return True
    return follower.word.istitle() and (not part.known or part.everyday or ENDS.match(text, follower.end) is not None)


def _fits(token: Token, given: bool = False) -> bool:
    """Whether a word beside a patronymic (or a first name) may belong to the same name."""
    part = token.reading
    if token.announces or (not given and token.clinical and not (part.likely_surname or part.everyday)):
        return False
    return part.of_name or (len(token.word) > 2 and not token.word.lower().endswith(("но", "ть", "на", "ния", "ние")))


_RUSSIAN = re.compile(r"[а-яё]{3}")


def _with_an_initial(text: str) -> Iterator[Span]:
    """A patronymic behind an initial: Трегубов Д. Акимович."""
    for match in _INITIAL_AND_PATRONYMIC.finditer(text):
        if reading(match["patronymic"]).patronymic > 0.5 and not announces(match["surname"]):
            yield match.span()


def _pairs(text: str, tokens: list[Token]) -> Iterator[Span]:
    """A first name beside a surname, in either order."""
    # Two capitalized Latin words in a Russian report are a name, unless they are on the list of clinical words.
    russian = _RUSSIAN.search(text) is not None
    for index, (left, right) in enumerate(pairwise(tokens)):
        given_behind = right.reading.plain_given and not right.clinical and is_subject(right.word)
        if is_thing(left.word) and not given_behind:
            continue
        if left.latin and right.latin and adjoin(text, left, right):
            belong = _latin_pair(left, right, russian, text[left.end : right.start])
        elif side_by_side(text, left, right):
            belong = _pair(left, right) or _pair(right, left) or follows(left, right)
            if not belong and _precedes(left, right):
                after = tokens[index + 2] if index + 2 < len(tokens) else None
                belong = not (after and side_by_side(text, right, after) and _sure_of_surname(after))
        else:
            belong = (
                adjoin(text, left, right)
                and not (left.abbreviated or right.abbreviated)
                and (_pair(left, right) or _pair(right, left))
            )
        if belong:
            initial = _INITIAL_BEHIND.match(text, right.end)
            yield left.start, initial.end() if initial else right.end


def _pair(given: Token, surname: Token) -> bool:
    """Whether the first word may be a first name, and the second the surname that belongs to it.

    The more certain the one, the less is asked of the other: Анна Гусь, Вера Петрова, Роман Мороз.
    """
    if any(word.announces or is_heading(word.word) for word in (given, surname)):
        return False
    first, family = given.reading, surname.reading
    likely = family.likely_surname and family.common < 0.5
    if given.clinical or surname.clinical:
        like_surname = family.likely_surname or (family.listed and ends_like_surname(surname.word))
        like_surname = like_surname or family.everyday or family.given >= 0.5 or is_korean(surname.word)
        likely_given = first.plain_given or (family.everyday and first.likely_given and surname.word.istitle())
        return like_surname and likely_given and not (given.clinical and surname.clinical and first.given < 0.9)
    if first.plain_given:
        # A first name beside a first name that is also a surname: Роман Анна.
        unknown = not family.known and not surname.abbreviated
        listed = family.listed and (not family.known or not family.common or agree(surname.word, given.word))
        listed = listed or (is_korean(surname.word) and given.word.istitle() == surname.word.istitle())
        return likely or listed or family.likely_given or unknown
    if likely and not first.known and given.word.istitle() and surname.word.istitle() and not given.latin:
        return not like_a_term(given.word)
    if first.likely_given:
        return likely or (family.listed and given.word.istitle() and surname.word.istitle())
    return likely and first.given > 0.05


def _latin_pair(left: Token, right: Token, russian: bool, gap: str) -> bool:
    if left.clinical or right.clinical or left.announces or right.announces or min(len(left.word), len(right.word)) < 2:
        return False
    if russian and all(token.word.istitle() for token in (left, right)):
        return True
    if "," in gap and left.word.isupper() and right.word.isupper() and min(len(left.word), len(right.word)) > 3:
        return latin.is_given(left.word) or latin.is_given(right.word)
    for given, surname in ((left.word, right.word), (right.word, left.word)):
        if latin.is_given(given) and (latin.is_surname(surname) or latin.is_patronymic(surname) or surname.istitle()):
            return True
        if latin.is_surname(surname) and (latin.is_patronymic(given) or latin.is_plain_surname(surname)):
            return True
    return False


def follows(given: Token, word: Token) -> bool:
    """Whether a capitalized word after a first name is a surname for that reason alone."""
    return (
        given.reading.plain_given
        and word.word.istitle()
        and not (given.clinical or word.clinical or word.announces)
        and not is_heading(word.word)
    )


def _precedes(word: Token, given: Token) -> bool:
    """Whether a word before a first name is a surname for the reason alone that it is in the same case: Сахар Ирина."""
    return (
        given.reading.given >= 0.5
        and given.reading.common < 0.1
        and word.reading.nominal
        and (word.word.istitle() or not word.abbreviated)
        and word.word.istitle() == given.word.istitle()
        and not (word.announces or given.announces or is_heading(word.word))
        and not is_place(word.word)
        and agree(word.word, given.word)
    )


def _sure_of_surname(token: Token) -> bool:
    part = token.reading
    return part.likely_surname or part.listed or (token.latin and latin.is_surname(token.word))


def _alone(text: str, tokens: list[Token]) -> Iterator[Span]:
    """Surnames and first names that are hardly anything else, unless they name a disease, a method or a medicine."""
    for token in tokens:
        if (
            _certain(text, token)
            and len(token.word) > 3
            and not token.clinical
            and not names_a_thing(text, token.start)
            and not (follows_a_medicine(text, token.start) and not token.reading.plain_surname)
        ):
            yield token.start, token.end


def _certain(text: str, token: Token) -> bool:
    """Whether the word is a name even without any other sign of one."""
    if _IRISH.match(token.word):
        return True
    if token.latin:
        return latin.is_plain_surname(token.word)
    part = token.reading
    if part.plain_surname or (part.given >= 0.9 and part.common == 0):
        return part.known or (token.word.istitle() and (is_given_name(token.word) or not is_misspelt(token.word)))
    if not part.listed or not ends_like_surname(token.word):
        return False
    # The genitive of a word may be a surname; its capital says nothing at the beginning of a sentence: Платов много.
    inside = INSIDE_SENTENCE.search(text, max(0, token.start - 3), token.start) is not None
    return part.surname > 0.2 and (part.common <= 0.1 or (inside and part.surname > 0.4 and part.common < 0.6))
