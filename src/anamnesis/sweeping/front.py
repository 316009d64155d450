"""The Pareto front of adaptation against forgetting, and how much of the plane each method reaches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anamnesis.sweeping.outcomes import Array, Change, Outcomes

# Of the bootstrap.
TIMES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Volume:
    """What one method's points reach.

    Attributes:
        method: its name.
        points: how many points it has; more points reach more.
        volume: its hypervolume with a 95 % interval.
        share: of what all methods reach together.
    """

    method: str
    points: int
    volume: Change
    share: float


@dataclass(frozen=True)
class Front:
    """The front of a sweep.

    Attributes:
        reference: the forgetting and the adaptation of the point that hypervolumes are measured from.
        on_front: for each point, whether no other is better on one axis and not worse on the other.
        in_resamples: for each point, the share of the resamples in which it is on the front.
        volumes: by method, the largest first.
        whole: the hypervolume of all methods together.
    """

    reference: tuple[float, float]
    on_front: Sequence[bool]
    in_resamples: Sequence[float]
    volumes: Sequence[Volume]
    whole: Change


def front_of(found: Outcomes, seed: int = 0) -> Front:
    """The front, with intervals by a bootstrap over seeds and cases.

    Each resample draws seeds, questions and reports with replacement, the same for all points: they are paired. The
    estimates are means of normalized jackknife pseudovalues, as in `analysis.statistics`. With one seed only cases are
    drawn. The reference point is the base's adaptation, 0, and the largest forgetting of all points; it is the same in
    all resamples.

    Args:
        found: the points.
        seed: of the bootstrap.
    """
    forgetting = np.array([one.forgetting.estimate for one in found.points])
    adaptation = np.array([one.adaptation.estimate for one in found.points])
    reference = (float(forgetting.max()), 0.0)
    lost, gained = resampled(found, TIMES, seed)
    of_method = {method: [one.point.method == method for one in found.points] for method in found.methods}

    def change(chosen: npt.ArrayLike) -> Change:
        rows = np.asarray(chosen, dtype=bool)
        estimate = hypervolume(forgetting[rows], adaptation[rows], reference)
        drawn = [hypervolume(f, a, reference) for f, a in zip(lost[rows].T, gained[rows].T, strict=True)]
        return Change(estimate, *percentiles(drawn))

    whole = change(np.ones(len(found.points)))
    volumes = [
        Volume(method, sum(rows), volume, volume.estimate / whole.estimate if whole.estimate else 0.0)
        for method, rows in of_method.items()
        for volume in [change(rows)]
    ]
    drawn = np.stack([nondominated(f, a) for f, a in zip(lost.T, gained.T, strict=True)])  # (TIMES, P)
    return Front(
        reference,
        nondominated(forgetting, adaptation).tolist(),
        drawn.mean(axis=0).tolist(),
        sorted(volumes, key=lambda one: -one.volume.estimate),
        whole,
    )


def nondominated(forgetting: Array, adaptation: Array) -> npt.NDArray[np.bool_]:
    """For each point, whether no other forgets no more and adapts no less, and is better on one axis. (P,)"""
    no_worse = (forgetting[:, None] <= forgetting) & (adaptation[:, None] >= adaptation)
    better = (forgetting[:, None] < forgetting) | (adaptation[:, None] > adaptation)
    return np.logical_not((no_worse & better).any(axis=0))


def hypervolume(forgetting: Array, adaptation: Array, reference: tuple[float, float]) -> float:
    """The area of the plane that the points dominate, up to a reference point (Zitzler & Thiele 1999).

    That is the union of the rectangles between each point and the reference; a point that forgets more or adapts less
    than the reference adds nothing. In the unit of one axis times that of the other.

    Args:
        forgetting, adaptation: of the points. (P,)
        reference: the forgetting and adaptation of the reference point.
    """
    inside = (forgetting < reference[0]) & (adaptation > reference[1])
    if not inside.any():
        return 0.0
    order = np.argsort(forgetting[inside])
    along = forgetting[inside][order]
    reached = np.maximum.accumulate(adaptation[inside][order]) - reference[1]
    widths = np.diff(np.append(along, reference[0]))
    return float((widths * reached).sum())


def resampled(found: Outcomes, times: int, seed: int) -> tuple[Array, Array]:
    """Forgetting and adaptation of the points in resamples of seeds and cases. (P, times) each"""
    rng = np.random.default_rng(seed)
    lost, gained = (np.stack([getattr(one, name) for one in found.points]) for name in ("lost", "gained"))  # (P, S, C)
    seeds = _counts(rng, lost.shape[1], times)
    return _means(lost, seeds, _counts(rng, lost.shape[2], times)), _means(
        gained, seeds, _counts(rng, gained.shape[2], times)
    )


def percentiles(values: npt.ArrayLike) -> tuple[float, float]:
    """The ends of a percentile interval."""
    low, high = np.quantile(np.asarray(values), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _counts(rng: np.random.Generator, size: int, times: int) -> Array:
    """How often each of `size` is drawn in each resample, as a share. (times, size)"""
    return rng.multinomial(size, np.full(size, 1 / size), times) / size


def _means(values: Array, seeds: Array, cases: Array) -> Array:
    """(P, S, C), (times, S), (times, C) -> (P, times)"""
    return np.einsum("psb,bs->pb", values @ cases.T, seeds)
