"""Which differences matter, and the limits for a usable model."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Share, Text

Points = Annotated[float, Field(gt=0, lt=1)]
Amount = Annotated[float, Field(gt=0, le=1000)]


def adaptations(label: str) -> tuple[str, ...]:
    """The measures that adaptation can be read from: every model has them, shares of an update too.

    Args:
        label: name of the category in the keys.
    """
    return (f"{label}_macro_f1", f"{label}_acc", "conclusion_bits_per_byte")


def adaptation_of(wanted: str | None, label: str) -> str:
    """The measure that adaptation is read from: the wanted one, else the category's macro-F1."""
    return wanted or adaptations(label)[0]


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
    exam_en_acc. adaptation: the one that adaptation is read from; None for the category's macro-F1. claim: the arm that
    is said to have the best balance. The limits are for one arm: forgetting and adaptation against the base, the others
    as they are, in the unit of the measure; None asks for nothing.
    """

    capability: Text | None
    adaptation: Text | None
    margins: Margins
    claim: Text | None
    max_forgetting: Annotated[float, Field(ge=0, le=1000)] | None
    min_adaptation: Annotated[float, Field(ge=-1000, le=1000)] | None
    min_recall_critical: Share | None
    max_exposure: Annotated[float, Field(ge=0, le=64)] | None

    @property
    def limits(self) -> tuple[float, ...]:
        """The limits that are set."""
        limits = (self.max_forgetting, self.min_adaptation, self.min_recall_critical, self.max_exposure)
        return tuple(limit for limit in limits if limit is not None)
