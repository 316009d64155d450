"""Seeded faults: whether the tests notice a wrong line.

Every fault of mutants.yaml replaces one place of one file in a copy of the checkout, and the tests named with it are
run there. A fault is caught if a test fails; it is alive if all pass. Before any fault is applied, each selection of
tests is run on the unchanged copy and must pass.
"""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

import click
import yaml

from tests.checkout import ROOT, commit, copy_checkout

FAULTS = ROOT / "tests" / "mutants.yaml"
LIMIT_SECONDS = 90


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
class Outcome:
    """What came of one fault. `said`: caught, alive, out of time, or broken where the tests could not even start."""

    fault: Fault
    said: str
    seconds: float


def load_faults() -> list[Fault]:
    return [Fault(**entry) for entry in yaml.safe_load(FAULTS.read_text(encoding="utf-8"))]


def faulty(fault: Fault, root: Path) -> str:
    """The text of the fault's file in the checkout at `root`, with the fault.

    Raises:
        ValueError: `old` does not occur exactly once, or nothing would change.
    """
    text = (root / fault.file).read_text(encoding="utf-8")
    if text.count(fault.old) != 1 or fault.old == fault.new:
        raise ValueError(
            f"could not be applied: {fault.name} ({fault.file} has {text.count(fault.old)} places that read "
            f"{fault.old!r}; there must be one, and `new` must differ)"
        )
    return text.replace(fault.old, fault.new)


class Copies:
    """Copies of the checkout, as many as there are processes; each runs one selection of tests at a time."""

    def __init__(self, folder: Path, number: int) -> None:
        self._free: SimpleQueue[Path] = SimpleQueue()
        for i in range(number):
            copy = folder / str(i) / "checkout"
            copy_checkout(copy)
            commit(copy, "copy")
            (copy / ".venv").symlink_to(ROOT / ".venv")
            self._free.put(copy)

    def outcome(self, fault: Fault) -> Outcome:
        copy = self._free.get()
        file = copy / fault.file
        try:
            file.write_text(faulty(fault, copy), encoding="utf-8")
            said, seconds, _ = _run(fault.tests, copy)
        finally:
            shutil.copy2(ROOT / fault.file, file)
            self._free.put(copy)
        return Outcome(fault, {"failed": "caught", "passed": "alive"}.get(said, said), seconds)

    def unchanged(self, tests: str) -> tuple[str, float, str]:
        """What the tests say of the unchanged checkout, in how many seconds, and the end of their output."""
        copy = self._free.get()
        try:
            return _run(tests, copy)
        finally:
            self._free.put(copy)


def _run(tests: str, copy: Path) -> tuple[str, float, str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"]
    command += ["--hypothesis-seed=0", f"--basetemp={copy.parent / 'tmp'}", *tests.split()]
    start = time.monotonic()
    # Compiled files are told apart by time and size only: a fault of the same second and size would not be read.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        output, _ = process.communicate(timeout=LIMIT_SECONDS)
        said = {0: "passed", 1: "failed"}.get(process.returncode, "broken")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        said = "out of time"
    return said, time.monotonic() - start, output.decode(errors="replace")[-2000:]


def check_tests_pass(faults: Iterable[Fault], copies: Copies, pool: ThreadPoolExecutor) -> None:
    """Every selection of tests passes where there is no fault; otherwise nothing would follow from a failure.

    Raises:
        ClickException: one does not.
    """
    selections = list(dict.fromkeys(fault.tests for fault in faults))
    for tests, (said, seconds, output) in zip(selections, pool.map(copies.unchanged, selections), strict=True):
        click.echo(f"{said:>11} {seconds:5.0f} s  without a fault: {tests}")
        if said != "passed":
            raise click.ClickException(f"without a fault these tests are {said}: {tests}\n{output}")


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown: caught and seeded faults by room."""
    seeded = Counter(outcome.fault.room for outcome in outcomes)
    caught = Counter(outcome.fault.room for outcome in outcomes if outcome.said == "caught")
    rows = [f"| {room} | {caught[room]} | {seeded[room]} |" for room in sorted(seeded)]
    total = f"| all | {caught.total()} | {seeded.total()} |"
    return "\n".join(["| room | caught | seeded |", "|---|---|---|", *rows, total])


def _error(fault: Fault) -> ValueError | None:
    try:
        faulty(fault, ROOT)
    except ValueError as error:
        return error
    return None


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--processes", default=2, show_default=True, help="Faults tried at the same time.")
def main(names: tuple[str, ...], processes: int) -> None:
    faults = load_faults()
    if unknown := set(names) - {fault.name for fault in faults}:
        raise click.ClickException(f"tests/mutants.yaml has no fault named {', '.join(sorted(unknown))}.")
    faults = [fault for fault in faults if not names or fault.name in names]
    unapplied = [str(error) for fault in faults if (error := _error(fault))]
    if unapplied:
        raise click.ClickException("\n".join(unapplied))
    outcomes = []
    with TemporaryDirectory() as folder, ThreadPoolExecutor(processes) as pool:
        copies = Copies(Path(folder), processes)
        check_tests_pass(faults, copies, pool)
        for outcome in pool.map(copies.outcome, faults):
            click.echo(f"{outcome.said:>11} {outcome.seconds:5.0f} s  {outcome.fault.name}")
            outcomes.append(outcome)
    click.echo(f"\n{table(outcomes)}")
    missed = [outcome for outcome in outcomes if outcome.said != "caught"]
    for outcome in missed:
        click.echo(f"{outcome.said}: {outcome.fault.name} ({outcome.fault.file}, {outcome.fault.tests})")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
