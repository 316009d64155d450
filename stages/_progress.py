"""Say how far `make repro` is: one line after each command that ran a stage.

`make repro` calls this with the stages of the command. What is planned (stages._plan) and what is done is kept in
scratch/, from where each call reads it: nothing runs in the background. Of what was up to date nothing is said.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from anamnesis.costs import COSTS, Cost, read_costs
from anamnesis.files import read_json
from anamnesis.forecasting.schedule import expected, kind_of, minutes, wall_seconds
from stages import ROOT
from stages._paths import SCRATCH

PLAN = SCRATCH / "progress.json"
# One line a finished stage, with the time, in seconds.
DONE = SCRATCH / "progress.done"


class Plan(NamedTuple):
    """What a run is to do.

    Attributes:
        started: when, in seconds.
        jobs: how many stages run at once.
        stages: those that were not up to date, in the order in which they start.
        seconds: the forecast by kind of stage; empty without one.
    """

    started: float
    jobs: int
    stages: list[str]
    seconds: dict[str, float]


def main() -> None:
    if (ROOT / PLAN).is_file() and (line := progress_after(sys.argv[1:])):
        print(line)


def progress_after(finished: Sequence[str]) -> str | None:
    """The line to print after these stages; None if they were up to date, or told of before."""
    plan, now = Plan(**read_json(ROOT / PLAN)), time.time()
    before = done_so_far(ROOT / DONE)
    with (ROOT / DONE).open("a", encoding="utf-8") as file:
        file.writelines(f"{now} {name}\n" for name in finished)
    costs = {name: cost for name, cost in read_costs(ROOT / COSTS).items() if cost.start.timestamp() >= plan.started}
    if not costs.keys() & (set(finished) - before.keys()):
        return None
    done = {*before, *finished} & set(plan.stages)
    left = [name for name in plan.stages if name not in done]
    line = f"[{len(done)}/{len(plan.stages)}] {', '.join(finished)} after {minutes(now - plan.started)}"
    seconds = expected(left, plan.seconds | seconds_by_kind(costs))
    # The first ones of those left are running since the last one ended.
    elapsed = now - max(before.values(), default=plan.started)
    running = [max(one - elapsed, 0.0) for one in seconds[: plan.jobs - 1]]
    remaining = wall_seconds([*running, *seconds[plan.jobs - 1 :]], plan.jobs)
    return f"{line}; about {minutes(remaining)} left" if remaining else line


def done_so_far(file: Path) -> dict[str, float]:
    """When each finished stage ended, by its name."""
    if not file.is_file():
        return {}
    pairs = (line.split(" ", 1) for line in file.read_text(encoding="utf-8").splitlines())
    return {name: float(ended) for ended, name in pairs}


def seconds_by_kind(costs: Mapping[str, Cost]) -> dict[str, float]:
    """Means of the stages that this run has done from their beginning."""
    by_kind: dict[str, list[float]] = {}
    for name, cost in costs.items():
        if not cost.resumed:
            by_kind.setdefault(kind_of(name), []).append(cost.seconds)
    return {kind: sum(of) / len(of) for kind, of in by_kind.items()}


if __name__ == "__main__":
    main()
