"""Replay: texts that every optimizer step learns from beside its reports.

Which texts a step replays follows from the seed and the step's number alone, so a training that resumes needs nothing
but these. They have forward passes, and a normalization, of their own: in a common mean, a document of 200 tokens
would outweigh the conclusions of six reports.
"""

import csv
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from anamnesis.errors import InputError
from anamnesis.files import read_jsonl
from anamnesis.methods.losses import CROSS_ENTROPY, DIVERGENCE, TokenWeights, distillation_loss
from anamnesis.methods.margin import TEXTS_FOR_THRESHOLDS, Thresholds, margin_loss, thresholds
from anamnesis.methods.supervision import IGNORED, supervised_positions, targets
from anamnesis.methods.teachers import StaticTeacher
from anamnesis.modeling.sampling import start_token
from anamnesis.modeling.student.student import Student
from anamnesis.settings.replay import Replay

log = logging.getLogger("train")

Encoded = dict[str, list[int]]


# ---- The pool ------------------------------------------------------------------------------------------------------


def read_texts(
    replay: Replay,
    file: Path,
    evaluated: Iterable[Path],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    virtual_tokens: int = 0,
) -> Dataset:
    """The texts that may be replayed, as tokens with labels.

    Args:
        replay: the method's replay.
        file: its texts: rows with a `text`, with the `tokens` of a sampled text, or with `prompt` and `completion`.
        evaluated: files of texts that arms are measured on; a text that is among them is left out.
        tokenizer: the base's.
        max_length: tokens at which a document is cut.
        virtual_tokens: positions that the tuner puts before every text.

    Raises:
        InputError: the file is missing or cannot be read, an example in it is too long, or no text is left.
    """
    if not file.is_file():
        raise InputError(
            f"there is no {file}, from which `replay` takes its texts: make it (dvc repro), or change `replay.source`."
        )
    rows = _read_examples(file) if replay.source == "multitask" else read_jsonl(file)
    kept = _without([row for path in evaluated for row in read_jsonl(path)], rows, tokenizer)
    longest = min(max_length, tokenizer.model_max_length - virtual_tokens)
    if replay.source == "multitask":
        texts = _encode_examples(kept, tokenizer, longest, file)
    else:
        texts = _encode_documents(kept, tokenizer, longest)
    texts = [text for text in texts if _supervised(text["labels"])]
    if not texts:
        raise InputError(f"there is no text to replay in {file}: choose another `replay.source`, or remove `replay`.")
    log.info(
        "replays from %d texts of %.0f tokens on average; %d that are measured on are left out",
        len(texts), sum(len(text["input_ids"]) for text in texts) / len(texts), len(rows) - len(kept),
    )  # fmt: skip
    return Dataset.from_list(texts)


def _read_examples(file: Path) -> list[dict[str, Any]]:
    """The user's file of another task, with a prompt and a completion in each row. No message has a text of it."""
    try:
        if file.suffix == ".csv":
            with file.open(encoding="utf-8-sig", newline="") as lines:
                rows: list[dict[str, Any]] = list(csv.DictReader(lines))
        else:
            rows = read_jsonl(file)
    except (ValueError, csv.Error):
        raise InputError(f"`replay.path`: {file} is not {file.suffix} in UTF-8: write it again in that form.") from None
    for number, row in enumerate(rows, start=1):
        if not (isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("prompt", "completion"))):
            raise InputError(
                f"`replay.path`: row {number} of {file} lacks a prompt or a completion: give every row both, as text."
            )
    return rows


