"""The base that every arm starts from, and the trainable part."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, NonNegative, Positive, Text


@dataclass(frozen=True, config=STRICT)
class Model:
    """`source` is `pretrain` (a small model made here), a local Hugging Face folder, a .gguf file, or a hub id."""

    source: Text
    revision: Text | None
    quantization: Literal["none", "nf4"]
    dtype: Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, config=STRICT)
class Pretraining:
    vocab_size: Positive
    hidden_size: Positive
    intermediate_size: Positive
    layers: Positive
    attention_heads: Positive
    key_value_heads: Positive
    max_position_embeddings: Positive
    sequence_length: Positive
    batch_size: Positive
    processes: Positive
    max_steps: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    seed: NonNegative

    def __post_init__(self) -> None:
        if self.batch_size % self.processes:
            raise ValueError("batch_size must be a multiple of processes, among which it is divided")


@dataclass(frozen=True, config=STRICT)
class Tuner:
    """The trainable part; every method of one experiment trains the same."""

    kind: Literal["lora"]
    r: Positive
    alpha: Annotated[float, Field(gt=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    target_modules: Text | list[Text]
