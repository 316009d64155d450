"""The teachers: what moves, what must not, and how fast."""

from dataclasses import replace

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM

from anamnesis.methods.losses import supervised_positions
from anamnesis.methods.teachers import EmaTeacher, StaticTeacher, hidden_states, make_teacher
from anamnesis.modeling.adapters import STUDENT, TEACHER, AdapterSwitch, add_student, tensors, update_distance
from anamnesis.settings.training import Method
from tests.conftest import TUNER, random_qwen2


@pytest.fixture
def batch(tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    encoded = tokenizer(["Узел 7 мм, коллоид есть.", "Узел 12 мм."], return_tensors="pt", padding=True)
    return {**encoded, "labels": encoded["input_ids"].masked_fill(encoded["attention_mask"] == 0, -100)}


@pytest.fixture
def model(base: Qwen2ForCausalLM) -> PeftModel:
    return add_student(base, TUNER)


def disturb(model: PeftModel, adapter: str = STUDENT, seed: int = 0) -> None:
    """As if trained: LoRA's B starts at zero, where every adapter is the base."""
    generator = torch.Generator().manual_seed(seed)
    for weight in tensors(model, adapter):
        weight.data += 0.2 * torch.randn(weight.shape, generator=generator)


def states(model: PeftModel, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return hidden_states(model, batch, batch["attention_mask"].bool())


def test_fresh_student_is_the_base_exactly(tokenizer: PreTrainedTokenizerBase, batch: dict[str, Tensor]) -> None:
    bare = random_qwen2(tokenizer)
    with torch.no_grad():
        expected = bare.model(batch["input_ids"], batch["attention_mask"]).last_hidden_state
    student = add_student(random_qwen2(tokenizer), TUNER)
    assert torch.equal(states(student, batch), expected[batch["attention_mask"].bool()])


def test_switch_gives_what_pefts_own_methods_give(model: PeftModel, batch: dict[str, Tensor]) -> None:
    EmaTeacher(model, TUNER, decay=0.9, warmup=False)
    disturb(model, STUDENT, 1)
    disturb(model, TEACHER, 2)
    switch = AdapterSwitch(model)
    with switch.use(None):
        without = states(model, batch)
    with switch.use(TEACHER):
        teacher = states(model, batch)
    student = states(model, batch)
    with model.disable_adapter():
        assert torch.equal(states(model, batch), without)
    model.set_adapter(TEACHER)
    assert torch.equal(states(model, batch), teacher)
    model.set_adapter(STUDENT)
    assert torch.equal(states(model, batch), student)
    for one, other in ((without, teacher), (teacher, student), (without, student)):
        assert not torch.allclose(one, other, atol=1e-3)


def test_static_teacher_is_the_base_bit_for_bit_whatever_the_student_does(
    model: PeftModel, batch: dict[str, Tensor]
) -> None:
    before = states(model, batch)
    disturb(model)
    teacher = StaticTeacher(model)
    teacher.update(0)
    assert torch.equal(teacher.hidden_states(batch, batch["attention_mask"].bool()), before)
    assert not torch.allclose(states(model, batch), before, atol=1e-3)


def test_teacher_forward_leaves_no_trace(model: PeftModel, batch: dict[str, Tensor]) -> None:
    """Neither gradients, nor requires_grad, nor the mode of any module, nor the random state."""
    teacher = EmaTeacher(model, TUNER, decay=0.9, warmup=False)
    model.train()
    model.get_submodule("base_model.model.model.layers.0").eval()
    modes = {name: module.training for name, module in model.named_modules()}
    trainable = {name for name, weight in model.named_parameters() if weight.requires_grad}
    random_state = torch.get_rng_state()
    output = teacher.hidden_states(batch, supervised_positions(batch["labels"]))
    assert not output.requires_grad
    assert modes == {name: module.training for name, module in model.named_modules()}
    assert trainable == {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trainable
    assert all(f".{STUDENT}." in name for name in trainable)
    assert torch.equal(torch.get_rng_state(), random_state)


def test_students_dropout_stays_on_and_the_teacher_has_none(
    tokenizer: PreTrainedTokenizerBase, batch: dict[str, Tensor]
) -> None:
    tuner = replace(TUNER, dropout=0.5)
    model = add_student(random_qwen2(tokenizer), tuner)
    teacher = EmaTeacher(model, tuner, decay=0.9, warmup=False)
    disturb(model)
    disturb(model, TEACHER)
    model.train()
    everywhere = batch["attention_mask"].bool()
    first, second = (teacher.hidden_states(batch, everywhere) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(states(model, batch), states(model, batch))


def test_ema_starts_as_a_copy_and_follows_the_closed_form(model: PeftModel) -> None:
    disturb(model)
    teacher = EmaTeacher(model, TUNER, decay=0.9, warmup=False)
    start = [weight.clone() for weight in tensors(model, TEACHER)]
    assert all(torch.equal(t, s) for t, s in zip(start, tensors(model, STUDENT), strict=True))
    disturb(model, seed=5)
    for step in range(20):
        teacher.update(step)
    for now, then, student in zip(tensors(model, TEACHER), start, tensors(model, STUDENT), strict=True):
        torch.testing.assert_close(now, 0.9**20 * then + (1 - 0.9**20) * student)


def test_started_as_a_copy_the_product_does_not_lag_quadratically(model: PeftModel) -> None:
    """From zero both factors lag by f and their product by f squared; from a copy it follows at least by f."""
    teacher = EmaTeacher(model, TUNER, decay=0.95, warmup=False)
    for weight in tensors(model, STUDENT)[1::2]:
        weight.data += torch.randn(weight.shape, generator=torch.Generator().manual_seed(3))
    for step in range(20):
        teacher.update(step)
    share = update_distance(model, TEACHER, None) / update_distance(model, STUDENT, None)
    assert share == pytest.approx(1 - 0.95**20, rel=1e-4)


def test_decay_one_never_moves_and_decay_zero_is_the_student(model: PeftModel) -> None:
    frozen = EmaTeacher(model, TUNER, decay=1.0, warmup=False)
    start = [weight.clone() for weight in tensors(model, TEACHER)]
    disturb(model)
    frozen.update(0)
    assert all(torch.equal(now, then) for now, then in zip(tensors(model, TEACHER), start, strict=True))
    frozen.decay = 0.0
    frozen.update(1)
    assert all(torch.equal(t, s) for t, s in zip(tensors(model, TEACHER), tensors(model, STUDENT), strict=True))


def test_warmup_raises_the_decay_to_its_value(model: PeftModel) -> None:
    teacher = EmaTeacher(model, TUNER, decay=0.95, warmup=True)
    decays = [teacher.decay_at(step) for step in range(400)]
    assert decays[0] == 0.1
    assert decays == sorted(decays)
    assert decays[-1] == 0.95


def test_teacher_is_fp32_on_a_bf16_base_and_moves_there(tokenizer: PreTrainedTokenizerBase) -> None:
    model = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNER)
    teacher = EmaTeacher(model, TUNER, decay=0.999, warmup=False)
    assert {weight.dtype for weight in tensors(model, TEACHER)} == {torch.float32}
    start = [weight.clone() for weight in tensors(model, TEACHER)]
    disturb(model)
    teacher.update(0)
    assert not any(torch.equal(now, then) for now, then in zip(tensors(model, TEACHER), start, strict=True))


def test_distance_is_the_frobenius_norm_of_the_difference_of_the_updates(model: PeftModel) -> None:
    EmaTeacher(model, TUNER, decay=0.9, warmup=False)
    disturb(model, STUDENT, 1)
    disturb(model, TEACHER, 2)
    squares = 0.0
    for layer in (module for module in model.modules() if isinstance(module, LoraLayer)):
        squares += float((layer.get_delta_weight(STUDENT) - layer.get_delta_weight(TEACHER)).detach().pow(2).sum())
    assert update_distance(model, STUDENT, TEACHER) == pytest.approx(squares**0.5, rel=1e-4)
    assert update_distance(model, STUDENT, STUDENT) == pytest.approx(0, abs=1e-4)


def test_methods_get_their_teachers(model: PeftModel) -> None:
    assert make_teacher(Method(teacher="none"), model, TUNER, None) is None
    assert isinstance(make_teacher(Method(teacher="static", kl_weight=1.0), model, TUNER, None), StaticTeacher)
    assert isinstance(make_teacher(Method(teacher="ema", kl_weight=1.0, decay=0.9), model, TUNER, None), EmaTeacher)
