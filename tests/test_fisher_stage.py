"""The stages between the base and a training with EWC, as DVC runs them."""

from pathlib import Path

from anamnesis.files import read_json, read_jsonl
from anamnesis.methods.fisher import load_fisher
from tests.project import Project, stages_run


def test_a_training_with_ewc_reads_the_fisher_information_of_texts_that_the_base_wrote(
    first_stages: Project, tmp_path: Path
) -> None:
    project = first_stages.copy(tmp_path / "project")
    prepared = project.folder / "data" / "prepared"
    project.change("params.yaml", {"methods": ["none"]})
    said = project.run("dvc", "repro", "train@none-0")
    assert "no method reads texts that the base wrote" in said
    assert "no method has the penalty ewc" in said
    assert load_fisher(prepared / "fisher.safetensors").factors == {}
    assert read_jsonl(prepared / "rehearsal.jsonl") == []

    project.change("params.yaml", {"methods": ["none", "ewc"], "fisher.text": "generated", "fisher.documents": 6})
    ran = stages_run(project.run("dvc", "repro", "train@none-0", "train@ewc-0"))
    assert {"needs", "rehearsal", "fisher", "inputs@ewc", "train@ewc-0"} <= set(ran)
    assert not {"base", "corpus", "base_text", "train@none-0"} & set(ran)
    written = [tuple(row["tokens"]) for row in read_jsonl(prepared / "rehearsal.jsonl")]
    measured = {tuple(row["tokens"]) for row in read_jsonl(prepared / "base_text.jsonl")}
    assert len(written) == 6
    assert not measured & set(written)
    # Seven linear layers in each of the tiny base's two.
    assert len(load_fisher(prepared / "fisher.safetensors").factors) == 14
    assert read_json(prepared / "inputs" / "none.json") == {}
    assert list(read_json(prepared / "inputs" / "ewc.json")) == ["fisher"]
    curves = project.json("metrics/curves/ewc-0/metrics.json")
    assert curves["ewc_nats"] > 0
    assert curves["penalty_nats"] > curves["ewc_nats"]
    assert "ewc_nats" not in project.json("metrics/curves/none-0/metrics.json")
