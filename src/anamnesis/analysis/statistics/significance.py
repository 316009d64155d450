"""Tests: equivalence, exact McNemar, and Holm's correction of a family of p-values."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from anamnesis.analysis.statistics.estimates import Estimate
from anamnesis.errors import InputError


def equivalence(difference: Estimate, margin: float) -> float:
    """The p-value of two one-sided tests (TOST; Schuirmann 1987) that the difference lies within ±margin.

    At p < 0.05 the 90 % interval lies within the margin. Of shares that are equal in every case, p is the probability
    that no case differs although a share as large as the margin does.
    """
    if margin <= 0:
        raise InputError(f"a margin of equivalence is {margin:g}: set it above 0.")
    if difference.se == 0:
        if difference.low < difference.high:
            return max(1 - margin, 0.0) ** difference.cases
        return float(abs(difference.estimate) >= margin)
    return float(special.stdtr(difference.df, (abs(difference.estimate) - margin) / difference.se))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for the size of their family (Holm 1979), in the same order.

    statsmodels has it too, but collects the whole process's garbage at every call: a second with torch loaded.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return [float(adjusted) for adjusted in np.minimum(stepped, 1)[np.argsort(order)]]


def mcnemar_exact(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """The exact p-value of McNemar's test for two arms of one seed: as many cases become right as become wrong.

    It covers the cases only: another seed may answer differently.

    Args:
        first: for each case, whether the first arm is right. (C,)
        second: the same for the second arm.
    """
    before, after = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if before.shape != after.shape or before.ndim != 1:
        raise InputError(
            f"answers of shapes {before.shape} and {after.shape} cannot be paired: ask both the same cases."
        )
    gained, lost = int((~before & after).sum()), int((before & ~after).sum())
    return float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
