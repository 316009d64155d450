"""What a cytologist may see in a thyroid aspirate, and how it may be worded: the types of findings.yaml."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive
from anamnesis.synthesis.wording import slots
from anamnesis.tables import Text

FindingWordings = Annotated[tuple[Annotated[Text, slots("групп", "число")], ...], Field(min_length=1)]


@dataclass(frozen=True, config=STRICT)
class GroupCount:
    """How many groups of cells a finding states."""

    least: Positive
    most: Positive

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise ValueError(f"`least` ({self.least}) is above `most` ({self.most}): correct one of them")


@dataclass(frozen=True, config=STRICT)
class Findings:
    orders: Annotated[tuple[tuple[str, ...], ...], Field(min_length=1)]  # in which the aspects are written
    group_counts: dict[str, GroupCount]  # finding -> count
    findings: dict[str, dict[str, FindingWordings]]  # aspect -> finding -> wordings
