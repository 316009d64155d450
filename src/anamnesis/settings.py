"""The parameters of an experiment: what each key means to the code, and what it refuses.

params.yaml (the science) and profiles/<name>.yaml (the scale) are read into frozen dataclasses. An unknown
key, a wrong type or a value out of range stops a stage before any work, with one sentence that names the
file, the key and the mend. The prose manual of the keys is params.yaml itself.

A stage is given only what dvc.yaml declares for it, so that DVC's cache is right by construction.
`check_all` reads everything, but only to refuse: nothing it reads can change an output.
"""

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from anamnesis.errors import InputError

STRICT = ConfigDict(extra="forbid", strict=True)

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]


class SettingsError(InputError):
    """A parameter that cannot be used; the message is one sentence with the file, the key and the mend."""


@dataclass(frozen=True, config=STRICT)
class Columns:
    """Names of the columns in the corpus file; `patient` and `conclusion` may be missing from a corpus."""

    description: Text
    category: Text
    conclusion: Text | None
    patient: Text | None


@dataclass(frozen=True, config=STRICT)
class Headings:
    """The words around the fields when a report is written out as text."""

    description: Text
    category: Text


@dataclass(frozen=True, config=STRICT)
class Corpus:
    path: Text
    columns: Columns
    headings: Headings
    label: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    categories: list[Text] | None
    critical_categories: list[Text]
    validation_share: Share
    test_share: Share
    seed: NonNegative

    def __post_init__(self) -> None:
        if self.label == "mmlu":
            raise ValueError("label cannot be mmlu, the name of the other measurement; choose another")
        if not 0 < self.validation_share + self.test_share < 1:
            raise ValueError("validation_share and test_share must leave a part of the reports for training")
        if min(self.validation_share, self.test_share) == 0:
            raise ValueError("validation_share and test_share must both be above 0")
        if self.categories is not None:
            if len(set(self.categories)) != len(self.categories) or len(self.categories) < 2:
                raise ValueError("categories must be at least two different names, or null to take the file's")
            if unknown := sorted(set(self.critical_categories) - set(self.categories)):
                raise ValueError(f"critical_categories names {unknown}, which categories does not list")


@dataclass(frozen=True, config=STRICT)
class Synthesis:
    reports: Positive
    class_shares: dict[str, Share]
    hard_case_share: Share
    standard_share: Share
    typo_rate: Share
    seed: NonNegative

    def __post_init__(self) -> None:
        if list(self.class_shares) != ["I", "II", "III", "IV", "V", "VI"]:
            raise ValueError("class_shares must have exactly the keys I, II, III, IV, V, VI in this order")
        if abs(sum(self.class_shares.values()) - 1) > 1e-6:
            raise ValueError(f"class_shares must sum to 1, they sum to {sum(self.class_shares.values()):g}")


@dataclass(frozen=True, config=STRICT)
class Knowledge:
    clinical_notes: Positive
    cytology_reports: Positive
    heldout_share: Share
    questions_per_subject: Positive
    seed: NonNegative


@dataclass(frozen=True, config=STRICT)
class Tuner:
    """The trainable part; every method of one experiment trains the same."""

    kind: Literal["lora"]
    r: Positive
    alpha: Annotated[float, Field(gt=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    target_modules: Text | list[Text]


@dataclass(frozen=True, config=STRICT)
class Training:
    target: Literal["conclusion", "report"]
    schedule: Literal["linear", "cosine", "constant_with_warmup"]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    max_grad_norm: Annotated[float, Field(gt=0)]
    log_every_steps: Positive


@dataclass(frozen=True, config=STRICT)
class Method:
    """One arm of the comparison: which teacher the student is held to, and how strongly.

    loss = CE + kl_weight * divergence, in nats per supervised token. `forward_kl` is KL(teacher || student),
    `reverse_kl` is KL(student || teacher), `jensen_shannon` the mean of both models' KL to their average; each is
    taken at `temperature` and scaled by its square (Hinton et al. 2015, arXiv:1503.02531) so that the gradient's
    size does not depend on it.
    """

    teacher: Literal["none", "static", "ema"]
    kl_weight: Annotated[float, Field(ge=0)] = 0.0
    temperature: Annotated[float, Field(gt=0)] = 1.0
    divergence: Literal["forward_kl", "reverse_kl", "jensen_shannon"] = "forward_kl"
    decay: Share | None = None
    decay_warmup: bool = False

    def __post_init__(self) -> None:
        if self.teacher == "none" and self.kl_weight > 0:
            raise ValueError("kl_weight above 0 needs a teacher: set teacher to static or ema, or kl_weight to 0")
        if self.teacher == "ema" and self.decay is None:
            raise ValueError("teacher ema needs a decay between 0 and 1, for example 0.99")
        if self.teacher != "ema" and (self.decay is not None or self.decay_warmup):
            raise ValueError("decay and decay_warmup belong to teacher ema only: take them out")


@dataclass(frozen=True, config=STRICT)
class Model:
    """`source` is `pretrain` (a small model made here), a local Hugging Face folder, or a hub id."""

    source: Text
    revision: Text | None
    quantization: Literal["none", "nf4"]
    dtype: Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, config=STRICT)
class Pretraining:
    vocab_size: Positive
    hidden_size: Positive
    intermediate_size: Positive
    layers: Positive
    attention_heads: Positive
    key_value_heads: Positive
    max_position_embeddings: Positive
    sequence_length: Positive
    batch_size: Positive
    processes: Positive
    max_steps: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    seed: NonNegative

    def __post_init__(self) -> None:
        if self.batch_size % self.processes:
            raise ValueError("batch_size must be a multiple of processes, among which it is divided")


@dataclass(frozen=True, config=STRICT)
class Optimization:
    max_steps: Positive
    batch_size: Positive
    gradient_accumulation_steps: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    max_length: Positive
    gradient_checkpointing: bool
    save_every_steps: Positive | None


@dataclass(frozen=True, config=STRICT)
class TeacherCache:
    """How much disk the frozen teacher's hidden states may take; above it they are computed again at every step."""

    max_gigabytes: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=STRICT)
