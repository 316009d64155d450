"""All parameters of an experiment: which sections there are, and the check of everything at once.

`check_all` reads everything, but only to refuse: nothing it reads can change an output.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anamnesis.settings.compute import Compute
from anamnesis.settings.corpus import Corpus
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.knowledge import Knowledge
from anamnesis.settings.methods import Method
from anamnesis.settings.modeling import Model, Pretraining
from anamnesis.settings.sections import SettingsError, read_yaml, section, unknown_key
from anamnesis.settings.synthesis import Synthesis
from anamnesis.settings.teacher_cache import TeacherCache
from anamnesis.settings.training import Optimization, Training, check_saving
from anamnesis.settings.tuner import Tuner

SCIENCE: dict[str, type] = {
    "corpus": Corpus,
    "synthesis": Synthesis,
    "knowledge": Knowledge,
    "tuner": Tuner,
    "training": Training,
}
SCALE: dict[str, type] = {
    "model": Model,
    "pretraining": Pretraining,
    "optimization": Optimization,
    "teacher_cache": TeacherCache,
    "evaluation": Evaluation,
    "compute": Compute,
}

# Keys of params.yaml that are not sections.
PLAIN = ("profile", "launch", "methods", "seeds")


def method_names(values: Mapping[str, Any]) -> list[str]:
    """The arms to compare; each must have a section of its own name, which must not be another section's."""
    names = values.get("methods")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise SettingsError("params.yaml: `methods` must be a list of names, for example [none, static, ema].")
    if len(set(names)) != len(names):
        raise SettingsError(f"params.yaml: `methods` names a method twice: {names}; name each once.")
    for name in names:
        if name in {*SCIENCE, *SCALE, *PLAIN, "base"} or re.search(r"_teacher$|_share_\d", name):
            raise SettingsError(f"params.yaml: `methods` cannot use the reserved name `{name}`; rename the method.")
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise SettingsError(
                f"params.yaml: `methods` names {name!r}; use lower-case letters, digits and _ only, a letter first."
            )
        if name not in values:
            raise SettingsError(
                f"params.yaml: `methods` names `{name}`, but there is no section `{name}`: "
                f"add one (for example a copy of `ema`) or take the name out of `methods`."
            )
    return names


def seed_numbers(values: Mapping[str, Any]) -> list[int]:
    """The seeds each method is trained with."""
    seeds = values.get("seeds")
    if not isinstance(seeds, list) or not seeds or not all(type(s) is int and s >= 0 for s in seeds):
        raise SettingsError("params.yaml: `seeds` must be a list of whole numbers, for example [0, 1, 2].")
    if len(set(seeds)) != len(seeds):
        raise SettingsError(f"params.yaml: `seeds` names a seed twice: {seeds}; name each once.")
    return seeds


def check_all(root: Path, profile: str | None = None) -> None:
    """Refuse whatever is wrong anywhere in params.yaml and its profile, before any long work starts.

    Raises:
        SettingsError: with the first thing that is wrong.
    """
    science = read_yaml(root / "params.yaml")
    profile = profile or science.get("profile")
    file = f"profiles/{profile}.yaml"
    if not (root / file).is_file():
        known = sorted(p.stem for p in (root / "profiles").glob("*.yaml"))
        raise SettingsError(f"params.yaml: `profile` is {profile!r}, but there is no {file}; choose one of {known}.")
    methods = method_names(science)
    seed_numbers(science)
    if not isinstance(science.get("launch"), str) or not science["launch"].strip():
        raise SettingsError("params.yaml: `launch` must be a command: python, or torchrun --nproc-per-node <GPUs>.")
    for name, kind in SCIENCE.items():
        section(science, name, kind)
    # A section that is not in `methods` today may be tomorrow: it is checked too, and so nothing is ignored.
    for name in science.keys() - SCIENCE.keys() - set(PLAIN):
        if name not in methods and not (isinstance(science[name], dict) and "teacher" in science[name]):
            raise SettingsError(unknown_key("params.yaml", name, [*SCIENCE, *methods, *PLAIN]))
        section(science, name, Method)
    _check_shares(science)
    scale = read_yaml(root / file)
    for name in scale:
        if name not in SCALE:
            raise SettingsError(unknown_key(file, name, list(SCALE)))
    for name, kind in SCALE.items():
        if not (name == "pretraining" and scale.get(name, ...) is None):
            section(scale, name, kind, file)
    if scale["model"]["source"] == "pretrain" and scale["pretraining"] is None:
        raise SettingsError(f"{file}: `model.source` is pretrain, but `pretraining` is null: give its keys.")
    optimization = section(scale, "optimization", Optimization, file)
    check_saving(optimization, section(science, "training", Training), file)
    if scale["evaluation"]["backend"] == "vllm":
        _check_served_by_vllm(science, methods, file)
    mmlu = scale["evaluation"]["mmlu"]
    if mmlu not in ("facts", "hub") and not (root / mmlu).is_dir():
        raise SettingsError(f"{file}: `evaluation.mmlu` is {mmlu!r}: set it to facts, hub, or an existing folder.")


def _tuner_of(science: Mapping[str, Any], name: str) -> Tuner:
    return section(science, name, Method).tuner or section(science, "tuner", Tuner)


def _check_shares(science: Mapping[str, Any]) -> None:
    for name in science.keys() - SCIENCE.keys() - set(PLAIN):
        if section(science, name, Method).shares and _tuner_of(science, name).kind == "dora":
            raise SettingsError(
                f"params.yaml: `{name}.shares` cannot be had with a tuner of kind dora, whose update is not linear in "
                f"its weights: make it [], or set `{name}.tuner.kind` to lora."
            )


def _check_served_by_vllm(science: Mapping[str, Any], methods: Sequence[str], file: str) -> None:
    for name in methods:
        if _tuner_of(science, name).kind != "lora" or section(science, name, Method).shares:
            raise SettingsError(
                f"{file}: `evaluation.backend` is vllm, which serves whole LoRA adapters only, and `{name}` has "
                f"another tuner or shares: set the backend to shared_prefix, or remove `{name}` from `methods`."
            )
