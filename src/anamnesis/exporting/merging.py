"""Merging a trained model into plain weights: those of the base as it was evaluated, and the update.

The base of a 4-bit run is its dequantized base, not the model that was quantized: the update was trained, and measured,
on weights that quantization had moved. PEFT merges in fp32, and the result is rounded once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from anamnesis.errors import InputError
from anamnesis.modeling.student.saving import load_student, models_of_run
from anamnesis.modeling.student.student import Student
from anamnesis.settings.tuner import Tuner

# Why a kind of tuner has no merged weights.
NOT_MERGED = {
    "bottleneck": "bottleneck adapters are layers of their own, with a nonlinearity",
    "prefix": "a prefix is keys and values before a text, and no weight of the base",
    "prompt": "a prompt is embeddings before a text, and no weight of the base",
}


def check_form(run: str, tuner: Tuner, form: str) -> None:
    """Refuse a form that the run's tuner does not have.

    Raises:
        InputError: with the form to choose instead.
    """
    if form != "adapter" and tuner.kind in NOT_MERGED:
        raise InputError(
            f"{run} has a tuner of kind {tuner.kind} and cannot be merged, because {NOT_MERGED[tuner.kind]}: export it "
            f"with FORMAT=adapter."
        )
    if form == "adapter" and tuner.kind == "full":
        raise InputError(f"{run} has trained the base's own weights, and no adapter: export it with FORMAT=merged.")


@contextmanager
def model_of_run(base: PreTrainedModel, folder: Path, method: str, model: str) -> Iterator[Student]:
    """One of a run's models on its base, for the length of a `with` block: the student, its teacher, a share."""
    student = load_student(base, folder)
    for name in models_of_run(student, method, folder):
        if name == model:
            yield student


def dequantized(base: PreTrainedModel) -> PreTrainedModel:
    """The same weights in fp32, 4-bit ones unpacked. The base itself is changed."""
    if getattr(base.config, "quantization_config", None) is not None:
        base = base.dequantize(dtype=torch.float32)
    return base.to(torch.float32)


def merge(student: Student) -> PreTrainedModel:
    """The plain model that computes what the student computes; the student cannot be used afterwards."""
    if isinstance(student.model, PeftModel):
        merged: PreTrainedModel = student.model.merge_and_unload(safe_merge=True)
        return merged
    return student.model


def precision(base: torch.dtype, wanted: str | None) -> torch.dtype:
    """The type of exported weights; see `settings.Export`."""
    if wanted is not None:
        dtype: torch.dtype = getattr(torch, wanted)
        return dtype
    return base if base in (torch.float16, torch.bfloat16) else torch.float16


def save_plain(model: PreTrainedModel, dtype: torch.dtype, generation: GenerationConfig, folder: Path) -> None:
    """Save the weights of a model, rounded to `dtype`, in a folder that any program for its architecture reads.

    The saved model is a fresh one: that of a quantized base remembers how its weights were read, and cannot be saved.
    """
    config = model.config
    config.use_cache = True
    with torch.device("meta"):
        fresh = AutoModelForCausalLM.from_config(config, dtype=dtype)
    fresh.load_state_dict({name: weight.to(dtype) for name, weight in model.state_dict().items()}, assign=True)
    fresh.tie_weights()
    fresh.generation_config = generation
    fresh.save_pretrained(folder)
