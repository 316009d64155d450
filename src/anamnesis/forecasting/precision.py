"""The smallest differences that an experiment of this size can show, from the variances of a finished one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb
from pathlib import Path
from typing import Any

from anamnesis.analysis.comparison import ALPHA, is_large
from anamnesis.analysis.measures import all_measures
from anamnesis.analysis.statistics import SEEDS_AND_CASES, Components, Estimate, detectable_with
from anamnesis.files import read_json
from anamnesis.settings.evaluation import EXAMS, TEXT_METRICS, capability_of
from anamnesis.settings.reading import Experiment
from anamnesis.settings.sections import read_yaml
from anamnesis.settings.verdict import adaptation_of

# Taken if no finished experiment has this profile.
OTHERWISE = "default"


@dataclass(frozen=True)
class Planned:
    """A measure of the planned experiment.

    Attributes:
        measure: its key.
        cases: how many it will have; None if that is unknown.
        family: how many comparisons of two methods Holm's adjustment covers together with one on this measure.
        shelved: whether the finished experiment has it.
    """

    measure: str
    cases: int | None
    family: int
    shelved: bool

    @property
    def cautious(self) -> bool:
        return is_large(self.family)


@dataclass(frozen=True)
class Detectable:
    """The smallest difference between two methods that is significant after the adjustment with a power of 80 %.

    share: whether the measure lies between 0 and 1, and so no difference can be larger than 1.
    """

    first: str
    second: str
    measure: str
    difference: float
    share: bool


def shelved_like(shelf: Path, experiment: Experiment) -> Path | None:
    """The finished experiment whose variances are taken; None without any.

    One of the same profile, otherwise the default. Among those of the profile, one with several seeds comes first,
    because a single seed does not show how much seeds vary; then the one that trained most alike; then the last.
    """
    entries = [file.parent for file in sorted(shelf.glob("*/entry.json"))]
    science = {folder: read_yaml(folder / "params.yaml") for folder in entries}
    alike = [folder for folder in entries if science[folder]["profile"] == experiment.profile]
    if alike:
        return max(
            alike,
            key=lambda folder: (
                len(science[folder]["seeds"]) > 1,
                _settings_alike(folder, experiment),
                read_json(folder / "entry.json")["shelved"],
                folder.name == OTHERWISE,
            ),
        )
    return next((folder for folder in entries if folder.name == OTHERWISE), None)


def _settings_alike(folder: Path, experiment: Experiment) -> int:
    """How many settings of the optimization the finished experiment shares with the planned one."""
    finished = read_yaml(folder / "profiles" / f"{experiment.profile}.yaml")["optimization"]
    return sum(finished.get(name) == value for name, value in asdict(experiment.optimization).items())


def plan(experiment: Experiment, shelved: Path, cases: Mapping[str, int]) -> list[Planned]:
    """The measure of forgetting, then that of adaptation.

    Args:
        experiment: the planned one.
        shelved: the folder of the finished one.
        cases: numbers of cases of the planned one, by measure.
    """
    rows = _differences(shelved)
    measured = {row["measure"] for row in rows}
    adaptation = adaptation_of(experiment.verdict.adaptation, experiment.corpus.label)
    forgetting = capability_of(experiment.verdict.capability, experiment.evaluation.measures)
    pairs = comb(len(experiment.methods), 2)
    others = compared(experiment, measured) - {forgetting}
    families = {forgetting: pairs, adaptation: pairs * len(others)}
    return [Planned(one, cases.get(one), family, one in measured) for one, family in families.items()]


def compared(experiment: Experiment, shelved: Collection[str]) -> set[str]:
    """The measures on which the planned experiment compares its methods.

    Those of other tasks are known only when these are loaded: they are those on the shelf, or else one a task.
    """
    of, corpus = experiment.evaluation, experiment.corpus
    left_out = {*EXAMS.values(), *(scored.measure for scored in TEXT_METRICS.values())}
    left_out -= {*of.measures, *(TEXT_METRICS[metric].measure for metric in of.text_metrics)}
    if of.backend == "vllm":
        left_out.add("base_text_kl_nats")
    own = {one.key for one in all_measures(corpus.label, corpus.critical_categories) if one.better} - left_out
    for task in of.other_tasks:
        own |= {key for key in shelved if key.startswith(f"{task}_")} or {task}
    return own


def detectable(experiment: Experiment, shelved: Path, planned: Sequence[Planned]) -> list[Detectable]:
    """By pair of the experiment's methods that the finished one has as well, on what is known of the measures.

    Args:
        experiment: the planned one, with at least two seeds.
        shelved: the folder of the finished one.
        planned: the result of `plan`.
    """
    seeds, label = len(experiment.seeds), experiment.corpus.label
    shares = {one.key for one in all_measures(label, ()) if one.kind in ("accuracy", "macro_f1")}
    return [
        Detectable(
            row["first"], row["second"], one.measure, _difference(row, seeds, one.cases, one), one.measure in shares
        )
        for one in planned
        if one.cases is not None
        for row in _differences(shelved)
        if row["measure"] == one.measure and {row["first"], row["second"]} <= experiment.methods.keys()
    ]


def _differences(shelved: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_json(shelved / "metrics" / "details.json")["differences"]
    return rows


def _difference(row: Mapping[str, Any], seeds: int, cases: int, one: Planned) -> float:
    return detectable_with(_estimate(row), seeds, cases, alpha=ALPHA / one.family, cautious=one.cautious)


def _estimate(row: Mapping[str, Any]) -> Estimate:
    """As `summarize` wrote it. Of the seeds' standard deviation only matters whether there is one."""
    return Estimate(
        estimate=row["estimate"],
        low=row["low"],
        high=row["high"],
        se=row["se"],
        df=row["df"],
        seeds=row["seeds"],
        cases=row["cases"],
        covers=SEEDS_AND_CASES,
        std=None if row["seeds"] == 1 else 0.0,
        components=Components(**row["components"]),
    )
