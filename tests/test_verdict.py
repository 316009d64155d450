"""`make verdict`: an arm against the limits of params.yaml."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anamnesis.analysis.summary import details
from anamnesis.files import read_json, write_json
from anamnesis.publishing.repository import Repository
from anamnesis.settings.sections import read_yaml
from commands import verdict
from tests.conftest import ROOT
from tests.results import LIMITS, experiment

EXAM = {"base": 0.95, "none": [0.60, 0.62, 0.61], "static": [0.85, 0.86, 0.84], "ema": [0.78, 0.79, 0.75]}
DOMAIN = {"base": 0.1, "none": 0.7, "static": 0.7, "ema": 0.7}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results with the limits of the repository's params.yaml, but with this experiment's verdicts."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    limits = read_yaml(ROOT / "params.yaml")["verdict"]
    write_json(tmp_path / "metrics/details.json", {"limits": limits, **details(experiment(EXAM, DOMAIN), {})})
    monkeypatch.setattr(verdict, "ROOT", tmp_path)
    monkeypatch.setattr(Repository, "stale_stages", lambda _: [])
    return tmp_path


def ask(method: str) -> Result:
    return CliRunner().invoke(verdict.main, [method])


@pytest.mark.usefixtures("checkout")
def test_the_exit_code_is_the_verdict() -> None:
    """The limit on forgetting is 0.2: none loses 0.34, static 0.1, ema about 0.17."""
    assert LIMITS.max_forgetting == 0.2
    failed, passed, open_ = ask("none"), ask("static"), ask("ema")
    assert (failed.exit_code, passed.exit_code, open_.exit_code) == (10, 0, 20)
    assert failed.output.startswith("none: FAIL\n  forgetting 0.3")
    assert passed.output.startswith("static: PASS\n")
    assert open_.output.startswith("ema: NOT ENOUGH EVIDENCE\n")
    assert passed.output.count(": kept") == 3


def test_limits_that_were_changed_since_are_not_judged_by(checkout: Path) -> None:
    path = checkout / "metrics/details.json"
    found = read_json(path)
    write_json(path, {**found, "limits": {**found["limits"], "max_forgetting": 0.9}})
    answered = ask("none")
    assert answered.exit_code == 1
    assert "dvc repro summarize" in answered.output


@pytest.mark.usefixtures("checkout")
@pytest.mark.usefixtures("checkout")
def test_an_old_result_is_not_judged_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repository, "stale_stages", lambda _: ["train@ema-0"])
    answered = ask("static")
    assert answered.exit_code == 1
    assert "(train@ema-0): run `make repro`" in answered.output


@pytest.mark.usefixtures("checkout")
def test_an_arm_that_was_not_measured_is_refused_with_the_ones_that_were() -> None:
    answered = ask("l2")
    assert answered.exit_code == 1
    assert "['ema', 'none', 'static']" in answered.output


def test_without_results_the_way_to_them_is_named(checkout: Path) -> None:
    (checkout / "metrics/details.json").unlink()
    answered = ask("none")
    assert answered.exit_code == 1
    assert "make repro" in answered.output
