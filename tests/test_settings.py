"""A bad parameter stops the run with one sentence that names the file, the key and what to do."""

import re
import shutil
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import dvc.api
import pytest
from pydantic import Field
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML

from anamnesis.analysis.measures import all_measures
from anamnesis.errors import InputError
from anamnesis.knowledge.exam import all_questions
from anamnesis.knowledge.facts import load_facts
from anamnesis.settings.corpus import Corpus
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.experiment import SCALE, SCIENCE, check_all, check_label, check_synthetic
from anamnesis.settings.methods import Method
from anamnesis.settings.sections import STRICT, SettingsError, read_yaml, section
from anamnesis.settings.synthesis import Synthesis
from anamnesis.settings.training import Optimization
from stages._stage import Parameters
from stages.check import check_questions, missing_corpus
from tests.conftest import PROFILES, ROOT


def change(file: Path, key: str, value: Any) -> None:
    yaml = YAML()
    values = yaml.load(file)
    *parents, last = key.split(".")
    place = values
    for parent in parents:
        place = place[parent]
    place[last] = value
    yaml.dump(values, file)


def task(shots: int | None = 0, limit: int | None = None, folder: str | None = None) -> dict[str, Any]:
    return {"shots": shots, "limit": limit, "folder": folder}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_parameters_as_they_stand_are_good(profile: str) -> None:
    check_all(ROOT, profile)


