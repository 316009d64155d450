"""The methods: the arms of the comparison, each made of parts."""

from dataclasses import fields
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.budget import Budget
from anamnesis.settings.penalties import Penalties
from anamnesis.settings.replay import Replay
from anamnesis.settings.retrieval import Retrieval
from anamnesis.settings.sections import STRICT, Rate, SettingsError, Share, Weight
from anamnesis.settings.tokens import Tokens
from anamnesis.settings.training import Schedule, WarmupRatio
from anamnesis.settings.tuner import Tuner


@dataclass(frozen=True, config=STRICT)
class Pace:
    """How fast a method is trained, where it differs from the others: `rate` times the experiment's learning rate."""

    rate: Rate = 1.0
    schedule: Schedule | None = None
    warmup_ratio: WarmupRatio | None = None


@dataclass(frozen=True, config=STRICT)
class Method:
    """One arm of the comparison, made of parts; a part that is absent does nothing.

    teacher: what the student is held to. The loss is CE + kl_weight * divergence, in nats per supervised token.
    `forward_kl` is KL(teacher || student), `reverse_kl` is KL(student || teacher), `jensen_shannon` the mean of both
    models' KL to their average. Each is taken at `temperature` and scaled by its square (Hinton et al. 2015,
    arXiv:1503.02531), so that the gradient's size does not depend on it.

    penalties: what is added to the loss for the distance of the student from the base. tokens: how much each supervised
    token counts in the cross-entropy. replay: texts that every step learns from beside its reports.

    tuner: what is trained; it replaces the experiment's own as a whole. pace: how fast. budget: how much may be
    forgotten before training stops. shares: multiples of the trained update that are evaluated as models of their own,
    without another training.

    retrieval: reports that the model reads before a question on a report. It has no effect on training. train: false
    trains nothing, so that the base itself is asked with these reports.
    """

    teacher: Literal["none", "static", "ema", "anchored"]
    kl_weight: Weight = 0.0
    # In fp32 the divergence is within 2 % in this range, its gradient within 0.01 %; far outside both are NaN.
    temperature: Annotated[float, Field(ge=0.1, le=100)] = 1.0
    divergence: Literal["forward_kl", "reverse_kl", "jensen_shannon"] = "forward_kl"
    decay: Share | None = None
    decay_warmup: bool = False
    mix: Share | None = None
    penalties: Penalties | None = None
    tokens: Tokens | None = None
    replay: Replay | None = None
    tuner: Tuner | None = None
    pace: Pace | None = None
    budget: Budget | None = None
    shares: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=list)
    retrieval: Retrieval | None = None
    train: bool = True

    def __post_init__(self) -> None:
        if self.teacher == "none" and self.kl_weight > 0:
            raise ValueError(
                "kl_weight above 0 needs a teacher: set teacher to static, ema or anchored, or kl_weight to 0"
            )
        if self.teacher == "ema" and self.decay is None:
            raise ValueError("teacher ema needs a decay between 0 and 1, for example 0.99")
        if self.teacher != "ema" and (self.decay is not None or self.decay_warmup):
            raise ValueError("decay and decay_warmup belong to teacher ema only: take them out")
        if (self.teacher == "anchored") != (self.mix is not None):
            raise ValueError(
                "teacher anchored needs a mix between 0 (the base) and 1 (the student), and no other takes it"
            )
        if len({f"{share:g}" for share in self.shares}) != len(self.shares):
            raise ValueError(f"shares names a share twice: {self.shares}; name each once (six digits count)")
        if not self.train:
            self._refuse_training()

    def _refuse_training(self) -> None:
        """Every part but `retrieval` is about training."""
        if self.retrieval is None:
            raise ValueError("train is false without retrieval, which is the base: add retrieval, or set train to true")
        plain = Method(teacher="none")
        names = [one.name for one in fields(self) if one.name not in ("train", "retrieval")]
        if given := [name for name in names if getattr(self, name) != getattr(plain, name)]:
            raise ValueError(f"train is false, so {', '.join(given)} would do nothing: remove it, or set train to true")


def check_shares(name: str, method: Method, tuner: Tuner) -> None:
    """Refuse shares of an update that is not linear in the trained weights: as models, and as a teacher.

    Raises:
        SettingsError: the method has shares or an anchored teacher, and what it trains is such (DoRA, a prefix, a
            prompt).
    """
    if method.teacher == "anchored" and not tuner.scalable:
        raise SettingsError(
            f"params.yaml: `{name}.teacher` is anchored, a share of the update, which cannot be had with a tuner of "
            f"kind {tuner.kind}: set it to static or ema, or set the kind of `{name}.tuner` (or of `tuner`) to lora."
        )
    if method.shares and not tuner.scalable:
        raise SettingsError(
            f"params.yaml: `{name}.shares` cannot be had with a tuner of kind {tuner.kind}, which makes no update that "
            f"is linear in its weights: make it [], or set the kind of `{name}.tuner` (or of `tuner`) to lora."
        )
