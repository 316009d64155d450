"""All parameters of an experiment: the list of sections, and the check of everything at once.

`check_all` reads everything, but only to refuse it: nothing that it reads can change an output.
"""

import json
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from math import inf, log2
from pathlib import Path
from typing import Any

from anamnesis.settings.base_text import BaseText
from anamnesis.settings.compute import Compute
from anamnesis.settings.corpus import Corpus, Domains
from anamnesis.settings.domains import RESERVED, check_domains, check_used_domains
from anamnesis.settings.evaluation import (
    CAPABILITIES,
    EXAMS,
    GENERAL_MEASURES,
    LEAKAGE_MEASURES,
    MMLU,
    REPORT_MEASURES,
    TEXT_METRICS,
    Evaluation,
    Task,
)
from anamnesis.settings.export import Export
from anamnesis.settings.fisher import FisherText
from anamnesis.settings.knowledge import Knowledge
from anamnesis.settings.leakage import Leakage
from anamnesis.settings.methods import Method, check_shares
from anamnesis.settings.modeling import Model, Pretraining
from anamnesis.settings.monitor import Monitor
from anamnesis.settings.penalties import check_penalties
from anamnesis.settings.profiles import PARAMS, check_params, profile_file
from anamnesis.settings.rehearsal_text import RehearsalText
from anamnesis.settings.sections import SEED_MAX, SettingsError, read_yaml, section, unknown_key
from anamnesis.settings.synthesis import Synthesis
from anamnesis.settings.teacher_cache import TeacherCache
from anamnesis.settings.training import Optimization, Training, check_saving
from anamnesis.settings.tuner import Tuner, check_checkpointing
from anamnesis.settings.verdict import Verdict, adaptation_of, adaptations

SCIENCE: dict[str, type] = {
    "corpus": Corpus,
    "domains": Domains,
    "synthesis": Synthesis,
    "knowledge": Knowledge,
    "tuner": Tuner,
    "training": Training,
    "fisher": FisherText,
    "leakage": Leakage,
    "verdict": Verdict,
    "export": Export,
}
SCALE: dict[str, type] = {
    "model": Model,
    "pretraining": Pretraining,
    "optimization": Optimization,
    "teacher_cache": TeacherCache,
    "base_text": BaseText,
    "rehearsal_text": RehearsalText,
    "monitor": Monitor,
    "evaluation": Evaluation,
    "compute": Compute,
}

# Keys of params.yaml that are not sections.
PLAIN = ("profile", "launch", "methods", "seeds", "split")

# The parts of the corpus that an experiment can be measured on.
SPLITS = ("validation", "test")


def method_names(values: Mapping[str, Any]) -> list[str]:
    """The arms to compare; each has a section of the same name, which must not be another section's name."""
    names = values.get("methods")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise SettingsError("params.yaml: `methods` must be a list of names, for example [none, static, ema].")
    if len(set(names)) != len(names):
        raise SettingsError(f"params.yaml: `methods` names a method twice: {names}; name each once.")
    for name in names:
        if name in {*SCIENCE, *SCALE, *PLAIN, "base"} or RESERVED.search(name):
            raise SettingsError(f"params.yaml: `methods` cannot use the reserved name `{name}`; rename the method.")
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise SettingsError(
                f"params.yaml: `methods` names {name!r}; use lower-case letters, digits and _ only, a letter first."
            )
        if name not in values:
            raise SettingsError(
                f"params.yaml: `methods` names `{name}`, but there is no section `{name}`: "
                f"add one (for example a copy of `ema`) or remove the name from `methods`."
            )
    return names


def seed_numbers(values: Mapping[str, Any]) -> list[int]:
    """The seeds that each method is trained with."""
    seeds = values.get("seeds")
    if not isinstance(seeds, list) or not seeds or not all(type(s) is int and 0 <= s <= SEED_MAX for s in seeds):
        raise SettingsError(
            f"params.yaml: `seeds` must be a list of whole numbers from 0 to {SEED_MAX}, for example [0, 1, 2]."
        )
    if len(set(seeds)) != len(seeds):
        raise SettingsError(f"params.yaml: `seeds` names a seed twice: {seeds}; name each once.")
    return seeds


