"""Text sampled from a model's own distribution."""

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, set_seed

from anamnesis.errors import InputError
from anamnesis.settings.base_text import BaseText


def start_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token before a text: BOS or, without one, end-of-text, which separates texts in pretraining."""
    start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    if start is None:
        raise InputError("`model.source` has neither a BOS nor an end-of-text token: choose another model.")
    return int(start)


def sample_texts(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: BaseText) -> list[list[int]]:
    """Sample texts at temperature 1 from the whole distribution, as token ids.

    A text ends with the end-of-text token or at `max_tokens`; the start token is not part of it. The model's own
    generation settings (top-k, top-p, a repetition penalty) are replaced, because with them the text would not be a
    sample of what the model predicts.

    Raises:
        InputError: the texts are longer than the model's context.
    """
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is not None and settings.max_tokens > context:
        raise InputError(
            f"`base_text.max_tokens` is {settings.max_tokens} and the model takes {context} tokens: lower the first."
        )
    end = tokenizer.eos_token_id
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        max_new_tokens=settings.max_tokens,
        eos_token_id=end,
        pad_token_id=end if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
    )
    set_seed(settings.seed)
    texts: list[list[int]] = []
    while len(texts) < settings.texts:
        rows = min(settings.batch_size, settings.texts - len(texts))
        start = torch.full((rows, 1), start_token(tokenizer), device=model.device)
        written = model.generate(input_ids=start, attention_mask=torch.ones_like(start))[:, 1:]
        texts += [_ended(row, end) for row in written.tolist()]
    return texts


def _ended(tokens: list[int], end: int | None) -> list[int]:
    """Without the padding after the end."""
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens
