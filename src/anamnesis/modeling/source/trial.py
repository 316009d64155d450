"""A trial run: what training, teachers and evaluation assume of the model."""

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from anamnesis.modeling.source.refusal import UnusableModelError, explained
from anamnesis.modeling.source.tokenizers import SAMPLE

TOKENS = 32


def check_computes(base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that the decoder looks back only, and that the logits are a plain head on its last hidden states.

    Student and teacher are trained through the output head on hidden states; reports are padded on the right without a
    mask, where a model that looks ahead would read the answer.

    Raises:
        UnusableModelError: the model is not of this kind, or its numbers are not finite.
    """
    tokens = torch.tensor([tokenizer(SAMPLE)["input_ids"][:TOKENS]], device=base.device)
    with explained("a trial run"), torch.no_grad():
        decoder, head = base.get_decoder(), base.get_output_embeddings()
        own = base(input_ids=tokens, use_cache=False).logits.float()
        hidden = decoder(input_ids=tokens, use_cache=False).last_hidden_state
        before = decoder(input_ids=tokens[:, : tokens.shape[1] // 2], use_cache=False).last_hidden_state
        plain = isinstance(head, torch.nn.Linear) and head.weight.is_floating_point()
        ours = head(hidden).float() if plain else own
    if not torch.isfinite(own).all():
        raise UnusableModelError(
            "it computes numbers that are not finite; its weights are damaged, or too large for `model.dtype` (try "
            "float32)."
        )
    if not plain or ours.shape != own.shape or not _close(ours, own, 1e-3):
        raise UnusableModelError(
            f"{type(base).__name__} does not compute its logits by a plain output head alone; this architecture is not "
            f"supported; choose another model."
        )
    # Rounding depends on the number of tokens; a token that is seen too early changes the states by far more.
    if not _close(before.float(), hidden[:, : before.shape[1]].float(), torch.finfo(hidden.dtype).eps ** 0.5):
        raise UnusableModelError(
            f"{type(base).__name__} looks at the tokens that come after; choose a causal language model, or set "
            f"it to be one in config.json (is_decoder)."
        )


def _close(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    return bool((a - b).norm() <= tolerance * b.norm())
