"""The machine."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT


@dataclass(frozen=True, config=STRICT)
class Compute:
    device: Literal["cpu", "cuda"]
    threads: Annotated[int, Field(gt=0, le=1024)]
