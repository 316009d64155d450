"""How every method is trained: the loop and its scale."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Rate, SettingsError, Weight

Schedule = Literal["linear", "cosine", "constant_with_warmup"]
WarmupRatio = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=STRICT)
class Training:
    target: Literal["conclusion", "report"]
    schedule: Schedule
    warmup_ratio: WarmupRatio
    weight_decay: Weight
    max_grad_norm: Rate
    log_every_steps: Positive


@dataclass(frozen=True, config=STRICT)
class Optimization:
    max_steps: Positive
    batch_size: Positive
    gradient_accumulation_steps: Positive
    learning_rate: Rate
    max_length: Positive
    gradient_checkpointing: bool
    save_every_steps: Positive | None


def check_saving(optimization: Optimization, training: Training, file: str = "the profile") -> None:
    """Checkpoints are taken where the training curves have a point, so that none is lost with a checkpoint.

    Raises:
        SettingsError: they are not.
    """
    if (optimization.save_every_steps or 0) % training.log_every_steps:
        raise SettingsError(
            f"{file}: `optimization.save_every_steps` is {optimization.save_every_steps}: choose a multiple of "
            f"training.log_every_steps ({training.log_every_steps}), so that no point of the training curves is lost."
        )