@pytest.mark.parametrize(
    ("file", "key", "value", "said"),
    [
        ("params.yaml", "ema.decay", 1.5, "`ema.decay` is 1.5: input should be less than or equal to 1"),
        ("params.yaml", "ema.decy", 0.9, "unknown key `ema.decy`; did you mean `decay`?"),
        ("params.yaml", "emma", {"decay": 0.9}, "unknown key `emma`; did you mean `ema`?"),
        ("params.yaml", "learning_rate", 0.1, "unknown key `learning_rate`"),
        ("params.yaml", "corpus.columns.descripton", "x", "unknown key `corpus.columns.descripton`; did you mean"),
        ("params.yaml", "methods", ["none", "momentum"], "`methods` names `momentum`, but there is no section"),
        ("params.yaml", "methods", ["none", "none"], "names a method twice"),
        ("params.yaml", "methods", "ema", "`methods` must be a list"),
        ("params.yaml", "methods", ["corpus"], "reserved name `corpus`"),
        ("params.yaml", "methods", ["ema teacher"], "use lower-case letters, digits and _ only"),
        ("params.yaml", "methods", ["model"], "reserved name `model`"),
        ("params.yaml", "methods", ["none", "ema_teacher"], "reserved name `ema_teacher`"),
        ("params.yaml", "corpus.label", "mmlu", "label` cannot be mmlu"),
        ("params.yaml", "corpus.label", "exam", "label` cannot be exam"),
        ("params.yaml", "verdict.claim", "emma", "`verdict.claim` is 'emma', and there is no such method"),
        ("params.yaml", "verdict.claim", "corpus", "`verdict.claim` is 'corpus', and there is no such method"),
        ("params.yaml", "corpus.label", "exam_en", "label` cannot be exam_en"),
        ("params.yaml", "corpus.label", "rouge_l", "label` cannot be rouge_l"),
        ("params.yaml", "corpus.label", "mmlu_continuation", "label` cannot be mmlu_continuation"),
        (
            "params.yaml",
            "verdict.capability",
            "mmlu_acc",
            "'mmlu_acc', which this profile does not measure: add its task",
        ),
        (
            "params.yaml",
            "verdict.capability",
            "mmlu",
            r"set it to null or one of ['exam_acc', 'facts_text_bits_per_byte'",
        ),
        ("params.yaml", "verdict.capability", "rouge_l", "which this profile does not measure"),
        ("params.yaml", "verdict.margins.accuracy", 0.0, "`verdict.margins.accuracy` is 0.0: input should be greater"),
        ("params.yaml", "verdict.min_adaptation", "high", "`verdict.min_adaptation` is 'high'"),
        ("params.yaml", "verdict.min_adaptation", 1.5, "bethesda_macro_f1 cannot grow by more than 1"),
        (
            "params.yaml",
            "verdict.adaptation",
            "rouge_l",
            "`verdict.adaptation` is 'rouge_l', which is not measured of every model: set it to null or one of",
        ),
        ("params.yaml", "split", "train", "`split` is 'train': set it to validation, or to test"),
        ("profiles/tiny.yaml", "evaluation.split", "test", "unknown key `evaluation.split`"),
        ("profiles/tiny.yaml", "base_text.texts", 0, "`base_text.texts` is 0: input should be greater than 0"),
        (
            "profiles/tiny.yaml",
            "base_text.max_tokens",
            4096,
            "`base_text.max_tokens` does not fit into the base's context of 2048",
        ),
        ("profiles/tiny.yaml", "rehearsal_text.seed", 0, "`rehearsal_text.seed` is 0, as `base_text.seed`"),
        ("profiles/tiny.yaml", "rehearsal_text.max_tokens", 4096, "`rehearsal_text.max_tokens` does not fit into"),
        ("params.yaml", "fisher.text", "mmlu", "'general' or 'generated'"),
        (
            "params.yaml",
            "fisher",
            {"text": "generated", "documents": 513, "labels": "data", "seed": 0},
            "`fisher.documents` is 513, and the base writes 512 texts",
        ),
        ("params.yaml", "bitfit.penalties", {"ewc": {"weight": 1.0}}, "`bitfit.penalties.ewc` does not work with"),
        ("params.yaml", "none.penalties", {}, "`none.penalties`: no penalty is named"),
        ("params.yaml", "none.penalties", {"ewx": {"weight": 1.0}}, "`none.penalties.ewx`; did you mean `ewc`?"),
        ("params.yaml", "l1.penalties.l1.of", "model", "'factors' or 'update'"),
        ("params.yaml", "ewc.penalties.ewc.weight", -1.0, "`ewc.penalties.ewc.weight` is -1.0"),
        ("profiles/tiny.yaml", "evaluation.tasks.facts.shots", 1, "tasks.facts.shots must be 0"),
        ("profiles/tiny.yaml", "evaluation.tasks.facts.folder", "data", "tasks.facts.folder must be null"),
        (
            "profiles/tiny.yaml",
            "evaluation.tasks.facts.limit",
            0,
            "`evaluation.tasks.facts.limit` is 0: input should be",
        ),
        (
            "profiles/tiny.yaml",
            "evaluation.tasks.facts.limits",
            3,
            "`evaluation.tasks.facts.limits`; did you mean `limit`?",
        ),
        (
            "profiles/tiny.yaml",
            "evaluation.tasks.facts",
            {"shots": 0},
            "the key `evaluation.tasks.facts.limit` is missing",
        ),
        ("profiles/tiny.yaml", "evaluation.tasks.mmlu", task(shots=6), "tasks.mmlu.shots must be at most 5"),
        (
            "profiles/tiny.yaml",
            "evaluation.tasks.mmlu",
            task(folder="nowhere"),
            "set it to an existing folder, or to null",
        ),
        ("profiles/tiny.yaml", "evaluation.tasks.mmlu", task(folder="profiles"), "has no folder dev/"),
        ("profiles/tiny.yaml", "evaluation.tasks.piqa", task(folder="nowhere"), "`evaluation.tasks.piqa.folder` is"),
        ("profiles/tiny.yaml", "evaluation.tasks.a/b", task(), "`evaluation.tasks"),
        pytest.param(
            "profiles/tiny.yaml",
            "evaluation.backend",
            "vllm",
            "`evaluation.backend` is vllm, which is not installed",
            marks=pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed"),
        ),
        ("profiles/tiny.yaml", "evaluation.max_new_tokens", 2048, "does not fit into the base's context of 2048"),
        ("profiles/tiny.yaml", "optimization.max_length", 4096, "`optimization.max_length` does not fit into the base"),
        ("profiles/tiny.yaml", "pretraining.attention_heads", 5, "hidden_size must be a multiple of attention_heads"),
        ("profiles/tiny.yaml", "pretraining.attention_heads", 64, "hidden_size / attention_heads must be even"),
        ("profiles/tiny.yaml", "pretraining.key_value_heads", 3, "must be a multiple of key_value_heads"),
        ("profiles/tiny.yaml", "pretraining.key_value_heads", 8, "must be a multiple of key_value_heads"),
        ("profiles/tiny.yaml", "pretraining.sequence_length", 4096, "must be at most max_position_embeddings"),
        ("profiles/tiny.yaml", "pretraining.sequence_length", 1, "greater than or equal to 2"),
        ("profiles/tiny.yaml", "pretraining.vocab_size", 256, "greater than or equal to 257"),
        ("profiles/tiny.yaml", "pretraining.processes", 3, "batch_size must be a multiple of processes"),
        ("profiles/tiny.yaml", "compute.threads", 10**6, "less than or equal to 1024"),
        (
            "params.yaml",
            "knowledge.heldout_share",
            0,
            "`knowledge.heldout_share` is 0: input should be greater",
        ),
        ("params.yaml", "knowledge.heldout_share", 1, "`knowledge.heldout_share` is 1: input should be less than 1"),
        ("params.yaml", "knowledge.clinical_notes", 10**9, "less than or equal to 1000000"),
        ("params.yaml", "synthesis.reports", 3, "`synthesis.reports` is 3: input should be greater than or equal to 6"),
        ("params.yaml", "seeds", [2**32], "whole numbers from 0 to 4294967295"),
        ("params.yaml", "launch", "toruchrun --nproc-per-node 2", "starts 'toruchrun', which is not on the path"),
        ("params.yaml", "launch", "A=1 'python", "`launch` is"),
        ("params.yaml", "launch", "A=1", "`launch` must be a command"),
        ("profiles/tiny.yaml", "compute.device", "gpu", "'cpu' or 'cuda'"),
        ("params.yaml", "seeds", [0, 0], "names a seed twice"),
        ("params.yaml", "launch", None, "`launch` must be a command"),
        ("params.yaml", "static.divergence", "kl", "'forward_kl', 'reverse_kl' or 'jensen_shannon'"),
        (
            "profiles/tiny.yaml",
            "optimization.save_every_steps",
            30,
            "choose a multiple of training.log_every_steps (20)",
        ),
        ("profiles/tiny.yaml", "evaluation.text_metrics", ["rouge"], "'meteor', 'bertscore' or 'bleurt'"),
        ("profiles/tiny.yaml", "evaluation.backend", "gguf", "'shared_prefix', 'hf' or 'vllm'"),
        ("params.yaml", "seeds", ["a"], "`seeds` must be a list of whole numbers"),
        ("params.yaml", "profile", "huge", "there is no profiles/huge.yaml; choose one of"),
        ("params.yaml", "none.kl_weight", 1.0, "needs a teacher"),
        ("params.yaml", "static.decay", 0.9, "belong to teacher ema only"),
        ("params.yaml", "ema.decay", None, "needs a decay"),
        ("params.yaml", "anchored.mix", None, "needs a mix"),
        ("params.yaml", "anchored.mix", 1.5, "`anchored.mix` is 1.5: input should be less than or equal to 1"),
        ("params.yaml", "static.mix", 0.5, "no other takes it"),
        ("params.yaml", "dora.teacher", "anchored", "needs a mix"),
        (
            "params.yaml",
            "stm.tokens.max_perplexity",
            0.0,
            "`stm.tokens.max_perplexity` is 0.0: input should be greater",
        ),
        ("params.yaml", "stm.tokens.max_perplexity", None, "set exactly one of max_perplexity, keep_share and weights"),
        ("params.yaml", "stm.tokens.weights", "flow", "set exactly one of max_perplexity, keep_share and weights"),
        ("params.yaml", "stm_kept.tokens.keep_share", 0.0, "`stm_kept.tokens.keep_share` is 0.0: input should be"),
        (
            "params.yaml",
            "budgeted.budget.every_steps",
            0,
            "`budgeted.budget.every_steps` is 0: input should be greater",
        ),
        ("params.yaml", "budgeted.budget.nats", -0.1, "`budgeted.budget.nats` is -0.1: input should be greater"),
        ("params.yaml", "budgeted.budget.choose", "first", "'best' or 'last'"),
        ("profiles/tiny.yaml", "monitor.seed", 0, "`monitor.seed` is that of `base_text`"),
        ("profiles/tiny.yaml", "monitor.seed", 1, "`monitor.seed` is that of `rehearsal_text`"),
        ("profiles/tiny.yaml", "monitor.max_tokens", 4096, "`monitor.max_tokens` does not fit into the base's context"),
        ("params.yaml", "flow.tokens.weights", "flaw", "`flow.tokens.weights` is 'flaw': input should be 'flow'"),
        (
            "params.yaml",
            "anchored.tuner",
            {"kind": "dora", "r": 2, "alpha": 2.0, "dropout": 0.0, "target_modules": "all-linear"},
            "`anchored.teacher` is anchored",
        ),
        ("params.yaml", "anchored.tuner", {"kind": "prefix", "tokens": 4}, "`anchored.teacher` is anchored"),
        ("params.yaml", "none.shares", [0.5, 0.5], "names a share twice"),
        ("params.yaml", "none.shares", [1.0], "less than 1"),
        ("params.yaml", "none.shares", [0.5, 0.5000001], "names a share twice"),
        ("params.yaml", "dora.shares", [0.5], "`dora.shares` do not work with a tuner of kind dora"),
        ("params.yaml", "slow.pace.rat", 0.1, "unknown key `slow.pace.rat`; did you mean `rate`?"),
        ("params.yaml", "slow.pace.rate", 0.0, "`slow.pace.rate` is 0.0: input should be greater than 0"),
        ("params.yaml", "tuner.first_layer", 2, "the tuner of `none` has first_layer 2, but the base has 2 layers"),
        ("params.yaml", "dora.tuner.r", None, "kind dora needs r as well"),
        ("params.yaml", "bitfit.tuner.r", 4, "kind bitfit takes no r"),
        ("params.yaml", "adapters.tuner.tokens", 4, "kind bottleneck takes no tokens"),
        ("params.yaml", "adapters.tuner.size", 0, "`adapters.tuner.size` is 0: input should be greater than 0"),
        ("params.yaml", "prefix.tuner.size", 4, "kind prefix takes no size"),
        ("params.yaml", "prompt.tuner.tokens", None, "kind prompt needs tokens as well"),
        ("params.yaml", "prompt.tuner.first_layer", 1, "first_layer must be 0 with kind prompt"),
        ("params.yaml", "full.tuner.r", 4, "kind full takes no r"),
        ("params.yaml", "prefix.shares", [0.5], "`prefix.shares` do not work with a tuner of kind prefix"),
        ("params.yaml", "prompt.shares", [0.5], "`prompt.shares` do not work with a tuner of kind prompt"),
        ("params.yaml", "tuner.kind", "ia3", "'bottleneck', 'bitfit', 'prefix', 'prompt' or 'full'"),
        ("params.yaml", "dora.tuner.dropout", 0.1, "dropout must be 0.0 with kind dora"),
        ("params.yaml", "methods", ["none_share_1"], "reserved name `none_share_1`"),
        ("params.yaml", "methods", ["none_after_x"], "reserved name `none_after_x`"),
        ("params.yaml", "methods", ["domains"], "reserved name `domains`"),
        (
            "params.yaml",
            "none.domains",
            ["corpus", "ct"],
            "`none.domains` names 'ct', which the section `domains` does",
        ),
        ("params.yaml", "domains.symptoms.label", "exam", "`domains.symptoms.label` cannot be exam"),
        ("params.yaml", "domains.symptoms.path", "data/raw/x.csv", "put the file or folder into data/domains"),
        ("params.yaml", "methods", ["none", "rag_vote"], "reserved name `rag_vote`"),
        ("params.yaml", "rag.retrieval", None, "`rag`: train is false without retrieval, which is the base"),
        ("params.yaml", "rag.retrieval.reports", 0, "`rag.retrieval.reports` is 0: input should be greater than 0"),
        ("params.yaml", "rag.teacher", "static", "train is false, so teacher would do nothing"),
        ("params.yaml", "rag.tuner", {"kind": "bitfit"}, "train is false, so tuner would do nothing"),
        ("params.yaml", "rag.pace", {"rate": 0.5}, "train is false, so pace would do nothing"),
        ("params.yaml", "rag.budget", {"every_steps": 2, "nats": 1.0}, "train is false, so budget would do nothing"),
        ("params.yaml", "rag.tokens", {"keep_share": 0.5}, "train is false, so tokens would do nothing"),
        ("params.yaml", "rag.penalties", {"l2_sp": {"weight": 1.0}}, "train is false, so penalties would do nothing"),
        ("params.yaml", "rag.replay", {"source": "general", "share": 0.1}, "so replay would do nothing"),
        ("params.yaml", "rag.shares", [0.5], "train is false, so shares would do nothing"),
        ("params.yaml", "none.train", False, "train is false without retrieval"),
        ("params.yaml", "tuner.r", 0, "`tuner.r` is 0: input should be greater than 0"),
        ("params.yaml", "tuner.alpha", "0.1", "`tuner.alpha` is '0.1': input should be a valid number (a number is"),
        ("params.yaml", "tuner.alpha", float("inf"), "`tuner.alpha` is inf: input should be a finite number"),
        ("params.yaml", "ema.kl_weight", float("nan"), "`ema.kl_weight` is nan: input should be a finite number"),
        ("params.yaml", "ema.kl_weight", 1e39, "`ema.kl_weight` is 1e+39: input should be less than or equal to"),
        ("params.yaml", "synthesis.class_shares.I", float("nan"), "`synthesis.class_shares.I` is nan"),
        ("profiles/tiny.yaml", "teacher_cache.max_gigabytes", float("inf"), "is inf: input should be a finite number"),
        ("profiles/tiny.yaml", "optimization.learning_rate", float("inf"), "is inf: input should be a finite number"),
        ("params.yaml", "static.temperature", 1e-20, "`static.temperature` is 1e-20: input should be greater than or"),
        ("params.yaml", "static.temperature", 1e20, "`static.temperature` is 1e+20: input should be less than or"),
        ("params.yaml", "corpus.seed", 2**32, "`corpus.seed` is 4294967296: input should be less than or equal to"),
        ("params.yaml", "synthesis.reports", 10**30, "`synthesis.reports` is 1000000000000000000000000000000"),
        (
            "params.yaml",
            "tuner.target_modules",
            3,
            "is 3: input should be a valid string or a list",
        ),
        (
            "params.yaml",
            "tuner.target_modules",
            ["q_proj", 3],
            "`tuner.target_modules.1` is 3: input should be",
        ),
        ("params.yaml", "tuner.target_modules", "", "`tuner.target_modules` is '': string should have at least 1"),
        ("params.yaml", "training.target", "all", "'conclusion' or 'report'"),
        ("params.yaml", "corpus.test_share", 0.95, "must leave at least half of the reports for training"),
        ("params.yaml", "corpus.critical_categories", ["VII"], "which categories does not list"),
        ("params.yaml", "synthesis.class_shares.I", 0.9, "must sum to 1"),
        ("profiles/tiny.yaml", "optimization.steps", 5, "unknown key `optimization.steps`; did you mean `max_steps`?"),
        ("profiles/tiny.yaml", "optimisation", {}, "unknown key `optimisation`; did you mean `optimization`?"),
    ],
)
def test_each_mistake_is_named(settings_only: Path, file: str, key: str, value: Any, said: str) -> None:
    change(settings_only / file, key, value)
    with pytest.raises(SettingsError) as caught:
        check_all(settings_only)
    message = str(caught.value)
    assert said in message
    assert message.startswith(file)
    assert "\n" not in message


