"""The student as teachers, the training loop and evaluation see it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from peft import PeftModel
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from anamnesis.modeling.hidden_states import hidden_states
from anamnesis.modeling.student.updates import Update

# PEFT's name of the one adapter.
ADAPTER = "default"


@dataclass(frozen=True)
class TrainedLayer:
    """A layer of the base on which something is trained.

    Attributes:
        name: its name in the base.
        weights: what is trained on it.
        factors: of these, what the update is a product of; all of them if it is no product.
        form: gives the change of the layer as a differentiable function of `weights`, in their precision.
    """

    name: str
    weights: list[nn.Parameter]
    factors: list[nn.Parameter]
    form: Callable[[], Update]

    @cached_property
    def update(self) -> Update:
        """Formed when it is first asked for: it may be as large as the layer."""
        return self.form()


class Student(ABC):
    """A model of which a part is trained: layers added to a frozen base, virtual tokens, or the base's own weights.

    `weights` is exactly what is trained. Another model on the same base (the EMA teacher, a share of the update) is a
    list of tensors like `weights`, put in their place by `holding`. `virtual_tokens` is the number of positions that
    the student puts before every text.
    """

    virtual_tokens = 0

    def __init__(self, model: PreTrainedModel | PeftModel, weights: list[nn.Parameter]) -> None:
        self.model = model
        self.weights = weights

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]:
        """The last hidden states at `positions`."""
        return hidden_states(self.model, batch, positions)

    def past(self, rows: int) -> DynamicCache | None:
        """The keys and values of the virtual tokens for a batch of `rows`; None if there are no such tokens."""
        return None

    @abstractmethod
    def as_base(self) -> AbstractContextManager[None]:
        """The untouched base, for the length of a `with` block."""

    @contextmanager
    def holding(self, weights: Sequence[Tensor]) -> Iterator[None]:
        """The student with other weights, for the length of a `with` block: each parameter's data are swapped.

        The optimizer and DDP hold the parameters themselves, which stay. The block must be under `no_grad` and come
        before the student's forward: a backward pass must find what its forward saw.
        """
        with swapped(self.weights, weights):
            yield

    def saved_weights(self) -> list[Tensor]:
        """The weights as a saved run has them, in the precision in which evaluation computes."""
        return [weight.detach() for weight in self.weights]

    @abstractmethod
    def updates(self, weights: Sequence[Tensor] | None = None) -> Iterator[Update]:
        """What is changed in each part of the base, by the student's own weights or by others in their place."""

    @abstractmethod
    def trained_layers(self) -> Iterator[TrainedLayer]:
        """One for each layer, in the model's order; no update is formed before it is asked for.

        Raises:
            ValueError: no layer of the base is changed.
        """

    @abstractmethod
    def share(self, share: float) -> list[Tensor]:
        """The weights that make every update `share` times what it is: 0 is the base and 1 the student, exactly.

        Interpolation in weight space between the base and the trained model (WiSE-FT, Wortsman et al. 2022,
        arXiv:2109.01903).

        Raises:
            ValueError: there is no update that is linear in any of the weights.
        """


@contextmanager
def swapped(weights: Sequence[Tensor], others: Sequence[Tensor]) -> Iterator[None]:
    """Autocast remembers the low-precision copies of trainable parameters by identity: its memory must go with them."""
    if [weight.shape for weight in weights] != [other.shape for other in others]:
        raise ValueError("the weights to hold are not of the student's shapes")
    before = [weight.data for weight in weights]
    try:
        for weight, other in zip(weights, others, strict=True):
            weight.data = other.data
        torch.clear_autocast_cache()
        yield
    finally:
        for weight, data in zip(weights, before, strict=True):
            weight.data = data
        torch.clear_autocast_cache()
