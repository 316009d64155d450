"""What a tuner trains in a model of a given shape, by count."""

import re

from anamnesis.forecasting.shapes import QUERY_KEY_VALUE, Sizes, key_value_width, linear_layers
from anamnesis.settings.tuner import Tuner


def tuned(config: Sizes, tuner: Tuner) -> list[set[str]]:
    """By decoder layer, the names of the linear layers that the tuner changes."""
    return [
        {
            name
            for name in linear_layers(config)
            if number >= tuner.first_layer and _is_tuned(config, tuner, name, f"model.layers.{number}.{name}")
        }
        for number in range(config.num_hidden_layers)
    ]


def trained_weights(config: Sizes, tuner: Tuner) -> int:
    """How many weights are trained."""
    layers = linear_layers(config)
    if tuner.kind == "prefix":
        return tuner.virtual_tokens * config.num_hidden_layers * 2 * key_value_width(config)
    if tuner.kind == "prompt":
        return tuner.virtual_tokens * config.hidden_size
    weights = sum(_weights_on(config, tuner, name, *layers[name]) for names in tuned(config, tuner) for name in names)
    if tuner.kind == "full":
        # Two norms in each layer, and the last one.
        weights += (2 * (config.num_hidden_layers - tuner.first_layer) + 1) * config.hidden_size
    return weights


def adapter_products(tuner: Tuner, width_in: int, width_out: int) -> int:
    """Multiply-adds that the tuner adds to a linear layer for each token."""
    if tuner.kind in ("lora", "dora"):
        return (tuner.r or 0) * (width_in + width_out)
    return 2 * (tuner.size or 0) * width_out if tuner.kind == "bottleneck" else 0


def _is_tuned(config: Sizes, tuner: Tuner, name: str, key: str) -> bool:
    """`key` is the layer's whole name, with which PEFT compares `target_modules`."""
    if tuner.kind == "bottleneck":
        return name in ("self_attn.o_proj", "mlp.down_proj")
    if tuner.kind == "bitfit":
        return _has_bias(config, name)
    if tuner.kind not in ("lora", "dora"):
        return tuner.kind == "full"
    of = tuner.target_modules
    if isinstance(of, str):
        return of == "all-linear" or re.fullmatch(of, key) is not None
    return key.endswith(tuple(f".{module}" for module in of or []))


def _weights_on(config: Sizes, tuner: Tuner, name: str, width_in: int, width_out: int) -> int:
    bias = width_out if _has_bias(config, name) else 0
    return {
        "lora": adapter_products(tuner, width_in, width_out),
        "dora": adapter_products(tuner, width_in, width_out) + width_out,
        "bottleneck": adapter_products(tuner, width_in, width_out) + (tuner.size or 0) + width_out,
        "bitfit": bias,
        "full": width_in * width_out + bias,
    }[tuner.kind]


def _has_bias(config: Sizes, name: str) -> bool:
    return config.model_type == "qwen2" and name in QUERY_KEY_VALUE
