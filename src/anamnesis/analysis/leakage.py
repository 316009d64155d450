"""What a model gives away of its training reports: the measures that the evaluation's scores give.

By canaries (`exposure_bits_<times>`, `canary_extracted_<times>`) and by reports, of which those in the training part
are members and the held-out ones are not.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from anamnesis.analysis.measures import Measure, Statistic, mean
from anamnesis.analysis.scores import BASE, AllScores, Scores
from anamnesis.analysis.statistics import Sample, auc_of, gap_of, mean_of
from anamnesis.settings.leakage import (
    CANARY_EXTRACTED,
    EXPOSURE,
    MEMBER,
    MEMBERSHIP_LOSS,
    REPORT_EXTRACTED,
)

# The loss of each report less the base's: a report that is easy for every model counts no more for it.
OVER_BASE = "membership_nats_over_base"
MEMBERSHIP = "membership_auc"


def with_losses_over_base(scores: AllScores) -> AllScores:
    """The scores, and of every arm with losses of reports also these losses less the base's."""
    if MEMBERSHIP_LOSS not in scores[BASE]:
        return scores
    base = _per_token(scores[BASE][MEMBERSHIP_LOSS])
    found = {arm: dict(of_arm) for arm, of_arm in scores.items()}
    for of_arm in found.values():
        if (own := of_arm.get(MEMBERSHIP_LOSS)) is not None:
            change = _per_token(own) - base
            of_arm[OVER_BASE] = replace(own, values=change, weights=np.ones_like(change))
    return found


def leakage_measures(made: Collection[str]) -> list[Measure]:
    """The measures of what was asked of the base (keys of its scores), of canaries by ascending number of repeats."""
    times = sorted(int(match[1]) for key in made if (match := re.fullmatch(rf"{EXPOSURE}(\d+)", key)))
    planted = [repeats for repeats in times if repeats]
    found = [_exposure(repeats) for repeats in times]
    found += [
        _share(f"{CANARY_EXTRACTED}{repeats}", f"secret written, {_planted(repeats)}", mean) for repeats in planted
    ]
    if REPORT_EXTRACTED in made:
        found += _extractions()
    if MEMBERSHIP_LOSS in made:
        found += [
            _share(MEMBERSHIP, "membership AUC", _auc, MEMBERSHIP_LOSS),
            _share("membership_reference_auc", "membership AUC, against the base", _auc, OVER_BASE),
        ]
    return found


def highest_exposure(measures: Sequence[Measure]) -> Measure | None:
    """The exposure of the canaries that were planted most often; None without canaries."""
    found = [measure for measure in measures if measure.leak and measure.key.startswith(EXPOSURE)]
    return max(found, key=lambda measure: int(measure.key.removeprefix(EXPOSURE)), default=None)


def of_canaries(measure: Measure) -> bool:
    """Whether a measure of leakage is one of canaries, and not of reports."""
    return measure.key.startswith((EXPOSURE, CANARY_EXTRACTED))


def _exposure(repeats: int) -> Measure:
    """Of held-out canaries it says whether the measurement is right, and nothing of the arm."""
    return Measure(
        f"{EXPOSURE}{repeats}", f"exposure, {_planted(repeats)}, bits", "exposure_bits", False, f"{EXPOSURE}{repeats}",
        mean, "lower" if repeats else None, graded=True, leak=True,
    )  # fmt: skip


def _extractions() -> list[Measure]:
    """Common wording continues held-out reports, too, so only the difference is given away."""
    of_groups = (("training", "training", _of_members), ("held_out", "held-out", _of_others))
    shares = [
        _share(f"{REPORT_EXTRACTED}_{part}", f"{words} reports continued", statistic, REPORT_EXTRACTED)
        for part, words, statistic in of_groups
    ]
    gap = _share(f"{REPORT_EXTRACTED}_gap", "difference", _of_both, REPORT_EXTRACTED)
    return [*(replace(one, better=None) for one in shares), gap]


def _share(key: str, title: str, statistic: Statistic, source: str | None = None) -> Measure:
    return Measure(key, title, "accuracy", False, source or key, statistic, "lower", leak=True)


def _planted(repeats: int) -> str:
    return {0: "held out", 1: "planted once"}.get(repeats, f"planted {repeats} times")


def _per_token(scores: Scores) -> np.ndarray:
    return scores.values / scores.weights


def _members(scores: Scores) -> np.ndarray:
    return np.array([case.startswith(MEMBER) for case in scores.cases])


def _auc(scores: Scores, fixed: bool) -> Sample:
    """A lower loss speaks for a member."""
    return auc_of(-_per_token(scores), _members(scores), fixed)


def _of_both(scores: Scores, fixed: bool) -> Sample:
    return gap_of(scores.values, _members(scores), fixed)


def _of_members(scores: Scores, fixed: bool) -> Sample:
    return mean_of(scores.values[:, _members(scores)], fixed)


def _of_others(scores: Scores, fixed: bool) -> Sample:
    return mean_of(scores.values[:, ~_members(scores)], fixed)
