"""LoRA's product on a 16-bit base: one matrix product that adds to the layer's output."""

from typing import Any

import torch
from peft.tuners.lora.layer import LoraLayer, LoraVariant
from torch import Tensor
from torch.nn.functional import linear

from anamnesis.modeling.student.student import ADAPTER


class AddedProduct(LoraVariant):
    """y + s B A x in y's own precision, as autocast computes the two products; the weights stay in fp32.

    PEFT computes the update as a tensor of its own, scales it and adds it, outside autocast in fp32: passes over a
    layer's output that cost more than the layer. Here the last product adds to the output. Evaluating the 16-bit
    SmolLM2-135M with an adapter takes 0.61 to 0.67 of the time (LOG.md).
    """

    @staticmethod
    def forward(module: LoraLayer, active_adapter: str, x: Tensor, result: Tensor, **_: Any) -> Tensor:
        first, second = (factors[active_adapter].weight for factors in (module.lora_A, module.lora_B))
        inner = linear(module.lora_dropout[active_adapter](x), first.to(result.dtype))
        return torch.addmm(
            result.flatten(end_dim=-2),
            inner.flatten(end_dim=-2),
            second.to(result.dtype).T,
            alpha=module.scaling[active_adapter],
        ).view_as(result)

    @staticmethod
    def merge_unsafe(module: LoraLayer, active_adapter: str, orig_weight: Tensor) -> None:
        raise NotImplementedError("the students of this package are not merged; load the saved adapter with PEFT alone")


def add_products(layer: LoraLayer) -> None:
    """Compute the layer's update so. Its input keeps its precision: PEFT would cast it to the weights' own."""
    layer.lora_variant[ADAPTER] = AddedProduct()
    layer.cast_input_dtype_enabled = False
