"""Reports as token sequences with labels."""

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from datasets import Dataset
from transformers import DataCollatorForSeq2Seq, PreTrainedTokenizerBase

from anamnesis.methods.supervision import IGNORED
from anamnesis.rendering import completion, prompt
from anamnesis.settings.rendering import Headings
from anamnesis.settings.sections import SettingsError


def encode_report(
    tokenizer: PreTrainedTokenizerBase, prompt_text: str, completion_text: str, target: Literal["conclusion", "report"]
) -> dict[str, list[int]]:
    """Tokens of prompt + completion + end-of-text; labels are -100 at positions outside the loss.

    The whole text is tokenized at once, as it is for scoring. A token belongs to the completion if it begins in it.

    No token may begin in the prompt and end in the completion. The harness takes an answer's tokens to be those after
    as many as the prompt alone has, so it would not score such a token as part of the answer; to train it all the same
    would teach the category by a token that is never scored, and not to train it would leave the category out. Neither
    can be right, and the tokenizer is refused.

    Raises:
        SettingsError: there is such a token.
    """
    encoding = tokenizer(prompt_text + completion_text, return_offsets_mapping=True)
    if any(start < len(prompt_text) < end for start, end in encoding["offset_mapping"]):
        raise SettingsError(
            "`model.source`: its tokenizer joins the end of the prompt and the beginning of the answer into one token, "
            "so that the category could neither be trained nor scored; choose a model whose tokenizer splits at spaces."
        )
    tokens = [*encoding["input_ids"], tokenizer.eos_token_id]
    labels = list(tokens)
    if target == "conclusion":
        # A token without text, such as BOS, belongs to the prompt.
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
    virtual_tokens: int = 0,
) -> Dataset:
    """All reports in their order; `document` is a number made of a report's tokens and labels.

    The stage `base` sets the tokenizer's `model_max_length` to the number of positions that the model was made for.
    Beyond it a table of positions ends with an error, and a rotary model computes what it was never trained on. A
    student with virtual tokens has that many positions less for a report.

    Raises:
        SettingsError: a report is longer than `max_length` tokens or the model's context (nothing is cut silently).
    """
    rows: list[dict[str, Any]] = []
    for report in reports:
        asked, answer = prompt(report["description"], headings), completion(report["category"], report["conclusion"])
        encoded = encode_report(tokenizer, asked, answer, target)
        rows.append({"document": document_number(encoded), **encoded})
    lengths = [len(row["input_ids"]) for row in rows]
    if max(lengths) > max_length:
        raise SettingsError(
            f"`optimization.max_length` is {max_length} tokens, but {_count_above(lengths, max_length)}: raise it in "
            f"the profile, or take those reports out of the corpus."
        )
    if max(lengths) > (context := tokenizer.model_max_length - virtual_tokens):
        raise SettingsError(
            f"the model of `model.source` reads {context} tokens, but {_count_above(lengths, context)}: lower "
            f"`optimization.max_length` and take those reports out of the corpus, or choose a model with a longer "
            f"context."
        )
    return Dataset.from_list(rows)


def _count_above(lengths: list[int], limit: int) -> str:
    above = sum(length > limit for length in lengths)
    return f"{above} of {len(lengths)} reports are longer (the longest has {max(lengths)})"


def document_number(encoded: Mapping[str, list[int]]) -> int:
    """A number of 63 bits by which a text's kept states are found: the same tokens and labels give the same number."""
    content = json.dumps([encoded["input_ids"], encoded["labels"]]).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:8]) >> 1


def report_collator(tokenizer: PreTrainedTokenizerBase) -> DataCollatorForSeq2Seq:
    """Reports side by side, padded to the longest, on the right whatever the tokenizer does otherwise."""
    on_the_right = copy.copy(tokenizer)
    on_the_right.padding_side = "right"
    return DataCollatorForSeq2Seq(on_the_right, padding=True, label_pad_token_id=IGNORED)


def supervised_counts(reports: Dataset) -> dict[int, int]:
    """Tokens under the loss by document; a report's first token has no position before it that could predict it."""
    return {
        document: sum(label != IGNORED for label in labels[1:])
        for document, labels in zip(reports["document"], reports["labels"], strict=True)
    }


def distinct(reports: Dataset) -> Dataset:
    """Each document once, the first of several with the same tokens."""
    first = {document: row for row, document in reversed(list(enumerate(reports["document"])))}
    return reports.select(sorted(first.values()))
