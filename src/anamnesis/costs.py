"""How long each stage ran and how much memory it needed. A file per stage, data/costs/<stage>.json, holds its last run.

The files are no part of the pipeline: DVC does not track them, and Git ignores them. They hold names and numbers only.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path

from anamnesis.files import read_json, write_json

COSTS = Path("data/costs")


@dataclass(frozen=True)
class Cost:
    """One successful run of a stage.

    Attributes:
        stage: its name in DVC, such as `train@ema-0`.
        started: when its process started, UTC, as ISO 8601 text.
        seconds: until the stage was done.
        peak_memory_gigabytes: the largest resident memory of the process; of several, that of the main one.
        peak_gpu_memory_gigabytes: the most that torch reserved on the GPU; None if the stage used none.
        processor: the processor's name.
        resumed: whether it went on from a checkpoint of an earlier attempt, so that its seconds are not the whole.
    """

    stage: str
    started: str
    seconds: float
    peak_memory_gigabytes: float
    peak_gpu_memory_gigabytes: float | None
    processor: str
    resumed: bool = False

    @property
    def start(self) -> datetime:
        return datetime.fromisoformat(self.started)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)


def write_cost(cost: Cost, folder: Path = COSTS) -> None:
    """Replace what is known of an earlier run of this stage."""
    write_json(folder / f"{cost.stage}.json", asdict(cost))


def read_costs(folder: Path = COSTS) -> dict[str, Cost]:
    """The last cost of every stage that ever ran in this checkout, by stage; also of stages that are gone.

    A file that another version of this code wrote, with other fields, is left out: the next run replaces it.
    """
    known = {field.name for field in fields(Cost)}
    found = (read_json(file) for file in sorted(folder.glob("*.json")))
    costs = [Cost(**values) for values in found if values.keys() == known]
    return {cost.stage: cost for cost in costs}


def minutes_of(costs: Iterable[Cost]) -> float:
    """The minutes during which at least one of the stages ran: stages that ran at the same time count once."""
    total = timedelta()
    busy_until: datetime | None = None
    for cost in sorted(costs, key=lambda cost: cost.start):
        begin = cost.start if busy_until is None else max(cost.start, busy_until)
        if cost.end > begin:
            total += cost.end - begin
            busy_until = cost.end
    return total / timedelta(minutes=1)
