"""A record as text cells by column, whatever types its format has."""

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from anamnesis.corpus.formats.sources import SURROGATE
from anamnesis.corpus.refusals import Refusal
from anamnesis.settings.corpus import Corpus

Cells = Mapping[str, str]
# What a reader yields for one record: its cells, or the reason why it has none.
Read = Cells | Refusal


def cells_of(record: Mapping[str, Any], settings: Corpus) -> Read:
    """The declared columns, as text."""
    cells = {}
    for column in settings.columns.named.values():
        text = _as_text(record.get(column))
        if text is None:
            return Refusal.NOT_TEXT
        if SURROGATE.search(text):
            return Refusal.UNDECODABLE
        cells[column] = text
    return cells


def _as_text(value: object) -> str | None:
    """A cell as it was written: 2 and not 2.0, a date without a midnight time. None: not a single value."""
    match value:
        case str():
            return value
        case None:
            return ""
        case float() | Decimal() if not math.isfinite(value):
            return "" if math.isnan(value) else str(value)
        case float() | Decimal() if value == int(value):
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case bool() | int() | float() | Decimal() | datetime() | date() | time():
            return str(value)
        case _:
            return None
