r"""Texts that are coded, or were decoded wrongly, hide names from every rule.

Decoded is what can be decoded with certainty: RTF, base64, quoted-printable, percent and \u escapes, UTF-8 that was
read in another encoding, and single-byte encodings that were mixed up, if the dictionary knows the words only after the
exchange. What the dictionary still does not know is unreadable. All words are judged: they repeat, and the dictionary's
answers are cached, so that a report costs about 0.1 ms.
"""

import base64
import binascii
import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, product
from urllib.parse import unquote_to_bytes

from anamnesis.corpus.deidentification.words import LETTER, reading
from anamnesis.corpus.refusals import CorpusError
from anamnesis.corpus.rtf import plain_text
from anamnesis.settings.corpus import Corpus

# Words in letters beyond ASCII: Latin words say nothing about the encoding. KOI8-R that is read as cp866 becomes the
# signs of which tables are drawn; a table repeats them.
_WORD = re.compile(r"(?<!\w)(?:[^\W\d_\x00-\x7f]|[\u2500-\u259f]){2,40}+(?!\w)")
# The only ones that a dictionary of Russian can know.
_LETTERS = re.compile(f"{LETTER}+")
_DRAWN = re.compile(r"([\u2500-\u259f])\1\1")
# The dictionary knows 0.50 to 1 (median 0.95) of the words of published complaints (RuMedBench) with at least five
# words, and at most 0.40 of them in a wrong encoding; of fewer than ten words, some may all be abbreviations.
LEAST_KNOWN, LEAST_KNOWN_OF_FEW = 0.45, 0.25
LEAST_WORDS, FEW_WORDS = 5, 10
_SURELY_KNOWN = 0.6
# Mac Cyrillic and cp1251 differ in capitals and "я" only: most words stay words, but the names lose their capitals.
_LEAST_GAIN = 0.04
_WORDS_TO_COMPARE, TEXTS_TO_COMPARE = 200, 1000

_READ_AS = ("cp1251", "koi8_r", "cp866", "cp1252", "mac_cyrillic")
_REALLY = ("cp1251", "koi8_r", "cp866", "mac_cyrillic")
_USUAL = re.compile("[\x00-\x7f\u00a0«»°±²³µ·×÷§©®€‰‹›¤¦¬¶\u0400-\u045fҐґ\u2010-\u2026№™≈≠≤≥−]*")

_NO_LETTERS = re.compile("[\x80-\x9f\udc80-\udcff]+")
_UTF8_TWICE = re.compile("[\u0080-\U0010ffff]{2}")
_BASE64 = re.compile(r"(?<![\w+/=])[A-Za-z0-9+/]{16,}+(?:\r?\n[A-Za-z0-9+/]{4,}+)*+={0,2}+(?![\w+/=])")
# As long as that, it is a picture or a file.
_BLOB = re.compile(r"[A-Za-z0-9+/]{200}|\{\\rtf")
_QUOTED = re.compile(r"(?:=[89A-F][0-9A-F](?:=\s?\n)?){2,}")
_QUOTED_ANY = re.compile(r"(?:=[0-9A-F]{2}|=\r?\n)+")
_PERCENT = re.compile(r"(?:%[89A-Fa-f][0-9A-Fa-f]){2}")
_PERCENT_ANY = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPE = re.compile(r"(?:\\{1,2}|%)u[0-9a-fA-F]{4}|\\{1,2}u\{[0-9a-fA-F]{1,5}\}|\\{1,2}x[a-fA-F][0-9a-fA-F]")
_CODED = re.compile(r"\{\\rtf|[\\%]u[{0-9a-fA-F]|%[89A-Fa-f][0-9A-Fa-f]%|=[89A-F][0-9A-F]=|[A-Za-z0-9+/]{16}")


@dataclass(frozen=True)
class Mixed:
    """Text in one encoding that was read as if it were in another."""

    really: str
    read_as: str

    def undone(self, text: str) -> str | None:
        """The text as it was meant; None if it cannot be of this kind."""
        try:
            return codecs.getincrementaldecoder(self.really)().decode(text.encode(self.read_as, "c1"))
        except UnicodeError:
            return None


