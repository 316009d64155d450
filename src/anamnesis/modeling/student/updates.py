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

    def to(self, like: Tensor) -> "LowRank":
        """Where `like` is and in its precision."""
        return LowRank(self.left.to(like), self.right.to(like))

    def squared_norm(self) -> float:
        return float(self.quadratic())

    def quadratic(self, row: Tensor | None = None, column: Tensor | None = None) -> Float[Tensor, ""]:
        """The sum of F * (M N)^2 with F_ij = row_i column_j, or 1 without them.

        It is the sum of (M'RM) * (N C N') with R and C diagonal, which costs only ranks squared.
        """
        left = self.left if row is None else self.left * row[:, None]
        right = self.right if column is None else self.right * column
        return ((left.T @ self.left) * (right @ self.right.T)).sum()

    def absolute(self) -> Float[Tensor, ""]:
        """The sum of |M N|; here the product is formed."""
        return (self.left @ self.right).abs().sum()


@dataclass(frozen=True)
class Dense:
    """The update of one layer as it is."""

    delta: Float[Tensor, "..."]

    def minus(self, other: "Dense") -> "Dense":
        return Dense(self.delta - other.delta)

    def to(self, like: Tensor) -> "Dense":
        """Where `like` is and in its precision."""
        return Dense(self.delta.to(like))

    def squared_norm(self) -> float:
        return float(self.quadratic())

    def quadratic(self, row: Tensor | None = None, column: Tensor | None = None) -> Float[Tensor, ""]:
        """The sum of F * delta^2 with F_ij = row_i column_j, or 1 without them."""
        squares = self.delta.square()
        return squares.sum() if row is None or column is None else row @ squares @ column

    def absolute(self) -> Float[Tensor, ""]:
        return self.delta.abs().sum()


Update = LowRank | Dense


def norm(updates: Iterable[Update]) -> float:
    """Frobenius norm of all layers' updates together."""
    return max(sum(update.squared_norm() for update in updates), 0.0) ** 0.5


def distance(first: Iterable[Update], second: Iterable[Update]) -> float:
    """Frobenius norm of the difference, layer by layer; both have the same layers and kinds."""
    return norm(one.minus(other) for one, other in zip(first, second, strict=True))  # type: ignore[arg-type]
