"""The threshold-based margin loss of GeRe (Zhang et al. 2025, arXiv:2508.04676) on last hidden states.

Each hidden dimension has two thresholds, the mean of the base's states minus and plus one standard deviation. They
divide its values into low, middle and high. The student may move freely as long as each value stays in the part that
the base's value is in, and is pulled back over the threshold otherwise.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# The thresholds are taken from this many texts: the size of GeRe's own set.
TEXTS_FOR_THRESHOLDS = 1000


@dataclass(frozen=True)
class Thresholds:
    low: Float[Tensor, " hidden"]
    high: Float[Tensor, " hidden"]


def thresholds(chunks: Iterable[Float[Tensor, "_ hidden"]]) -> Thresholds:
    """Mean minus and plus one standard deviation of each dimension over all positions of all chunks."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for chunk in chunks:
        states = chunk.double()
        count += len(states)
        total = total.to(states) + states.sum(0)
        squares = squares.to(states) + states.square().sum(0)
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
    return Thresholds((mean - deviation).float(), (mean + deviation).float())


def margin_loss(
    student: Float[Tensor, "n hidden"], base: Float[Tensor, "n hidden"], limits: Thresholds
) -> Float[Tensor, ""]:
    """Mean distance of the student's values from the part in which the base's values are, over those outside of it."""
    student, base = student.float(), base.float()
    infinity = torch.full_like(base, torch.inf)
    is_low, is_high = base <= limits.low, base >= limits.high
    floor = torch.where(is_low, -infinity, torch.where(is_high, limits.high, limits.low))
    ceiling = torch.where(is_low, limits.low, torch.where(is_high, infinity, limits.high))
    outside = (floor - student).relu() + (student - ceiling).relu()
    return outside.sum() / outside.count_nonzero().clamp(min=1)
