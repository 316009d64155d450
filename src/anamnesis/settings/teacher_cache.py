"""The frozen teacher's hidden states."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT


@dataclass(frozen=True, config=STRICT)
class TeacherCache:
    """How much disk the frozen teacher's hidden states may take; above it they are computed again at every step."""

    max_gigabytes: Annotated[float, Field(ge=0)]