def test_shares_are_had_with_every_tuner_that_has_an_update(settings_only: Path) -> None:
    for name in ("adapters", "full", "bitfit", "mlp_only"):
        change(settings_only / "params.yaml", f"{name}.shares", [0.5])
    check_all(settings_only)


def test_every_trained_method_can_have_a_retrieval(settings_only: Path) -> None:
    for name in ("none", "static", "ema", "prefix", "full", "combined"):
        change(settings_only / "params.yaml", f"{name}.retrieval", {"reports": 2})
    change(settings_only / "params.yaml", "methods", ["none", "ema", "rag", "combined"])
    check_all(settings_only)


def test_full_fine_tuning_needs_a_base_that_is_not_packed(settings_only: Path) -> None:
    change(settings_only / "params.yaml", "methods", ["none", "full"])
    with pytest.raises(SettingsError, match=r"`model.quantization` is nf4, and the tuner of `full` is of kind full"):
        check_all(settings_only)
    change(settings_only / "profiles/tiny.yaml", "model.quantization", "none")
    check_all(settings_only)


def test_a_prefix_cannot_be_trained_with_checkpointing(settings_only: Path) -> None:
    change(settings_only / "profiles/tiny.yaml", "optimization.gradient_checkpointing", True)
    change(settings_only / "params.yaml", "methods", ["none", "prompt", "adapters"])
    check_all(settings_only)
    change(settings_only / "params.yaml", "methods", ["none", "prefix"])
    with pytest.raises(SettingsError, match=r"`prefix` is of kind prefix, which .*`optimization.gradient_checkpointi"):
        check_all(settings_only)


