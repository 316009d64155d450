"""The trainable part."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, NonNegative, Positive, Rate, Text

# The keys of each kind of tuner.
TUNER_KEYS = {
    "lora": {"r", "alpha", "dropout", "target_modules"},
    "dora": {"r", "alpha", "dropout", "target_modules"},
    "bitfit": set[str](),
}


@dataclass(frozen=True, config=STRICT)
class Tuner:
    """The trainable part: its kind, the keys of that kind, and the first layer that is trained (counted from 0).

    lora: low-rank updates (Hu et al. 2022, arXiv:2106.09685). dora: low-rank updates of the direction and a trained
    magnitude (Liu et al. 2024, arXiv:2402.09353). bitfit: the biases (Ben Zaken et al. 2022, arXiv:2106.10199).
    """

    kind: Literal["lora", "dora", "bitfit"]
    r: Positive | None = None
    alpha: Rate | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    target_modules: Text | list[Text] | None = None
    first_layer: NonNegative = 0

    def __post_init__(self) -> None:
        all_keys = set[str]().union(*TUNER_KEYS.values())
        given = {key for key in all_keys if getattr(self, key) is not None}
        if missing := sorted(TUNER_KEYS[self.kind] - given):
            raise ValueError(f"kind {self.kind} needs {', '.join(missing)} as well: add what is missing")
        if foreign := sorted(given - TUNER_KEYS[self.kind]):
            raise ValueError(f"kind {self.kind} takes no {', '.join(foreign)}: remove what it does not take")
        if self.kind == "dora" and self.dropout:
            raise ValueError("dropout must be 0.0 with kind dora: PEFT computes it another way with dropout")