def split_name(values: Mapping[str, Any]) -> str:
    """The part of the corpus that the arms are measured on."""
    split = values.get("split")
    if split not in SPLITS:
        raise SettingsError(
            f"params.yaml: `split` is {split!r}: set it to validation, or to test for a result to publish."
        )
    return str(split)


def check_all(root: Path, profile: str | None = None) -> None:
    """Refuse whatever is wrong anywhere in params.yaml and its profile, before any long work starts.

    Raises:
        SettingsError: with the first thing that is wrong.
    """
    science = read_yaml(root / "params.yaml")
    profile = profile or science.get("profile")
    file = profile_file(root, profile, said_by="params.yaml: `profile`")
    methods = method_names(science)
    seed_numbers(science)
    split_name(science)
    _check_launch(science.get("launch"))
    for name, kind in SCIENCE.items():
        section(science, name, kind)
    corpus, domains = section(science, "corpus", Corpus), section(science, "domains", Domains)
    check_domains(domains, corpus)
    # A method that is not in `methods` today may be tomorrow: it is checked too, so that nothing is ignored.
    for name in science.keys() - SCIENCE.keys() - set(PLAIN):
        if name not in methods and not (isinstance(science[name], dict) and "teacher" in science[name]):
            raise SettingsError(unknown_key("params.yaml", str(name), [*SCIENCE, *methods, *PLAIN]))
        arm, tuner = section(science, name, Method), _tuner_of(science, name)
        check_shares(name, arm, tuner)
        check_penalties(name, arm.penalties, tuner)
        check_used_domains(name, arm.other_domains, domains)
    scale = read_yaml(root / file)
    for name in scale:
        if name not in (*SCALE, PARAMS):
            raise SettingsError(unknown_key(file, str(name), [*SCALE, PARAMS]))
    check_params(scale.get(PARAMS, {}), science, file)
    for name, kind in SCALE.items():
        if not (name == "pretraining" and scale.get(name, ...) is None):
            section(scale, name, kind, file)
    if scale["model"]["source"] == "pretrain" and scale["pretraining"] is None:
        raise SettingsError(f"{file}: `model.source` is pretrain, but `pretraining` is null: give its keys.")
    optimization = section(scale, "optimization", Optimization, file)
    for name in methods:
        check_checkpointing(name, _tuner_of(science, name), optimization)
        _check_precision(name, _tuner_of(science, name), section(scale, "model", Model, file), file)
    check_saving(optimization, section(science, "training", Training), file)
    base_text = section(scale, "base_text", BaseText, file)
    rehearsal_text = section(scale, "rehearsal_text", RehearsalText, file)
    monitor = section(scale, "monitor", Monitor, file)
    _check_sampled(base_text, rehearsal_text, monitor, section(science, "fisher", FisherText), file)
    evaluation = section(scale, "evaluation", Evaluation, file)
    for name, task in evaluation.tasks.items():
        _check_folder(name, task, root, file)
    _check_text_metrics(evaluation, file)
    check_label(corpus.label, evaluation)
    for name, domain in domains.items():
        check_label(domain.label, evaluation, f"domains.{name}.label")
    verdict = section(science, "verdict", Verdict)
    _check_verdict(verdict, science, evaluation, corpus.label)
    _check_leakage(section(science, "leakage", Leakage), corpus, verdict)
    if evaluation.backend == "vllm":
        _check_served_by_vllm(science, methods, file)
    context, layers, place = _limits(scale, root, file)
    if isinstance(context, int):
        virtual = max(_tuner_of(science, name).virtual_tokens for name in methods)
        _check_context(context, place, virtual, optimization, evaluation, base_text, rehearsal_text, monitor, file)
    if isinstance(layers, int):
        _check_layers(layers, place, science, methods)


