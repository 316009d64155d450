"""From a tuner's parameters to a student on the frozen base."""

import re
from collections.abc import Iterator

import torch
from peft import (
    BeftConfig,
    LoraConfig,
    PeftConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptTuningConfig,
    get_peft_model,
)
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers import PreTrainedModel

from anamnesis.errors import InputError
from anamnesis.modeling.student.bottleneck import BottleneckConfig
from anamnesis.modeling.student.full import train_fully
from anamnesis.modeling.student.layers import LayerStudent
from anamnesis.modeling.student.prompts import VirtualTokensStudent, virtual_tokens_student
from anamnesis.modeling.student.student import ADAPTER, Student
from anamnesis.settings.tuner import Tuner

# The last linear layer of attention and of the MLP, in Llama, Qwen2, Mistral and their kin.
SUBLAYER_OUTPUTS = ("o_proj", "down_proj")


def add_student(base: PreTrainedModel, tuner: Tuner) -> Student:
    """A fresh student, whose output is exactly the base's; or with virtual tokens, the base's after some words.

    The base is frozen by hand: PEFT's helper for quantized models would also raise the embedding and the head to
    fp32 and switch checkpointing on.

    Raises:
        InputError: the tuner does not fit this model.
    """
    base.requires_grad_(False)
    layers = base.config.get_text_config().num_hidden_layers
    if tuner.first_layer >= layers:
        raise InputError(
            f"`tuner.first_layer` is {tuner.first_layer}, but the model has {layers} layers, counted from 0: lower it."
        )
    if tuner.kind == "full":
        return train_fully(base, _below(tuner.first_layer))
    return _with_virtual_tokens(base, tuner) if tuner.virtual_tokens else _with_layers(base, tuner)


def _with_virtual_tokens(base: PreTrainedModel, tuner: Tuner) -> VirtualTokensStudent:
    """They start as random words of the vocabulary."""
    kind = {"prefix": PrefixTuningConfig, "prompt": PromptTuningConfig}[tuner.kind]
    config = kind(task_type="CAUSAL_LM", num_virtual_tokens=tuner.tokens)
    student = virtual_tokens_student(get_peft_model(base, config, adapter_name=ADAPTER))
    words = torch.randint(base.get_input_embeddings().num_embeddings, (tuner.virtual_tokens,))
    student.start(words.to(base.device))
    return student


def _with_layers(base: PreTrainedModel, tuner: Tuner) -> LayerStudent:
    try:
        model = get_peft_model(base, _config(base, tuner), adapter_name=ADAPTER)
    except ValueError as error:
        raise InputError(
            f"`tuner.target_modules` is {tuner.target_modules!r}: {' '.join(str(error).split())}"
        ) from error
    if any(isinstance(m, BaseTunerLayer) for m in (model.get_output_embeddings(), model.get_input_embeddings())):
        raise InputError(
            "`tuner.target_modules` names the output head or the embedding, which student and teacher share: "
            "remove it (all-linear leaves both alone)."
        )
    if tuner.kind == "dora":
        _take_norms_in_fp32(model)
    return LayerStudent(model)


def _take_norms_in_fp32(model: PeftModel) -> None:
    """Start DoRA's magnitudes again on a 16-bit base, whose rows' norms PEFT takes in 16 bits.

    In its forward the norms are in fp32: the student would start up to 0.4 % off the base in each row.
    """
    for layer in model.modules():
        if isinstance(layer, LoraLayer) and layer.get_base_layer().weight.dtype in (torch.bfloat16, torch.float16):
            layer.lora_magnitude_vector[ADAPTER].update_layer(
                base_layer=layer.get_base_layer(),
                lora_A=layer.lora_A[ADAPTER].weight,
                lora_B=layer.lora_B[ADAPTER].weight,
                scaling=layer.scaling[ADAPTER],
            )


def _config(base: PreTrainedModel, tuner: Tuner) -> PeftConfig:
    if tuner.kind == "bitfit":
        return BeftConfig(task_type="CAUSAL_LM", target_modules=_linear_layers_with_bias(base, tuner.first_layer))
    if tuner.kind == "bottleneck":
        assert tuner.size is not None, "settings.Tuner refuses a bottleneck without a size"
        return BottleneckConfig(
            task_type="CAUSAL_LM", target_modules=_sublayer_outputs(base, tuner.first_layer), size=tuner.size
        )
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=tuner.r,
        lora_alpha=tuner.alpha,
        lora_dropout=tuner.dropout,
        target_modules=tuner.target_modules,
        exclude_modules=_below(tuner.first_layer),
        use_dora=tuner.kind == "dora",
        bias="none",
    )


def _below(first_layer: int) -> str | None:
    """A pattern of the modules inside layers before `first_layer`: the first number in a module's name is its layer's.

    PEFT's own `layers_to_transform` does not work with `all-linear`.
    """
    numbers = "|".join(str(layer) for layer in range(first_layer))
    return rf"(?:[^.\d][^.]*\.)*(?:{numbers})\..*" if first_layer else None


def _linear_layers_with_bias(base: PreTrainedModel, first_layer: int) -> list[str]:
    """Names of the layers that BitFit (Ben Zaken et al. 2022, arXiv:2106.10199) trains the bias of.

    PEFT adds the trained vector to a layer's output, which equals training its bias. It would also give a bias to
    layers that have none, which is another method (arXiv:2509.15974).
    """
    names = [name for name, module in _linear_layers(base, first_layer) if module.bias is not None]
    if not names:
        raise InputError(
            f"`tuner.kind` is bitfit, which trains the biases of torch.nn.Linear, and {type(base).__name__} has none "
            f"from layer {first_layer} on: choose another kind, or a model with such biases (Qwen2)."
        )
    return names


def _sublayer_outputs(base: PreTrainedModel, first_layer: int) -> list[str]:
    """Names of the linear layers whose outputs are those of attention and MLP: one of each in every layer."""
    found = [name for name, _ in _linear_layers(base, first_layer) if name.endswith(SUBLAYER_OUTPUTS)]
    layers = base.config.get_text_config().num_hidden_layers - first_layer
    if any(sum(name.endswith(output) for name in found) != layers for output in SUBLAYER_OUTPUTS):
        raise InputError(
            f"`tuner.kind` is bottleneck, which needs one o_proj and one down_proj in every layer, and "
            f"{type(base).__name__} is built another way: choose another kind, or a model such as Llama or Qwen2."
        )
    return found


def _linear_layers(base: PreTrainedModel, first_layer: int) -> Iterator[tuple[str, nn.Linear]]:
    """The linear layers from `first_layer` on, by name, without the output head."""
    below, head = _below(first_layer), base.get_output_embeddings()
    for name, module in base.named_modules():
        if isinstance(module, nn.Linear) and module is not head and not (below and re.fullmatch(below, name)):
            yield name, module
