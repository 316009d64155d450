"""The real commands in a copy of the checkout, at the smallest size: what a user types, and what it must print."""

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from anamnesis.modeling.pretraining import train_tokenizer
from tests.project import Project, stages_run


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The default experiment, run once."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.output = project.run("dvc", "repro")  # type: ignore[attr-defined]
    project.commit("run")
    return project


def test_the_run_ends_with_table_pictures_and_all_metrics(project: Project) -> None:
    report = (project.folder / "reports/report.md").read_text(encoding="utf-8")
    for arm in ("base", "none", "static", "ema", "ema_teacher"):
        assert f"| `{arm}` |" in report
    for picture in ("tradeoff.png", "capabilities.png", "curves.png"):
        assert (project.folder / "reports" / picture).read_bytes().startswith(b"\x89PNG")
        assert f"({picture})" in report
    summary = project.json("metrics/summary.json")
    for arm in ("none", "static", "ema", "ema_teacher"):
        assert summary[arm]["seeds"] == 1
        for key in (
            "exam_acc",
            "forgetting",
            "adaptation_low",
            "bethesda_macro_f1",
            "base_text_kl_nats",
            "template_leak",
        ):
            assert key in summary[arm], key
        measured = project.json("metrics/details.json")["arms"][arm]
        for key in ("clinical_text_bits_per_byte", "report_bits_per_byte", "domain_kl_nats", "rouge_l"):
            assert measured[key]["low"] <= measured[key]["estimate"] <= measured[key]["high"], key
    shown = project.run("dvc", "metrics", "show", "--md")
    assert "ema.forgetting" in shown
    assert "ema.bethesda_macro_f1" in shown
    assert "tradeoff.csv" in project.run("dvc", "plots", "show", "--json")


def test_scores_by_case_give_the_metrics_and_are_of_the_same_cases_for_all_arms(project: Project) -> None:
    for kind, label in (("general", ""), ("domain", "bethesda")):
        base = pd.read_csv(project.folder / f"data/scores/{kind}/base.csv", keep_default_na=False)
        scores = pd.read_csv(project.folder / f"data/scores/{kind}/ema-0.csv", keep_default_na=False)
        metrics = project.json(f"metrics/{kind}/ema-0.json")
        assert list(dict.fromkeys(scores["arm"])) == ["ema", "ema_teacher"]
        for (arm, measure), cases in scores.groupby(["arm", "measure"]):
            key = f"{label}_acc" if measure == label else measure
            assert cases["value"].sum() / cases["weight"].sum() == pytest.approx(metrics[arm][key], rel=1e-12), measure
            assert list(cases["case"]) == list(base.loc[base["measure"] == measure, "case"])


def test_rows_are_accounted_for(project: Project) -> None:
    counts = project.json("data/prepared/account.json")
    parts = ("train", "validation", "test", "duplicates", "quarantined")
    assert counts["rows_in"] == 240 == sum(counts[part] for part in parts)


def test_no_reports_text_leaves_data(project: Project) -> None:
    """Not into metrics, the figures' tables, the report, the text files of model folders, or the console.

    Only the synthetic corpus has some of its conclusions in the report, under a heading of their own.
    """
    texts = set()
    for line in (project.folder / "data/raw/fna_synthetic.jsonl").read_text(encoding="utf-8").splitlines():
        report = json.loads(line)
        texts |= {report["description"][:40], report["conclusion"][:40], report["patient_id"]}
    written = {"console": project.output}  # type: ignore[attr-defined]
    for folder in ("metrics", "reports", "models"):
        for file in (project.folder / folder).rglob("*"):
            if file.suffix in (".json", ".csv", ".tsv", ".md", ".html", ".yaml", ".jsonl"):
                written[str(file)] = file.read_text(encoding="utf-8")
    parts = {
        "report.md": r"## Conclusions as written.*?(?=## )",
        "report.html": r"Conclusions as written</h2>.*?(?=<h2)",
    }
    for name, examples in parts.items():
        path = str(project.folder / "reports" / name)
        written[path], removed = re.subn(examples, "", written[path], flags=re.DOTALL)
        assert removed == 1
    assert len(written) > 20
    for name, content in written.items():
        assert not [text for text in texts if text in content], name


def test_a_second_run_does_nothing(project: Project) -> None:
    assert stages_run(project.run("dvc", "repro")) == []
    assert project.run("git", "status", "--porcelain") == ""