def _limits(scale: Mapping[str, Any], root: Path, file: str) -> tuple[Any, Any, str]:
    """The base's context and number of layers as far as they are known before it is loaded, and where they are set."""
    source = scale["model"]["source"]
    if source == "pretrain":
        pretraining = section(scale, "pretraining", Pretraining, file)
        return pretraining.max_position_embeddings, pretraining.layers, "`pretraining`"
    config = _config(root / Path(source).expanduser())
    return config.get("max_position_embeddings"), config.get("num_hidden_layers"), "the config.json of `model.source`"


def _config(folder: Path) -> dict[str, Any]:
    """The config.json of a local model; empty for a hub id or a file, about which only the stage `base` can tell."""
    file = folder / "config.json"
    if not file.is_file():
        return {}
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingsError(f"{file}: it is not valid JSON; copy the model's folder again.") from error
    return config if isinstance(config, dict) else {}


def _tuner_of(science: Mapping[str, Any], name: str) -> Tuner:
    return section(science, name, Method).tuner or section(science, "tuner", Tuner)


def _check_verdict(verdict: Verdict, science: Mapping[str, Any], evaluation: Evaluation, label: str) -> None:
    """What results are judged by must be measured, and the claim must be about a method."""
    claimed = science.get(verdict.claim) if verdict.claim else {"teacher": "none"}
    if not (isinstance(claimed, dict) and "teacher" in claimed):
        raise SettingsError(
            f"params.yaml: `verdict.claim` is {verdict.claim!r}, and there is no such method: name a section that "
            f"describes one, or null."
        )
    _check_capability(verdict.capability, evaluation)
    if verdict.capability == "base_text_kl_nats" and evaluation.backend == "vllm":
        raise SettingsError(
            "params.yaml: `verdict.capability` is base_text_kl_nats, which the backend vllm does not measure: choose "
            "another capability or backend."
        )
    _check_adaptation(verdict, label)


def _check_adaptation(verdict: Verdict, label: str) -> None:
    """It must be measured of every model, and its limit must be one that can be kept."""
    wanted, known = adaptation_of(verdict.adaptation, label), adaptations(label)
    if wanted not in known:
        raise SettingsError(
            f"params.yaml: `verdict.adaptation` is {wanted!r}, which is not measured of every model: set it to null or "
            f"one of {known}."
        )
    most = inf if wanted.endswith("_bits_per_byte") else 1
    if verdict.min_adaptation is not None and verdict.min_adaptation > most:
        raise SettingsError(
            f"params.yaml: `verdict.min_adaptation` is {verdict.min_adaptation:g}, and {wanted} cannot grow by more "
            f"than 1: lower it."
        )


def _check_leakage(leakage: Leakage, corpus: Corpus, verdict: Verdict) -> None:
    """Secrets are planted into conclusions, and the limit on their exposure must be one that can be broken."""
    without = corpus.columns.conclusion is None and (corpus.columns.text is None or not corpus.sections.conclusion)
    if leakage.canaries and without:
        raise SettingsError(
            "params.yaml: `leakage.canaries` plants secrets into conclusions, and the corpus has none: name its column "
            "or heading (`corpus.columns.conclusion`, `corpus.sections.conclusion`), or set leakage.canaries to 0."
        )
    if verdict.max_exposure is None:
        return
    if not leakage.canaries:
        raise SettingsError(
            "params.yaml: `verdict.max_exposure` is a limit on the exposure of canaries, and there are none: raise "
            "`leakage.canaries`, or set it to null."
        )
    if verdict.max_exposure >= (most := log2(leakage.candidates)):
        raise SettingsError(
            f"params.yaml: `verdict.max_exposure` is {verdict.max_exposure:g}, and no exposure among "
            f"{leakage.candidates} candidates (`leakage.candidates`) is above {most:.2f} bits: lower it, or raise the "
            f"candidates."
        )


