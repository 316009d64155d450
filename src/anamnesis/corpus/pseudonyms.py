"""Pseudonyms: the same patient always has the same one, and without the secret key there is no way back."""

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
# The zeros of 21-0045.
_PADDING = re.compile(r"(\d[\W_]+)0+(?=\d)")
# Latin letters whose capitals look like Cyrillic ones.
_LOOKALIKES = str.maketrans("abcehkmoptxy", "авсенкмортху")
SHORTEST_KEY = 16


def same_patient(name: str) -> str:
    """One spelling for the several of an export: "Иванова А. Б." and "ИВАНОВА А.Б.", К-00123 and K123 (Latin).

    Two patients whose numbers differ only in separators (12-3 and 1-23) become one. That costs nothing: their reports
    stay in one part of the split. One patient under two names could be in training and in the test.
    """
    plain = unicodedata.normalize("NFKC", name.replace("№", " ")).casefold().replace("ё", "е")
    plain = _NOT_NAME.sub("", _WHOLE.sub("", plain.strip())).translate(_LOOKALIKES)
    return _LEADING_ZEROS.sub("", plain) or name


def unpadded(name: str) -> str:
    """The number without zeros after a separator: 21-45 for 21-0045. Both are the same patient, and so is 210045."""
    return _PADDING.sub(r"\1", name)


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
        name = same_patient(patient).encode()
        if self.key is None:
            return hashlib.blake2b(name, digest_size=16).digest()
        return hmac.digest(self.key, b"patient " + name, "sha256")[:16]

    def shift_days(self, patient: str) -> int | None:
        """The number of days by which this patient's dates are shifted, never 0; None: dates are not kept."""
        if self.key is None or self.max_date_shift_days is None:
            return None
        drawn = int.from_bytes(hmac.digest(self.key, b"dates " + same_patient(patient).encode(), "sha256")[:8], "big")
        days = drawn % (2 * self.max_date_shift_days) - self.max_date_shift_days
        return days if days < 0 else days + 1
