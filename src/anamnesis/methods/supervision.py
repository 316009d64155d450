"""Which positions of a text the loss looks at."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

IGNORED = -100


def supervised_positions(labels: Int[Tensor, "batch seq"]) -> Bool[Tensor, "batch seq"]:
    """The positions whose hidden state predicts a token under the loss: the one before each label that counts.

    Prompt and padding have the label -100 and do not count. End-of-text does count, though it may also be the padding
    token: labels are set from lengths and not from token ids.
    """
    positions = torch.zeros_like(labels, dtype=torch.bool)
    positions[:, :-1] = labels[:, 1:] != IGNORED
    return positions


def targets(labels: Int[Tensor, "batch seq"]) -> Int[Tensor, " n"]:
    """The tokens under the loss, in the order of `supervised_positions`."""
    return labels[:, 1:][labels[:, 1:] != IGNORED]
