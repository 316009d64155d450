"""The smallest differences that an experiment of this size can show, from the variances of a finished one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anamnesis.analysis.statistics import SEEDS_AND_CASES, Components, Estimate, detectable_with
from anamnesis.files import read_json
from anamnesis.settings.evaluation import CAPABILITIES
from anamnesis.settings.reading import Experiment
from anamnesis.settings.sections import read_yaml

# Taken if no finished experiment has this profile.
OTHERWISE = "default"


@dataclass(frozen=True)
class Detectable:
    """The smallest difference between two methods that is significant at 5 % with a power of 80 %."""

    first: str
    second: str
    measure: str
    difference: float


def shelved_like(shelf: Path, profile: str) -> Path | None:
    """The finished experiment whose variances are taken: the last of this profile, else the default; None without."""
    entries = [file.parent for file in sorted(shelf.glob("*/entry.json"))]
    alike = [folder for folder in entries if read_yaml(folder / "params.yaml")["profile"] == profile]
    if alike:
        return max(alike, key=lambda folder: (read_json(folder / "entry.json")["shelved"], folder.name == OTHERWISE))
    return next((folder for folder in entries if folder.name == OTHERWISE), None)


def detectable(experiment: Experiment, shelved: Path, cases: Mapping[str, int]) -> list[Detectable]:
    """By pair of the experiment's methods that the finished one has as well; of forgetting first, then of adaptation.

    Args:
        experiment: the planned one, with at least two seeds.
        shelved: the folder of the finished one.
        cases: numbers of cases of the planned one, by measure.
    """
    details: dict[str, Any] = read_json(shelved / "metrics" / "details.json")
    forgetting = experiment.verdict.capability or next((one for one in CAPABILITIES if _has(details, one)), "exam_acc")
    adaptation = f"{experiment.corpus.label}_macro_f1"
    number = {
        forgetting: cases["base_text_kl_nats" if forgetting == "base_text_kl_nats" else "exam"],
        adaptation: cases["macro_f1"],
    }
    return [
        Detectable(row["first"], row["second"], measure, detectable_with(_estimate(row), len(experiment.seeds), count))
        for measure, count in number.items()
        for row in details["differences"]
        if row["measure"] == measure and {row["first"], row["second"]} <= experiment.methods.keys()
    ]


def _has(details: Mapping[str, Any], measure: str) -> bool:
    return any(row["measure"] == measure for row in details["differences"])


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
