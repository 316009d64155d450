"""What training changes in a layer of the base, and how far two models are apart.

An update is the change of the layer's own weight (or bias), not of the tensors that are trained: LoRA's factors may
differ where the models agree.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class LowRank:
    """The update left @ right of one layer, without the product being formed."""

    left: Float[Tensor, "out rank"]
    right: Float[Tensor, "rank in"]

    def minus(self, other: "LowRank") -> "LowRank":
        """With M = [L1, -L2] and N = [R1; R2] the difference is M N."""
        return LowRank(torch.cat([self.left, -other.left], dim=1), torch.cat([self.right, other.right], dim=0))

    def squared_norm(self) -> float:
        """|M N|^2 = sum of (M'M) * (N N'), which costs only ranks squared."""
        return float(((self.left.T @ self.left) * (self.right @ self.right.T)).sum())


@dataclass(frozen=True)
class Dense:
    """The update of one layer as it is."""

    delta: Float[Tensor, "..."]

    def minus(self, other: "Dense") -> "Dense":
        return Dense(self.delta - other.delta)

    def squared_norm(self) -> float:
        return float(self.delta.square().sum())


Update = LowRank | Dense


def norm(updates: Iterable[Update]) -> float:
    """Frobenius norm of all layers' updates together."""
    return max(sum(update.squared_norm() for update in updates), 0.0) ** 0.5


def distance(first: Iterable[Update], second: Iterable[Update]) -> float:
    """Frobenius norm of the difference, layer by layer; both have the same layers and kinds."""
    return norm(one.minus(other) for one, other in zip(first, second, strict=True))  # type: ignore[arg-type]
