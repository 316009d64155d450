"""What an experiment of this size can see, and what size would decide."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from anamnesis.analysis.statistics.estimates import (
    Estimate,
    Part,
    Spread,
    critical_value,
    spread,
    tail_freedom,
)

MOST = 1_000_000


@dataclass(frozen=True)
class Needed:
    """How many seeds (on the same cases) or cases (with the same seeds) it takes; None: no number up to `MOST` does."""

    seeds: int | None
    cases: int | None


def smallest_detectable(difference: Estimate, power: float = 0.8, alpha: float = 0.05, cautious: bool = False) -> float:
    """The true difference that this experiment declares significant with the given power (two-sided t-test).

    Where no case differs, the half-width of the interval. For `cautious` see `needed`.
    """
    if difference.se == 0:
        return difference.high - difference.estimate
    critical = _critical(difference.df, difference.seeds, alpha, cautious)
    return _effect(difference.df, power, critical) * difference.se


def detectable_with(
    difference: Estimate, seeds: int, cases: int, power: float = 0.8, alpha: float = 0.05, cautious: bool = False
) -> float:
    """`smallest_detectable` to expect of an experiment with other numbers of seeds (at least 2) and cases."""
    found = _planned(difference, seeds, cases)
    critical = _critical(found.df, seeds, alpha, cautious)
    return _effect(found.df, power, critical) * float(np.sqrt(found.variance))


def _effect(df: float, power: float, critical: float) -> float:
    """In standard errors. Student's t with 1 degree of freedom needs 35 of them for a power of 0.95."""
    return float(optimize.brentq(lambda size: _power(size, df, critical) - power, 0, 2 * critical + 1000))


def needed(
    difference: Estimate,
    effect: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    cautious: bool = False,
) -> Needed:
    """The fewest seeds, and the fewest cases, that show an effect with the given power.

    More cases do not remove the seeds' variance, nor more seeds the cases'. With one seed, nothing is known about the
    seeds' variance, so no number of seeds is given.

    Args:
        difference: the experiment so far; its components are taken for the true ones.
        effect: such as a margin of equivalence; None: the estimated difference.
        power: the probability of p < alpha.
        alpha: significance level.
        cautious: the test is by `cautious_p`.
    """
    size = abs(difference.estimate if effect is None else effect)
    if size == 0:
        return Needed(None, None)

    def seen(seeds: int, cases: int) -> bool:
        found = _planned(difference, seeds, cases)
        critical = _critical(found.df, seeds, alpha, cautious)
        return found.variance == 0 or _power(size / np.sqrt(found.variance), found.df, critical) >= power

    seeds = None
    if difference.std is not None:
        seeds = _fewest(lambda count: seen(count, difference.cases))
    return Needed(seeds, _fewest(lambda count: seen(difference.seeds, count)))


def _planned(estimate: Estimate, seeds: int, cases: int) -> Spread:
    """The variance to expect with other numbers of seeds and cases."""
    components, fewer = estimate.components, estimate.cases / cases
    case = components.case * fewer
    if estimate.std is None:
        return Spread(case, cases - 1)
    share = estimate.seeds / seeds
    residual = components.residual * share * fewer
    return spread(components.seed * share + residual, [Part(residual, case, cases)], seeds)


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The first number from 2 to `MOST` that is enough: a grid in steps of 10 %, then bisection in the step found."""
    low, high = 1, 2
    while not enough(high):
        if high == MOST:
            return None
        low, high = high, min(max(high + 1, high * 11 // 10), MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _critical(df: float, seeds: int, alpha: float, cautious: bool) -> float:
    return critical_value(df, alpha, tail_freedom(df, seeds) if cautious else None)


def _power(effect: float, df: float, critical: float) -> float:
    """Of a two-sided t-test; the effect and the critical value are in standard errors."""
    # Not scipy.special.nctdtr, which is NaN for large effects with few degrees of freedom. The other tail may be NaN
    # where it is 0.
    return float(stats.nct.sf(critical, df, effect) + np.nan_to_num(stats.nct.cdf(-critical, df, effect)))
