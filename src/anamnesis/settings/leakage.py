"""What is measured of a model's memory of its training reports, and how these measures are called."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, NonNegative, Positive, Seed

# Measures of canaries end in the number of times that they were planted; 0: held out.
EXPOSURE = "exposure_bits_"
CANARY_EXTRACTED = "canary_extracted_"
# Of reports, members (of the training part) and held-out ones, which the names of the cases tell apart.
MEMBERSHIP_LOSS = "membership_nats"
REPORT_EXTRACTED = "report_extracted"
MEMBER, HELD_OUT = "member:", "held_out:"

Candidates = Annotated[int, Field(ge=2, le=100_000)]
# An interval needs two cases.
FEWEST = 2


@dataclass(frozen=True, config=STRICT)
class Leakage:
    """canaries: distinct ones of each number of repeats, and as many held out; 0: none. membership_reports: of the
    training part and of the held-out one each; 0: none."""

    canaries: Annotated[int, Field(ge=0, le=1000)]
    repeats: list[Positive]
    candidates: Candidates
    membership_reports: NonNegative
    prefix_words: Positive
    seed: Seed

    def __post_init__(self) -> None:
        if not self.repeats or self.repeats != sorted(set(self.repeats)):
            raise ValueError("repeats must be different numbers in ascending order, for example [1, 4, 16]")
        for name in ("canaries", "membership_reports"):
            if getattr(self, name) in range(1, FEWEST):
                raise ValueError(f"{name} must be 0 (none) or at least {FEWEST}: one case has no interval")
