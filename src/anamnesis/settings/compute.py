"""The machine."""

from typing import Literal

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive


@dataclass(frozen=True, config=STRICT)
class Compute:
    device: Literal["cpu", "cuda"]
    threads: Positive
