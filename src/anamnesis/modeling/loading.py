"""Getting the base model: from a folder, from the hub, and back from models/base."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from anamnesis.settings import Compute, Model, SettingsError


def configure_compute(compute: Compute) -> None:
    """Fix the number of threads (results repeat bit for bit only at the same one) and check the device.

    Raises:
        SettingsError: the profile asks for a GPU and there is none.
    """
    torch.set_num_threads(compute.threads)
    if compute.device != "cpu" and not torch.cuda.is_available():
        raise SettingsError(
            f"`compute.device` is {compute.device}, but this machine has no CUDA device: "
            f"set it to cpu in the profile, or use a profile that does (profile: tiny)."
        )
    if compute.device != "cpu" and torch.cuda.device_count() > 1:
        raise SettingsError(
            f"this machine shows {torch.cuda.device_count()} GPUs, and training uses one: "
            f"set CUDA_VISIBLE_DEVICES to the one to use, for example CUDA_VISIBLE_DEVICES=0."
        )


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
            device_map={"": compute.device},
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
        folder, local_files_only=True, dtype="auto", device_map={"": compute.device}
    )
    base.requires_grad_(False).eval()
    return base, AutoTokenizer.from_pretrained(folder, local_files_only=True)
