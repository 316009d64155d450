"""From files of scores to the comparisons, the verdicts, the figures, and what the report says."""

import json
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from statsmodels.stats.multitest import multipletests

from anamnesis.analysis import comparison, wording
from anamnesis.analysis.answers import judge
from anamnesis.analysis.comparison import Comparison, compare, families
from anamnesis.analysis.experiment import Results, analyse, centre_of
from anamnesis.analysis.html import page
from anamnesis.analysis.measures import Measure, all_measures
from anamnesis.analysis.overview import overview
from anamnesis.analysis.plots import capabilities, tradeoff, training_curves
from anamnesis.analysis.report import Context, Example, headline, report
from anamnesis.analysis.runs import load_curves, load_examples
from anamnesis.analysis.scores import load_scores
from anamnesis.analysis.statistics import (
    Estimate,
    Needed,
    difference,
    holm,
    interval,
    mean_of,
    needed,
    smallest_detectable,
)
from anamnesis.analysis.summary import details, summary
from anamnesis.analysis.wording import number, verdicts
from anamnesis.errors import InputError
from anamnesis.figures import COLOURS, MARKERS, look, save
from anamnesis.files import write_jsonl
from anamnesis.settings.verdict import Margins
from tests.conftest import ROOT
from tests.results import LIMITS, answers, experiment, lengths, made_up_scores, twins

METHODS = ["none", "static", "ema", "dora", "bitfit", "slow", "top_layer", "averaged", "ema_slow"]
# static forgets least and adapts as the others; ema cannot be told from none.
EXAM = {"base": 0.95, "none": [0.70, 0.73, 0.71], "static": [0.85, 0.86, 0.84], "ema": [0.75, 0.71, 0.72]}
DOMAIN = {"base": 0.1, "none": 0.70, "static": 0.705, "ema": 0.70}


@pytest.fixture(scope="module")
def results() -> Results:
    return experiment(EXAM, DOMAIN)


# ---- Reading -----------------------------------------------------------------------------------------------------


