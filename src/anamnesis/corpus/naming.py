"""Names of files and columns are recorded in dvc.lock and shown in messages, so they must not identify anybody."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from anamnesis.corpus.columns import HEADER_WORDS
from anamnesis.corpus.deidentification import Deidentifier
from anamnesis.corpus.deidentification.words import reading
from anamnesis.corpus.encodings import with_words
from anamnesis.corpus.formats.reading import READERS
from anamnesis.corpus.refusals import CorpusError
from anamnesis.settings.corpus import Corpus

# A date, a short number or the town of an export identifies nobody.
_PERSONAL = {"name", "doctor", "snils", "passport", "policy", "document", "phone", "email", "handle", "plate"}
_NUMBERS = {"number", "record", "slide", "uid"}
_LONG_NUMBER = 5
_COMMON = 0.9
_ENDING = re.compile(rf"(?:{'|'.join(map(re.escape, READERS))})(?:\.gz)?$", re.IGNORECASE)
# A longer name of small letters is a phrase.
_MOST_WORDS = 4
# Words of no person's name: list_of_the_samples.
_OF_PHRASES = {"the", "of", "is"}
# Between the words of a name: ivanov_ivan, Иванов-Иван, Иванов.Иван, ИвановИван.
_JOINTS = re.compile(r"[_+~-]+")
_ALL_JOINTS = re.compile(r"[_+~.-]+|(?<=[a-zа-яё])(?=[A-ZА-ЯЁ])")
# A day, a month or a year, with or without a time: 20210312_143000, 12.03.2021, 2021-03.
_SEPARATOR = r"[-_. T]?"
_DAY, _MONTH, _YEAR = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])", r"(?:19|20)\d\d"
_TIMES = re.compile(
    rf"(?<!\d)(?:{_YEAR}(?:{_SEPARATOR}{_MONTH}(?:{_SEPARATOR}{_DAY})?)?|{_DAY}{_SEPARATOR}{_MONTH}{_SEPARATOR}{_YEAR})"
    rf"(?:{_SEPARATOR}[0-2]\d{_SEPARATOR}[0-5]\d(?:{_SEPARATOR}[0-5]\d)?)?(?!\d)"
)


def check_names(settings: Corpus) -> None:
    """No part of the export's path and no declared column may be named after a person.

    Raises:
        CorpusError: says which of them is, without its name.
    """
    if not settings.deidentification.enabled:
        return
    deidentifier = replace(Deidentifier.of(settings.deidentification), labels=True)
    parts = [part for part in Path(settings.path).parts if part.strip("/\\.")]
    for number, part in enumerate(parts, start=1):
        is_last = number == len(parts)
        if _identifies(_ENDING.sub("", part) if is_last else part, deidentifier):
            raise CorpusError(
                f"corpus.path: the name of the {'file or folder' if is_last else 'folder around it'} holds an "
                f"identifier of a person, and would be recorded in dvc.lock; rename it, or move the export into "
                f"another folder."
            )
    for field, column in settings.columns.named.items():
        if _identifies(column, deidentifier):
            raise CorpusError(
                f"corpus.columns.{field}: the name of the column holds an identifier of a person, and would be "
                f"recorded in dvc.lock; rename the column in the export."
            )


def _identifies(name: str, deidentifier: Deidentifier) -> bool:
    forms = list(dict.fromkeys(_forms(name)))
    if any(
        found.kind in _PERSONAL and not _is_a_word(text[found.start : found.end])
        for text, spans in zip(forms, deidentifier.find(forms), strict=True)
        for found in spans
    ):
        return True
    undated = [_TIMES.sub(" ", form) for form in forms]
    return any(
        found.kind in _NUMBERS and sum(map(str.isdigit, text[found.start : found.end])) >= _LONG_NUMBER
        for text, spans in zip(undated, deidentifier.find(undated), strict=True)
        for found in spans
    )


def _is_a_word(found: str) -> bool:
    """A lone word that is a surname too (Код, Орган)."""
    part = reading(found)
    return found.isalpha() and part.common > _COMMON and not part.surname + part.given


def _forms(name: str) -> Iterator[str]:
    """The ways to read a name: joints are spaces, small letters are a name's, and its encoding may be wrong."""
    for written in (name, *with_words(name)):
        yield written
        yield _JOINTS.sub(" ", written)
        yield (separated := _ALL_JOINTS.sub(" ", written))
        words = [word for word in separated.split() if word not in HEADER_WORDS]
        if separated.islower() and len(words) <= _MOST_WORDS and _OF_PHRASES.isdisjoint(separated.split()):
            yield " ".join(words).title()