class Evaluation:
    backend: Literal["shared_prefix", "hf", "vllm"]
    mmlu: Text
    num_fewshot: Annotated[int, Field(ge=0, le=5)]
    mmlu_limit: Positive | None
    general_text_limit: Positive | None
    split: Literal["validation", "test"]
    category_limit: Positive | None
    likelihood_limit: Positive | None
    generation_limit: Positive | None
    max_new_tokens: Positive
    batch_size: Positive


@dataclass(frozen=True, config=STRICT)
class Compute:
    device: Literal["cpu", "cuda"]
    threads: Positive


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

T = TypeVar("T")


def section(values: Mapping[str, Any], name: str, kind: type[T], file: str = "params.yaml") -> T:
    """Read the section `name` of `values`, or a part of one (`corpus.headings`), into the dataclass `kind`.

    Raises:
        SettingsError: the section is missing, or a key in it is unknown, missing or out of range.
    """
    content: Any = values
    for part in name.split("."):
        if not isinstance(content, Mapping) or part not in content:
            raise SettingsError(f"{file} has no section `{name}`: add one with the keys {sorted(_keys(kind))}.")
        content = content[part]
    try:
        # Through JSON: in strict mode pydantic takes a mapping for a dataclass only from there.
        return TypeAdapter(kind).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise SettingsError(_sentence(error, file, name, kind)) from None


def method_names(values: Mapping[str, Any]) -> list[str]:
    """The arms to compare; each must have a section of its own name, which must not be another section's."""
    names = values.get("methods")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise SettingsError("params.yaml: `methods` must be a list of names, for example [none, static, ema].")
    if len(set(names)) != len(names):
        raise SettingsError(f"params.yaml: `methods` names a method twice: {names}; name each once.")
    for name in names:
        if name in {*SCIENCE, *SCALE, *PLAIN, "base"} or name.endswith("_teacher"):
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
            raise SettingsError(_unknown("params.yaml", name, [*SCIENCE, *methods, *PLAIN]))
        section(science, name, Method)
    scale = read_yaml(root / file)
    for name in scale:
        if name not in SCALE:
            raise SettingsError(_unknown(file, name, list(SCALE)))
    for name, kind in SCALE.items():
        if not (name == "pretraining" and scale.get(name, ...) is None):
            section(scale, name, kind, file)
    if scale["model"]["source"] == "pretrain" and scale["pretraining"] is None:
        raise SettingsError(f"{file}: `model.source` is pretrain, but `pretraining` is null: give its keys.")
    optimization = section(scale, "optimization", Optimization, file)
    check_saving(optimization, section(science, "training", Training), file)
    mmlu = scale["evaluation"]["mmlu"]
    if mmlu not in ("facts", "hub") and not (root / mmlu).is_dir():
        raise SettingsError(f"{file}: `evaluation.mmlu` is {mmlu!r}: set it to facts, hub, or an existing folder.")


def check_saving(optimization: Optimization, training: Training, file: str = "the profile") -> None:
    """Checkpoints are taken where the training curves have a point, so that none is lost with a checkpoint.

    Raises:
        SettingsError: they are not.
    """
    if (optimization.save_every_steps or 0) % training.log_every_steps:
        raise SettingsError(
            f"{file}: `optimization.save_every_steps` is {optimization.save_every_steps}: choose a multiple of "
            f"training.log_every_steps ({training.log_every_steps}), so that no point of the training curves is lost."
        )


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises SettingsError if it is not one."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path.name} must be a mapping of keys to values.")
    return values


def _keys(kind: type) -> list[str]:
    return list(getattr(kind, "__dataclass_fields__", {}))


def _unknown(file: str, key: str, known: list[str]) -> str:
    close = get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known keys are {sorted(known)}."
    return f"{file}: unknown key `{key}`; {hint}"


def _sentence(error: ValidationError, file: str, name: str, kind: type) -> str:
    first = error.errors()[0]
    # pydantic adds the chosen branch of a union ("str", "list[…]") to the place; it is no key of ours.
    parts = [str(p) for p in first["loc"] if not str(p).startswith(("list[", "constrained-", "str", "function-"))]
    key = ".".join([name, *parts])
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        owner: Any = kind
        for part in parts[:-1]:
            owner = owner.__dataclass_fields__[part].type
        return _unknown(file, key, _keys(owner))
    if first["type"] in ("missing", "missing_argument"):
        return f"{file}: the key `{key}` is missing: add it."
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if first["type"] == "value_error":
        return f"{file}: `{key}`: {message}."
    if isinstance(first["input"], str) and "number" in message:
        message += " (YAML reads 1e-4 as text: write 1.0e-4)"
    return f"{file}: `{key}` is {first['input']!r}: {message[0].lower()}{message[1:]}."
