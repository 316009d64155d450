"""The penalties on what a method changes in the base."""

from typing import Literal

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, SettingsError, Weight
from anamnesis.settings.tuner import Tuner

# The kinds of tuner that change weights of the base, of which there is a Fisher information.
CHANGES_WEIGHTS = ("lora", "dora")


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
    """Refuse penalties on the update of the base where there is none, and EWC where none has a Fisher information.

    Raises:
        SettingsError: the method has such a penalty.
    """
    if penalties is not None and tuner.virtual_tokens:
        raise SettingsError(
            f"params.yaml: `{name}.penalties` need an update of the base, and a tuner of kind {tuner.kind} makes none: "
            f"remove them, or set the kind of `{name}.tuner` (or of `tuner`) to lora."
        )
    check_ewc(name, penalties, tuner)


def check_ewc(name: str, penalties: Penalties | None, tuner: Tuner) -> None:
    """Refuse EWC where nothing is changed that has a Fisher information.

    Raises:
        SettingsError: the tuner changes no weight of the base.
    """
    if penalties is not None and penalties.ewc is not None and tuner.kind not in CHANGES_WEIGHTS:
        raise SettingsError(
            f"params.yaml: `{name}.penalties.ewc` needs a tuner that changes weights of the base, and kind "
            f"{tuner.kind} changes none: set the kind of `{name}.tuner` (or of `tuner`) to "
            f"{' or '.join(CHANGES_WEIGHTS)}, or remove the penalty."
        )
