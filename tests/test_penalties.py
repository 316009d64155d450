"""The penalties: values and gradients against their definitions, and what they must not depend on."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from anamnesis.errors import InputError
from anamnesis.methods.fisher import Fisher
from anamnesis.methods.penalties import Penalty
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.modeling.student.updates import Dense, LowRank
from anamnesis.settings.penalties import EWC, L1, L2SP, Penalties, check_penalties
from anamnesis.settings.sections import SettingsError
from anamnesis.settings.tuner import Tuner
from tests.conftest import TUNER, random_qwen2

DORA = replace(TUNER, kind="dora")
BITFIT = Tuner(kind="bitfit")
FULL = Tuner(kind="full")

FACTORS = Penalties(l1=L1(0.3, "factors"))
UPDATE = Penalties(l1=L1(0.3, "update"))
SQUARE = Penalties(l2_sp=L2SP(0.7))
ELASTIC = Penalties(ewc=EWC(11.0))
ALL = Penalties(L1(0.3, "update"), L2SP(0.7), EWC(11.0))


def moved(tokenizer: PreTrainedTokenizerBase, tuner: Tuner = TUNER) -> Student:
    """A student in fp64 with something in all of its weights."""
    student = add_student(random_qwen2(tokenizer).double(), tuner)
    generator = torch.Generator().manual_seed(1)
    for weight in student.weights:
        weight.data = weight.data.double()
        weight.data += 0.1 * torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    return student


def some_fisher(student: Student) -> Fisher:
    generator = torch.Generator().manual_seed(2)
    factors = {}
    for name, module in student.model.get_base_model().named_modules():
        if hasattr(module, "base_layer"):
            out, width = module.base_layer.weight.shape
            factors[name] = torch.rand(out, generator=generator), torch.rand(width, generator=generator)
    return Fisher(factors)


def gradients(student: Student, penalty: Penalty) -> list[Tensor]:
    student.model.zero_grad()
    penalty().total.backward()
    return [weight.grad.clone() for weight in student.weights]


def test_with_full_fine_tuning_l2_sp_is_of_the_difference_from_the_base(tokenizer: PreTrainedTokenizerBase) -> None:
    student = moved(tokenizer, FULL)
    penalty = Penalty(SQUARE, student)
    differences = [weight.detach() - base for weight, base in zip(student.weights, student.base, strict=True)]
    assert float(penalty().total.detach()) == pytest.approx(0.35 * sum(float(d.square().sum()) for d in differences))
    for found, difference in zip(gradients(student, penalty), differences, strict=True):
        torch.testing.assert_close(found, 0.7 * difference)


@pytest.mark.parametrize("tuner", [TUNER, DORA], ids=["lora", "dora"])
@pytest.mark.parametrize(
    "penalties", [FACTORS, UPDATE, SQUARE, ELASTIC, ALL], ids=["l1", "l1_update", "l2", "ewc", "all"]
)
def test_the_gradient_is_that_of_finite_differences(
    tokenizer: PreTrainedTokenizerBase, tuner: Tuner, penalties: Penalties
) -> None:
    student = moved(tokenizer, tuner)
    penalty = Penalty(penalties, student, some_fisher(student))
    found = gradients(student, penalty)
    generator = torch.Generator().manual_seed(3)
    for number in range(0, len(student.weights), 5):
        weight, step = student.weights[number], torch.zeros_like(student.weights[number])
        place = tuple(int(torch.randint(size, (1,), generator=generator)) for size in weight.shape)
        step[place] = 1e-6
        with torch.no_grad():
            weight += step
            above = float(penalty().total)
            weight -= 2 * step
            below = float(penalty().total)
            weight += step
        assert (above - below) / 2e-6 == pytest.approx(float(found[number][place]), rel=1e-5, abs=1e-6)


def test_values_are_those_of_the_update_that_the_layers_make(tokenizer: PreTrainedTokenizerBase) -> None:
    student = moved(tokenizer)
    fisher = some_fisher(student)
    terms = Penalty(ALL, student, fisher)().terms
    deltas = {
        name: module.get_delta_weight("default").detach().double()
        for name, module in student.model.get_base_model().named_modules()
        if hasattr(module, "get_delta_weight")
    }
    assert float(terms["l1_norm"]) == pytest.approx(float(sum(delta.abs().sum() for delta in deltas.values())))
    assert float(terms["l2_sp"]) == pytest.approx(float(sum(delta.square().sum() for delta in deltas.values()) / 2))
    rise = sum((torch.outer(*fisher.of(name, delta)) * delta.square()).sum() / 2 for name, delta in deltas.items())
    assert float(terms["ewc_nats"]) == pytest.approx(float(rise))
    whole = 0.3 * terms["l1_norm"] + 0.7 * terms["l2_sp"] + 11.0 * terms["ewc_nats"]
    assert float(terms["penalty_nats"]) == pytest.approx(float(whole))
    factors = float(Penalty(FACTORS, student)().terms["l1_norm"])
    assert factors == pytest.approx(float(sum(weight.detach().abs().sum() for weight in student.weights)))


def test_low_rank_is_dense() -> None:
    generator = torch.Generator().manual_seed(0)
    left, right, row, column = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((9, 3), (3, 7), (9,), (7,))
    )
    low, dense = LowRank(left, right), Dense(left @ right)
    torch.testing.assert_close(low.quadratic(), dense.quadratic())
    torch.testing.assert_close(low.quadratic(row, column), dense.quadratic(row, column))
    torch.testing.assert_close(low.absolute(), dense.absolute())
    assert low.squared_norm() == pytest.approx(dense.squared_norm())


@pytest.mark.parametrize("tuner", [TUNER, DORA, BITFIT], ids=["lora", "dora", "bitfit"])
def test_the_base_itself_is_not_penalized(tokenizer: PreTrainedTokenizerBase, tuner: Tuner) -> None:
    student = add_student(random_qwen2(tokenizer), tuner)
    penalties = Penalties(l1=L1(1.0, "update"), l2_sp=L2SP(1.0), ewc=None if tuner is BITFIT else EWC(1.0))
    penalty = Penalty(penalties, student, some_fisher(student))
    assert float(penalty().total.detach()) == pytest.approx(0, abs=1e-3 if tuner is DORA else 0)
    for grad in gradients(student, penalty):
        assert bool(torch.isfinite(grad).all())


@pytest.mark.parametrize("penalties", [UPDATE, SQUARE, ELASTIC], ids=["l1_update", "l2", "ewc"])
def test_the_factors_scale_against_each_other(tokenizer: PreTrainedTokenizerBase, penalties: Penalties) -> None:
    """A -> cA and B -> B/c change nothing in the model, and so nothing in a penalty on the update."""
    student = moved(tokenizer)
    penalty, factors = Penalty(penalties, student, some_fisher(student)), Penalty(FACTORS, student)
    before, other = float(penalty().total.detach()), float(factors().total.detach())
    for layer in student.trained_layers():
        first, second = layer.weights
        first.data *= 3.0
        second.data /= 3.0
    assert float(penalty().total.detach()) == pytest.approx(before, rel=1e-12)
    assert float(factors().total.detach()) != pytest.approx(other, rel=0.01)


def test_a_sum_of_penalties_is_the_sum_of_their_gradients(tokenizer: PreTrainedTokenizerBase) -> None:
    student = moved(tokenizer)
    fisher = some_fisher(student)
    together = gradients(student, Penalty(ALL, student, fisher))
    apart = [gradients(student, Penalty(one, student, fisher)) for one in (UPDATE, SQUARE, ELASTIC)]
    for whole, *parts in zip(together, *apart, strict=True):
        torch.testing.assert_close(whole, sum(parts))


def test_the_gradient_is_scaled_with_the_loss(tokenizer: PreTrainedTokenizerBase) -> None:
    """As fp16's scaler does."""
    student = moved(tokenizer)
    penalty = Penalty(SQUARE, student)
    once = gradients(student, penalty)
    student.model.zero_grad()
    (8 * penalty().total).backward()
    for weight, grad in zip(student.weights, once, strict=True):
        torch.testing.assert_close(weight.grad, 8 * grad)


def test_a_layer_without_fisher_information_is_named(tokenizer: PreTrainedTokenizerBase) -> None:
    student = moved(tokenizer)
    with pytest.raises(InputError, match=r"no Fisher information of model\.layers\.0\.self_attn\.q_proj"):
        Penalty(ELASTIC, student, Fisher({}))


def test_ewc_without_an_update_of_the_weights_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"`mine\.penalties\.ewc` does not work with .* bitfit: set .* to lora or dora"
    ):
        check_penalties("mine", ELASTIC, BITFIT)
    for penalties, tuner in ((ELASTIC, TUNER), (ELASTIC, DORA), (SQUARE, BITFIT), (None, BITFIT)):
        check_penalties("mine", penalties, tuner)


def test_a_part_of_a_method_without_any_penalty_is_refused() -> None:
    with pytest.raises(ValueError, match="no penalty is named"):
        Penalties()
