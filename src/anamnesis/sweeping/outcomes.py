"""What the points of a sweep reach and what they forget, with intervals, from their scores by case."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anamnesis.analysis.measures import Measure, all_measures, task_measures
from anamnesis.analysis.scores import BASE, KINDS, Scores, load_scores
from anamnesis.analysis.statistics import Difference, Sample, difference
from anamnesis.errors import InputError
from anamnesis.files import read_json
from anamnesis.settings.evaluation import capability_of
from anamnesis.settings.verdict import Verdict, adaptation_of
from anamnesis.sweeping.grid import SPLIT

Array = npt.NDArray[np.float64]

KL = "domain_kl_nats"


@dataclass(frozen=True)
class Layout:
    """Where the pipeline writes scores by case and metrics, from the root on."""

    scores: Path
    metrics: Path

    def results(self, method: str, seeds: Sequence[int]) -> list[Path]:
        """The files of a point that are kept."""
        runs = [BASE, *(f"{method}-{seed}" for seed in seeds)]
        return [
            *(self.scores / kind / f"{run}.csv" for kind in KINDS for run in runs),
            *(self.metrics / kind / f"{BASE}.json" for kind in KINDS),
        ]


@dataclass(frozen=True)
class Measured:
    """A point that is done: what was written down with it, and its folder."""

    name: str
    label: str
    method: str
    values: Mapping[str, Any]
    section: Mapping[str, Any]
    seeds: Sequence[int]
    folder: Path


@dataclass(frozen=True)
class Change:
    """An estimate with the ends of its 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float, float]:
        return self.estimate, self.low, self.high


@dataclass(frozen=True, eq=False)
class Outcome:
    """A point, and what came of it against the base.

    Attributes:
        point: what was run.
        forgetting: the loss of the capability.
        adaptation: the gain in the adaptation.
        lost: what each seed and question adds to the forgetting; the mean is the estimate. (S, questions)
        gained: what each seed and report adds to the adaptation. (S, reports)
        adapted: the measure of the adaptation itself, to compare points.
        lost_by_seed: the forgetting of each seed's model. (S,)
        kl_nats: KL(base || model) on the reports, of each seed's model; None if it was not measured. (S,)
    """

    point: Measured
    forgetting: Change
    adaptation: Change
    lost: Array
    gained: Array
    adapted: Sample
    lost_by_seed: Array
    kl_nats: Array | None


@dataclass(frozen=True)
class Outcomes:
    """All points of a sweep that are done.

    Attributes:
        capability: the measure that forgetting is read from.
        adaptation: that of the domain.
        points: in the order of the sweep.
        over_seeds: whether the intervals cover seeds besides cases.
    """

    capability: Measure
    adaptation: Measure
    points: Sequence[Outcome]
    over_seeds: bool

    @property
    def seeds(self) -> Sequence[int]:
        return self.points[0].point.seeds

    @property
    def methods(self) -> list[str]:
        """In the order of the sweep."""
        return list(dict.fromkeys(one.point.method for one in self.points))


def outcomes(
    points: Sequence[Measured],
    layout: Layout,
    label: str,
    settings: Verdict,
    of_chains: Collection[str] = (),
) -> Outcomes:
    """Read and compare the points.

    Args:
        points: at least one.
        layout: where their files are.
        label: name of the category in the keys.
        settings: what forgetting and adaptation are read from.
        of_chains: the labels of further domains.

    Raises:
        InputError: a point was not measured on the validation split, or on other cases than the first, or what
            forgetting is read from was not measured.
    """
    scores = {one.name: _scores(one, layout, of_chains) for one in points}
    base, _ = scores[points[0].name]
    tasks = read_json(points[0].folder / layout.metrics / "general" / f"{BASE}.json")[BASE]["tasks"]
    known = {one.key: one for one in all_measures(label, (), task_measures(tasks, {BASE: base}))}
    made = {key: one for key, one in known.items() if one.source in base}
    lost, gained = capability_of(settings.capability, made), adaptation_of(settings.adaptation, label)
    for key in (lost, gained):
        if key not in made:
            raise InputError(
                f"`{key}` was not measured, and the points cannot be compared: choose another measure in `verdict`."
            )
    axes = made[lost], made[gained]
    for one in points:
        _check_cases(one, scores[one.name], base, axes)
    found = [outcome_of(one, *scores[one.name], axes, made.get(KL)) for one in points]
    return Outcomes(*axes, found, over_seeds=len(points[0].seeds) > 1)


def against(first: Sample, second: Sample, better: str | None) -> tuple[Difference, Change]:
    """How much better the second is than the first: the test, and the change in the direction of better."""
    found = difference(first, second)
    if better == "higher":
        return found, Change(found.estimate, found.low, found.high)
    return found, Change(-found.estimate, -found.high, -found.low)


def _scores(
    one: Measured, layout: Layout, of_chains: Collection[str]
) -> tuple[Mapping[str, Scores], Mapping[str, Scores]]:
    """The base's and the point's, by measure."""
    split = read_json(one.folder / layout.metrics / "domain" / f"{BASE}.json")[BASE]["split"]
    if split != SPLIT:
        raise InputError(f"{one.label} was measured on the {split} split, and a sweep chooses: it must not see it.")
    loaded = load_scores(one.folder / layout.scores, [one.method], one.seeds, of_chains)
    return loaded[BASE], loaded[one.method]


def _check_cases(
    one: Measured,
    scores: tuple[Mapping[str, Scores], Mapping[str, Scores]],
    base: Mapping[str, Scores],
    axes: Sequence[Measure],
) -> None:
    for axis in axes:
        if axis.source not in scores[1] or scores[1][axis.source].cases != base[axis.source].cases:
            raise InputError(
                f"{one.label} was not asked the same questions as the first point: remove {one.folder}, and run the "
                f"sweep again."
            )


def outcome_of(
    one: Measured,
    base: Mapping[str, Scores],
    scores: Mapping[str, Scores],
    axes: tuple[Measure, Measure],
    kl: Measure | None,
) -> Outcome:
    """A point against the base.

    Args:
        one: the point.
        base, scores: of the base and of the point, by measure.
        axes: the capability and the adaptation.
        kl: the distance from the base on reports, if it was measured.
    """
    capability, adaptation = axes
    before = [axis.statistic(base[axis.source], fixed=True) for axis in axes]
    after = [axis.statistic(scores[axis.source], fixed=False) for axis in axes]
    _, kept = against(before[0], after[0], capability.better)
    _, gained = against(before[1], after[1], adaptation.better)
    worse = -1.0 if capability.better == "higher" else 1.0
    better = 1.0 if adaptation.better == "higher" else -1.0
    measured = kl is not None and kl.source in scores
    return Outcome(
        point=one,
        forgetting=Change(-kept.estimate, -kept.high, -kept.low),
        adaptation=gained,
        lost=worse * (after[0].pseudovalues - before[0].pseudovalues),
        gained=better * (after[1].pseudovalues - before[1].pseudovalues),
        adapted=after[1],
        lost_by_seed=worse * (after[0].estimates - before[0].estimates),
        kl_nats=kl.statistic(scores[kl.source], fixed=False).estimates if kl is not None and measured else None,
    )
