"""A rule of the tables: a regular expression with a kind, and substrings that make most searches unnecessary."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from anamnesis.corpus.deidentification.findings import Found, has_any


@dataclass(frozen=True)
class Pattern:
    """The identifier is the group `value`, or the whole match. `hints` are substrings, one of which is in every text
    that the pattern matches; `gate` matches in every such text, and is searched for once for many patterns."""

    kind: str
    regex: re.Pattern[str]
    group: str | int
    hints: tuple[str, ...]
    gate: re.Pattern[str] | None


def pattern(kind: str, regex: str, *hints: str, gate: re.Pattern[str] | None = None) -> Pattern:
    compiled = re.compile(regex)
    return Pattern(kind, compiled, "value" if "value" in compiled.groupindex else 0, hints, gate)


def matches(text: str, patterns: Iterable[Pattern]) -> Iterator[Found]:
    """What any of the patterns finds. A text in lower case must have the length of the original."""
    passed: dict[re.Pattern[str] | None, bool] = {None: True}
    for one in patterns:
        if one.gate not in passed and one.gate is not None:
            passed[one.gate] = one.gate.search(text) is not None
        if passed[one.gate] and (not one.hints or has_any(text, one.hints)):
            for match in one.regex.finditer(text):
                yield Found(*match.span(one.group), one.kind)
