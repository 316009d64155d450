"""What a stage took: recorded when DVC runs it, and added up over stages that ran at the same time."""

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from anamnesis.costs import COSTS, Cost, minutes_of, read_costs, write_cost
from anamnesis.errors import InputError
from anamnesis.machine import peak_memory, processor
from anamnesis.publishing.repository import Repository
from anamnesis.publishing.spending import costs_of_outputs
from stages._stage import stage
from tests.checkout import ROOT
from tests.project import Project

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def cost(name: str, start: float, end: float) -> Cost:
    """From `start` to `end`, in minutes after noon."""
    started = (NOON + timedelta(minutes=start)).isoformat()
    return Cost(name, started, (end - start) * 60, 0.5, None, "Some CPU")


@pytest.mark.parametrize(
    ("intervals", "minutes"),
    [
        ([], 0),
        ([(0, 2)], 2),
        ([(0, 2), (2, 3)], 3),
        ([(0, 2), (1, 3)], 3),
        ([(0, 5), (1, 2), (3, 4)], 5),
        ([(0, 5), (0, 5)], 5),
        ([(10, 11), (0, 1.5), (1, 2)], 3),
        ([(0, 1), (24 * 60, 24 * 60 + 1)], 2),
    ],
)
def test_the_minutes_are_those_during_which_a_stage_ran(intervals: list[tuple[float, float]], minutes: float) -> None:
    costs = [cost(f"stage{number}", start, end) for number, (start, end) in enumerate(intervals)]
    assert minutes_of(costs) == pytest.approx(minutes)


def test_costs_are_read_as_written_and_a_new_run_replaces_the_old(tmp_path: Path) -> None:
    first, second, other = cost("train@ema-0", 0, 1), cost("train@ema-0", 5, 7), cost("corpus", 0, 1)
    for one in (first, other, second):
        write_cost(one, tmp_path)
    assert read_costs(tmp_path) == {"train@ema-0": second, "corpus": other}
    assert read_costs(tmp_path / "absent") == {}
    (tmp_path / "corpus.json").write_text(json.dumps(asdict(other) | {"steps": 420}))
    assert read_costs(tmp_path) == {"train@ema-0": second}


def run(command: click.Command, *arguments: str) -> int:
    return CliRunner().invoke(command, arguments).exit_code


@click.command()
@click.option("--fails", is_flag=True)
@stage
def toy(fails: bool) -> bool:
    if fails:
        raise InputError("no.")
    return True


def test_a_stage_records_what_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train@ema-0")
    before = datetime.now(UTC)
    assert run(toy) == 0
    written = read_costs()["train@ema-0"]
    assert written.resumed
    assert written.start < before
    assert before - timedelta(seconds=0.01) < written.end <= datetime.now(UTC)
    assert written.processor == processor()
    assert written.peak_gpu_memory_gigabytes is None
    # pytest with torch: between 50 MB and 20 GB, so the unit is right.
    assert 0.05 < written.peak_memory_gigabytes < 20


def test_a_cost_that_cannot_be_written_does_not_lose_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "corpus")
    COSTS.parent.mkdir()
    COSTS.write_text("a file where the folder should be")
    assert run(toy) == 0
    assert "the cost of corpus stays unknown" in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is inherited")
def test_the_peak_is_of_this_process_and_not_of_the_one_that_started_it() -> None:
    """This one has torch in memory; a bare interpreter needs a tenth of it."""
    code = "import sys; sys.path.insert(0, 'src'); from anamnesis.machine import peak_memory; print(peak_memory())"
    environment = {"PATH": os.environ["PATH"]}
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert 5e6 < int(shown.stdout) < peak_memory() / 2


def test_a_stage_has_the_same_name_below_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "../dvc.yaml:train@ema-0")
    assert run(toy) == 0
    assert set(read_costs()) == {"train@ema-0"}


def test_the_memory_on_the_gpu_is_torchs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "corpus")
    cuda = SimpleNamespace(is_initialized=lambda: True, max_memory_reserved=lambda: 3_500_000_000)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert run(toy) == 0
    assert read_costs()["corpus"].peak_gpu_memory_gigabytes == 3.5


def test_nothing_is_recorded_of_a_failure_a_second_process_or_a_command_started_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    assert run(toy) == 0
    monkeypatch.setenv("DVC_STAGE", "train@ema-0")
    assert run(toy, "--fails") == 1
    monkeypatch.setenv("RANK", "1")
    assert run(toy) == 0
    assert not COSTS.exists()
    monkeypatch.setenv("RANK", "0")
    assert run(toy) == 0
    assert len(read_costs()) == 1


def test_dvc_runs_a_stage_and_its_cost_is_kept_out_of_git(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.run("dvc", "repro", "--single-item", "check", "synthesize", "corpus")
    costs = read_costs(project.folder / COSTS)
    assert set(costs) == {"check", "synthesize", "corpus"}
    assert costs["check"].end <= costs["synthesize"].start
    # With outputs in DVC's cache, and with some in Git, they belong to what is there; without outputs nobody knows.
    found, _ = costs_of_outputs(Repository(project.folder))
    assert found == {stage: costs[stage] for stage in ("synthesize", "corpus")}
    assert all(0.1 < one.seconds < 120 and not one.resumed for one in costs.values())
    write_cost(replace(costs["corpus"], resumed=True), project.folder / COSTS)
    assert set(costs_of_outputs(Repository(project.folder))[0]) == {"synthesize"}
    assert "costs" not in project.run("git", "status", "--porcelain", "--untracked-files=all")
    # Numbers and names, and no path of this machine.
    for file in (project.folder / COSTS).iterdir():
        assert not re.search(r"[/\\]", json.dumps(json.loads(file.read_text()) | {"processor": ""}))
