r"""Texts that are coded, or were decoded wrongly, hide names from every rule.

They are decoded where that is certain: codes by `escapes`, UTF-8 that was read in another encoding, and single-byte
encodings that were mixed up, if the dictionary knows the words only after the exchange. What the dictionary still does
not know, and what still looks coded, is unreadable. All words are judged: they repeat, and the dictionary's answers are
cached, so that a report costs about 0.1 ms.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice

from anamnesis.corpus.encodings import LEAST_KNOWN, SINGLE_BYTE, Mixed, as_utf8, counts, is_latin_1, mixed_up
from anamnesis.corpus.escapes import is_coded, plain
from anamnesis.corpus.refusals import CorpusError
from anamnesis.settings.corpus import Corpus

# Of fewer than ten words, some may all be abbreviations.
LEAST_KNOWN_OF_FEW = 0.25
LEAST_WORDS, FEW_WORDS = 5, 10
# Mac Cyrillic and cp1251 differ in capitals and "я" only: most words stay words, but the names lose their capitals.
_LEAST_GAIN = 0.04
_WORDS_TO_COMPARE, TEXTS_TO_COMPARE = 200, 1000


def decoded(cells: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The cells of a row, decoded where that is certain, and the names of the rules that changed them."""
    uncoded = {name: plain(cell) for name, cell in cells.items()}
    corrected = {name: as_utf8(cell) for name, cell in uncoded.items()}
    if mixed := _mixed_row(corrected):
        corrected = {name: _better(cell, mixed.undone(cell)) for name, cell in corrected.items()}
    applied = [("coded_text", uncoded != dict(cells)), ("wrong_encoding", corrected != uncoded)]
    return corrected, [rule for rule, changed in applied if changed]


def _mixed_row(cells: Mapping[str, str]) -> Mixed | None:
    """How a row was decoded wrongly, as its longest cell that can be judged tells."""
    return next(filter(None, map(mixed_up, sorted(cells.values(), key=len, reverse=True))), None)


def _better(text: str, meant: str | None) -> str:
    return meant if meant is not None and counts(meant)[1] >= counts(text)[1] else text


def is_unreadable(*texts: str) -> bool:
    """Whether one of the texts, or all together, are not Russian words, or are coded and could not be decoded."""
    judged = [counts(text) for text in texts]
    judged.append((sum(words for words, _ in judged), sum(known for _, known in judged)))
    return any(_are_unknown(*one) for one in judged) or any(is_coded(text) or is_latin_1(text) for text in texts)


def _are_unknown(words: int, known: int) -> bool:
    least = LEAST_KNOWN if words >= FEW_WORDS else LEAST_KNOWN_OF_FEW
    return words >= LEAST_WORDS and known < least * words


def check_encoding(rows: Iterable[Mapping[str, str]], settings: Corpus) -> None:
    """Judges the beginning of an export; the patient's cell may be a code.

    Raises:
        CorpusError: most of its rows were decoded wrongly, with the encoding to try, or are unreadable.
    """
    longest, patient = settings.max_characters, settings.columns.patient
    short = [{name: cell for name, cell in cells.items() if len(cell) <= longest and name != patient} for cells in rows]
    texts = {"\n".join(cells.values()): cells for cells in short}
    judged = [cells for text, cells in texts.items() if counts(text)[0] >= LEAST_WORDS]
    most = len(judged) / 2
    encodings = Counter(mixed.really for cells in judged if (mixed := _mixed_row(cells)))
    if settings.encoding is not None:
        encodings["utf-8"] = sum(any(as_utf8(cell) != cell for cell in cells.values()) for cells in judged)
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
            f"wrongly: codes are left in them, or the dictionary knows too few of their words; export the table again "
            f"as plain text in UTF-8."
        )


def _likelier(text: str) -> str | None:
    """An encoding in which the dictionary knows more words, where many are known in both."""
    words, known = counts(text)
    if words < _WORDS_TO_COMPARE:
        return None
    for mixed in SINGLE_BYTE:
        if "mac_cyrillic" in (mixed.really, mixed.read_as) and (meant := mixed.undone(text)) is not None:
            found, more = counts(meant)
            if found >= 0.8 * words and more / found > known / words + _LEAST_GAIN:
                return mixed.really
    return None
