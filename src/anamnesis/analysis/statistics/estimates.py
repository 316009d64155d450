"""Estimates with intervals over seeds and cases, for an arm and for the difference of two.

The analysis is the one of Obuchowski & Rockette (1995, Commun Stat Simul 24:285), which for two arms equals that of
Dorfman, Berbaum & Metz (1992): a two-way analysis of variance, seeds by cases, of the differences in pseudovalues, both
factors random. With MS the mean squares, S seeds and C cases, the variance of the mean is

    (MS(seed) + max(MS(case) - MS(residual), 0)) / (S·C),

and Hillis (2007, Stat Med 26:596) gives its degrees of freedom, (S - 1)·(numerator / MS(seed))². With 3 seeds that
interval covers the truth in 92 to 95 % of experiments: where MS(seed) is small by chance, the variance is too small and
its degrees of freedom are too many at once. Two bounds repair this. Their sizes were chosen by simulation
(`python -m benchmarks.statistics`): the coverage is 93 to 97 % whichever part of the variance is the largest.

- In the variance, MS(seed) counts as at least `FLOOR`·MS(residual). Its expectation is at least MS(residual), but a
  bound there covers more than 99 % if the seeds do not differ.
- In the degrees of freedom, the cases' part counts less `DOUBT` of its standard errors, and `SHARED` of it counts as
  the seeds'. This limits them to (S - 1)/`SHARED`².

The bounds are calibrated for the 95 % interval. Holm's adjustment of a large family asks for a p of a thousandth. With
3 seeds, the same degrees of freedom then give up to 9 times too many false positives, because seeds may agree by
chance. A large family takes `cautious_p`: it is 0.05 where the interval ends at 0, and beyond it falls as slowly as
Student's t with S - 1 degrees of freedom, those of the seeds.

Everything below is in units of the variance of the mean: mean squares divided by S·C. So a difference that rests on
two sets of cases (`matching`) is analysed by the same few lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import TypeVar

import numpy as np
from scipy import special

from anamnesis.analysis.statistics.samples import Array, Sample
from anamnesis.errors import InputError

CONFIDENCE = 0.95
FLOOR = 1 / 4
SHARED = 1 / 4
DOUBT = 1

CASES = "cases"
SEEDS_AND_CASES = "seeds and cases"


@dataclass(frozen=True)
class Components:
    """What the seeds, the cases, and seeds by cases add to the variance of an estimate with its S seeds and C cases.

    These are σ²(seed)/S, σ²(case)/C and σ²(residual)/(S·C), none below 0. With one seed the cases hold everything.
    """

    seed: float
    case: float
    residual: float


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and cases with its 95 % interval.

    Attributes:
        se: standard error.
        df: degrees of freedom of Student's t.
        covers: what the interval covers, `CASES` (one seed, or a fixed model) or `SEEDS_AND_CASES`.
        std: sample standard deviation of the seeds' values; None with one seed.
    """

    estimate: float
    low: float
    high: float
    se: float
    df: float
    seeds: int
    cases: int
    covers: str
    std: float | None
    components: Components


@dataclass(frozen=True)
class Difference(Estimate):
    """The second arm minus the first, with two-sided p-values against a difference of 0.

    Attributes:
        p: with the degrees of freedom of the interval.
        cautious_p: for a large family of tests; see the module's docstring.
    """

    p: float
    cautious_p: float


E = TypeVar("E", bound=Estimate)


@dataclass(frozen=True)
class Spread:
    """The variance of an estimate and its degrees of freedom."""

    variance: float
    df: float


@dataclass(frozen=True)
class Part:
    """What one set of cases adds to the variance of a mean over seeds.

    Attributes:
        residual: σ²(residual)/(S·C), of which MS(residual) is S·C times as much.
        case: σ²(case)/C.
        cases: C.
    """

    residual: float
    case: float
    cases: int

    def squared_error(self, seeds: int) -> float:
        """The variance of `case`, which is the difference of two mean squares."""
        return 2 * (self.case + self.residual) ** 2 / (self.cases - 1) + 2 * self.residual**2 / self.most(seeds)

    def most(self, seeds: int) -> int:
        """The degrees of freedom of `residual`."""
        return (seeds - 1) * (self.cases - 1)


def spread(seed: float, parts: Sequence[Part], seeds: int) -> Spread:
    """The variance of a mean over at least 2 seeds; see the module's docstring.

    Args:
        seed: the variance of the seeds' values, divided by their number: MS(seed)/(S·C).
        parts: what each set of cases adds.
        seeds: S.
    """
    residual, case = sum(part.residual for part in parts), sum(part.case for part in parts)
    bounded = max(seed, FLOOR * residual)
    certain = max(case - DOUBT * sqrt(sum(part.squared_error(seeds) for part in parts)), 0.0)
    most = float(sum(part.most(seeds) for part in parts))
    if seed + certain == 0:
        return Spread(bounded + case, most)
    ratio = (bounded + certain) / (seed + SHARED * certain)
    return Spread(bounded + case, min((seeds - 1) * ratio**2, most))


def interval(sample: Sample) -> Estimate:
    """An arm's own value. The interval of a share is Wilson's, which stays between 0 and 1.

    Wilson's interval is taken with the number of independent cases that would have the same standard error, and with
    Student's t (Dean & Pagano 2015, J Surv Stat Methodol 3:484).
    """
    estimate = analysed([sample.pseudovalues])
    if sample.gap and estimate.se == 0:
        return _open(estimate, sample)
    if not sample.share:
        return estimate
    share, quantile = estimate.estimate, _quantile(estimate.df)
    cases = float(sample.cases)
    if estimate.se > 0:
        cases = share * (1 - share) / estimate.se**2
    else:
        quantile = _quantile(np.inf)
    squared = quantile**2 / cases
    centre = (share + squared / 2) / (1 + squared)
    half = sqrt(squared * (share * (1 - share) + squared / 4)) / (1 + squared)
    return replace(estimate, low=max(centre - half, 0.0), high=min(centre + half, 1.0))


