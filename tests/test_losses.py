"""The loss: equal to the plain formula in value and gradient, and free of errors that published code has made.

Here the plain formula is written out for all logits at once; its gradient comes from autograd.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from anamnesis.methods import losses
from anamnesis.methods.losses import (
    DIVERGENCES,
    Loss,
    TokenWeights,
    distillation_loss,
)
from anamnesis.methods.supervision import IGNORED, supervised_positions, targets
from anamnesis.settings.methods import Method

HIDDEN, VOCAB = 6, 11
NONE = Method(teacher="none")


def method(divergence: str = "forward_kl", temperature: float = 1.0, weight: float = 1.0) -> Method:
    return Method(teacher="static", kl_weight=weight, divergence=divergence, temperature=temperature)


def states(seed: int, n: int = 5, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(n, HIDDEN, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def output_head(dtype: torch.dtype = torch.float32, bias: bool = True) -> torch.nn.Linear:
    torch.manual_seed(0)
    head = torch.nn.Linear(HIDDEN, VOCAB, bias=bias).to(dtype).requires_grad_(False)
    head.weight *= 4
    return head


def tokens(n: int = 5) -> Tensor:
    return torch.arange(n) % VOCAB


def plain_divergence(student: Tensor, teacher: Tensor, how: Method) -> Tensor:
    """The textbook sum, computed from logits."""
    p, q = (student / how.temperature).softmax(-1), (teacher / how.temperature).softmax(-1)
    m = (p + q) / 2

    def kl(a: Tensor, b: Tensor) -> Tensor:
        return (a * (a / b).log()).sum()

    value = {"forward_kl": kl(q, p), "reverse_kl": kl(p, q), "jensen_shannon": (kl(q, m) + kl(p, m)) / 2}
    return value[how.divergence] * how.temperature**2


def plain(student: Tensor, teacher: Tensor | None, head: torch.nn.Linear, how: Method, count: int) -> Loss:
    logits = head(student)
    ce = F.cross_entropy(logits, tokens(len(student)), reduction="sum") / count
    if teacher is None:
        return Loss(ce, {"ce_nats": ce})
    divergence = plain_divergence(logits, head(teacher), how) / count
    return Loss(ce + how.kl_weight * divergence, {"ce_nats": ce, "divergence_nats": divergence})


def fused(student: Tensor, teacher: Tensor | None, head: torch.nn.Linear, how: Method, count: int) -> Loss:
    return distillation_loss(student, teacher, head, tokens(len(student)), how, count)


@contextmanager
def chunks_of(positions: int, rows: int) -> Iterator[None]:
    """The loss in chunks of this many positions, processed this many rows at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "CHUNK_LOGITS", positions * VOCAB)
        patch.setattr(losses, "CACHED_LOGITS", rows * VOCAB)
        yield


