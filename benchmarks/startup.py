"""The seconds that each kind of stage spends before its work: on its imports, its parameters, the base model.

Wall time of fresh processes, the median of several; of a matrix the first stage stands for all. `--whole` also runs
each stage once, in a copy of the checkout, for the share of that time in the whole; it needs a checkout after
`make repro`. DVC's own part, of a stage that is up to date, is in the last line.
"""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from shutil import copytree, ignore_patterns
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, time

import click
from dvc.repo import Repo
from dvc.stage import PipelineStage

from benchmarks import ROOT

BASE = "models/base"
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

# What a stage does first. `-m` is what Python calls the program while it looks for the module: by that the stages tell
# that they are run, and not imported.
PROBE = f"""
import gc, importlib, json, sys, time
module, stage, loads = sys.argv[1:]
sys.argv[0] = "-m"
importlib.import_module(module)
gc.freeze()
gc.enable()
times = [time.time()]
if stage != "check":
    from stages._stage import Parameters
    parameters = Parameters(stage)
    times.append(time.time())
if loads == "True":
    from pathlib import Path
    from anamnesis.modeling.loading import load_base
    from anamnesis.settings.compute import Compute
    load_base(Path("{BASE}"), parameters.section("compute", Compute))
    times.append(time.time())
print(json.dumps(times))
"""


def first_of_each_kind() -> list[PipelineStage]:
    with Repo(str(ROOT)) as repo:
        stages = {stage.name.partition("@")[0]: stage for stage in reversed(list(repo.index.stages))}
    return list(reversed(stages.values()))


def startup(stage: PipelineStage) -> list[float]:
    """Seconds of imports, parameters and base model, as far as the stage needs them."""
    module = stage.cmd.partition(" -m ")[2].split()[0]
    loads = any(dep.def_path == BASE for dep in stage.deps) and (ROOT / BASE).is_dir()
    started = time()
    probe = subprocess.run(
        [sys.executable, "-c", PROBE, module, stage.name, str(loads)],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=True,
    )  # fmt: skip
    times = [started, *json.loads(probe.stdout.splitlines()[-1])]
    return [after - before for before, after in pairwise(times)]


def run(command: str, folder: Path) -> float:
    """Wall seconds of a command."""
    start = perf_counter()
    done = subprocess.run(command, shell=True, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"{command} failed: {done.stderr.strip().rpartition(chr(10))[2]}")
    return perf_counter() - start


@click.command(help=__doc__)
@click.option("--repeat", default=3, show_default=True)
@click.option("--whole", is_flag=True, help="Run every stage once, in a copy.")
def main(repeat: int, whole: bool) -> None:
    print("| stage | imports, s | parameters, s | base model, s | start-up, s | whole stage, s | share |")
    print("|---|" + "---|" * 6)
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        if whole:
            copytree(ROOT, copy, ignore=ignore_patterns(".venv", "cache", "scratch", "tmp", "__pycache__"))
        for stage in first_of_each_kind():
            parts = [median(seconds) for seconds in zip(*(startup(stage) for _ in range(repeat)), strict=True)]
            cells = [f"{part:.2f}" for part in parts] + [""] * (3 - len(parts)) + [f"{sum(parts):.2f}"]
            took = run(stage.cmd, copy) if whole else None
            cells += ["", ""] if took is None else [f"{took:.1f}", f"{sum(parts) / took:.0%}"]
            print(f"| {stage.name} | " + " | ".join(cells) + " |", flush=True)
    one, three = (
        median(run(f"dvc repro --dry -s {stages}", ROOT) for _ in range(repeat))
        for stages in ("check", "check synthesize knowledge")
    )
    print(f"\n`dvc repro -s` of one stage {one:.2f} s, of three in one call {three:.2f} s")


if __name__ == "__main__":
    main()
