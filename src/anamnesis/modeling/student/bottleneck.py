"""Bottleneck adapters (Houlsby et al. 2019, arXiv:1902.00751) as layers of PEFT, which has none of its own.

The output h of a linear layer becomes h + U gelu(D h + b) + c. Around the last linear layer of attention (o_proj) and
of the MLP (down_proj) that is the paper's adapter: at the output of each sublayer, before the residual sum.

Importing this module registers the kind with PEFT, which can then save, load and disable such layers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import Tensor, nn

KIND = "BOTTLENECK"
PREFIX = "bottleneck_"


@dataclass
class BottleneckConfig(PeftConfig):
    """`size` is the width of the bottleneck, `target_modules` the linear layers whose output it is added to."""

    target_modules: Any = None
    size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = KIND


class BottleneckLayer(nn.Module, BaseTunerLayer):
    """A linear layer followed by a bottleneck with a residual connection.

    U and c start at 0, so that the start is exactly the base; the paper starts near it (standard deviation 0.01). D and
    b start as those of any linear layer: uniform, of standard deviation 0.015 at 1,536 inputs.
    """

    adapter_layer_names = ("bottleneck_down", "bottleneck_up")

    # Of BaseTunerLayer.
    active_adapters: list[str]
    set_adapter: Callable[..., None]
    _move_adapter_to_device_of_base_layer: Callable[..., None]

    def __init__(self, base_layer: nn.Linear, adapter_name: str, config: BottleneckConfig) -> None:
        super().__init__()
        self.base_layer = base_layer
        width = base_layer.out_features
        up = nn.Linear(config.size, width)
        nn.init.zeros_(up.weight)
        nn.init.zeros_(up.bias)
        self.bottleneck_down = nn.ModuleDict({adapter_name: nn.Linear(width, config.size)})
        self.bottleneck_up = nn.ModuleDict({adapter_name: up})
        self._disable_adapters = False
        self.merged_adapters: list[str] = []
        self._active_adapter = adapter_name
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        output: Tensor = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return output
        result = output
        for name in self.active_adapters:
            down, up = self.layers(name)
            # Autocast casts by itself.
            states = output if torch.is_autocast_enabled(output.device.type) else output.to(down.weight.dtype)
            result = result + up(nn.functional.gelu(down(states)))
        return result.to(output.dtype)

    def layers(self, adapter_name: str) -> tuple[nn.Linear, nn.Linear]:
        """Down to the bottleneck (D, b), and up again (U, c)."""
        down, up = self.bottleneck_down[adapter_name], self.bottleneck_up[adapter_name]
        assert isinstance(down, nn.Linear)
        assert isinstance(up, nn.Linear)
        return down, up

    def affine(self, adapter_name: str) -> tuple[Tensor, Tensor]:
        """The layer's update without its gelu, U (D h + b) + c, as factors: [U c] times [[D b] [0 1]]."""
        down, up = self.layers(adapter_name)
        inner = torch.cat([down.weight, down.bias[:, None]], dim=1)
        constant = torch.zeros_like(inner[:1])
        constant[0, -1] = 1
        return torch.cat([up.weight, up.bias[:, None]], dim=1), torch.cat([inner, constant])


class BottleneckModel(BaseTuner):
    """What PEFT calls a tuner: it puts the layers into a model."""

    prefix = PREFIX
    tuner_layer_cls = BottleneckLayer
    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012 - PEFT's own form

    def _create_and_replace(
        self,
        config: BottleneckConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
    ) -> None:
        if not isinstance(target, nn.Linear):
            raise ValueError(f"{current_key} is no linear layer that a bottleneck could follow")
        self._replace_module(parent, target_name, BottleneckLayer(target, adapter_name, config), target)


# PEFT's register_peft_method takes only names that its own list has.
PEFT_TYPE_TO_CONFIG_MAPPING[KIND] = BottleneckConfig
PEFT_TYPE_TO_TUNER_MAPPING[KIND] = BottleneckModel
PEFT_TYPE_TO_PREFIX_MAPPING[KIND] = PREFIX
