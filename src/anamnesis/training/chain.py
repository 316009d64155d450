"""A chain: one model trained in several domains, one after the other.

Between two domains everything goes through a folder in scratch/: a training that was interrupted there begins the next
domain from the same files as one that was not.
"""

import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from anamnesis.files import read_json, write_json
from anamnesis.methods.fisher import Fisher, Text, estimate, load_fisher, save_fisher
from anamnesis.methods.teachers import Teacher, without_dropout
from anamnesis.modeling.student.student import Student
from anamnesis.settings.fisher import FisherText
from anamnesis.training.checkpoints import check_all_see, damage, seal

# In the folder of a domain, and in there.
FINISHED = "finished"
STUDENT, TEACHER, FISHER, CURVES = "student.safetensors", "teacher.safetensors", "fisher.safetensors", "curves.json"


@dataclass(frozen=True)
class Finished:
    """What the next domains need of a finished one.

    Attributes:
        student: its weights at the end of the domain, from where the next one goes on.
        teacher: those of a teacher that keeps its own.
        fisher: the Fisher information of the domain's reports at these weights, for methods with ewc.
        curves: the points of the training curves; their steps are those of the whole chain.
    """

    student: list[Tensor]
    teacher: list[Tensor] | None
    fisher: Fisher | None
    curves: list[dict[str, Any]]


def points(history: Sequence[dict[str, Any]], steps_before: int) -> list[dict[str, Any]]:
    """The points of the training curves in Trainer's own history of a domain."""
    return [logs | {"step": steps_before + logs["step"]} for logs in history if "ce_nats" in logs]


def keep(folder: Path, finished: Finished) -> None:
    """Write a finished domain into its folder, and remove its checkpoints."""
    to = folder / FINISHED
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    _write(finished.student, to / STUDENT)
    if finished.teacher is not None:
        _write(finished.teacher, to / TEACHER)
    if finished.fisher is not None:
        save_fisher(finished.fisher, to / FISHER)
    write_json(to / CURVES, finished.curves)
    seal(to)
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def finished_domains(folders: Sequence[Path], scratch: Path) -> list[Finished]:
    """Those at the beginning of the chain that are whole.

    Raises:
        InputError: the processes of this run do not see the same ones.
    """
    found: list[Finished] = []
    for folder in folders:
        if damage(folder / FINISHED) is not None:
            break
        found.append(_read(folder / FINISHED))
    check_all_see(len(found), scratch)
    return found


def go_on(student: Student, teacher: Teacher | None, finished: Sequence[Finished]) -> None:
    """Give student and teacher the weights that they had at the end of the last finished domain."""
    if not finished:
        return
    pairs: list[tuple[Tensor, Tensor]] = list(zip(student.weights, finished[-1].student, strict=True))
    if teacher is not None and teacher.weights is not None:
        pairs += zip(teacher.weights, finished[-1].teacher or [], strict=True)
    with torch.no_grad():
        for weight, before in pairs:
            weight.copy_(before)


def pool(texts: Dataset, finished: Sequence[Dataset]) -> Dataset:
    """The texts to replay, with the reports of finished domains as they were trained on."""
    return concatenate_datasets([texts, *(reports.remove_columns("document") for reports in finished)])


def estimate_fisher_of(student: Student, reports: Dataset, text: FisherText) -> Fisher:
    """The Fisher information at the student's weights, of the tokens under the loss of some reports.

    Args:
        student: the student.
        reports: as they are trained on.
        text: how many reports, and whether with their own labels; of the base's it also says which texts.

    Raises:
        InputError: a gradient is not finite.
    """
    rows = sorted(random.Random(text.seed).sample(range(len(reports)), min(text.documents, len(reports))))
    chosen = [Text(row["input_ids"], row["labels"]) for row in (reports[number] for number in rows)]
    modules = dict(student.model.get_base_model().named_modules())
    layers = {layer.name: modules[layer.name] for layer in student.trained_layers()}
    with _frozen(student.weights), without_dropout(student.model.modules()):
        return estimate(student.model, layers, chosen, text.seed if text.labels == "sampled" else None)


@contextmanager
def _frozen(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def _write(weights: Sequence[Tensor], file: Path) -> None:
    save_file({str(number): weight.detach().contiguous() for number, weight in enumerate(weights)}, file)


def _read(folder: Path) -> Finished:
    def weights(name: str) -> list[Tensor]:
        saved = load_file(folder / name)
        return [saved[str(number)] for number in range(len(saved))]

    return Finished(
        weights(STUDENT),
        weights(TEACHER) if (folder / TEACHER).is_file() else None,
        load_fisher(folder / FISHER) if (folder / FISHER).is_file() else None,
        read_json(folder / CURVES),
    )
