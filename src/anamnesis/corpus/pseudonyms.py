"""Pseudonyms: one for all spellings that are surely the same patient's, and without the secret key no way back."""

import hashlib
import hmac
import os
import re
import unicodedata
from dataclasses import dataclass

from anamnesis.corpus.refusals import CorpusError
from anamnesis.settings.corpus import Deidentification

_NOT_NAME = re.compile(r"[\W_]+")
# A table with missing values writes 123 as 123.0, and a Russian spreadsheet as 123,00.
_WHOLE = re.compile(r"(?<=\d)(?:\.0+|,00?)$")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
# The zeros of 21-0045; 21.05 and 21.5 are two numbers.
_PADDING = re.compile(r"(?<=\d)([^\w.,]+|_+)0+(?=\d)")
# Latin letters whose capitals look like Cyrillic ones.
_LOOKALIKES = str.maketrans("abcehkmoptxy", "авсенкмортху")
SHORTEST_KEY = 16


def same_patient(name: str) -> str:
    """One spelling for the several of an export: "Иванова А. Б." and "ИВАНОВА А.Б.", К-00123 and K123 (Latin), 21-0045
    and 21-45. The pseudonym, the date shift and the split depend on it.

    Two patients whose numbers differ only in separators (12-3 and 1-23) become one. One patient under two names could
    be in training and in the test.
    """
    return _joined(_PADDING.sub(r"\1", _plain(name))) or name


def perhaps_same_patient(name: str) -> str:
    """A second name, by which the split keeps 210045 with 21-0045: without the separator, its zeros may be of the
    number."""
    return _joined(_plain(name)) or name


def _plain(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name.replace("№", " ")).casefold().replace("ё", "е")
    return _WHOLE.sub("", plain.strip())


def _joined(plain: str) -> str:
    return _LEADING_ZEROS.sub("", _NOT_NAME.sub("", plain).translate(_LOOKALIKES))


def spelling(name: str) -> int:
    """64 bits that identify one way to write a patient. They are compared in memory, and written to no file."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


@dataclass(frozen=True)
class Pseudonyms:
    """Keyed hashes (HMAC-SHA256, RFC 2104) of patients. Without a key, a plain hash tells patients apart in memory, and
    they are written as numbers."""

    key: bytes | None
    max_date_shift_days: int | None

    @classmethod
    def of(cls, settings: Deidentification) -> "Pseudonyms":
        """With the key from the environment.

        Raises:
            CorpusError: the declared variable is missing or too short to be a key.
        """
        if settings.key_variable is None:
            return cls(None, None)
        key = os.environ.get(settings.key_variable, "")
        if len(key) < SHORTEST_KEY:
            raise CorpusError(
                f"corpus.deidentification.key_variable: the environment variable {settings.key_variable} holds no key "
                f"of at least {SHORTEST_KEY} characters; export one (openssl rand -hex 32) and keep it."
            )
        return cls(key.encode(), settings.max_date_shift_days)

    def digest(self, patient: str) -> bytes:
        """16 bytes that identify this patient."""
        return self._hash(same_patient(patient))

    def digest_of_alias(self, patient: str) -> bytes:
        """16 bytes that another spelling may have as its digest."""
        return self._hash(perhaps_same_patient(patient))

    def _hash(self, name: str) -> bytes:
        if self.key is None:
            return hashlib.blake2b(name.encode(), digest_size=16).digest()
        return hmac.digest(self.key, b"patient " + name.encode(), "sha256")[:16]

    def shift_days(self, patient: str) -> int | None:
        """The number of days by which this patient's dates are shifted, never 0; None: dates are not kept."""
        if self.key is None or self.max_date_shift_days is None:
            return None
        drawn = int.from_bytes(hmac.digest(self.key, b"dates " + same_patient(patient).encode(), "sha256")[:8], "big")
        days = drawn % (2 * self.max_date_shift_days) - self.max_date_shift_days
        return days if days < 0 else days + 1
