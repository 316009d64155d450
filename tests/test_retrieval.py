"""Retrieval: which reports a model reads before a question, the vote of what is found, and the arms that come of it."""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM

import stages._evaluate
import stages.evaluate_domain
import stages.evaluate_general
import stages.inputs
import stages.train
from anamnesis.analysis.experiment import Results, analyse
from anamnesis.analysis.plots import capabilities, tradeoff, training_curves
from anamnesis.analysis.report import Context, headline, report
from anamnesis.analysis.runs import load_curves
from anamnesis.analysis.scores import BASE, load_scores
from anamnesis.analysis.summary import details, summary
from anamnesis.analysis.wording import verdicts
from anamnesis.errors import InputError
from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.divergence import of_the_base
from anamnesis.evaluation.domain import evaluate_domain, evaluate_vote
from anamnesis.evaluation.harness import language_model
from anamnesis.evaluation.retrieval import Report, examples, nearest, that_fit, vote
from anamnesis.evaluation.scores import category_scores
from anamnesis.files import read_json, write_json, write_jsonl
from anamnesis.forecasting.counting import GPUS, count
from anamnesis.forecasting.forecast import stages_of
from anamnesis.modeling.loading import save_base
from anamnesis.modeling.student.saving import is_trained, retrieved_reports, save_retrieval, save_run
from anamnesis.modeling.student.tuners import add_student
from anamnesis.rendering import completion, prompt
from anamnesis.settings.methods import Method
from anamnesis.settings.reading import Experiment, read_experiment
from anamnesis.settings.retrieval import Retrieval
from anamnesis.settings.verdict import Verdict
from stages._paths import DOMAINS, DOMAINS_LIST
from stages._plan import rough_seconds
from tests.conftest import CPU, HEADINGS, NO_LEAKAGE, OPTIMIZATION, ROOT, TRAINING, TUNER
from tests.results import CRITICAL, LIMITS, made_up_scores
from tests.test_evaluation import CATEGORIES, RARE, Scripted, evaluation, knows, small_exam
from tests.test_shared_prefix import assert_same_measured, pair_of

RAG = Method(teacher="none", train=False, retrieval=Retrieval(reports=3))


def row(number: int, description: str, category: str = "II", patient: int | None = None) -> dict[str, Any]:
    return {
        "report": number,
        "patient": number if patient is None else patient,
        "description": description,
        "conclusion": f"Картина {number}.",
        "category": category,
    }


# ---- Which reports are found ---------------------------------------------------------------------------------------


def test_the_most_similar_descriptions_come_first_and_pairs_of_words_tell() -> None:
    training = [
        row(4, "коллоид есть, атипии нет"),
        row(2, "атипии много, коллоида нет"),
        row(3, "кровь и лимфоциты"),
        row(1, "атипии нет, коллоид есть"),
    ]
    found = nearest(training, [row(9, "атипии нет, коллоид есть, узел"), row(10, "лимфоциты")], 4)
    # Report 4 has the same words as report 1, and one pair less.
    assert [one["report"] for one in found[0]] == [1, 4, 2, 3]
    assert found[1][0]["report"] == 3


def test_equally_similar_reports_are_found_in_the_order_of_the_rows() -> None:
    rng = random.Random(0)
    numbers = rng.sample(range(100, 200), 40)
    training = [row(number, "узел 7 мм" if place % 2 else "кровь") for place, number in enumerate(numbers)]
    nodules, others = numbers[1::2], numbers[::2]
    found = nearest(training, [row(1, "узел 7 мм"), row(2, "совсем другое")], 40)
    assert [one["report"] for one in found[0]] == [*nodules, *others]
    # Nothing is like the second: all are at 0.
    assert [one["report"] for one in found[1]] == numbers
    assert nearest(training, [row(1, "узел 7 мм")], 40) == found[:1]


def test_a_report_is_never_answered_from_one_of_its_patient(reports: list[dict[str, str]]) -> None:
    """The parts share no patient; if they do, nothing is found at all."""
    training, held_out = reports[:16], reports[16:]
    found = nearest(training, held_out, 5)
    assert [len(of_report) for of_report in found] == [5] * 8
    for asked, of_report in zip(held_out, found, strict=True):
        assert asked["patient"] not in {one["patient"] for one in of_report}
        assert asked["report"] not in {one["report"] for one in of_report}
    # Reports 16 and 17 are of one patient.
    with pytest.raises(InputError, match=r"share patients \(1\), so that a report could") as said:
        nearest(reports[:17], reports[17:], 5)
    assert reports[16]["patient"] not in str(said.value)
    with pytest.raises(InputError, match=r"share patients \(12\)"):
        nearest(reports, reports, 1)