@pytest.mark.parametrize("name", ["prefix", "prompt"])
def test_texts_are_shorter_by_the_virtual_tokens(settings_only: Path, name: str) -> None:
    change(settings_only / "params.yaml", "methods", ["none", name])
    for key, longest in (("optimization.max_length", 2028), ("evaluation.max_new_tokens", 2027)):
        change(settings_only / "profiles/tiny.yaml", key, longest)
        check_all(settings_only)
        change(settings_only / "profiles/tiny.yaml", key, longest + 1)
        with pytest.raises(SettingsError, match=rf"`{key}` does not fit .* after 20 virtual tokens"):
            check_all(settings_only)
        change(settings_only / "profiles/tiny.yaml", key, 64)


def test_pretraining_is_null_only_with_another_source(settings_only: Path) -> None:
    change(settings_only / "profiles/tiny.yaml", "pretraining", None)
    check_all(settings_only)
    change(settings_only / "profiles/tiny.yaml", "model.source", "pretrain")
    with pytest.raises(SettingsError, match=r"`model.source` is pretrain, but `pretraining` is null"):
        check_all(settings_only)


@pytest.mark.parametrize(
    ("source", "place"), [("pretrain", "`pretraining`"), ("data/base", "the config.json of `model.source`")]
)
@pytest.mark.parametrize(
    ("file", "key", "value", "said"),
    [
        ("profiles/tiny.yaml", "optimization.max_length", 2049, "of 2048 tokens (`max_position_embeddings` in "),
        ("profiles/tiny.yaml", "evaluation.max_new_tokens", 2048, "of 2048 tokens (`max_position_embeddings` in "),
        ("params.yaml", "tuner.first_layer", 2, "first_layer 2, but the base has 2 layers (see "),
    ],
)
def test_the_limits_of_a_base_hold_wherever_it_comes_from(
    settings_only: Path, source: str, place: str, file: str, key: str, value: int, said: str
) -> None:
    change(settings_only / "profiles/tiny.yaml", "model.source", source)
    check_all(settings_only)
    change(settings_only / file, key, value)
    with pytest.raises(SettingsError) as caught:
        check_all(settings_only)
    assert said + place in str(caught.value)