def test_a_step_of_every_method_is_compared_with_one_of_plain_fine_tuning(project: Project) -> None:
    output = project.run("python", "-m", "benchmarks.sections", "--rounds", "1")
    rows = {cells[1].strip(): cells[2:-1] for line in output.splitlines() if len(cells := line.split("|")) > 2}
    assert rows.keys() >= {"none", "static", "ema"}
    assert [float(cell) for cell in rows["none"][1:4]] == [1, 1, 1]
    # By count alone: the times are those of a busy machine.
    assert 1 < float(rows["static"][2]) < float(rows["ema"][2])


def test_the_lock_file_is_fresh_in_a_bare_clone(project: Project, tmp_path: Path) -> None:
    project.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Project.at(tmp_path / "clone")
    fresh = ("python", "-m", "commands.fresh")
    assert clone.run(*fresh) == ""
    (clone.folder / "src/anamnesis/analysis/plots.py").open("a").write("\n# changed\n")
    assert clone.run(*fresh, fails=True).splitlines()[0] == "stale: summarize"


def test_forced_again_the_results_are_bit_identical(project: Project) -> None:
    forced = ("base", "train@ema-0", "evaluate_general@ema-0", "evaluate_domain@ema-0", "summarize")
    for stage in forced:
        assert stages_run(project.run("dvc", "repro", "--force", "--single-item", stage)) == [stage]
    # dvc.lock holds the hashes of all outputs; metrics and reports are in Git themselves.
    assert project.run("git", "status", "--porcelain") == ""


def test_another_decay_runs_the_ema_branch_alone_and_changes_its_rows_alone(project: Project) -> None:
    output = project.run("dvc", "exp", "run", "-S", "ema.decay=0.5")
    assert sorted(stages_run(output)) == [
        "evaluate_domain@ema-0",
        "evaluate_general@ema-0",
        "inputs@ema",
        "needs",
        "summarize",
        "train@ema-0",
    ]
    changed = json.loads(project.run("dvc", "metrics", "diff", "--json"))["metrics/summary.json"]
    assert changed
    assert {key.split(".")[0] for key in changed} <= {"ema", "ema_teacher"}
    project.restore()


def test_a_base_pretrained_into_a_folder_is_the_one_that_the_stage_would_make(project: Project) -> None:
    small = {"pretraining.max_steps": 3, "pretraining.processes": 1, "pretraining.seed": 7}
    project.change("profiles/tiny.yaml", small | {"model.source": "pretrain"})
    assert "base" in stages_run(project.run("dvc", "repro", "base"))
    here = (project.folder / "models/base/model.safetensors").read_bytes()
    project.change("profiles/tiny.yaml", {"pretraining.seed": 0, "model.source": "scratch/bases/7"})
    project.run("python", "-m", "stages._pretrain", "--seed", "7", "--output", "scratch/bases/7")
    assert project.json("scratch/bases/7/made.json")["pretraining"]["seed"] == 7
    output = project.run("dvc", "repro", "base")
    assert "base" in stages_run(output)
    assert "another general text" not in output
    assert (project.folder / "models/base/model.safetensors").read_bytes() == here
    project.restore()


def test_the_shipped_base_says_if_the_general_text_is_not_its_own(project: Project) -> None:
    assert "data/base was pretrained on another general text" in project.output  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("params.yaml", {"ema.decay": 1.5}, "`ema.decay` is 1.5: input should be less than or equal to 1"),
        ("params.yaml", {"ema.decy": 0.9}, "unknown key `ema.decy`; did you mean `decay`?"),
        ("params.yaml", {"emma": {"decay": 0.9}}, "unknown key `emma`; did you mean `ema`?"),
        ("params.yaml", {"methods": ["none", "momentum"]}, "there is no section `momentum`: add one"),
        ("params.yaml", {"corpus.path": "data/raw/absent.csv"}, "there is no file or folder data/raw/absent.csv; put"),
        ("params.yaml", {"corpus.columns.description": "text"}, "corpus.columns.description is 'text', but"),
        ("params.yaml", {"corpus.path": "empty.jsonl"}, "empty.jsonl holds no reports"),
        ("params.yaml", {"corpus.categories": ["I", "II", "V", "VI"]}, "were refused (category_unknown: "),
        ("profiles/tiny.yaml", {"optimization.steps": 3}, "unknown key `optimization.steps`; did you mean `max_steps`"),
    ],
)
@pytest.mark.parametrize("state", ["fresh", "cached"])
def test_a_mistake_stops_in_seconds_with_one_sentence(
    project: Project, tmp_path: Path, state: str, file: str, changes: Mapping[str, Any], said: str
) -> None:
    """In a fresh clone, where `base` would run first, and in a finished one, where only what changed is run."""
    fresh = state == "fresh"
    at = Project(tmp_path) if fresh else project
    (at.folder / "empty.jsonl").touch()
    at.change(file, changes)
    start = time.monotonic()
    output = at.run("dvc", "repro", fails=True)
    seconds = time.monotonic() - start
    if not fresh:
        project.restore()
        (project.folder / "empty.jsonl").unlink()
    assert said in output
    assert "Traceback" not in output
    # No long work was done: the base was not made, and no training finished.
    assert "base" not in stages_run(output)
    assert "saved models/" not in output
    assert seconds < 20


