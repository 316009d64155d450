"""Texts that were decoded in a wrong encoding, and what the dictionary says about their words."""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product

from anamnesis.corpus.deidentification.words import LETTER, reading

# Words in letters beyond ASCII: Latin words say nothing about the encoding. KOI8-R that is read as cp866 becomes the
# signs of which tables are drawn; a table repeats them.
_WORD = re.compile(r"(?<!\w)(?:[^\W\d_\x00-\x7f]|[\u2500-\u259f]){2,40}+(?!\w)")
# The only ones that a dictionary of Russian can know.
_LETTERS = re.compile(f"{LETTER}+")
_DRAWN = re.compile(r"([\u2500-\u259f])\1\1")
# The dictionary knows 0.50 to 1 (median 0.95) of the words of published complaints (RuMedBench) with at least five
# words, and at most 0.40 of them in a wrong encoding.
LEAST_KNOWN = 0.45
SURELY_KNOWN = 0.6
# In a short text, a wrong encoding may leave few words and many signs; by chance, half of those words are known.
_FEW_WORDS = 10
_STRANGE = re.compile("[^\x00-\x7fА-яЁё№«»“”„°±×²³µ\u2010-\u2026≤≥≈\xa0]")
# A shorter word may be an abbreviation, which becomes a word by chance.
_LEAST_LETTERS = 4

READ_AS = ("cp1251", "koi8_r", "cp866", "cp1252", "mac_cyrillic")
REALLY = ("cp1251", "koi8_r", "cp866", "mac_cyrillic")
USUAL = re.compile(
    "[\x00-\x7f\u00a0«»°±²³µ·×÷§©®€‰‹›¤¦¬¶\u0400-\u045fҐґ\u2010-\u2026№™≈≠≤≥−\ufeff]*",
)
RUSSIAN = re.compile("[А-яЁё]{2}")

_NO_LETTERS = re.compile("[\x80-\x9f\udc80-\udcff]+")
_UTF8_TWICE = re.compile("[\u0080-\U0010ffff]{2}")
# KOI8-R that is read as cp1251, or the reverse, has small letters for capitals: цСЯЮПНБЮ.
_INVERTED = re.compile("[а-яё][А-ЯЁ]+")
# No language has words of nothing but these letters; cp1251 that is read as Latin-1 has: Ãóñàðîâà.
_LATIN_1 = re.compile("(?<!\\w)[À-ÖØ-öø-ÿ]{4,}(?!\\w)")


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


_UTF8_READ_AS = [Mixed("utf-8", read_as) for read_as in READ_AS]
SINGLE_BYTE = [Mixed(really, read_as) for really, read_as in product(REALLY, READ_AS) if really != read_as]


def _as_byte(error: UnicodeError) -> tuple[bytes, int]:
    """Bytes without a letter in an encoding (cp1251 has no 0x98) are read as control characters or surrogates."""
    if isinstance(error, UnicodeEncodeError) and _NO_LETTERS.fullmatch(error.object, error.start, error.end):
        return bytes(ord(letter) % 0x100 for letter in error.object[error.start : error.end]), error.end
    raise error


codecs.register_error("c1", _as_byte)


def encoding_of_names(found: Iterable[str], wanted: str) -> str | None:
    """The encoding in which one of the names that were found is the one that is wanted."""
    # The reader of headers has made spaces of hard spaces, which are letters in another encoding.
    written = [form for name in found for form in (name, name.replace(" ", "\xa0"))]
    mixed = (one for name in written for one in (*_UTF8_READ_AS, *SINGLE_BYTE) if one.undone(name) == wanted)
    return next((one.really for one in mixed), None)


# ---- UTF-8 that was read in another encoding: other texts are not valid UTF-8 ----------------------------------------


def as_utf8(text: str) -> str:
    """The text as it was meant if all of it, or at least three letters of it in a row, are UTF-8 that was read in
    another encoding, once or twice."""
    for _ in range(3):
        if not _UTF8_TWICE.search(text):
            break
        meant = next(filter(None, (_as_whole(mixed, text) for mixed in _UTF8_READ_AS)), None)
        if meant is None:
            for run, mixed in _runs_of_utf8():
                text = run.sub(partial(_undone, mixed), text)
            break
        text = meant
    return text


