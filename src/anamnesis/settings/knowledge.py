"""The general text and the exam over it."""

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Seed, Share


@dataclass(frozen=True, config=STRICT)
class Knowledge:
    clinical_notes: Positive
    cytology_reports: Positive
    heldout_share: Share
    questions_per_subject: Positive
    seed: Seed
