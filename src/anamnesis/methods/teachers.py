"""The teachers: none, the frozen base, the moving average of the student.

All run on the student's own base, so a teacher costs no second model. A teacher returns last hidden states at given
positions, not logits: the output head is frozen and common to both, and the states are smaller by the ratio of
vocabulary to width (100 for Qwen2-1.5B).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from anamnesis.methods.states import TeacherStates
from anamnesis.modeling.hidden_states import alone
from anamnesis.modeling.student.student import Student
from anamnesis.settings.methods import Method


@runtime_checkable
class Teacher(Protocol):
    """What the student is held to. `weights` are the teacher's own, in the student's place; None for the bare base."""

    @property
    def weights(self) -> list[Tensor] | None: ...

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]: ...

    def update(self, step: int) -> None:
        """After optimizer step number `step`, counted from 0."""
        ...


class StaticTeacher:
    """The frozen base: the student's model as if nothing were trained on it."""

    weights = None

    def __init__(self, student: Student) -> None:
        self._student = student
        self._modules = list(student.model.modules())

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]:
        return _quietly(self._student, self._modules, self._student.as_base(), batch, positions)

    def update(self, step: int) -> None:
        """The base never moves."""


class CachedTeacher:
    """The frozen base's states as they were computed once for the whole corpus; equal to StaticTeacher's."""

    weights = None

    def __init__(self, states: TeacherStates) -> None:
        self._states = states

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]:
        return self._states.of(batch["document"].tolist()).to(batch["input_ids"].device)

    def update(self, step: int) -> None:
        """The base never moves."""


class EmaTeacher:
    """The exponential moving average of the student's weights.

    teacher <- d * teacher + (1 - d) * student after every optimizer step, with d the decay, or with warm-up
    min(decay, (1 + step) / (10 + step)). It starts as a copy of the student: started at zero, both of LoRA's factors
    would lag and the product with them quadratically. The average is taken over the trained tensors (of LoRA the
    factors A and B), which is not the average of the updates. It is kept in fp32: in bf16 an average with decay 0.999
    would never move. Decay 1 is the static teacher, since the student starts as the base.
    """

    def __init__(self, student: Student, decay: float, warmup: bool) -> None:
        self.decay = decay
        self.warmup = warmup
        self.weights = [weight.detach().to(torch.float32, copy=True) for weight in student.weights]
        self._student = student
        self._modules = list(student.model.modules())

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]:
        return _quietly(self._student, self._modules, self._student.holding(self.weights), batch, positions)

    def decay_at(self, step: int) -> float:
        return min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay

    def update(self, step: int) -> None:
        student = [weight.detach().float() for weight in self._student.weights]
        torch._foreach_lerp_(self.weights, student, 1.0 - self.decay_at(step))


def make_teacher(method: Method, student: Student, states: TeacherStates | None) -> Teacher | None:
    """The teacher that `method` asks for.

    Args:
        method: the arm.
        student: the student on its base.
        states: the frozen base's hidden states over the training reports; None if they are not kept.
    """
    if method.teacher == "none":
        return None
    if method.teacher == "static":
        return StaticTeacher(student) if states is None else CachedTeacher(states)
    assert method.decay is not None, "settings.Method refuses an ema teacher without a decay"
    return EmaTeacher(student, method.decay, method.decay_warmup)


def _quietly(
    student: Student,
    modules: Iterable[torch.nn.Module],
    other: AbstractContextManager[None],
    batch: Mapping[str, Tensor],
    positions: Bool[Tensor, "batch seq"],
) -> Float[Tensor, "n hidden"]:
    """A forward of the student's model as the `other` one: no gradient, no dropout, and nothing is left changed."""
    with torch.no_grad(), other, without_dropout(modules):
        return alone(student.hidden_states, batch, positions)


@contextmanager
def without_dropout(modules: Iterable[torch.nn.Module]) -> Iterator[None]:
    """Evaluation mode for the block; afterwards exactly the modules that were training train again."""
    training = [module for module in modules if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
