"""Cytology of another organ: salivary-gland aspirates with their category in the Milan System.

A large language model has read cytology before it is fine-tuned. Without such text, the tiny model would have to learn
during fine-tuning what a description is for. So its general text contains reports of another organ, in which the
category follows from the findings. They contain no thyroid aspirate and no wording of the FNA corpus.
"""

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT
from anamnesis.tables import Odds, Share, Texts, check_odds, check_sum, draw, read_table

TABLE = Path(__file__).with_suffix(".yaml")

COMMAS = 0.5  # the share of findings joined by a comma


@dataclass(frozen=True, config=STRICT)
class Category:
    share: Share
    findings: dict[str, Odds]  # aspect -> finding -> probability
    conclusions: Texts


@dataclass(frozen=True, config=STRICT)
class Cytology:
    sites: Texts
    findings: dict[str, dict[str, Texts]]  # aspect -> finding -> wordings
    categories: dict[str, Category]

    @property
    def shares(self) -> dict[str, float]:
        return {name: category.share for name, category in self.categories.items()}


@cache
def read_cytology(path: Path = TABLE) -> Cytology:
    """Read the wordings of the reports; raises InputError about the first mistake in them."""
    table = read_table(path, Cytology)
    for name, category in table.categories.items():
        check_odds(path, ("categories", name, "findings"), category.findings, table.findings)
    check_sum(path, ("categories",), table.shares)
    return table


def cytology_reports(count: int, seed: int) -> list[str]:
    """Return `count` different reports of salivary-gland aspirates."""
    table, rng = read_cytology(), random.Random(seed)
    reports: dict[str, None] = {}
    while len(reports) < count:
        reports[_report(table, rng)] = None
    return list(reports)


def _report(table: Cytology, rng: random.Random) -> str:
    name = rng.choices(list(table.shares), list(table.shares.values()))[0]
    category = table.categories[name]
    findings = [rng.choice(table.findings[aspect][finding]) for aspect, finding in draw(category.findings, rng)]
    rng.shuffle(findings)
    site = f"Пунктат {rng.choice(table.sites)} железы, образование {rng.randint(6, 40)} мм."
    return f"Описание: {site} {_text(findings, rng)}\nЗаключение: Milan {name}. {rng.choice(category.conclusions)}"


def _text(sentences: Sequence[str], rng: random.Random) -> str:
    """The sentences one after another; a comma joins some of them, as in most reports."""
    text = sentences[0]
    for sentence in sentences[1:]:
        if rng.random() < COMMAS:
            text = f"{text.removesuffix('.')}, {sentence[0].lower()}{sentence[1:]}"
        else:
            text = f"{text} {sentence}"
    return text
