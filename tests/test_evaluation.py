"""Scores, documents, and the harness on small models: each metric is what its name says."""

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.model import TemplateLM
from lm_eval.tasks import TaskManager
from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM

from anamnesis.errors import InputError
from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.cases import Case, answers, code_lengths, estimates
from anamnesis.evaluation.definitions import HARNESS_MMLU, TASKS
from anamnesis.evaluation.divergence import Divergence, from_base, kl_nats, of_the_base
from anamnesis.evaluation.documents import read_mmlu_csv
from anamnesis.evaluation.domain import CategorySet, evaluate_domain
from anamnesis.evaluation.general import KINDS, MEDICAL_SUBJECTS, Sources, evaluate_general
from anamnesis.evaluation.harness import language_model
from anamnesis.evaluation.leak import is_a_report, prompts
from anamnesis.evaluation.scores import category_scores, corpus_scores, rouge_l
from anamnesis.files import read_jsonl, write_jsonl
from anamnesis.knowledge.facts import load_facts
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.rendering import completion, prompt
from anamnesis.settings.evaluation import Evaluation, Task
from tests.conftest import HEADINGS, ROOT, TUNER

CATEGORIES = CategorySet(label="bethesda", names=["II", "III"], critical=["III"])


def evaluation(**changes: Any) -> Evaluation:
    values: dict[str, Any] = {
        "backend": "shared_prefix",
        "tasks": {"facts": Task(0, None, None)},
        "general_text_limit": None,
        "category_limit": None,
        "likelihood_limit": None,
        "generation_limit": 3,
        "max_new_tokens": 8,
        "text_metrics": [],
        "batch_size": 7,
    }
    return Evaluation(**(values | changes))


def domain(
    lm: TemplateLM,
    settings: Evaluation,
    reports: Path,
    categories: CategorySet = CATEGORIES,
    divergence: Divergence | None = of_the_base,
) -> Evaluated:
    measured = evaluate_domain(Arm("base", lm, divergence), settings, HEADINGS, categories, reports, "test")
    assert measured is not None
    return measured


def general(
    lm: TemplateLM, settings: Evaluation, sources: Sources, divergence: Divergence | None = of_the_base
) -> Evaluated:
    measured = evaluate_general(Arm("base", lm, divergence), settings, HEADINGS, CATEGORIES.names, sources)
    assert measured is not None
    return measured


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
    # The report of V was assigned VI: the wrong category, but a critical one.
    assert scores["recall_critical"] == pytest.approx(2 / 3)


def test_a_majority_guess_looks_good_in_accuracy_only() -> None:
    gold = ["II"] * 9 + ["VI"]
    scores = category_scores(gold, ["II"] * 10, ["V", "VI"])
    assert scores["acc"] == 0.9
    assert scores["macro_f1"] < 0.5
    assert scores["recall_critical"] == 0
    assert "recall_V" not in scores


def test_macro_f1_is_over_the_categories_that_occur_whether_predicted_or_not() -> None:
    # III occurs but is never predicted, so its F1 is 0. VI is predicted but does not occur, so it is not a class.
    scores = category_scores(["II", "II", "III", "III"], ["II", "II", "II", "VI"], ["VI"])
    assert scores["macro_f1"] == pytest.approx((2 * 2 / 5 + 0) / 2)
    assert scores.keys() == {"acc", "macro_f1"}


def test_text_scores_see_russian_words() -> None:
    """The default tokenizer of rouge_score drops all letters but a-z, so no two Russian texts would share a word."""
    nodule, cancer = "Картина коллоидного узла.", "Подозрение на рак."
    assert corpus_scores([nodule], [nodule]) == pytest.approx({"bleu": 100, "chrf": 100})
    assert corpus_scores([nodule], [cancer])["chrf"] < 30
    four, half = "один два три четыре", "один два пять шесть"
    assert rouge_l([nodule, nodule, four], [nodule, cancer, half]) == pytest.approx([1, 0, 0.5])


def test_bits_per_byte_counts_bytes_not_letters() -> None:
    def bits_per_byte(log_likelihoods: list[Any], texts: list[str]) -> float:
        questions = [
            {"doc_id": number, "filtered_resps": [answer], "target": text}
            for number, (answer, text) in enumerate(zip(log_likelihoods, texts, strict=True))
        ]
        return estimates(code_lengths("bits", "task", questions))["bits"]

    assert bits_per_byte([math.log(0.5) * 8], ["абвг"]) == pytest.approx(1)
    assert bits_per_byte([math.log(0.5)] * 2, ["a", "b"]) == pytest.approx(1)
    # A long text weighs more than a short one, and a log-likelihood may come with a greedy flag.
    assert bits_per_byte([(math.log(0.5) * 9, True), (0.0, False)], ["абвг", "a"]) == pytest.approx(1)


def test_an_estimate_is_the_sum_of_values_by_the_sum_of_weights() -> None:
    cases = [Case("a", "t:0", 1.0), Case("b", "t:0", 6.0, 4.0), Case("a", "t:1", 0.0), Case("b", "t:1", 0.0, 8.0)]
    assert estimates(cases) == {"a": 0.5, "b": 0.5}
    assert [case.case for case in answers("a", "t", [{"doc_id": 7, "acc": 1.0}])] == ["t:7"]


