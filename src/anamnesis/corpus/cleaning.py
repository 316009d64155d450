"""Cleans text by named rules, so that the same meaning has the same characters and the data card can count each rule.

The order matters: entities become characters before characters are normalized, and white space comes last. Coded text
is decoded before (`coding`).
"""

import html
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]{2,8});")
# An ampersand that was coded again and again: &amp;amp;lt;
_CODED_AGAIN = re.compile(r"&(?:(?:amp|AMP|#0*38|#[xX]0*26);)+")
_ROMAN = re.compile("[\u2160-\u217f]")
_TAG = re.compile(
    r"<(?:br|wbr|p|div|span|b|i|u|s|em|strong|a|sub|sup|small|big|h[1-6]|hr|li|ul|ol|td|th|tr|tbody|thead|table|font|html|"
    r"head|body|pre|[ow]:\w{1,10})\b[^<>]{0,400}>|</[\w:]{1,12}\s?>|<!--[^<>]{0,2000}-->|<!DOCTYPE[^<>]{0,200}>",
    re.I,
)
_ENDS_LINE = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|table|h[1-6]|hr)\b", re.I)
# They mark words, and do not part them: Ива<b>но</b>ва.
_INSIDE_LINE = re.compile(r"</?(?:wbr|span|b|i|u|s|em|strong|a|sub|sup|small|big|font)\b|<!--", re.I)
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
)
_OTHER_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Written as two characters; before a Latin letter, it is a path: C:\new.
_WRITTEN_LINE_END = re.compile(r"(?:\\{1,2}[rn])+(?![a-z])")
_WRITTEN_TAB = re.compile(r"\\{1,2}t(?![a-z])")
# Not "какой-⏎нибудь". A soft hyphen breaks a word like a written one.
_BROKEN_WORD = re.compile(
    "(?<=[а-яё])[-\u00ad][ \t]*\n[ \t]*(?=[а-яё])(?!(?:нибудь|либо|то|таки|ка)(?!\\w))|"
    "(?<=[А-ЯЁ]{2})[-\u00ad][ \t]*\n[ \t]*(?=[А-ЯЁ]{2})"
)
_LETTER = "[A-Za-zА-Яа-яЁё]"
_MIXED_WORD = re.compile(rf"(?<!{_LETTER}){_LETTER}*(?:[A-Za-z][А-Яа-яЁё]|[А-Яа-яЁё][A-Za-z]){_LETTER}*")
_LATIN = re.compile("[A-Za-z]")
_TWINS = ("aceopxyABCEHKMOPTXY", "асеорхуАВСЕНКМОРТХУ")
_TO_CYRILLIC, _TO_LATIN = str.maketrans(*_TWINS), str.maketrans(*_TWINS[::-1])
_SPACES = re.compile(r"\s+")


def html_entities(text: str) -> str:
    """Replaces entities (&nbsp;, &lt;), even coded twice, and the tags of a form saved as HTML."""
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), _CODED_AGAIN.sub("&", text))
    return _TAG.sub(_gap, text) if "<" in text else text


def _gap(tag: re.Match[str]) -> str:
    if _ENDS_LINE.match(tag[0]):
        return "\n"
    if not _INSIDE_LINE.match(tag[0]):
        return " "
    # Directly between a small letter and a capital, it parts two words: Анна<b>Петрова</b>.
    before, behind = tag.string[max(0, tag.start() - 1) : tag.start()], tag.string[tag.end() : tag.end() + 1]
    return " " if before.islower() and behind.isupper() else ""


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
