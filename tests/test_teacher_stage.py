"""The stage `teacher` keeps states where that saves time, and no result depends on it."""

import re
from pathlib import Path

from anamnesis.files import read_json
from anamnesis.methods.keeping import pays, reports_read
from stages.teacher import static_runs
from tests.project import Project, stages_run

SECTIONS = {"none": {"teacher": "none"}, "static": {"teacher": "static"}, "strong": {"teacher": "static"}}


def test_states_are_kept_if_more_reports_are_read_than_there_are() -> None:
    # Profile tiny, and smollm2-135m: both with three seeds and the default corpus.
    assert reports_read(420, 6, 1, static_runs(["none", "static"], [0, 1, 2], SECTIONS)) == 7560
    assert reports_read(900, 1, 1, static_runs(["none", "static"], [0, 1, 2], SECTIONS)) == 2700
    assert pays(7560, 2797)
    assert not pays(2700, 2797)
    assert not pays(2797, 2797)
    assert static_runs(["static", "strong"], [0, 1], SECTIONS) == 4
    assert static_runs(["none"], [0], SECTIONS) == 0


def test_more_seeds_turn_the_decision_and_make_no_training_stale(first_stages: Project, tmp_path: Path) -> None:
    project = first_stages.copy(tmp_path / "project")
    said = project.run("dvc", "repro", "inputs@static")
    assert re.search(r"1 runs with a frozen teacher read 16 reports, and the corpus has 1\d\d", said)
    assert "teacher: the frozen teacher runs at every step" in said
    assert not list((project.folder / "scratch/teacher").glob("*/*"))
    live = project.run("dvc", "repro", "--single-item", "train@static-0")
    assert "the frozen teacher runs at every step" in live
    weights = (project.folder / "models/adapters/static-0/adapter_model.safetensors").read_bytes()
    curves = project.json("metrics/curves/static-0/metrics.json")

    project.change("params.yaml", {"seeds": list(range(12))})
    said = project.run("dvc", "repro", "inputs@static")
    # `check` refuses wrong seeds, and `needs` reads all of params.yaml.
    assert set(stages_run(said)) <= {"check", "needs", "teacher"}
    assert re.search(r"12 runs with a frozen teacher read 192 reports, and the corpus has 1\d\d", said)
    assert "teacher: their hidden states are" in said
    (states,) = (project.folder / "scratch/teacher").glob("*/states.bin")
    assert states.parent.name == read_json(project.folder / "data/prepared/teacher/index.json")["folder"]
    assert stages_run(project.run("dvc", "repro", "--single-item", "train@static-0")) == []
    again = project.run("dvc", "repro", "--single-item", "--force", "train@static-0")
    assert "the frozen teacher is read from its kept states" in again
    assert (project.folder / "models/adapters/static-0/adapter_model.safetensors").read_bytes() == weights
    assert project.json("metrics/curves/static-0/metrics.json") == curves

    # Another decision leaves what is kept where it is, and what is kept is not computed again.
    project.change("params.yaml", {"seeds": [0]})
    project.run("dvc", "repro", "teacher")
    assert states.is_file()
    project.change("params.yaml", {"seeds": list(range(13))})
    assert "the hidden states are there already" in project.run("dvc", "repro", "teacher")
