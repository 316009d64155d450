"""The teachers: what moves, what must not, and how fast."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM

from anamnesis.methods.supervision import supervised_positions
from anamnesis.methods.teachers import AnchoredTeacher, EmaTeacher, StaticTeacher, make_teacher
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.modeling.student.updates import norm
from anamnesis.settings.methods import Method
from tests.conftest import TUNER, random_qwen2


@pytest.fixture
def batch(tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    encoded = tokenizer(["Узел 7 мм, коллоид есть.", "Узел 12 мм."], return_tensors="pt", padding=True)
    return {**encoded, "labels": encoded["input_ids"].masked_fill(encoded["attention_mask"] == 0, -100)}


@pytest.fixture
def student(base: Qwen2ForCausalLM) -> Student:
    return add_student(base, TUNER)


def disturb(weights: Sequence[Tensor], seed: int = 0) -> None:
    """As if trained: LoRA's B starts at zero, and there every student equals the base."""
    generator = torch.Generator().manual_seed(seed)
    for weight in weights:
        weight.data += 0.2 * torch.randn(weight.shape, generator=generator)


def states(student: Student, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return student.hidden_states(batch, batch["attention_mask"].bool())


def test_static_teacher_is_the_base_bit_for_bit_whatever_the_student_does(
    student: Student, batch: dict[str, Tensor]
) -> None:
    before = states(student, batch)
    disturb(student.weights)
    teacher = StaticTeacher(student)
    teacher.update(0)
    assert torch.equal(teacher.hidden_states(batch, batch["attention_mask"].bool()), before)
    assert not torch.allclose(states(student, batch), before, atol=1e-3)


def test_ema_teacher_computes_with_its_own_weights(student: Student, batch: dict[str, Tensor]) -> None:
    disturb(student.weights, 1)
    at_first = states(student, batch)
    teacher = EmaTeacher(student, decay=0.9, warmup=False)
    disturb(student.weights, 2)
    assert torch.allclose(teacher.hidden_states(batch, batch["attention_mask"].bool()), at_first, atol=1e-5)
    assert not torch.allclose(states(student, batch), at_first, atol=1e-3)


def test_teacher_forward_leaves_no_trace(student: Student, batch: dict[str, Tensor]) -> None:
    """Neither gradients, nor requires_grad, nor the mode of any module, nor the random state."""
    teacher = EmaTeacher(student, decay=0.9, warmup=False)
    model = student.model.train()
    model.get_submodule("base_model.model.model.layers.0").eval()
    modes = {name: module.training for name, module in model.named_modules()}
    trainable = {name for name, weight in model.named_parameters() if weight.requires_grad}
    random_state = torch.get_rng_state()
    output = teacher.hidden_states(batch, supervised_positions(batch["labels"]))
    assert not output.requires_grad
    assert modes == {name: module.training for name, module in model.named_modules()}
    assert trainable == {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trainable
    assert all(".lora_" in name for name in trainable)
    assert torch.equal(torch.get_rng_state(), random_state)


def test_students_dropout_stays_on_and_the_teacher_has_none(
    tokenizer: PreTrainedTokenizerBase, batch: dict[str, Tensor]
) -> None:
    student = add_student(random_qwen2(tokenizer), replace(TUNER, dropout=0.5))
    disturb(student.weights)
    teacher = EmaTeacher(student, decay=0.9, warmup=False)
    student.model.train()
    everywhere = batch["attention_mask"].bool()
    first, second = (teacher.hidden_states(batch, everywhere) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(states(student, batch), states(student, batch))


def test_ema_starts_as_a_copy_and_follows_the_closed_form(student: Student) -> None:
    disturb(student.weights)
    teacher = EmaTeacher(student, decay=0.9, warmup=False)
    start = [weight.clone() for weight in teacher.weights]
    assert all(torch.equal(t, s) for t, s in zip(start, student.weights, strict=True))
    disturb(student.weights, seed=5)
    for step in range(20):
        teacher.update(step)
    for now, then, weight in zip(teacher.weights, start, student.weights, strict=True):
        torch.testing.assert_close(now, 0.9**20 * then + (1 - 0.9**20) * weight.detach())


def test_started_as_a_copy_the_product_does_not_lag_quadratically(student: Student) -> None:
    """From zero, both factors reach a share f, and their product f squared; from a copy, it reaches at least f."""
    teacher = EmaTeacher(student, decay=0.95, warmup=False)
    for weight in student.weights[1::2]:
        weight.data += torch.randn(weight.shape, generator=torch.Generator().manual_seed(3))
    for step in range(20):
        teacher.update(step)
    share = norm(student.updates(teacher.weights)) / norm(student.updates())
    assert share == pytest.approx(1 - 0.95**20, rel=1e-4)


def test_decay_one_never_moves_and_decay_zero_is_the_student(student: Student) -> None:
    frozen = EmaTeacher(student, decay=1.0, warmup=False)
    start = [weight.clone() for weight in frozen.weights]
    disturb(student.weights)
    frozen.update(0)
    assert all(torch.equal(now, then) for now, then in zip(frozen.weights, start, strict=True))
    frozen.decay = 0.0
    frozen.update(1)
    assert all(torch.equal(t, s) for t, s in zip(frozen.weights, student.weights, strict=True))


def test_warmup_raises_the_decay_to_its_value(student: Student) -> None:
    teacher = EmaTeacher(student, decay=0.95, warmup=True)
    decays = [teacher.decay_at(step) for step in range(400)]
    assert decays[0] == 0.1
    assert decays == sorted(decays)
    assert decays[-1] == 0.95


def test_teacher_is_fp32_on_a_bf16_base_and_moves_there(tokenizer: PreTrainedTokenizerBase) -> None:
    student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNER)
    teacher = EmaTeacher(student, decay=0.999, warmup=False)
    assert {weight.dtype for weight in teacher.weights} == {torch.float32}
    start = [weight.clone() for weight in teacher.weights]
    disturb(student.weights)
    teacher.update(0)
    assert not any(torch.equal(now, then) for now, then in zip(teacher.weights, start, strict=True))


def test_an_anchored_teacher_computes_with_a_share_of_the_present_update(
    student: Student, batch: dict[str, Tensor]
) -> None:
    """It follows the student at once, and leaves the student's weights where they were."""
    positions = batch["attention_mask"].bool()
    teacher = AnchoredTeacher(student, mix=0.25)
    for seed in (1, 2):
        disturb(student.weights, seed)
        before = [weight.detach().clone() for weight in student.weights]
        found = teacher.hidden_states(batch, positions)
        teacher.update(seed)
        assert all(torch.equal(now, then) for now, then in zip(student.weights, before, strict=True))
        with student.holding(student.share(0.25)):
            assert torch.allclose(found, states(student, batch), atol=1e-5)
        assert not torch.allclose(found, states(student, batch), atol=1e-3)
        assert teacher.distance(student) == pytest.approx(0.75 * norm(student.updates()), rel=1e-6)


def test_the_ends_of_the_mix_are_the_base_and_the_student(student: Student, batch: dict[str, Tensor]) -> None:
    disturb(student.weights)
    positions = batch["attention_mask"].bool()
    base = StaticTeacher(student).hidden_states(batch, positions)
    assert torch.equal(AnchoredTeacher(student, 0.0).hidden_states(batch, positions), base)
    own = AnchoredTeacher(student, 1.0)
    assert torch.allclose(own.hidden_states(batch, positions), states(student, batch), atol=1e-5)
    assert own.distance(student) == pytest.approx(0, abs=1e-4)


def test_methods_get_their_teachers(student: Student) -> None:
    assert make_teacher(Method(teacher="none"), student, None) is None
    assert isinstance(make_teacher(Method(teacher="static", kl_weight=1.0), student, None), StaticTeacher)
    assert isinstance(make_teacher(Method(teacher="ema", kl_weight=1.0, decay=0.9), student, None), EmaTeacher)
    anchored = make_teacher(Method(teacher="anchored", kl_weight=1.0, mix=0.5), student, None)
    assert isinstance(anchored, AnchoredTeacher)
    assert anchored.weights is None