def difference(first: Sample, second: Sample) -> Difference:
    """Second minus first, paired by seed and by case; a fixed model is paired with every seed.

    Raises:
        InputError: the arms do not have the same seeds or cases.
    """
    if first.cases != second.cases:
        raise InputError(
            f"two arms were measured on {first.cases} and {second.cases} cases: evaluate both on the same."
        )
    if first.seeds != second.seeds and not (first.fixed or second.fixed):
        raise InputError(
            f"two arms have {first.seeds} and {second.seeds} seeds: train and evaluate both with the same."
        )
    found = tested(analysed([second.pseudovalues - first.pseudovalues]))
    shares = (first.share and second.share) or (first.gap and second.gap)
    return _open(found, first) if shares and found.se == 0 and found.estimate == 0 else found


def _open(found: E, sample: Sample) -> E:
    """No case differs: up to so large a share of all cases may, with a probability of 5 % (the "rule of three").

    Of a gap, all cases are those of one of its two groups.
    """
    most = 1 - (1 - CONFIDENCE) ** (1 / (sample.cases // 2 if sample.gap else sample.cases))
    return replace(found, low=found.estimate - most, high=found.estimate + most)


def mean_difference(pairs: Sequence[tuple[Sample, Sample]]) -> Estimate:
    """The mean over pairs of the second minus the first; each pair is on cases of its own, all have the same seeds.

    Raises:
        InputError: they have not.
    """
    seeds = {sample.seeds for pair in pairs for sample in pair}
    if len(seeds) != 1:
        raise InputError(f"arms have {sorted(seeds)} seeds: train and evaluate all with the same.")
    return analysed([(second.pseudovalues - first.pseudovalues) / len(pairs) for first, second in pairs])


def analysed(contrasts: Sequence[Array]) -> Estimate:
    """The mean of a contrast, summed over sets of cases.

    Args:
        contrasts: a matrix (S, C) for each set of cases; the seeds are the same in all.
    """
    values = np.sum([contrast.mean(axis=1) for contrast in contrasts], axis=0)  # (S,)
    estimate, seeds = float(values.mean()), len(values)
    std = float(values.std(ddof=1)) if seeds > 1 else None
    parts = [_part(contrast) for contrast in contrasts]
    case = sum(part.case for part in parts)
    if std is None:
        squares = sum(part.case**2 / (part.cases - 1) for part in parts)
        found = Spread(case, case**2 / squares if squares > 0 else float(parts[0].cases - 1))
        components = Components(0.0, case, 0.0)
    else:
        residual = sum(part.residual for part in parts)
        found = spread(std**2 / seeds, parts, seeds)
        components = Components(max(std**2 / seeds - residual, 0.0), case, residual)
    low, high = _around(estimate, found)
    return Estimate(
        estimate=estimate,
        low=low,
        high=high,
        se=sqrt(found.variance),
        df=found.df,
        seeds=seeds,
        cases=contrasts[0].shape[1],
        covers=CASES if std is None else SEEDS_AND_CASES,
        std=std,
        components=components,
    )


def _part(contrast: Array) -> Part:
    seeds, cases = contrast.shape
    by_case = contrast.mean(axis=0)
    variance = float(by_case.var(ddof=1)) / cases  # MS(case) / (S·C)
    if seeds == 1:
        return Part(0.0, variance, cases)
    rest = contrast - by_case - contrast.mean(axis=1, keepdims=True) + contrast.mean()
    residual = float((rest**2).sum()) / ((seeds - 1) * (cases - 1)) / (seeds * cases)
    return Part(residual, max(variance - residual, 0.0), cases)


def tested(estimate: Estimate) -> Difference:
    """With its p-values; without any variance, a difference of 0 is certain and so is any other."""
    if estimate.se == 0:
        certain = float(estimate.estimate == 0)
        return Difference(**vars(estimate), p=certain, cautious_p=certain)
    effect, tail_df = abs(estimate.estimate) / estimate.se, tail_freedom(estimate.df, estimate.seeds)
    p = 2 * float(special.stdtr(estimate.df, -effect))
    scaled = effect / _quantile(estimate.df) * _quantile(tail_df)
    return Difference(**vars(estimate), p=p, cautious_p=max(p, 2 * float(special.stdtr(tail_df, -scaled))))


def critical_value(df: float, alpha: float, tail_df: float | None = None) -> float:
    """The number of standard errors at which `p` is alpha; with `tail_df`, at which `cautious_p` is."""
    if tail_df is None:
        return float(special.stdtrit(df, 1 - alpha / 2))
    return float(special.stdtrit(tail_df, 1 - alpha / 2)) * _quantile(df) / _quantile(tail_df)


def tail_freedom(df: float, seeds: int) -> float:
    """The degrees of freedom of `cautious_p`: with one seed nothing is said of other seeds."""
    return float(seeds - 1) if seeds > 1 else df


def _around(estimate: float, found: Spread) -> tuple[float, float]:
    half = _quantile(found.df) * sqrt(found.variance)
    return estimate - half, estimate + half


def _quantile(df: float) -> float:
    return float(special.stdtrit(df, (1 + CONFIDENCE) / 2))
