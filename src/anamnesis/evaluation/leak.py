"""Whether a model answers general prompts in the form of a report: the domain's template leaks into everything."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pydantic.dataclasses import dataclass

from anamnesis.rendering import parse_completion
from anamnesis.settings.rendering import Headings
from anamnesis.settings.sections import STRICT
from anamnesis.tables import Texts, read_table

PROMPTS = Path(__file__).parent / "prompts.yaml"


@dataclass(frozen=True, config=STRICT)
class Kind:
    """Prompts of one kind, as many in each language."""

    russian: Texts
    english: Texts


@cache
def prompts() -> list[dict[str, str]]:
    """The prompts of prompts.yaml in its order, each on a line of its own, with kind and language."""
    return [
        {"kind": kind, "language": language, "prompt": f"{text}\n"}
        for kind, of_kind in read_table(PROMPTS, dict[str, Kind]).items()
        for language, texts in (("russian", of_kind.russian), ("english", of_kind.english))
        for text in texts
    ]


def is_a_report(answer: str, headings: Headings, categories: Sequence[str]) -> bool:
    """Whether an answer has the form of a report: one of its headings, or a beginning like a completion's.

    A heading counts as it is rendered, with its capital letter: that of the description before a colon, that of the
    category before anything but a letter or a digit.

    A completion begins with a declared category and a full stop. That alone may be a list or an English sentence
    ("I. Introduction"), so either nothing follows, or text in Cyrillic, the alphabet of reports, and no later line or
    sentence begins with another category as the next item of a list would ("I. Введение. II. Методы").
    """
    if re.search(rf"(?<!\w)(?:{re.escape(headings.description)}\s*:|{re.escape(headings.category)}(?!\w))", answer):
        return True
    category, rest = parse_completion(answer, categories)
    if category is None or not answer.strip().startswith(f"{category}."):
        return False
    others = "|".join(re.escape(other) for other in categories if other != category)
    if others and re.search(rf"(?:^|(?<=\s))(?:{others})\.(?=\s|$)", rest):
        return False
    return not rest or re.match(r"\W*[А-Яа-яЁё]", rest) is not None
