"""How much a method may forget while it is trained."""

from typing import Literal

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, NonNegative, Positive, Weight


@dataclass(frozen=True, config=STRICT)
class Budget:
    """Training stops when the student has lost more than `nats` per token of what the base would write.

    every_steps: optimizer steps between two measurements. nats: the largest KL(base || student) on the monitor's texts,
    which is the expected rise of the loss on text that the base writes; measured from the start of the training.
    patience: measurements in a row that may be above it before training stops. choose: of the points within the budget,
    the one whose weights are the result: the best on the monitor's reports, or the last.
    """

    every_steps: Positive
    nats: Weight
    patience: NonNegative = 0
    choose: Literal["best", "last"] = "best"
