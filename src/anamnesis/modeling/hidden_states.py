"""What the output head reads: a model's last hidden states at chosen positions."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel


def hidden_states(
    model: PreTrainedModel | PeftModel, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "n hidden"]:
    """The last hidden states at `positions`, with whatever is trained on the model.

    There is no attention mask: reports are padded on the right, where a causal model's earlier positions do not look.
    With a mask, attention would compute all pairs of positions and could not use the fastest kernels.
    """
    decoder = (model.get_base_model() if isinstance(model, PeftModel) else model).get_decoder()
    return decoder(input_ids=batch["input_ids"], use_cache=False).last_hidden_state[positions]


def hidden_states_alone(
    model: PreTrainedModel | PeftModel, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "n hidden"]:
    """The same, but on a CPU each report is read by itself and without padding.

    The last bits of a matrix product depend on its number of rows. Only read alone do a report's states not depend on
    the reports beside it, so that they can be kept. On a CPU this costs next to nothing (no padding is computed; 4-bit
    layers are unpacked once per report: 7 % of the tiny teacher's time). On a GPU it would cost time, and the two
    agree to rounding only.
    """
    if batch["input_ids"].device.type != "cpu":
        return hidden_states(model, batch, positions)
    rows = []
    for ids, mask, row_positions in zip(batch["input_ids"], batch["attention_mask"].bool(), positions, strict=True):
        rows.append(hidden_states(model, {"input_ids": ids[mask][None]}, row_positions[mask][None]))
    return torch.cat(rows)
