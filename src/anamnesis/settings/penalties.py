"""The penalties on what a method changes in the base."""

from typing import Literal

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, SettingsError, Weight
from anamnesis.settings.tuner import Tuner

# The kinds of tuner that each penalty works with. Of biases and norms there is no Fisher information.
TUNERS = {
    "l1": ("lora", "dora", "bitfit"),
    "l2_sp": ("lora", "dora", "bitfit", "full"),
    "ewc": ("lora", "dora"),
}


@dataclass(frozen=True, config=STRICT)
class L1:
    """weight * sum |theta|, over the trained factors or over the update that they make."""

    weight: Weight
    of: Literal["factors", "update"]


@dataclass(frozen=True, config=STRICT)
class L2SP:
    """weight / 2 * |W - W0|^2 (Li et al. 2018, arXiv:1802.01483)."""

    weight: Weight


@dataclass(frozen=True, config=STRICT)
class EWC:
    """weight / 2 * sum F (W - W0)^2, F the Fisher information of the base (Kirkpatrick et al. 2017)."""

    weight: Weight


@dataclass(frozen=True, config=STRICT)
class Penalties:
    """What is added to the loss for the distance from the base; a part that is absent adds nothing."""

    l1: L1 | None = None
    l2_sp: L2SP | None = None
    ewc: EWC | None = None

    def __post_init__(self) -> None:
        if self.l1 is None and self.l2_sp is None and self.ewc is None:
            raise ValueError("no penalty is named: give l1, l2_sp or ewc, or remove penalties")


def check_penalties(name: str, penalties: Penalties | None, tuner: Tuner) -> None:
    """Refuse a penalty on what the tuner does not change.

    Raises:
        SettingsError: there is one.
    """
    for part, kinds in TUNERS.items():
        if penalties is not None and getattr(penalties, part) is not None and tuner.kind not in kinds:
            raise SettingsError(
                f"params.yaml: `{name}.penalties.{part}` does not work with a tuner of kind {tuner.kind}: set the kind "
                f"of `{name}.tuner` (or of `tuner`) to {' or '.join(kinds)}, or remove the penalty."
            )