def _check_text_metrics(evaluation: Evaluation, file: str) -> None:
    for metric in evaluation.text_metrics:
        if find_spec(package := TEXT_METRICS[metric].package) is None:
            raise SettingsError(
                f"{file}: `evaluation.text_metrics` has {metric}, whose package {package} is not installed: install it "
                f"(pip install -e '.[{metric}]'), or remove the metric."
            )


def _check_capability(capability: str | None, evaluation: Evaluation) -> None:
    """Of tasks other than the exams it is known only when they are loaded what they measure."""
    measures = evaluation.measures
    if capability is None:
        if not set(CAPABILITIES) & set(measures):
            raise SettingsError(
                "params.yaml: `verdict.capability` is null, which takes mmlu_acc, exam_acc or exam_en_acc, and the "
                "profile measures none of them: name another measure, or add facts to `evaluation.tasks`."
            )
    elif capability not in measures and not capability.startswith(tuple(f"{t}_" for t in evaluation.other_tasks)):
        raise SettingsError(
            f"params.yaml: `verdict.capability` is {capability!r}, which this profile does not measure: add its task "
            f"to `evaluation.tasks` in the profile, or set it to null or one of {measures}."
        )


def _check_served_by_vllm(science: Mapping[str, Any], methods: Sequence[str], file: str) -> None:
    if find_spec("vllm") is None:
        raise SettingsError(
            f"{file}: `evaluation.backend` is vllm, which is not installed: install it, or set shared_prefix."
        )
    if not Path(shlex.split(science["launch"])[0]).name.startswith("python"):
        raise SettingsError(
            f"{file}: `evaluation.backend` is vllm, which runs in one process, and `launch` is {science['launch']!r}: "
            f"set the backend to shared_prefix, or `launch` to python."
        )
    for name in methods:
        arm = section(science, name, Method)
        if _tuner_of(science, name).kind != "lora" or arm.shares or arm.retrieval:
            raise SettingsError(
                f"{file}: `evaluation.backend` is vllm, which serves whole LoRA adapters only, and `{name}` has "
                f"another tuner, shares or retrieval: set the backend to shared_prefix, or remove `{name}` from "
                f"`methods`."
            )


def check_label(label: str, evaluation: Evaluation, key: str = "corpus.label") -> None:
    """The measures of the category begin with its label; none of them may be another measure.

    Raises:
        SettingsError: one is.
    """
    taken = {*EXAMS.values(), *GENERAL_MEASURES, *REPORT_MEASURES}
    of_a_task = any(label == task or label.startswith(f"{task}_") for task in evaluation.other_tasks)
    if {label, f"{label}_acc"} & taken or label.startswith(LEAKAGE_MEASURES) or of_a_task:
        raise SettingsError(f"params.yaml: `{key}` cannot be {label}, the name of another measurement; choose another.")


def check_synthetic(corpus: Corpus, synthesis: Synthesis, optimization: Optimization) -> None:
    """Refuse a synthetic corpus too small for its parts; of others the stage `corpus` knows the size.

    Raises:
        SettingsError: a part would be empty, or the training part smaller than a step.
    """
    smallest = min(corpus.validation_share, corpus.test_share)
    if synthesis.reports * smallest < 1:
        raise SettingsError(
            f"params.yaml: `synthesis.reports` is {synthesis.reports}: a part of {smallest:g} of them "
            f"(`corpus.validation_share`, `corpus.test_share`) would be empty; raise one of the two."
        )
    training = int(synthesis.reports * (1 - corpus.validation_share - corpus.test_share))
    step = optimization.batch_size * optimization.gradient_accumulation_steps
    if step > training:
        raise SettingsError(
            f"params.yaml: `synthesis.reports` is {synthesis.reports}, of which {training} are for training, and a "
            f"step takes {step} (`optimization.batch_size` times `gradient_accumulation_steps`): raise the one or "
            f"lower the other."
        )


