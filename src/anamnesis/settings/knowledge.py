"""The general text and the exam over it."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Seed

# More would take hours to write.
Documents = Annotated[int, Field(gt=0, le=1_000_000)]


@dataclass(frozen=True, config=STRICT)
class Knowledge:
    clinical_notes: Documents
    cytology_reports: Documents
    heldout_share: Annotated[float, Field(gt=0, lt=1)]
    questions_per_subject: Positive
    seed: Seed

    def __post_init__(self) -> None:
        if round(self.clinical_notes * self.heldout_share) + round(self.cytology_reports * self.heldout_share) == 0:
            raise ValueError(
                "heldout_share leaves no clinical note and no cytology report to measure bits per byte on: raise it, "
                "or the number of documents"
            )
