"""The small template language in which all wordings of the corpus are written.

A cytologist should be able to read and correct the tables, so a wording is plain Russian text with two marks only:
``[коллоида мало|коллоида немного]`` chooses one alternative (brackets may be nested), ``{мазках}`` is a synonym from
wording.yaml in that grammatical form, or a value that the caller gives.
"""

import random
import re
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from anamnesis.tables import SLOT, Text

_CHOICE = re.compile(r"\[([^\[\]]*)\]")


def _plain(text: str) -> str:
    if marks := sorted(set(text) & set("[]{}|")):
        raise ValueError(f"a synonym is plain text: remove {' '.join(marks)}")
    return text


Synonyms = dict[str, Annotated[tuple[Annotated[Text, AfterValidator(_plain)], ...], Field(min_length=1)]]


def slots(*values: str) -> AfterValidator:
    """The check of a wording whose slots are synonyms (of the context) or `values`, which the caller of `say` gives."""

    def check(text: str, info: ValidationInfo) -> str:
        rest, replaced = text, 1
        while replaced:
            rest, replaced = _CHOICE.subn("", rest)
        if set(rest) & set("[]|"):
            raise ValueError("write alternatives as [one|another]: a bracket is not paired, or a | is outside brackets")
        if set(SLOT.sub("", text)) & set("{}"):
            raise ValueError("write a slot as {name}: a brace is not paired, or the name is not one word")
        for name in SLOT.findall(text):
            if name not in values and name not in (info.context or {}):
                given = f" (and {', '.join(values)})" if values else ""
                raise ValueError(f"no list of synonyms is named `{name}`: use a name from wording.yaml{given}")
        return text

    return AfterValidator(check)


Wordings = Annotated[tuple[Annotated[Text, slots()], ...], Field(min_length=1)]


def plural(number: int, one: str, few: str, many: str) -> str:
    """The Russian noun form after a number: 1 группа, 2 группы, 5 групп, 11 групп, 21 группа."""
    if number % 10 == 1 and number % 100 != 11:
        return one
    if number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14):
        return few
    return many


def say(
    wordings: Sequence[str],
    rng: random.Random,
    synonyms: Synonyms,
    values: Mapping[str, str] | None = None,
    standard_share: float = 0.0,
) -> str:
    """Choose one paraphrase from a list of wordings.

    With probability `standard_share` it is the first of everything (the laboratory's standard phrase), otherwise any.
    """
    standard = rng.random() < standard_share

    def pick(options: Sequence[str]) -> str:
        return options[0] if standard else rng.choice(options)

    def name(match: re.Match[str]) -> str:
        key = match.group(1)
        return values[key] if values and key in values else pick(synonyms[key])

    def choice(match: re.Match[str]) -> str:
        return pick(match.group(1).split("|"))

    text, replaced = pick(wordings), 1
    while replaced:
        text, replaced = _CHOICE.subn(choice, text)
    return " ".join(SLOT.sub(name, text).split())
