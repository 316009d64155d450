"""A run's folder: the student, its EMA teacher if it has one, and which shares of the update are models of their own.

models/adapters/ema-0/
    adapter_config.json, adapter_model.safetensors    the student, as PEFT saves it
    teacher/                                          the teacher, in the same form
    run.json                                          shares
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from peft import PeftModel, set_peft_model_state_dict
from peft.utils import load_peft_weights
from torch import Tensor
from transformers import PreTrainedModel

from anamnesis.files import read_json, write_json
from anamnesis.modeling.student.student import ADAPTER, Student

RUN = "run.json"
TEACHER = "teacher"


def save_run(student: Student, teacher: Sequence[Tensor] | None, shares: Sequence[float], folder: Path) -> None:
    """Save the student, the teacher's weights if they are its own, and the shares to evaluate."""
    _save(student, folder)
    if teacher is not None:
        with student.holding(teacher):
            _save(student, folder / TEACHER)
    write_json(folder / RUN, {"shares": list(shares)})


def load_student(base: PreTrainedModel, folder: Path) -> Student:
    """The saved student on its base, frozen, in evaluation mode."""
    return Student(PeftModel.from_pretrained(base, folder, adapter_name=ADAPTER).eval())


def models_of_run(student: Student, method: str, folder: Path) -> Iterator[str]:
    """The names of a run's models; `student` is each of them until the next is taken.

    They are the student (`ema`), its teacher (`ema_teacher`), and shares of its update (`ema_share_0_5`).
    """
    models: dict[str, list[Tensor] | None] = {method: None}
    if (folder / TEACHER).is_dir():
        models[f"{method}_{TEACHER}"] = _read(student, folder / TEACHER)
    for share in read_json(folder / RUN)["shares"]:
        models[share_name(method, share)] = student.share(share)
    for name, weights in models.items():
        with nullcontext() if weights is None else student.holding(weights):
            yield name


def share_name(method: str, share: float) -> str:
    """`none_share_0_25` for a quarter of the update of `none`; a dot would cut a metric's key in two."""
    return f"{method}_share_{share:g}".replace(".", "_")


def _save(student: Student, folder: Path) -> None:
    """PEFT writes sets in hash order: sorted here, so that the same run gives the same bytes."""
    student.model.save_pretrained(folder, selected_adapters=[ADAPTER])
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key, value in config.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            config[key] = sorted(value)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _read(student: Student, folder: Path) -> list[Tensor]:
    """The weights saved in `folder`, in the order of the student's; the student keeps its own."""
    own = [weight.detach().clone() for weight in student.weights]
    missing = set_peft_model_state_dict(
        student.model, load_peft_weights(str(folder), device="cpu"), ADAPTER
    ).missing_keys
    if lost := [name for name in missing if f".{ADAPTER}." in name or name.endswith(f".{ADAPTER}")]:
        raise RuntimeError(f"{folder} lacks {len(lost)} of the student's weights, {lost[0]} first")
    read = [weight.detach().clone() for weight in student.weights]
    for weight, before in zip(student.weights, own, strict=True):
        weight.data.copy_(before)
    return read
