"""What is trained and how: the methods, the loop, and the frozen teacher's states."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Rate, SettingsError, Share, Weight


@dataclass(frozen=True, config=STRICT)
class Method:
    """One arm of the comparison: which teacher the student is held to, and how strongly.

    loss = CE + kl_weight * divergence, in nats per supervised token. `forward_kl` is KL(teacher || student),
    `reverse_kl` is KL(student || teacher), `jensen_shannon` the mean of both models' KL to their average; each is
    taken at `temperature` and scaled by its square (Hinton et al. 2015, arXiv:1503.02531) so that the gradient's
    size does not depend on it.
    """

    teacher: Literal["none", "static", "ema"]
    kl_weight: Weight = 0.0
    # In fp32 the divergence is within 2 % in this range, its gradient within 0.01 %; far outside both are NaN.
    temperature: Annotated[float, Field(ge=0.1, le=100)] = 1.0
    divergence: Literal["forward_kl", "reverse_kl", "jensen_shannon"] = "forward_kl"
    decay: Share | None = None
    decay_warmup: bool = False

    def __post_init__(self) -> None:
        if self.teacher == "none" and self.kl_weight > 0:
            raise ValueError("kl_weight above 0 needs a teacher: set teacher to static or ema, or kl_weight to 0")
        if self.teacher == "ema" and self.decay is None:
            raise ValueError("teacher ema needs a decay between 0 and 1, for example 0.99")
        if self.teacher != "ema" and (self.decay is not None or self.decay_warmup):
            raise ValueError("decay and decay_warmup belong to teacher ema only: take them out")


@dataclass(frozen=True, config=STRICT)
class Training:
    target: Literal["conclusion", "report"]
    schedule: Literal["linear", "cosine", "constant_with_warmup"]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
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


@dataclass(frozen=True, config=STRICT)
class TeacherCache:
    """How much disk the frozen teacher's hidden states may take; above it they are computed again at every step."""

    max_gigabytes: Weight


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
