r"""Decodes what is coded with certainty: RTF, base64, hexadecimal digits, quoted-printable, percent, \u, \x and \320.

Each decoder is applied until nothing changes, because texts are coded twice: base64 of percent escapes, `&#92;u0413`.
"""

import base64
import binascii
import re
import sys
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from anamnesis.corpus.encodings import REALLY, RUSSIAN, SURELY_KNOWN, USUAL, counts
from anamnesis.corpus.markup import unescaped
from anamnesis.corpus.rtf import plain_text

_ROUNDS = 4
# In every text that is coded.
_MAY_BE_CODED = re.compile(r"[\\&]|%u|[%=][0-9A-Fa-f]{2}|[\w+/-]{8}", re.ASCII)

_HEX = "[0-9a-fA-F]"
_HIGH = "[89a-fA-F][0-9a-fA-F]"
_RTF = re.compile(r"\{\\+rtf")
_CHARACTER = re.compile(rf"(?:\\+|%)u{_HEX}{{4}}|\\+[ux]\{{{_HEX}{{1,6}}\}}|\\+U000{_HEX}{{5}}|(?:\\+x{_HEX}{{2}})+")
_BYTE = r"\\+(?:[x']" + _HEX + r"{2}|[0-3][0-7]{2})"
_BYTES = re.compile(rf"(?:\\+[x']{_HEX}{{2}}){{2}}|\\+[23][0-7]{{2}}{_BYTE}")
_BYTES_ANY = re.compile(f"(?:{_BYTE})+")
# The second alternative is of letters that need no code, and the third of what is coded once more.
_QUOTED = re.compile(
    rf"(?:={_HIGH}(?:=\s?\n)?){{2,}}|(?:={_HEX}{{2}}){{4}}|=26=23|=5C|=3D{_HEX}{{2}}|%{_HEX}{{0,2}}=\r?\n"
)
_QUOTED_ANY = re.compile(rf"(?:={_HEX}{{2}}|=\r?\n)+")
_PERCENT = re.compile(rf"(?:%{_HIGH}){{2}}|(?:%{_HEX}{{2}}){{4}}|%26(?:%23|#)|%25{_HEX}{{2}}|%(?:5[Cc]|3[Dd]|2[BbFf])")
_PERCENT_ANY = re.compile(f"(?:%{_HEX}{{2}})+")
_HEX_DIGITS = re.compile(rf"(?<![0-9A-Za-z])(?:0[xX])?(?=\d*[a-fA-F])(?P<digits>(?:{_HEX}{{2}}){{5,}}+)(?![0-9A-Za-z])")
_BASE64_LETTERS = "[A-Za-z0-9+/_-]"
_BASE64 = re.compile(
    rf"(?<!{_BASE64_LETTERS}){_BASE64_LETTERS}{{8,}}+={{0,2}}+(?:\s{{1,2}}{_BASE64_LETTERS}{{4,}}+={{0,2}}+)*+"
)
# A shorter word of Latin letters may be base64 of other letters by chance.
_SURELY_BASE64 = 16
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")

_ALL = (_RTF, _CHARACTER, _BYTES, _QUOTED, _PERCENT)
# What is left of codes in a text that cannot be decoded, or is coded too often. A long word of mixed letters and digits
# is base64; longer still, it is a picture or a file.
_LEFT = re.compile(
    rf"\{{\\+rtf|(?:\\+|%)u{_HEX}{{4}}|(?:\\+[x']{_HIGH}){{2}}|(?:\\+[23][0-7]{{2}}){{3}}|(?:={_HIGH}){{2}}|"
    rf"(?:%{_HIGH}){{2}}|%25{_HIGH}%25|=3D{_HIGH}=3D|(?:&#x?{_HEX}{{2,6}};){{2}}|[A-Za-z0-9+/]{{200}}"
)
_LONG_WORD = re.compile(rf"(?<![\w+/=:.?&#%@-]){_BASE64_LETTERS}{{24,}}+")
_TO_CAPITAL = re.compile("[a-z0-9][A-Z]")


def plain(text: str) -> str:
    """The text, decoded where that is certain."""
    for _ in range(_ROUNDS):
        if not _MAY_BE_CODED.search(text):
            break
        coded, text = text, _decoded_once(text)
        if text == coded:
            break
    return text


