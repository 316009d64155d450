"""Which findings occur together: the type of an entry of pictures.yaml."""

from typing import Literal

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT
from anamnesis.tables import Odds, Share

Category = Literal["I", "II", "III", "IV", "V", "VI"]


@dataclass(frozen=True, config=STRICT)
class Picture:
    category: Category
    share: Share  # among the pictures of the category that are equally hard
    findings: dict[str, Odds]  # aspect -> finding -> probability
    hard: bool = False
