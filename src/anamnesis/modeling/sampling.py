"""Text sampled from a model's own distribution."""

from collections.abc import Sequence

import torch
from tqdm import tqdm
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, set_seed

from anamnesis.errors import InputError
from anamnesis.settings.base_text import BaseText
from anamnesis.settings.rehearsal_text import RehearsalText

# Texts that are written for each that is wanted, before it is said that too few of them are new.
WRITTEN = 50


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
    _prepare(model, tokenizer, settings, "base_text")
    texts: list[list[int]] = []
    with tqdm(total=settings.texts, desc="texts", mininterval=5) as progress:
        while len(texts) < settings.texts:
            texts += _write(model, tokenizer, min(settings.batch_size, settings.texts - len(texts)))
            progress.update(len(texts) - progress.n)
    return texts


def sample_new_texts(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: RehearsalText, others: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Sample texts as `sample_texts` does, but none that is among `others`.

    A text that begins with one of `others`, which may be cut off, is left out as well, and so is one without a word.

    Raises:
        InputError: the texts are longer than the model's context, or too few of them are new.
    """
    _prepare(model, tokenizer, settings, "rehearsal_text")
    texts: list[list[int]] = []
    written = 0
    with tqdm(total=settings.texts, desc="texts", mininterval=5) as progress:
        while len(texts) < settings.texts:
            if written >= WRITTEN * settings.texts:
                raise InputError(
                    f"`rehearsal_text.texts` is {settings.texts}, and of {written} texts that the base wrote "
                    f"{len(texts)} can be used, because the others are in `base_text` or have no word: lower it."
                )
            batch = _write(model, tokenizer, settings.batch_size)
            written += len(batch)
            texts += [
                text
                for text in batch
                if len(text) > 1 and not any(text[: len(other)] == list(other) for other in others)
            ]
            progress.update(min(len(texts), settings.texts) - progress.n)
    return texts[: settings.texts]


def _prepare(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: BaseText | RehearsalText, section: str
) -> None:
    """The whole distribution at temperature 1, from the seed on."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is not None and settings.max_tokens > context:
        raise InputError(
            f"`{section}.max_tokens` is {settings.max_tokens} and the model takes {context} tokens: lower the first."
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


def _write(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: int) -> list[list[int]]:
    """So many texts at the same time."""
    start = torch.full((rows, 1), start_token(tokenizer), device=model.device)
    written = model.generate(input_ids=start, attention_mask=torch.ones_like(start))[:, 1:]
    return [_ended(row, tokenizer.eos_token_id) for row in written.tolist()]


def _ended(tokens: list[int], end: int | None) -> list[int]:
    """Without the padding after the end."""
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens
