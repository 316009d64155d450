"""Seeded faults: do the tests notice a wrong line?

Every fault in mutants.yaml changes one place in one file of a copy of the checkout, and the tests named with it are run
there. A fault is caught if a test fails; it is alive if all pass. Before any fault is applied, each selection of tests
is run on the unchanged copy and must pass.
"""

import multiprocessing
import os
import shlex
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import yaml

from tests.checkout import ROOT, commit, copy_checkout

FAULTS = ROOT / "tests" / "mutants.yaml"
# Imported once by the server that every run is forked from: importing them takes longer than most tests.
PRELOADED = [
    *("datasets", "dvc.repo", "dvclive", "hypothesis", "lm_eval.evaluator", "lm_eval.tasks"),
    *("lm_eval.models.huggingface", "matplotlib.pyplot", "pandas", "peft", "pytest", "sacrebleu", "sklearn.metrics"),
    *("torch", "transformers"),
]
SAID = {0: "alive", 1: "caught"}


@dataclass(frozen=True)
class Fault:
    """One wrong line: `old` occurs once in `file` and becomes `new`; `tests` are arguments of pytest."""

    name: str
    file: str
    old: str
    new: str
    tests: str

    @property
    def room(self) -> str:
        """The part of the code it is in: a package or module of the library, or the stages."""
        parts = Path(self.file).with_suffix("").parts
        return parts[2] if parts[:2] == ("src", "anamnesis") else parts[0]


@dataclass(frozen=True)
class Run:
    """Tests to run; on an unchanged copy if there is no fault."""

    tests: str
    fault: Fault | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    `said` is alive if all tests passed, caught if one failed, out of time, or broken if they could not be run.
    """

    run: Run
    said: str
    seconds: float
    output: str


def load_faults() -> list[Fault]:
    return [Fault(**entry) for entry in yaml.safe_load(FAULTS.read_text(encoding="utf-8"))]


def faulty(fault: Fault, root: Path) -> str:
    """The text of the fault's file in the checkout at `root`, with the fault applied.

    Raises:
        ClickException: `old` does not occur exactly once, or nothing would change.
    """
    text = (root / fault.file).read_text(encoding="utf-8")
    if text.count(fault.old) != 1 or fault.old == fault.new:
        raise click.ClickException(
            f"could not be applied: {fault.name} ({fault.file} has {text.count(fault.old)} places that read "
            f"{fault.old!r}; there must be one, and `new` must differ)"
        )
    return text.replace(fault.old, fault.new)


class Copies:
    """Copies of the checkout, one for each simultaneous run."""

    def __init__(self, folder: Path, number: int, limit: float) -> None:
        """`limit`: seconds that a run may take."""
        self._limit = limit
        self._copies = [folder / str(i) / "checkout" for i in range(number)]
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        for copy in self._copies:
            copy_checkout(copy)
            commit(copy, "copy")
            (copy / ".venv").symlink_to(ROOT / ".venv")

    def outcomes(self, runs: Sequence[Run]) -> Iterator[Outcome]:
        """Run all and yield each outcome as soon as it is ready."""
        waiting, free, running = list(runs), list(self._copies), []
        try:
            while waiting or running:
                while waiting and free:
                    running.append(_Running(self._context, waiting.pop(0), free.pop(), self._limit))
                wait([one.process.sentinel for one in running], timeout=1)
                for one in [one for one in running if one.is_over()]:
                    running.remove(one)
                    free.append(one.copy)
                    yield one.outcome()
        finally:
            for one in running:
                one.outcome()


class _Running:
    """A run that was started in a copy. `outcome` ends it if it is not over, and restores the copy."""

    def __init__(self, context: Any, run: Run, copy: Path, limit: float) -> None:
        self.copy = copy
        self._limit = limit
        self._run = run
        self._output = copy.parent / "output.txt"
        self._output.write_text("")
        if run.fault is not None:
            self._file = copy / run.fault.file
            self._former = self._file.read_text(encoding="utf-8")
            self._file.write_text(faulty(run.fault, copy), encoding="utf-8")
        self._start = time.monotonic()
        self.process = context.Process(target=_pytest, args=(run.tests, copy, self._output))
        self.process.start()

    def is_over(self) -> bool:
        return self.process.exitcode is not None or time.monotonic() - self._start > self._limit

    def outcome(self) -> Outcome:
        said = "out of time" if self.process.exitcode is None else SAID.get(self.process.exitcode, "broken")
        seconds = time.monotonic() - self._start
        # Including processes that the tests started; none may be left behind.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.join()
        if self._run.fault is not None:
            self._file.write_text(self._former, encoding="utf-8")
        return Outcome(self._run, said, seconds, self._output.read_text(encoding="utf-8", errors="replace"))


def _pytest(tests: str, copy: Path, output: Path) -> None:
    """Run pytest as if this process had been started in `copy`, in a process group of its own."""
    os.setsid()
    os.chdir(copy)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # Nothing of the original checkout may be imported.
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path[:] = [path for path in sys.path if Path(path) != ROOT]
    # Python recognizes stale compiled files only by time and size, so it would miss some faults.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    import pytest

    arguments = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    sys.exit(int(pytest.main([*arguments, f"--basetemp={copy.parent / 'tmp'}", *shlex.split(tests)])))


def check_unchanged(copies: Copies, selections: Iterable[str]) -> None:
    """All selections of tests must pass without a fault; otherwise a failure would prove nothing.

    Raises:
        ClickException: some do not.
    """
    failed = []
    for outcome in copies.outcomes([Run(tests) for tests in selections]):
        said = "passed" if outcome.said == "alive" else "not passed"
        click.echo(f"{said:>11} {outcome.seconds:5.1f} s  unchanged: {outcome.run.tests}")
        if said != "passed":
            failed.append(f"{outcome.run.tests}\n{outcome.output[-2000:]}")
    if failed:
        raise click.ClickException("\n\n".join(["these tests do not pass without a fault:", *failed]))


def table(outcomes: Sequence[Outcome]) -> str:
    """A Markdown table of caught and seeded faults by room."""
    faults = [(outcome.run.fault, outcome.said) for outcome in outcomes if outcome.run.fault is not None]
    seeded = Counter(fault.room for fault, _ in faults)
    caught = Counter(fault.room for fault, said in faults if said == "caught")
    rows = [f"| {room} | {caught[room]} | {seeded[room]} |" for room in sorted(seeded)]
    total = f"| all | {caught.total()} | {seeded.total()} |"
    return "\n".join(["| room | caught | seeded |", "|---|---|---|", *rows, total])


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--processes", default=2, show_default=True, help="Faults tried at the same time.")
@click.option("--limit", default=90.0, show_default=True, help="Seconds that the tests of a fault may take.")
def main(names: tuple[str, ...], processes: int, limit: float) -> None:
    faults = load_faults()
    if unknown := set(names) - {fault.name for fault in faults}:
        raise click.ClickException(f"tests/mutants.yaml has no fault named {', '.join(sorted(unknown))}.")
    faults = [fault for fault in faults if not names or fault.name in names]
    for fault in faults:
        faulty(fault, ROOT)
    with TemporaryDirectory() as folder:
        copies = Copies(Path(folder), processes, limit)
        check_unchanged(copies, dict.fromkeys(fault.tests for fault in faults))
        outcomes = []
        for outcome in copies.outcomes([Run(fault.tests, fault) for fault in faults]):
            click.echo(f"{outcome.said:>11} {outcome.seconds:5.1f} s  {outcome.run.fault.name}")
            outcomes.append(outcome)
    missed = [outcome for outcome in outcomes if outcome.said != "caught"]
    for outcome in missed:
        click.echo(f"\n{outcome.said}: {outcome.run.fault}")
        click.echo("" if outcome.said == "alive" else outcome.output[-2000:])
    click.echo(f"\n{table(outcomes)}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