def test_the_full_size_profile_is_the_same_graph(project: Project) -> None:
    """As far as can be tested without the hub: every parameter is found, and what depends on the scale is stale."""
    project.change("params.yaml", {"profile": "qwen2-1.5b"})
    # The stage `check` loads MMLU from the hub.
    facts = {"facts": {"shots": 0, "limit": None, "folder": None}}
    project.change("profiles/qwen2-1.5b.yaml", {"evaluation.tasks": facts})
    project.run("python", "-m", "stages.check")
    planned = stages_run(project.run("dvc", "repro", "--dry"))
    project.restore()
    assert {"check", "base", "train@ema-0", "evaluate_general@ema-0", "summarize"} <= set(planned)
    assert not {"synthesize", "corpus", "knowledge"} & set(planned)


def test_the_test_split_reruns_the_measurements_on_reports_alone(project: Project) -> None:
    project.change("params.yaml", {"split": "test"})
    output = project.run("dvc", "repro")
    measured = project.json("metrics/domain/none-0.json")["none"]
    said = (project.folder / "reports/report.md").read_text(encoding="utf-8")
    project.restore()
    runs = ("none-0", "static-0", "ema-0")
    assert sorted(stages_run(output)) == sorted(
        ["check", "needs", "evaluate_base_domain", *(f"evaluate_domain@{run}" for run in runs), "summarize"]
    )
    assert measured["split"] == "test"
    assert "of the test split" in said


def test_whole_reports_can_be_trained_on(project: Project) -> None:
    """By parameters, with one method."""
    points = project.folder / "metrics/curves/none-0/plots/metrics/ce_nats.tsv"
    of_conclusions = pd.read_csv(points, sep="\t")["ce_nats"].tolist()
    project.change("params.yaml", {"training.target": "report", "methods": ["none"]})
    project.change("profiles/tiny.yaml", {"evaluation.category_limit": None})
    output = project.run("dvc", "repro")
    of_reports = pd.read_csv(points, sep="\t")["ce_nats"].tolist()
    measured = project.json("metrics/domain/none-0.json")["none"]
    counts = project.json("data/prepared/account.json")
    said = (project.folder / "reports/report.md").read_text(encoding="utf-8")
    project.restore()
    assert {"train@none-0", "evaluate_domain@none-0", "evaluate_base_domain", "summarize"} <= set(stages_run(output))
    assert measured["reports"] == counts["validation"] != counts["test"]
    assert f"- held-out reports: {counts['validation']} of the validation split" in said
    # Other tokens are under the loss; with so small a model, the loss itself hardly changes.
    assert len(of_reports) == len(of_conclusions)
    assert of_reports[0] != of_conclusions[0]


def test_two_processes_do_the_same_experiment(project: Project) -> None:
    """Through the `launch` parameter: the same curve, the same scores, and only the stages that it affects."""

    def measured() -> tuple[list[float], dict[str, Any]]:
        curves = project.folder / "metrics/curves/ema-0/plots/metrics/ce_nats.tsv"
        return pd.read_csv(curves, sep="\t")["ce_nats"].tolist(), project.json("metrics/general/ema-0.json")

    curve, scores = measured()
    project.change("params.yaml", {"launch": "torchrun --standalone --nproc-per-node 2"})
    output = project.run("dvc", "repro", "train@ema-0", "evaluate_general@ema-0")
    two_curve, two_scores = measured()
    project.restore()
    assert stages_run(output) == ["needs", "train@ema-0", "evaluate_general@ema-0"]
    assert two_curve == pytest.approx(curve, rel=1e-4)
    for model in ("ema", "ema_teacher"):
        assert two_scores[model]["tasks"]["facts"]["questions"] == scores[model]["tasks"]["facts"]["questions"]
        assert two_scores[model]["exam_acc"] == pytest.approx(scores[model]["exam_acc"], abs=0.05)
        # After four steps the distance is near 1e-6 nats, of which rounding is a part.
        for key, rel in (
            ("facts_text_bits_per_byte", 1e-3),
            ("cytology_text_bits_per_byte", 1e-3),
            ("base_text_kl_nats", 0.1),
        ):
            assert two_scores[model][key] == pytest.approx(scores[model][key], rel=rel)


