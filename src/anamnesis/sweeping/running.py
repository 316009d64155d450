"""Runs the points of a sweep that are not done yet, and goes on where an earlier attempt was killed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Protocol

from anamnesis.errors import InputError
from anamnesis.sweeping.queue import Queue, Shared, States, Task, message_in
from anamnesis.sweeping.store import Store

LOST = "the worker that ran it has ended (killed, or out of memory); the next `make sweep` tries it again"
NO_WORKER = "no worker ran it; the next `make sweep` tries it again"


class Listener(Protocol):
    """Is told how the sweep goes on."""

    def started(self, name: str) -> None: ...
    def finished(self, name: str, seconds: float | None) -> None: ...
    def failed(self, name: str, message: str) -> None: ...
    def said(self, line: str) -> None: ...
    def waits(self) -> None: ...


@dataclass
class Runner:
    """One attempt at a sweep.

    Attributes:
        root: the checkout.
        queue: in a copy of it.
        store: where results are kept.
        shared: stages that are run once, before all points.
        listener: is told how it goes on.
        about: of each task, by name: what is written down with its results.
        jobs: how many tasks run at once.
        interval: seconds between two looks at the queue.
    """

    root: Path
    queue: Queue
    store: Store
    shared: Shared
    listener: Listener
    about: Mapping[str, Mapping[str, Any]]
    jobs: int
    interval: float = 3.0
    since: dict[str, float | None] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def run(self, tasks: Sequence[Task]) -> dict[str, str]:
        """Run the tasks without results, and return the reasons of those that failed, by name.

        Raises:
            InputError: what all tasks share cannot be made, or DVC starts no workers.
        """
        self.store.forget_logs()
        before = self._left_behind()
        if before is not None:
            self._collect(before, [task for task in tasks if not self.store.has(task.name)])
        missing = {task.name: task for task in self._pending({task.name: task for task in tasks})}
        if before is not None and missing and self._goes_on(before, missing):
            self.listener.said("The workers of an earlier `make sweep` are still at it; going on with them.")
            self.since = dict.fromkeys(before.running)
            self._record_failures(before, missing)
            self._put([task for name, task in missing.items() if name not in _in_hand(before)])
        elif missing:
            self.queue.make(self.root, self.shared, self.store.folder / "shared.log")
            self._put(list(missing.values()))
        if missing:
            self.queue.start(self.jobs)
            self._watch(missing)
        self.queue.remove()
        return self.failures

    def _left_behind(self) -> States | None:
        """What an earlier attempt left in the queue."""
        if not self.queue.ready:
            return None
        try:
            return self.queue.states()
        except JSONDecodeError:
            # DVC was killed while it wrote a file of the queue. What is finished is in DVC's cache, and quickly redone.
            return None

    def _goes_on(self, before: States, missing: Mapping[str, Task]) -> bool:
        """Whether workers of an earlier attempt are at tasks that are still wanted, and at no others."""
        at = before.queued | before.running
        return bool(at) and at <= missing.keys() and self.queue.works()

    def _put(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self.queue.put(task)

    def _watch(self, tasks: Mapping[str, Task]) -> None:
        """Collect the results of the tasks until each is done or has failed."""
        progressed = True
        while pending := self._pending(tasks):
            works = self.queue.works()
            states = self.queue.states()
            for name in sorted(states.running - self.since.keys()):
                self.since[name] = time.monotonic()
                self.listener.started(name)
            self._collect(states, pending)
            self._record_failures(states, {task.name: task for task in pending})
            left = self._pending(tasks)
            progressed = progressed or len(left) < len(pending)
            if not works and left:
                for task in left:
                    if task.name not in states.queued:
                        self._fail(task.name, LOST)
                    elif not progressed:
                        self._fail(task.name, NO_WORKER)
                if self._pending(tasks):
                    # What a killed worker had started is in nobody's hands.
                    self.queue.stop()
                    self.queue.start(self.jobs)
                    progressed = False
            elif left:
                self.listener.waits()
                time.sleep(self.interval)

    def _pending(self, tasks: Mapping[str, Task]) -> list[Task]:
        return [task for name, task in tasks.items() if name not in self.failures and not self.store.has(name)]

    def _collect(self, states: States, tasks: Sequence[Task]) -> None:
        for task in tasks:
            if (reference := states.done.get(task.name)) is None:
                continue
            begun = self.since.get(task.name)
            seconds = None if begun is None else round(time.monotonic() - begun, 1)
            try:
                fetch = partial(self.queue.fetch, reference, task.results)
                self.store.save(task.name, fetch, {**self.about[task.name], "seconds": seconds})
            except InputError as error:
                self._fail(task.name, str(error))
                continue
            self.listener.finished(task.name, seconds)

    def _record_failures(self, states: States, tasks: Mapping[str, Task]) -> None:
        for name, log in states.failed.items():
            if name in tasks and name not in self.failures:
                self.store.keep_log(name, log)
                self._fail(name, message_in(log))

    def _fail(self, name: str, message: str) -> None:
        self.failures[name] = message
        self.listener.failed(name, message)


def _in_hand(states: States) -> set[str]:
    return {*states.queued, *states.running, *states.failed}
