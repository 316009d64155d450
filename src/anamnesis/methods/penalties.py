"""Penalties on what training changes in the base: L1, L2-SP and EWC.

L1 is weight * sum |theta|, over LoRA's factors or over the update of the base's weights. At 0 its subgradient is 0, so
that with `of: factors` B starts to move as without it. L2-SP is weight / 2 * |dW|^2 (Li et al. 2018, arXiv:1802.01483),
EWC weight / 2 * sum F dW^2 with the Fisher information F of the base (Kirkpatrick et al. 2017, arXiv:1612.00796; with
LoRA Xiang et al. 2023, arXiv:2305.10626). F has the unit 1 / nats per token of general text would have if dW had one:
half of the sum is the rise of the loss on that text that F predicts, in nats per token, the unit of the cross-entropy.

After each domain of a chain, F of its reports is added, and EWC counts dW from the update at its end (gamma = 1 in
Zheng et al. 2026, arXiv:2602.17559). Each F stays in its factors, since a sum of products is no product of sums.

L2-SP and EWC are taken of the update and not of the factors, which can be scaled against each other without any change
of the model. A penalty is the same for all reports of a step, and so belongs to a step once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from anamnesis.methods.fisher import Fisher
from anamnesis.methods.losses import Loss
from anamnesis.modeling.student.student import Student, TrainedLayer
from anamnesis.modeling.student.updates import Update
from anamnesis.settings.penalties import Penalties

Part = Callable[[TrainedLayer], Tensor]


class Penalty:
    """The sum of a method's penalties; calling it gives their present value in nats, with its gradient.

    Args:
        penalties: which, and how strong.
        student: whose updates.
        fisher: of the base; needed by EWC only.
        of_domains: those of the finished domains of a chain.
        anchor: the student's weights at the end of the last finished domain, where EWC is 0; None: at the base's.
    """

    def __init__(
        self,
        penalties: Penalties,
        student: Student,
        fisher: Fisher | None = None,
        of_domains: Sequence[Fisher] = (),
        anchor: Sequence[Tensor] | None = None,
    ) -> None:
        self._student = student
        self._parts: dict[str, tuple[float, Part]] = {}
        if (l1 := penalties.l1) is not None:
            self._parts["l1_norm"] = l1.weight, of_factors if l1.of == "factors" else of_update
        if penalties.l2_sp is not None:
            self._parts["l2_sp"] = penalties.l2_sp.weight, half_square
        if penalties.ewc is not None:
            assert fisher is not None, "EWC needs the base's Fisher information"
            layers = list(student.trained_layers())
            factors = {
                layer.name: [one.of(layer.name, layer.weights[0]) for one in (fisher, *of_domains)] for layer in layers
            }
            anchors: dict[str, Update] = {}
            if anchor is not None:
                there = [before.to(weight.device) for before, weight in zip(anchor, student.weights, strict=True)]
                for layer, update in zip(layers, student.updates(there), strict=True):
                    anchors[layer.name] = update.to(layer.weights[0])
            self._parts["ewc_nats"] = penalties.ewc.weight, lambda layer: predicted_rise(layer, factors, anchors)

    def __call__(self) -> Loss:
        """`total` is what the loss grows by; `terms` has each part without its weight, and `penalty_nats`, all of it.

        The gradient is formed layer by layer with the value, so that no layer's update has to wait for the backward
        pass: an update that is no product of factors is as large as the layer.
        """
        weights = self._student.weights
        sums = torch.zeros(len(self._parts), dtype=torch.float64, device=weights[0].device)
        gradients: list[Tensor] = []
        with torch.enable_grad(), torch.autocast(weights[0].device.type, enabled=False):
            for layer in self._student.trained_layers():
                values = [part(layer) for _, part in self._parts.values()]
                sums += torch.stack([value.detach() for value in values])
                gradients += torch.autograd.grad(
                    self._weighted(values), layer.weights, allow_unused=True, materialize_grads=True
                )
        total = _Formed.apply(self._weighted(sums.unbind()).to(weights[0].dtype), gradients, *weights)
        return Loss(total, dict(zip(self._parts, sums, strict=True)) | {"penalty_nats": total.detach()})

    def _weighted(self, values: Iterable[Tensor]) -> Tensor:
        return torch.stack(
            [weight * value for (weight, _), value in zip(self._parts.values(), values, strict=True)]
        ).sum()


def of_factors(layer: TrainedLayer) -> Tensor:
    """The sum of |A| and |B|; with DoRA its magnitude is left out, which starts at the norm of the base's rows."""
    return torch.stack([factor.abs().sum() for factor in layer.factors]).sum()


def of_update(layer: TrainedLayer) -> Tensor:
    return layer.update.absolute()


def half_square(layer: TrainedLayer) -> Tensor:
    return layer.update.quadratic() / 2


def predicted_rise(
    layer: TrainedLayer, fishers: Mapping[str, Sequence[tuple[Tensor, Tensor]]], anchors: Mapping[str, Update]
) -> Tensor:
    """Half of the sums of F * dW^2, dW from the anchor: the rise of the loss to second order, nats per token."""
    update = layer.update
    if layer.name in anchors:
        update = update.minus(anchors[layer.name])  # type: ignore[arg-type]
    return torch.stack([update.quadratic(*factors) / 2 for factors in fishers[layer.name]]).sum()


class _Formed(torch.autograd.Function):
    """A value whose gradients were formed together with it."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *_: Tensor) -> Tensor:
        ctx.save_for_backward(*gradients)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *[gradient * outer[0] for gradient in ctx.saved_tensors]
