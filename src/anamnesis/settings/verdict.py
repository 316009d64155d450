"""Which differences matter, and the limits for a usable model."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Share, Text

Points = Annotated[float, Field(gt=0, lt=1)]
Amount = Annotated[float, Field(gt=0, le=1000)]


@dataclass(frozen=True, config=STRICT)
class Margins:
    """The largest difference between two arms that does not matter in practice, by kind of measure."""

    accuracy: Points
    macro_f1: Points
    bits_per_byte: Amount
    kl_nats: Amount
    exposure_bits: Amount


@dataclass(frozen=True, config=STRICT)
class Verdict:
    """What the report calls forgetting, which differences matter, and what is asked of an arm.

    capability: the measure that forgetting is read from; None for mmlu_acc if it is measured, else exam_acc, else
    exam_en_acc. claim: the arm that is said to have the best balance. The limits are for one arm: forgetting and
    adaptation against the base, the others as they are, in the unit of the measure; None asks for nothing.
    """

    capability: Text | None
    margins: Margins
    claim: Text | None
    max_forgetting: Annotated[float, Field(ge=0, le=1000)] | None
    min_adaptation: Annotated[float, Field(ge=-1, le=1)] | None
    min_recall_critical: Share | None
    max_exposure: Annotated[float, Field(ge=0, le=64)] | None

    @property
    def limits(self) -> tuple[float, ...]:
        """The limits that are set."""
        limits = (self.max_forgetting, self.min_adaptation, self.min_recall_critical, self.max_exposure)
        return tuple(limit for limit in limits if limit is not None)
