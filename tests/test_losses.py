"""The loss: properties that hold for every input, and the ways in which published code got it wrong."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from anamnesis.methods.losses import IGNORED, distillation_loss, divergence, supervised_positions, targets
from anamnesis.settings import Method

DIRECTIONS = ["forward", "reverse"]


def method(direction: str = "forward", temperature: float = 1.0, weight: float = 1.0) -> Method:
    return Method(teacher="static", kl_weight=weight, direction=direction, temperature=temperature)


def logits(seed: int, n: int = 5, vocab: int = 11) -> Tensor:
    return 3 * torch.randn(n, vocab, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 10_000), st.sampled_from(DIRECTIONS), st.sampled_from([0.5, 1.0, 3.0]))
@settings(max_examples=50, deadline=None)
def test_kl_is_not_negative_and_zero_only_for_equal_distributions(
    seed: int, direction: str, temperature: float
) -> None:
    p, q = logits(seed), logits(seed + 1)
    how = method(direction, temperature)
    assert divergence(p, q, how) > 1e-3
    # A constant added to the logits leaves the distribution as it is.
    assert divergence(p, p + 2.5, how).abs() < 1e-4


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_kl_is_the_textbook_sum_in_the_named_direction(direction: str) -> None:
    student, teacher = logits(0), logits(1)
    s, t = student.softmax(-1), teacher.softmax(-1)
    forward = (t * (t / s).log()).sum()
    reverse = (s * (s / t).log()).sum()
    assert not math.isclose(forward, reverse, rel_tol=0.05)
    expected = forward if direction == "forward" else reverse
    torch.testing.assert_close(divergence(student, teacher, method(direction)), expected, rtol=1e-4, atol=1e-5)


def test_gradient_pulls_the_student_to_the_teacher() -> None:
    student, teacher = logits(0).requires_grad_(), logits(1)
    for direction in DIRECTIONS:
        before = divergence(student, teacher, method(direction))
        (gradient,) = torch.autograd.grad(before, student)
        assert divergence(student - 0.1 * gradient, teacher, method(direction)) < before


def test_temperature_keeps_the_size_of_the_gradient() -> None:
    """At high temperature tau^2 KL tends to the mean square of the centred logits' difference, which has no tau."""
    student, teacher = logits(0), logits(1)
    difference = (teacher - teacher.mean(-1, keepdim=True)) - (student - student.mean(-1, keepdim=True))
    limit = (difference**2).mean(-1).sum() / 2
    torch.testing.assert_close(divergence(student, teacher, method(temperature=1000.0)), limit, rtol=3e-2, atol=0)


def test_teachers_entropy_is_in_the_number_and_not_in_the_gradient() -> None:
    student, teacher = logits(0).requires_grad_(), logits(1)
    kl = divergence(student, teacher, method())
    soft_cross_entropy = F.cross_entropy(student, teacher.softmax(-1), reduction="sum")
    entropy = torch.distributions.Categorical(logits=teacher).entropy().sum()
    torch.testing.assert_close(kl, soft_cross_entropy - entropy, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.autograd.grad(kl, student)[0], torch.autograd.grad(soft_cross_entropy, student)[0])


def test_loss_is_ce_plus_weighted_kl_and_each_is_reported_apart() -> None:
    student, teacher, tokens = logits(0), logits(1), torch.tensor([0, 1, 2, 3, 4])
    loss = distillation_loss(student, teacher, tokens, method(weight=0.3), count=5)
    torch.testing.assert_close(loss.ce_nats, F.cross_entropy(student, tokens))
    torch.testing.assert_close(loss.kl_nats, divergence(student, teacher, method()) / 5)
    torch.testing.assert_close(loss.total, loss.ce_nats + 0.3 * loss.kl_nats)


def test_plain_fine_tuning_has_no_kl() -> None:
    loss = distillation_loss(logits(0), None, torch.tensor([0, 1, 2, 3, 4]), Method(teacher="none"), count=5)
    assert loss.kl_nats == 0
    torch.testing.assert_close(loss.total, loss.ce_nats)


def test_a_step_in_two_parts_is_the_step_in_one() -> None:
    student, teacher, tokens = logits(0, n=6), logits(1, n=6), torch.arange(6)
    whole = distillation_loss(student, teacher, tokens, method(), count=6)
    parts = [
        distillation_loss(student[rows], teacher[rows], tokens[rows], method(), count=6)
        for rows in (slice(0, 2), slice(2, 6))
    ]
    torch.testing.assert_close(whole.total, parts[0].total + parts[1].total)


def test_ignored_positions_do_not_count() -> None:
    labels = torch.tensor([[IGNORED, IGNORED, 5, 6, IGNORED], [IGNORED, 7, IGNORED, IGNORED, IGNORED]])
    positions = supervised_positions(labels)
    # The state before a token predicts it; the last state predicts nothing.
    assert positions.nonzero().tolist() == [[0, 1], [0, 2], [1, 0]]
    assert targets(labels).tolist() == [5, 6, 7]