def test_more_reports_than_there_are_is_all_of_them(reports: list[dict[str, str]]) -> None:
    (found,) = nearest(reports[:4], reports[20:21], 9)
    assert sorted(one["report"] for one in found) == ["0", "1", "2", "3"]


# ---- The prompt ----------------------------------------------------------------------------------------------------


def test_the_nearest_report_is_last_with_a_blank_line_after_each() -> None:
    far, near = row(1, "Кровь.", "III"), row(2, "Узел 7 мм.")
    assert examples([near, far], HEADINGS) + prompt("Узел 8 мм.", HEADINGS) == (
        "Описание: Кровь.\nЗаключение: Bethesda III. Картина 1.\n\n"
        "Описание: Узел 7 мм.\nЗаключение: Bethesda II. Картина 2.\n\n"
        "Описание: Узел 8 мм.\nЗаключение: Bethesda"
    )
    assert examples([], HEADINGS) == ""


def test_whole_reports_are_left_out_from_the_far_end_until_the_prompt_fits() -> None:
    found = [row(number, "Узел " * number) for number in (3, 1, 4)]
    question = prompt("Узел.", HEADINGS)
    for number in range(4):
        length = len(examples(found[:number], HEADINGS) + question)
        assert that_fit(found, question, HEADINGS, list, length) == found[:number]
        assert that_fit(found, question, HEADINGS, list, length - 1) == found[: max(number - 1, 0)]


@pytest.fixture
def parts(reports: list[dict[str, str]], tmp_path: Path) -> tuple[list[dict[str, str]], list[dict[str, str]], Path]:
    """A training part, held-out reports, and their file."""
    write_jsonl(tmp_path / "test.jsonl", reports[16:])
    return reports[:16], reports[16:], tmp_path / "test.jsonl"


def measured(lm: Any, file: Path, found: Sequence[Sequence[Report]] | None, **changes: Any) -> Evaluated:
    arm = Arm("rag", lm, of_the_base)
    one = evaluate_domain(arm, evaluation(**changes), HEADINGS, CATEGORIES, file, "test", found)
    assert one is not None
    return one


def test_category_conclusion_and_generation_are_asked_after_the_same_reports(parts: Any) -> None:
    training, held_out, file = parts
    rolled: list[str] = []

    class Recording(Scripted):
        def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
            rolled.extend(request.args[0] for request in requests)
            return super().loglikelihood_rolling(requests)

    model = Recording(lambda _, answer: -float(len(answer)), lambda _: " II. Картина.")
    found = nearest(training, held_out, 3)
    metrics, _, cases = measured(model, file, found, generation_limit=8)
    questions = [prompt(one["description"], HEADINGS) for one in held_out]
    prompts = [examples(of_report, HEADINGS) + asked for of_report, asked in zip(found, questions, strict=True)]
    answers = [completion(one["category"], one["conclusion"]) for one in held_out]
    assert all(text.count("Описание") == 4 for text in prompts)
    categories = [(context, answer) for context, answer in model.asked if answer in (" II.", " III.")]
    assert categories == [(context, answer) for context in prompts for answer in (" II.", " III.")]
    assert [pair for pair in model.asked if pair not in categories] == list(zip(prompts, answers, strict=True))
    assert [context for context, _ in model.generations] == prompts
    # A whole report is read alone, and its bytes are its own.
    assert rolled == [asked + answer for asked, answer in zip(questions, answers, strict=True)]
    weights = [case.weight for case in cases if case.measure == "conclusion_bits_per_byte"]
    assert weights == [len(answer.encode()) for answer in answers]
    assert metrics["reports_in_a_prompt"] == 3


