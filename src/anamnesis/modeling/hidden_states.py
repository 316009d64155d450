"""What the output head reads: a model's last hidden states at chosen positions."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from anamnesis.modeling.loading import low_precision

# On a CPU in 16 bits, texts are read as if they had a multiple of this many tokens.
LENGTHS = 32


def hidden_states(
    model: PreTrainedModel | PeftModel, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "n hidden"]:
    """The last hidden states at `positions`, with whatever is trained on the model.

    There is no attention mask: reports are padded on the right, where a causal model's earlier positions do not look.
    With a mask, attention would compute all pairs of positions and could not use the fastest kernels.
    """
    decoder = (model.get_base_model() if isinstance(model, PeftModel) else model).get_decoder()
    ids, positions = in_few_lengths(model, batch["input_ids"], positions)
    return decoder(input_ids=ids, use_cache=False).last_hidden_state[positions]


def in_few_lengths(
    model: PreTrainedModel | PeftModel, ids: Int[Tensor, "batch seq"], positions: Bool[Tensor, "batch seq"]
) -> tuple[Int[Tensor, "batch longer"], Bool[Tensor, "batch longer"]]:
    """On a CPU in 16 bits, tokens and positions with more padding, or as they are.

    oneDNN compiles a kernel for every shape and keeps the last 1,024: with every text in its own length, a training of
    SmolLM2-135M grows to 4.5 GB (1.6 GB so) and takes 1.15 times as long.
    """
    if ids.device.type != "cpu" or low_precision(model) is None:
        return ids, positions
    more = (0, -ids.shape[1] % LENGTHS)
    return F.pad(ids, more), F.pad(positions, more)


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