def _plain(row: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> str:
    if "tokens" in row:
        return str(tokenizer.decode(row["tokens"], skip_special_tokens=True)).strip()
    return str(row["text"] if "text" in row else row["prompt"] + row["completion"]).strip()


def _without(
    evaluated: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase
) -> list[Mapping[str, Any]]:
    """The rows whose text is not evaluated, and does not begin with an evaluated text that was cut at its length."""
    texts = {_plain(row, tokenizer) for row in evaluated}
    cut = [row for row in evaluated if "tokens" in row and tokenizer.eos_token_id not in row["tokens"]]
    # One without a word, such as line breaks up to its length, would begin all others.
    beginnings = tuple(filter(None, (_plain(row, tokenizer) for row in cut)))
    plain = [_plain(row, tokenizer) for row in rows]
    return [row for row, text in zip(rows, plain, strict=True) if text not in texts and not text.startswith(beginnings)]


def _encode_documents(
    rows: Sequence[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, longest: int
) -> list[Encoded]:
    """Every token of a document is under the loss, its end too; before it comes what precedes it in pretraining."""
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    encode = [row["text"] for row in rows if "tokens" not in row]
    written = iter(tokenizer(encode, add_special_tokens=False)["input_ids"] if encode else [])
    documents = [row["tokens"] if "tokens" in row else [*next(written), *end] for row in rows]
    start = start_token(tokenizer)
    return [_row(ids, ids) for ids in ([start, *document][:longest] for document in documents)]


def _encode_examples(
    rows: Sequence[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, longest: int, file: Path
) -> list[Encoded]:
    """Prompt and answer are tokenized apart, as they are when a model answers; only the answer is under the loss."""
    texts = []
    for row in rows:
        prompt = tokenizer(row["prompt"])["input_ids"]
        answer = [*tokenizer(row["completion"], add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        texts.append(_row([*prompt, *answer], [*[IGNORED] * len(prompt), *answer]))
    if above := sum(len(text["input_ids"]) > longest for text in texts):
        raise InputError(
            f"{above} of the {len(texts)} examples in {file} are longer than {longest} tokens: shorten them, or raise "
            f"`optimization.max_length` in the profile if the model reads more."
        )
    return texts


def _row(ids: list[int], labels: list[int]) -> Encoded:
    return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels}


def _supervised(labels: Sequence[int]) -> int:
    return sum(label != IGNORED for label in labels[1:])


# ---- The texts of a step -------------------------------------------------------------------------------------------


def rows_of_step(step: int, per_step: Fraction, size: int, seed: int) -> list[int]:
    """Rows of the pool in optimizer step `step`, counted from 0: after n steps, floor(n * per_step) in all.

    Every text is taken once before one is taken again, in another order.
    """
    places = range(floor(step * per_step), floor((step + 1) * per_step))
    return [_order(size, seed, place // size)[place % size] for place in places]


@lru_cache(maxsize=2)
def _order(size: int, seed: int, epoch: int) -> list[int]:
    return list(np.random.default_rng([seed, epoch]).permutation(size).tolist())


class Replaying:
    """The replay of one training: its texts by step, their loss and gradients, and means for the curves.

    `reports` is how many an optimizer step has, over all processes; `texts_at_once` is the most texts in one forward
    pass of one process.
    """

    def __init__(
        self,
        replay: Replay,
        student: Student,
        texts: Dataset,
        collate: Callable[[list[Any]], Any],
        reports: int,
        texts_at_once: int,
        seed: int,
    ) -> None:
        self._replay = replay
        self._student = student
        self._texts = texts
        self._collate = collate
        # As written: the product with a share such as 0.29 would otherwise be a little less than it says.
        self._per_step = Fraction(str(replay.share)) * reports
        self._at_once = texts_at_once
        self._seed = seed
        self._base = StaticTeacher(student)
        self._sums: dict[str, Tensor] = {}
        self._steps = 0

    def rows(self, step: int) -> list[int]:
        return rows_of_step(step, self._per_step, len(self._texts), self._seed)

    def learn(self, step: int, accelerator: Accelerator) -> Tensor | float:
        """Add the gradients of a step's texts, and return this process's part of their loss.

        Every process knows the texts of all, so it knows what to divide by without asking, and it may have none. The
        gradients are exchanged with those of the reports: DDP, whose own forward is not called here, leaves them alone.

        The random numbers that dropout takes are put back: the reports find them as they do without replay.
        """
        texts = sorted((self._texts[row] for row in self.rows(step)), key=lambda text: len(text["input_ids"]))
        if not texts:
            return 0.0
        self._steps += 1
        model, processes = self._student.model.train(), accelerator.num_processes
        device = model.device
        own = texts[accelerator.process_index :: processes]
        count = sum(_supervised(text["labels"]) for text in texts)
        total: Tensor | float = 0.0
        for begin in range(0, len(own), self._at_once):
            batch = self._collate(own[begin : begin + self._at_once]).to(device)
            with torch.random.fork_rng([] if device.type == "cpu" else [device]), accelerator.autocast():
                loss = self._loss(batch, len(texts), count)
            # DDP takes the mean over the processes.
            loss = loss * processes
            accelerator.backward(loss)
            total = total + loss.detach()
        return total

    def _loss(self, batch: Mapping[str, Tensor], texts: int, count: int) -> Float[Tensor, ""]:
        """The part of a step's loss that a few of its texts have, where the step has `texts` with `count` tokens."""
        replay, positions = self._replay, supervised_positions(batch["labels"])
        tokens, head = targets(batch["labels"]), self._student.model.get_output_embeddings()
        base = None if replay.loss == "labels" else self._base.hidden_states(batch, positions)
        states = self._student.hidden_states(batch, positions)
        if replay.loss == "teacher":
            no_labels = TokenWeights(torch.zeros(len(tokens), device=states.device), float(count))
            loss = distillation_loss(states, base, head, tokens, DIVERGENCE, count, no_labels)
            self._add("replay_kl_nats", loss.terms["divergence_nats"])
            return replay.weight * loss.total
        parts = []
        if base is not None:
            margin = self._margin(states, base, positions.sum(1).tolist()) / texts
            self._add("replay_margin", margin.detach())
            parts.append(replay.weight * margin)
        if (label_weight := self._label_weight) is not None:
            loss = distillation_loss(states, None, head, tokens, CROSS_ENTROPY, count)
            self._add("replay_nats", loss.terms["ce_nats"])
            parts.append(label_weight * loss.total)
        return torch.stack(parts).sum()

    def _margin(self, student: Tensor, base: Tensor, lengths: list[int]) -> Float[Tensor, ""]:
        """The sum of the texts' margins, each a mean of its own: so it does not matter how texts are put together."""
        pairs = zip(student.split(lengths), base.split(lengths), strict=True)
        return torch.stack([margin_loss(own, kept, self._limits) for own, kept in pairs]).sum()

    @cached_property
    def _limits(self) -> Thresholds:
        """From texts that lie evenly in the pool, the same for every seed."""
        size, device = min(len(self._texts), TEXTS_FOR_THRESHOLDS), self._student.model.device
        texts = [self._texts[place * len(self._texts) // size] for place in range(size)]
        batches = (self._collate(texts[begin : begin + self._at_once]) for begin in range(0, size, self._at_once))
        return thresholds(
            self._base.hidden_states(batch.to(device), supervised_positions(batch["labels"])) for batch in batches
        )

    def _add(self, name: str, value: Tensor) -> None:
        self._sums[name] = self._sums.get(name, 0) + value.double()

    def means(self, accelerator: Accelerator) -> dict[str, float]:
        """Means over the steps with replay since the last call, of each term; nothing if there was no such step.

        A process that had no text takes part in the sums with 0.
        """
        steps, sums = self._steps, self._sums
        self._steps, self._sums = 0, {}
        zero = torch.zeros((), dtype=torch.float64, device=accelerator.device)
        return {
            name: float(accelerator.reduce(sums.get(name, zero), "sum")) / steps for name in self._terms if steps > 0
        }

    @property
    def _label_weight(self) -> float | None:
        """Weight of the cross-entropy; None if there is no such term."""
        if self._replay.loss == "labels":
            return self._replay.weight
        return self._replay.label_weight or None

    @property
    def _terms(self) -> list[str]:
        of_base = {"labels": [], "teacher": ["replay_kl_nats"], "margin": ["replay_margin"]}[self._replay.loss]
        return [*of_base, *([] if self._label_weight is None else ["replay_nats"])]
