"""The base that every arm starts from."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Rate, Seed, Text, Weight


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
    learning_rate: Rate
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Weight
    seed: Seed

    def __post_init__(self) -> None:
        if self.batch_size % self.processes:
            raise ValueError("batch_size must be a multiple of processes, among which it is divided")