_UTF8_READ_AS = [Mixed("utf-8", read_as) for read_as in _READ_AS]
_SINGLE_BYTE = [Mixed(really, read_as) for really, read_as in product(_REALLY, _READ_AS) if really != read_as]


def encoding_of_names(found: Iterable[str], wanted: str) -> str | None:
    """The encoding in which one of the names that were found is the one that is wanted."""
    # The reader of headers has made spaces of hard spaces, which are letters in another encoding.
    written = [form for name in found for form in (name, name.replace(" ", "\xa0"))]
    mixed = (one for name in written for one in (*_UTF8_READ_AS, *_SINGLE_BYTE) if one.undone(name) == wanted)
    return next((one.really for one in mixed), None)


def _as_byte(error: UnicodeError) -> tuple[bytes, int]:
    """Bytes without a letter in an encoding (cp1251 has no 0x98) are read as control characters or surrogates."""
    if isinstance(error, UnicodeEncodeError) and _NO_LETTERS.fullmatch(error.object, error.start, error.end):
        return bytes(ord(letter) % 0x100 for letter in error.object[error.start : error.end]), error.end
    raise error


codecs.register_error("c1", _as_byte)


# ---- Decoding ------------------------------------------------------------------------------------------------------


def decoded(cells: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The cells of a row, decoded where that is certain, and the names of the rules that changed them."""
    plain = {name: _plain(cell) if _CODED.search(cell) else cell for name, cell in cells.items()}
    mended = {name: _as_utf8(cell) for name, cell in plain.items()}
    if mixed := _mixed_row(mended):
        mended = {name: _better(cell, mixed.undone(cell)) for name, cell in mended.items()}
    applied = [("coded_text", plain != dict(cells)), ("wrong_encoding", mended != plain)]
    return mended, [rule for rule, changed in applied if changed]


def _mixed_row(cells: Mapping[str, str]) -> Mixed | None:
    """How a row was decoded wrongly, as its longest cell that can be judged tells."""
    return next(filter(None, map(mixed_up, sorted(cells.values(), key=len, reverse=True))), None)


def _plain(text: str) -> str:
    if (start := text.find("{\\rtf")) >= 0:
        text = text[:start] + plain_text(text[start:])
    if _ESCAPE.search(text):
        text = _ESCAPE.sub(_escaped, text)
    if _QUOTED.search(text):
        text = _with_bytes(text, _QUOTED_ANY, binascii.a2b_qp)
    if _PERCENT.search(text):
        text = _with_bytes(text, _PERCENT_ANY, unquote_to_bytes)
    return _BASE64.sub(_from_base64, text)


def _escaped(match: re.Match[str]) -> str:
    number = int(match[0].strip("\\%ux{}"), 16)
    # Half of a surrogate pair is no character.
    return match[0] if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF else chr(number)


def _with_bytes(text: str, runs: re.Pattern[str], to_bytes: Callable[[str], bytes]) -> str:
    """The text with its runs of coded bytes decoded, all in the encoding in which they are words.

    Signs that are not coded part the runs, as spaces do in quoted-printable text.
    """
    encoding = _encoding_of(b" ".join(map(to_bytes, runs.findall(text))))
    if encoding is None:
        return text
    return runs.sub(lambda match: to_bytes(match[0]).decode(encoding, "replace"), text)


def _from_base64(match: re.Match[str]) -> str:
    whole = "".join(match[0].split())
    try:
        content = base64.b64decode(whole + "=" * (-len(whole) % 4), validate=True)
    except binascii.Error:
        return match[0]
    encoding = _encoding_of(content)
    return match[0] if encoding is None else content.decode(encoding)


def _encoding_of(content: bytes) -> str | None:
    """UTF-8, or the single-byte encoding in which most words are known; None if the bytes are no text."""
    for encoding in ("utf-8", *_REALLY):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        words, known = _counts(text)
        if _USUAL.fullmatch(text) and (encoding == "utf-8" or (words and known >= _SURELY_KNOWN * words)):
            return encoding
    return None


def _as_utf8(text: str) -> str:
    """UTF-8 that was read in another encoding, once or twice: other texts are not valid UTF-8."""
    for _ in range(3):
        if not _UTF8_TWICE.search(text):
            break
        meant = next(filter(None, (mixed.undone(text) for mixed in _UTF8_READ_AS)), None)
        if meant is None or not _USUAL.fullmatch(meant) or len(re.findall("[А-яЁё]", meant)) < 2:
            break
        text = meant
    return text


def mixed_up(text: str) -> Mixed | None:
    """How the encodings of a text were mixed up, if the dictionary knows the words only after the exchange."""
    words, known = _counts(text)
    if known > LEAST_KNOWN * words or not words:
        return None
    best, most = None, max(3.0, _SURELY_KNOWN * words, 2 * known)
    for mixed in _SINGLE_BYTE:
        meant = mixed.undone(text)
        if meant is not None and (found := _counts(meant))[1] >= max(most, _SURELY_KNOWN * found[0]):
            best, most = mixed, found[1] + 1
    return best


def _better(text: str, meant: str | None) -> str:
    return meant if meant is not None and _counts(meant)[1] >= _counts(text)[1] else text


# ---- Judging -------------------------------------------------------------------------------------------------------


def _counts(text: str) -> tuple[int, int]:
    """Words in letters beyond ASCII, and those of them that the dictionary knows."""
    words = [word for word in _WORD.findall(text) if not _DRAWN.search(word)]
    return len(words), sum(_is_known(word) for word in words)


def _is_known(word: str) -> bool:
    """A capital behind a small letter is a sign of a wrong encoding, and the dictionary does not mind it."""
    return (
        _LETTERS.fullmatch(word) is not None
        and word[1:] in (word[1:].lower(), word[1:].upper())
        and reading(word).known
    )


def is_unreadable(*texts: str) -> bool:
    """Whether one of the texts, or all together, are not Russian words, or coded and not decoded."""
    counts = [_counts(text) for text in texts]
    counts.append((sum(words for words, _ in counts), sum(known for _, known in counts)))
    return any(_are_unknown(words, known) for words, known in counts) or any(map(_BLOB.search, texts))


def _are_unknown(words: int, known: int) -> bool:
    least = LEAST_KNOWN if words >= FEW_WORDS else LEAST_KNOWN_OF_FEW
    return words >= LEAST_WORDS and known < least * words


def check_encoding(rows: Iterable[Mapping[str, str]], settings: Corpus) -> None:
    """Judges the beginning of an export.

    Raises:
        CorpusError: most of its rows were decoded wrongly, with the encoding to try, or are unreadable.
    """
    longest = settings.max_characters
    short = [{name: cell for name, cell in cells.items() if len(cell) <= longest} for cells in rows]
    texts = {"\n".join(cells.values()): cells for cells in short}
    judged = [cells for text, cells in texts.items() if _counts(text)[0] >= LEAST_WORDS]
    most = len(judged) / 2
    encodings = Counter(mixed.really for cells in judged if (mixed := _mixed_row(cells)))
    if settings.encoding is not None:
        encodings["utf-8"] = sum(any(_as_utf8(cell) != cell for cell in cells.values()) for cells in judged)
    encoding = next((encoding for encoding, times in encodings.items() if times > most), None)
    encoding = encoding or _likelier("\n".join(islice(texts, TEXTS_TO_COMPARE)))
    if encoding is not None:
        raise CorpusError(
            f"corpus.encoding: {settings.path} was decoded wrongly: the dictionary knows its words if they are read as "
            f"{encoding}; set corpus.encoding to {encoding}, or export the table again as UTF-8."
        )
    unreadable = sum(is_unreadable(*decoded(cells)[0].values()) for cells in judged)
    if unreadable > most:
        raise CorpusError(
            f"corpus.path: of the first {len(judged)} texts of {settings.path}, {unreadable} are coded or decoded "
            f"wrongly: the dictionary knows fewer than {LEAST_KNOWN:.0%} of their words; export the table again as "
            f"UTF-8."
        )


def _likelier(text: str) -> str | None:
    """An encoding in which the dictionary knows more words, where many are known in both."""
    words, known = _counts(text)
    if words < _WORDS_TO_COMPARE:
        return None
    for mixed in _SINGLE_BYTE:
        if "mac_cyrillic" in (mixed.really, mixed.read_as) and (meant := mixed.undone(text)) is not None:
            found, more = _counts(meant)
            if found >= 0.8 * words and more / found > known / words + _LEAST_GAIN:
                return mixed.really
    return None
