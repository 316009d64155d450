"""Scores, documents, and the harness on a tiny model: what is measured is what its name says."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.tasks import TaskManager
from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM

from anamnesis.errors import InputError
from anamnesis.evaluation.documents import read_mmlu_csv
from anamnesis.evaluation.domain import CategorySet, evaluate_domain
from anamnesis.evaluation.harness import TASKS, language_model
from anamnesis.evaluation.mmlu import HARNESS_MMLU, MEDICAL_SUBJECTS, evaluate_mmlu
from anamnesis.evaluation.scores import bits_per_byte, category_scores, text_scores
from anamnesis.files import write_jsonl
from anamnesis.knowledge.facts import load_facts
from anamnesis.rendering import completion, prompt
from anamnesis.settings.evaluation import Evaluation
from tests.conftest import HEADINGS, ROOT

CATEGORIES = CategorySet(label="bethesda", names=["II", "III"], critical=["III"])


def evaluation(**changes: Any) -> Evaluation:
    values: dict[str, Any] = {
        "backend": "shared_prefix",
        "mmlu": "facts",
        "num_fewshot": 0,
        "mmlu_limit": None,
        "general_text_limit": None,
        "split": "test",
        "category_limit": None,
        "likelihood_limit": None,
        "generation_limit": 3,
        "max_new_tokens": 8,
        "batch_size": 7,
    }
    return Evaluation(**(values | changes))


# ---- Scores ------------------------------------------------------------------------------------------------------


def test_category_scores_by_hand() -> None:
    gold = ["II", "II", "II", "V", "VI", "VI"]
    predicted = ["II", "II", "V", "VI", "VI", "II"]
    scores = category_scores(gold, predicted, ["V", "VI"])
    assert scores["acc"] == pytest.approx(3 / 6)
    # F1 of II: 2·2/(3+3), of V: 0, of VI: 2·1/(2+2).
    assert scores["macro_f1"] == pytest.approx((4 / 6 + 0 + 1 / 2) / 3)
    assert scores["recall_V"] == 0
    assert scores["recall_VI"] == 0.5
    # The report of V was called VI: not its category, but not missed either.
    assert scores["recall_critical"] == pytest.approx(2 / 3)


def test_a_majority_guess_looks_good_in_accuracy_only() -> None:
    gold = ["II"] * 9 + ["VI"]
    scores = category_scores(gold, ["II"] * 10, ["V", "VI"])
    assert scores["acc"] == 0.9
    assert scores["macro_f1"] < 0.5
    assert scores["recall_critical"] == 0
    assert "recall_V" not in scores


def test_text_scores_see_russian_words() -> None:
    """rouge_score's own tokenizer drops every letter outside a-z and calls any two Russian texts different."""
    same = text_scores(["Картина коллоидного узла."], ["Картина коллоидного узла."])
    assert same == pytest.approx({"bleu": 100, "chrf": 100, "rouge_l": 1})
    other = text_scores(["Картина коллоидного узла."], ["Подозрение на рак."])
    assert other["rouge_l"] == 0
    assert other["chrf"] < 30
    half = text_scores(["один два три четыре"], ["один два пять шесть"])
    assert half["rouge_l"] == pytest.approx(0.5)


def test_bits_per_byte_counts_bytes_not_letters() -> None:
    assert bits_per_byte([math.log(0.5) * 8], ["абвг"]) == pytest.approx(1)
    assert bits_per_byte([math.log(0.5)] * 2, ["a", "b"]) == pytest.approx(1)


# ---- Through the harness -----------------------------------------------------------------------------------------


