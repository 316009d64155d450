"""The weights: all of them from the files, and quantized exactly once."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import bitsandbytes as bnb
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.integrations.bitsandbytes import Bnb4bitDeserialize

from anamnesis.modeling.source.refusal import UnusableModelError, explained

# Buffers in old checkpoints that models no longer read.
LEFT_OVER = re.compile(r"\.(rotary_emb\.inv_freq|attn\.masked_bias)$")
# What GPTQ, AWQ, FP8, compressed-tensors and bitsandbytes store beside or instead of a weight.
OF_QUANTIZATION = re.compile(
    r"\.(qweight|qzeros|scales|g_idx|weight_(scale|scale_inv|packed|shape|zero_point)|SCB|weight\.\w*(absmax|quant_\w+).*)$"
)


def load_config(folder: Path) -> PreTrainedConfig:
    with explained("reading its config.json"):
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def quantization_for(
    config: PreTrainedConfig, wanted: Literal["none", "nf4"], dtype: torch.dtype
) -> BitsAndBytesConfig | None:
    """How transformers quantizes the weights while it loads them; None if it does not, or if they already are nf4.

    nf4 weights of bitsandbytes are taken as they are, and compute in `dtype`.

    Raises:
        UnusableModelError: they are quantized in another way, or although `wanted` is none.
    """
    own = getattr(config, "quantization_config", None) or getattr(config.get_text_config(), "quantization_config", None)
    if own is None:
        if wanted == "none":
            return None
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    kind = _kind(own)
    if kind != "nf4":
        raise UnusableModelError(
            f"its weights are quantized already ({kind}); give the original 16-bit weights (`model.quantization: nf4` "
            f"makes 4-bit ones of them)."
        )
    if wanted == "none":
        raise UnusableModelError(
            "its weights are 4-bit already (nf4); set `model.quantization` to nf4, which takes them as they are, or "
            "give the original 16-bit weights."
        )
    own["bnb_4bit_compute_dtype"] = str(dtype).removeprefix("torch.")
    return None


def load_weights(
    folder: Path,
    config: PreTrainedConfig,
    quantization: BitsAndBytesConfig | None,
    dtype: torch.dtype,
    device: torch.device,
    kind: Any = AutoModelForCausalLM,
) -> PreTrainedModel:
    """The model of `config` with the weights in `folder`.

    Raises:
        UnusableModelError: the weights cannot be loaded; some are missing, and transformers would make them up; or some
            have no place in the model, so that it is not the one that was saved.
    """
    # Given as None it would make transformers ignore that the weights are quantized.
    options = {} if quantization is None else {"quantization_config": quantization}
    with explained("loading its weights"), without_report():
        model, found = kind.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            dtype=dtype,
            device_map={"": device},
            # `check_complete` reports them with the rest.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **options,
        )
    check_complete(found)
    _check_packed(model)
    _make_savable(model)
    return model


def check_complete(found: Mapping[str, Any]) -> None:
    """Check transformers' account of what it loaded: nothing missing, nothing left over.

    A head that is tied to the embedding is in no file; transformers does not count it as missing.
    """
    missing = sorted(found["missing_keys"])
    mismatched = sorted(found["mismatched_keys"])
    unexpected = sorted(key for key in found["unexpected_keys"] if not LEFT_OVER.search(key))
    if quantized := [key for key in unexpected if OF_QUANTIZATION.search(key)]:
        raise UnusableModelError(
            f"its weights are quantized in a way that its config.json does not say ({quantized[0]}); give the original "
            f"16-bit weights."
        )
    if mismatched:
        name, in_file, in_model = mismatched[0]
        raise UnusableModelError(
            f"{len(mismatched)} of its weights do not have the shape that config.json says (the first is {name}, "
            f"{tuple(in_file)} in the file and {tuple(in_model)} in the model); correct config.json, or give the files "
            f"that belong to it."
        )
    if missing:
        instead = f"; they hold {unexpected[0]} instead" if unexpected else ""
        raise UnusableModelError(
            f"its files lack {len(missing)} of the model's weights, which would be random (the first is "
            f"{missing[0]}{instead}); give the whole model, saved by `save_pretrained` under the names of its "
            f"architecture."
        )
    if unexpected:
        raise UnusableModelError(
            f"{len(unexpected)} of the weights in its files have no place in the model of its config.json (the first "
            f"is {unexpected[0]}); correct config.json (layers, architecture), or take them out of the files."
        )


@contextmanager
def without_report() -> Iterator[None]:
    """Keep transformers' table of missing weights off the console: `check_complete` says the same in a sentence."""
    logger = logging.getLogger("transformers.modeling_utils")
    logger.addFilter(_is_error)
    try:
        yield
    finally:
        logger.removeFilter(_is_error)


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _kind(quantization: Mapping[str, Any]) -> str:
    if quantization.get("load_in_4bit"):
        return str(quantization.get("bnb_4bit_quant_type"))
    if quantization.get("load_in_8bit"):
        return "bitsandbytes 8-bit"
    return str(quantization.get("quant_method", "unknown method"))


def _make_savable(model: PreTrainedModel) -> None:
    """transformers cannot reverse the reading of 4-bit weights when it saves; it need not, the layers do it."""
    conversions = getattr(model, "_weight_conversions", None) or []
    kept = [one for one in conversions if not _reads_four_bit(one)]
    if len(kept) < len(conversions):
        model._weight_conversions = kept


def _reads_four_bit(conversion: Any) -> bool:
    return any(isinstance(operation, Bnb4bitDeserialize) for operation in getattr(conversion, "operations", ()))


def _check_packed(model: PreTrainedModel) -> None:
    """If config.json says 4-bit, transformers makes 4-bit layers even of plain weights."""
    for name, module in model.named_modules():
        if isinstance(module, bnb.nn.Linear4bit) and getattr(module.weight, "quant_state", None) is None:
            raise UnusableModelError(
                f"its config.json says that the weights are 4-bit, and {name} in its files is not; take "
                f"`quantization_config` out of config.json."
            )
