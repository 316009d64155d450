"""Whether a model answers general prompts in the form of a report, so that the domain's template leaks into them."""

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
    """Prompts of one kind."""

    russian: Texts
    english: Texts


@cache
def prompts() -> list[dict[str, str]]:
    """The prompts in the order of the table, each with kind and language; the answer starts on a new line."""
    return [
        {"kind": kind, "language": language, "prompt": f"{text}\n"}
        for kind, of_kind in read_table(PROMPTS, dict[str, Kind]).items()
        for language, texts in (("russian", of_kind.russian), ("english", of_kind.english))
        for text in texts
    ]


def is_a_report(answer: str, headings: Headings, categories: Sequence[str]) -> bool:
    """Whether an answer has the form of a report: it contains one of the headings, or begins as a completion does.

    A heading counts as it is rendered, in the same case: the description's with a colon, the category's as a whole
    word.

    A completion begins with a declared category and a full stop. So may a list or an English sentence ("I.
    Introduction"). It therefore counts only if nothing follows, or a text in Cyrillic, the alphabet of reports, in
    which no other category with a full stop follows, as the next item of a list would ("I. Введение. II. Методы").
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
