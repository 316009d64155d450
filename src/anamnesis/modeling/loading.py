"""Saving the base model, loading it in every later stage, and the precision it computes in."""

from pathlib import Path

import bitsandbytes as bnb
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from anamnesis.compute import device_of_this_process
from anamnesis.settings.compute import Compute


def save_base(base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """What every later stage loads; 4-bit weights are saved as they are."""
    base.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_base(folder: Path, compute: Compute) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base as the stage `base` saved it, frozen and in evaluation mode."""
    base = AutoModelForCausalLM.from_pretrained(
        folder,
        local_files_only=True,
        trust_remote_code=False,
        dtype="auto",
        device_map={"": device_of_this_process(compute)},
    )
    base.requires_grad_(False).eval()
    keep_packed(base)
    return base, AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def low_precision(model: PreTrainedModel | PeftModel) -> torch.dtype | None:
    """The autocast type of the training loop: a 16-bit model's own type, but no float16 on a CPU.

    On a processor with units for bfloat16 (AMX), a step of SmolLM2-135M takes 0.6 times as long as in fp32.
    """
    low = model.dtype == torch.bfloat16 or (model.dtype == torch.float16 and model.device.type != "cpu")
    return model.dtype if low else None


def mixed_precision(model: PreTrainedModel | PeftModel) -> torch.autocast:
    """The autocast of the training loop."""
    dtype = low_precision(model)
    return torch.autocast(model.device.type, dtype, enabled=dtype is not None)


def keep_packed(base: PreTrainedModel) -> None:
    """Make 4-bit layers compute the same on every processor and in every mode.

    On processors with AVX512-BF16 bitsandbytes repacks the weights at the first forward in evaluation mode. From then
    on it computes in bf16, and can neither train through the weights nor save them.
    """
    for module in base.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False
