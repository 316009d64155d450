"""The synthetic corpus."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Seed, Share

CLASSES = ["I", "II", "III", "IV", "V", "VI"]


@dataclass(frozen=True, config=STRICT)
class Synthesis:
    reports: Annotated[int, Field(ge=len(CLASSES), le=10_000_000)]
    class_shares: dict[str, Share]
    hard_case_share: Share
    standard_share: Share
    typo_rate: Share
    seed: Seed

    def __post_init__(self) -> None:
        if list(self.class_shares) != CLASSES:
            raise ValueError("class_shares must have exactly the keys I, II, III, IV, V, VI in this order")
        if abs(sum(self.class_shares.values()) - 1) > 1e-6:
            raise ValueError(f"class_shares must sum to 1, they sum to {sum(self.class_shares.values()):g}")
