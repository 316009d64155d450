"""How far a measure may move when the same experiment runs again with other seeds."""

from enum import StrEnum

from anamnesis.analysis.statistics import prediction_half_width
from anamnesis.publishing.results import Estimate

# Two numbers closer than this, relative to the larger, differ by rounding alone, as on another processor.
ROUNDING = 1e-4


class Agreement(StrEnum):
    """How two estimates of the same quantity agree."""

    IDENTICAL = "identical"
    ROUNDED = "identical but for rounding"
    WITHIN = "within"
    DIFFERENT = "different"
    # Without a spread over seeds nothing is known about what another run may give.
    UNKNOWN = "different, no spread over seeds known"
    # The base has no seeds; its numbers from another processor differ by more than rounding in 16 bits.
    ELSEWHERE = "different, on another processor"
    OTHER_CASES = "measured on other cases"
    MISSING = "in one run only"

    @property
    def agrees(self) -> bool:
        return self in (Agreement.IDENTICAL, Agreement.ROUNDED, Agreement.WITHIN)


def half_width(first: Estimate, seeds: int) -> float | None:
    """Half the prediction interval for `seeds` other seeds; None if the first run has no spread."""
    return prediction_half_width(first.by_seed, seeds)


def agreement(first: Estimate | None, second: Estimate | None) -> Agreement:
    """Whether the second run's estimate is compatible with the first run."""
    if first is None or second is None:
        return Agreement.MISSING
    if first.cases != second.cases:
        return Agreement.OTHER_CASES
    difference = abs(second.value - first.value)
    if difference == 0:
        return Agreement.IDENTICAL
    if difference <= ROUNDING * max(abs(first.value), abs(second.value)):
        return Agreement.ROUNDED
    allowed = half_width(first, len(second.by_seed))
    if allowed is None:
        return Agreement.UNKNOWN
    return Agreement.WITHIN if difference <= allowed else Agreement.DIFFERENT
