"""Says how far a sweep is: a bar on a terminal, and a line for each point that is done or has failed."""

import sys
import time
from collections.abc import Mapping
from statistics import fmean

from tqdm import tqdm

from anamnesis.forecasting.schedule import minutes, wall_seconds


class Progress:
    """Tells how the points of a sweep go on, and about how long the rest takes.

    Args:
        labels: of all points, by name, in the order in which they start.
        expected: the seconds that each is expected to take, by name; 0 if nothing is known.
        done: the seconds that each finished point took, by name; None if unknown.
        jobs: how many points run at once.
    """

    def __init__(
        self, labels: Mapping[str, str], expected: Mapping[str, float], done: Mapping[str, float | None], jobs: int
    ) -> None:
        self.labels, self.expected, self.jobs = labels, expected, jobs
        self.taken = {name: seconds for name, seconds in done.items() if seconds is not None}
        self.ended = set(done)
        self.running: dict[str, float] = {}
        # On a terminal only.
        self.bar = tqdm(
            total=len(labels), initial=len(done), disable=None, file=sys.stderr,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} points, {elapsed}{postfix}",
        )  # fmt: skip

    def started(self, name: str) -> None:
        self.running[name] = time.monotonic()

    def waits(self) -> None:
        """Called again and again."""
        self.bar.set_postfix_str(self._left())

    def finished(self, name: str, seconds: float | None) -> None:
        if seconds is not None:
            self.taken[name] = seconds
        took = "" if seconds is None else f": {minutes(seconds)}"
        self._end(name, f"{self.labels[name]}{took}")

    def failed(self, name: str, message: str) -> None:
        self._end(name, f"{self.labels[name]} failed: {message}")

    def said(self, line: str) -> None:
        tqdm.write(line)

    def close(self) -> None:
        self.bar.close()

    def seconds_left(self) -> float | None:
        """Until all points are done; None as long as nothing is known."""
        known = [name for name in self.taken if self.expected.get(name)]
        pace = sum(self.taken[name] for name in known) / sum(self.expected[name] for name in known) if known else 1.0
        left = []
        for name in self.labels:
            if name in self.ended:
                continue
            if self.expected.get(name):
                whole = pace * self.expected[name]
            elif self.taken:
                whole = fmean(self.taken.values())
            else:
                return None
            begun = self.running.get(name)
            left.append(whole if begun is None else max(whole - (time.monotonic() - begun), 0.0))
        return wall_seconds(left, self.jobs)

    def _end(self, name: str, what: str) -> None:
        self.ended.add(name)
        self.running.pop(name, None)
        left = self._left()
        tqdm.write(f"[{len(self.ended)}/{len(self.labels)}] {what}{f'; {left}' if left else ''}")
        self.bar.set_postfix_str(left, refresh=False)
        self.bar.update()

    def _left(self) -> str:
        seconds = self.seconds_left()
        return f"about {minutes(seconds)} left" if seconds else ""
