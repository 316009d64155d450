r"""What exports and scans put inside words: tags, entities, soft hyphens, hyphens and line ends in writing.

They hide a name from every rule: Ива<b>но</b>ва, Иванова&nbsp;Анна, Ивано-⏎ва. `cleaning` takes them out of a report;
`deidentification.reading_copy` reads a text without them, wherever it comes from.
"""

import html
import re

LOW, UP = "a-zа-яёіїєґўқғҳәөүұңһ", "A-ZА-ЯЁІЇЄҐЎҚҒҲӘӨҮҰҢҺ"
INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
TAG = (
    r"<(?i:br|wbr|p|div|span|b|i|u|s|em|strong|a|sub|sup|small|big|mark|h[1-6]|hr|li|ul|ol|td|th|tr|tbody|thead|table|"
    r"font|html|head|body|pre|[ow]:\w{1,10})\b[^<>]{0,400}>|</[\w:]{1,12}\s?>|<!--[^<>]{0,2000}-->|"
    r"<!(?i:DOCTYPE)[^<>]{0,200}>"
)
# A word that a line end breaks; not "какой-⏎нибудь". A soft hyphen breaks a word like a written one.
BROKEN_WORD = (
    rf"(?<=[{LOW}])[-\u00ad][ \t]*\r?\n[ \t]*(?=[{LOW}])(?!(?:нибудь|либо|то|таки|ка)(?!\w))|"
    rf"(?<=[{UP}]{{2}})[-\u00ad][ \t]*\r?\n[ \t]*(?=[{UP}]{{2}})"
)
# Written as two characters; before a Latin letter, it is a path: C:\new.
WRITTEN_LINE_END = r"(?:\\{1,2}[rn])+(?![a-z])"
WRITTEN_TAB = r"\\{1,2}t(?![a-z])"

_ENDS_LINE = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|tbody|thead|table|h[1-6]|hr)\b", re.I)
# They mark words, and do not part them: Ива<b>но</b>ва.
_INSIDE_LINE = re.compile(r"</?(?:wbr|span|b|i|u|s|em|strong|a|sub|sup|small|big|mark|font)\b|<!--", re.I)
# Browsers read a number without its semicolon too.
_ENTITY = re.compile(r"&(?:#\d+;?|#[xX][0-9a-fA-F]+;?|[a-zA-Z]{2,8};)")
# An ampersand that was coded again and again: &amp;amp;lt;
_CODED_AGAIN = re.compile(r"&(?:(?:amp|AMP|#0*38|#[xX]0*26);)+")
_ROUNDS = 4


def unescaped(text: str) -> str:
    """The text with the characters that its entities stand for, even if they were coded several times."""
    for _ in range(_ROUNDS):
        if "&" not in text:
            break
        coded, text = text, _ENTITY.sub(lambda match: html.unescape(match[0]), _CODED_AGAIN.sub("&", text))
        if text == coded:
            break
    return text


def in_place_of(tag: re.Match[str]) -> str:
    """A line end, a space or nothing. The match is of the tag alone."""
    if _ENDS_LINE.match(tag[0]):
        return "\n"
    if not _INSIDE_LINE.match(tag[0]):
        return " "
    # Directly between a small letter and a capital, it parts two words: Анна<b>Петрова</b>.
    before, behind = tag.string[max(0, tag.start() - 1) : tag.start()], tag.string[tag.end() : tag.end() + 1]
    return " " if before.islower() and behind.isupper() else ""
