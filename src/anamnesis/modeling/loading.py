"""Getting the base model: from a folder, from the hub, and back from models/base."""

from pathlib import Path

import bitsandbytes as bnb
import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from anamnesis.compute import device_of_this_process
from anamnesis.settings.compute import Compute
from anamnesis.settings.modeling import Model
from anamnesis.settings.sections import SettingsError


def obtain(model: Model, compute: Compute) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and tokenizer of `model.source`, a local folder or a hub id, quantized if asked for.

    Raises:
        SettingsError: the folder or the hub's repository is missing or incomplete, or a hub id has no revision.
    """
    local = Path(model.source).is_dir()
    if not local and model.revision is None:
        raise SettingsError(
            f"`model.source` {model.source!r} is no local folder; for a hub id set `model.revision` to a commit, "
            f"so that the experiment can be repeated."
        )
    dtype = getattr(torch, model.dtype)
    quantization = None
    if model.quantization == "nf4":
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(model.source, revision=model.revision, local_files_only=local)
        base = AutoModelForCausalLM.from_pretrained(
            model.source,
            revision=model.revision,
            local_files_only=local,
            dtype=dtype,
            quantization_config=quantization,
            device_map={"": device_of_this_process(compute)},
        )
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError) as error:
        raise SettingsError(
            f"`model.source` {model.source!r} could not be loaded: {' '.join(str(error).split())[:300]} - "
            f"give a folder with config, weights and tokenizer, or a hub id."
        ) from error
    # A checkpoint's own generation settings (longest text, repetition penalty) would change what is measured.
    base.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    if tokenizer.eos_token_id is None:
        raise SettingsError(f"`model.source` {model.source!r}: its tokenizer has no end-of-text token; add one.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return base, tokenizer


def save_base(base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """What every later stage loads; 4-bit weights are saved as they are."""
    base.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_base(folder: Path, compute: Compute) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base as the stage `base` saved it, frozen and in evaluation mode."""
    base = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, dtype="auto", device_map={"": device_of_this_process(compute)}
    )
    base.requires_grad_(False).eval()
    _keep_packed(base)
    return base, AutoTokenizer.from_pretrained(folder, local_files_only=True)


def low_precision(model: PreTrainedModel | PeftModel) -> torch.dtype | None:
    """What the training loop's autocast computes in: a 16-bit model's own type, on a CPU nothing below fp32."""
    low = model.dtype in (torch.bfloat16, torch.float16) and model.device.type != "cpu"
    return model.dtype if low else None


def mixed_precision(model: PreTrainedModel | PeftModel) -> torch.autocast:
    """The autocast of the training loop."""
    dtype = low_precision(model)
    return torch.autocast(model.device.type, dtype, enabled=dtype is not None)


def _keep_packed(base: PreTrainedModel) -> None:
    """4-bit layers compute the same everywhere and in every mode.

    On processors with AVX512-BF16 bitsandbytes repacks the weights at the first forward in evaluation mode, computes in
    bf16 from then on, and cannot train through them any more.
    """
    for module in base.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False
