"""How far a second experiment may lie from the first."""

from collections.abc import Sequence
from math import sqrt
from statistics import stdev

from scipy import special

from anamnesis.analysis.statistics.estimates import CONFIDENCE


def prediction_half_width(values: Sequence[float], seeds: int) -> float | None:
    """Half the 95 % prediction interval for the mean over `seeds` other seeds on the same cases.

    On the same cases, the seeds' values are independent draws from one distribution, and both means vary around its
    mean: t(S - 1)·s·√(1/S + 1/S'). Unlike the interval of an estimate, this one does not cover other cases, so it needs
    none of its bounds.

    Args:
        values: of the S seeds of the first experiment.
        seeds: S', of the second.

    Returns:
        None if the first has no spread: one seed, or the same value for all.
    """
    if len(values) < 2 or seeds < 1 or (spread := stdev(values)) == 0:
        return None
    quantile = float(special.stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    return quantile * spread * sqrt(1 / len(values) + 1 / seeds)
