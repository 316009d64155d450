"""A sweep of a pipeline that takes no time, as a program that can be killed: `python -m tests.toy_sweep FOLDER`."""

import sys
from functools import partial
from pathlib import Path

from anamnesis.sweeping.queue import Queue, Shared, Task
from anamnesis.sweeping.running import Runner
from anamnesis.sweeping.store import Store
from tests.checkout import commit

# Each stage notes its runs outside of the repository. The training of -1 fails, and the measurement of 2 waits until it
# may go on.
PIPELINE = """
stages:
  begin:
    cmd: echo begin >> {ran} && cp start.txt begin.txt
    deps:
    - start.txt
    outs:
    - begin.txt
  train:
    cmd: >-
      echo train{weight} >> {ran} && if [ {weight} = -1 ]; then echo "Error: weight is -1, raise it."; exit 1; fi;
      echo {weight} > model.txt; echo {weight} > curve.txt
    deps:
    - begin.txt
    params:
    - weight
    outs:
    - model.txt
    - curve.txt:
        cache: false
  measure:
    cmd: >-
      echo measure{weight} >> {ran}; while [ {weight} = 2 -a ! -e {go} ]; do sleep 0.1; done;
      mkdir -p metrics && cat model.txt own/mine.txt > score.txt && cat model.txt > metrics/base.json
    deps:
    - model.txt
    - own/mine.txt
    params:
    - weight
    outs:
    - score.txt
    - metrics/base.json:
        cache: false
"""
# Git ignores it.
OWN = "own/mine.txt"
RESULTS = (Path("score.txt"), Path("metrics/base.json"))
WEIGHTS = (1, -1, 2)


class Heard:
    """Keeps and prints what a sweep says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, name: str) -> None:
        self.said(f"started {name}")

    def finished(self, name: str, seconds: float | None) -> None:
        self.said(f"finished {name}")

    def failed(self, name: str, message: str) -> None:
        self.said(f"failed {name}: {message}")

    def waits(self) -> None:
        """Says nothing."""

    def said(self, line: str) -> None:
        self.lines.append(line)
        print(line, flush=True)


def make_toy(folder: Path) -> Path:
    """The checkout of the toy pipeline."""
    root = folder / "checkout"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (root / ".dvc" / ".gitignore").write_text("/tmp\n/cache\n/config.local\n")
    (root / ".gitignore").write_text("/scratch/\n/model.txt\n/score.txt\n/begin.txt\n/own/mine.txt\n")
    (root / "own").mkdir()
    (root / "own" / "README.md").write_text("A file of the user's.\n")
    (root / OWN).write_text("mine\n")
    (root / "dvc.yaml").write_text(PIPELINE.format(ran=folder / "ran.txt", go=folder / "go", weight="${weight}"))
    (root / "params.yaml").write_text("weight: 0\n")
    (root / "start.txt").write_text("0\n")
    # What the last run of the checkout left in Git.
    (root / "curve.txt").write_text("0\n")
    commit(root, "toy")
    return root


def tasks() -> list[Task]:
    return [Task(f"w{weight}", partial(write_weight, weight), ("measure",), RESULTS) for weight in WEIGHTS]


def write_weight(weight: int, folder: Path) -> None:
    (folder / "params.yaml").write_text(f"weight: {weight}\n")


def runner(folder: Path, heard: Heard) -> Runner:
    root = folder / "checkout"
    results = root / "scratch" / "sweeps" / "toy"
    about = {task.name: {"weight": weight} for task, weight in zip(tasks(), WEIGHTS, strict=True)}
    shared = Shared(partial(write_weight, 0), ("begin",))
    return Runner(root, Queue(results / "queue", [OWN]), Store(results), shared, heard, about, jobs=1, interval=0.2)


def main() -> None:
    runner(Path(sys.argv[1]), Heard()).run(tasks())


if __name__ == "__main__":
    main()
