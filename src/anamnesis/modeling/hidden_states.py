"""What the output head reads: a model's last hidden states at chosen positions."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from anamnesis.modeling.loading import low_precision

# On a CPU in 16 bits, texts are read as if they had a multiple of this many tokens.
LENGTHS = 32

# Last hidden states of a batch at the given positions.
Reading = Callable[[Mapping[str, Tensor], Tensor], Tensor]


def without_adapter(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """The model that PEFT wraps. Layers that PEFT has put into it stay in it."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def decoder_of(model: PreTrainedModel | PeftModel) -> nn.Module:
    """The model below its output head, with the layers that PEFT has put into it."""
    decoder: nn.Module = without_adapter(model).get_decoder()
    return decoder


def hidden_states(
    model: PreTrainedModel | PeftModel, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "n hidden"]:
    """The last hidden states at `positions`, with whatever is trained in the model's layers.

    There is no attention mask: reports are padded on the right, where a causal model's earlier positions do not look.
    With a mask, attention would compute all pairs of positions and could not use the fastest kernels.
    """
    ids, positions = in_few_lengths(model, batch["input_ids"], positions)
    return decoder_of(model)(input_ids=ids, use_cache=False).last_hidden_state[positions]


def in_few_lengths(
    model: PreTrainedModel | PeftModel,
    ids: Int[Tensor, "batch seq"],
    positions: Bool[Tensor, "batch seq"],
    before: int = 0,
) -> tuple[Int[Tensor, "batch longer"], Bool[Tensor, "batch longer"]]:
    """On a CPU in 16 bits, tokens and positions with more padding, or as they are.

    oneDNN compiles a kernel for every shape and keeps the last 1,024: with every text in its own length, 40
    texts through SmolLM2-135M take 2.3 GB and still more with each, and so 1.6 GB and 0.87 of the time.
    `before` is the number of positions that are read before the text.
    """
    if ids.device.type != "cpu" or low_precision(model) is None:
        return ids, positions
    more = (0, -(before + ids.shape[1]) % LENGTHS)
    return F.pad(ids, more), F.pad(positions, more)


def hidden_states_alone(
    model: PreTrainedModel | PeftModel, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "n hidden"]:
    """The same, but on a CPU each report is read by itself and without padding."""
    return alone(partial(hidden_states, model), batch, positions)


def alone(
    read: Reading, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "n hidden"]:
    """What `read` gives for the batch, but on a CPU for each report by itself and without padding.

    The last bits of a matrix product depend on its number of rows. Only if a report is read alone do its states not
    depend on the other reports of the batch, so that they can be kept. On a CPU this costs next to nothing (no padding
    is computed; 4-bit layers are unpacked once per report: 7 % of the tiny teacher's time). On a GPU it would cost
    time, and the two agree to rounding only.
    """
    if batch["input_ids"].device.type != "cpu":
        return read(batch, positions)
    rows = []
    for ids, mask, row_positions in zip(batch["input_ids"], batch["attention_mask"].bool(), positions, strict=True):
        rows.append(read({"input_ids": ids[mask][None]}, row_positions[mask][None]))
    return torch.cat(rows)
