"""The methods: the arms of the comparison, each made of parts."""

from dataclasses import fields
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.budget import Budget
from anamnesis.settings.penalties import Penalties
from anamnesis.settings.replay import Replay
from anamnesis.settings.retrieval import Retrieval
from anamnesis.settings.sections import STRICT, Rate, SettingsError, Share, Text, Weight
from anamnesis.settings.tokens import Tokens
from anamnesis.settings.training import Schedule, WarmupRatio
from anamnesis.settings.tuner import Tuner

# The name of the main corpus among the domains.
MAIN = "corpus"


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

    domains: what the model is trained in, in this order; by default the main corpus alone.

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
    domains: list[Text] = Field(default_factory=lambda: [MAIN])
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
        if len(set(self.domains)) != len(self.domains) or MAIN not in self.domains:
            raise ValueError(f"domains is {self.domains}: name each domain once, and `{MAIN}` among them")
        if self.other_domains:
            self._check_chain()
        if not self.train:
            self._refuse_training()

    def _check_chain(self) -> None:
        if self.tokens is not None:
            raise ValueError(
                f"tokens cannot be had with several domains, since the base's log-probabilities are kept for the main "
                f"corpus only: remove tokens, or set domains to [{MAIN}]"
            )
        if self.budget is not None:
            raise ValueError(
                f"budget cannot be had with several domains, since the monitor has reports of the main corpus only: "
                f"remove budget, or set domains to [{MAIN}]"
            )
        if self.retrieval is not None:
            raise ValueError(
                f"retrieval cannot be had with several domains, since only reports of the main corpus are retrieved: "
                f"remove retrieval, or set domains to [{MAIN}]"
            )
        if self.replay is not None and self.replay.loss != "labels":
            raise ValueError(
                f"replay.loss is {self.replay.loss}, which with several domains would pull the model back to the base "
                f"on the reports of finished domains: set it to labels"
            )

    def _refuse_training(self) -> None:
        """Every part but `retrieval` is about training."""
        if self.retrieval is None:
            raise ValueError("train is false without retrieval, which is the base: add retrieval, or set train to true")
        plain = Method(teacher="none")
        names = [one.name for one in fields(self) if one.name not in ("train", "retrieval")]
        if given := [name for name in names if getattr(self, name) != getattr(plain, name)]:
            raise ValueError(f"train is false, so {', '.join(given)} would do nothing: remove it, or set train to true")

    @property
    def other_domains(self) -> list[str]:
        """The domains besides the main corpus."""
        return [name for name in self.domains if name != MAIN]


def check_shares(name: str, method: Method, tuner: Tuner) -> None:
    """Refuse shares of an update that is not linear in the trained weights: as models, and as a teacher.

    Raises:
        SettingsError: the method has shares or an anchored teacher, and what it trains is such (DoRA, a prefix, a
            prompt).
    """
    if method.teacher == "anchored" and not tuner.scalable:
        raise SettingsError(
            f"params.yaml: `{name}.teacher` is anchored, a share of the update, which does not work with a tuner of "
            f"kind {tuner.kind}: set it to static or ema, or set the kind of `{name}.tuner` (or of `tuner`) to lora."
        )
    if method.shares and not tuner.scalable:
        raise SettingsError(
            f"params.yaml: `{name}.shares` do not work with a tuner of kind {tuner.kind}, whose update is not linear "
            f"in its weights: make it [], or set the kind of `{name}.tuner` (or of `tuner`) to lora."
        )
