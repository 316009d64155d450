"""DVC's queue of experiments, in a copy of the checkout.

Its workers are processes of their own (`dvc queue start`): they go on if the command that started them is killed. What
DVC 3.67.1 does not do, and this module does:

- A task whose worker was killed stays "Running" for ever, and is never run again. Here it is failed as soon as no
  worker is alive.
- The folder of a killed task stays under .dvc/tmp/exps. Here the whole copy is removed.
- A process that a killed worker had started goes on, and nobody collects its results. Here it is ended with the copy.
"""

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import IO

import psutil
from dvc.repo import Repo
from ruamel.yaml import YAML

from anamnesis.errors import InputError
from anamnesis.publishing.repository import Repository
from anamnesis.publishing.rerunning import environment
from anamnesis.sweeping.snapshot import commit, make_snapshot

# It warns that a queue in files has no host.
logging.getLogger("kombu.connection").setLevel(logging.ERROR)

# The words in the command of a worker, and of the process that starts one and waits for it.
WORKERS = ({"queue-worker"}, {"queue", "start"})
# In the copy: its queue can be used.
READY = Path(".dvc/tmp/sweep")
NO_MESSAGE = "it ended without a message"
# Files of DVC's that are read while a worker writes them.
TRIES = 5


@dataclass(frozen=True)
class Task:
    """One experiment.

    Attributes:
        name: of the experiment in DVC.
        write: writes its parameters into the copy of the checkout.
        targets: the stages to run.
        results: the files of it that are kept.
    """

    name: str
    write: Callable[[Path], None]
    targets: Sequence[str]
    results: Sequence[Path]


@dataclass(frozen=True)
class Shared:
    """Stages that are run once, before all tasks, with the parameters that `write` writes."""

    write: Callable[[Path], None]
    targets: Sequence[str]


@dataclass(frozen=True)
class States:
    """The tasks by state: those done with the reference of their commit, those failed with what they printed."""

    queued: frozenset[str]
    running: frozenset[str]
    done: Mapping[str, str]
    failed: Mapping[str, Path | None]


@dataclass(frozen=True)
class Queue:
    """The queue in `folder`, which is a copy of a checkout.

    Attributes:
        folder: the copy.
        own: paths of the user's, from the root on, that Git ignores and every task needs.
    """

    folder: Path
    own: Sequence[str] = ()

    def make(self, root: Path, shared: Shared, log: Path) -> None:
        """A fresh copy of the checkout `root` with an empty queue, in which the shared stages are done.

        Args:
            root: the checkout.
            shared: what the tasks share.
            log: where the output of the shared stages goes.

        Raises:
            InputError: a shared stage fails.
        """
        self.remove()
        make_snapshot(root, self.folder, self.own)
        if shared.targets:
            shared.write(self.folder)
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as written:
                failed = self._dvc("repro", *shared.targets, output=written)
            if failed:
                raise InputError(f"what all points share cannot be made: {message_in(log)} (see {log})")
            commit(self.folder)
        (self.folder / READY).touch()

    @property
    def ready(self) -> bool:
        """Whether there is a queue, and making it was not cut off."""
        return (self.folder / READY).is_file()

    def put(self, task: Task) -> None:
        """Add a task."""
        task.write(self.folder)
        with chdir(self.folder), Repo(str(self.folder)) as repo:
            repo.experiments.run(queue=True, name=task.name, targets=list(task.targets), copy_paths=list(self.own))

    def start(self, jobs: int) -> None:
        """Start as many workers, less those that run already. They end some seconds after the last task."""
        if self._dvc("queue", "start", "--jobs", str(jobs), output=subprocess.DEVNULL):
            raise InputError(f"`dvc queue start` failed in {self.folder}: try it there to see why.")

    def states(self) -> States:
        """All tasks by state.

        They are read in the order in which a task goes through them, so that none is missed.
        """
        for _ in range(TRIES):
            try:
                return self._states()
            except JSONDecodeError:
                time.sleep(0.2)
        return self._states()

    def _states(self) -> States:
        with Repo(str(self.folder)) as repo:
            queue = repo.experiments.celery_queue
            queued = {entry.name for entry in queue.iter_queued()}
            running = {entry.name for entry in queue.iter_active()}
            done, failed = {}, {}
            for entry, result in queue.iter_done():
                if result is not None and result.ref_info is not None:
                    done[entry.name] = str(result.ref_info)
                else:
                    process = queue.proc.get(entry.stash_rev)
                    failed[entry.name] = Path(process.stdout) if process else None
        ended = {*done, *failed}
        return States(frozenset(queued - running - ended), frozenset(running - ended), done, failed)

    def fetch(self, reference: str, paths: Sequence[Path], to: Path) -> None:
        """Copy outputs of a finished task from DVC's cache to the folder `to`.

        Raises:
            InputError: the task has no such output.
        """
        text = Repository(self.folder).file_at(reference, Path("dvc.lock")) or ""
        stages = (YAML(typ="safe").load(text) or {}).get("stages", {}).values()
        hashes = {out["path"]: out["md5"] for one in stages for out in one.get("outs", [])}
        with Repo(str(self.folder)) as repo:
            for path in paths:
                kept = Path(repo.cache.local.oid_to_path(hashes[str(path)])) if str(path) in hashes else None
                if kept is None or not kept.is_file():
                    raise InputError(f"{path} of {reference} is not in DVC's cache: run the sweep again.")
                (to / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(kept, to / path)

    def processes(self) -> list[psutil.Process]:
        """All that run in the copy: workers, DVC, stages."""
        return [process for process in psutil.process_iter() if _works_in(process, self.folder)]

    def works(self) -> bool:
        """Whether a worker is alive, or about to start."""
        commands = [set(_command(process)) for process in self.processes()]
        return any(words <= command for command in commands for words in WORKERS)

    def stop(self) -> None:
        """End everything that runs in the copy, but a shell that the user has opened there."""
        while found := [one for one in self.processes() if one.pid != os.getpid() and not _owns_a_terminal(one)]:
            for process in found:
                _kill(process)
            psutil.wait_procs(found, timeout=10)

    def remove(self) -> None:
        """End everything that runs in the copy, and remove it; if that is cut off, what is left does not seem ready."""
        if self.folder.exists():
            self.stop()
            (self.folder / READY).unlink(missing_ok=True)
            shutil.rmtree(self.folder)

    def _dvc(self, *arguments: str, output: int | IO[bytes]) -> int:
        """The exit code of a DVC command in the copy, whose output goes to a file."""
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=self.folder, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            check=False,
        )  # fmt: skip
        return done.returncode


def message_in(log: Path | None) -> str:
    """The last sentence about an error in what a task printed. Other lines may hold anything, and are not quoted."""
    lines = _lines(log)
    said = [line for line in lines if line.startswith("Error: ")] or [
        line for line in lines if line.startswith("ERROR")
    ]
    return said[-1].removeprefix("Error: ").strip() if said else NO_MESSAGE


def _lines(log: Path | None) -> list[str]:
    if log is None or not log.is_file():
        return []
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(folder.resolve())
    except (psutil.Error, OSError):
        # Gone, or another user's.
        return False


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _owns_a_terminal(process: psutil.Process) -> bool:
    """Whether it is what a terminal was opened for. Workers have no terminal, and other commands do not own theirs.

    By proc_pid_stat(5): psutil does not see terminals that were opened after its first look. Known on Linux only.
    """
    try:
        after_name = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return False
    session, terminal = map(int, after_name.split()[3:5])
    return session == process.pid and terminal != 0


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
