"""What a sweep will take: from a forecast, from the last run, or else counted."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from statistics import fmean

from anamnesis.costs import Cost
from anamnesis.errors import InputError
from anamnesis.forecasting.forecast import FILE, key_of, load_forecast, stages_of
from anamnesis.forecasting.schedule import expected, kind_of, minutes, wall_seconds
from anamnesis.machine import gpus
from anamnesis.publishing.repository import Repository
from anamnesis.publishing.spending import costs_of_outputs
from anamnesis.settings.reading import Experiment, read_experiment
from anamnesis.sweeping.grid import Point, Sweep

# A guess of what a thread of a processor computes, in FLOP/s, as before a long `make repro`.
RATE = 40e9

# Seconds by kind of stage (`train@ema`).
ByKind = Mapping[str, float]


def expectation(
    root: Path, sweep: Sweep, points: Sequence[Point], experiments: Sequence[Experiment], jobs: int
) -> tuple[dict[str, float], str]:
    """The seconds of each point by its name, 0 if nothing is known, and where they are from.

    Args:
        root: the checkout.
        sweep: the content of its file.
        points: its points.
        experiments: of the points.
        jobs: how many points run at once.
    """
    measured, source = _measured(root, sweep, jobs)
    by_kind = [measured] * len(points)
    if not any(kind.startswith("train@") for kind in measured):
        by_kind = [_counted(experiment) for experiment in experiments]
        source = f"counted, not measured: `make forecast PROFILE={sweep.profile}` times a few steps"
    seconds = {
        point.name: sum(expected(own_stages(experiment), known))
        for point, experiment, known in zip(points, experiments, by_kind, strict=True)
    }
    return seconds, source


def own_stages(experiment: Experiment) -> list[str]:
    """The trainings and evaluations of a point, without those of the base, which all points share."""
    return [stage for stage in stages_of(experiment) if "@" in stage]


def _measured(root: Path, sweep: Sweep, jobs: int) -> tuple[ByKind, str]:
    """What is known of the experiment in params.yaml, if it has the sweep's profile."""
    present = read_experiment(root)
    if present.profile != sweep.profile or sweep.scale:
        return {}, ""
    if (forecast := load_forecast(root / FILE, key_of(present, jobs))) is not None:
        return forecast.seconds, "by the last `make forecast`"
    repository = Repository(root)
    try:
        costs, _ = costs_of_outputs(repository)
        stale = set(repository.stale_stages())
    except InputError:
        # Such as DVC's lock, which another process holds: no reason not to start.
        return {}, ""
    return _means(cost for name, cost in costs.items() if name not in stale), "by the last run"


def _means(costs: Iterable[Cost]) -> ByKind:
    by_kind: dict[str, list[float]] = {}
    for cost in costs:
        by_kind.setdefault(kind_of(cost.stage), []).append(cost.seconds)
    return {kind: fmean(seconds) for kind, seconds in by_kind.items()}


def _counted(experiment: Experiment) -> ByKind:
    """From the model's shape; empty if that or the GPU is not known."""
    # Imports torch.
    from anamnesis.forecasting.counting import GPUS, UTILISATION, Gpu, count

    machine: Gpu | None = Gpu(RATE * experiment.compute.threads / UTILISATION, inf)
    if experiment.compute.device == "cuda":
        machine = next((gpu for name, gpu in GPUS.items() if any(name in own for own in gpus())), None)
    if machine is None:
        return {}
    try:
        return count(experiment, machine).seconds
    except InputError:
        # The model's shape is known when its weights are here.
        return {}


def announcement(
    points: Sequence[Point], done: Collection[str], seconds: Mapping[str, float], source: str, jobs: int
) -> str:
    """What is ahead, in one line.

    Args:
        points: of a sweep.
        done: the names of those that are done.
        seconds: expected, by name; 0 where nothing is known.
        source: where they are from.
        jobs: how many points run at once.
    """
    left = [point for point in points if point.name not in done]
    ahead = f"{len(points)} points, {len(done)} of them done" if done else f"{len(points)} points"
    if not left:
        return f"{ahead}."
    trainings = sum(len(point.seeds) for point in left)
    line = f"{ahead}; {trainings} trainings ahead, {jobs} points at a time"
    wall = wall_seconds([seconds[point.name] for point in left], jobs)
    if not wall:
        return f"{line}. How long they take is known when the first is done."
    return f"{line}: about {minutes(wall)} ({source})."
