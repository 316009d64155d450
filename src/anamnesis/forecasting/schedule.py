"""How long stages take together. Imports next to nothing: `make repro` asks after each stage."""

import heapq
from collections.abc import Iterable, Mapping, Sequence


def kind_of(stage: str) -> str:
    """A stage's name without the seed: `train@ema-0` is a `train@ema`."""
    name, _, run = stage.partition("@")
    return f"{name}@{run.rpartition('-')[0]}" if run else name


def wall_seconds(seconds: Iterable[float], jobs: int) -> float:
    """How long it takes to do these one after the other, `jobs` at a time, each as soon as another is done."""
    busy = [0.0] * jobs
    for one in seconds:
        heapq.heapreplace(busy, busy[0] + one)
    return max(busy)


def expected(stages: Sequence[str], by_kind: Mapping[str, float]) -> list[float]:
    """The seconds of each stage; a kind that is unknown takes as long as the known kinds of its stage, or nothing."""
    found = []
    for stage in stages:
        kind, name = kind_of(stage), stage.partition("@")[0]
        alike = [seconds for other, seconds in by_kind.items() if other.partition("@")[0] == name]
        found.append(by_kind.get(kind, sum(alike) / len(alike) if alike else 0.0))
    return found


def minutes(seconds: float) -> str:
    """`4 min`, or `3 h 05 min` from two hours on."""
    whole = round(seconds / 60)
    if whole < 120:
        return f"{seconds / 60:.1f} min" if whole < 10 else f"{whole} min"
    return f"{whole // 60} h {whole % 60:02} min"
