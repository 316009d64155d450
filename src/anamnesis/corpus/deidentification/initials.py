"""Surnames with initials, in both orders."""

import re
from collections.abc import Iterator

from anamnesis.corpus.deidentification import latin
from anamnesis.corpus.deidentification.bare_names import like_a_term
from anamnesis.corpus.deidentification.tokens import Span, announces, is_heading
from anamnesis.corpus.deidentification.vocabulary import SEAL_OR_ACTING, ClinicalWords, names_a_thing
from anamnesis.corpus.deidentification.words import ends_like_surname, reading
from anamnesis.corpus.deidentification.writing import DOTTED, INITIAL, LIKE_MEDICINES, LOW, PARTICLE, UP, WORD

_SURNAME_FIRST = re.compile(
    rf"(?<!\w)(?P<surname>{PARTICLE}{WORD})(?:(?<=[{LOW}])|(?!\w)\s{{0,3}}|\s?,\s?(?=[^,]{{2,7}}(?:[,;|<\n]|$))|"
    rf"[.,]\s?(?=[{UP}]\.\s?[{UP}]\.))"
    rf"(?P<initials>{DOTTED}|{INITIAL}\.|[{UP}][\s-][{UP}]\.?(?![^\W_]|-)|(?<=\s)[{UP}]{{2}}(?!\w)|"
    rf"(?<=\s)[{UP}](?=\s?(?:[,;\n]|\d{{4}}|$)))"
)
# In capitals, the end of the surname is not visible: ИВАНОВА.Б.
_GLUED = re.compile(rf"(?<!\w)(?P<surname>[{UP}]{{3,30}}(?:-[{UP}]{{3,30}})?)[{UP}]\.\s?[{UP}]\.")
_DOTTED_NEXT = re.compile(rf"\s{{0,3}}{DOTTED}")
_NEXT_WORD = re.compile(rf"\s{{0,3}}(?P<word>{WORD})")
_INITIALS_FIRST = re.compile(
    rf"(?<![\w.])(?P<initials>{INITIAL}\s?\.(?:\s?|[,-]){INITIAL}(?:\s?\.\s{{0,3}}|\s{{1,3}})|[{UP}][\s-][{UP}]\s|{INITIAL}\.\s{{0,2}}|"
    rf"[{UP}]{{2}}\s)(?P<surname>{PARTICLE}{WORD})"
)
# Two capitals behind a word that are hardly initials: a disease, pressure, a part of the body.
_NO_INITIALS = frozenset(("сд", "ад", "аг", "гб", "щж", "пж", "лж", "од", "кт", "уз", "тт", "св", "os", "od", "iu"))
# Latin letters that no Cyrillic one looks like.
_FOREIGN = re.compile("[DFGIJLNQRSUVWZ]")
_CAPITALIZED_LATIN = "(?:[A-Z][a-z]{2,20}|[A-Z]{3,20})"
_LATIN_INITIALLED = re.compile(
    rf"(?<![\w.@])(?:(?P<given>{_CAPITALIZED_LATIN})\s[A-Z][A-Za-z]?\.\s(?P<surname>{_CAPITALIZED_LATIN})(?!\w)|"
    rf"(?P<alone>{_CAPITALIZED_LATIN})(?:,\s?[A-Z][A-Za-z]?\.|\s[A-Z](?=\s?(?:[,;<\n]|$))))"
)


def find_initialled(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    yield from _with_initials(text, clinical)
    yield from _latin_initialled(text, clinical)


def _with_initials(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """A surname with initials, in both orders. One initial, or two without dots, require a likely surname."""
    for glued in _GLUED.finditer(text):
        if reading(glued["surname"]).likely_surname:
            yield glued.span()
    taken = set[int]()
    for regex in (_SURNAME_FIRST, _INITIALS_FIRST):
        position = 0
        while match := regex.search(text, position):
            position = match.end()
            initials, surname = match["initials"], match["surname"]
            at = match.start("initials")
            letters = "".join(letter for letter in initials if letter.isupper())
            parted = regex is _SURNAME_FIRST and _is_parted(text, match)
            if at in taken or not _plausible(surname, letters, initials.count("."), parted, clinical):
                position = max(match.start() + 1, match.start("initials" if regex is _SURNAME_FIRST else "surname"))
                continue
            if letters.lower() in SEAL_OR_ACTING and not reading(surname.split()[-1]).of_name:
                position = match.end("initials")
                continue
            if regex is _SURNAME_FIRST and _belong_to_the_next(text, match):
                position = at
                continue
            if regex is _INITIALS_FIRST and names_a_thing(text, at):
                continue
            taken.add(at)
            yield match.span()


def _is_parted(text: str, match: re.Match[str]) -> bool:
    return match.end("surname") < match.start("initials") and text[match.end("surname")] in ".,"


def _belong_to_the_next(text: str, match: re.Match[str]) -> bool:
    """Whether initials between two words belong to the second: "Врач КЛД А.А. Петрова"."""
    if not match["initials"].count(".") and _DOTTED_NEXT.match(text, match.end()):
        return not reading(match["surname"]).likely_surname
    following = _NEXT_WORD.match(text, match.end())
    if not following or reading(match["surname"]).likely_surname or match["initials"].count(".") < 2:
        return False
    return reading(following["word"]).likely_surname or (
        len(match["surname"]) < 5 and match["surname"].isupper() and following["word"].istitle()
    )


def _plausible(surname: str, letters: str, dots: int, parted: bool, clinical: ClinicalWords) -> bool:
    """`parted`: a full stop or a comma is between the surname and its initials."""
    if announces(surname) or is_heading(surname):
        return False
    word = surname.split()[-1]
    part = reading(word)
    if not latin.is_latin(word) and _FOREIGN.search(letters):
        return False
    if len(letters) == 2 and dots and not parted:
        return True
    if len(letters) == 2 and dots:
        return part.listed or part.everyday or part.given >= 0.5 or part.likely_surname or not part.known
    if word in clinical:
        one = dots == 1 or (len(letters) == 2 and letters.lower() not in _NO_INITIALS)
        return part.everyday and part.nominal and one and word.istitle()
    if latin.is_latin(word):
        return dots > 0 and len(word) > 1 and word[0].isupper() and not latin.is_species(word)
    if len(letters) == 2 and not dots and letters.lower() in _NO_INITIALS and not part.likely_surname:
        return False
    likely = part.likely_surname and part.common < 0.5 and len(surname) > 1
    if len(letters) == 1 and not dots:
        return likely and word.istitle() and (part.known or part.listed)
    if likely:
        return dots > 0 or part.known or (part.listed or not LIKE_MEDICINES.search(word))
    if not part.known or part.given >= 0.5:
        sure = len(letters) == 2 or (parted and dots > 0)
        return sure and word.istitle() and len(word) > 3 and not like_a_term(word)
    return word.istitle() and part.listed and (part.nominal or ends_like_surname(word))


def _latin_initialled(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Latin names with one initial: ANNA L. PETROVA; Petrova, A."""
    for match in _LATIN_INITIALLED.finditer(text):
        words = [word for word in (match["given"], match["surname"], match["alone"]) if word]
        if not any(word in clinical or latin.is_species(word) for word in words) and any(
            map(latin.may_be_joined, words)
        ):
            yield match.span()