def test_no_report_is_the_base_bit_for_bit(
    base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, parts: Any
) -> None:
    training, held_out, file = parts
    none = nearest(training, held_out, 0)
    assert none == [[]] * 8
    lm = language_model(base, tokenizer, batch_size=7)
    without, zero, two = (measured(lm, file, found) for found in (None, none, nearest(training, held_out, 2)))
    assert zero.metrics.pop("reports_in_a_prompt") == 0
    assert zero == without
    # A whole report is read alone.
    for measure in ("report_bits_per_byte", "domain_kl_nats"):
        assert two.metrics[measure] == without.metrics[measure]
    assert two.metrics["conclusion_bits_per_byte"] != without.metrics["conclusion_bits_per_byte"]


def test_no_prompt_is_longer_than_the_context_and_none_is_cut(
    base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a context with room for two reports before half of the questions, and for 80 tokens of an answer."""
    training, held_out, file = parts
    found = nearest(training, held_out, 6)
    lm = language_model(base, tokenizer, batch_size=7)
    questions = [prompt(one["description"], HEADINGS) for one in held_out]
    lengths = [
        [len(lm.tok_encode(examples(of_report[:number], HEADINGS) + asked)) for number in range(7)]
        for of_report, asked in zip(found, questions, strict=True)
    ]
    room = sorted(of_report[2] for of_report in lengths)[3]
    fitting = [max(number for number in range(7) if of_report[number] <= room) for of_report in lengths]
    monkeypatch.setattr(type(lm), "max_length", room + 80)
    asked: list[tuple[list[int], list[int]]] = []
    original = type(lm)._loglikelihood_tokens

    def spy(self: Any, requests: Any, **kwargs: Any) -> Any:
        asked.extend((context, continuation) for _, context, continuation in requests)
        return original(self, requests, **kwargs)

    monkeypatch.setattr(type(lm), "_loglikelihood_tokens", spy)
    metrics = measured(lm, file, found, max_new_tokens=80, generation_limit=1).metrics
    assert 0 < min(fitting) <= max(fitting) < 6
    assert metrics["reports_in_a_prompt"] == sum(fitting) / 8
    assert metrics["harness"]["prompts_cut"] == 0
    assert max(len(context) + len(continuation) for context, continuation in asked) <= room + 80
    assert max(len(context) for context, _ in asked) == room


def test_both_backends_measure_the_same_after_reports(
    base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, parts: Any
) -> None:
    training, held_out, file = parts
    found = nearest(training, held_out, 4)
    ours, theirs = (
        measured(lm, file, found, generation_limit=4) for lm in pair_of(add_student(base, TUNER), tokenizer)
    )
    assert ours.metrics["harness"].pop("backend") == "shared_prefix"
    assert theirs.metrics["harness"].pop("backend") == "hf"
    assert_same_measured(ours, theirs)


# ---- The vote ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("categories", "winner"),
    [
        (["II"], "II"),
        (["II", "III", "III"], "III"),
        (["III", "II", "II", "III"], "III"),
        (["II", "III", "III", "II"], "II"),
        (["V", "III", "II", "III", "II"], "III"),
        (["VI", "V", "IV"], "VI"),
    ],
)
def test_most_reports_win_and_of_equals_the_one_that_is_nearest(categories: list[str], winner: str) -> None:
    assert vote([row(number, "", category) for number, category in enumerate(categories)]) == winner


def test_the_vote_is_measured_on_the_reports_and_cases_of_an_arm(rare: Path) -> None:
    of_votes = ["II", "III", "III", "II", "II", "II", "III", "II", "II", "II"]
    found = [[row(100 + number, "", category)] for number, category in enumerate(of_votes)]
    metrics, log, cases = evaluate_vote("rag_vote", found, RARE, evaluation(), CATEGORIES, "test")
    gold = [one["category"] for one in RARE]
    scores = category_scores(gold, of_votes, CATEGORIES.critical)
    expected = {f"bethesda_{key}": score for key, score in scores.items()}
    assert metrics == {**expected, "split": "test", "reports": 10}
    assert metrics["bethesda_acc"] == pytest.approx(7 / 10)
    assert [row["retrieved"] for row in log] == [[100 + number] for number in range(10)]
    of_arm = measured(Scripted(knows), rare, None)
    assert [(case.measure, case.case, case.gold) for case in cases] == [
        (case.measure, case.case, case.gold) for case in of_arm.cases if case.measure == "bethesda"
    ]
    assert [case.predicted for case in cases] == of_votes
    limited = evaluate_vote("rag_vote", found, RARE, evaluation(category_limit=4), CATEGORIES, "test")
    assert (limited.metrics["reports"], limited.cases) == (4, cases[:4])


@pytest.fixture
def rare(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "rare.jsonl", RARE)
    return tmp_path / "rare.jsonl"


# ---- Through the stages --------------------------------------------------------------------------------------------


def parameters(values: dict[str, Any]) -> type:
    class Parameters:
        def __init__(self, stage: str) -> None:
            self.stage = stage

        def section(self, name: str, kind: type) -> Any:
            return values[name]

        def value(self, name: str) -> Any:
            return values[name]

    return Parameters


@pytest.fixture
def project(
    base: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    reports: list[dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """What the stages read, in the working directory; no run yet."""
    save_base(base, tokenizer, tmp_path / "models" / "base")
    prepared = tmp_path / "data" / "prepared" / "corpus"
    write_jsonl(prepared / "train.jsonl", reports[:16])
    write_jsonl(prepared / "validation.jsonl", reports[16:])
    write_json(prepared / "categories.json", asdict(CATEGORIES))
    sources = small_exam(tmp_path)
    knowledge = tmp_path / "data" / "prepared" / "knowledge"
    knowledge.mkdir()
    sources.exam.rename(knowledge / "exam.jsonl")
    sources.general_text.rename(knowledge / "heldout.jsonl")
    sources.base_text.rename(tmp_path / "data" / "prepared" / "base_text.jsonl")
    values = {
        "rag": RAG,
        "tuner": TUNER,
        "training": TRAINING,
        "optimization": OPTIMIZATION,
        "evaluation": evaluation(),
        "corpus.headings": HEADINGS,
        "compute": CPU,
        "split": "validation",
        **NO_LEAKAGE,
    }
    (prepared / "canaries.jsonl").write_text("")
    for stage in (stages.inputs, stages.train, stages.evaluate_domain, stages.evaluate_general):
        monkeypatch.setattr(stage, "Parameters", parameters(values))
    monkeypatch.chdir(tmp_path)
    stages.inputs.main.callback("rag")
    write_json(DOMAINS / DOMAINS_LIST, [])
    return tmp_path


def forbid(*_: Any, **__: Any) -> None:
    raise AssertionError("no model is loaded")


def test_an_untrained_method_runs_through_all_stages(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(stages.train, "load_base", forbid)
        assert stages.train.main.callback("rag", 0) is None
    run = project / "models" / "adapters" / "rag-0"
    assert [file.name for file in run.iterdir()] == ["run.json"]
    assert read_json(run / "run.json") == {"shares": [], "trained": False, "retrieval": {"reports": 3}}
    assert [file.name for file in (project / "metrics" / "curves" / "rag-0").rglob("*")] == ["metrics.json"]
    for evaluate in (stages.evaluate_general, stages.evaluate_domain):
        evaluate.main.callback(None, None)
        evaluate.main.callback("rag", 0)
    base, rag = (read_json(project / "metrics" / "general" / f"{run}.json") for run in ("base", "rag-0"))
    assert rag == {"rag": base["base"]}
    base, rag = (read_json(project / "metrics" / "domain" / f"{run}.json") for run in ("base", "rag-0"))
    assert rag.keys() == {"rag", "rag_vote"}
    assert rag["rag"].pop("reports_in_a_prompt") == 3
    assert rag["rag"].keys() == base["base"].keys()
    assert rag["rag"]["report_bits_per_byte"] == base["base"]["report_bits_per_byte"]
    assert rag["rag"]["conclusion_bits_per_byte"] != base["base"]["conclusion_bits_per_byte"]
    assert rag["rag"]["domain_kl_nats"] == 0
    scores = load_scores(project / "data" / "scores", ["rag"], [0])
    assert list(scores) == ["base", "rag", "rag_vote"]
    assert list(scores["rag_vote"]) == ["bethesda"]
    # No text of a report is anywhere but under data/ and in the log's generated conclusions.
    texts = {one["description"] for one in read_jsonl_rows(project / "data/prepared/corpus/train.jsonl")}
    for file in project.rglob("*"):
        if file.suffix in (".json", ".jsonl", ".csv") and "prepared" not in file.parts:
            assert not [text for text in texts if text in file.read_text(encoding="utf-8")], file


def read_jsonl_rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_parts_that_share_a_patient_stop_the_evaluation_before_a_model_is_loaded(
    project: Path, reports: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stages.train.main.callback("rag", 0)
    write_jsonl(project / "data" / "prepared" / "corpus" / "train.jsonl", reports[:17])
    monkeypatch.setattr(stages._evaluate, "load_base", forbid)
    with pytest.raises(click.ClickException, match=r"share patients \(1\)"):
        stages.evaluate_domain.main.callback("rag", 0)


def test_every_model_of_a_trained_run_reads_the_reports(project: Path, base: Qwen2ForCausalLM) -> None:
    folder = project / "models" / "adapters" / "rag-0"
    student = add_student(base, TUNER)
    save_run(student, student.saved_weights(), [0.5], folder)
    assert (is_trained(folder), retrieved_reports(folder)) == (True, 0)
    save_retrieval(2, True, folder)
    assert (is_trained(folder), retrieved_reports(folder)) == (True, 2)
    assert read_json(folder / "run.json")["shares"] == [0.5]
    stages.evaluate_domain.main.callback("rag", 0)
    found = read_json(project / "metrics" / "domain" / "rag-0.json")
    assert list(found) == ["rag", "rag_teacher", "rag_share_0_5", "rag_vote"]
    assert all(one["reports_in_a_prompt"] == 2 for name, one in found.items() if name != "rag_vote")


# ---- What is said of the arms --------------------------------------------------------------------------------------

EXAM = {BASE: 0.95, "none": 0.75, "rag": 0.95}
DOMAIN = {BASE: 0.1, "none": 0.7, "rag": 0.3, "rag_vote": 0.9}
FIGURES = {name: name for name in ("tradeoff.png", "capabilities.png", "curves.png")}


@pytest.fixture
def results() -> Results:
    return with_vote()


def with_vote(seeds: int = 3, limits: Verdict = LIMITS) -> Results:
    """What the stages write: of the vote there is only the category, and all seeds have the same."""
    scores = dict(made_up_scores({**EXAM, "rag_vote": 0.0}, DOMAIN, seeds))
    only = scores["rag_vote"]["bethesda"]
    assert only.categories is not None
    predicted = only.categories.predicted[:1].repeat(seeds, axis=0)
    same = replace(
        only, values=only.values[:1].repeat(seeds, axis=0), categories=replace(only.categories, predicted=predicted)
    )
    scores["rag_vote"] = {"bethesda": same}
    return analyse(scores, ["none", "rag"], "bethesda", CRITICAL, "test", replace(limits, claim=None))


def test_a_vote_is_a_row_of_its_own_with_intervals_and_no_arm(results: Results) -> None:
    assert (list(results.arms), list(results.votes)) == (["none", "rag"], ["rag_vote"])
    row = summary(results)["rag_vote"]
    assert row.keys() == {
        "bethesda_macro_f1", "bethesda_recall_critical", "adaptation", "adaptation_low", "adaptation_high", "seeds",
    }  # fmt: skip
    assert row["adaptation_low"] < row["adaptation"] < row["adaptation_high"]
    found = details(results, {})["arms"]["rag_vote"]
    assert found.keys() == {"bethesda_macro_f1", "bethesda_acc", "bethesda_recall_critical"}
    assert all(one["low"] < one["estimate"] < one["high"] for one in found.values())
    assert "rag_vote" not in details(results, {})["verdicts"]
    assert "rag_vote" not in results.matched


def test_a_vote_writes_nothing_so_text_shows_no_adaptation_of_it() -> None:
    results = with_vote(limits=replace(LIMITS, adaptation="conclusion_bits_per_byte"))
    assert summary(results)["rag_vote"].keys() == {"bethesda_recall_critical", "seeds"}
    assert summary(results)["rag_vote"]["seeds"] == 3
    assert "`rag_vote`" not in headline(results)
    assert "`rag_vote`" in report(results, Context({}, {}, FIGURES, []))


def test_a_vote_is_compared_with_the_base_and_with_methods(results: Results) -> None:
    pairs = {(one.first, one.second) for one in results.comparisons if "rag_vote" in (one.first, one.second)}
    assert pairs == {(BASE, "rag_vote"), ("none", "rag_vote"), ("rag", "rag_vote")}
    against = results.comparison("rag", "rag_vote", results.adaptation)
    assert against.word == "better"
    assert f"`rag_vote` adapts more than `rag`: {against.difference.estimate:+.3f}"[:40] in " ".join(verdicts(results))


def test_without_a_vote_every_family_is_what_it_is_with_one(results: Results) -> None:
    scores = {arm: of_arm for arm, of_arm in results.scores.items() if arm != "rag_vote"}
    without = analyse(scores, ["none", "rag"], "bethesda", CRITICAL, "test", replace(LIMITS, claim=None))
    assert without.votes == []
    differences = details(results, {})["differences"]
    assert [one for one in differences if one["second"] != "rag_vote"] == details(without, {})["differences"]


def test_the_report_has_the_vote_in_its_tables_and_says_what_it_is(results: Results) -> None:
    page = report(results, Context({}, {}, FIGURES, []))
    assert [line for line in headline(results).splitlines() if line.startswith("| `rag_vote` |  |  | ")]
    assert "A vote is no model" in page
    domain = page.partition("## Measures of the domain")[2].partition("## ")[0]
    (row,) = [line for line in domain.splitlines() if line.startswith("| `rag_vote` |")]
    assert row.count("[") == 3
    assert "| `rag`, `rag_vote` | macro-F1 |" in page
    assert [axes.get_title() for axes in tradeoff(results, ["none", "rag"]).axes]
    assert [label.get_text() for label in capabilities(results).axes[0].get_yticklabels()] == ["none", "rag"]


def test_a_method_without_curves_leaves_the_others_and_none_at_all_is_an_empty_picture(tmp_path: Path) -> None:
    write_json(tmp_path / "rag-0" / "metrics.json", {})
    alone = load_curves(tmp_path, ["rag"], [0])
    assert len(alone) == 0
    assert list(alone.columns) == ["step", "method", "seed", "quantity", "value"]
    assert training_curves(alone, ["rag"]).axes
    metrics = tmp_path / "none-0" / "plots" / "metrics"
    metrics.mkdir(parents=True)
    pd.DataFrame({"step": [1, 2], "ce_nats": [2.0, 1.0]}).to_csv(metrics / "ce_nats.tsv", sep="\t", index=False)
    both = load_curves(tmp_path, ["none", "rag"], [0])
    assert both["method"].tolist() == ["none", "none"]
    assert both["step"].dtype == int


# ---- What a run takes ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny() -> Experiment:
    return read_experiment(ROOT, "tiny")


def with_retrieval(experiment: Experiment, method: str, **parts: Any) -> Experiment:
    return replace(experiment, methods={**experiment.methods, method: Method(teacher="none", **parts)})


def test_no_training_is_counted_and_longer_prompts_are(tiny: Experiment) -> None:
    gpu = GPUS["H100"]
    plain = count(tiny, gpu).seconds

    def seconds(reports: int, train: bool = False) -> dict[str, float]:
        retrieval = Retrieval(reports=reports)
        return dict(count(with_retrieval(tiny, "rag", train=train, retrieval=retrieval), gpu).seconds)

    two, four = seconds(2), seconds(4)
    assert two["train@rag"] == 30
    with_rag = count(with_retrieval(tiny, "rag", train=False, retrieval=Retrieval(reports=2)), gpu)
    assert with_rag.disk_gigabytes == count(tiny, gpu).disk_gigabytes
    assert seconds(2, train=True)["train@rag"] == plain["train@none"]
    assert {kind: two[kind] for kind in plain} == plain
    assert two["evaluate_general@rag"] == plain["evaluate_general@static"]
    longer = two["evaluate_domain@rag"] - plain["evaluate_domain@static"]
    assert longer > 0
    assert four["evaluate_domain@rag"] - plain["evaluate_domain@static"] == pytest.approx(2 * longer)


def test_a_plan_has_the_stages_of_an_untrained_method_and_takes_them_for_short(tiny: Experiment) -> None:
    experiment = with_retrieval(tiny, "rag", train=False, retrieval=Retrieval(reports=4))
    assert {"train@rag-0", "evaluate_general@rag-2", "evaluate_domain@rag-1"} <= set(stages_of(experiment))
    assert rough_seconds(experiment, "train@rag-0") == 0
    assert rough_seconds(experiment, "train@none-0") > 0
