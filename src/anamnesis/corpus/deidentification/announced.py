"""Names behind a word that announces a person, and before a date of birth."""

import re
from bisect import bisect_left
from collections.abc import Iterator

from anamnesis.corpus.deidentification import latin
from anamnesis.corpus.deidentification.bare_names import describes_the_next, is_done_by_persons, like_a_term
from anamnesis.corpus.deidentification.tokens import Announcement, Span, Token, is_heading, side_by_side
from anamnesis.corpus.deidentification.vocabulary import ABBREVIATIONS, QUALIFICATIONS, TREATMENT, names_a_thing
from anamnesis.corpus.deidentification.words import is_oblique, is_place, is_short_form, is_verb
from anamnesis.corpus.deidentification.writing import ENDS, INITIALS_BEHIND, SENTENCE_ENDS, UP

_QUALIFICATION = re.compile(
    rf"(?:[\s.,:_/()№–—\"«»-]|[а-яё]{{1,20}}(?=[\s.,:])|(?:{'|'.join(QUALIFICATIONS)})(?!\w)|\d{{1,3}}(?!\d)){{0,24}}"
)
_FEMININE = re.compile(r"\((?:а|ла|лась)\)")
_NEAR = re.compile(rf"(?:[\s.:,_/()–—\"«»=-]|(?:{'|'.join(QUALIFICATIONS)})(?!\w)){{0,60}}")
_BORN = re.compile(
    r"(?<!\d)(?:\d\d\.\d\d\.(?:19|20)\d\d|(?:19|20)\d\d\s?г[./]?\s?р|(?i:д\.?\s?р(?!\w)|дата\sрожд)|"
    r"(?<=,\s)\d{1,3}\s(?:лет|год|года)(?!\w))"
)
_BEFORE_BORN = re.compile(rf"\s{{0,2}}[{UP}]?\.?\s?[{UP}]?\.?[\s,(]{{1,3}}")
# Characters between the announcing word and the name, and words of a name.
_FARTHEST = 80
_MOST_WORDS = 4
_GOES_ON = re.compile(r"\.?\s[а-яё]")
_OF_DEPARTMENT = re.compile(r"\.?\s(?:[а-яё]{3,16}\s){1,3}")
_IS_LAST = re.compile(r"\s{0,2}(?:[.;,)\n¤]|$)")


def find_announced(text: str, lower: str, tokens: list[Token], announced: list[Announcement]) -> Iterator[Span]:
    """Names by the words that announce them, or by a date of birth behind them."""
    yield from _behind_words(text, lower, tokens, announced)
    yield from _before_birth(text, tokens)


def _behind_words(text: str, lower: str, tokens: list[Token], announced: list[Announcement]) -> Iterator[Span]:
    """One to four capitalized words after "пациент", "врач-цитолог:", "дочь"; nearer words need fewer signs."""
    starts = [token.start for token in tokens]
    limits = (*(start for start, _, _ in announced[1:]), len(text))
    for (start, end, kind), limit in zip(announced, limits, strict=False):
        word = lower[start:end]
        # The full stop of an abbreviation does not end a sentence.
        end += text.startswith(".", end) and word in ABBREVIATIONS
        first = bisect_left(starts, end)
        # A qualification comes between: "врач УЗД Петров".
        while first + 1 < len(tokens) and tokens[first].word in QUALIFICATIONS:
            first += 1
        if first == len(tokens):
            return
        token = tokens[first]
        if token.start >= limit or token.start - end > _FARTHEST or token.announces:
            continue
        gap = _FEMININE.sub("", text[end : token.start])
        near = _NEAR.fullmatch(gap) is not None
        if near or _may_be_far(text, gap, kind, end, token):
            sure = near and (":" in gap or "_" in gap or gap.strip() in QUALIFICATIONS or word in ("исп.", "фио"))
            last = _last_of_name(text, tokens, first, near, sure, gap)
            if last >= first:
                initials = INITIALS_BEHIND.match(text, tokens[last].end)
                yield token.start, initials.end() if initials else tokens[last].end


def _may_be_far(text: str, gap: str, kind: str, end: int, token: Token) -> bool:
    """Whether only a qualification, a department or a category is between the announcing word and this one."""
    return (
        kind != "name"
        and _QUALIFICATION.fullmatch(gap) is not None
        and SENTENCE_ENDS.search(text, end, token.start + 3) is None
    )


