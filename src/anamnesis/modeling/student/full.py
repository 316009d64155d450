"""A student that trains the base's own weights: all but those of the embedding and the output head.

The fused loss forms no gradient of the head, and in many models the embedding is the same matrix.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from anamnesis.errors import InputError
from anamnesis.modeling.student.student import Student, TrainedLayer, swapped
from anamnesis.modeling.student.updates import Dense, Update


class FullStudent(Student):
    """`weights` are those called `names` in the model. `base` is a copy of what they were at first."""

    def __init__(self, model: PreTrainedModel, names: Sequence[str]) -> None:
        super().__init__(model, [model.get_parameter(name) for name in names])
        self.names = list(names)
        self.base = [weight.detach().clone() for weight in self.weights]

    def as_base(self) -> AbstractContextManager[None]:
        return swapped(self.weights, self.base)

    def saved_weights(self) -> list[Tensor]:
        """In the base's precision: evaluation has no autocast, and more bits would be rounded by it."""
        return [weight.detach().to(base.dtype) for weight, base in zip(self.weights, self.base, strict=True)]

    def updates(self, weights: Sequence[Tensor] | None = None) -> Iterator[Update]:
        """One for each tensor that is trained."""
        for weight, base in zip(self.weights if weights is None else weights, self.base, strict=True):
            yield Dense(weight.detach().double() - base.double())

    def trained_layers(self) -> Iterator[TrainedLayer]:
        """One for each tensor: a layer's bias is one of its own."""
        for name, weight, base in zip(self.names, self.weights, self.base, strict=True):
            yield TrainedLayer(name, [weight], [weight], partial(_change, weight, base))

    def share(self, share: float) -> list[Tensor]:
        return [
            base.to(weight.dtype).lerp(weight.detach(), share)
            for weight, base in zip(self.weights, self.base, strict=True)
        ]


def train_fully(base: PreTrainedModel, below: str | None) -> FullStudent:
    """A fresh student, which is exactly the base.

    Its weights are trained in fp32 even if the base has 16 bits, where a small step would change nothing. The forward
    then needs autocast, as the training loop has it.

    Args:
        base: with all of its weights frozen.
        below: a pattern of the modules that are not trained; None: all are.

    Raises:
        InputError: the base's weights are packed, and have no gradient.
    """
    if not all(weight.is_floating_point() for weight in base.parameters()):
        raise InputError(
            "`tuner.kind` is full, which cannot train 4-bit weights: set `model.quantization` to none in the profile "
            "(for all methods, which share one base), or choose another kind."
        )
    student = FullStudent(base, list(_trained(base, below)))
    for weight in student.weights:
        weight.data = weight.data.to(torch.float32)
        weight.requires_grad_(True)
    return student


def _trained(base: PreTrainedModel, below: str | None) -> Iterator[str]:
    """Names of all weights except those of embeddings (of positions too), the head, and layers not to be trained."""
    frozen = {
        id(weight)
        for module in base.modules()
        if isinstance(module, nn.Embedding) or module is base.get_output_embeddings()
        for weight in module.parameters()
    }
    for name, weight in base.named_parameters():
        if id(weight) not in frozen and not (below and re.fullmatch(below, name)):
            yield name


def _change(weight: Tensor, base: Tensor) -> Dense:
    return Dense(weight - base.to(weight.dtype))
