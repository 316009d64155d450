"""The trainable part."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, NonNegative, Positive, Rate, SettingsError, Text
from anamnesis.settings.training import Optimization

# The keys of each kind of tuner.
TUNER_KEYS = {
    "lora": {"r", "alpha", "dropout", "target_modules"},
    "dora": {"r", "alpha", "dropout", "target_modules"},
    "bottleneck": {"size"},
    "bitfit": set[str](),
    "prefix": {"tokens"},
    "prompt": {"tokens"},
    "full": set[str](),
}


@dataclass(frozen=True, config=STRICT)
class Tuner:
    """The trainable part: its kind, the keys of that kind, and the first layer that is trained (counted from 0).

    lora: low-rank updates (Hu et al. 2022, arXiv:2106.09685). dora: low-rank updates of the direction and a trained
    magnitude (Liu et al. 2024, arXiv:2402.09353). bottleneck: two small layers after attention and MLP (Houlsby et al.
    2019, arXiv:1902.00751). bitfit: the biases (Ben Zaken et al. 2022, arXiv:2106.10199). prefix: keys and values
    before every text in each layer (Li and Liang 2021, arXiv:2101.00190). prompt: input embeddings before every text
    (Lester et al. 2021, arXiv:2104.08691). full: all weights but those of the embedding and the output head.
    """

    kind: Literal["lora", "dora", "bottleneck", "bitfit", "prefix", "prompt", "full"]
    r: Positive | None = None
    alpha: Rate | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    target_modules: Text | list[Text] | None = None
    size: Positive | None = None
    tokens: Positive | None = None
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
        if self.tokens is not None and self.first_layer:
            raise ValueError(f"first_layer must be 0 with kind {self.kind}, which trains no layer: remove it")

    @property
    def virtual_tokens(self) -> int:
        """The positions that the tuner puts before every text; texts can be that much shorter than the context."""
        return self.tokens or 0

    @property
    def scalable(self) -> bool:
        """Whether there is an update of the base that is linear in some of the trained weights."""
        return self.kind not in ("dora", "prefix", "prompt")


def check_checkpointing(name: str, tuner: Tuner, optimization: Optimization) -> None:
    """Refuse a prefix with gradient checkpointing, for which transformers drops keys and values.

    Raises:
        SettingsError: `name` trains a prefix, and checkpointing is on.
    """
    if tuner.kind == "prefix" and optimization.gradient_checkpointing:
        raise SettingsError(
            f"params.yaml: the tuner of `{name}` is of kind prefix, which gradient checkpointing cannot train: set "
            f"`optimization.gradient_checkpointing` to false in the profile, or choose the kind prompt."
        )
