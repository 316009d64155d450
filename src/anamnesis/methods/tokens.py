"""How much each supervised token counts in the cross-entropy, judged by what the base thinks of it.

Everything follows from the base's log-probabilities of the supervised tokens, which never change: the weights of all
reports are computed once, before the first step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, log
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor

from anamnesis.errors import InputError
from anamnesis.settings.tokens import Tokens

# By document, of its supervised tokens in their order.
LogP = Mapping[int, Float[Tensor, " n"]]


@dataclass(frozen=True)
class CorpusWeights:
    """The weights of the supervised tokens of each document."""

    by_document: Mapping[int, Float[Tensor, " n"]]

    def of(self, documents: Sequence[int]) -> Float[Tensor, " n"]:
        """The weights of the given documents' tokens, one document after the other."""
        return torch.cat([self.by_document[document] for document in documents])

    def of_first(self, documents: Sequence[int]) -> Float[Tensor, " n"]:
        """The weight of the first supervised token of each of the given documents: where the category begins."""
        return torch.cat([self.by_document[document][:1] for document in documents])

    def shares(self) -> tuple[float, float]:
        """Mean weight of all tokens, and of the documents' first ones: with weights 0 and 1, the shares kept."""
        documents = list(self.by_document)
        return float(self.of(documents).double().mean()), float(self.of_first(documents).double().mean())


def corpus_weights(tokens: Tokens, log_p: LogP, section: str) -> CorpusWeights:
    """The weights that `tokens` asks for.

    Args:
        tokens: the settings.
        log_p: the base's log-probabilities of all training reports.
        section: the method's section in params.yaml, for the message.

    Raises:
        InputError: no token has a weight above 0.
    """
    if tokens.weights == "flow":
        return CorpusWeights(_flow(log_p))
    threshold = nats_kept(tokens, log_p)
    kept = {document: (-values <= threshold).float() for document, values in log_p.items()}
    if not any(bool(values.any()) for values in kept.values()):
        easiest = exp(min(float(-values.max()) for values in log_p.values() if len(values)))
        raise InputError(
            f"`{section}.tokens.max_perplexity` is {tokens.max_perplexity:g}, but the easiest token under the loss has "
            f"a perplexity of {easiest:.6g} under the base, so that nothing is left to train on: raise it, or set "
            f"`keep_share` in its place."
        )
    return CorpusWeights(kept)


def nats_kept(tokens: Tokens, log_p: LogP) -> float:
    """The largest -log p of a token that is trained on (Selective Token Masking, arXiv:2501.14315).

    With `keep_share` it is the smallest value that keeps at least this share of all supervised tokens.
    """
    if tokens.max_perplexity is not None:
        return log(tokens.max_perplexity)
    assert tokens.keep_share is not None, "settings.Tokens has exactly one key"
    nats = torch.cat([-values for values in log_p.values()])
    return float(nats.sort().values[ceil(tokens.keep_share * len(nats)) - 1])


def _flow(log_p: LogP) -> dict[int, Tensor]:
    """exp(-f / tau) for each token of a document, f the base's mean loss on the document and tau the median of all f.

    FLOW (Sanyal et al. 2025, arXiv:2502.02797) gives a weight to each example; all its tokens have it here.
    """
    losses = {document: float(-values.mean()) for document, values in log_p.items() if len(values)}
    tau = median(losses.values())
    return {
        document: torch.full_like(values, exp(-losses[document] / tau) if len(values) else 1.0)
        for document, values in log_p.items()
    }
