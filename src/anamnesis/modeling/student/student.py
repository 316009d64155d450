"""The student as teachers, the training loop and evaluation see it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.integrations import dequantize_module_weight
from torch import Tensor, nn

from anamnesis.modeling.hidden_states import hidden_states
from anamnesis.modeling.student.updates import Dense, LowRank, Update

# PEFT's name of the one adapter.
ADAPTER = "default"


@dataclass(frozen=True)
class TrainedLayer:
    """A layer of the base on which something is trained.

    Attributes:
        name: its name in the base.
        weights: what is trained on it.
        factors: of these, what the update is a product of; all of them if it is no product.
        module: PEFT's layer.
    """

    name: str
    weights: list[nn.Parameter]
    factors: list[nn.Parameter]
    module: BaseTunerLayer

    @cached_property
    def update(self) -> Update:
        """The change of the layer as a differentiable function of `weights`, in their precision."""
        return _update(self.module, self.weights[0].dtype)


class Student:
    """A model whose base is frozen and whose PEFT layers (LoRA, DoRA, BitFit) are trained.

    `weights` is exactly what is trained, layer by layer in the model's order. Another model on the same base (the EMA
    teacher, a share of the update) is a list of tensors like `weights`, put in their place by `holding`.
    """

    def __init__(self, model: PeftModel) -> None:
        self.model = model
        named = {name: m for name, m in model.get_base_model().named_modules() if isinstance(m, BaseTunerLayer)}
        self._names, self._layers = list(named), list(named.values())
        self._weights = [_weights(layer) for layer in self._layers]
        self.weights = [weight for weights in self._weights for weight in weights]

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]:
        """The last hidden states at `positions`."""
        return hidden_states(self.model, batch, positions)

    @contextmanager
    def as_base(self) -> Iterator[None]:
        """The untouched base, for the length of a `with` block.

        PEFT's own `disable_adapter` walks the whole model and changes `requires_grad`: 63 ms a step at 28 layers, and
        a way to lose the student's gradients. This sets the one field that a layer's forward reads.
        """
        before = [layer._disable_adapters for layer in self._layers]
        for layer in self._layers:
            layer._disable_adapters = True
        try:
            yield
        finally:
            for layer, disabled in zip(self._layers, before, strict=True):
                layer._disable_adapters = disabled

    @contextmanager
    def holding(self, weights: Sequence[Tensor]) -> Iterator[None]:
        """The student with other weights, for the length of a `with` block: each parameter's data are swapped.

        The optimizer and DDP hold the parameters themselves, which stay. The block must be under `no_grad` and come
        before the student's forward: a backward pass must find what its forward saw.
        """
        with _holding(self.weights, weights):
            yield

    def updates(self, weights: Sequence[Tensor] | None = None) -> Iterator[Update]:
        """What is changed in each layer of the base, by the student's own weights or by others in their place."""
        others = iter(self.weights if weights is None else weights)
        for layer, own in zip(self._layers, self._weights, strict=True):
            with torch.no_grad(), _holding(own, [next(others) for _ in own]):
                update = _update(layer)
            yield update

    def trained_layers(self) -> Iterator[TrainedLayer]:
        """One for each layer, in the model's order; no update is formed before it is asked for."""
        for name, layer, weights in zip(self._names, self._layers, self._weights, strict=True):
            factors = weights[:2] if isinstance(layer, LoraLayer) else weights
            yield TrainedLayer(name, weights, factors, layer)

    def share(self, share: float) -> list[Tensor]:
        """The weights that make every update `share` times what it is: 0 is the base and 1 the student, exactly.

        Interpolation in weight space between the base and the trained model (WiSE-FT, Wortsman et al. 2022,
        arXiv:2109.01903).

        Raises:
            ValueError: the update is not linear in any of the layer's weights (DoRA).
        """
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
    return Dense(layer.beft_bias[ADAPTER].to(dtype).flatten())


def _share(layer: BaseTunerLayer, weights: Sequence[Tensor], share: float) -> list[Tensor]:
    if is_dora(layer):
        raise ValueError("a DoRA update is not linear in its weights")
    if isinstance(layer, LoraLayer):
        first, second = (weight.detach() for weight in weights)
        return [first.clone(), second * share]
    return [weight.detach() * share for weight in weights]


@contextmanager
def _holding(weights: Sequence[Tensor], others: Sequence[Tensor]) -> Iterator[None]:
    """Autocast remembers the low-precision copies of trainable parameters by identity: its memory must go with them."""
    if [weight.shape for weight in weights] != [other.shape for other in others]:
        raise ValueError("the weights to hold are not of the student's shapes")
    before = [weight.data for weight in weights]
    try:
        for weight, other in zip(weights, others, strict=True):
            weight.data = other.data
        torch.clear_autocast_cache()
        yield
    finally:
        for weight, data in zip(weights, before, strict=True):
            weight.data = data
        torch.clear_autocast_cache()