def test_a_base_of_which_nothing_is_known_yet_has_no_limits(settings_only: Path) -> None:
    """A hub id, a file, or a folder without these keys: the stage `base` looks at the model itself."""
    change(settings_only / "profiles/tiny.yaml", "optimization.max_length", 100_000)
    change(settings_only / "profiles/tiny.yaml", "model.source", "owner/model")
    check_all(settings_only)
    change(settings_only / "profiles/tiny.yaml", "model.source", "data/base")
    (settings_only / "data/base/config.json").write_text('{"text_config": {}}', encoding="utf-8")
    check_all(settings_only)
    (settings_only / "data/base/config.json").write_text("{", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"config.json: it is not valid JSON"):
        check_all(settings_only)


def test_a_missing_key_and_a_missing_section_are_named(settings_only: Path) -> None:
    values = read_yaml(settings_only / "params.yaml")
    del values["tuner"]["alpha"]
    with pytest.raises(SettingsError, match=r"kind lora needs alpha as well"):
        section(values, "tuner", SCIENCE["tuner"])
    del values["tuner"]["kind"]
    with pytest.raises(SettingsError, match=r"`tuner.kind` is missing"):
        section(values, "tuner", SCIENCE["tuner"])
    with pytest.raises(SettingsError, match="no section `tunner`"):
        section(values, "tunner", SCIENCE["tuner"])


