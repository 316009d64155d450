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
    """All reports in their order; `document` is a number made of a report's tokens and labels.

    Raises:
        SettingsError: one is longer than `max_length` tokens (nothing is cut silently).
    """
    rows: list[dict[str, Any]] = []
    for report in reports:
        asked, answer = prompt(report["description"], headings), completion(report["category"], report["conclusion"])
        encoded = encode_report(tokenizer, asked, answer, target)
        rows.append({"document": document_number(encoded), **encoded})
    longest = max(len(row["input_ids"]) for row in rows)
    if longest > max_length:
        too_long = sum(len(row["input_ids"]) > max_length for row in rows)
        raise SettingsError(
            f"`optimization.max_length` is {max_length} tokens, but {too_long} of {len(rows)} reports are longer "
            f"(the longest has {longest}): raise it in the profile, or take those reports out of the corpus."
        )
    return Dataset.from_list(rows)


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
