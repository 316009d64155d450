"""The base model that `model.source` names."""

import shutil
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from anamnesis.compute import device_of_this_process
from anamnesis.modeling.loading import keep_packed
from anamnesis.modeling.source.conversion import is_multimodal, keep_language_model, unpack
from anamnesis.modeling.source.files import check_files, find
from anamnesis.modeling.source.refusal import UnusableModelError
from anamnesis.modeling.source.tokenizers import load_tokenizer
from anamnesis.modeling.source.trial import check_computes
from anamnesis.modeling.source.weights import load_config, load_weights, quantization_for
from anamnesis.modeling.source.wheels import take_out, wheel_of
from anamnesis.settings.compute import Compute
from anamnesis.settings.modeling import Model
from anamnesis.settings.sections import SettingsError

SCRATCH = Path("scratch/source")


def obtain(model: Model, compute: Compute, scratch: Path = SCRATCH) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and tokenizer of `model.source`, quantized if asked for, and as every later stage needs them.

    Args:
        model: a local folder, a GGUF file, one in a wheel, or a hub id.
        compute: the machine.
        scratch: a folder of its own for unpacking and converting; removed afterwards.

    Raises:
        SettingsError: the model cannot be found or loaded, is not what its folder says, or does not suit the pipeline.
    """
    # A killed run may have left its own.
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        return _obtain(model, compute, scratch)
    except UnusableModelError as error:
        raise SettingsError(f"`model.source` {model.source!r}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _obtain(model: Model, compute: Compute, scratch: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    dtype = getattr(torch, model.dtype)
    wheel = wheel_of(model.source, model.revision)
    folder = find(model) if wheel is None else take_out(wheel, scratch / "wheel")
    if folder.is_file():
        unpack(folder, scratch / "unpacked", dtype)
        folder = scratch / "unpacked"
    check_files(folder)
    config = load_config(folder)
    quantization = quantization_for(config, model.quantization, dtype)
    multimodal = is_multimodal(config)
    tokenizer = load_tokenizer(folder, config.get_text_config() if multimodal else config)
    if multimodal:
        keep_language_model(folder, config, scratch / "language_model", dtype)
        folder = scratch / "language_model"
        config = load_config(folder)
    base = load_weights(folder, config, quantization, dtype, device_of_this_process(compute))
    keep_packed(base)
    # A checkpoint's own generation settings (longest text, repetition penalty) would change what is measured.
    base.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    check_computes(base, tokenizer)
    return base, tokenizer
