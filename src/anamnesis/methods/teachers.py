"""The teachers: the frozen base, the moving average of the student, and a mix of the student and the base.

All of them run on the student's own base, so a teacher needs no second model. A teacher returns the last hidden states
at given positions, not logits: teacher and student share the frozen output head, and hidden states are smaller by the
ratio of vocabulary to width (100 for Qwen2-1.5B).
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
from anamnesis.modeling.student.updates import distance, norm
from anamnesis.settings.methods import Method


@runtime_checkable
class Teacher(Protocol):
    """What the student is held to. `weights` are those that the teacher keeps between steps; None if it keeps none."""

    @property
    def weights(self) -> list[Tensor] | None: ...

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]: ...

    def update(self, step: int) -> None:
        """After optimizer step number `step`, counted from 0."""
        ...

    def distance(self, student: Student) -> float:
        """Frobenius norm of the difference between the student's update and the teacher's."""
        ...


class StaticTeacher:
    """The frozen base: the student's model without what is trained on it."""

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

    def distance(self, student: Student) -> float:
        return norm(student.updates())


class CachedTeacher:
    """The frozen base's hidden states, computed once for the whole corpus; equal to those of StaticTeacher."""

    weights = None

    def __init__(self, states: TeacherStates) -> None:
        self._states = states

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]:
        return self._states.of(batch["document"].tolist()).to(batch["input_ids"].device)

    def update(self, step: int) -> None:
        """The base never moves."""

    def distance(self, student: Student) -> float:
        return norm(student.updates())


class EmaTeacher:
    """The exponential moving average of the student's weights.

    teacher <- d * teacher + (1 - d) * student after every optimizer step, with d the decay, or with warm-up
    min(decay, (1 + step) / (10 + step)). It starts as a copy of the student: if it started at zero, both of LoRA's
    factors would lag behind, and their product twice as much. The average is taken over the trained tensors (for LoRA
    the factors A and B), which is not the average of the updates. It is kept in fp32: in bf16 an average with decay
    0.999 would never move. Decay 1 is the static teacher if the student starts as the base (not with virtual tokens).
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

    def distance(self, student: Student) -> float:
        return distance(student.updates(), student.updates(self.weights))


class AnchoredTeacher:
    """The present student with its update scaled by `mix`: a model between the base (0) and the student (1).

    The target moves with the student and never lags behind it, but always pulls it towards the base. It has no state.
    After Anchored Learning (Wang et al. 2026, arXiv:2605.04468), which mixes distributions and not weights
    (docs/methods.md says what is known of it).
    """

    weights = None

    def __init__(self, student: Student, mix: float) -> None:
        self.mix = mix
        self._student = student
        self._modules = list(student.model.modules())

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]:
        mixed = self._student.holding(self._student.share(self.mix))
        return _quietly(self._student, self._modules, mixed, batch, positions)

    def update(self, step: int) -> None:
        """The next forward reads the student's weights as they are then."""

    def distance(self, student: Student) -> float:
        return distance(student.updates(), student.updates(student.share(self.mix)))


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
        return frozen_base(student, states)
    if method.teacher == "anchored":
        assert method.mix is not None, "settings.Method refuses an anchored teacher without a mix"
        return AnchoredTeacher(student, method.mix)
    assert method.decay is not None, "settings.Method refuses an ema teacher without a decay"
    return EmaTeacher(student, method.decay, method.decay_warmup)


def frozen_base(student: Student, states: TeacherStates | None) -> Teacher:
    """The base's hidden states as a teacher returns them: read from what is kept, or computed."""
    return StaticTeacher(student) if states is None else CachedTeacher(states)


def _quietly(
    student: Student,
    modules: Iterable[torch.nn.Module],
    other: AbstractContextManager[None],
    batch: Mapping[str, Tensor],
    positions: Bool[Tensor, "batch seq"],
) -> Float[Tensor, "n hidden"]:
    """A forward pass of the student's model as the `other` one, without gradient or dropout; nothing stays changed."""
    with torch.no_grad(), other, without_dropout(modules):
        return alone(student.hidden_states, batch, positions)


@contextmanager
def without_dropout(modules: Iterable[torch.nn.Module]) -> Iterator[None]:
    """Evaluation mode within the block; afterwards each module is in the mode it was in before."""
    training = [module for module in modules if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
