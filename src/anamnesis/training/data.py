"""Reports as token sequences with labels."""

from collections.abc import Iterable, Mapping
from typing import Literal

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from anamnesis.corpus.rendering import completion, prompt
from anamnesis.methods.losses import IGNORED
from anamnesis.settings import Headings, SettingsError


def encode_report(
    tokenizer: PreTrainedTokenizerBase, prompt_text: str, completion_text: str, target: Literal["conclusion", "report"]
) -> dict[str, list[int]]:
    """Tokens of prompt + completion + end-of-text; labels are -100 where the loss does not look.

    The whole text is tokenized at once, as it is for scoring; a token belongs to the completion if it begins in it.
    """
    encoding = tokenizer(prompt_text + completion_text, return_offsets_mapping=True)
    tokens = [*encoding["input_ids"], tokenizer.eos_token_id]
    labels = list(tokens)
    if target == "conclusion":
        starts = [start if end > start else 0 for start, end in encoding["offset_mapping"]]
        labels = [
            token if start >= len(prompt_text) else IGNORED for token, start in zip(tokens, starts, strict=False)
        ] + [tokenizer.eos_token_id]
    return {"input_ids": tokens, "attention_mask": [1] * len(tokens), "labels": labels}


def encode_reports(
    reports: Iterable[Mapping[str, str]],
    headings: Headings,
    tokenizer: PreTrainedTokenizerBase,
    target: Literal["conclusion", "report"],
    max_length: int,
) -> Dataset:
    """All reports; raises SettingsError if one is longer than `max_length` tokens (nothing is cut silently)."""
    rows = [
        encode_report(
            tokenizer,
            prompt(report["description"], headings),
            completion(report["category"], report["conclusion"]),
            target,
        )
        for report in reports
    ]
    longest = max(len(row["input_ids"]) for row in rows)
    if longest > max_length:
        too_long = sum(len(row["input_ids"]) > max_length for row in rows)
        raise SettingsError(
            f"`optimization.max_length` is {max_length} tokens, but {too_long} of {len(rows)} reports are longer "
            f"(the longest has {longest}): raise it in the profile, or take those reports out of the corpus."
        )
    return Dataset.from_list(rows)
