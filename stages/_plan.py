"""Before `make repro`: note which stages will run, and if they take long, time a few steps first (make forecast)."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from dvc.repo import Repo

from anamnesis.errors import InputError
from anamnesis.files import read_json, write_json
from anamnesis.forecasting.forecast import FILE, key_of, load_forecast, stages_of
from anamnesis.forecasting.schedule import expected, kind_of, wall_seconds
from anamnesis.forecasting.shapes import shape_of
from anamnesis.forecasting.steps import step_flops
from anamnesis.hashes import digest
from anamnesis.methods.inputs import (
    HELD_OUT_FILES,
    files_of_domains,
    inputs_of,
    needed,
    needed_domains,
    training_files,
)
from anamnesis.publishing.repository import Repository
from anamnesis.settings.reading import Experiment, read_experiment
from stages import ROOT
from stages._paths import DOMAINS, INPUTS, NEEDS, SHARED_INPUTS
from stages._progress import DONE, PLAN, Plan
from stages._stage import stage

# A run with more work ahead is timed before it starts, in seconds.
LONG = 15 * 60
# The stages that make shared inputs of another name.
MADE_BY = {"general_text": "knowledge", "held_out_text": "knowledge"}
# A guess of what a thread of a processor computes, in FLOP/s, and of a report's tokens. They only decide on timing.
RATE, TOKENS = 40e9, 290


@click.command(help=__doc__)
@stage
def main() -> None:
    try:
        begin()
    except InputError as error:
        # Such as DVC's lock, which another process holds. The run only says less of how far it is.
        click.echo(f"This run has no plan and no forecast: {error}", err=True)


def jobs_of_make() -> int:
    """How many stages `make` runs at once: its -j, or the two of `make repro` without one."""
    found = re.search(r"(?:^|\s)-j(\d+)", os.environ.get("MAKEFLAGS", ""))
    return int(found[1]) if found else 2


def begin() -> None:
    """Note the stages that will run; print a forecast if they take long."""
    for file in (PLAN, DONE):
        (ROOT / file).unlink(missing_ok=True)
    experiment, jobs, started = read_experiment(ROOT), jobs_of_make(), time.time()
    planned = planned_stages(experiment)
    if not planned:
        return
    key = key_of(experiment, jobs)
    ahead = [one for one in stages_of(experiment) if one in planned]
    forecast = load_forecast(ROOT / FILE, key)
    seconds = expected(ahead, forecast.seconds) if forecast else [rough_seconds(experiment, one) for one in ahead]
    if wall_seconds(seconds, jobs) > LONG:
        # In a process of its own, since it imports torch. A failure is no reason not to run the stages: the one that
        # fails says why.
        subprocess.run([sys.executable, "-m", "commands.forecast", "--short"], cwd=ROOT, check=False)
        forecast = load_forecast(ROOT / FILE, key)
    plan = Plan(started, jobs, in_order(planned, stages_of(experiment)), dict(forecast.seconds) if forecast else {})
    write_json(ROOT / PLAN, plan._asdict())


def in_order(planned: set[str], long: list[str]) -> list[str]:
    """As `make repro` starts them: short ones, trainings, evaluations, the summary."""
    first = sorted(planned - {*long, "summarize"})
    return [*first, *(one for one in long if one in planned), *({"summarize"} & planned)]


def planned_stages(experiment: Experiment) -> set[str]:
    """The stages that are not up to date, and all that follow from them."""
    stale = set(Repository(ROOT).stale_stages())
    with Repo(str(ROOT)) as repo:
        graph = repo.index.graph
        changing = {one for one in stale if not writes_the_same(experiment, one)}
        todo, reached = [one for one in graph if one.addressing in changing], set()
        while todo:
            one = todo.pop()
            if one not in reached:
                reached.add(one)
                todo += [
                    after for after in graph.predecessors(one) if follows(experiment, after.addressing, one.addressing)
                ]
        return {one.addressing for one in reached} | stale


def writes_the_same(experiment: Experiment, stage: str) -> bool:
    """Whether a stage is stale but its outputs are not: `inputs` depends on files that only one method may read."""
    name, _, method = stage.partition("@")
    if name != "inputs":
        return False
    arm = experiment.methods[method]
    outputs = {
        f"{method}.json": training_files(arm, SHARED_INPUTS, DOMAINS),
        f"{method}.held_out.json": files_of_domains(arm, DOMAINS, HELD_OUT_FILES),
    }
    return all(says(ROOT / INPUTS / file, paths) for file, paths in outputs.items())


def says(file: Path, paths: Mapping[str, Path]) -> bool:
    """Whether a file that `inputs` wrote has the hashes of these paths, as far as they exist."""
    there = {name: ROOT / path for name, path in paths.items() if (ROOT / path).exists()}
    return file.is_file() and bool(read_json(file) == {name: digest(path) for name, path in there.items()})


def follows(experiment: Experiment, stage: str, before: str) -> bool:
    """Whether a stage may be stale because of one that it depends on: some write what they wrote before."""
    name, _, method = stage.partition("@")
    made = needed(experiment.methods.values(), experiment.fisher)
    domains = needed_domains(experiment.methods.values())
    if before == "needs":
        return was_needed(name) != (domains if name == "domains" else name in made)
    if before == "domains":
        if name == "inputs":
            return bool(experiment.methods[method].other_domains)
        return bool(domains or was_needed("domains"))
    if name == "inputs":
        return before in {MADE_BY.get(one, one) for one in inputs_of(experiment.methods[method])}
    if (before, name) == ("rehearsal", "fisher"):
        return experiment.fisher.text == "generated"
    return before != "rehearsal" or "rehearsal" in made


def was_needed(name: str) -> Any:
    """What the stage `needs` said of an input, or of the domains; None if it has not run."""
    file = ROOT / NEEDS / f"{name}.json"
    return read_json(file) if file.is_file() else None


def rough_seconds(experiment: Experiment, name: str) -> float:
    """A guess for a stage that nothing was timed of; unknown sizes count as large."""
    if not name.startswith("train@") or not experiment.methods[kind_of(name).removeprefix("train@")].train:
        return 0.0
    shape, of = shape_of(experiment.model.source), experiment.optimization
    if shape is None or experiment.compute.device != "cpu":
        return float(LONG * len(stages_of(experiment)))
    step = of.batch_size * of.gradient_accumulation_steps
    method = name.removeprefix("train@").rpartition("-")[0]
    tuner, domains = experiment.tuner_of(method), len(experiment.methods[method].domains)
    work = step_flops(shape, tuner, step, min(TOKENS, of.max_length), TOKENS // 5, "none")
    return domains * of.max_steps * work / (RATE * experiment.compute.threads)


if __name__ == "__main__":
    main()
