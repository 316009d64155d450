"""Applies all rules to a text, and replaces what they find."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from anamnesis.corpus.deidentification.addresses import find_addresses
from anamnesis.corpus.deidentification.dates import find_dates, shift_date
from anamnesis.corpus.deidentification.findings import PLACEHOLDERS, Found
from anamnesis.corpus.deidentification.names import find_names
from anamnesis.corpus.deidentification.numbers import find_numbers
from anamnesis.corpus.deidentification.others import find_others

# A replacement may uncover a neighbour (the number after a hyphen). So the replaced text is read again until nothing is
# found, and a second run changes nothing. Two readings suffice for all but contrived texts.
_READINGS = 8
_RANKS = {kind: rank for rank, kind in enumerate(PLACEHOLDERS)}
# Our placeholders, and a publisher's such as *ДАТА*: they are no part of a finding and announce none.
_PLACEHOLDER = re.compile(r"\[(?:[А-ЯЁ]{3,8}|90\+)\]|\*[А-ЯЁA-Z_]{2,20}\*")
_HAS_NUMBER = re.compile(r"[\d@]")
_EDGES = " \t\n\r,;:"


def find(text: str) -> list[Found]:
    """Identifiers in the order of the text, without overlaps."""
    found: list[Found] = []
    for _ in range(_READINGS):
        more = _read(_written(text, found))
        if not more:
            break
        found = _united([*found, *_in_the_original(more, found)])
    return found


def deidentify(text: str, shift_days: int | None = None) -> tuple[str, dict[str, int]]:
    """Replaces identifiers by placeholders.

    Args:
        shift_days: shifts dates that have a day, a month and a year instead of replacing them. One number per patient
            keeps the time between two visits.

    Returns:
        The text, and the number of identifiers of each kind.
    """
    found = find(text)
    shifted = {}
    if shift_days is not None:
        for finding in found:
            if finding.kind == "date":
                shifted[finding] = shift_date(text[finding.start : finding.end], shift_days)
    return _written(text, found, shifted), dict(Counter(finding.kind for finding in found))


def _written(text: str, found: Iterable[Found], shifted: Mapping[Found, str | None] = MappingProxyType({})) -> str:
    parts, end = [], 0
    for finding in found:
        parts += [text[end : finding.start], shifted.get(finding) or PLACEHOLDERS[finding.kind]]
        end = finding.end
    return "".join([*parts, text[end:]])


def _in_the_original(more: Iterable[Found], found: list[Found]) -> Iterator[Found]:
    """Maps findings in the replaced text to positions in the original; no finding contains a placeholder."""
    gained, behind = 0, iter(found)
    following = next(behind, None)
    for finding in more:
        while following and following.start - gained < finding.start:
            gained += following.end - following.start - len(PLACEHOLDERS[following.kind])
            following = next(behind, None)
        yield Found(finding.start + gained, finding.end + gained, finding.kind)


def _read(text: str) -> list[Found]:
    """One reading by every rule."""
    lower = text.lower()
    if len(lower) != len(text):
        # A few letters of other scripts become two in lower case (İ).
        lower = "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)
    if "[" in text or "*" in text:
        text, lower = _PLACEHOLDER.sub(_mask, text), _PLACEHOLDER.sub(_mask, lower)
    found = list(find_names(text, lower))
    if _HAS_NUMBER.search(lower):
        found += find_numbers(lower)
        found += find_dates(lower)
    found += find_addresses(text, lower)
    found += find_others(text, lower)
    return _united(_trimmed(text, found)) if found else []


def _mask(match: re.Match[str]) -> str:
    """Characters that no pattern matches, as many as the placeholder has."""
    return "¤" * len(match[0])


def _trimmed(text: str, found: Iterable[Found]) -> list[Found]:
    trimmed = []
    for finding in found:
        old = text[finding.start : finding.end]
        start = finding.start + len(old) - len(old.lstrip(_EDGES))
        end = finding.end - (len(old) - len(old.rstrip(_EDGES)))
        if start < end:
            trimmed.append(Found(start, end, finding.kind))
    return trimmed


def _united(found: Iterable[Found]) -> list[Found]:
    """Merges overlapping findings into one, of the kind with the highest priority."""
    united: list[Found] = []
    for finding in sorted(found):
        if united and finding.start < united[-1].end:
            last = united[-1]
            kind = min(last.kind, finding.kind, key=_RANKS.__getitem__)
            united[-1] = Found(last.start, max(last.end, finding.end), kind)
        else:
            united.append(finding)
    return united
