"""What `make repro PROFILE=x` writes into params.yaml."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from anamnesis.settings.experiment import check_all
from anamnesis.settings.profiles import profile_params
from anamnesis.settings.reading import read_experiment
from anamnesis.settings.sections import SettingsError, read_yaml
from anamnesis.settings.writing import use_profile
from tests.checkout import edit_text
from tests.conftest import PROFILES, ROOT


def value(values: object, key: str) -> object:
    for part in key.split("."):
        assert isinstance(values, dict)
        values = values[part]
    return values


def test_all_profiles_set_the_same_keys() -> None:
    assert {"tiny", "smollm2-135m", "qwen2-1.5b"} <= set(PROFILES)
    keys = {tuple(profile_params(ROOT, profile)) for profile in PROFILES}
    assert len(keys) == 1


def test_params_yaml_holds_the_values_of_tiny() -> None:
    science = read_yaml(ROOT / "params.yaml")
    assert science["profile"] == "tiny"
    for key, wanted in profile_params(ROOT, "tiny").items():
        assert value(science, key) == wanted, key


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_used_and_tiny_restores_the_file_byte_for_byte(settings_only: Path, profile: str) -> None:
    file = settings_only / "params.yaml"
    before = file.read_bytes()
    changes = use_profile(settings_only, profile)
    check_all(settings_only)
    science = read_yaml(file)
    for key, wanted in {"profile": profile, **profile_params(settings_only, profile)}.items():
        assert value(science, key) == wanted, key
    assert sum(a != b for a, b in zip(before.splitlines(), file.read_bytes().splitlines(), strict=True)) == len(changes)
    assert use_profile(settings_only, profile) == []
    use_profile(settings_only, "tiny")
    assert file.read_bytes() == before


def test_lists_of_another_length_keep_their_style_and_the_comments_around_them(settings_only: Path) -> None:
    file, profile = settings_only / "params.yaml", settings_only / "profiles/smollm2-135m.yaml"
    before = file.read_bytes()
    edit_text(profile, "  - 2\n", "  - 2\n  - 3\n  - 4\n")
    changes = use_profile(settings_only, "smollm2-135m")
    assert "seeds: [0, 1, 2] -> [0, 1, 2, 3, 4]" in map(str, changes)
    assert "seeds:\n- 0\n- 1\n- 2\n- 3\n- 4\n\n# The part of the corpus" in file.read_text()
    use_profile(settings_only, "tiny")
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ema.decay:", "ema.decy:", r"unknown key `params.ema.decy`; did you mean `decay`\?"),
        ("ema.decay:", "ema:", "`params.ema` is a whole section of params.yaml: name a key in it"),
        ("ema.decay:", "profile:", "`params` must be a mapping of keys of params.yaml, other than profile"),
    ],
)
def test_a_wrong_key_is_refused_by_check_as_well(settings_only: Path, old: str, new: str, said: str) -> None:
    edit_text(settings_only / "profiles/tiny.yaml", f"  {old} 0.98", f"  {new} 0.98")
    for refused in (lambda: use_profile(settings_only, "tiny"), lambda: check_all(settings_only)):
        with pytest.raises(SettingsError, match=said):
            refused()


def test_an_unknown_profile_is_named(settings_only: Path) -> None:
    with pytest.raises(SettingsError, match=r"PROFILE is 'huge', but there is no profiles/huge.yaml; choose one of \["):
        use_profile(settings_only, "huge")


def test_the_current_profile_is_read_with_its_params_as_make_repro_applies_them(settings_only: Path) -> None:
    file = settings_only / "params.yaml"
    file.write_text(re.sub(r"(?m)^seeds:\n(- \d\n)+", "seeds:\n- 7\n", file.read_text()))
    assert read_experiment(settings_only).seeds == [7]
    assert read_experiment(settings_only, "tiny").seeds == [0, 1, 2]
    use_profile(settings_only, "tiny")
    assert read_experiment(settings_only) == read_experiment(settings_only, "tiny")


def test_params_yaml_without_a_profile_is_refused(settings_only: Path) -> None:
    edit_text(settings_only / "params.yaml", "\nprofile: tiny\n", "\n")
    with pytest.raises(SettingsError, match=r"params.yaml: `profile` is None, but there is no profiles/None.yaml"):
        read_experiment(settings_only)
    with pytest.raises(SettingsError, match=r"params.yaml has no key `profile`: add the line `profile: tiny`"):
        use_profile(settings_only, "tiny")


def test_trainings_with_a_frozen_teacher_are_counted_over_methods_and_seeds(settings_only: Path) -> None:
    experiment = read_experiment(settings_only)
    assert experiment.static_runs == 3
    assert replace(experiment, methods={"none": experiment.methods["none"]}).static_runs == 0