def is_coded(text: str) -> bool:
    """Whether a text holds codes that were not decoded, or were decoded too few times."""
    if not _MAY_BE_CODED.search(text):
        return False
    if _LEFT.search(text) or _decoded_once(text) != text:
        return True
    return any(
        len(_TO_CAPITAL.findall(word)) > 2 and re.search("[a-z]", word) and re.search(r"\d", word)
        for word in _LONG_WORD.findall(text)
    )


def _decoded_once(text: str) -> str:
    if "&" in text and _number_of_codes(revealed := unescaped(text)) > _number_of_codes(text):
        text = revealed
    if match := _RTF.search(text):
        text = text[: match.start()] + plain_text(re.sub(r"\\{2,}(?=[a-z'*])", r"\\", text[match.start() :]))
    if _BYTES.search(text):
        text = _with_bytes(text, _BYTES_ANY, _bytes_of_escapes)
    if _CHARACTER.search(text):
        text = _CHARACTER.sub(_character, text)
        # Two halves of a pair are one character.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if _QUOTED.search(text):
        text = _with_bytes(text, _QUOTED_ANY, binascii.a2b_qp)
    if _PERCENT.search(text):
        text = _with_bytes(text, _PERCENT_ANY, unquote_to_bytes)
    return _BASE64.sub(_from_base64, _HEX_DIGITS.sub(_from_hexadecimal, text))


def _number_of_codes(text: str) -> int:
    return sum(len(one.findall(text)) for one in _ALL)


def _character(match: re.Match[str]) -> str:
    r"""Two and more \x are bytes; one is a sign of Latin-1, which has no letters of Russian."""
    digits = match[0].strip("\\%uUx{}")
    number = int(digits, 16) if digits.isalnum() else sys.maxunicode + 1
    return chr(number) if number <= sys.maxunicode else match[0]


def _bytes_of_escapes(run: str) -> bytes:
    parts = re.findall(rf"\\+(?:[x']({_HEX}{{2}})|([0-3][0-7]{{2}}))", run)
    return bytes(int(hexadecimal, 16) if hexadecimal else int(octal, 8) for hexadecimal, octal in parts)


def _with_bytes(text: str, runs: re.Pattern[str], to_bytes: Callable[[str], bytes]) -> str:
    """The text with its runs of coded bytes decoded, all in the encoding in which they are words.

    Characters that are not coded separate the runs, as spaces do in quoted-printable text.
    """
    encoding = _encoding_of(b" ".join(map(to_bytes, runs.findall(text))))
    if encoding is None:
        return text
    return runs.sub(lambda match: to_bytes(match[0]).decode(encoding, "replace"), text)


def _from_hexadecimal(match: re.Match[str]) -> str:
    content = bytes.fromhex(match["digits"])
    encoding = _encoding_of(content)
    text = match[0] if encoding is None else content.decode(encoding)
    return text if RUSSIAN.search(text) else match[0]


def _from_base64(match: re.Match[str]) -> str:
    """Lines of coded text are one text; other words in a row are decoded by themselves."""
    whole = _text_of_base64("".join(match[0].split()))
    if whole is not None:
        return whole
    return re.sub(rf"{_BASE64_LETTERS}{{8,}}=*", lambda word: _text_of_base64(word[0]) or word[0], match[0])


def _text_of_base64(coded: str) -> str | None:
    letters = coded.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        content = base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except binascii.Error:
        return None
    encoding = _encoding_of(content)
    if encoding is None:
        return None
    if len(letters) < _SURELY_BASE64 and (encoding != "utf-8" or not RUSSIAN.search(content.decode(encoding))):
        return None
    return content.decode(encoding)


def _encoding_of(content: bytes) -> str | None:
    """UTF-8, UTF-16, or the single-byte encoding in which most words are known; None if the bytes are no text."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", *REALLY):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not USUAL.fullmatch(text) or _CONTROL.search(text):
            continue
        words, known = counts(text)
        if encoding == "utf-8" or (
            RUSSIAN.search(text) if encoding.startswith("utf") else words and known >= SURELY_KNOWN * words
        ):
            return encoding
    return None
