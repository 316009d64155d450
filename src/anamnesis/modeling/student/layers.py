"""A student whose trained part is layers that PEFT adds to the frozen base: LoRA, DoRA, bottleneck adapters, BitFit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.integrations import dequantize_module_weight
from torch import Tensor, nn

from anamnesis.modeling.loading import low_precision
from anamnesis.modeling.student.bottleneck import BottleneckLayer
from anamnesis.modeling.student.low_rank import add_products
from anamnesis.modeling.student.student import ADAPTER, Student, TrainedLayer, swapped
from anamnesis.modeling.student.updates import Dense, LowRank, Update


class LayerStudent(Student):
    """`weights` are those of the added layers, layer by layer in the model's order."""

    def __init__(self, model: PeftModel) -> None:
        named = {name: m for name, m in model.get_base_model().named_modules() if isinstance(m, BaseTunerLayer)}
        self._names, self._layers = list(named), list(named.values())
        self._weights = [_weights(layer) for layer in self._layers]
        if low_precision(model) is not None:
            for layer in self._layers:
                if isinstance(layer, LoraLayer) and not is_dora(layer):
                    add_products(layer)
        super().__init__(model, [weight for weights in self._weights for weight in weights])

    @contextmanager
    def as_base(self) -> Iterator[None]:
        """PEFT's own `disable_adapter` walks the whole model and changes `requires_grad`: 63 ms a step at 28 layers,
        and a way to lose the student's gradients. This sets the one field that a layer's forward reads.
        """
        before = [layer._disable_adapters for layer in self._layers]
        for layer in self._layers:
            layer._disable_adapters = True
        try:
            yield
        finally:
            for layer, disabled in zip(self._layers, before, strict=True):
                layer._disable_adapters = disabled

    def updates(self, weights: Sequence[Tensor] | None = None) -> Iterator[Update]:
        """One for each added layer, in the model's order."""
        others = iter(self.weights if weights is None else weights)
        for layer, own in zip(self._layers, self._weights, strict=True):
            with torch.no_grad(), swapped(own, [next(others) for _ in own]):
                update = _update(layer)
            yield update

    def trained_layers(self) -> Iterator[TrainedLayer]:
        for name, layer, weights in zip(self._names, self._layers, self._weights, strict=True):
            factors = weights[:2] if isinstance(layer, LoraLayer) else weights
            yield TrainedLayer(name, weights, factors, partial(_update, layer, weights[0].dtype))

    def share(self, share: float) -> list[Tensor]:
        return [
            tensor
            for layer, own in zip(self._layers, self._weights, strict=True)
            for tensor in _share(layer, own, share)
        ]


def _weights(layer: BaseTunerLayer) -> list[nn.Parameter]:
    """The trained tensors of one layer, in the order of PEFT's own list of where they are.

    That list names DoRA's magnitude twice.
    """
    found: list[nn.Parameter] = []
    for name in dict.fromkeys(layer.adapter_layer_names):
        by_adapter = getattr(layer, name)
        if ADAPTER in by_adapter:
            held = by_adapter[ADAPTER]
            found += [held] if isinstance(held, nn.Parameter) else held.parameters()
    return found


def is_dora(layer: BaseTunerLayer) -> bool:
    return isinstance(layer, LoraLayer) and layer.use_dora.get(ADAPTER, False)


def _update(layer: BaseTunerLayer, dtype: torch.dtype = torch.float64) -> Update:
    if is_dora(layer):
        # W' = m (W + sBA) / |W + sBA|, the norm over each output's row (Liu et al. 2024, arXiv:2402.09353, eq. 5).
        base = dequantize_module_weight(layer.get_base_layer()).to(dtype)
        delta = layer.get_delta_weight(ADAPTER).to(dtype)
        if layer.fan_in_fan_out:
            # GPT-2's Conv1D keeps its weight as (in, out).
            base, delta = base.T, delta.T
        direction = base + delta
        magnitude = layer.lora_magnitude_vector[ADAPTER].weight.to(dtype)
        return Dense(magnitude[:, None] * direction / direction.norm(dim=1, keepdim=True) - base)
    if isinstance(layer, LoraLayer):
        left, right = layer.lora_B[ADAPTER].weight, layer.lora_A[ADAPTER].weight
        return LowRank(left.to(dtype) * layer.scaling[ADAPTER], right.to(dtype))
    if isinstance(layer, BottleneckLayer):
        left, right = layer.affine(ADAPTER)
        return LowRank(left.to(dtype), right.to(dtype))
    return Dense(layer.beft_bias[ADAPTER].to(dtype).flatten())


def _share(layer: BaseTunerLayer, weights: Sequence[Tensor], share: float) -> list[Tensor]:
    if is_dora(layer):
        raise ValueError("a DoRA update is not linear in its weights")
    if isinstance(layer, LoraLayer):
        first, second = (weight.detach() for weight in weights)
        return [first.clone(), second * share]
    if isinstance(layer, BottleneckLayer):
        *inner, up, bias = (weight.detach() for weight in weights)
        return [*(weight.clone() for weight in inner), up * share, bias * share]
    return [weight.detach() * share for weight in weights]
