"""Adapters on one frozen base: the student's, and the teacher's when it has one of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Float
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor
from transformers import PreTrainedModel

from anamnesis.errors import InputError
from anamnesis.settings.modeling import Tuner

STUDENT = "default"
TEACHER = "teacher"


def add_student(base: PreTrainedModel, tuner: Tuner) -> PeftModel:
    """A fresh trainable adapter on the frozen base; its output starts at exactly zero (LoRA's B is 0).

    The base is frozen by hand: PEFT's helper for quantized models would also raise the embedding and the head to
    fp32 and switch checkpointing on.
    """
    base.requires_grad_(False)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=tuner.r,
        lora_alpha=tuner.alpha,
        lora_dropout=tuner.dropout,
        target_modules=tuner.target_modules,
        bias="none",
    )
    try:
        model = get_peft_model(base, config, adapter_name=STUDENT)
    except ValueError as error:
        raise InputError(
            f"`tuner.target_modules` is {tuner.target_modules!r}: {' '.join(str(error).split())}"
        ) from error
    if any(isinstance(m, BaseTunerLayer) for m in (model.get_output_embeddings(), model.get_input_embeddings())):
        raise InputError(
            "`tuner.target_modules` names the output head or the embedding, which student and teacher share: "
            "take it out (all-linear leaves both alone)."
        )
    return model


def add_teacher(model: PeftModel, tuner: Tuner) -> None:
    """A second, frozen adapter that starts as an exact copy of the student, in fp32 and without dropout.

    In bf16 an average with decay 0.999 would never move.
    """
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=tuner.r,
        lora_alpha=tuner.alpha,
        lora_dropout=0.0,
        target_modules=tuner.target_modules,
        bias="none",
        inference_mode=True,
    )
    model.add_adapter(TEACHER, config)
    with torch.no_grad():
        for teacher, student in zip(tensors(model, TEACHER), tensors(model, STUDENT), strict=True):
            teacher.data = student.detach().to(torch.float32, copy=True)
            teacher.requires_grad_(False)


def lora_layers(model: PeftModel) -> list[LoraLayer]:
    """The adapted layers, in the model's order."""
    return [module for module in model.modules() if isinstance(module, LoraLayer)]


def tensors(model: PeftModel, adapter: str) -> list[Tensor]:
    """The weights of one adapter, A then B of each layer, in the model's order."""
    return [getattr(layer, factor)[adapter].weight for layer in lora_layers(model) for factor in ("lora_A", "lora_B")]


class AdapterSwitch:
    """Runs the model with another adapter, or with none, for the length of a `with` block.

    PEFT's own `set_adapter` and `disable_adapter` walk the whole model and change `requires_grad`: 32 and 63 ms a
    step at 28 layers, and a way to lose the student's gradients. This sets the two fields that a layer's forward
    reads on layers found once; a test holds it to PEFT's result.
    """

    def __init__(self, model: PeftModel) -> None:
        self._layers = lora_layers(model)

    @contextmanager
    def use(self, adapter: str | None) -> Iterator[None]:
        before = [(layer._active_adapter, layer._disable_adapters) for layer in self._layers]
        for layer in self._layers:
            layer._disable_adapters = adapter is None
            if adapter is not None:
                layer._active_adapter = [adapter]
        try:
            yield
        finally:
            for layer, (active, disabled) in zip(self._layers, before, strict=True):
                layer._active_adapter, layer._disable_adapters = active, disabled


def update_distance(model: PeftModel, first: str, second: str | None) -> float:
    """Frobenius distance between two adapters' weight updates (dW = alpha/r B A), or of one from the base (None).

    Of the products, not of the factors: factors may differ where the models agree. With M = [B1, -B2] and
    N = [A1; A2] the difference is M N, and |M N|^2 = sum of (M'M) * (N N') costs only ranks squared.
    """
    total = 0.0
    with torch.no_grad():
        for layer in lora_layers(model):
            left, right = _factors(layer, first)
            if second is not None:
                other_left, other_right = _factors(layer, second)
                left, right = torch.cat([left, -other_left], dim=1), torch.cat([right, other_right], dim=0)
            total += float(((left.T @ left) * (right @ right.T)).sum())
    return max(total, 0.0) ** 0.5


def _factors(layer: LoraLayer, adapter: str) -> tuple[Float[Tensor, "out rank"], Float[Tensor, "rank in"]]:
    scale = layer.scaling[adapter]
    return layer.lora_B[adapter].weight.double() * scale, layer.lora_A[adapter].weight.double()


def save_adapter(model: PeftModel, adapter: str, folder: Path) -> None:
    """Save one adapter; the student's files in `folder` itself, another's in a subfolder of its name.

    PEFT writes sets in hash order: sorted here, so that the same run gives the same bytes.
    """
    model.save_pretrained(folder, selected_adapters=[adapter])
    path = (folder if adapter == STUDENT else folder / adapter) / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key, value in config.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            config[key] = sorted(value)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_adapters(base: PreTrainedModel, folder: Path) -> tuple[PeftModel, list[str]]:
    """The saved student, and the teacher if one was saved beside it; all frozen. Returns the model and their names."""
    model = PeftModel.from_pretrained(base, folder, adapter_name=STUDENT)
    names = [STUDENT]
    if (folder / TEACHER).is_dir():
        model.load_adapter(folder / TEACHER, adapter_name=TEACHER)
        names.append(TEACHER)
    return model.eval(), names
