"""A chain through the real commands, at the smallest size."""

import pandas as pd
import pytest

from tests.complaints import CODES, complaint, write_complaints
from tests.project import Project


@pytest.fixture(scope="module")
def project(first_stages: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One chain beside plain fine-tuning, run once on made-up complaints."""
    project = first_stages.copy(tmp_path_factory.mktemp("chain") / "project")
    write_complaints(project.folder)
    project.change("params.yaml", {"methods": ["none", "chain"], "fisher.documents": 6})
    project.output = project.run("dvc", "repro")  # type: ignore[attr-defined]
    return project


def test_a_chain_is_measured_in_each_domain_after_each(project: Project) -> None:
    measured = project.json("metrics/domain/chain-0.json")
    assert list(measured) == ["chain", "chain_teacher", "chain_after_symptoms"]
    for arm in measured.values():
        assert arm.keys() >= {"bethesda_acc", "bethesda_macro_f1", "symptom_code_acc", "symptom_code_macro_f1"}
        assert "report_bits_per_byte" in arm
    assert "symptom_code_acc" in project.json("metrics/domain/base.json")["base"]
    assert "symptom_code_acc" not in project.json("metrics/domain/none-0.json")["none"]
    assert list(project.json("metrics/general/chain-0.json")) == list(measured)
    scores = pd.read_csv(project.folder / "data/scores/domain/chain-0.csv", keep_default_na=False)
    codes = scores[scores["measure"] == "symptom_code"]
    assert set(codes["gold"]) <= set(CODES)
    assert codes.groupby("arm")["value"].mean().to_dict() == pytest.approx(
        {name: arm["symptom_code_acc"] for name, arm in measured.items()}
    )


def test_the_report_has_the_matrix(project: Project) -> None:
    kept = project.json("metrics/details.json")["chains"]["chain"]
    assert [[one["cases"] > 1 for one in row] for row in kept["accuracy"]] == [[True, True], [True, True]]
    first, last = kept["accuracy"]
    expected = last[0]["estimate"] - first[0]["estimate"]
    assert kept["backward_transfer"]["estimate"] == pytest.approx(expected)
    for page in ("report.md", "report.html"):
        assert "Domains in sequence" in (project.folder / "reports" / page).read_text(encoding="utf-8")
    summary = project.json("metrics/summary.json")
    assert set(summary) == {"base", "none", "chain", "chain_teacher", "chain_after_symptoms"}


def test_the_domain_is_accounted_for_and_its_text_stays_under_data(project: Project) -> None:
    counts = project.json("data/prepared/domains/symptoms/account.json")
    assert counts["rows_in"] == 120
    texts = [complaint(number) for number in range(120)]
    written = [project.output]  # type: ignore[attr-defined]
    for folder in ("metrics", "reports", "models"):
        for file in (project.folder / folder).rglob("*"):
            if file.suffix in (".json", ".csv", ".tsv", ".md", ".html", ".yaml"):
                written.append(file.read_text(encoding="utf-8"))
    assert len(written) > 20
    assert not [text for text in texts if any(text in content for content in written)]


def test_a_missing_file_is_refused_before_any_work(project: Project) -> None:
    project.change("params.yaml", {"domains.symptoms.path": "data/domains/absent.jsonl"})
    output = project.run("python", "-m", "stages.check", fails=True)
    assert "`domains.symptoms.path`: there is no file or folder data/domains/absent.jsonl" in output
    assert "Traceback" not in output
    project.change("params.yaml", {"methods": ["none"]})
    project.run("python", "-m", "stages.check")