def test_broken_yaml_is_named(settings_only: Path) -> None:
    (settings_only / "params.yaml").write_text("profile: [tiny", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"params.yaml is not valid YAML"):
        check_all(settings_only)


@pytest.mark.parametrize(
    ("tasks", "capability"),
    [
        (["facts_en"], None),
        (["facts_ru", "mmlu"], None),
        (["facts_ru"], "exam_ru_acc"),
        ([], "template_leak"),
        (["hellaswag", "facts"], "hellaswag_acc_norm"),
    ],
)
def test_any_measure_of_the_profile_can_be_the_capability(
    settings_only: Path, tasks: list[str], capability: str | None
) -> None:
    change(settings_only / "profiles/tiny.yaml", "evaluation.tasks", {name: task() for name in tasks})
    change(settings_only / "params.yaml", "verdict.capability", capability)
    check_all(settings_only)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([], "`verdict.capability` is null, which takes mmlu_acc, exam_acc or exam_en_acc"),
        (["mmlu_continuation"], "`verdict.capability` is null"),
        (["facts", "bethesda"], "`corpus.label` cannot be bethesda"),
    ],
)
def test_tasks_that_the_science_does_not_fit_are_refused(settings_only: Path, tasks: list[str], said: str) -> None:
    change(settings_only / "profiles/tiny.yaml", "evaluation.tasks", {name: task() for name in tasks})
    with pytest.raises(SettingsError, match=f"params.yaml: {said}"):
        check_all(settings_only)


