"""Say before a run what it will take, and what it will be able to show.

Times a few training steps of each method and a batch of each kind of evaluation on this machine, with as many
processes at once as `make repro` uses. With --gpu, or if the profile needs a GPU and there is none, it counts from the
model's shape alone. After a run it prints what the stages really took beside it.
"""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import click
import torch

from anamnesis.costs import Cost
from anamnesis.errors import InputError
from anamnesis.files import read_json, write_json
from anamnesis.forecasting.counting import GPUS, UTILISATION, count, disk_bytes, gpu_named, guesses
from anamnesis.forecasting.forecast import FILE, Forecast, key_of, load_forecast, save_forecast, stages_of
from anamnesis.forecasting.page import arms_table, left_out, precision_lines, totals
from anamnesis.forecasting.precision import detectable, plan, shelved_like
from anamnesis.forecasting.timing import Files, time_experiment
from anamnesis.machine import processor
from anamnesis.publishing.repository import Repository
from anamnesis.publishing.shelf import SHELF
from anamnesis.publishing.spending import costs_of_outputs
from anamnesis.settings.reading import Experiment, read_experiment
from anamnesis.settings.writing import use_profile
from commands import ROOT
from stages._paths import (
    BASE,
    BASE_TEXT,
    CATEGORIES,
    CORPUS,
    EXAM,
    GENERAL_TEXT,
    HELD_OUT_TEXT,
    SCRATCH,
    TRAINING_REPORTS,
)  # fmt: skip
from stages._plan import jobs_of_make
from stages._stage import stage

# What is timed needs these first; a run needs them anyway.
NEEDED = ("check", "synthesize", "corpus", "knowledge", "base", "base_text")


@click.command(help=__doc__)
@click.option("--profile", help="Use this profile, as `make repro PROFILE=` does; a count changes nothing.")
@click.option("--gpu", help=f"Count for this GPU: {', '.join(GPUS)}.")
@click.option("--short", is_flag=True, help="Only the totals, and only if there is no forecast yet.")
@click.option("--worker", type=click.Path(path_type=Path), hidden=True)
@stage
def main(profile: str | None, gpu: str | None, short: bool, worker: Path | None) -> None:
    experiment = read_experiment(ROOT, profile)
    if worker is not None:
        measured = time_experiment(experiment, _files(experiment), lambda line: click.echo(f"  {line}"))
        write_json(worker, asdict(measured))
    elif gpu is not None or (experiment.compute.device == "cuda" and not torch.cuda.is_available()):
        _print_count(experiment, [gpu] if gpu else list(GPUS))
    else:
        if profile is not None:
            for change in use_profile(ROOT, profile):
                click.echo(f"params.yaml: {change}")
        _print_timed(experiment, jobs_of_make(), short)


def _print_count(experiment: Experiment, gpus: list[str]) -> None:
    for name in gpus:
        gpu = gpu_named(name)
        counted = count(experiment, gpu)
        click.echo(
            f"{experiment.profile} on one {name}: counted from the model's shape at {UTILISATION:.0%} of "
            f"{gpu.rate / 1e12:.0f} TFLOP/s. Nothing was measured. Guesses: {guesses(experiment)}.\n\n"
            f"{arms_table(experiment, counted, {})}\n"
        )
        if counted.peak_gigabytes * 1e9 > gpu.memory:
            click.echo(f"It does not fit: a {name} has {gpu.memory / 1e9:.0f} GB.")
        click.echo("\n".join([*totals(experiment, counted, 1, {}), left_out(experiment, counted=True)]) + "\n")
    _print_precision(experiment, counted)


def _print_timed(experiment: Experiment, jobs: int, short: bool) -> None:
    key = key_of(experiment, jobs)
    forecast = load_forecast(ROOT / FILE, key)
    if forecast is None:
        _obtain_needed()
        click.echo(f"Timing a few steps and questions of {experiment.profile}, {jobs} processes at once ...")
        forecast = _timed(experiment, key, jobs)
        save_forecast(forecast, ROOT / FILE)
    costs = {} if short else _costs(experiment)
    click.echo(f"{experiment.profile} on {processor()}, from a few steps and questions:\n")
    click.echo(f"{arms_table(experiment, forecast, costs)}\n")
    click.echo("\n".join([*totals(experiment, forecast, jobs, costs), left_out(experiment, counted=False)]) + "\n")
    if not short:
        _print_precision(experiment, forecast)


