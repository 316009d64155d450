"""A forecast: seconds by kind of stage, and the time of a whole run that follows from them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anamnesis.files import read_json, write_json
from anamnesis.machine import processor
from anamnesis.methods.keeping import pays, reports_read
from anamnesis.settings.reading import Experiment

# The last forecast.
FILE = Path("scratch/forecast.json")

# Sections that no time depends on.
TIMELESS = ("verdict", "seeds", "methods", "launch")


@dataclass(frozen=True)
class Forecast:
    """What the stages are expected to take.

    Attributes:
        key: of the parameters and the machine that it holds for.
        seconds: by kind of stage (`train@ema`, `evaluate_general@ema`, `base_text`), each stage alone.
        peak_gigabytes: the largest resident memory of one stage.
        disk_gigabytes: what the run writes below the project's folder.
        cases: the numbers of questions, prompts, texts and reports that measures rest on, by measure, if known.
    """

    key: str
    seconds: Mapping[str, float]
    peak_gigabytes: float
    disk_gigabytes: float
    cases: Mapping[str, int]


def key_of(experiment: Experiment, jobs: int) -> str:
    """Names the parameters that a forecast depends on, and the machine."""
    values = {name: value for name, value in experiment.values.items() if name not in TIMELESS}
    used = [sorted(experiment.methods), len(experiment.seeds), values, processor(), jobs]
    return hashlib.sha256(json.dumps(used, sort_keys=True, default=str).encode()).hexdigest()[:16]


def keeps_states(experiment: Experiment, corpus: int) -> bool:
    """Whether the stage `teacher` keeps the frozen teacher's states on a training part of `corpus` reports."""
    of = experiment.optimization
    read = reports_read(of.max_steps, of.batch_size, of.gradient_accumulation_steps, experiment.static_runs)
    return pays(read, corpus)


def save_forecast(forecast: Forecast, file: Path) -> None:
    write_json(file, asdict(forecast))


def load_forecast(file: Path, key: str) -> Forecast | None:
    """The forecast in the file if it is the one for `key`."""
    if not file.is_file():
        return None
    values: dict[str, Any] = read_json(file)
    return Forecast(**values) if values.get("key") == key else None


def trainings(experiment: Experiment) -> list[str]:
    """The runs (`ema-0`) in the order in which `make repro` trains them: chains, then those of the last methods."""
    runs = [f"{method}-{seed}" for method in experiment.methods for seed in experiment.seeds][::-1]
    return sorted(runs, key=lambda run: -len(experiment.methods[run.rpartition("-")[0]].domains))


def evaluations(experiment: Experiment) -> list[str]:
    """The runs in the order in which `make repro` evaluates them: those with the most models first.

    Long stages first and short ones last leave no core idle at the end.
    """
    models = {
        method: whole + shares / 2 for method in experiment.methods for whole, shares in [experiment.models_of(method)]
    }
    return sorted(trainings(experiment), key=lambda run: models[run.rpartition("-")[0]], reverse=True)


def stages_of(experiment: Experiment) -> list[str]:
    """The stages of the run's trainings and evaluations, in the order in which `make repro` starts them."""
    return [
        *(f"train@{run}" for run in trainings(experiment)),
        *(f"{name}@{run}" for run in evaluations(experiment) for name in ("evaluate_general", "evaluate_domain")),
        *("evaluate_base_general", "evaluate_base_domain"),
    ]