@pytest.fixture
def lm(base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> Any:
    return language_model(base, tokenizer, batch_size=7)


@pytest.fixture
def held_out(tmp_path: Path, reports: list[dict[str, str]]) -> Path:
    write_jsonl(tmp_path / "test.jsonl", reports)
    return tmp_path / "test.jsonl"


def log_probability(model: Qwen2ForCausalLM, context: list[int], tokens: list[int]) -> float:
    """Of `tokens` after `context`, by the definition."""
    with torch.no_grad():
        logits = model(torch.tensor([context + tokens])).logits[0].log_softmax(-1)
    return sum(float(logits[len(context) - 1 + i, token]) for i, token in enumerate(tokens))


def test_domain_metrics_are_what_the_model_says_by_the_definition(
    lm: Any, base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, reports: list[dict[str, str]], held_out: Path
) -> None:
    metrics, log = evaluate_domain(lm, "base", evaluation(), HEADINGS, CATEGORIES, held_out)

    def encode(text: str) -> list[int]:
        return tokenizer(text)["input_ids"]

    right, conclusion, whole = [], 0.0, 0.0
    for report in reports:
        asked = encode(prompt(report["description"], HEADINGS))
        answer = encode(completion(report["category"], report["conclusion"]))
        by_category = {c: log_probability(base, asked, encode(f" {c}")) for c in ("II", "III")}
        right.append(max(by_category, key=lambda c: by_category[c]) == report["category"])
        conclusion += log_probability(base, asked, answer)
        whole += log_probability(base, [tokenizer.eos_token_id], asked + answer)
    answer_bytes = sum(len(completion(r["category"], r["conclusion"]).encode()) for r in reports)
    all_bytes = answer_bytes + sum(len(prompt(r["description"], HEADINGS).encode()) for r in reports)
    assert metrics["bethesda_acc"] == pytest.approx(sum(right) / len(right))
    assert metrics["conclusion_bits_per_byte"] == pytest.approx(-conclusion / math.log(2) / answer_bytes, rel=1e-4)
    assert metrics["report_bits_per_byte"] == pytest.approx(-whole / math.log(2) / all_bytes, rel=1e-4)
    assert (metrics["reports"], metrics["generated"]) == (24, 3)
    assert 0 <= metrics["category_agreement"] <= 1
    assert {row["task"] for row in log} == {
        "report_category",
        "report_conclusion",
        "report_text",
        "report_generation",
    }
    assert len(log) == 3 * 24 + 3


def test_reports_too_long_for_the_model_are_refused_not_cut(lm: Any, held_out: Path) -> None:
    with pytest.raises(InputError, match="the model takes 512"):
        evaluate_domain(lm, "base", evaluation(max_new_tokens=500), HEADINGS, CATEGORIES, held_out)


def test_metrics_hold_no_text(lm: Any, reports: list[dict[str, str]], held_out: Path) -> None:
    metrics, _ = evaluate_domain(lm, "base", evaluation(), HEADINGS, CATEGORIES, held_out)
    written = json.dumps(metrics, ensure_ascii=False)
    assert not any(report["description"][:12] in written for report in reports)
    assert not any(report["conclusion"][:12] in written for report in reports)


def test_a_corpus_without_conclusions_has_no_text_scores(
    lm: Any, reports: list[dict[str, str]], tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "test.jsonl", [{**report, "conclusion": ""} for report in reports])
    metrics, _ = evaluate_domain(lm, "base", evaluation(), HEADINGS, CATEGORIES, tmp_path / "test.jsonl")
    assert "bleu" not in metrics
    assert "category_agreement" in metrics


def small_exam(folder: Path) -> tuple[Path, Path]:
    subjects = list(dict.fromkeys(fact.subject_area for fact in load_facts(ROOT / "data" / "facts")))
    questions = [
        {"question": f"Вопрос: {i}?\nОтвет:", "subject": s, "choices": ["да", "нет", "есть", "мм"], "answer": i % 4}
        for s in subjects
        for i in range(len(s))
    ]
    write_jsonl(folder / "exam.jsonl", questions)
    write_jsonl(folder / "heldout.jsonl", [{"text": "Узел 7 мм."}, {"text": "коллоид"}])
    return folder / "exam.jsonl", folder / "heldout.jsonl"


def test_exam_has_a_task_for_every_subject_of_the_facts() -> None:
    subjects = {fact.subject_area for fact in load_facts(ROOT / "data" / "facts")}
    manager = TaskManager(include_path=str(TASKS / "facts"), include_defaults=False)
    assert {task.removeprefix("facts_") for task in manager.all_subtasks} == subjects


def test_exam_counts_every_question_the_same(lm: Any, tmp_path: Path) -> None:
    """Subjects differ in size: a mean of the subjects' means would be another number."""
    exam, heldout = small_exam(tmp_path)
    metrics, log = evaluate_mmlu(lm, "base", evaluation(), exam, heldout)
    subjects = metrics["subjects"].values()
    total = sum(subject["questions"] for subject in subjects)
    assert metrics["questions"] == total
    weighted = sum(subject["acc"] * subject["questions"] for subject in subjects) / total
    assert metrics["mmlu_acc"] == pytest.approx(weighted)
    assert weighted != pytest.approx(sum(subject["acc"] for subject in subjects) / len(subjects), abs=1e-6)
    assert metrics["general_bits_per_byte"] > 0
    assert len(log) == total + 2
    assert not any("Вопрос" in json.dumps(row, ensure_ascii=False) for row in log)


# ---- The real MMLU from a folder ---------------------------------------------------------------------------------


def mmlu_subjects() -> Iterator[str]:
    return (path.stem.removeprefix("mmlu_") for path in sorted(HARNESS_MMLU.glob("mmlu_*.yaml")))


@pytest.fixture
def mmlu_folder(tmp_path: Path) -> Path:
    """57 subjects with questions of the tests' own, half with a header and half as first published."""
    for number, subject in enumerate(mmlu_subjects()):
        for split, rows in (("dev", 5), ("test", 3)):
            lines = ["question,choice0,choice1,choice2,choice3,answer"] if number % 2 else []
            for row in range(rows):
                answer = str(row % 4) if number % 2 else "ABCD"[row % 4]
                lines.append(f'"{subject} {row}, узел?",NA,None,"один, два",{row},{answer}')
            path = tmp_path / "mmlu" / split / f"{subject}_{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "mmlu"


def test_real_mmlu_runs_by_the_harness_own_definition(lm: Any, mmlu_folder: Path, tmp_path: Path) -> None:
    exam, heldout = small_exam(tmp_path)
    settings = evaluation(mmlu=str(mmlu_folder), num_fewshot=5, mmlu_limit=1)
    metrics, log = evaluate_mmlu(lm, "base", settings, exam, heldout)
    assert len(metrics["subjects"]) == 57
    assert metrics["questions"] == 57
    assert set(MEDICAL_SUBJECTS) < metrics["subjects"].keys()
    accuracies = [metrics["subjects"][subject]["acc"] for subject in MEDICAL_SUBJECTS]
    assert metrics["mmlu_medical_acc"] == pytest.approx(sum(accuracies) / 6)
    both = metrics["mmlu_medical_acc"] * 6 + metrics["mmlu_other_acc"] * 51
    assert both == pytest.approx(metrics["mmlu_acc"] * 57)
    letters = [row for row in log if row["task"] == "mmlu_anatomy"]
    assert len(letters[0]["responses"]) == 4


def test_real_mmlu_is_asked_with_five_examples(mmlu_folder: Path, monkeypatch: pytest.MonkeyPatch, lm: Any) -> None:
    asked: list[str] = []
    original = type(lm).loglikelihood

    def spy(self: Any, requests: Any, **kwargs: Any) -> Any:
        asked.extend(request.args[0] for request in requests)
        return original(self, requests, **kwargs)

    monkeypatch.setattr(type(lm), "loglikelihood", spy)
    exam, heldout = small_exam(mmlu_folder)
    evaluate_mmlu(lm, "base", evaluation(mmlu=str(mmlu_folder), num_fewshot=5, mmlu_limit=1), exam, heldout)
    anatomy = next(text for text in asked if "about anatomy" in text)
    assert anatomy.count("Answer:") == 6
    assert "anatomy 4, узел?\nA. NA\nB. None\nC. один, два\nD. 4\nAnswer: A" in anatomy
    assert anatomy.endswith("anatomy 0, узел?\nA. NA\nB. None\nC. один, два\nD. 0\nAnswer:")


@pytest.mark.parametrize(
    "content", ["a,b,c\n", "q,1,2,3,4,E\n", "question,choice0,choice1,choice2,choice3,answer\nq,1,2,3,4,7\n"]
)
def test_what_is_no_mmlu_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x_test.csv").write_text(content)
    with pytest.raises(InputError, match="is not an MMLU file"):
        read_mmlu_csv(tmp_path / "x_test.csv", "x")


def test_a_missing_mmlu_is_refused(lm: Any, tmp_path: Path) -> None:
    exam, heldout = small_exam(tmp_path)
    with pytest.raises(InputError, match="set it to facts, hub, or an existing folder"):
        evaluate_mmlu(lm, "base", evaluation(mmlu="nowhere"), exam, heldout)
    with pytest.raises(InputError, match="there is no file"):
        evaluate_mmlu(lm, "base", evaluation(mmlu=str(tmp_path)), exam, heldout)
