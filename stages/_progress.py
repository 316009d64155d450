"""Say how far `make repro` is: begin before it, and one line after each command that ran a stage.

`make repro` calls this. What was planned and what is done is kept in scratch/, from where each call reads it; nothing
runs in the background. Where everything is up to date, nothing is said.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from dvc.repo import Repo

from anamnesis.costs import COSTS, Cost, read_costs
from anamnesis.files import read_json, write_json
from anamnesis.forecasting.forecast import (
    FILE,
    expected,
    key_of,
    kind_of,
    load_forecast,
    minutes,
    stages_of,
    wall_seconds,
)
from anamnesis.forecasting.shapes import flops, shape_of
from anamnesis.publishing.repository import Repository
from anamnesis.settings.reading import Experiment, read_experiment
from stages import ROOT
from stages._paths import SCRATCH
from stages._stage import stage

PLAN = SCRATCH / "progress.json"
# One line a finished stage, with the time, in seconds.
DONE = SCRATCH / "progress.done"
# A run with more work ahead is timed before it starts, in seconds.
LONG = 15 * 60
# A guess of what a thread of a processor computes, in FLOP/s, and of a report's tokens. They only decide on timing.
RATE, TOKENS = 40e9, 290


@click.command(help=__doc__)
@click.option("--start", is_flag=True, help="Note what will run; time it first if that takes long.")
@click.argument("finished", nargs=-1)
@stage
def main(start: bool, finished: tuple[str, ...]) -> None:
    if start:
        begin()
    elif (ROOT / PLAN).is_file() and (line := progress_after(finished, jobs_of_make())):
        click.echo(line)


def jobs_of_make() -> int:
    """How many stages `make` runs at once: its -j, or the two of `make repro` without one."""
    found = re.search(r"(?:^|\s)-j(\d+)", os.environ.get("MAKEFLAGS", ""))
    return int(found[1]) if found else 2


def begin() -> None:
    """Note the stages that will run; print a forecast if they take long."""
    for file in (PLAN, DONE):
        (ROOT / file).unlink(missing_ok=True)
    planned = planned_stages()
    if not planned:
        return
    experiment, jobs = read_experiment(ROOT), jobs_of_make()
    write_json(ROOT / PLAN, {"started": time.time(), "stages": planned})
    ahead = [one for one in stages_of(experiment) if one in planned]
    forecast = load_forecast(ROOT / FILE, key_of(experiment, jobs))
    seconds = expected(ahead, forecast.seconds) if forecast else [rough_seconds(experiment, one) for one in ahead]
    if wall_seconds(seconds, jobs) > LONG:
        # In a process of its own, since it imports torch. A failure is no reason not to run the stages: the one that
        # fails says why.
        subprocess.run([sys.executable, "-m", "commands.forecast", "--short"], cwd=ROOT, check=False)


def planned_stages() -> list[str]:
    """The stages that are not up to date, and all that follow from them."""
    stale = Repository(ROOT).stale_stages()
    with Repo(str(ROOT)) as repo:
        graph = repo.index.graph
        todo, reached = [one for one in graph if one.addressing in stale], set()
        while todo:
            one = todo.pop()
            if one not in reached:
                reached.add(one)
                todo += graph.predecessors(one)
        return sorted(one.addressing for one in reached)


def rough_seconds(experiment: Experiment, name: str) -> float:
    """A guess for a stage that nothing was timed of; unknown sizes count as large."""
    if not name.startswith("train@"):
        return 0.0
    shape, of = shape_of(experiment.model.source), experiment.optimization
    if shape is None or experiment.compute.device != "cpu":
        return float(LONG * len(stages_of(experiment)))
    step = of.batch_size * of.gradient_accumulation_steps
    work = flops(shape, step, min(TOKENS, of.max_length), TOKENS // 5, "none", experiment.tuner.r or 0)
    return of.max_steps * work / (RATE * experiment.compute.threads)


def progress_after(finished: Sequence[str], jobs: int) -> str | None:
    """The line to print after these stages; None if they were up to date."""
    plan, now = read_json(ROOT / PLAN), time.time()
    before = done_so_far(ROOT / DONE)
    with (ROOT / DONE).open("a", encoding="utf-8") as file:
        file.writelines(f"{now} {name}\n" for name in finished)
    costs = {name: cost for name, cost in read_costs(ROOT / COSTS).items() if cost.start.timestamp() >= plan["started"]}
    if not costs.keys() & set(finished):
        return None
    done = {*before, *finished} & set(plan["stages"])
    left = [name for name in in_order(plan["stages"]) if name not in done]
    known = seconds_by_kind(costs)
    line = f"[{len(done)}/{len(plan['stages'])}] {', '.join(finished)} after {minutes(now - plan['started'])}"
    if not left:
        return line
    seconds = expected(left, known)
    # The first ones of those left are running since the last one ended.
    elapsed = now - max(before.values(), default=plan["started"])
    running = [max(one - elapsed, 0.0) for one in seconds[: jobs - 1]]
    remaining = wall_seconds([*running, *seconds[jobs - 1 :]], jobs)
    return f"{line}; about {minutes(remaining)} left" if remaining else line


def done_so_far(file: Path) -> dict[str, float]:
    """When each finished stage ended, by its name."""
    if not file.is_file():
        return {}
    pairs = (line.split(" ", 1) for line in file.read_text(encoding="utf-8").splitlines())
    return {name: float(ended) for ended, name in pairs}


def seconds_by_kind(costs: Mapping[str, Cost]) -> dict[str, float]:
    """From the forecast, and where stages of a kind have finished in this run, their mean."""
    forecast = load_forecast(ROOT / FILE, key_of(read_experiment(ROOT), jobs_of_make()))
    known = dict(forecast.seconds) if forecast else {}
    by_kind: dict[str, list[float]] = {}
    for name, cost in costs.items():
        by_kind.setdefault(kind_of(name), []).append(cost.seconds)
    return known | {kind: sum(of) / len(of) for kind, of in by_kind.items()}


def in_order(stages: Sequence[str]) -> list[str]:
    """As `make repro` starts them: short ones, trainings, evaluations, the summary."""
    order = {name: place for place, name in enumerate(stages_of(read_experiment(ROOT)))}
    last = len(order)
    return sorted(stages, key=lambda name: order.get(name, last if name == "summarize" else -1))


if __name__ == "__main__":
    main()
