"""The frozen teacher's hidden states."""

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Weight


@dataclass(frozen=True, config=STRICT)
class TeacherCache:
    """How much disk the frozen teacher's hidden states may take; above it they are computed again at every step."""

    max_gigabytes: Weight
