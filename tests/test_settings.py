"""Bad parameters stop with one sentence that names the file, the key and the mend."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from anamnesis.settings.experiment import SCALE, SCIENCE, check_all
from anamnesis.settings.methods import Method
from anamnesis.settings.sections import SettingsError, section
from tests.conftest import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    return tmp_path


def change(file: Path, key: str, value: Any) -> None:
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    *parents, last = key.split(".")
    place = values
    for parent in parents:
        place = place[parent]
    place[last] = value
    file.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")


@pytest.mark.parametrize("profile", ["tiny", "qwen2-1.5b"])
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
        ("params.yaml", "corpus.label", "mmlu", "label cannot be mmlu"),
        ("profiles/tiny.yaml", "evaluation.mmlu", "nowhere", "set it to facts, hub, or an existing folder"),
        ("profiles/tiny.yaml", "evaluation.num_fewshot", 6, "less than or equal to 5"),
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
        ("profiles/tiny.yaml", "evaluation.backend", "gguf", "'shared_prefix', 'hf' or 'vllm'"),
        ("params.yaml", "seeds", ["a"], "`seeds` must be a list of whole numbers"),
        ("params.yaml", "profile", "huge", "there is no profiles/huge.yaml; choose one of"),
        ("params.yaml", "none.kl_weight", 1.0, "needs a teacher"),
        ("params.yaml", "static.decay", 0.9, "belong to teacher ema only"),
        ("params.yaml", "ema.decay", None, "needs a decay"),
        ("params.yaml", "none.shares", [0.5, 0.5], "names a share twice"),
        ("params.yaml", "none.shares", [1.0], "less than 1"),
        ("params.yaml", "dora.shares", [0.5], "`dora.shares` cannot be had with a tuner of kind dora"),
        ("params.yaml", "slow.pace.rat", 0.1, "unknown key `slow.pace.rat`; did you mean `rate`?"),
        ("params.yaml", "slow.pace.rate", 0.0, "`slow.pace.rate` is 0.0: input should be greater than 0"),
        ("params.yaml", "dora.tuner.r", None, "kind dora needs r as well"),
        ("params.yaml", "bitfit.tuner.r", 4, "kind bitfit takes no r"),
        ("params.yaml", "dora.tuner.dropout", 0.1, "dropout must be 0.0 with kind dora"),
        ("params.yaml", "methods", ["none_share_1"], "reserved name `none_share_1`"),
        ("params.yaml", "tuner.r", 0, "`tuner.r` is 0: input should be greater than 0"),
        ("params.yaml", "tuner.alpha", "1e-4", "write 1.0e-4"),
        ("params.yaml", "training.target", "all", "'conclusion' or 'report'"),
        ("params.yaml", "corpus.test_share", 0.95, "must leave at least half of the reports for training"),
        ("params.yaml", "corpus.critical_categories", ["VII"], "which categories does not list"),
        ("params.yaml", "synthesis.class_shares.I", 0.9, "must sum to 1"),
        ("profiles/tiny.yaml", "optimization.steps", 5, "unknown key `optimization.steps`; did you mean `max_steps`?"),
        ("profiles/tiny.yaml", "optimisation", {}, "unknown key `optimisation`; did you mean `optimization`?"),
        ("profiles/tiny.yaml", "pretraining", None, "`model.source` is pretrain, but `pretraining` is null"),
    ],
)
def test_each_mistake_is_named(project: Path, file: str, key: str, value: Any, said: str) -> None:
    change(project / file, key, value)
    with pytest.raises(SettingsError) as caught:
        check_all(project)
    message = str(caught.value)
    assert said in message
    assert message.startswith(file)
    assert "\n" not in message


def test_a_missing_key_and_a_missing_section_are_named(project: Path) -> None:
    values = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    del values["tuner"]["alpha"]
    with pytest.raises(SettingsError, match=r"kind lora needs alpha as well"):
        section(values, "tuner", SCIENCE["tuner"])
    del values["tuner"]["kind"]
    with pytest.raises(SettingsError, match=r"`tuner.kind` is missing"):
        section(values, "tuner", SCIENCE["tuner"])
    with pytest.raises(SettingsError, match="no section `tunner`"):
        section(values, "tunner", SCIENCE["tuner"])


def test_broken_yaml_is_named(project: Path) -> None:
    (project / "params.yaml").write_text("profile: [tiny", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"params.yaml is not valid YAML"):
        check_all(project)


def test_profiles_have_the_same_keys() -> None:
    """`pretraining` may be switched off by null."""
    tiny, full = (
        yaml.safe_load((ROOT / f"profiles/{name}.yaml").read_text(encoding="utf-8")) for name in ("tiny", "qwen2-1.5b")
    )
    assert list(tiny) == list(full) == list(SCALE)
    for name, keys in tiny.items():
        if full[name] is not None:
            assert list(keys) == list(full[name]), name


def test_a_method_with_defaults_does_nothing() -> None:
    method = Method(teacher="none")
    assert (method.kl_weight, method.temperature, method.divergence) == (0.0, 1.0, "forward_kl")