def test_a_label_may_not_be_a_measure() -> None:
    """Whatever is measured besides the category has a key that no label can give."""
    evaluation = section(read_yaml(ROOT / "profiles/tiny.yaml"), "evaluation", Evaluation)
    fixed = [measure.key for measure in all_measures("LABEL", ["V"]) if "LABEL" not in measure.key]
    assert len(fixed) > 10
    for key in fixed:
        with pytest.raises(SettingsError, match="cannot be"):
            check_label(key.removesuffix("_acc"), evaluation)


def test_profiles_have_the_same_keys() -> None:
    """`pretraining` may be switched off with null."""
    tiny = read_yaml(ROOT / "profiles/tiny.yaml")
    for profile in PROFILES:
        full = read_yaml(ROOT / f"profiles/{profile}.yaml")
        assert list(full) == [*SCALE, "params"], profile
        for name, keys in tiny.items():
            if full[name] is not None:
                assert list(keys) == list(full[name]), f"{profile}: {name}"


def test_a_method_with_defaults_does_nothing() -> None:
    method = Method(teacher="none")
    assert (method.kl_weight, method.temperature, method.divergence) == (0.0, 1.0, "forward_kl")


@pytest.mark.parametrize(
    ("reports", "batch_size", "said"),
    [
        (9, 1, "`synthesis.reports` is 9: a part of 0.1 of them"),
        (100, 71, "`synthesis.reports` is 100, of which 70 are for training, and a step takes 71"),
        (100, 70, None),
    ],
)
def test_a_synthetic_corpus_must_hold_its_parts_and_a_step(reports: int, batch_size: int, said: str | None) -> None:
    science, scale = read_yaml(ROOT / "params.yaml"), read_yaml(ROOT / "profiles/tiny.yaml")
    corpus, synthesis = section(science, "corpus", Corpus), section(science, "synthesis", Synthesis)
    optimization = section(scale, "optimization", Optimization)
    small = replace(synthesis, reports=reports), replace(optimization, batch_size=batch_size)
    if said is None:
        check_synthetic(corpus, *small)
    else:
        with pytest.raises(SettingsError, match=said):
            check_synthetic(corpus, *small)


def test_check_counts_the_questions_that_the_facts_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    fewest = min(Counter(f.subject_area for f in load_facts(ROOT / "data/facts") for _ in f.taught).values())
    check_questions(fewest)
    all_questions(load_facts(ROOT / "data/facts"), fewest, seed=0)
    with pytest.raises(InputError, match=f"is {fewest + 1}, and the facts of data/facts give {fewest} on"):
        check_questions(fewest + 1)


def test_a_temporary_copy_without_the_corpus_says_so() -> None:
    said = missing_corpus("data/raw/export.csv", Path("/home/a/anamnesis/.dvc/tmp/exps/tmp1234"))
    assert "data/raw/export.csv is not in the temporary copy that `dvc exp run --temp` and `--queue` work in" in said
    assert "set corpus.path to an absolute path" in said
    assert "put the corpus there" in missing_corpus("data/raw/export.csv", Path("/home/a/anamnesis"))


