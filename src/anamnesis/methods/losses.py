"""The loss of every method: cross-entropy on the report plus a weighted divergence from the teacher.

Everything is summed over supervised positions and divided by their number in the whole optimizer step, so that
gradient accumulation does not change the result.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from anamnesis.settings import Method

IGNORED = -100


@dataclass(frozen=True)
class Loss:
    """Scalars; `total` carries the gradient. Units: nats per supervised token."""

    total: Float[Tensor, ""]
    ce_nats: Float[Tensor, ""]
    kl_nats: Float[Tensor, ""]


def supervised_positions(labels: Int[Tensor, "batch seq"]) -> Bool[Tensor, "batch seq"]:
    """The positions whose hidden state predicts a token under the loss: the one before each label that counts.

    Prompt and padding carry the label -100 and do not count; end-of-text does, though it may also be the padding
    token, because labels are set from lengths and not from token ids.
    """
    positions = torch.zeros_like(labels, dtype=torch.bool)
    positions[:, :-1] = labels[:, 1:] != IGNORED
    return positions


def targets(labels: Int[Tensor, "batch seq"]) -> Int[Tensor, " n"]:
    """The tokens under the loss, in the order of `supervised_positions`."""
    return labels[:, 1:][labels[:, 1:] != IGNORED]


def divergence(
    student: Float[Tensor, "n vocab"], teacher: Float[Tensor, "n vocab"], method: Method
) -> Float[Tensor, ""]:
    """KL between the two next-token distributions, summed over positions, nats.

    At temperature tau both are softmax(logits / tau) and the term is scaled by tau squared (Hinton et al. 2015,
    arXiv:1503.02531, section 2). The teacher's entropy is included: it has no gradient, but without it the number
    is not a KL and not 0 for equal distributions.
    """
    student_log = F.log_softmax(student.float() / method.temperature, dim=-1)
    teacher_log = F.log_softmax(teacher.float() / method.temperature, dim=-1)
    # kl_div(input, target) is KL(target || input).
    if method.direction == "forward":
        kl = F.kl_div(student_log, teacher_log, reduction="sum", log_target=True)
    else:
        kl = F.kl_div(teacher_log, student_log, reduction="sum", log_target=True)
    return kl * method.temperature**2


def distillation_loss(
    student: Float[Tensor, "n vocab"],
    teacher: Float[Tensor, "n vocab"] | None,
    tokens: Int[Tensor, " n"],
    method: Method,
    count: int | Tensor,
) -> Loss:
    """CE + kl_weight * KL over the supervised positions, divided by `count`.

    Args:
        student: the student's logits at the supervised positions.
        teacher: the teacher's, without gradient; None leaves the plain fine-tuning loss.
        tokens: the tokens under the loss.
        method: weight, direction and temperature.
        count: supervised positions of the whole optimizer step, over all its micro-batches.
    """
    ce = F.cross_entropy(student.float(), tokens, reduction="sum") / count
    if teacher is None:
        return Loss(total=ce, ce_nats=ce.detach(), kl_nats=torch.zeros_like(ce.detach()))
    kl = divergence(student, teacher, method) / count
    return Loss(total=ce + method.kl_weight * kl, ce_nats=ce.detach(), kl_nats=kl.detach())
