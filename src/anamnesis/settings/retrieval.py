"""Reports that a model reads before it is asked."""

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive


@dataclass(frozen=True, config=STRICT)
class Retrieval:
    """Before every question on a held-out report, the model reads the `reports` training reports most like it."""

    reports: Positive