def _as_whole(mixed: Mixed, text: str) -> str | None:
    meant = mixed.undone(text)
    return meant if meant is not None and USUAL.fullmatch(meant) and RUSSIAN.search(meant) else None


def _undone(mixed: Mixed, match: re.Match[str]) -> str:
    return _as_whole(mixed, match[0]) or match[0]


@lru_cache(maxsize=1)
def _runs_of_utf8() -> list[tuple[re.Pattern[str], Mixed]]:
    """Three Russian letters and more, of two characters each. In Mac Cyrillic, the first would be a dash. Latin-1 has
    control characters where cp1252 has letters."""
    runs = []
    for mixed in _UTF8_READ_AS:
        if mixed.read_as != "mac_cyrillic":
            leading, following = _letters(mixed.read_as, b"\xd0\xd1"), _letters(mixed.read_as, bytes(range(0x80, 0xC0)))
            runs.append((re.compile(f"(?:[{leading}][{following}\x80-\x9f]){{3,}}"), mixed))
    return runs


def _letters(encoding: str, codes: bytes) -> str:
    return re.escape("".join(bytes([code]).decode(encoding, "ignore") or chr(code) for code in codes))


# ---- Words ---------------------------------------------------------------------------------------------------------


def counts(text: str) -> tuple[int, int]:
    """Words in letters beyond ASCII, and those of them that the dictionary knows."""
    words = [word for word in _WORD.findall(text) if not _DRAWN.search(word)]
    return len(words), sum(map(_is_known, words))


def _is_known(word: str) -> bool:
    """A capital behind a small letter is a sign of a wrong encoding, and the dictionary does not mind it."""
    return _is_in_one_case(word) and reading(word).known


def _is_in_one_case(word: str) -> bool:
    return _LETTERS.fullmatch(word) is not None and word[1:] in (word[1:].lower(), word[1:].upper())


def mixed_up(text: str) -> Mixed | None:
    """How the encodings of a text were mixed up, if the dictionary knows the words only after the exchange."""
    words, known = counts(text)
    is_doubtful = words < _FEW_WORDS and _STRANGE.search(text) is not None
    if not words or (known > LEAST_KNOWN * words and not is_doubtful):
        return None
    best, most = None, max(3.0, SURELY_KNOWN * words, 2 * known)
    for mixed in SINGLE_BYTE:
        meant = mixed.undone(text)
        if meant is not None and (found := counts(meant))[1] >= max(most, SURELY_KNOWN * found[0]):
            best, most = mixed, found[1] + 1
    return best


def hidden_words(text: str) -> list[str]:
    """Single words that a wrong encoding seems to hide, as they may be meant; a text of a few words is judged by them.

    A word without a known counterpart is given as it is if its letters look like a wrong encoding.
    """
    hidden = []
    for word in _WORD.findall(text):
        if len(word) < _LEAST_LETTERS or _is_known(word):
            continue
        meant = [one for mixed in SINGLE_BYTE if (one := mixed.undone(word)) and one.lower() != word.lower()]
        likely = [one for one in meant if _is_likely(one)]
        hidden += likely or ([word] if _INVERTED.fullmatch(word) or _LATIN_1.fullmatch(word) else [])
    return hidden


def with_words(text: str) -> list[str]:
    """The text in each encoding in which more of its words are known, or are names."""
    meant = [one for mixed in (*_UTF8_READ_AS, *SINGLE_BYTE) if (one := mixed.undone(text)) and USUAL.fullmatch(one)]
    return [one for one in dict.fromkeys(meant) if _likely_words(one) > _likely_words(text)]


def _likely_words(text: str) -> int:
    return sum(len(word) >= _LEAST_LETTERS and _is_likely(word) for word in _WORD.findall(text.replace("_", " ")))


def _is_likely(word: str) -> bool:
    return _is_in_one_case(word) and (reading(word).known or reading(word).listed)


def is_latin_1(text: str) -> bool:
    """Whether a word of the text is in a Cyrillic encoding that was read as Latin-1."""
    return _LATIN_1.search(text) is not None
