"""A run's folder: its models, and which shares of the student's update are models of their own.

models/adapters/ema-0/
    adapter_config.json, adapter_model.safetensors    the student, as PEFT saves it
    weights.safetensors                               or, if the base's own weights are trained, these
    teacher/                                          the teacher, in the same form
    1_symptoms/                                       of a chain, the student after its first domain, and so on
    run.json                                          shares; how many reports are retrieved, if any

Of a run that trains nothing there is only run.json, with `trained: false`: its model is the base.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from peft import PeftModel, set_peft_model_state_dict
from peft.utils import load_peft_weights
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from anamnesis.files import read_json, write_json
from anamnesis.modeling.student.full import FullStudent
from anamnesis.modeling.student.layers import LayerStudent
from anamnesis.modeling.student.prompts import VirtualTokensStudent, virtual_tokens_student
from anamnesis.modeling.student.student import ADAPTER, Student

RUN = "run.json"
TEACHER = "teacher"
WEIGHTS = "weights.safetensors"


def save_run(
    student: Student,
    teacher: Sequence[Tensor] | None,
    shares: Sequence[float],
    folder: Path,
    after: Mapping[str, Sequence[Tensor]] | None = None,
) -> None:
    """Save the student, the teacher's weights if they are its own, and the shares to evaluate.

    `after` has the student's weights after each domain of a chain but the last, in their order.
    """
    _save(student, folder)
    others = {} if teacher is None else {TEACHER: teacher}
    others |= {f"{place}_{domain}": weights for place, (domain, weights) in enumerate((after or {}).items(), start=1)}
    for name, weights in others.items():
        with student.holding(weights):
            _save(student, folder / name)
    write_json(folder / RUN, {"shares": list(shares)})


def save_retrieval(reports: int, trained: bool, folder: Path) -> None:
    """Save that the run's models read so many reports before a question; if nothing is trained, of the base itself."""
    run = read_json(folder / RUN) if trained else {"shares": [], "trained": False}
    write_json(folder / RUN, run | {"retrieval": {"reports": reports}})


def is_trained(folder: Path) -> bool:
    """Whether the run's model is another than the base."""
    return bool(read_json(folder / RUN).get("trained", True))


def retrieved_reports(folder: Path) -> int:
    """How many reports the run's models read before a question; 0: none."""
    return int(read_json(folder / RUN).get("retrieval", {"reports": 0})["reports"])


def load_student(base: PreTrainedModel, folder: Path) -> Student:
    """The saved student on its base, frozen, in evaluation mode and in the base's own precision."""
    if (folder / WEIGHTS).is_file():
        saved = load_file(folder / WEIGHTS)
        full = FullStudent(base.eval(), [name for name, _ in base.named_parameters() if name in saved])
        if lost := sorted(saved.keys() - set(full.names)):
            raise RuntimeError(f"the base has no {lost[0]}, which {folder} trains")
        with torch.no_grad():
            for weight, name in zip(full.weights, full.names, strict=True):
                weight.copy_(saved[name])
        return full
    model = PeftModel.from_pretrained(base, folder, adapter_name=ADAPTER).eval()
    return virtual_tokens_student(model) if model.active_peft_config.is_prompt_learning else LayerStudent(model)


def saved_models(method: str, folder: Path) -> dict[str, Path]:
    """The folders of a run's whole models, by name.

    They are the student (`ema`), its teacher (`ema_teacher`), and of a chain the student after each domain but the last
    (`chain_after_symptoms`).
    """
    teacher = {f"{method}_{TEACHER}": folder / TEACHER} if (folder / TEACHER).is_dir() else {}
    found = (re.fullmatch(r"(\d+)_(.+)", path.name) for path in folder.iterdir())
    after = sorted((int(match[1]), match[2]) for match in found if match)
    return {method: folder} | teacher | {f"{method}_after_{name}": folder / f"{place}_{name}" for place, name in after}


def models_of_run(student: Student, method: str, folder: Path) -> Iterator[str]:
    """The names of a run's models; `student` is each of them until the next is taken.

    They are the saved ones, and shares of the student's update (`ema_share_0_5`).
    """
    models: dict[str, list[Tensor] | None] = {
        name: None if path == folder else _read(student, path) for name, path in saved_models(method, folder).items()
    }
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
    if isinstance(student, FullStudent):
        folder.mkdir(parents=True, exist_ok=True)
        save_file(dict(zip(student.names, student.saved_weights(), strict=True)), folder / WEIGHTS)
        return
    student.model.save_pretrained(folder, selected_adapters=[ADAPTER])
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for key, value in config.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            config[key] = sorted(value)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _read(student: Student, folder: Path) -> list[Tensor]:
    """The weights saved in `folder`, in the order of the student's; the student keeps its own."""
    device = student.weights[0].device
    if isinstance(student, FullStudent):
        saved = load_file(folder / WEIGHTS)
        _refuse_missing(folder, [name for name in student.names if name not in saved])
        return [saved[name].to(device) for name in student.names]
    saved = load_peft_weights(str(folder), device="cpu")
    if isinstance(student, VirtualTokensStudent):
        return [saved["prompt_embeddings"].to(device)]
    own = [weight.detach().clone() for weight in student.weights]
    missing = set_peft_model_state_dict(student.model, saved, ADAPTER).missing_keys
    _refuse_missing(folder, [name for name in missing if f".{ADAPTER}." in name or name.endswith(f".{ADAPTER}")])
    read = [weight.detach().clone() for weight in student.weights]
    for weight, before in zip(student.weights, own, strict=True):
        weight.data.copy_(before)
    return read


def _refuse_missing(folder: Path, names: Sequence[str]) -> None:
    if names:
        raise RuntimeError(f"{folder} lacks {len(names)} of the student's weights, {names[0]} first")