# ---- Sections within sections ------------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Spice:
    grams: Annotated[float, Field(gt=0)]
    kind: Literal["salt", "pepper"] = "salt"


@dataclass(frozen=True, config=STRICT)
class Broth:
    kind: Literal["broth"]
    litres: float


@dataclass(frozen=True, config=STRICT)
class Soup:
    spice: Spice | None = None
    spices: list[Spice] | None = None
    by_name: dict[str, Spice] | None = None
    either: list[Spice] | str = "none"
    base: Annotated[Broth | Spice, Field(discriminator="kind")] | None = None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"spice": {"grams": 1, "kinds": "salt"}}, "unknown key `soup.spice.kinds`; did you mean `kind`?"),
        ({"spice": {"grams": 1, "x": 1}}, "unknown key `soup.spice.x`; known keys are ['grams', 'kind']."),
        ({"spice": {}}, "the key `soup.spice.grams` is missing: add it."),
        ({"spice": {"grams": 0}}, "`soup.spice.grams` is 0: input should be greater than 0."),
        ({"spice": 3}, "`soup.spice` is 3: input should be a mapping of keys to values."),
        ({"spices": [{"grams": 1}, {"gram": 1}]}, "unknown key `soup.spices.1.gram`; did you mean `grams`?"),
        ({"spices": [{"grams": float("nan")}]}, "`soup.spices.0.grams` is nan: input should be a finite number."),
        ({"by_name": {"red": {"gram": 1}}}, "unknown key `soup.by_name.red.gram`; did you mean `grams`?"),
        ({"either": [{"gram": 1}]}, "unknown key `soup.either.0.gram`; did you mean `grams`?"),
        ({"either": 3}, "`soup.either` is 3: input should be a list or a valid string."),
        ({"base": {"kind": "broth", "litre": 1.0}}, "unknown key `soup.base.litre`; did you mean `litres`?"),
        ({"base": {"kind": "salt", "gram": 1.0}}, "unknown key `soup.base.gram`; did you mean `grams`?"),
        ({"base": {"kind": "water"}}, "does not match any of the expected tags: 'broth', 'salt', 'pepper'."),
    ],
)
def test_a_mistake_in_an_optional_or_united_section_is_named(content: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        section({"soup": content}, "soup", Soup)
    assert said in str(caught.value)


def test_an_optional_section_is_read_or_absent() -> None:
    assert section({"soup": {"spice": {"grams": 2}}}, "soup", Soup).spice == Spice(grams=2.0)
    assert section({"soup": {"spice": None}}, "soup", Soup).spice is None
    assert section({"soup": {}}, "soup", Soup) == Soup()


# ---- YAML 1.1 and 1.2 --------------------------------------------------------------------------------------------


def test_every_reader_of_the_settings_sees_the_same_values(
    settings_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What YAML 1.1 reads as booleans, times or text is text or a number in YAML 1.2, for our code and for DVC."""
    shutil.copy(ROOT / "dvc.yaml", settings_only)
    (settings_only / ".dvc").mkdir()
    (settings_only / ".dvc" / "config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    text = (settings_only / "params.yaml").read_text(encoding="utf-8")
    words = ["yes", "no", "on", "off", "Yes", "y", "n", "1:30"]
    listed = "".join(f"  - {word}\n" for word in words)
    text = re.sub(r"  categories:\n(  - \w+\n)+", f"  categories:\n{listed}", text)
    text = re.sub(r"  critical_categories:\n(  - \w+\n)+", "  critical_categories: [no]\n", text)
    text = text.replace("max_characters: 20000", "max_characters: 0o17").replace("test_share: 0.2", "test_share: 2e-1")
    (settings_only / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr("stages._stage.ROOT", settings_only)
    monkeypatch.chdir(settings_only)

    ours = section(read_yaml(settings_only / "params.yaml"), "corpus", Corpus)
    assert Parameters("corpus").section("corpus", Corpus) == ours
    assert section(dvc.api.params_show(stages="corpus"), "corpus", Corpus) == ours
    assert ours.categories == words
    assert ours.critical_categories == ["no"]
    assert ours.max_characters == 15
    assert ours.test_share == 0.2
    check_all(settings_only)
