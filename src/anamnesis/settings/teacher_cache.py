"""The frozen teacher's hidden states."""

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Weight


@dataclass(frozen=True, config=STRICT)
class TeacherCache:
    """How much disk the frozen teacher's hidden states may take; above it they are computed again at every step."""

    max_gigabytes: Weight


def reports_read(steps: int, batch_size: int, accumulation_steps: int, runs: int) -> int:
    """How many reports the runs with a frozen teacher read, each as often as it is read."""
    return steps * batch_size * accumulation_steps * runs


def pays(read: int, corpus: int) -> bool:
    """Whether to keep the teacher's states: a report then costs it one pass, and otherwise one at each reading."""
    return read > corpus
