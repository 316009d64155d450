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
    # Of some 4,600 wordings of facts, a thousandth leaves five texts to measure bits per byte on.
    heldout_share: Annotated[float, Field(ge=0.001, lt=1)]
    questions_per_subject: Positive
    seed: Seed
