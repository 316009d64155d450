"""The stages around tokens and budgets: texts that are read nowhere else, and what a run records."""

import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from anamnesis.files import read_jsonl, write_jsonl
from stages import _paths
from stages.monitor import new_texts, plain, read_elsewhere
from tests.project import Project


def test_only_texts_that_are_read_nowhere_else_are_kept(tokenizer: PreTrainedTokenizerBase) -> None:
    written = ["Узел есть.", "узел  ЕСТЬ", "коллоид нет", "", "Картина неясная", "коллоид нет."]
    sampled = [tokenizer(text)["input_ids"] for text in written]
    kept = new_texts(sampled, {plain("Картина неясная.")}, tokenizer)
    assert [plain(tokenizer.decode(tokens)) for tokens in kept] == ["узел есть", "коллоид нет"]
    assert new_texts(sampled, {plain(text) for text in written}, tokenizer) == []


def test_texts_of_every_file_that_is_read_elsewhere_are_left_out(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(_paths.GENERAL_TEXT, [{"text": "Узел есть."}])
    write_jsonl(_paths.HELD_OUT_TEXT, [{"kind": "facts", "text": "Коллоид есть."}])
    write_jsonl(_paths.EXAM, [{"question": "Есть узел?", "choices": ["да", "нет"], "answer": 1}])
    for file, text in ((_paths.BASE_TEXT, "Узел нет."), (_paths.REHEARSAL, "Коллоид нет.")):
        write_jsonl(file, [{"tokens": [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]}])
    words = {"узел есть", "коллоид есть", "есть узел? нет", "узел нет", "коллоид нет"}
    assert read_elsewhere(tokenizer) == words


def test_a_run_with_a_budget_and_one_with_a_mask(first_stages: Project, tmp_path: Path) -> None:
    project = first_stages.copy(tmp_path / "project")
    budget = {"budgeted.budget.every_steps": 2, "budgeted.budget.nats": 0.0}
    project.change("params.yaml", {"methods": ["none", "stm_kept", "budgeted"], **budget})
    said = project.run("dvc", "repro", "train@stm_kept-0", "train@budgeted-0")
    assert "kept the base's log-probabilities of" in said
    at = project.folder / "data/prepared"

    tokenizer = AutoTokenizer.from_pretrained(project.folder / "models/base")
    texts = [row["tokens"] for row in read_jsonl(at / "monitor/texts.jsonl")]
    assert {tokens[0] for tokens in texts} == {tokenizer.eos_token_id}
    words = {plain(tokenizer.decode(tokens, skip_special_tokens=True)) for tokens in texts}
    assert len(texts) == len(words) == 4
    for file in ("knowledge/train.jsonl", "knowledge/heldout.jsonl"):
        assert not words & {plain(row["text"]) for row in read_jsonl(at / file)}
    sampled = [row["tokens"] for row in read_jsonl(at / "base_text.jsonl")]
    assert not words & {plain(tokenizer.decode(tokens, skip_special_tokens=True)) for tokens in sampled}
    reports = read_jsonl(at / "monitor/reports.jsonl")
    assert len(reports) == 4
    assert all(report in read_jsonl(at / "corpus/validation.jsonl") for report in reports)

    run = project.json("models/adapters/budgeted-0/run.json")
    assert run["shares"] == []
    assert [point["step"] for point in run["budget"]["points"]] == [0, 2]
    assert (run["budget"]["step"], run["budget"]["last_step"]) == (0, 2)
    assert "the weights of step 0 are the result" in said
    curves = project.folder / "metrics/curves"
    assert (curves / "budgeted-0/plots/metrics/monitor_kl_nats.tsv").read_text().splitlines()[1].startswith("0\t")

    # Kept log-probabilities or not, the training is the same.
    files = ["models/adapters/stm_kept-0/adapter_model.safetensors", "metrics/curves/stm_kept-0/metrics.json"]
    before = [(project.folder / file).read_bytes() for file in files]
    assert project.json(files[1])["kept_share"] > 0.6
    shutil.rmtree(project.folder / "scratch/teacher")
    again = project.run("dvc", "repro", "--single-item", "--force", "train@stm_kept-0")
    assert "computing the base's log-probabilities" in again
    assert [(project.folder / file).read_bytes() for file in files] == before
