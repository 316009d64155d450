"""The arithmetic and the memory of a training step, as they follow from the model's shape and the tuner."""

from anamnesis.forecasting.shapes import QUERY_KEY_VALUE, Sizes, linear_layers, linear_weights
from anamnesis.forecasting.tuning import adapter_products, trained_weights, tuned
from anamnesis.settings.tuner import Tuner

LAYERS_INPUTS = "layers' inputs"
CHUNK = "or, in the loss, a chunk of logits"

# Attention's backward has this many times the products of its forward.
ATTENTION_BACKWARD = 2.5


# ---- Operations ----------------------------------------------------------------------------------------------------


def step_flops(
    config: Sizes,
    tuner: Tuner,
    batch: float,
    length: int,
    supervised: int,
    teacher: str,
    checkpointing: bool = False,
) -> float:
    """Floating-point operations of the matrix products that a step cannot avoid (2 per multiply-add).

    Norms, activations, softmax, the optimizer and the embedding have no products and are not counted.

    Args:
        config: the model.
        tuner: what is trained.
        batch: texts in a step, on average.
        length: tokens per text.
        supervised: tokens under the loss per text.
        teacher: none, static, cached (static with kept states), ema or anchored.
        checkpointing: whether the backward runs each layer's forward again.
    """
    forward = forward_flops(config, tuner, batch, length)
    head = head_flops(config, batch * supervised)
    of_teacher = {
        "none": 0.0,
        "cached": head,
        "static": forward_flops(config, None, batch, length) + head,
        "ema": forward + head,
        "anchored": forward + head,
    }[teacher]
    return (
        forward * (2 if checkpointing else 1)
        + backward_flops(config, tuner, batch, length)
        # The logits, and the gradient of the states.
        + 2 * head
        + of_teacher
    )


def head_flops(config: Sizes, positions: float) -> float:
    """One product with the output head."""
    return 2 * positions * config.hidden_size * config.vocab_size


def forward_flops(config: Sizes, tuner: Tuner | None, batch: float, length: int) -> float:
    """Of all decoder layers; without a tuner, of the base."""
    tokens, layers = _tokens(tuner, batch, length), linear_layers(config)
    work = config.num_hidden_layers * (
        sum(2 * tokens * i * o for i, o in layers.values()) + _attention(config, tuner, batch, length)
    )
    if tuner is None:
        return work
    for names in tuned(config, tuner):
        for i, o in map(layers.__getitem__, names):
            work += 2 * tokens * adapter_products(tuner, i, o)
            if tuner.kind == "dora":
                # B A, of which the norms are taken.
                work += 2 * (tuner.r or 0) * i * o
    return work


def backward_flops(config: Sizes, tuner: Tuner, batch: float, length: int) -> float:
    """Of all decoder layers.

    A frozen weight has a product for the gradient of its input, where one is needed, and none for its own gradient.
    What an adapter adds has both. Below the first trained weight there is no backward pass.
    """
    tokens, layers, names = _tokens(tuner, batch, length), linear_layers(config), tuned(config, tuner)
    attention = ATTENTION_BACKWARD * _attention(config, tuner, batch, length)
    work, flows = 0.0, tuner.kind == "prompt"
    for number, trained in enumerate(names):
        # A trained norm lies before the first linear layer.
        flows = flows or (tuner.kind == "full" and number >= tuner.first_layer)
        attends = flows or tuner.kind == "prefix" or not trained.isdisjoint(QUERY_KEY_VALUE)
        after_attention = attends or "self_attn.o_proj" in trained
        after_gate = after_attention or not trained.isdisjoint(("mlp.gate_proj", "mlp.up_proj"))
        work += attention if attends else 0.0
        for name, (i, o) in layers.items():
            goes_on = {"self_attn.o_proj": attends, "mlp.down_proj": after_gate}.get(
                name, flows if name in QUERY_KEY_VALUE else after_attention
            )
            work += 2 * tokens * i * o * (goes_on + (tuner.kind == "full" and name in trained))
            if name in trained:
                of_adapter = adapter_products(tuner, i, o)
                # Gradients of its weights, and of its input; the latter not down to where no gradient goes on.
                inner = 0 if goes_on else _first_product(tuner, i, o)
                work += 2 * tokens * (2 * of_adapter - inner)
        flows = after_gate or "mlp.down_proj" in trained
    return work


def _first_product(tuner: Tuner, width_in: int, width_out: int) -> int:
    """Multiply-adds per token of the factor that reads the adapter's input."""
    return adapter_products(tuner, width_in, 0) if tuner.kind != "bottleneck" else (tuner.size or 0) * width_out


def _tokens(tuner: Tuner | None, batch: float, length: int) -> float:
    """Tokens that go through all layers: a prompt's go too, a prefix's are keys and values already."""
    return batch * (length + (tuner.virtual_tokens if tuner is not None and tuner.kind == "prompt" else 0))


def _attention(config: Sizes, tuner: Tuner | None, batch: float, length: int) -> float:
    """Of one layer. Attention looks back only, at the virtual tokens too."""
    virtual = 0 if tuner is None else tuner.virtual_tokens
    pairs = length * (length + 1) / 2 + length * virtual
    if tuner is not None and tuner.kind == "prompt":
        pairs += virtual * (virtual + 1) / 2
    return 2 * 2 * config.hidden_size * batch * pairs


# ---- Memory --------------------------------------------------------------------------------------------------------


def held(config: Sizes, exact: int, tuner: Tuner, teacher: str, packed: bool = True) -> dict[str, float]:
    """Bytes between two steps.

    Args:
        config: the model.
        exact: bytes per number in the parts that are not quantized (4 for fp32, 2 for bf16).
        tuner: what is trained, in fp32. With full fine-tuning the base's weights are kept beside the trained ones.
        teacher: as in `step_flops`; of `ema`, and of `anchored` while it computes, there is a second set of weights.
        packed: whether the base has 4-bit weights.
    """
    trained = 4.0 * trained_weights(config, tuner)
    return {
        **base_bytes(config, exact, packed),
        "student": trained,
        "teacher": trained if teacher in ("ema", "anchored") else 0.0,
        "AdamW's two averages": 2 * trained,
    }


def base_bytes(config: Sizes, exact: int, packed: bool = True) -> dict[str, float]:
    """Bytes of the base; arguments as in `held`."""
    weights = linear_weights(config)
    # 4-bit: one byte per block of 64 weights for constants, and one fp32 number per 256 blocks.
    layers = (
        {"4-bit weights": weights / 2, "their constants": weights / 64 * (1 + 4 / 256)}
        if packed
        else {"weights": float(weights * exact)}
    )
    return {**layers, "embedding, which is also the head": float(config.vocab_size * config.hidden_size * exact)}


def taken(
    config: Sizes, batch: int, length: int, supervised: int, exact: int, chunk_logits: int, checkpointing: bool = True
) -> dict[str, float]:
    """Bytes above that at the two places where a step can peak.

    Arguments as in `held` and `step_flops`, and the logits that the loss has in memory at a time.

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