# ---- Through the harness -----------------------------------------------------------------------------------------


@pytest.fixture
def lm(base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> Any:
    return language_model(base, tokenizer, batch_size=7)


@pytest.fixture
def held_out(tmp_path: Path, reports: list[dict[str, str]]) -> Path:
    write_jsonl(tmp_path / "test.jsonl", reports)
    return tmp_path / "test.jsonl"


def log_probability(model: Qwen2ForCausalLM, context: list[int], tokens: list[int]) -> float:
    """The log-probability of `tokens` after `context`, by definition."""
    with torch.no_grad():
        logits = model(torch.tensor([context + tokens])).logits[0].log_softmax(-1)
    return sum(float(logits[len(context) - 1 + i, token]) for i, token in enumerate(tokens))


def test_domain_metrics_are_what_the_model_says_by_the_definition(
    lm: Any, base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, reports: list[dict[str, str]], held_out: Path
) -> None:
    metrics, log, _ = domain(lm, evaluation(), held_out)

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
        domain(lm, evaluation(max_new_tokens=500), held_out)


def test_metrics_hold_no_text(lm: Any, reports: list[dict[str, str]], held_out: Path) -> None:
    metrics, _, _ = domain(lm, evaluation(), held_out)
    written = json.dumps(metrics, ensure_ascii=False)
    assert not any(report["description"][:12] in written for report in reports)
    assert not any(report["conclusion"][:12] in written for report in reports)


def test_a_corpus_without_conclusions_has_no_text_scores(
    lm: Any, reports: list[dict[str, str]], tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "test.jsonl", [{**report, "conclusion": ""} for report in reports])
    metrics, _, _ = domain(lm, evaluation(), tmp_path / "test.jsonl")
    assert "bleu" not in metrics
    assert "category_agreement" in metrics


GENERAL_TEXT = {
    "facts": ["Узел 7 мм.", "коллоид"],
    "clinical": ["контроль через 6 мес.", "II", "картина узла"],
    "cytology": ["группы по 5", "нет"],
}
BASE_TEXT = [[11, 60, 7, 200, 61], [9], [100, 101, 8], [40, 41, 42, 43, 44, 45, 46]]


def small_exam(folder: Path) -> Sources:
    subjects = list(dict.fromkeys(fact.subject_area for fact in load_facts(ROOT / "data" / "facts")))
    questions = [
        {
            "question": f"Вопрос: {i}?\nОтвет:",
            "subject": s,
            "choices": ["да", "нет", "есть", "мм"],
            "answer": i % 4,
            "language": "ru" if i % 3 and s != "currencies" else "en",
            "mixed": True,
        }
        for s in subjects
        for i in range(len(s))
    ]
    questions += [
        {**questions[0], "question": f"Question: {i}?\nAnswer:", "subject": s, "language": "en", "mixed": False}
        for s in subjects
        for i in range(2)
    ]
    write_jsonl(folder / "exam.jsonl", questions)
    texts = [{"kind": kind, "text": text} for kind, of_kind in GENERAL_TEXT.items() for text in of_kind]
    write_jsonl(folder / "heldout.jsonl", texts[::2] + texts[1::2])
    write_jsonl(folder / "base_text.jsonl", [{"tokens": tokens} for tokens in BASE_TEXT])
    return Sources(folder / "exam.jsonl", folder / "heldout.jsonl", folder / "base_text.jsonl")


def test_exam_has_a_task_for_every_subject_of_the_facts() -> None:
    subjects = {fact.subject_area for fact in load_facts(ROOT / "data" / "facts")}
    manager = TaskManager(include_path=str(TASKS / "facts"), include_defaults=False)
    asked = {f"facts_{language}{subject}" for language in ("", "en_", "ru_") for subject in subjects}
    assert set(manager.all_subtasks) == asked - {"facts_ru_currencies"}


def test_exam_counts_every_question_the_same(lm: Any, tmp_path: Path) -> None:
    """Subjects differ in size, so the mean of their accuracies would be different."""
    sources = small_exam(tmp_path)
    metrics, log, _ = general(lm, evaluation(), sources)
    subjects = metrics["tasks"]["facts"]["subjects"].values()
    total = sum(subject["questions"] for subject in subjects)
    assert metrics["tasks"]["facts"]["questions"] == total
    weighted = sum(subject["acc"] * subject["questions"] for subject in subjects) / total
    assert metrics["exam_acc"] == pytest.approx(weighted)
    assert [key for key in metrics if key.startswith(("mmlu", "exam"))] == ["exam_acc"]
    assert weighted != pytest.approx(sum(subject["acc"] for subject in subjects) / len(subjects), abs=1e-6)
    assert all(metrics[f"{kind}_text_bits_per_byte"] > 0 for kind in KINDS)
    assert len(log) == total + sum(map(len, GENERAL_TEXT.values())) + len(prompts())
    assert not any("Вопрос" in json.dumps(row, ensure_ascii=False) for row in log)


# ---- With a model whose answers are known ------------------------------------------------------------------------


class Scripted(TemplateLM):
    """A model that answers from a script and records its requests."""

    max_length = 10_000
    batch_size = 7
    eot_token_id = 0

    def __init__(self, likelihood: Callable[[str, str], float], writes: Callable[[str], str] = str) -> None:
        super().__init__()
        self._likelihood = likelihood
        self._writes = writes
        self.generations: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[tuple[str, str]] = []

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        return [ord(character) for character in string]

    def _loglikelihood_tokens(self, requests: Any, **_: Any) -> list[tuple[float, bool]]:
        self.asked += [texts for texts, _, _ in requests]
        return [(self._likelihood(*texts), False) for texts, _, _ in requests]

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        return [self._likelihood("", request.args[0]) for request in requests]

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        self.generations += [request.args for request in requests]
        return [self._writes(request.args[0]) for request in requests]


RARE = [
    {
        "report": f"r{number}",
        "description": f"Узел {number} мм.",
        "category": category,
        "conclusion": f"Картина один два три {number} контроль",
    }
    for number, category in enumerate(["II", "II", "III", "II", "II", "III", "II", "II", "II", "II"])
]
PROMPTS = [prompt(report["description"], HEADINGS) for report in RARE]


@pytest.fixture
def rare(tmp_path: Path) -> Path:
    """Reports of one common and one rare category, so that no two scores are equal by symmetry."""
    write_jsonl(tmp_path / "rare.jsonl", RARE)
    return tmp_path / "rare.jsonl"


def knows(context: str, continuation: str) -> float:
    """Prefers the right category except for reports 0, 1 and 5; any other text costs 1.5 nats per character."""
    number = PROMPTS.index(context) if context in PROMPTS else None
    if number is None or continuation.strip() not in ("II.", "III."):
        return -1.5 * len(continuation)
    right = f" {RARE[number]['category']}." == continuation
    return -1.0 if right is (number not in (0, 1, 5)) else -2.0


def test_the_category_is_the_most_probable_one(rare: Path) -> None:
    metrics, log, _ = domain(Scripted(knows), evaluation(), rare)
    assert metrics["bethesda_acc"] == pytest.approx(7 / 10)
    # II: 6 of 8 are found, and one III is assigned to it. III: 1 of 2 is found, and two II are assigned to it.
    assert metrics["bethesda_macro_f1"] == pytest.approx((12 / 15 + 2 / 5) / 2)
    assert metrics["bethesda_recall_critical"] == pytest.approx(1 / 2)
    # The log has the reports in their order, each with its own answers.
    asked = [row for row in log if row["task"] == "report_category"]
    assert [row["doc_id"] for row in asked] == list(range(10))
    for number, row in enumerate(asked):
        assert CATEGORIES.names[row["target"]] == RARE[number]["category"]
        answers = [likelihood for likelihood, _ in row["responses"]]
        assert answers == [knows(PROMPTS[number], " II."), knows(PROMPTS[number], " III.")]
    assert len({row["prompt_hash"] for row in asked}) == 10


def test_each_limit_takes_the_first_reports_of_its_own_tasks(rare: Path) -> None:
    limits = evaluation(category_limit=6, likelihood_limit=4, generation_limit=2)
    model = Scripted(knows)
    metrics, log, _ = domain(model, limits, rare)
    documents: dict[str, list[int]] = {}
    for row in log:
        documents.setdefault(row["task"], []).append(row["doc_id"])
    assert documents == {
        "report_category": list(range(6)),
        "report_conclusion": list(range(4)),
        "report_text": list(range(4)),
        "report_generation": list(range(2)),
    }
    assert (metrics["reports"], metrics["generated"]) == (6, 2)
    assert metrics["bethesda_acc"] == pytest.approx(3 / 6)
    assert [context for context, _ in model.generations] == PROMPTS[:2]
    conclusions = [row["target"] for row in log if row["task"] == "report_conclusion"]
    assert conclusions == [completion(report["category"], report["conclusion"]) for report in RARE[:4]]


def test_bits_per_byte_are_of_utf8_bytes(rare: Path, tmp_path: Path) -> None:
    """A character costs the model 1.5 nats; most characters are two bytes long, some one."""
    metrics, _, _ = domain(Scripted(knows), evaluation(), rare)
    answers = [completion(report["category"], report["conclusion"]) for report in RARE]
    whole = [asked + answer for asked, answer in zip(PROMPTS, answers, strict=True)]
    sources = small_exam(tmp_path)
    kept, _, _ = general(Scripted(knows), evaluation(), sources)
    for measured, texts in (
        (metrics["conclusion_bits_per_byte"], answers),
        (metrics["report_bits_per_byte"], whole),
        *((kept[f"{kind}_text_bits_per_byte"], texts) for kind, texts in GENERAL_TEXT.items()),
    ):
        characters, size = sum(map(len, texts)), sum(len(text.encode()) for text in texts)
        assert size > characters
        assert measured == pytest.approx(1.5 * characters / math.log(2) / size)


def test_generated_conclusions_are_compared_with_the_reports_own(rare: Path) -> None:
    """Every generated word is in its reference, and one word is missing: BLEU is 100 times its brevity penalty."""

    def writes(context: str) -> str:
        number = PROMPTS.index(context)
        text = RARE[number]["conclusion"]
        return [f" II. {text}", f" III. {text.removesuffix(' контроль')}", f" II. {text}"][number]

    model = Scripted(knows, writes)
    metrics, _, _ = domain(model, evaluation(generation_limit=3), rare)
    # The first category is right; of the others, one is III instead of II and one is II instead of III.
    assert metrics["category_agreement"] == pytest.approx(1 / 3)
    assert metrics["bleu"] == pytest.approx(100 * math.exp(1 - 18 / 17))
    # The second pair has 6 and 5 words and shares 5; the others are equal.
    assert metrics["rouge_l"] == pytest.approx((1 + 2 * 5 / 11 + 1) / 3)
    references = [report["conclusion"] for report in RARE[:3]]
    written = [references[0], references[1].removesuffix(" контроль"), references[2]]
    assert metrics["chrf"] == pytest.approx(corpus_scores(references, written)["chrf"])
    assert metrics["chrf"] < corpus_scores(written, references)["chrf"]
    for _, settings in model.generations:
        assert settings["do_sample"] is False
        assert settings["until"] == ["\n"]
        assert settings["max_gen_toks"] == 8


def test_a_generated_category_that_begins_another_is_not_taken_for_it(tmp_path: Path) -> None:
    """K29.1 begins with K29, and a category is followed by a full stop."""
    reports = [{**RARE[0], "category": "K29.1"}, {**RARE[1], "category": "K29"}, {**RARE[2], "category": "J06.9"}]
    write_jsonl(tmp_path / "codes.jsonl", reports)
    codes = CategorySet(label="icd10", names=["J06.9", "K29", "K29.1"], critical=[])
    written = [" K29. Гастрит", " K29. Гастрит", " J06.9. Грипп"]
    model = Scripted(knows, lambda context: written[PROMPTS.index(context)])
    # One token per text, so that no choice is the beginning of another.
    model.tok_encode = lambda string, **_: [hash(string)]
    metrics, _, _ = domain(model, evaluation(), tmp_path / "codes.jsonl", codes)
    assert metrics["category_agreement"] == pytest.approx(2 / 3)


def greedily(model: Qwen2ForCausalLM, tokens: list[int], longest: int, ends: set[int]) -> list[int]:
    """The most probable tokens, one after the other."""
    written: list[int] = []
    while len(written) < longest and not ends & set(written):
        with torch.no_grad():
            written.append(int(model(torch.tensor([tokens + written])).logits[0, -1].argmax()))
    return written


@pytest.mark.parametrize("backend", ["shared_prefix", "hf"])
def test_conclusions_are_generated_greedily_up_to_a_line_end(
    base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, held_out: Path, reports: Any, backend: Any
) -> None:
    (line_end,) = tokenizer("\n")["input_ids"]
    # Makes the model end its line for some reports, but not always at once.
    base.lm_head.register_forward_hook(
        lambda _, __, logits: logits + 5.5 * (torch.arange(logits.shape[-1]) == line_end)
    )
    lm = language_model(base, tokenizer, 5, backend)
    settings = evaluation(generation_limit=12, max_new_tokens=10)
    _, log, _ = domain(lm, settings, held_out)
    found = [row["responses"][0] for row in log if row["task"] == "report_generation"]
    expected, cut = [], 0
    for report in reports[:12]:
        asked = tokenizer(prompt(report["description"], HEADINGS))["input_ids"]
        text = tokenizer.decode(greedily(base, asked, 10, {line_end, tokenizer.eos_token_id}), skip_special_tokens=True)
        expected.append(text.split("\n")[0])
        cut += text.find("\n") > 0
    assert found == expected
    assert len(set(found)) > 3
    assert cut > 0


def test_the_exam_is_answered_by_the_key(tmp_path: Path) -> None:
    """A model that follows the key scores 1, and one that avoids it scores 0: choices and key stay together."""
    sources = small_exam(tmp_path)
    questions = [row for row in read_jsonl(sources.exam) if row["mixed"]]
    key = {row["question"]: row["choices"][row["answer"]] for row in questions}
    # Subjects share some questions here, with the same choices and key.
    model = Scripted(lambda context, answer: -1.0 if answer == f" {key.get(context)}" else -2.0)
    metrics, log, _ = general(model, evaluation(), sources)
    assert metrics["exam_acc"] == 1
    subjects = metrics["tasks"]["facts"]["subjects"]
    assert {subject["acc"] for subject in subjects.values()} == {1}
    assert {(context, answer) for context, answer in model.asked} == {
        (row["question"], f" {choice}") for row in questions for choice in row["choices"]
    }
    for subject in subjects:
        asked = [row for row in log if row["task"] == f"facts_{subject}"]
        rows = [row for row in questions if row["subject"] == subject]
        assert [row["doc_id"] for row in asked] == list(range(len(rows)))
        assert [row["target"] for row in asked] == [row["answer"] for row in rows]
    wrong = Scripted(lambda context, answer: -2.0 if answer == f" {key.get(context)}" else -1.0)
    assert general(wrong, evaluation(), sources).metrics["exam_acc"] == 0
    limited = general(model, evaluation(tasks={"facts": Task(0, 2, None)}, general_text_limit=1), sources)
    assert limited.metrics["tasks"]["facts"]["questions"] == 2 * len(subjects)
    tasks = [row["task"] for row in limited.log]
    assert [tasks.count(f"{kind}_text") for kind in KINDS] == [1, 1, 1]


def test_exams_of_one_language_ask_all_its_questions(tmp_path: Path) -> None:
    sources = small_exam(tmp_path)
    rows = read_jsonl(sources.exam)
    key = {row["question"]: row["choices"][row["answer"]] for row in rows if row["language"] == "en"}
    model = Scripted(lambda context, answer: -1.0 if answer == f" {key.get(context)}" else -2.0)
    tasks = {name: Task(0, None, None) for name in ("facts_ru", "facts_en", "facts")}
    metrics, log, cases = general(model, evaluation(tasks=tasks), sources)
    assert metrics["exam_en_acc"] == 1
    assert metrics["exam_ru_acc"] < metrics["exam_acc"] < 1
    assert list(metrics["tasks"]) == ["facts_ru", "facts_en", "facts"]
    assert metrics["tasks"]["facts_en"]["subjects"].keys() == metrics["tasks"]["facts"]["subjects"].keys()
    assert "currencies" not in metrics["tasks"]["facts_ru"]["subjects"]
    for exam, measure, asked in (
        ("facts_ru", "exam_ru_acc", [row for row in rows if row["language"] == "ru"]),
        ("facts_en", "exam_en_acc", [row for row in rows if row["language"] == "en"]),
        ("facts", "exam_acc", [row for row in rows if row["mixed"]]),
    ):
        assert metrics["tasks"][exam]["questions"] == len(asked)
        assert sum(case.measure == measure for case in cases) == len(asked)
    assert len({(row["task"], row["doc_id"]) for row in log}) == len(log)


# ---- General text by kind ----------------------------------------------------------------------------------------


def test_a_kind_of_general_text_that_there_is_none_of_is_left_out(tmp_path: Path) -> None:
    sources = small_exam(tmp_path)
    write_jsonl(sources.general_text, [{"kind": "clinical", "text": "узел"}])
    metrics = general(Scripted(knows), evaluation(), sources).metrics
    assert [key for key in metrics if "bits_per_byte" in key] == ["clinical_text_bits_per_byte"]


# ---- Scores by case ----------------------------------------------------------------------------------------------


def test_every_estimate_of_general_capabilities_is_that_of_its_cases(lm: Any, tmp_path: Path) -> None:
    sources = small_exam(tmp_path)
    metrics, _, cases = general(lm, evaluation(), sources, lambda texts: [2.0 * len(tokens) for tokens in texts])
    found = estimates(cases)
    assert found.keys() == {
        "exam_acc",
        "facts_text_bits_per_byte",
        "clinical_text_bits_per_byte",
        "cytology_text_bits_per_byte",
        "template_leak",
        "base_text_kl_nats",
    }
    assert found == {measure: metrics[measure] for measure in found}
    assert found["base_text_kl_nats"] == 2
    weights = {case.case: case.weight for case in cases if case.measure == "base_text_kl_nats"}
    assert weights == {f"base_text:{number}": len(tokens) for number, tokens in enumerate(BASE_TEXT)}
    names = [(case.measure, case.case) for case in cases]
    assert len(set(names)) == len(names)
    assert ("exam_acc", "facts_capitals:0") in names
    assert ("clinical_text_bits_per_byte", "clinical_text:2") in names


def test_every_estimate_of_the_domain_is_that_of_its_cases(lm: Any, held_out: Path) -> None:
    settings = evaluation(likelihood_limit=5, generation_limit=4)
    metrics, _, cases = domain(lm, settings, held_out, divergence=lambda texts: [0.5 * len(t) for t in texts])
    found = estimates(cases)
    assert found.keys() == {
        "bethesda",
        "conclusion_bits_per_byte",
        "report_bits_per_byte",
        "category_agreement",
        "rouge_l",
        "domain_kl_nats",
    }
    assert found.pop("bethesda") == metrics["bethesda_acc"]
    assert found == {measure: metrics[measure] for measure in found}
    number = {measure: sum(case.measure == measure for case in cases) for measure in found}
    assert number == {
        "conclusion_bits_per_byte": 5,
        "report_bits_per_byte": 5,
        "category_agreement": 4,
        "rouge_l": 4,
        "domain_kl_nats": 5,
    }
    named = [case for case in cases if case.measure == "bethesda"]
    scores = category_scores([case.gold for case in named], [case.predicted for case in named], CATEGORIES.critical)
    assert {f"bethesda_{key}": score for key, score in scores.items()}.items() <= metrics.items()
    assert all(case.value == (case.gold == case.predicted) for case in named)
    assert not any(case.gold or case.predicted for case in cases if case.measure != "bethesda")


def test_mmlu_has_cases_of_its_own_name(mmlu_folder: Path, tmp_path: Path) -> None:
    model = Scripted(lambda _, answer: -1.0 if answer == " A" else -2.0)
    settings = evaluation(tasks={"mmlu": Task(0, None, str(mmlu_folder))})
    metrics, _, cases = general(model, settings, small_exam(tmp_path))
    found = estimates(cases)
    assert found["mmlu_acc"] == metrics["mmlu_acc"] == pytest.approx(1 / 3)
    assert "exam_acc" not in metrics


def test_cases_hold_no_text(lm: Any, held_out: Path, tmp_path: Path) -> None:
    cases = [*domain(lm, evaluation(), held_out).cases, *general(lm, evaluation(), small_exam(tmp_path)).cases]
    for case in cases:
        assert re.fullmatch(r"\w+:\d+", case.case)
        assert {case.gold, case.predicted} <= {"", *CATEGORIES.names}


# ---- Distance from the base --------------------------------------------------------------------------------------


@pytest.fixture
def student(base: Qwen2ForCausalLM) -> Student:
    """A student whose update is large enough to be seen, also after the start token alone."""
    student = add_student(base, TUNER)
    generator = torch.Generator().manual_seed(1)
    start = base.get_input_embeddings().weight[base.config.eos_token_id]
    start.copy_(torch.empty(start.shape).normal_(std=0.3, generator=generator))
    for weight in student.weights:
        weight.data = torch.empty(weight.shape).normal_(std=0.2, generator=generator)
    student.model.eval()
    return student


def kl_by_definition(student: Student, start: int, tokens: list[int]) -> float:
    """Sum over positions and words of q log(q / p), in double precision, one text at a time."""
    with torch.no_grad():
        inputs = torch.tensor([[start, *tokens[:-1]]])
        # Before them may be logits of virtual tokens.
        log_p = student.model(inputs).logits[0, -len(tokens) :].double().log_softmax(-1)
        with student.as_base():
            log_q = student.model(inputs).logits[0].double().log_softmax(-1)
    return float((log_q.exp() * (log_q - log_p)).sum())


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_distance_from_the_base_is_kl_by_definition(
    student: Student, tokenizer: PreTrainedTokenizerBase, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the batches and chunks; the sum over the tokens of each text, after the start token."""
    monkeypatch.setattr("anamnesis.evaluation.divergence.CHUNK_LOGITS", 1)
    monkeypatch.setattr("anamnesis.evaluation.divergence.CHUNK_POSITIONS", 3)
    found = from_base(language_model(student.model, tokenizer, batch_size), student)(BASE_TEXT)
    expected = [kl_by_definition(student, tokenizer.eos_token_id, tokens) for tokens in BASE_TEXT]
    assert found == pytest.approx(expected, rel=1e-4)
    assert min(expected) > 0.01


def test_the_distance_is_of_the_weights_that_the_student_holds(
    student: Student, tokenizer: PreTrainedTokenizerBase
) -> None:
    measure = from_base(language_model(student.model, tokenizer, 4), student)
    whole = measure(BASE_TEXT)
    with student.holding(student.share(0.0)):
        assert measure(BASE_TEXT) == of_the_base(BASE_TEXT) == [0.0] * len(BASE_TEXT)
    with student.holding(student.share(0.5)):
        assert 0 < sum(measure(BASE_TEXT)) < sum(whole)
    assert measure(BASE_TEXT) == whole


def test_kl_is_from_the_base_to_the_model_and_not_back() -> None:
    """Two words: q = (0.9, 0.1) of the base, p = (0.5, 0.5) of the model."""
    head = torch.nn.Linear(2, 2, bias=False)
    head.weight.data = torch.eye(2)
    q, p = torch.tensor([[0.9, 0.1]]).log(), torch.tensor([[0.5, 0.5]]).log()
    with torch.no_grad():
        assert float(kl_nats(q, p, head)) == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2))
        assert float(kl_nats(p, q, head)) == pytest.approx(0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(5))
        assert float(kl_nats(q, q, head)) == 0


def test_whole_reports_are_compared_with_the_base_without_special_tokens(
    student: Student, tokenizer: PreTrainedTokenizerBase, held_out: Path, reports: list[dict[str, str]]
) -> None:
    lm = language_model(student.model, tokenizer, 4)
    metrics = domain(lm, evaluation(likelihood_limit=3), held_out, divergence=from_base(lm, student)).metrics
    texts = [prompt(r["description"], HEADINGS) + completion(r["category"], r["conclusion"]) for r in reports[:3]]
    tokens = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    nats = [kl_by_definition(student, tokenizer.eos_token_id, of_text) for of_text in tokens]
    assert metrics["domain_kl_nats"] == pytest.approx(sum(nats) / sum(map(len, tokens)), rel=1e-4)


def test_a_distance_that_is_no_number_is_refused(student: Student, tokenizer: PreTrainedTokenizerBase) -> None:
    student.weights[-1].data[0] = float("nan")
    with pytest.raises(InputError, match=r"of text 0 is nan: .* train it again with a lower learning rate"):
        from_base(language_model(student.model, tokenizer, 4), student)(BASE_TEXT)


def test_without_logits_there_is_no_distance(held_out: Path, tmp_path: Path, lm: Any) -> None:
    for measured in (
        general(lm, evaluation(), small_exam(tmp_path), divergence=None),
        domain(lm, evaluation(), held_out, divergence=None),
    ):
        assert not [key for key in measured.metrics if "kl_nats" in key]
        assert not [case for case in measured.cases if "kl_nats" in case.measure]


# ---- Template leak -----------------------------------------------------------------------------------------------


def test_prompts_are_general_and_half_in_each_language() -> None:
    languages = [row["language"] for row in prompts()]
    assert len(prompts()) >= 50
    assert languages.count("russian") == languages.count("english") == len(prompts()) / 2
    assert len({row["kind"] for row in prompts()}) == 9
    assert len({row["prompt"] for row in prompts()}) == len(prompts())
    for row in prompts():
        letters = re.findall(r"[А-Яа-яЁё]", row["prompt"])
        assert bool(letters) == (row["language"] == "russian") or row["kind"] == "translation"
        assert not is_a_report(row["prompt"], HEADINGS, ROMAN)


ROMAN = ["I", "II", "III", "IV", "V", "VI"]


@pytest.mark.parametrize(
    "answer",
    [
        " II. Картина коллоидного узла.",
        "VI. Картина",
        " II.",
        "Описание: узел 7 мм.",
        "Париж.\nОписание : узел",
        "Столица.\nЗаключение: Bethesda IV.",
        "Заключение: Bethesda",
        "\n III. «Атипия» неясного значения.",
    ],
)
def test_the_form_of_a_report_is_seen(answer: str) -> None:
    assert is_a_report(answer, HEADINGS, ROMAN)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Париж.",
        "I think so.",
        "I. am not sure",
        "I. Introduction\nII. Methods",
        "I. Введение\nII. Методы",
        "II мировая война закончилась в 1945 году.",
        "V этаже",
        "VII. Картина",
        "Вот описание: дом стоит у реки.",
        "Предописание: нет",
        "Заключение: да",
        "Bethesda is a town in Maryland.",
    ],
)
def test_other_answers_are_no_reports(answer: str) -> None:
    assert not is_a_report(answer, HEADINGS, ROMAN)


def test_codes_for_categories_and_reports_without_conclusions() -> None:
    assert is_a_report(" J00.", HEADINGS, ["J00", "K29.1"])
    assert is_a_report(" K29.1. Гастрит", HEADINGS, ["J00", "K29", "K29.1"])
    assert not is_a_report(" K29.5", HEADINGS, ["J00", "K29"])


@pytest.mark.parametrize(
    ("writes", "leak"),
    [
        (lambda _: " II. Картина коллоидного узла.", 1.0),
        (lambda asked: f"Описание: узел.\nЗаключение: Bethesda II. {asked}", 1.0),
        (lambda _: "Да, конечно. I. e. yes.", 0.0),
        (lambda asked: asked, 0.0),
        (lambda asked: " III. Атипия" if re.search("[А-Яа-я]", asked) else "Yes.", None),
    ],
)
def test_a_model_whose_only_change_is_the_leak_is_caught(
    tmp_path: Path, writes: Callable[[str], str], leak: float | None
) -> None:
    sources = small_exam(tmp_path)
    sound = general(Scripted(knows, lambda _: "Хорошо."), evaluation(), sources).metrics
    model = Scripted(knows, writes)
    metrics = general(model, evaluation(max_new_tokens=500), sources).metrics
    russian = sum(bool(re.search("[А-Яа-я]", row["prompt"])) for row in prompts())
    assert metrics.pop("template_leak") == (russian / len(prompts()) if leak is None else leak)
    assert sound.pop("template_leak") == 0
    assert metrics == sound
    assert [asked for asked, _ in model.generations] == [row["prompt"] for row in prompts()]
    for _, settings in model.generations:
        assert settings["do_sample"] is False
        assert settings["until"] == []
        assert settings["max_gen_toks"] == 32


# ---- The real MMLU from a folder ---------------------------------------------------------------------------------


def mmlu_subjects() -> Iterator[str]:
    return (path.stem.removeprefix("mmlu_") for path in sorted(HARNESS_MMLU["mmlu"].glob("mmlu_*.yaml")))


@pytest.fixture
def mmlu_folder(tmp_path: Path) -> Path:
    """57 subjects of invented questions, half of the files with a header and half in the first published form."""
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


def test_real_mmlu_runs_by_the_harness_own_definitions(lm: Any, mmlu_folder: Path, tmp_path: Path) -> None:
    sources = small_exam(tmp_path)
    tasks = {name: Task(5, 1, str(mmlu_folder)) for name in ("mmlu", "mmlu_continuation")}
    metrics, log, cases = general(lm, evaluation(tasks=tasks), sources)
    for exam in tasks:
        subjects = metrics["tasks"][exam]["subjects"]
        assert set(subjects) == set(mmlu_subjects())
        assert metrics["tasks"][exam]["questions"] == 57
        assert set(MEDICAL_SUBJECTS) < subjects.keys()
        accuracies = [subjects[subject]["acc"] for subject in MEDICAL_SUBJECTS]
        assert metrics[f"{exam}_medical_acc"] == pytest.approx(sum(accuracies) / 6)
        both = metrics[f"{exam}_medical_acc"] * 6 + metrics[f"{exam}_other_acc"] * 51
        assert both == pytest.approx(metrics[f"{exam}_acc"] * 57)
        assert sum(case.measure == f"{exam}_acc" for case in cases) == 57
    for task in ("mmlu_anatomy", "mmlu_anatomy_continuation"):
        (row,) = [row for row in log if row["task"] == task]
        assert len(row["responses"]) == 4


def test_continuations_of_mmlu_are_the_texts_of_its_answers(mmlu_folder: Path, tmp_path: Path) -> None:
    model = Scripted(lambda context, answer: -float(len(answer)) if context else -1.0)
    settings = evaluation(tasks={"mmlu_continuation": Task(2, None, str(mmlu_folder))})
    metrics, _, _ = general(model, settings, small_exam(tmp_path))
    anatomy = [(context, answer) for context, answer in model.asked if "about anatomy" in context]
    context, _ = anatomy[0]
    assert context.count("Question:") == 3
    assert "A. NA" not in context
    assert context.endswith("Question: anatomy 0, узел?\nAnswer:")
    assert [answer for _, answer in anatomy[:4]] == [" NA", " None", " один, два", " 0"]
    # The shortest answer is the last one, which is right for none of the three questions.
    assert metrics["mmlu_continuation_acc"] == 0


def test_real_mmlu_is_asked_with_five_examples(mmlu_folder: Path, monkeypatch: pytest.MonkeyPatch, lm: Any) -> None:
    asked: list[str] = []
    original = type(lm).loglikelihood

    def spy(self: Any, requests: Any, **kwargs: Any) -> Any:
        asked.extend(request.args[0] for request in requests)
        return original(self, requests, **kwargs)

    monkeypatch.setattr(type(lm), "loglikelihood", spy)
    sources = small_exam(mmlu_folder)
    general(lm, evaluation(tasks={"mmlu": Task(5, 1, str(mmlu_folder))}), sources)
    anatomy = next(text for text in asked if "about anatomy" in text)
    assert anatomy.count("Answer:") == 6
    assert "anatomy 4, узел?\nA. NA\nB. None\nC. один, два\nD. 4\nAnswer: A" in anatomy
    assert anatomy.endswith("anatomy 0, узел?\nA. NA\nB. None\nC. один, два\nD. 0\nAnswer:")


@pytest.mark.parametrize("shots", [0, 2, 5])
def test_real_mmlu_is_asked_with_as_many_examples_as_set_and_scored_by_its_key(
    mmlu_folder: Path, tmp_path: Path, shots: int
) -> None:
    """In every file the answer to question n is choice n modulo 4, given as a letter or as a number."""

    def knows_the_letter(context: str, answer: str) -> float:
        question = context.rpartition(" узел?")[0].rpartition(" ")[2]
        return -1.0 if answer == " " + "ABCD"[int(question.rstrip(",") or 0) % 4] else -2.0

    sources = small_exam(tmp_path)
    model = Scripted(lambda context, answer: knows_the_letter(context, answer) if context else -1.0)
    settings = evaluation(tasks={"mmlu": Task(shots, None, str(mmlu_folder))})
    metrics, _, _ = general(model, settings, sources)
    assert {context.count("Answer:") for context, _ in model.asked} == {shots + 1}
    assert {answer for _, answer in model.asked} == {" A", " B", " C", " D"}
    assert metrics["tasks"]["mmlu"]["shots"] == shots
    assert metrics["tasks"]["mmlu"]["questions"] == 3 * 57
    assert metrics["mmlu_acc"] == 1


@pytest.mark.parametrize(
    "content", ["a,b,c\n", "q,1,2,3,4,E\n", "question,choice0,choice1,choice2,choice3,answer\nq,1,2,3,4,7\n"]
)
def test_what_is_no_mmlu_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x_test.csv").write_text(content)
    with pytest.raises(InputError, match="is not an MMLU file"):
        read_mmlu_csv(tmp_path / "x_test.csv", "x")


def test_a_missing_mmlu_is_refused(lm: Any, tmp_path: Path) -> None:
    sources = small_exam(tmp_path)
    for exam in ("mmlu", "mmlu_continuation"):
        with pytest.raises(InputError, match=rf"`evaluation.tasks.{exam}.folder` is 'nowhere': set it to an existing"):
            general(lm, evaluation(tasks={exam: Task(0, None, "nowhere")}), sources)
        with pytest.raises(InputError, match="there is no file"):
            general(lm, evaluation(tasks={exam: Task(0, None, str(tmp_path))}), sources)