HOW = [NONE, *(method(name, tau, 0.7) for name in DIVERGENCES for tau in (1.0, 2.5, 0.5))]


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize(("positions", "rows"), [(5, 5), (2, 1), (3, 2), (1, 1)])
def test_equal_to_the_plain_formula_however_it_is_cut(how: Method, positions: int, rows: int) -> None:
    head, teacher = output_head(), None if how == NONE else states(1)
    ours, theirs = states(0).requires_grad_(), states(0).requires_grad_()
    with chunks_of(positions, rows):
        loss = fused(ours, teacher, head, how, count=7)
        (2.5 * loss.total).backward()
    expected = plain(theirs, teacher, head, how, count=7)
    (2.5 * expected.total).backward()
    torch.testing.assert_close(loss.total, expected.total, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loss.terms, expected.terms, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("how", HOW, ids=str)
def test_gradient_is_the_derivative_of_the_value_in_fp64(how: Method) -> None:
    head = output_head(torch.float64)
    teacher = None if how == NONE else states(1, dtype=torch.float64)
    student = states(0, dtype=torch.float64).requires_grad_()
    with chunks_of(2, 1):
        assert torch.autograd.gradcheck(lambda s: fused(s, teacher, head, how, count=3).total, (student,))


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("how", HOW, ids=str)
def test_in_bf16_value_and_gradient_stay_within_its_resolution(how: Method, autocast: bool) -> None:
    """Products are in bf16 (8 bits: 0.4 %), the rest in fp32: values within 2 %, gradients within 3 % of their norm.

    Cross-entropy here is about 5 nats; a divergence near 0 would have no relative bound.
    """
    exact = output_head()
    teacher = None if how == NONE else states(1)
    reference = states(0).requires_grad_()
    expected = plain(reference, teacher, exact, how, count=5)
    expected.total.backward()
    low = output_head() if autocast else output_head(torch.bfloat16)
    student = (states(0) if autocast else states(0, dtype=torch.bfloat16)).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = fused(student, None if teacher is None else teacher.to(student.dtype), low, how, count=5)
    loss.total.backward()
    assert loss.total.dtype == torch.float32
    assert student.grad.dtype == student.dtype
    torch.testing.assert_close(loss.total, expected.total, rtol=2e-2, atol=0)
    distance = (student.grad.float() - reference.grad).norm() / reference.grad.norm()
    assert distance < 3e-2


def test_fp16_gradients_survive_a_small_share_of_a_large_step() -> None:
    """Divided by many tokens, a gradient falls below fp16's range; only in backward does the loss scale save it."""
    head = output_head(torch.float16)
    student = states(0, dtype=torch.float16).requires_grad_()
    (fused(student, None, head, NONE, count=10_000_000).total * 2.0**16).backward()
    reference = states(0, dtype=torch.float16).float().requires_grad_()
    (plain(reference, None, output_head(), NONE, count=10_000_000).total * 2.0**16).backward()
    torch.testing.assert_close(student.grad.float(), reference.grad, rtol=5e-2, atol=1e-4)
    assert student.grad.abs().max() > 0


@pytest.mark.parametrize("how", [NONE, method()], ids=str)
def test_never_more_than_one_chunk_of_logits_is_alive(how: Method) -> None:
    """A teacher's logits share the chunk with the student's, so the peak is not higher."""
    sizes: list[int] = []
    chunks: list[int] = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            out = func(*args, **(kwargs or {}))
            tensors = [t for t in torch.utils._pytree.tree_leaves(out) if isinstance(t, Tensor)]
            sizes.extend(t.numel() for t in tensors)
            chunks.extend(t.numel() for t in tensors if t.shape[-1:] == (VOCAB,) and t.shape != (HIDDEN, VOCAB))
            return out

    student, teacher = states(0, n=40).requires_grad_(), None if how == NONE else states(1, n=40)
    with chunks_of(8, 2), Watch():
        fused(student, teacher, output_head(), how, count=40).total.backward()
    assert max(chunks) == 8 * VOCAB
    assert max(sizes) <= max(8 * VOCAB, 40 * HIDDEN)


def test_a_head_that_would_be_trained_is_refused() -> None:
    with pytest.raises(ValueError, match="must be frozen"):
        fused(states(0), None, output_head().requires_grad_(), NONE, count=5)


@given(st.integers(0, 10_000), st.sampled_from(list(DIVERGENCES)), st.sampled_from([0.5, 1.0, 3.0]))
@settings(max_examples=50, deadline=None)
def test_a_divergence_is_not_negative_and_zero_only_for_equal_distributions(
    seed: int, divergence: str, temperature: float
) -> None:
    how, head = method(divergence, temperature), output_head()
    assert fused(states(seed), states(seed + 1), head, how, count=1).terms["divergence_nats"] > 1e-3
    assert fused(states(seed), states(seed), head, how, count=1).terms["divergence_nats"].abs() < 1e-5


def test_the_divergences_are_different_ones_and_jensen_shannon_is_bounded() -> None:
    far = [fused(20 * states(0), 20 * states(1), output_head(), method(name), count=5) for name in DIVERGENCES]
    forward, reverse, middle = (float(loss.terms["divergence_nats"]) for loss in far)
    assert len({round(value, 2) for value in (forward, reverse, middle)}) == 3
    assert middle <= math.log(2) + 1e-5 < min(forward, reverse)


@pytest.mark.parametrize("divergence", list(DIVERGENCES))
def test_gradient_pulls_the_student_to_the_teacher(divergence: str) -> None:
    head, teacher = output_head(), states(1)
    student = states(0).requires_grad_()
    alone = fused(student, None, head, NONE, count=5).total
    both = fused(student, teacher, head, method(divergence), count=5)
    (pull,) = torch.autograd.grad(both.total - alone, student)
    nearer = fused((student - 0.05 * pull).detach(), teacher, head, method(divergence), count=5)
    assert nearer.terms["divergence_nats"] < both.terms["divergence_nats"]


def test_temperature_keeps_the_size_of_the_gradient() -> None:
    """At high temperature, tau^2 KL tends to the mean square of the centred difference of logits, which has no tau."""
    head = output_head(torch.float64)
    student, teacher = states(0, dtype=torch.float64), states(1, dtype=torch.float64)
    difference = head(teacher) - head(student)
    difference -= difference.mean(-1, keepdim=True)
    limit = (difference**2).mean(-1).sum() / 2
    hot = fused(student, teacher, head, method(temperature=100.0), count=1).terms["divergence_nats"]
    torch.testing.assert_close(hot, limit, rtol=3e-2, atol=0)


def test_teachers_entropy_is_in_the_number_and_not_in_the_gradient() -> None:
    head, teacher = output_head(), states(1)
    ours, theirs = states(0).requires_grad_(), states(0).requires_grad_()
    loss = fused(ours, teacher, head, method(), count=1)
    soft = F.cross_entropy(head(theirs), head(teacher).softmax(-1), reduction="sum")
    entropy = torch.distributions.Categorical(logits=head(teacher)).entropy().sum()
    torch.testing.assert_close(loss.terms["divergence_nats"], soft.detach() - entropy, rtol=1e-4, atol=1e-4)
    loss.total.backward()
    (soft + F.cross_entropy(head(theirs), tokens(), reduction="sum")).backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


def test_a_step_in_two_parts_is_the_step_in_one() -> None:
    head, student, teacher = output_head(), states(0, n=6), states(1, n=6)
    whole = fused(student, teacher, head, method(), count=6)
    parts = [
        distillation_loss(student[rows], teacher[rows], head, tokens(6)[rows], method(), count=6)
        for rows in (slice(0, 2), slice(2, 6))
    ]
    torch.testing.assert_close(whole.total, parts[0].total + parts[1].total)


def test_ignored_positions_do_not_count() -> None:
    labels = torch.tensor([[IGNORED, IGNORED, 5, 6, IGNORED], [IGNORED, 7, IGNORED, IGNORED, IGNORED]])
    positions = supervised_positions(labels)
    # The state before a token predicts it; the last state predicts nothing.
    assert positions.nonzero().tolist() == [[0, 1], [0, 2], [1, 0]]
    assert targets(labels).tolist() == [5, 6, 7]


@given(st.lists(st.lists(st.sampled_from([IGNORED, 3, 4]), min_size=4, max_size=4), min_size=1, max_size=3))
def test_every_supervised_position_has_the_token_after_it_as_its_target(rows: list[list[int]]) -> None:
    """The first label of a row has no position before it, so it is not a target even with `target: report`."""
    labels = torch.tensor(rows)
    positions = supervised_positions(labels)
    assert targets(labels).tolist() == [int(labels[row, at + 1]) for row, at in positions.nonzero().tolist()]
    assert int(positions.sum()) == sum(label != IGNORED for row in rows for label in row[1:])


# ---- Weights of tokens ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [NONE, method()])
def test_weights_of_one_are_no_weights(how: Method) -> None:
    student, teacher, head = states(0, 9).requires_grad_(), None if how is NONE else states(1, 9), output_head()
    plain_loss = fused(student, teacher, head, how, count=9)
    (plain_gradient,) = torch.autograd.grad(plain_loss.total, student)
    weighted = weighted_loss(student, teacher, head, how, 9, torch.ones(9))
    (gradient,) = torch.autograd.grad(weighted.total, student)
    assert torch.equal(weighted.total, plain_loss.total)
    assert torch.equal(gradient, plain_gradient)


def weighted_loss(
    student: Tensor, teacher: Tensor | None, head: torch.nn.Linear, how: Method, count: int, values: Tensor
) -> Loss:
    weights = TokenWeights(values, values.sum())
    return distillation_loss(student, teacher, head, tokens(len(student)), how, count, weights)


def test_weights_reach_the_cross_entropy_alone() -> None:
    """Weights 0 and 1: the cross-entropy of the tokens that count, and the divergence of all of them."""
    values = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    student, teacher, head, how = states(0, 6).requires_grad_(), states(1, 6), output_head(), method()
    loss = weighted_loss(student, teacher, head, how, 6, values)
    (gradient,) = torch.autograd.grad(loss.total, student)
    log_p = head(student).log_softmax(-1)
    ce = -log_p[torch.arange(6), tokens(6)][values > 0].mean()
    log_q = head(teacher).log_softmax(-1).detach()
    divergence = (log_q.exp() * (log_q - log_p)).sum(-1).mean()
    torch.testing.assert_close(dict(loss.terms), {"ce_nats": ce, "divergence_nats": divergence}, rtol=1e-5, atol=1e-5)
    (expected,) = torch.autograd.grad(ce + how.kl_weight * divergence, student)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)


def test_weighted_steps_are_divided_by_the_weights_of_the_whole_step() -> None:
    values = torch.tensor([0.5, 2.0, 0.0, 1.0, 3.0, 0.25])
    student, teacher, head, how = states(0, 6).requires_grad_(), states(1, 6), output_head(), method()
    whole = distillation_loss(student, teacher, head, tokens(6), how, 6, TokenWeights(values, values.sum()))
    parts = [
        distillation_loss(
            student[part], teacher[part], head, tokens(6)[part], how, 6, TokenWeights(values[part], values.sum())
        )
        for part in (slice(0, 2), slice(2, 6))
    ]
    torch.testing.assert_close(sum(part.total for part in parts), whole.total, rtol=1e-5, atol=1e-6)
