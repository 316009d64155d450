"""The stage `corpus` as users run it, on exports other than the synthetic one."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.exports import ROWS, SECRET, csv
from tests.project import Project

COLUMNS = {
    "corpus.columns.description": "Описание",
    "corpus.columns.conclusion": "Заключение",
    "corpus.columns.category": "Категория",
    "corpus.columns.patient": "Пациент",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"))
    path = "data/raw/наша выгрузка/отчёты 1.csv"
    (project.folder / path).parent.mkdir(parents=True)
    refused = [{**ROWS[0], "Категория": "VII"}, {**ROWS[1], "Описание": ""}]
    (project.folder / path).write_bytes(csv([*ROWS, ROWS[2], *refused], ";").encode("cp1251"))
    project.change("params.yaml", {"corpus.path": path, **COLUMNS})
    project.output = project.run("dvc", "repro", "corpus")  # type: ignore[attr-defined]
    return project


def test_every_row_of_a_hospitals_export_is_accounted_for(project: Project) -> None:
    numbers = project.json("data/prepared/account.json")
    assert numbers["rows_in"] == 63
    assert numbers["rows_in"] == sum(
        numbers[part] for part in ("train", "validation", "test", "duplicates", "quarantined")
    )
    assert numbers["duplicates"] == 1
    assert numbers["refused"] == {"category_unknown": 1, "description_missing": 1}
    rows = [json.loads(line) for line in (project.folder / "data/prepared/quarantine.jsonl").open(encoding="utf-8")]
    assert rows == [
        {"file": "отчёты 1.csv", "row": 62, "reason": "category_unknown"},
        {"file": "отчёты 1.csv", "row": 63, "reason": "description_missing"},
    ]


def test_the_data_card_says_what_became_of_it(project: Project) -> None:
    card = (project.folder / "reports/corpus.md").read_text(encoding="utf-8")
    assert "63 = " in card
    for said in (
        "| in the export | 63 |",
        "| `category_unknown` | a category outside corpus.categories | 1 |",
        "| `white_space` | white space |",
        "highest similarity",
        "macro-F1",
        "](corpus.png)",
    ):
        assert said in card
    assert (project.folder / "reports/corpus.png").read_bytes().startswith(b"\x89PNG")
    assert SECRET not in card
    assert SECRET not in project.output  # type: ignore[attr-defined]


def test_what_is_prepared_has_no_column_that_was_not_asked_for(project: Project) -> None:
    for part in ("train", "validation", "test"):
        text = (project.folder / f"data/prepared/corpus/{part}.jsonl").read_text(encoding="utf-8")
        for line in text.splitlines():
            assert set(json.loads(line)) == {"report", "patient", "description", "conclusion", "category"}


def test_too_many_refused_rows_stop_the_run_with_their_reasons(project: Project) -> None:
    project.change("params.yaml", {"corpus.max_refused_share": 0.01})
    output = project.run("dvc", "repro", "corpus", fails=True)
    project.change("params.yaml", {"corpus.max_refused_share": 0.05})
    assert "2 of 63 rows of" in output
    assert "(category_unknown: 1, description_missing: 1)" in output
    assert "Traceback" not in output


def can_mount() -> bool:
    command = ["unshare", "--mount", "--map-root-user", "true"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="no permission to mount a small file system here")
@pytest.mark.parametrize("size", ["16k", "64k"])
def test_a_full_disk_ends_in_one_sentence(project: Project, size: str) -> None:
    """On a file system too small for the staging file, and on one that holds it but not the parts."""
    prepared = project.folder / "data/prepared"
    prepared.mkdir(exist_ok=True)
    rows = [{**row, "Описание": f"{row['Описание']} {i} " + "узел " * 60} for i, row in enumerate(ROWS)]
    (project.folder / "data/raw/large.csv").write_text(csv(rows), encoding="utf-8")
    project.change("params.yaml", {"corpus.path": "data/raw/large.csv"})
    stage = f"mount -t tmpfs -o size={size} tmpfs {prepared} && {sys.executable} -m stages.corpus"
    output = project.run("unshare", "--mount", "--map-root-user", "sh", "-c", stage, fails=True)
    assert "Error: the disk is full" in output
    assert "Traceback" not in output
    assert "INFO corpus: {" not in output
