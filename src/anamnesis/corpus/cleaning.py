"""Cleans text by named rules, so that the same meaning has the same characters and the data card can count each rule.

The order matters: entities become characters before characters are normalized, and white space comes last. Coded text
is decoded before (`coding`).
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from anamnesis.corpus.markup import (
    BROKEN_WORD,
    INVISIBLE,
    TAG,
    WRITTEN_LINE_END,
    WRITTEN_TAB,
    in_place_of,
    unescaped,
)

_ROMAN = re.compile("[\u2160-\u217f]")
_TAG = re.compile(TAG)
_CONTROL = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f{INVISIBLE}]")
_OTHER_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_WRITTEN_LINE_END, _WRITTEN_TAB, _BROKEN_WORD = map(re.compile, (WRITTEN_LINE_END, WRITTEN_TAB, BROKEN_WORD))
_LETTER = "[A-Za-zА-Яа-яЁё]"
_MIXED_WORD = re.compile(rf"(?<!{_LETTER}){_LETTER}*(?:[A-Za-z][А-Яа-яЁё]|[А-Яа-яЁё][A-Za-z]){_LETTER}*")
_LATIN = re.compile("[A-Za-z]")
_TWINS = ("aceopxyABCEHKMOPTXY", "асеорхуАВСЕНКМОРТХУ")
_TO_CYRILLIC, _TO_LATIN = str.maketrans(*_TWINS), str.maketrans(*_TWINS[::-1])
_SPACES = re.compile(r"\s+")


def html_entities(text: str) -> str:
    """Replaces entities (&nbsp;, &lt;), even coded twice, and the tags of a form saved as HTML."""
    text = unescaped(text)
    return _TAG.sub(in_place_of, text) if "<" in text else text


def unicode_form(text: str) -> str:
    """Composes characters (NFC: й and ё become one), and spells one-character Roman numerals in letters."""
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return _ROMAN.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)


def line_ends(text: str) -> str:
    r"""Turns \r\n, \r and other line ends into \n, even written as a backslash and a letter, and joins words hyphenated
    at a line end."""
    text = _OTHER_LINE_ENDS.sub("\n", text)
    if "\\" in text:
        text = _WRITTEN_TAB.sub("\t", _WRITTEN_LINE_END.sub("\n", text))
    return _BROKEN_WORD.sub("", text) if "\n" in text and ("-" in text or "\u00ad" in text) else text


def control_characters(text: str) -> str:
    """Removes NUL and other invisible characters: soft hyphens, zero-width spaces, directions."""
    return _CONTROL.sub("", text)


def homoglyphs(text: str) -> str:
    """Replaces Latin letters in Cyrillic words, and the reverse, if all of them have a lookalike."""

    def repaired(match: re.Match[str]) -> str:
        word = match[0]
        latin = sum(letter.isascii() for letter in word)
        pure = word.translate(_TO_LATIN if 2 * latin > len(word) else _TO_CYRILLIC)
        return pure if pure.isascii() or not any(letter.isascii() for letter in pure) else word

    return _MIXED_WORD.sub(repaired, text) if _LATIN.search(text) else text


def white_space(text: str) -> str:
    """Makes one line with single spaces: for the model, a line break ends the report."""
    return _SPACES.sub(" ", text).strip()


RULES: dict[str, Callable[[str], str]] = {
    rule.__name__: rule
    for rule in (html_entities, unicode_form, line_ends, control_characters, homoglyphs, white_space)
}


def clean(text: str, keep_lines: bool = False) -> tuple[str, list[str]]:
    """The cleaned text, and the names of the rules that changed it; `keep_lines` keeps its white space."""
    applied = []
    for name, rule in RULES.items():
        if keep_lines and rule is white_space:
            break
        cleaned = rule(text)
        if cleaned != text:
            applied.append(name)
            text = cleaned
    return text, applied


# ---- Boilerplate: recognized only from many reports ----------------------------------------------------------------

_SENTENCE = re.compile(r"[^.!?]*[.!?]+\s*|[^.!?]+$")
_WORD = re.compile(r"\w+")
BOILERPLATE_WORDS = 3
REPORTS_TO_JUDGE_BY = 20


def find_boilerplate(reports: Iterable[tuple[str, Sequence[str]]], share: float) -> frozenset[str]:
    """Sentences that occur in at least `share` of the reports of every category, and so tell nothing about any.

    Args:
        reports: category and texts; a category with fewer than 20 reports is not considered.
        share: 0..1.

    Returns:
        Sentences of at least three words; none if fewer than two categories are considered.
    """
    reports_of: Counter[str] = Counter()
    times: dict[str, Counter[str]] = defaultdict(Counter)
    for category, texts in reports:
        reports_of[category] += 1
        for sentence in {piece.strip() for text in texts for piece in _SENTENCE.findall(text)}:
            times[sentence][category] += 1
    considered = [category for category, count in reports_of.items() if count >= REPORTS_TO_JUDGE_BY]
    if len(considered) < 2:
        return frozenset()
    return frozenset(
        sentence
        for sentence, counts in times.items()
        if len(_WORD.findall(sentence)) >= BOILERPLATE_WORDS
        and all(counts[category] >= share * reports_of[category] for category in considered)
    )


def without_boilerplate(text: str, boilerplate: frozenset[str]) -> str:
    return "".join(piece for piece in _SENTENCE.findall(text) if piece.strip() not in boilerplate).strip()
