"""The small template language in which all wordings of the corpus are written.

A cytologist should be able to read and correct the tables, so a wording is plain Russian text with
two marks only: ``[коллоида мало|коллоида немного]`` chooses one alternative (brackets may be nested) and
``{мазках}`` stands for a list of synonyms in that grammatical form (or for a value given by the caller).
"""

import random
import re
from collections.abc import Mapping, Sequence

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_NAME = re.compile(r"\{(\w+)\}")

SYNONYMS: dict[str, tuple[str, ...]] = {
    "тиреоциты": ("тиреоциты", "фолликулярные клетки", "клетки фолликулярного эпителия"),
    "тиреоцитов": ("тиреоцитов", "фолликулярных клеток", "клеток фолликулярного эпителия"),
    "тиреоцитами": ("тиреоцитами", "фолликулярными клетками", "клетками фолликулярного эпителия"),
    "найдено": ("найдено", "выявлено", "обнаружено", "отмечено"),
    "найдены": ("найдены", "выявлены", "обнаружены", "отмечены"),
    "мазках": ("мазках", "препаратах", "материале", "исследованных мазках"),
    "материал": ("материал", "пунктат", "аспират"),
    "местами": ("местами", "участками", "очагово", "на отдельных участках"),
    "единичные": ("единичные", "отдельные", "немногочисленные"),
    "единичных": ("единичных", "отдельных", "немногих"),
    "много": ("много", "большое количество"),
    "немного": ("немного", "небольшое количество"),
    "слегка": ("слегка", "умеренно", "немного"),
}


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
    values: Mapping[str, str] | None = None,
    standard_share: float = 0.0,
) -> str:
    """One paraphrase out of a list of wordings: the first of everything (the laboratory's standard phrase) with
    probability `standard_share`, otherwise any."""
    standard = rng.random() < standard_share

    def pick(options: Sequence[str]) -> str:
        return options[0] if standard else rng.choice(options)

    def name(match: re.Match[str]) -> str:
        key = match.group(1)
        return values[key] if values and key in values else pick(SYNONYMS[key])

    def choice(match: re.Match[str]) -> str:
        return pick(match.group(1).split("|"))

    text, replaced = pick(wordings), 1
    while replaced:
        text, replaced = _CHOICE.subn(choice, text)
    return " ".join(_NAME.sub(name, text).split())