def _last_of_name(text: str, tokens: list[Token], first: int, near: bool, sure: bool, gap: str) -> int:
    """The last word of the name that begins with the first one; before the first one if there is no name."""
    last = first - 1
    while last + 1 < len(tokens) and last - first < _MOST_WORDS - 1:
        token = tokens[last + 1]
        begun = last >= first
        if begun and not side_by_side(text, tokens[last], token):
            break
        if not begun and ". " in gap and not _begins_sentence(text, token):
            break
        if token.announces or not _acceptable(text, token, near, sure or begun, gap):
            break
        last += 1
    return last


def _begins_sentence(text: str, token: Token) -> bool:
    """Whether the first word of a new sentence is certainly a surname: "Врач. Петрова"."""
    return (token.reading.known and token.reading.likely_surname) or INITIALS_BEHIND.match(text, token.end) is not None


def _before_birth(text: str, tokens: list[Token]) -> Iterator[Span]:
    """One to three capitalized words directly before a date of birth or an age."""
    starts = [token.start for token in tokens]
    for match in _BORN.finditer(text):
        last = bisect_left(starts, match.start()) - 1
        if last < 0 or not _BEFORE_BORN.fullmatch(text, tokens[last].end, match.start()):
            continue
        first = last + 1
        while first and last - first < 2 and (first > last or side_by_side(text, tokens[first - 1], tokens[first])):
            word = tokens[first - 1]
            if (
                word.announces
                or word.clinical
                or is_heading(word.word)
                or (word.word.isupper() and not word.reading.of_name)
            ):
                break
            first -= 1
        words = tokens[first : last + 1]
        if any(word.reading.likely_surname or (len(words) > 1 and word.reading.of_name) for word in words):
            yield tokens[first].start, tokens[last].end


def _acceptable(text: str, token: Token, near: bool, sure: bool, gap: str) -> bool:
    part = token.reading
    capitals = token.word.isupper()
    if text[token.end : token.end + 1] == ":" or is_heading(token.word):
        return False
    if describes_the_next(text, token) or is_short_form(token.word):
        return False
    if "(" in gap and text[token.end : token.end + 1] == ")" and part.listed and token.word.istitle():
        return not token.clinical
    abbreviation = capitals and len(token.word) < 5 and not (part.known and (part.of_name or part.everyday))
    abbreviation = abbreviation and not (part.listed and part.noun and _IS_LAST.match(text, token.end))
    if near and not abbreviation and INITIALS_BEHIND.match(text, token.end):
        return True
    if near and part.everyday and part.nominal and not is_oblique(token.word) and _IS_LAST.match(text, token.end):
        # A word that ends the sentence behind "ДОКТОР", "Выписал(а)": Зуб.
        return not token.clinical or not (capitals or {".", ":"} & set(gap))
    if _IS_LAST.match(text, token.end) and _OF_DEPARTMENT.fullmatch(gap) and not any(map(is_verb, gap.split())):
        # Зав. отделением Черных
        surname = part.likely_surname or part.everyday or not (part.known or like_a_term(token.word))
        return surname and not capitals and not names_a_thing(text, token.start)
    if token.clinical:
        return near and part.everyday and token.word.istitle() and is_done_by_persons(text, token.end)
    if not part.known and len(token.word) < 5 and _GOES_ON.match(text, token.end):
        return part.listed and text[token.end] != "."
    if not near:
        return part.likely_surname and part.common < 0.5 and (part.known or not capitals) and not TREATMENT.search(gap)
    if abbreviation:
        return False
    if token.latin and latin.is_surname(token.word):
        return True
    if part.known:
        if part.of_name and part.common < 0.9 and (part.common < 0.5 or "." not in gap):
            return True
        if part.noun and not is_place(token.word) and _IS_LAST.match(text, token.end):
            return True
        return (sure and ENDS.match(text, token.end) is not None) or (not capitals and gap.isspace() and part.listed)
    if like_a_term(token.word) and _GOES_ON.match(text, token.end):
        return False
    return (part.likely_surname and "(" not in gap) or sure or (not capitals and not {".", "("} & set(gap))
