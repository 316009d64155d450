"""A record as text cells by column, whatever types its format has."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from anamnesis.corpus.formats.sources import SURROGATE, Source
from anamnesis.corpus.refusals import Notice, Refusal
from anamnesis.settings.corpus import Corpus

Cells = Mapping[str, str]
# What a reader yields for one record: its cells, or the reason why it has none.
Read = Cells | Refusal

# Cells that hold nothing but this, in any case, are empty. Longer cells are not looked up.
_MISSING = re.compile(
    r"[-–—_.…?]+|#+|null|\(null\)|<null>|\\n|nil|none|nan|na|n[/.]a\.?|-?inf(?:inity)?|undefined|unknown|"
    r"н[/\\.]?д\.?|б[/\\.][дн]\.?|нет данных|данных нет|данные отсутствуют|отсутству[ею]т|пусто|"
    r"не (?:указан|заполнен|извест(?:ен|н)|определен|определён)[аоы]?|неизвест(?:ен|н[аоы]|н(?:ый|ая|ое|ые))|"
    r"#(?:n/a|н/д|ref!|ссылка!|value!|знач!|name\?|имя\?|num!|число!|div/0!|дел/0!|null!|пусто!)",
    re.IGNORECASE,
)
# Those that a program writes. A category kept as written may be any of the others: "-", "none", "unknown".
_OF_A_PROGRAM = re.compile(r"#+|null|\(null\)|<null>|\\n|nan|-?inf(?:inity)?|undefined|#\S.*", re.IGNORECASE)
_DITTO = re.compile(
    r"то[- ]?же(?: самое)?|т[аео][- ]же|те же|тот[- ]же|ditto|idem|the same|same|"
    r"[-–—\s]*(?://|[\"'″〃«»“”„]+)[-–—\s]*",
    re.IGNORECASE,
)
_LONGEST_MARK = 24
# A patient may be number 0, but not 0000.
_NO_PATIENT = re.compile(r"[\W_]*0[\W_]*0[0\W_]*|[\W_]+")
# A spreadsheet shows a long number this way, and saves it as shown.
_SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+[eе][+-]?\d+|[eе]\+\d+)", re.IGNORECASE)
# Written out again, such a number has the six digits that were shown, and zeros.
_ZEROS = re.compile(r"(?=\d{12})[1-9]\d{0,5}0+(?:[.,]0+)?")
# Spreadsheets keep 15 digits of a number.
_EXACT = 10**15


class CellReader:
    """Reads the records of one table in their order: a ditto mark repeats the cell above."""

    def __init__(self, source: Source) -> None:
        self._settings: Corpus = source.settings
        self._noticed: Counter[Notice] = source.noticed
        self._categories = frozenset(source.settings.categories or ())
        self._missing = dict.fromkeys(source.settings.columns.named, _MISSING)
        if source.settings.category_system == "verbatim":
            self._missing["category"] = _OF_A_PROGRAM
        self._above: Read = Refusal.NOTHING_ABOVE

    def read(self, record: Mapping[str, Any]) -> Read:
        """The declared columns, as text; a mark of a missing value becomes an empty cell."""
        self._above = self._read(record)
        return self._above

    def refuse(self, refusal: Refusal) -> Refusal:
        """A record that has no cells."""
        self._above = refusal
        return refusal

    def _read(self, record: Mapping[str, Any]) -> Read:
        cells = {}
        for field, column in self._settings.columns.named.items():
            value = record.get(column)
            text = _as_text(value)
            if text is None:
                return Refusal.NOT_TEXT
            if SURROGATE.search(text):
                return Refusal.UNDECODABLE
            if field == "patient" and _is_rounded(value, text):
                return Refusal.PATIENT_ROUNDED
            if 0 < len(text) <= _LONGEST_MARK:
                said = self._unmarked(field, column, " ".join(text.split()), text)
                if isinstance(said, Refusal):
                    return said
                text = said
            cells[column] = text
        return cells

    def _unmarked(self, field: str, column: str, plain: str, text: str) -> str | Refusal:
        if plain in self._categories:
            return text
        if _DITTO.fullmatch(plain):
            if isinstance(self._above, Refusal):
                return Refusal.NOTHING_ABOVE
            self._noticed[Notice.DITTO_MARKS] += 1
            return self._above[column]
        if self._missing[field].fullmatch(plain) or (field == "patient" and _NO_PATIENT.fullmatch(plain)):
            self._noticed[Notice.MISSING_MARKS] += 1
            return ""
        return text


def _is_rounded(value: object, text: str) -> bool:
    plain = text.strip()
    if _SCIENTIFIC.fullmatch(plain) or _ZEROS.fullmatch(plain):
        return True
    if isinstance(value, Decimal):
        # With places after the point, it comes from a program that calculates with floating-point numbers.
        return value.is_finite() and _exponent(value) < 0 and abs(value) >= _EXACT
    return isinstance(value, float) and math.isfinite(value) and abs(value) >= _EXACT


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _as_text(value: object) -> str | None:
    """A cell as it was written: 2 and not 2.0, nan, a date without a midnight time. None: not a single value."""
    match value:
        case str():
            return value
        case None:
            return ""
        case Decimal() if not value.is_finite() or _exponent(value) > 0:
            # Of 1.2346e+12, only these digits are known.
            return str(value)
        case float() if not math.isfinite(value):
            return str(value)
        case float() | Decimal() if value == int(value):
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case bool() | int() | float() | Decimal() | datetime() | date() | time():
            return str(value)
        case _:
            return None
