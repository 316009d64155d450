"""The teachers: none, the frozen base, the moving average of the student.

All run on the student's own base, so a teacher costs no second model. A teacher hands out last hidden states at
given positions, not logits: the output head is frozen and common to both, and the states are smaller by the ratio
of vocabulary to width (100 for Qwen2-1.5B).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from anamnesis.methods.states import TeacherStates
from anamnesis.modeling.adapters import STUDENT, TEACHER, AdapterSwitch, add_teacher, tensors
from anamnesis.settings.modeling import Tuner
from anamnesis.settings.training import Method


@runtime_checkable
class Teacher(Protocol):
    """What the student is held to. `adapter` is the teacher's own adapter, None for the bare base."""

    @property
    def adapter(self) -> str | None: ...

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]: ...

    def update(self, step: int) -> None:
        """After optimizer step number `step`, counted from 0."""
        ...


def hidden_states(
    model: PreTrainedModel | PeftModel, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "n hidden"]:
    """The last hidden states at `positions`, with whatever adapter is active.

    Without an attention mask: reports are padded on the right, where a causal model's earlier positions do not look.
    With one, attention would compute all pairs of positions, and could not take the fastest kernels.
    """
    decoder = (model.get_base_model() if isinstance(model, PeftModel) else model).get_decoder()
    return decoder(input_ids=batch["input_ids"], use_cache=False).last_hidden_state[positions]


def hidden_states_alone(
    model: PreTrainedModel | PeftModel, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "n hidden"]:
    """The same, but on a CPU each report by itself and without padding.

    A product's last bits depend on its number of rows: only this way do a report's states not depend on the reports
    beside it, and can be kept. It costs next to nothing there (no padding is computed; 4-bit layers are unpacked once a
    report: 7 % of the tiny teacher's time). On a GPU it would cost, and the two agree to rounding only.
    """
    if batch["input_ids"].device.type != "cpu":
        return hidden_states(model, batch, positions)
    rows = []
    for ids, mask, row_positions in zip(batch["input_ids"], batch["attention_mask"].bool(), positions, strict=True):
        rows.append(hidden_states(model, {"input_ids": ids[mask][None]}, row_positions[mask][None]))
    return torch.cat(rows)


class _SharedBase:
    """A forward of the student's own model with another adapter: no gradient, no dropout, nothing left changed."""

    adapter: str | None

    def __init__(self, model: PeftModel) -> None:
        self._model = model
        self._modules = list(model.modules())
        self._switch = AdapterSwitch(model)

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]:
        with torch.no_grad(), self._switch.use(self.adapter), without_dropout(self._modules):
            return hidden_states_alone(self._model, batch, positions)


class StaticTeacher(_SharedBase):
    """The frozen base: the student's model with its adapter off."""

    adapter = None

    def update(self, step: int) -> None:
        """The base never moves."""


class CachedTeacher:
    """The frozen base's states as they were computed once for the whole corpus; equal to StaticTeacher's."""

    adapter = None

    def __init__(self, states: TeacherStates) -> None:
        self._states = states

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]:
        return self._states.of(batch["row"].tolist()).to(batch["input_ids"].device)

    def update(self, step: int) -> None:
        """The base never moves."""


class EmaTeacher(_SharedBase):
    """The exponential moving average of the student's adapter weights.

    teacher <- d * teacher + (1 - d) * student after every optimizer step, with d the decay, or with warm-up
    min(decay, (1 + step) / (10 + step)). It starts as a copy of the student: started at zero, both factors would
    lag and the product with them quadratically. The average is taken over the factors A and B, which is not the
    average of their product. Decay 1 is the static teacher, since the student starts as the base.
    """

    adapter = TEACHER

    def __init__(self, model: PeftModel, tuner: Tuner, decay: float, warmup: bool) -> None:
        add_teacher(model, tuner)
        super().__init__(model)
        self.decay = decay
        self.warmup = warmup
        self._teacher = tensors(model, TEACHER)
        self._student = tensors(model, STUDENT)

    def decay_at(self, step: int) -> float:
        return min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay

    def update(self, step: int) -> None:
        student = [weight.detach().float() for weight in self._student]
        torch._foreach_lerp_([weight.data for weight in self._teacher], student, 1.0 - self.decay_at(step))


def make_teacher(method: Method, model: PeftModel, tuner: Tuner, states: TeacherStates | None) -> Teacher | None:
    """The teacher that `method` asks for; for `ema` this adds the second adapter to `model`.

    Args:
        method: the arm.
        model: the student on its base.
        tuner: what the student was made with.
        states: the frozen base's hidden states over the training reports; None if they are not kept.
    """
    if method.teacher == "none":
        return None
    if method.teacher == "static":
        return StaticTeacher(model) if states is None else CachedTeacher(states)
    assert method.decay is not None, "settings.Method refuses an ema teacher without a decay"
    return EmaTeacher(model, tuner, method.decay, method.decay_warmup)


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
