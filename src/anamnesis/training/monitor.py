"""Forgetting and adaptation while a model is trained, and a training that stops at a budget of forgetting."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    BatchEncoding,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from anamnesis.files import read_json, write_json
from anamnesis.methods.losses import CROSS_ENTROPY, DIVERGENCE, distillation_loss
from anamnesis.methods.supervision import IGNORED, supervised_positions, targets
from anamnesis.methods.teachers import without_dropout
from anamnesis.modeling.loading import mixed_precision
from anamnesis.modeling.student.student import Student
from anamnesis.settings.budget import Budget
from anamnesis.settings.methods import Method
from anamnesis.training.data import report_collator

# In a checkpoint: the points so far, and the weights of the chosen one.
POINTS, WEIGHTS = "budget.json", "budget.safetensors"

ROWS_AT_ONCE = 16

log = logging.getLogger("train")


@dataclass(frozen=True)
class Point:
    """What a student has lost and gained after `step` optimizer steps.

    Attributes:
        step: number of optimizer steps.
        monitor_nats: its loss on the monitor's texts, in nats per token.
        monitor_kl_nats: KL(base || student) on them, in nats per token.
        monitor_domain_nats: its loss on the monitor's reports, in nats per supervised token.
    """

    step: int
    monitor_nats: float
    monitor_kl_nats: float
    monitor_domain_nats: float


class Monitor:
    """The texts and reports that a student is measured on, with the base's hidden states on the texts."""

    def __init__(
        self, student: Student, tokenizer: PreTrainedTokenizerBase, texts: Sequence[Sequence[int]], reports: Dataset
    ) -> None:
        """Computes the base's states. Each text begins with its start token, of which no loss is measured."""
        self._student = student
        self._head = student.model.get_output_embeddings()
        self._modules = list(student.model.modules())
        rows = [
            {"input_ids": text, "attention_mask": [1] * len(text), "labels": [IGNORED, *text[1:]]} for text in texts
        ]
        self._texts = self._batches(rows, tokenizer)
        self._reports = self._batches(list(reports), tokenizer)
        with student.as_base():
            self._base = [self._states(batch) for batch in self._texts]

    def measure(self, step: int) -> Point:
        """The same on every process: that of the first, since two GPUs may round differently."""
        of_texts = self._losses(self._texts, self._base, DIVERGENCE)
        of_reports = self._losses(self._reports, [None] * len(self._reports), CROSS_ENTROPY)
        measured = [of_texts["ce_nats"], of_texts["divergence_nats"], of_reports["ce_nats"]]
        if PartialState().num_processes > 1:
            broadcast_object_list(measured)
        return Point(step, *measured)

    def _batches(self, rows: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase) -> list[BatchEncoding]:
        collate = report_collator(tokenizer)
        ordered = sorted(rows, key=lambda row: len(row["input_ids"]))
        parts = [ordered[start : start + ROWS_AT_ONCE] for start in range(0, len(ordered), ROWS_AT_ONCE)]
        return [collate(part).to(self._student.model.device) for part in parts]

    def _states(self, batch: BatchEncoding) -> Tensor:
        model = self._student.model
        with torch.no_grad(), mixed_precision(model), without_dropout(self._modules):
            return self._student.hidden_states(batch, supervised_positions(batch["labels"]))

    def _losses(
        self, batches: Sequence[BatchEncoding], bases: Iterable[Tensor | None], method: Method
    ) -> dict[str, float]:
        """The terms of the loss over all batches, per supervised token."""
        count = sum(int(supervised_positions(batch["labels"]).sum()) for batch in batches)
        sums: dict[str, float] = {}
        for batch, base in zip(batches, bases, strict=True):
            with torch.no_grad():
                loss = distillation_loss(self._states(batch), base, self._head, targets(batch["labels"]), method, count)
            for name, value in loss.terms.items():
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums


class KeepWithin(TrainerCallback):
    """Measures the student every few steps, stops a training beyond its budget, and puts the chosen weights back.

    The schedule of the learning rate is that of the whole training: one that is stopped does not reach its end.
    """

    def __init__(
        self,
        budget: Budget,
        monitor: Monitor,
        weights: Sequence[Tensor],
        note: Callable[[dict[str, float]], None],
        log_now: Callable[[dict[str, float]], None],
    ) -> None:
        """
        Args:
            budget: the settings.
            monitor: what is measured.
            weights: the student's, and the teacher's if it keeps its own: those of the chosen point are put back.
            note: takes numbers for the next point of the curves.
            log_now: writes a point of the curves.
        """
        self.budget = budget
        self.points: list[Point] = []
        self._chosen = 0
        self._monitor = monitor
        self._weights = weights
        self._copy: list[Tensor] = []
        self._note = note
        self._log_now = log_now

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step > 0:
            self._read(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        else:
            self._log_now(_numbers(self._measure(0)))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """A point that stops the training is no place to resume from."""
        last = state.global_step >= state.max_steps
        if state.global_step % self.budget.every_steps == 0 or last:
            self._note(_numbers(self._measure(state.global_step)))
            control.should_log = True
            if self._beyond() > self.budget.patience and not last:
                control.should_training_stop = True
                control.should_save = False

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            save_file({str(number): weight for number, weight in enumerate(self._copy)}, folder / WEIGHTS)
            points = [asdict(point) for point in self.points]
            write_json(folder / POINTS, {"points": points, "chosen": self._chosen})

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        with torch.no_grad():
            for weight, chosen in zip(self._weights, self._copy, strict=True):
                weight.copy_(chosen)
        log.info(
            "the weights of step %d are the result: %.4f nats per token lost of %g; training ended at step %d",
            self.chosen.step, self._lost(self.chosen), self.budget.nats, state.global_step,
        )  # fmt: skip

    def record(self) -> dict[str, Any]:
        """What became of the budget, for the run's folder."""
        return {
            "nats": self.budget.nats,
            "lost_nats": self._lost(self.chosen),
            "step": self.chosen.step,
            "last_step": self.points[-1].step,
            "points": [asdict(point) for point in self.points],
        }

    @property
    def chosen(self) -> Point:
        """The point whose weights are the result; the start is within every budget."""
        return self.points[self._chosen]

    def _lost(self, point: Point) -> float:
        """The expected rise of the loss on text that the base writes, which is KL(base || student), since the start.

        The rise of the loss on the monitor's texts estimates the same with a larger error, and may be negative.
        """
        return point.monitor_kl_nats - self.points[0].monitor_kl_nats

    def _beyond(self) -> int:
        """How many points at the end are above the budget, one after the other."""
        within = [number for number, point in enumerate(self.points) if self._lost(point) <= self.budget.nats]
        return len(self.points) - 1 - within[-1]

    def _measure(self, step: int) -> Point:
        point = self._monitor.measure(step)
        self.points.append(point)
        better = self.budget.choose == "last" or point.monitor_domain_nats < self.chosen.monitor_domain_nats
        if step == 0 or (better and self._lost(point) <= self.budget.nats):
            self._chosen = len(self.points) - 1
            self._copy = [weight.detach().to("cpu", copy=True) for weight in self._weights]
        return point

    def _read(self, checkpoint: Path) -> None:
        saved, weights = read_json(checkpoint / POINTS), load_file(checkpoint / WEIGHTS)
        self.points = [Point(**point) for point in saved["points"]]
        self._chosen = saved["chosen"]
        self._copy = [weights[str(number)] for number in range(len(weights))]


def _numbers(point: Point) -> dict[str, float]:
    return {name: value for name, value in asdict(point).items() if name != "step"}
