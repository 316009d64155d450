"""How far a measure may move when the same experiment runs again with other seeds."""

from enum import StrEnum
from math import sqrt
from statistics import stdev

from scipy.stats import t

from anamnesis.publishing.results import Estimate

LEVEL = 0.95
# Two numbers closer than this, relative to the larger, differ by rounding alone: other processors round differently.
ROUNDING = 1e-4


class Agreement(StrEnum):
    """How two estimates of the same quantity agree."""

    IDENTICAL = "identical"
    ROUNDED = "identical but for rounding"
    WITHIN = "within"
    DIFFERENT = "different"
    # Without a spread over seeds nothing is known about what another run may give.
    UNKNOWN = "different, no spread over seeds known"
    OTHER_CASES = "measured on other cases"
    MISSING = "in one run only"

    @property
    def agrees(self) -> bool:
        return self in (Agreement.IDENTICAL, Agreement.ROUNDED, Agreement.WITHIN)


def half_width(first: Estimate, seeds: int) -> float | None:
    """Half the prediction interval for the mean over `seeds` other seeds on the same cases.

    Both means vary around the same value with the spread over seeds of the first run:
    t(S - 1) * s * sqrt(1 / S + 1 / S'). The sampling of the cases is left out, because both runs share them.

    Returns:
        None if the first run has no spread: one seed, or the same value for all.
    """
    known = len(first.by_seed)
    if known < 2 or seeds < 1 or (spread := stdev(first.by_seed)) == 0:
        return None
    return float(t.ppf((1 + LEVEL) / 2, known - 1)) * spread * sqrt(1 / known + 1 / seeds)


def agreement(first: Estimate | None, second: Estimate | None) -> Agreement:
    """Whether the second run's estimate is what the first run lets one expect."""
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
