"""How far a model's predictions are from the base's: KL(base || model) of the next token, on given texts.

It needs no questions and works for any model. It is exact: computed over the whole vocabulary at every position, not
estimated from the tokens of the text.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from anamnesis.errors import InputError
from anamnesis.evaluation.backends.batches import batches
from anamnesis.evaluation.backends.stock import StockLM
from anamnesis.modeling.student.student import Student

# From the token ids of each text to its nats, summed over its tokens; None if another process returns them.
Divergence = Callable[[Sequence[Sequence[int]]], list[float] | None]

# Logits of each model in memory at a time: as many as a processor's cache holds, but at least those of 64 positions,
# which keep the product with a large head efficient (39 MB in fp32 at 152 k words).
CHUNK_LOGITS = 2**18
CHUNK_POSITIONS = 64


def of_the_base(texts: Sequence[Sequence[int]]) -> list[float]:
    """The base's divergence from itself."""
    return [0.0] * len(texts)


def from_base(lm: StockLM, student: Student) -> Divergence:
    """The divergence from the base of the weights that the student holds when the function is called.

    Every token of a text is predicted from those before it and the start token (BOS or, without one, end-of-text). The
    base is the same student with its update switched off. Each of several processes reads its share of the texts.
    """

    def measure(texts: Sequence[Sequence[int]]) -> list[float] | None:
        own = range(lm.rank, len(texts), lm.world_size)
        found = _divergences(student, lm.prefix_token_id, [texts[i] for i in own], lm.batch_size)
        shares = lm.gather_object(dict(zip(own, found, strict=True)))
        if shares is None:
            return None
        nats = {number: value for share in shares for number, value in share.items()}
        for number in range(len(texts)):
            if not math.isfinite(nats[number]):
                raise InputError(
                    f"KL(base || model) of text {number} is {nats[number]}: the model's numbers overflow; train it "
                    f"again with a lower learning rate, or set `model.dtype` to float32 or bfloat16."
                )
        return [nats[number] for number in range(len(texts))]

    return measure


@torch.no_grad()
def _divergences(student: Student, start: int, texts: Sequence[Sequence[int]], batch_size: int) -> list[float]:
    """The nats of each text. Batches are padded on the right, where a causal model does not look."""
    head: nn.Linear = student.model.get_output_embeddings()
    device = student.model.device
    lengths = [len(tokens) for tokens in texts]
    nats = [0.0] * len(texts)
    for batch in batches(range(len(texts)), lengths, batch_size):
        longest = lengths[batch[0]]
        rows = [[start, *texts[i][:-1], *[start] * (longest - lengths[i])] for i in batch]
        inputs = {"input_ids": torch.tensor(rows, device=device)}
        positions = torch.arange(longest, device=device) < torch.tensor([[lengths[i]] for i in batch], device=device)
        states = student.hidden_states(inputs, positions)
        with student.as_base():
            base_states = student.hidden_states(inputs, positions)
        by_position = kl_nats(base_states, states, head)
        for i, of_text in zip(batch, by_position.split([lengths[i] for i in batch]), strict=True):
            nats[i] = float(of_text.sum(dtype=torch.float64))
    return nats


def kl_nats(base: Float[Tensor, "n hidden"], model: Float[Tensor, "n hidden"], head: nn.Linear) -> Float[Tensor, " n"]:
    """KL(base || model) = sum over words of q (log q - log p) at each position, in fp32, a chunk at a time."""
    parts = []
    step = max(CHUNK_POSITIONS, CHUNK_LOGITS // head.out_features)
    for begin in range(0, len(base), step):
        log_q, log_p = (head(states[begin : begin + step]).float().log_softmax(-1) for states in (base, model))
        parts.append(F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1))
    return torch.cat(parts)