def _obtain_needed() -> None:
    """Run the stages that timing needs.

    Raises:
        InputError: one fails; it has said why.
    """
    stale = [name for name in Repository(ROOT).stale_stages() if name in NEEDED]
    missing = [path for path in (BASE, BASE_TEXT, TRAINING_REPORTS, EXAM) if not (ROOT / path).exists()]
    if stale or missing:
        click.echo("Obtaining base and corpus first: dvc repro base_text corpus")
        command = [sys.executable, "-m", "dvc", "repro", "--quiet", "base_text", "corpus"]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise InputError("base and corpus are not there, and nothing can be timed without them: see above.")


def _timed(experiment: Experiment, key: str, jobs: int) -> Forecast:
    """The mean over processes that time everything at once, and so share memory and caches as branches do."""
    folder = SCRATCH / "forecast"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.json" for number in range(jobs)]
    workers = [_worker(file, heard=file == files[0]) for file in files]
    ended = [worker.wait() for worker in workers]
    for code, file in zip(ended, files, strict=True):
        if code:
            raise InputError(f"the timing ended with an error: {said_last(file.with_suffix('.log'))}")
    found = [read_json(file) for file in files]
    one = found[0]
    bytes_of_states = one["supervised_tokens"] * one["hidden_size"] * (4 if experiment.model.dtype == "float32" else 2)
    base = sum(file.stat().st_size for file in BASE.iterdir())
    return Forecast(
        key=key,
        seconds={kind: fmean(of["seconds"][kind] for of in found) for kind in one["seconds"]},
        peak_gigabytes=max(of["peak_gigabytes"] for of in found),
        disk_gigabytes=disk_bytes(experiment, base, one["trained_weights"], bytes_of_states) / 1e9,
        cases=one["cases"],
    )


def _worker(file: Path, heard: bool) -> subprocess.Popen[bytes]:
    """A process that times everything and writes it to the file; what the libraries say goes to a log beside it."""
    command = [sys.executable, "-m", "commands.forecast", "--worker", str(file)]
    with file.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=None if heard else subprocess.DEVNULL, stderr=log)


def said_last(log: Path) -> str:
    """What a worker said last, which is why it ended, and where the rest is; bars are lines of their own."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = next((line.strip() for line in reversed(lines) if line.strip()), "nothing was said.")
    return f"{said.removeprefix('Error: ')} The rest is in {log}."


def _costs(experiment: Experiment) -> dict[str, Cost]:
    """What the stages took that made the present outputs, if these belong to the present parameters."""
    costs, _ = costs_of_outputs(Repository(ROOT))
    if not costs.keys() & set(stages_of(experiment)):
        return {}
    stale = set(Repository(ROOT).stale_stages())
    return {name: cost for name, cost in costs.items() if name not in stale}


def _print_precision(experiment: Experiment, forecast: Forecast) -> None:
    shelved = shelved_like(ROOT / SHELF, experiment)
    if shelved is None:
        return
    profile = next((shelved / "profiles").glob("*.yaml")).stem
    planned = plan(experiment, shelved, forecast.cases)
    found = detectable(experiment, shelved, planned) if len(experiment.seeds) > 1 else []
    source = f"{SHELF}/{shelved.name} (profile {profile})"
    click.echo("\n".join(precision_lines(found, planned, len(experiment.seeds), source)))


def _files(experiment: Experiment) -> Files:
    held_out = CORPUS / f"{experiment.split}.jsonl"
    return Files(BASE, TRAINING_REPORTS, held_out, CATEGORIES, EXAM, HELD_OUT_TEXT, BASE_TEXT, GENERAL_TEXT)


if __name__ == "__main__":
    main()
