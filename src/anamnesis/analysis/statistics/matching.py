"""Is an arm better than a smaller update of another? Arms compared at matched adaptation.

Shares of one method's update (0: the base, 0.25, 0.5, 0.75, 1) make a curve from adaptation to capability. Another arm
is compared with the point of that curve where the adaptation is the arm's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from anamnesis.analysis.statistics.estimates import Difference, analysed, tested
from anamnesis.analysis.statistics.samples import Array, Sample
from anamnesis.errors import InputError


@dataclass(frozen=True)
class Matched:
    """The result of `matched_difference`.

    Attributes:
        difference: the arm's capability minus the curve's; None if they cannot be matched. Its `cases` are those of the
            capability.
        place: where on the curve the adaptation is the arm's: 2.5 is halfway between its third and fourth sample.
        reason: why they cannot be matched.
    """

    difference: Difference | None
    place: float | None = None
    reason: str | None = None


def matched_difference(
    curve_adaptation: Sequence[Sample],
    curve_capability: Sequence[Sample],
    arm_adaptation: Sample,
    arm_capability: Sample,
) -> Matched:
    """Compare an arm's capability with that of a curve at the arm's adaptation.

    The curve is the mean over seeds, with straight lines between its samples. Where it reaches the arm's adaptation
    several times, the first time counts. The interval covers seeds, the cases of the adaptation and those of the
    capability: by the delta method, an error of the adaptation counts with the slope of the curve, and the result is a
    contrast of pseudovalues on both sets of cases.

    Args:
        curve_adaptation: in order of the share; the first may be the base (fixed).
        curve_capability: of the same models, on other cases.
        arm_adaptation: on the cases of `curve_adaptation`.
        arm_capability: on the cases of `curve_capability`.
    """
    if len(curve_adaptation) != len(curve_capability):
        raise InputError(
            f"a curve has {len(curve_adaptation)} values of adaptation and {len(curve_capability)} of capability: "
            f"measure both for every share."
        )
    seeds = arm_adaptation.seeds
    adaptations = [_rows(sample, seeds, arm_adaptation.cases) for sample in curve_adaptation]
    capabilities = [_rows(sample, seeds, arm_capability.cases) for sample in curve_capability]
    along = [float(rows.mean()) for rows in adaptations]
    wanted = float(arm_adaptation.pseudovalues.mean())
    found = next((k for k, (a, b) in enumerate(pairwise(along)) if a != b and min(a, b) <= wanted <= max(a, b)), None)
    if found is None:
        reason = f"the adaptation, {wanted:.3f}, is outside the curve's, {min(along):.3f} to {max(along):.3f}"
        return Matched(None, reason=reason)
    step = along[found + 1] - along[found]
    weight = (wanted - along[found]) / step
    slope = float(capabilities[found + 1].mean() - capabilities[found].mean()) / step
    on_capability = arm_capability.pseudovalues - _between(capabilities, found, weight)
    # Its mean over seeds is 0, since the arm's adaptation is the curve's at this place.
    on_adaptation = -slope * (arm_adaptation.pseudovalues - _between(adaptations, found, weight))
    return Matched(tested(analysed([on_capability, on_adaptation])), place=found + weight)


def _rows(sample: Sample, seeds: int, cases: int) -> Array:
    """The pseudovalues, those of a fixed model repeated for every seed. (S, C)"""
    if sample.cases != cases or (sample.seeds != seeds and not sample.fixed):
        raise InputError(
            f"a sample of the curve has {sample.seeds} seeds and {sample.cases} cases, the arm {seeds} and {cases}: "
            f"measure both with the same seeds on the same cases."
        )
    return np.broadcast_to(sample.pseudovalues, (seeds, cases))


def _between(samples: Sequence[Array], first: int, weight: float) -> Array:
    return (1 - weight) * samples[first] + weight * samples[first + 1]
