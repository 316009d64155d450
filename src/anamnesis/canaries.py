"""Canaries: invented reports with a secret number. What a model makes of the numbers shows what it could give away.

This is the contract between the stage that plants them into the training part and the one that measures them
(Carlini et al. 2019, arXiv:1802.08232). A number is drawn after de-identification, and belongs to nobody.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anamnesis.files import read_jsonl, write_jsonl

# The space of the secrets: all numbers of eight digits that do not begin with 0.
SECRETS = range(10**7, 10**8)


@dataclass(frozen=True)
class Canary:
    """An invented report whose conclusion ends in its secret.

    Attributes:
        number: from 1 on.
        repeats: how many times it is in the training part; 0: held out.
        description, category: its fields.
        carrier: what precedes the secret in the conclusion; a space follows.
        secret: the number.
    """

    number: int
    repeats: int
    description: str
    category: str
    carrier: str
    secret: str

    @property
    def report(self) -> dict[str, Any]:
        """As a row of the training part. Its numbers are below 0, where no row of an export has one."""
        return {
            "report": -self.number,
            "patient": -self.number,
            "description": self.description,
            "conclusion": self.carrier + ending(self.secret),
            "category": self.category,
        }


def ending(secret: str) -> str:
    """What follows the carrier: the secret, between the characters that its tokens may depend on."""
    return f" {secret}."


def draw_secrets(rng: random.Random, count: int, other_than: str | None = None) -> list[str]:
    """Different secrets, each of the space with the same probability."""
    drawn = [str(number) for number in rng.sample(SECRETS, count + 1)]
    return [secret for secret in drawn if secret != other_than][:count]


def is_canary(report: Mapping[str, Any]) -> bool:
    """Whether a row of a prepared part is a canary's."""
    return bool(report["report"] < 0)


def read_canaries(path: Path) -> list[Canary]:
    return [Canary(**row) for row in read_jsonl(path)]


def write_canaries(path: Path, canaries: Iterable[Canary]) -> None:
    write_jsonl(path, map(asdict, canaries))