def write_scores(path: Path, rows: list[tuple[str, str, str, float, float, str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ["arm", "measure", "case", "value", "weight", "gold", "predicted"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    """Scores of a base and of two methods; no two values of a measure are equal. Seed 7 and `old` are of other runs."""
    numbers = iter(range(1, 1000))
    for run in ("base", "none-0", "none-1", "ema-0", "ema-1", "ema-7", "old-0"):
        method = run.partition("-")[0]
        arms = ["ema", "ema_teacher"] if method == "ema" else [method]
        general = [(arm, "exam_acc", f"exam:{case}", next(numbers), 1.0, "", "") for arm in arms for case in range(2)]
        domain = [(arm, "bethesda", f"report:{case}", 1.0, 1.0, "NA", "None") for arm in arms for case in range(3)]
        write_scores(tmp_path / "general" / f"{run}.csv", general)
        write_scores(tmp_path / "domain" / f"{run}.csv", domain)
    return tmp_path


def test_every_arm_and_seed_has_the_scores_of_its_own_file(scored: Path) -> None:
    scores = load_scores(scored, ["none", "ema"], [0, 1])
    assert list(scores) == ["base", "none", "ema", "ema_teacher"]
    for arm, measures in scores.items():
        exam = measures["exam_acc"]
        runs = ["base"] if arm == "base" else [f"{arm.partition('_')[0]}-{seed}" for seed in (0, 1)]
        assert exam.seeds == ((0,) if arm == "base" else (0, 1))
        for row, run in enumerate(runs):
            table = pd.read_csv(scored / "general" / f"{run}.csv")
            assert exam.values[row].tolist() == table[table["arm"] == arm]["value"].tolist()


def test_categories_are_text_whatever_they_look_like(scored: Path) -> None:
    """pandas takes NA and None for missing values unless told otherwise."""
    none = load_scores(scored, ["none"], [0])["none"]
    categories = none["bethesda"].categories
    assert categories is not None
    assert categories.gold.tolist() == ["NA"] * 3
    assert categories.predicted.tolist() == [["None"] * 3]
    assert none["exam_acc"].categories is None


def test_runs_that_were_asked_other_questions_are_not_compared(scored: Path) -> None:
    write_scores(scored / "general" / "ema-1.csv", [("ema", "exam_acc", "exam:5", 1.0, 1.0, "", "")])
    with pytest.raises(InputError, match=r"`exam_acc`.*same questions"):
        load_scores(scored, ["none", "ema"], [0, 1])


@pytest.mark.parametrize("run", ["base", "ema-1"])
def test_a_measure_that_one_run_lacks_is_left_out_of_all_and_named(
    scored: Path, run: str, caplog: pytest.LogCaptureFixture
) -> None:
    for file in (scored / "general").glob("*.csv"):
        if file.stem != run:
            table = pd.read_csv(file)
            pd.concat([table, table.assign(measure="task_length")]).to_csv(file, index=False)
    scores = load_scores(scored, ["none", "ema"], [0, 1])
    assert [list(measures) for measures in scores.values()] == [["exam_acc", "bethesda"]] * 4
    assert [record.message for record in caplog.records] == ["left out, because not every run has it: task_length"]


def test_curves_keep_every_step_of_every_run(tmp_path: Path) -> None:
    for order, run in enumerate(("none-0", "none-1", "ema-0", "ema-1", "old-0")):
        folder = tmp_path / run / "plots" / "metrics"
        folder.mkdir(parents=True)
        for quantity in ("ce_nats", "grad_norm"):
            lines = [f"{step}\t{order * 10 + step}" for step in (1, 20)]
            (folder / f"{quantity}.tsv").write_text("\n".join([f"step\t{quantity}", *lines]))
    curves = load_curves(tmp_path, ["none", "ema"], [0, 1])
    assert len(curves) == 4 * 2 * 2
    one = curves[(curves["method"] == "ema") & (curves["seed"] == 1) & (curves["quantity"] == "ce_nats")]
    assert dict(zip(one["step"], one["value"], strict=True)) == {1: 31, 20: 50}


def test_examples_are_the_methods_own_conclusions_of_the_same_reports(tmp_path: Path) -> None:
    for method in ("none", "ema"):
        rows = [
            {"model": arm, "task": task, "target": f" reference {i}", "responses": [f" {arm} {i}"]}
            for task in ("report_generation", "report_text")
            for arm in (method, f"{method}_teacher")
            for i in range(5)
        ]
        write_jsonl(tmp_path / f"{method}-0.jsonl", rows)
    examples = load_examples(tmp_path, ["none", "ema"], 0, count=2)
    assert [example.reference for example in examples] == ["reference 0", "reference 2"]
    assert examples[1].written == {"none": "none 2", "ema": "ema 2"}


# ---- Measures of tasks -------------------------------------------------------------------------------------------

TASKS = {
    "facts": {"measures": {}},
    "hellaswag": {
        "measures": {
            "hellaswag_acc_norm": {"title": "hellaswag acc_norm", "kind": "accuracy", "better": "higher"},
            "hellaswag_acc": {"title": "hellaswag acc", "kind": "accuracy", "better": "higher"},
        }
    },
    "wikitext": {
        "measures": {
            "wikitext_bits_per_byte": {
                "title": "wikitext bits_per_byte",
                "kind": "bits_per_byte",
                "better": "lower",
            }
        }
    },
    "toxic": {"measures": {"toxic_share": {"title": "toxic share", "kind": "accuracy", "better": "lower"}}},
}


def with_tasks(capability: str | None) -> Results:
    """The experiment, with measures that only it has: `static` is best on hellaswag, and worst on toxic."""
    rng = np.random.default_rng(1)
    scores = {arm: dict(of_arm) for arm, of_arm in experiment(EXAM, DOMAIN, reports=60, questions=60).scores.items()}
    for arm, of_arm in scores.items():
        seeds = 1 if arm == "base" else 3
        share = {"base": 0.9, "static": 0.8}.get(arm, 0.5)
        of_arm["hellaswag_acc_norm"] = answers(share, seeds, 200, rng, "hellaswag")
        of_arm["hellaswag_acc"] = answers(share, seeds, 200, rng, "hellaswag")
        toxic = answers(share, seeds, 200, rng, "toxic")
        # Some cases are answered in part.
        of_arm["toxic_share"] = replace(toxic, values=toxic.values * np.where(np.arange(200) % 2, 0.5, 1.0))
        of_arm["wikitext_bits_per_byte"] = lengths(2 - share, seeds, 50, rng, "wikitext")
    limits = replace(LIMITS, capability=capability)
    return analyse(scores, ["none", "static", "ema"], "bethesda", ["V"], "test", limits, TASKS)


def test_measures_of_tasks_follow_the_fixed_ones_and_are_compared_in_their_direction() -> None:
    found = with_tasks("hellaswag_acc_norm")
    keys = [measure.key for measure in found.measures]
    assert keys[-4:] == ["hellaswag_acc_norm", "hellaswag_acc", "wikitext_bits_per_byte", "toxic_share"]
    assert found.capability.key == "hellaswag_acc_norm"
    gains = {
        one.measure.key: np.sign(one.gain[1:])
        for one in found.comparisons
        if (one.first, one.second) == ("none", "static") and one.measure.key in keys[-4:]
    }
    assert {key: list(ends) for key, ends in gains.items()} == {
        "hellaswag_acc_norm": [1, 1],
        "hellaswag_acc": [1, 1],
        "wikitext_bits_per_byte": [1, 1],
        "toxic_share": [-1, -1],
    }
    assert found.intervals["none"]["wikitext_bits_per_byte"].estimate == pytest.approx(1.5, rel=0.02)
    assert all(measure.general for measure in found.measures[-4:])
    assert "hellaswag acc_norm" in headline(found)


def test_a_measure_whose_cases_are_partly_right_has_no_exact_test() -> None:
    found = with_tasks("toxic_share")
    mcnemar = {one.measure.key: one.mcnemar for one in found.comparisons}
    assert mcnemar["hellaswag_acc"] is not None
    assert mcnemar["toxic_share"] is None
    assert not found.capability.right_or_wrong


def test_without_a_capability_forgetting_is_read_from_mmlu_else_from_the_exam() -> None:
    assert with_tasks(None).capability.key == "exam_acc"
    scores = {arm: dict(of_arm) for arm, of_arm in with_tasks(None).scores.items()}
    for expected in ("mmlu_acc", "exam_en_acc"):
        for of_arm in scores.values():
            exam = of_arm.pop("exam_acc", None) or of_arm.pop("mmlu_acc")
            of_arm[expected] = exam
        found = analyse(scores, ["none", "static", "ema"], "bethesda", ["V"], "test", LIMITS)
        assert found.capability.key == expected


# ---- Comparisons -------------------------------------------------------------------------------------------------


def test_a_verdict_follows_the_direction_of_its_measure(results: Results) -> None:
    by_key = {measure.key: measure for measure in results.measures}
    exam = results.comparison("none", "static", by_key["exam_acc"])
    assert exam.difference.estimate == pytest.approx(0.137, abs=0.01)
    assert exam.word == "better"
    assert results.comparison("base", "none", by_key["exam_acc"]).word == "worse"
    # Fewer bits are better, more nats from the base are worse.
    assert results.comparison("base", "none", by_key["conclusion_bits_per_byte"]).word == "better"
    assert results.comparison("base", "none", by_key["base_text_kl_nats"]).word == "worse"


def test_answers_without_a_mistake_are_equivalent_only_if_they_are_many() -> None:
    """0 of 30 against 0 of 30 leaves differences of a tenth open."""
    for questions, word in ((30, "not distinguishable"), (600, "equivalent")):
        twins = experiment({**EXAM, "none": 2.0, "static": 2.0}, DOMAIN, questions=questions)
        one = twins.comparison("none", "static", twins.capability)
        assert one.difference.se == 0
        assert one.difference.low < 0 < one.difference.high
        assert one.word == word


def test_a_difference_too_small_to_matter_is_equivalent(results: Results) -> None:
    assert results.comparison("none", "static", results.adaptation).word == "equivalent"


def test_noise_is_not_distinguishable_and_says_what_would_tell(results: Results) -> None:
    one = results.comparison("none", "ema", results.capability)
    assert one.word == "not distinguishable"
    assert one.needed is not None
    assert one.needed.seeds is None or one.needed.seeds > 3


def test_a_verdict_needs_the_whole_family_and_a_difference_that_matters(results: Results) -> None:
    """p alone decides nothing: Holm's adjusted p does, and equivalence comes first."""
    one = replace(results.comparison("none", "static", results.capability), equivalence_p=1.0)
    assert one.difference.p < 0.001
    assert replace(one, p_holm=0.06).word == "not distinguishable"
    assert replace(one, p_holm=0.04).word == "better"
    assert replace(one, p_holm=0.04, equivalence_p=0.04).word == "equivalent"


def test_the_recall_of_one_critical_report_is_no_measure() -> None:
    few = replace(LIMITS, claim=None)
    for cases, there in ((3, False), (6, True)):
        found = experiment(EXAM, DOMAIN, limits=few, reports=cases)
        assert ("bethesda_recall_critical" in found.intervals["none"]) == there


def test_gain_and_loss_are_each_others_opposite(results: Results) -> None:
    for one in results.comparisons:
        estimate, low, high = one.gain
        assert low <= estimate <= high
        assert one.loss == pytest.approx((-estimate, -high, -low))


def test_mcnemar_is_for_questions_seed_by_seed(results: Results) -> None:
    exam = results.comparison("base", "none", results.capability)
    assert exam.mcnemar is not None
    assert list(exam.mcnemar) == [0, 1, 2]
    assert max(exam.mcnemar.values()) < 0.001
    assert results.comparison("base", "none", results.adaptation).mcnemar is None


@pytest.mark.parametrize(
    ("questions", "word", "outcome"),
    [(30, "not distinguishable", "NOT ENOUGH EVIDENCE"), (600, "better", "PASS")],
)
def test_thirty_questions_decide_little(questions: int, word: str, outcome: str) -> None:
    """The estimates are as good with 30 questions as with 600: above `none`, and within the limit on forgetting."""
    asked = replace(LIMITS, min_adaptation=None, min_recall_critical=None)
    found = experiment(EXAM, DOMAIN, questions=questions, limits=asked)
    compared = found.comparison("none", "static", found.capability)
    assert compared.difference.estimate > 0.05
    assert compared.word == word
    assert found.forgetting("static")[0] < LIMITS.max_forgetting
    assert found.judgements["static"].outcome == outcome


@pytest.mark.parametrize(("reports", "outcome"), [(12, "NOT ENOUGH EVIDENCE"), (600, "FAIL")])
def test_an_arm_trained_on_shuffled_labels_fails_if_there_are_enough_reports(reports: int, outcome: str) -> None:
    """It names a category at random: the gain is far below the limit of 0.3 in both, as an estimate."""
    asked = replace(LIMITS, max_forgetting=None, min_recall_critical=None, claim=None)
    domain = {"base": 0.1, "none": 0.7, "noise": [0.33, 0.35, 0.31]}
    found = experiment({"base": 0.95, "none": 0.7, "noise": 0.7}, domain, reports=reports, limits=asked)
    estimate, low, high = found.gain("noise")
    assert low < estimate < 0.3
    assert (high < 0.3) == (outcome == "FAIL")
    assert found.judgements["noise"].outcome == outcome


# ---- Families ----------------------------------------------------------------------------------------------------

KINDS = ("base", "base_teachers", "base_shares", "methods", "teachers")
TIGHT = replace(
    LIMITS, margins=Margins(accuracy=0.01, macro_f1=0.01, bits_per_byte=0.001, kl_nats=0.001, exposure_bits=0.01)
)


def kind_of(one: Comparison) -> str:
    if one.first == "base":
        ends = {"teacher": "base_teachers", "5": "base_shares"}
        return ends.get(one.second.rpartition("_")[2], "base")
    return "teachers" if any(arm.endswith("_teacher") for arm in (one.first, one.second)) else "methods"


@pytest.fixture(scope="module")
def with_teacher() -> Results:
    exam = {**EXAM, "ema_teacher": [0.76, 0.74, 0.73], "none_share_0_5": 0.9}
    return experiment(exam, {**DOMAIN, "ema": 0.72, "ema_teacher": 0.66, "none_share_0_5": 0.5}, limits=TIGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_the_capability_is_one_family_and_all_other_measures_another(with_teacher: Results, kind: str) -> None:
    found = [one for one in with_teacher.comparisons if kind_of(one) == kind]
    capability = [one for one in found if one.measure.key == "exam_acc"]
    others = [one for one in found if one.measure.key != "exam_acc"]
    assert len(capability) == {"base": 3, "base_teachers": 1, "base_shares": 1, "methods": 3, "teachers": 3}[kind]
    assert len(others) == 6 * len(capability)
    for family in (capability, others):
        large = len(family) > 3
        p_values = [one.difference.cautious_p if large else one.difference.p for one in family]
        expected = multipletests(p_values, method="holm")[1]
        assert [one.p_holm for one in family] == pytest.approx(list(expected))


@pytest.mark.parametrize(("measure", "size"), [("exam_acc", 3), ("bethesda_macro_f1", 18)])
def test_what_could_be_seen_and_what_would_tell_are_at_the_level_of_the_family(
    with_teacher: Results, measure: str, size: int
) -> None:
    (one,) = (o for o in with_teacher.comparisons if (o.first, o.second, o.measure.key) == ("none", "ema", measure))
    cautious = measure != "exam_acc"
    assert one.word == "not distinguishable"
    assert one.needed == needed(one.difference, alpha=0.05 / size, cautious=cautious)
    expected = smallest_detectable(one.difference, alpha=0.05 / size, cautious=cautious)
    assert one.smallest_detectable == pytest.approx(expected)
    assert one.needed != needed(one.difference)


def test_a_family_of_more_than_three_is_adjusted_from_the_cautious_p_also_on_the_capability() -> None:
    exam = {**EXAM, "slow": [0.80, 0.85, 0.83]}
    found = experiment(exam, {**DOMAIN, "slow": 0.66}, limits=TIGHT)
    pairs = [one for one in found.comparisons if one.first != "base" and one.measure.key == "exam_acc"]
    assert len(pairs) == 5
    p_values = [one.difference.cautious_p for one in pairs]
    assert p_values != [one.difference.p for one in pairs]
    assert [one.p_holm for one in pairs] == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def many(count: int) -> list[Measure]:
    """As many measures as are wanted, which differ in their key only."""
    (measure,) = (one for one in all_measures("bethesda", ["V"]) if one.key == "base_text_kl_nats")
    return [replace(measure, key=f"measure_{place}") for place in range(count)]


def test_a_family_of_many_measures_is_judged_and_planned_by_the_cautious_p() -> None:
    """Where the cases vary most, the interval has many degrees of freedom, and the seeds have two."""
    measures, draw = many(5), np.random.default_rng(0)
    cases = draw.normal(0, 0.3, (1, 200))
    none, twin = (draw.normal(0, 0.3, (3, 200)) for _ in range(2))
    samples = {
        arm: {measure.key: mean_of(values, fixed=arm == "base") for measure in measures}
        for arm, values in (("base", np.full((1, 200), 9.0)), ("none", none), ("twin", twin + cases + 0.05))
    }
    grouped = families(samples, measures, measures[0], ["none", "twin"], [], [])
    capability, *others = (one for one in compare({}, samples, measures, grouped, TIGHT.margins) if one.first == "none")
    assert len(others) == 4
    assert capability.difference.cautious_p > capability.p_holm == capability.difference.p
    assert capability.smallest_detectable == pytest.approx(smallest_detectable(capability.difference))
    for one in others:
        assert one.p_holm == min(4 * one.difference.cautious_p, 1)
        asked = {"alpha": 0.05 / 4, "cautious": True}
        assert one.needed == needed(one.difference, **asked) != needed(one.difference, alpha=0.05 / 4)
        assert one.smallest_detectable == pytest.approx(smallest_detectable(one.difference, **asked))


def test_many_methods_are_compared_with_plain_fine_tuning_and_the_claimed_one() -> None:
    methods = ["none", "static", "ema", "rag"]
    assert centre_of(methods[:3], "ema") == set()
    assert centre_of(methods, "ema") == {"none", "ema"}
    assert centre_of(methods, None) == centre_of(methods, "momentum") == {"none"}
    assert centre_of(["static", "ema", "rag", "ewc"], "ema") == set()
    measures = many(2)
    sample = mean_of(np.zeros((3, 5)))
    samples = {arm: {one.key: sample for one in measures} for arm in ("base", *methods, "ema_teacher", "rag_vote")}

    def pairs(centre: set[str]) -> set[tuple[str, str]]:
        grouped = families(
            samples, measures, measures[0], methods, ["ema_teacher"], [], votes=["rag_vote"], centre=centre
        )
        return {(pair.first, pair.second) for family in grouped for pair in family.pairs if pair.first != "base"}

    with_votes = {(method, "rag_vote") for method in methods}
    assert pairs(set()) == {*combinations([*methods, "ema_teacher"], 2)} | with_votes
    assert pairs({"none"}) == {
        *(("none", other) for other in ("static", "ema", "rag", "ema_teacher", "rag_vote")),
        ("rag", "rag_vote"),
    }


@pytest.mark.parametrize(("methods", "plain", "ours"), [(3, 0.09, 0.09), (5, 0.10, 0.06)])
def test_identical_methods_are_rarely_told_apart_however_many_they_are(methods: int, plain: float, ours: float) -> None:
    """On one measure, with 3 seeds whose spread is a fifth of the cases'. From plain p, 5 methods are, too often."""
    draw, experiments = np.random.default_rng(0), 300
    by_p, by_rule = 0, 0
    for _ in range(experiments):
        arms = [mean_of(draw.normal(0, 0.2, (3, 1)) + draw.normal(0, 1, (3, 40))) for _ in range(methods)]
        family = [difference(first, second) for first, second in combinations(arms, 2)]
        by_p += min(holm([one.p for one in family])) < 0.05
        by_rule += min(comparison.adjust(family)) < 0.05
    assert by_rule / experiments <= ours
    assert (by_p / experiments > plain) == (methods == 5)


def test_another_capability_is_the_one_that_has_a_family_of_its_own() -> None:
    found = experiment(EXAM, DOMAIN, limits=replace(LIMITS, capability="base_text_kl_nats"))
    pairs = [one for one in found.comparisons if one.first != "base"]
    for key, alone in (("base_text_kl_nats", True), ("exam_acc", False)):
        family = [one for one in pairs if one.measure.key == key]
        expected = multipletests([one.difference.p for one in family], method="holm")[1]
        assert ([one.p_holm for one in family] == pytest.approx(list(expected))) == alone


def test_twins_are_not_told_apart_though_one_measure_differs_by_chance() -> None:
    """Two runs of one method. On its own, accuracy would be called better, by chance."""
    first = made_up_scores({"base": 0.95, "none": [0.70, 0.73, 0.71]}, {"base": 0.1, "none": [0.70, 0.69, 0.71]})
    second = made_up_scores(
        {"base": 0.95, "none": [0.72, 0.69, 0.71]}, {"base": 0.1, "none": [0.725, 0.73, 0.74]}, chance=1
    )
    found = twins(first, second, "none", TIGHT)
    pairs = {one.measure.key: one for one in found.comparisons if (one.first, one.second) == ("none", "twin")}
    assert len(pairs) == 7
    accuracy = pairs["bethesda_acc"]
    assert accuracy.difference.p < 0.01
    assert accuracy.equivalence_p > 0.05
    assert {one.word for one in pairs.values()} <= {"not distinguishable", "equivalent"}
    # The experiment is not blind: the base is another model.
    assert found.comparison("base", "twin", found.capability).word == "worse"
    assert found.comparison("base", "twin", found.adaptation).word == "better"


def test_of_a_dozen_measures_of_identical_methods_one_is_rarely_called_different(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The share of experiments with any false verdict, against Holm's adjustment measure by measure."""
    monkeypatch.setattr(comparison, "smallest_detectable", lambda *_, **__: 0.0)
    monkeypatch.setattr(comparison, "needed", lambda *_, **__: None)
    measures = many(13)
    draw, experiments = np.random.default_rng(0), 250
    one_family, by_measure = 0, 0
    for _ in range(experiments):
        samples = {
            "base": {measure.key: mean_of(np.full((1, 40), 9.0), fixed=True) for measure in measures},
            **{
                arm: {
                    # From seeds that hardly differ to seeds that differ more than the cases.
                    measure.key: mean_of(draw.normal(0, 0.05 * place, (3, 1)) + draw.normal(0, 1, (3, 40)))
                    for place, measure in enumerate(measures)
                }
                for arm in ("none", "twin")
            },
        }
        grouped = families(samples, measures, measures[0], ["none", "twin"], [], [])
        found = [one for one in compare({}, samples, measures, grouped, TIGHT.margins) if one.first != "base"]
        others = [one for one in found if one.measure.key != "measure_0"]
        assert len(others) == 12
        one_family += any(one.word in ("better", "worse") for one in others)
        by_measure += any(one.difference.p < 0.05 for one in others)
    assert one_family / experiments <= 0.07
    assert by_measure / experiments > 0.3


# ---- Limits and the claim ----------------------------------------------------------------------------------------


def interval_of(estimate: float, half: float) -> Estimate:
    found = interval(mean_of(np.eye(3, 4)))
    return replace(found, estimate=estimate, low=estimate - half, high=estimate + half)


@pytest.mark.parametrize(
    ("forgetting", "adaptation", "seeds", "outcome"),
    [
        ((0.1, 0.05, 0.15), (0.5, 0.4, 0.6), 3, "PASS"),
        ((0.1, 0.05, 0.25), (0.5, 0.4, 0.6), 3, "NOT ENOUGH EVIDENCE"),
        ((0.3, 0.25, 0.35), (0.5, 0.4, 0.6), 3, "FAIL"),
        ((0.1, 0.05, 0.15), (0.35, 0.2, 0.5), 3, "NOT ENOUGH EVIDENCE"),
        ((0.1, 0.05, 0.15), (0.1, 0.0, 0.2), 3, "FAIL"),
        # One broken limit is enough, whatever is not known of the other.
        ((0.1, 0.05, 0.25), (0.1, 0.0, 0.2), 3, "FAIL"),
        # One seed decides nothing, neither way.
        ((0.1, 0.05, 0.15), (0.5, 0.4, 0.6), 1, "NOT ENOUGH EVIDENCE"),
        ((0.3, 0.25, 0.35), (0.1, 0.0, 0.2), 1, "NOT ENOUGH EVIDENCE"),
    ],
)
def test_limits_are_kept_or_broken_by_the_whole_interval(
    forgetting: tuple[float, float, float], adaptation: tuple[float, float, float], seeds: int, outcome: str
) -> None:
    found = judge(LIMITS, forgetting, adaptation, interval_of(0.5, 0.05), seeds)
    assert found.outcome == outcome
    assert len(found.reasons) == 3 + (seeds == 1)


def test_recall_of_critical_categories_has_its_own_limit() -> None:
    kept = ((0.1, 0.05, 0.15), (0.5, 0.4, 0.6))
    assert judge(LIMITS, *kept, interval_of(0.1, 0.05), 3).outcome == "FAIL"
    assert judge(LIMITS, *kept, interval_of(0.2, 0.05), 3).outcome == "NOT ENOUGH EVIDENCE"
    assert judge(LIMITS, *kept, interval_of(0.5, 0.05), 3).outcome == "PASS"
    assert judge(replace(LIMITS, min_recall_critical=None), *kept, interval_of(0.1, 0.05), 3).outcome == "PASS"
    missing = judge(LIMITS, *kept, None, 3)
    assert missing.outcome == "NOT ENOUGH EVIDENCE"
    assert missing.reasons[-1] == "recall of critical: not measured"


def test_without_limits_nothing_is_passed() -> None:
    none = replace(LIMITS, max_forgetting=None, min_adaptation=None, min_recall_critical=None)
    assert experiment(EXAM, DOMAIN, limits=none).judgements == {}


def test_one_seed_says_nothing_of_methods() -> None:
    """However large the difference of two models: no verdict on a pair, on the claim, or on an arm."""
    one = experiment({**EXAM, "none": 0.3, "static": 0.6, "ema": 0.93}, DOMAIN, seeds=1)
    assert {compared.word for compared in one.comparisons} == {"not distinguishable"}
    assert one.claim is not None
    assert one.claim.holds == "not decided"
    assert {found.outcome for found in one.judgements.values()} == {"NOT ENOUGH EVIDENCE"}
    text = report(one, CONTEXT)
    assert "one seed says nothing about another training" in text
    assert "No other training: there is one seed" in text
    assert "Another training with other seeds" not in text


def test_one_method_is_compared_with_the_base_alone() -> None:
    one = experiment({"base": 0.95, "slow": 0.7}, {"base": 0.1, "slow": 0.7}, limits=replace(LIMITS, claim=None))
    assert verdicts(one) == ["There is one method, so nothing is compared."]
    assert "| `slow` | 0.7" in report(one, CONTEXT)


def test_the_claim_is_confirmed_contradicted_or_neither(results: Results) -> None:
    assert results.claim is not None
    assert results.claim.holds == "contradicted"
    assert results.claim.against["static"] == "worse"
    best = experiment({**EXAM, "ema": 0.92}, DOMAIN)
    assert best.claim is not None
    assert (best.claim.holds, best.claim.against) == ("confirmed", {"none": "better", "static": "better"})
    trade = experiment({**EXAM, "ema": 0.92}, {**DOMAIN, "ema": 0.5})
    assert trade.claim is not None
    assert (trade.claim.holds, trade.claim.against["none"]) == ("not decided", "a trade")


def test_the_claim_does_not_depend_on_the_order_of_the_arms(results: Results) -> None:
    order = ["base", "ema", "static", "none"]
    turned = experiment({arm: EXAM[arm] for arm in order}, {arm: DOMAIN[arm] for arm in order})
    assert turned.claim is not None
    assert results.claim is not None
    assert turned.claim.against["static"] == "worse"
    assert turned.claim.holds == results.claim.holds


def test_without_the_claimed_arm_there_is_no_claim() -> None:
    two = {arm: EXAM[arm] for arm in ("base", "none", "static")}
    assert experiment(two, {arm: DOMAIN[arm] for arm in two}).claim is None


def test_shares_are_points_of_a_curve_and_not_rivals() -> None:
    exam = {**EXAM, "none_share_0_25": 0.93, "none_share_0_5": 0.9, "none_share_0_75": 0.8}
    domain = {**DOMAIN, "none_share_0_25": 0.3, "none_share_0_5": 0.5, "none_share_0_75": 0.65}
    found = experiment(exam, domain)
    assert list(found.arms) == ["none", "static", "ema"]
    assert found.shares == {"none": ["none_share_0_25", "none_share_0_5", "none_share_0_75", "none"]}
    assert not any("_share_" in one.first for one in found.comparisons)
    assert found.matched.keys() == {"static", "ema"}
    # Holm's family is the three pairs of methods: its smallest p counts three times.
    pairs = [one for one in found.comparisons if one.measure == found.capability and one.first != "base"]
    smallest = min(pairs, key=lambda one: one.difference.p)
    assert smallest.p_holm == pytest.approx(3 * smallest.difference.p)


def test_a_capability_that_was_not_measured_is_refused() -> None:
    with pytest.raises(InputError, match="`mmlu_acc` was measured on fewer than 2 cases, or not at all"):
        experiment(EXAM, DOMAIN, limits=replace(LIMITS, capability="mmlu_acc"))
    with pytest.raises(InputError, match="`exam_acc` was measured on fewer than 2 cases"):
        experiment(EXAM, DOMAIN, questions=1)
    with pytest.raises(InputError, match="`bethesda_macro_f1` was measured on fewer than 2 cases"):
        experiment(EXAM, DOMAIN, reports=1)


def test_forgetting_can_be_read_from_text() -> None:
    """More nats from the base is more forgotten."""
    found = experiment(EXAM, DOMAIN, limits=replace(LIMITS, capability="base_text_kl_nats"))
    assert found.forgetting("none")[0] == pytest.approx(0.3, abs=0.01)


# ---- Files -------------------------------------------------------------------------------------------------------


def test_the_summary_is_short_and_the_axes_are_differences_from_the_base(results: Results) -> None:
    short = summary(results)
    assert list(short) == ["base", "none", "static", "ema"]
    assert all(len(numbers) <= 12 for numbers in short.values())
    assert "forgetting" not in short["base"]
    for arm in ("none", "static", "ema"):
        numbers = short[arm]
        assert numbers["forgetting"] == pytest.approx(short["base"]["exam_acc"] - numbers["exam_acc"])
        assert numbers["adaptation"] == pytest.approx(numbers["bethesda_macro_f1"] - short["base"]["bethesda_macro_f1"])
        assert numbers["forgetting_low"] < numbers["forgetting"] < numbers["forgetting_high"]
        assert numbers["seeds"] == 3


def test_details_hold_every_number_that_is_said(results: Results) -> None:
    kept = json.loads(json.dumps(details(results, {"processor": "a name"}), allow_nan=False))
    assert kept["arms"]["none"]["exam_acc"]["by_seed"].keys() == {"0", "1", "2"}
    assert kept["arms"]["base"]["exam_acc"]["std"] is None
    pairs = {(one["first"], one["second"], one["measure"]) for one in kept["differences"]}
    assert len(pairs) == len(kept["differences"]) == 6 * len(results.measures)
    assert kept["verdicts"].keys() == {"none", "static", "ema"}
    assert kept["claim"]["holds"] == "contradicted"


# ---- Words -------------------------------------------------------------------------------------------------------


def test_every_sentence_has_an_interval_or_is_the_claim(results: Results) -> None:
    claim, *sentences = verdicts(results)
    assert claim.startswith("The claim that `ema` has the best balance is contradicted")
    assert len(sentences) == 6
    assert all(re.search(r"[+−]\d\.\d{3} \[[+−]\d\.\d{3}, [+−]\d\.\d{3}\]", sentence) for sentence in sentences)


def test_sentences_follow_the_verdicts(results: Results) -> None:
    said = " ".join(verdicts(results))
    assert "`static` forgets less than `none`: −0.1" in said
    assert "`ema` and `none` cannot be told apart in what they forget" in said
    assert "`static` and `none` adapt the same within ±0.05" in said
    turned = experiment({**EXAM, "static": EXAM["none"], "none": EXAM["static"]}, {**DOMAIN, "static": 0.9})
    said = " ".join(verdicts(turned))
    assert "`static` forgets more than `none`: +0.1" in said
    assert "`static` adapts more than `none`: +0.19" in said


def test_large_numbers_of_seeds_and_cases_have_separators() -> None:
    said = wording.needed(Needed(seeds=2319, cases=24_520))
    assert said == "a difference of this size would show with about 2,319 seeds or 24,520 cases"


def test_numbers_have_a_real_minus_and_no_negative_zero() -> None:
    assert number(-0.1234) == "−0.123"
    assert number(-0.0001) == "0.000"
    assert number(-0.0001, signed=True) == "+0.000"


CONTEXT = Context(
    settings={"profile": "tiny", "`none`": {"teacher": "none", "shares": []}},
    provenance={"processor": "a name", "packages": {"torch": "2.13.0"}},
    figures={name: f"About {name}." for name in ("tradeoff.png", "capabilities.png", "curves.png")},
    examples=[Example("узел | киста", {"none": "узел", "ema": ""})],
)


def test_the_report_begins_with_question_and_verdict(results: Results) -> None:
    text = report(results, CONTEXT)
    sections = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert sections[0] == "Verdict"
    assert text.index("What does a language model forget") < text.index("## Verdict") < text.index("The claim that")
    for part in (headline(results), *verdicts(results), "- profile: tiny", "- packages: torch 2.13.0",
                 "- `none`: teacher none, shares none", "![About tradeoff.png.](tradeoff.png)"):  # fmt: skip
        assert part in text


def test_the_report_counts_the_questions_that_changed(results: Results) -> None:
    base = results.scores["base"]["exam_acc"].values[0]
    none = results.scores["none"]["exam_acc"].values
    lost = [int(((base == 1) & (seed == 0)).sum()) for seed in none]
    row = next(line for line in report(results, CONTEXT).splitlines() if re.match(r"\| `none` \| \d+\.\d \(", line))
    assert row.startswith(f"| `none` | {np.mean(lost):.1f} ({min(lost)} to {max(lost)})")


def test_a_new_leak_is_a_change_for_the_worse() -> None:
    found = experiment(EXAM, DOMAIN, limits=replace(LIMITS, capability="template_leak"), leak=0.5)
    row = next(line for line in report(found, CONTEXT).splitlines() if re.match(r"\| `none` \| \d+\.\d \(", line))
    assert row == "| `none` | 27.0 (27 to 27) | 0.0 (0 to 0) |"


class Outside(HTMLParser):
    """Collects every address of a page, and its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.cells: list[str] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        self._in_cell = tag in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells.append(data.strip())


def test_the_page_needs_nothing_but_itself(results: Results, tmp_path: Path) -> None:
    for name in CONTEXT.figures:
        (tmp_path / name).write_bytes(b"\x89PNG")
    shown = overview(summary(results), details(results, {"split": "test"}), {})
    html = page(report(results, CONTEXT), "A title", tmp_path, shown, METHODS)
    found = Outside()
    found.feed(html)
    pictures = [address for address in found.addresses if not address.startswith("#")]
    assert pictures == ["data:image/png;base64,iVBORw=="] * 3
    assert not re.search("https?:", html)
    # A vertical bar in a text does not end its cell.
    assert "узел | киста" in found.cells


# ---- Figures -----------------------------------------------------------------------------------------------------


def arms_drawn(axes: Axes) -> dict[str, ErrorbarContainer]:
    return {str(one.get_label()): one for one in axes.containers if isinstance(one, ErrorbarContainer)}


def seeds_drawn(axes: Axes, arm: Line2D) -> set[tuple[float, float]]:
    """The small markers in an arm's colours."""
    small = [
        line
        for line in axes.lines
        if line.get_markersize() < arm.get_markersize()
        and (line.get_marker(), line.get_color()) == (arm.get_marker(), arm.get_color())
        and line.get_markerfacecolor() == arm.get_markerfacecolor()
    ]
    return {(x, y) for line in small for x, y in np.asarray(line.get_xydata()).round(6).tolist()}


def test_tradeoff_has_forgetting_across_and_a_measure_up(results: Results) -> None:
    figure = tradeoff(results, METHODS)
    panels = figure.axes
    titles = ("macro-F1", "recall of critical", "conclusion, bits per byte")
    assert [axes.get_title() for axes in panels] == [f"{title} (up is better)" for title in titles]
    for axes in panels:
        assert axes.get_xlabel().startswith("forgetting")
        assert not axes.xaxis_inverted()
    assert [axes.yaxis_inverted() for axes in panels] == [False, False, True]
    drawn = arms_drawn(panels[0])
    assert drawn.keys() == {"none", "static", "ema"}
    for arm, bars in drawn.items():
        point = (results.forgetting(arm)[0], results.intervals[arm]["bethesda_macro_f1"].estimate)
        assert np.asarray(bars.lines[0].get_xydata()) == pytest.approx(np.array([point]))
        forgotten = -results.gains(arm, results.capability)
        reached = results.samples[arm]["bethesda_macro_f1"].estimates
        assert seeds_drawn(panels[0], bars.lines[0]) == {
            (round(x, 6), round(y, 6)) for x, y in zip(forgotten, reached, strict=True)
        }


def test_error_bars_are_the_intervals(results: Results) -> None:
    bars = arms_drawn(tradeoff(results, METHODS).axes[0])["ema"]
    own = results.intervals["ema"]["bethesda_macro_f1"]
    intervals = (results.forgetting("ema")[1:], (own.low, own.high))
    for bar, axis, interval_drawn in zip(bars.lines[2], (0, 1), intervals, strict=True):
        assert sorted(np.asarray(bar.get_segments()[0])[:, axis]) == pytest.approx(interval_drawn)


def test_seeds_are_joined_in_pairs(results: Results) -> None:
    axes = tradeoff(results, METHODS).axes[0]
    joined = [line for line in axes.lines if line.get_color() == "0.85"]
    assert len(joined) == 3
    for row, line in enumerate(joined):
        expected = [
            (-results.gains(arm, results.capability)[row], results.samples[arm]["bethesda_macro_f1"].estimates[row])
            for arm in results.arms
        ]
        assert np.asarray(line.get_xydata()) == pytest.approx(np.array(expected))


def test_the_base_is_outside_the_picture(results: Results) -> None:
    axes = tradeoff(results, METHODS).axes[0]
    assert axes.get_ylim()[0] > results.intervals["base"]["bethesda_macro_f1"].estimate


def test_shares_of_an_update_are_joined_up_to_the_whole() -> None:
    exam = {**EXAM, "none_share_0_25": 0.93, "none_share_0_75": 0.8}
    domain = {**DOMAIN, "none_share_0_25": 0.3, "none_share_0_75": 0.65}
    found = experiment(exam, domain)
    axes = tradeoff(found, METHODS).axes[0]
    (joined,) = (line for line in axes.lines if line.get_linestyle() == ":")
    arms = ["none_share_0_25", "none_share_0_75", "none"]
    expected = [(found.forgetting(arm)[0], found.intervals[arm]["bethesda_macro_f1"].estimate) for arm in arms]
    assert np.asarray(joined.get_xydata()) == pytest.approx(np.array(expected))
    assert [text.get_text() for text in axes.texts] == ["0.25", "0.75"]


def test_every_cell_of_the_heat_map_says_its_change(results: Results) -> None:
    (axes,) = capabilities(results).axes
    general = [measure for measure in results.measures if measure.general]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    for row, arm in enumerate(results.arms):
        for column, measure in enumerate(general):
            change = results.comparison("base", arm, measure).difference.estimate
            assert written[column, row] == number(change, signed=True)
    # Worse and better have opposite colours, whatever the measure's direction.
    colours = axes.images[0].get_array()
    assert colours is not None
    assert (colours[:, :2] < 0).all()
    assert (colours[:, 2] == 0).all()


def curves_of(methods: list[str]) -> pd.DataFrame:
    """Values that encode step, method and seed: seeds 0 and 1 lie 1 below and 1 above a method's mean."""
    rows = [
        (step, method, seed, quantity, 100.0 * place + step + 2 * seed - 1)
        for place, method in enumerate(methods)
        for seed in (0, 1)
        for quantity in ("ce_nats", "grad_norm", "learning_rate")
        for step in (0, 20, 40)
    ]
    return pd.DataFrame(rows, columns=["step", "method", "seed", "quantity", "value"])


def test_curves_show_the_mean_of_the_seeds_and_their_range() -> None:
    figure = training_curves(curves_of(["none", "ema"]), METHODS)
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert [title.partition(",")[0] for title in panels] == ["cross-entropy", "learning rate", "gradient norm"]
    for axes in panels.values():
        none, ema = axes.lines
        assert np.asarray(none.get_xydata()).tolist() == [[0, 0], [20, 20], [40, 40]]
        assert np.asarray(ema.get_xydata()).tolist() == [[0, 100], [20, 120], [40, 140]]
        low, high = axes.collections[0].get_paths()[0].get_extents().intervaly
        assert (low, high) == (-1, 41)


def test_a_method_has_one_colour_and_marker_in_every_figure() -> None:
    """Whichever arms a figure shows, in whatever order."""
    seen: dict[str, set[object]] = {}
    for shown in (["none", "ema", "top_layer"], ["top_layer", "ema"], ["ema_slow", "top_layer", "none"]):
        found = experiment({"base": 0.9, **dict.fromkeys(shown, 0.7)}, {"base": 0.1, **dict.fromkeys(shown, 0.6)})
        lines = [(arm, bars.lines[0]) for arm, bars in arms_drawn(tradeoff(found, METHODS).axes[0]).items()]
        for axes in training_curves(curves_of(shown), METHODS).axes:
            lines += [(str(line.get_label()), line) for line in axes.lines]
        for arm, line in lines:
            seen.setdefault(arm, set()).add((line.get_color(), line.get_marker()))
    assert all(len(looks) == 1 for looks in seen.values())
    assert len(set.union(*seen.values())) == len(seen) == 4


def test_an_arm_of_a_method_has_its_colour_and_another_face() -> None:
    ema, teacher, share = (look(arm, METHODS) for arm in ("ema", "ema_teacher", "ema_share_0_5"))
    assert ema.colour == teacher.colour == share.colour
    assert ema.marker == teacher.marker == share.marker
    assert len({ema.face, teacher.face, share.face}) == 3
    assert ema.face == pytest.approx(to_rgb(ema.colour))
    assert teacher.face == (1, 1, 1)
    assert (ema.line, teacher.line, share.line) == ("-", "--", "--")
    # The longest method's name wins: `ema_slow` is a method of its own.
    assert look("ema_slow_teacher", METHODS).colour == look("ema_slow", METHODS).colour != ema.colour


def test_fifteen_arms_can_be_told_apart(tmp_path: Path) -> None:
    parts = ["none_share_0_25", "none_share_0_5", "none_share_0_75", "averaged_share_0_25", "averaged_share_0_5"]
    arms = [*METHODS, "ema_teacher", *parts]
    looks = {(drawn.colour, drawn.marker, drawn.fill) for drawn in (look(arm, METHODS) for arm in arms)}
    assert len(looks) == len(arms) == 15
    many = [f"m{place}" for place in range(len(COLOURS) * len(MARKERS))]
    assert len({look(name, many) for name in many}) == len(many)
    found = experiment({"base": 0.9, **dict.fromkeys(arms, 0.7)}, {"base": 0.1, **dict.fromkeys(arms, 0.6)})
    save(tradeoff(found, METHODS), tmp_path / "new" / "tradeoff.png")
    assert (tmp_path / "new" / "tradeoff.png").read_bytes().startswith(b"\x89PNG")


# ---- README ------------------------------------------------------------------------------------------------------


def committed(path: str) -> str:
    """As in the last commit: a user's own experiment changes the report and not the README."""
    return subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, check=True).stdout.decode()


def test_readme_shows_the_last_run() -> None:
    """The README's table is that of the published result, on the test split."""
    published = committed("results/smollm2-135m/reports/report.md")
    assert "on the test split, 3 seeds" in published
    table = re.search(r"^\|  \| .*?(?=\n\n)", published, flags=re.MULTILINE | re.DOTALL)
    assert table is not None
    assert table[0] in committed("README.md")