def _check_sampled(
    base_text: BaseText, rehearsal_text: RehearsalText, monitor: Monitor, fisher: FisherText, file: str
) -> None:
    """What methods read, what they are watched on and what they are measured on must differ, and be enough."""
    if rehearsal_text.seed == base_text.seed:
        raise SettingsError(
            f"{file}: `rehearsal_text.seed` is {rehearsal_text.seed}, as `base_text.seed`, so that methods would read "
            f"the texts that they are measured on: choose another seed."
        )
    for name, seed, use in (
        ("base_text", base_text.seed, "that the arms are measured on"),
        ("rehearsal_text", rehearsal_text.seed, "that methods read"),
    ):
        if monitor.seed == seed:
            raise SettingsError(
                f"{file}: `monitor.seed` is that of `{name}`, so that training would be watched on the texts {use}: "
                f"choose another."
            )
    if fisher.text == "generated" and fisher.documents > rehearsal_text.texts:
        raise SettingsError(
            f"params.yaml: `fisher.documents` is {fisher.documents}, and the base writes {rehearsal_text.texts} texts: "
            f"lower it, or raise `rehearsal_text.texts` in {file}."
        )


def _check_launch(launch: object) -> None:
    try:
        words = shlex.split(launch) if isinstance(launch, str) else []
    except ValueError as error:
        raise SettingsError(f"params.yaml: `launch` is {launch!r}: {str(error).lower()}.") from None
    program = next((word for word in words if "=" not in word), None)
    if program is None:
        raise SettingsError("params.yaml: `launch` must be a command: python, or torchrun --nproc-per-node <GPUs>.")
    if shutil.which(program) is None:
        raise SettingsError(
            f"params.yaml: `launch` starts {program!r}, which is not on the path: write python, or torchrun "
            f"--nproc-per-node <GPUs>."
        )


def _check_folder(name: str, task: Task, root: Path, file: str) -> None:
    if task.folder is None:
        return
    key = f"`evaluation.tasks.{name}.folder` is {task.folder!r}"
    if not (root / task.folder).is_dir():
        raise SettingsError(f"{file}: {key}: set it to an existing folder, or to null.")
    if name in MMLU and (missing := [part for part in ("dev", "test") if not (root / task.folder / part).is_dir()]):
        raise SettingsError(f"{file}: {key}, which has no folder {missing[0]}/: add its files.")


def _check_context(
    context: int,
    place: str,
    virtual: int,
    optimization: Optimization,
    evaluation: Evaluation,
    base_text: BaseText,
    rehearsal_text: RehearsalText,
    monitor: Monitor,
    file: str,
) -> None:
    """What is trained on and what is generated must fit into the base's context, after a tuner's virtual tokens."""
    before = f" after {virtual} virtual tokens (`tokens` of a tuner)" if virtual else ""
    for key, tokens in (
        ("optimization.max_length", optimization.max_length),
        ("evaluation.max_new_tokens", evaluation.max_new_tokens + 1),
        ("base_text.max_tokens", base_text.max_tokens),
        ("rehearsal_text.max_tokens", rehearsal_text.max_tokens),
        ("monitor.max_tokens", monitor.max_tokens),
    ):
        if tokens > context - virtual:
            raise SettingsError(
                f"{file}: `{key}` does not fit into the base's context of {context} tokens (`max_position_embeddings` "
                f"in {place}){before}: lower it, or use a base with a longer context."
            )


def _check_precision(name: str, tuner: Tuner, model: Model, file: str) -> None:
    if tuner.kind == "full" and model.quantization != "none":
        raise SettingsError(
            f"{file}: `model.quantization` is {model.quantization}, and the tuner of `{name}` is of kind full, which "
            f"cannot train 4-bit weights: set it to none (for all methods), or remove `{name}` from `methods`."
        )


def _check_layers(layers: int, place: str, science: Mapping[str, Any], methods: Sequence[str]) -> None:
    for name in methods:
        if (first := _tuner_of(science, name).first_layer) >= layers:
            raise SettingsError(
                f"params.yaml: the tuner of `{name}` has first_layer {first}, but the base has {layers} layers (see "
                f"{place}), counted from 0: lower it."
            )
