"""The loss of every method: cross-entropy on the report plus a weighted divergence from the teacher.

It is computed from the last hidden states and the frozen output head, one chunk of positions at a time. The gradient of
a chunk is computed in the forward pass, while its logits are in memory: three products with the head's weight (student,
teacher, gradient), nothing recomputed, and never more than one chunk of logits at a time. With a vocabulary of 152,000,
the logits of a whole batch would take most of the memory of a distillation step.

Everything is summed over supervised positions and divided by their number in the whole optimizer step, so that
gradient accumulation does not change the result.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from anamnesis.settings.methods import Method

# Logits of one product with the head, the student's and the teacher's together (64 MB in fp32; 110 positions of 152 k
# words), and the number of logits that a CPU works on at a time, so that they stay in its cache.
CHUNK_LOGITS = 2**24
CACHED_LOGITS = 2**18

Rows = Float[Tensor, "n vocab"]

# The losses of a text that is no method's report.
CROSS_ENTROPY = Method(teacher="none")
DIVERGENCE = Method(teacher="static", kl_weight=1.0)


@dataclass(frozen=True)
class Loss:
    """Scalars in nats per supervised token; `total` carries the gradient, `terms` are its parts by name, unweighted."""

    total: Float[Tensor, ""]
    terms: Mapping[str, Float[Tensor, ""]]


@dataclass(frozen=True)
class TokenWeights:
    """How much the cross-entropy of each supervised token counts; `total` is the sum over the whole optimizer step.

    If no token of the step counts, the total is 0 and so is the cross-entropy.
    """

    values: Float[Tensor, " n"]
    total: float | Float[Tensor, ""]


# ---- Divergences: of log-probabilities p (student) and q (teacher), by position ------------------------------------
# Each returns its value in nats and its gradient with respect to the student's logits z, where p = softmax(z). The
# forward KL includes the teacher's entropy: it has no gradient, but without it the value is no KL and not 0 for p = q.


def forward_kl(log_p: Rows, log_q: Rows) -> tuple[Float[Tensor, " n"], Rows]:
    """KL(q || p) = sum q (log q - log p); gradient p - q."""
    q = log_q.exp()
    return _expectation(q, log_q - log_p), log_p.exp().sub_(q)


def reverse_kl(log_p: Rows, log_q: Rows) -> tuple[Float[Tensor, " n"], Rows]:
    """KL(p || q) = sum p (log p - log q); gradient p (log p - log q - KL)."""
    p, ratio = log_p.exp(), log_p - log_q
    value = _expectation(p, ratio)
    return value, ratio.sub_(value[:, None]).mul_(p)


def jensen_shannon(log_p: Rows, log_q: Rows) -> tuple[Float[Tensor, " n"], Rows]:
    """(KL(q || m) + KL(p || m)) / 2 with m = (p + q) / 2; gradient p (log p - log m - KL(p || m)) / 2."""
    log_m = torch.logaddexp(log_p, log_q).sub_(log(2))
    p, ratio = log_p.exp(), log_p - log_m
    of_p = _expectation(p, ratio)
    of_q = _expectation(log_q.exp(), log_q - log_m)
    return (of_p + of_q) / 2, ratio.sub_(of_p[:, None]).mul_(p).div_(2)


DIVERGENCES: dict[str, Callable[[Rows, Rows], tuple[Tensor, Rows]]] = {
    "forward_kl": forward_kl,
    "reverse_kl": reverse_kl,
    "jensen_shannon": jensen_shannon,
}


def _expectation(probabilities: Rows, values: Rows) -> Float[Tensor, " n"]:
    return torch.bmm(probabilities[:, None], values[:, :, None])[:, 0, 0]


# ---- The loss ------------------------------------------------------------------------------------------------------


def distillation_loss(
    student: Float[Tensor, "n hidden"],
    teacher: Float[Tensor, "n hidden"] | None,
    head: torch.nn.Linear,
    tokens: Int[Tensor, " n"],
    method: Method,
    count: int | Tensor,
    weights: TokenWeights | None = None,
) -> Loss:
    """CE + kl_weight * temperature^2 * divergence over the supervised positions, divided by `count`.

    Args:
        student: the student's last hidden states at the supervised positions.
        teacher: the teacher's; None leaves the plain fine-tuning loss.
        head: the output head of both; it is frozen, and the loss computes no gradient of its weight.
        tokens: the tokens under the loss.
        method: weight, divergence and temperature.
        count: supervised positions of the whole optimizer step, over all its micro-batches and processes.
        weights: of the cross-entropy of each token, which is then divided by their total and not by `count`. The
            divergence is computed at all positions, whatever their weight. None: every token counts once.
    """
    if any(parameter.requires_grad for parameter in head.parameters()):
        raise ValueError("the output head must be frozen: the loss computes no gradient of it")
    scale = None if weights is None else weights.values * (count / weights.total if weights.total else 0.0)
    total, ce, divergence = _Fused.apply(student, teacher, head.weight, head.bias, tokens, scale, method, count)
    return Loss(total, {"ce_nats": ce} | ({} if teacher is None else {"divergence_nats": divergence}))


class _Fused(torch.autograd.Function):
    """The loss, with its gradient computed in the forward pass; backward only scales it."""

    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,
        teacher: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        tokens: Tensor,
        scale: Tensor | None,
        method: Method,
        count: int | Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        n, device = len(student), student.device
        # As F.linear does under autocast: the product in the low precision, everything after it in fp32 or better.
        low = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else weight.dtype
        exact = torch.promote_types(low, torch.float32)
        weight, bias = weight.to(low), None if bias is None else bias.to(low)
        gradient = torch.empty(student.shape, dtype=exact, device=device)
        sums = torch.zeros(2, dtype=exact, device=device)
        models = 1 if teacher is None else 2
        positions = max(1, CHUNK_LOGITS // models // len(weight))
        rows = n if device.type != "cpu" else max(1, CACHED_LOGITS // len(weight))
        with torch.autocast(device.type, enabled=False):
            for begin in range(0, n, positions):
                part = slice(begin, min(begin + positions, n))
                size = part.stop - begin
                states = student[part] if teacher is None else torch.cat([student[part], teacher[part]])
                logits = F.linear(states.to(low), weight, bias).to(exact)
                own, others = logits[:size], None if teacher is None else logits[size:]
                for start in range(0, size, rows):
                    block = slice(start, start + rows)
                    sums += _sums_and_gradient(
                        own[block],
                        None if others is None else others[block],
                        tokens[part][block],
                        None if scale is None else scale[part][block],
                        method,
                    )
                if ctx.needs_input_grad[0]:
                    gradient[part] = own.to(low) @ weight
        gradient.div_(count)
        ctx.save_for_backward(gradient)
        ctx.dtype = student.dtype
        ce, divergence = (sums / count).unbind()
        ctx.mark_non_differentiable(ce, divergence)
        return ce + method.kl_weight * divergence, ce, divergence

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (gradient * outer[0]).to(ctx.dtype), *[None] * 7


def _sums_and_gradient(
    student: Rows,
    teacher: Rows | None,
    tokens: Int[Tensor, " n"],
    scale: Float[Tensor, " n"] | None,
    method: Method,
) -> Float[Tensor, "2"]:
    """Sums of the cross-entropy and of the divergence; `student` is overwritten by the gradient of the loss.

    The gradient is with respect to the logits. `scale` multiplies the cross-entropy of each token; None is 1.

    At temperature tau both distributions are softmax(logits / tau) and the term is scaled by tau squared (Hinton et
    al. 2015, arXiv:1503.02531, section 2); in the gradient, the chain rule leaves one tau of the two.
    """
    index = torch.arange(len(tokens), device=tokens.device)
    log_p = student.log_softmax(-1)
    ce = -log_p[index, tokens]
    gradient = torch.exp(log_p, out=student)
    gradient[index, tokens] -= 1
    if scale is not None:
        ce = ce * scale
        gradient.mul_(scale[:, None])
    ce = ce.sum()
    if teacher is None:
        return torch.stack([ce, torch.zeros_like(ce)])
    tau = method.temperature
    log_q = (teacher if tau == 1 else teacher / tau).log_softmax(-1)
    if tau != 1:
        # log p differs from the logits by a constant at each position, which the softmax ignores.
        log_p = (log_p / tau).log_softmax(-1)
    values, pull = DIVERGENCES[method.divergence](log_p, log_q)
    gradient.add_(pull, alpha=method.kl_weight * tau)
    return torch.stack([ce, values.sum() * tau**2])