def test_retrieval_runs_without_a_training_and_is_reported_beside_its_vote(project: Project) -> None:
    """Through parameters only; the trainings that are there stay as they are."""
    project.change("params.yaml", {"methods": ["none", "rag"]})
    output = project.run("dvc", "repro")
    run = project.json("models/adapters/rag-0/run.json")
    summary = project.json("metrics/summary.json")
    said = (project.folder / "reports/report.md").read_text(encoding="utf-8")
    project.restore()
    project.run("git", "clean", "--quiet", "-d", "--force", "metrics")
    stages = set(stages_run(output))
    assert {"train@rag-0", "evaluate_general@rag-0", "evaluate_domain@rag-0", "summarize"} <= stages
    assert not {"train@none-0", "evaluate_general@none-0", "evaluate_domain@none-0"} & stages
    assert run == {"shares": [], "trained": False, "retrieval": {"reports": 4}}
    assert summary.keys() == {"base", "none", "rag", "rag_vote"}
    assert summary["rag"]["exam_acc"] == summary["base"]["exam_acc"]
    assert summary["rag"]["forgetting"] == summary["rag"]["base_text_kl_nats"] == 0
    assert summary["rag_vote"].keys() >= {"bethesda_macro_f1", "adaptation", "adaptation_low", "seeds"}
    assert "| `rag_vote` |  |  | " in said


# ---- Another corpus and another model, through parameters only ---------------------------------------------------


def test_another_corpus_and_architecture_complete(tmp_path: Path) -> None:
    """Complaints with a code instead of cytology, no conclusions, no patients; a random Llama on disk."""
    project = Project(tmp_path / "project")
    complaints = [{"жалобы": f"Боль {i % 9} дней, кашель {i % 5}.", "код": f"J{i % 4}0"} for i in range(120)]
    pd.DataFrame(complaints).to_csv(tmp_path / "complaints.csv", index=False)
    tokenizer = train_tokenizer([row["жалобы"] + row["код"] for row in complaints], 320)
    set_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=512,
        )
    ).save_pretrained(tmp_path / "llama")
    tokenizer.save_pretrained(tmp_path / "llama")
    project.run(
        *("dvc", "exp", "run", "-S", "methods=[none,ema]", "-S", "none.shares=[0.5]"),
        *("-S", f"corpus.path={tmp_path / 'complaints.csv'}"),
        *("-S", "corpus.columns.description='жалобы'", "-S", "corpus.columns.category='код'"),
        *("-S", "corpus.columns.conclusion=null", "-S", "corpus.columns.patient=null"),
        *("-S", "corpus.headings.description='Жалобы'", "-S", "corpus.headings.category='Код болезни'"),
        *(
            "-S",
            "corpus.label=icd10",
            "-S",
            "corpus.category_system=icd10",
            "-S",
            "corpus.categories=null",
            "-S",
            "corpus.critical_categories=[J00]",
        ),
        *("-S", f"profiles/tiny.yaml:model.source={tmp_path / 'llama'}"),
    )
    assert project.json("models/base/config.json")["model_type"] == "llama"
    summary = project.json("metrics/summary.json")
    assert set(summary) == {"base", "none", "none_share_0_5", "ema", "ema_teacher"}
    assert 0 <= summary["ema"]["icd10_macro_f1"] <= 1
    assert "icd10_recall_critical" in summary["ema"]
    assert not [key for numbers in summary.values() for key in numbers if "bethesda" in key or "bleu" in key]
    # The text of a corpus that is not synthetic stays under data/.
    assert "Conclusions as written" not in (project.folder / "reports/report.md").read_text(encoding="utf-8")
