"""Shares of an update: what is measured on them, and an analysis in which the rest is absent."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM

from anamnesis.analysis.experiment import Results, analyse
from anamnesis.analysis.overview import overview
from anamnesis.analysis.plots import capabilities, tradeoff
from anamnesis.analysis.report import Context, report
from anamnesis.analysis.scores import BASE
from anamnesis.analysis.summary import details, summary
from anamnesis.evaluation.arms import Arm
from anamnesis.evaluation.divergence import of_the_base
from anamnesis.evaluation.domain import evaluate_domain
from anamnesis.evaluation.general import evaluate_general
from anamnesis.evaluation.harness import language_model
from anamnesis.files import write_jsonl
from anamnesis.settings.verdict import adaptations
from tests.conftest import HEADINGS
from tests.results import CRITICAL, LIMITS, experiment, lengths, made_up_scores
from tests.test_evaluation import CATEGORIES, evaluation, small_exam

EXAM = {BASE: 0.98, "none": 0.75, "none_share_0_25": 0.93, "none_share_0_5": 0.85, "ema": 0.8}
DOMAIN = {BASE: 0.1, "none": 0.7, "none_share_0_25": 0.3, "none_share_0_5": 0.5, "ema": 0.68}
PARTS = ("none_share_0_25", "none_share_0_5")
FIGURES = {name: name for name in ("tradeoff.png", "capabilities.png", "curves.png")}


def test_a_part_is_measured_on_less_and_the_rest_is_the_same(
    base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, reports: list[dict[str, str]], tmp_path: Path
) -> None:
    lm = language_model(base, tokenizer, batch_size=7)
    write_jsonl(tmp_path / "test.jsonl", reports)
    sources = small_exam(tmp_path)
    wholes, parts = (
        [
            evaluate_domain(arm, evaluation(), HEADINGS, CATEGORIES, tmp_path / "test.jsonl", "test"),
            evaluate_general(arm, evaluation(), HEADINGS, CATEGORIES.names, sources),
        ]
        for arm in (Arm("none", lm, of_the_base), Arm("none", lm, of_the_base, part=True))
    )
    of_reports = {"report_bits_per_byte", "domain_kl_nats", "category_agreement", "rouge_l", "bleu", "chrf"}
    assert not of_reports & set(adaptations("bethesda"))
    tasks = ("report_text", "report_generation", "general_prompts")
    for whole, part, left_out in zip(wholes, parts, (of_reports, {"template_leak"}), strict=True):
        assert whole is not None
        assert part is not None
        assert whole.metrics.keys() - part.metrics.keys() == left_out
        kept = part.metrics.keys() - {"generated", "harness"}
        assert {key: whole.metrics[key] for key in kept} == {key: part.metrics[key] for key in kept}
        assert part.cases == [case for case in whole.cases if case.measure not in left_out]
        assert [row for row in whole.log if row["task"] not in tasks] == part.log


def as_measured(found: Results, capability: Any = None) -> Results:
    """The same experiment as the stages measure it: template_leak is absent on shares."""
    scores = {
        arm: {measure: one for measure, one in of_arm.items() if arm not in PARTS or measure != "template_leak"}
        for arm, of_arm in found.scores.items()
    }
    limits = replace(LIMITS, capability=capability)
    return analyse(scores, ["none", "ema"], "bethesda", CRITICAL, "test", limits)


def test_what_is_not_measured_on_shares_is_absent_and_all_else_is_the_same() -> None:
    whole = experiment(EXAM, DOMAIN)
    found = as_measured(whole)
    assert found.shares == whole.shares == {"none": [*PARTS, "none"]}
    assert found.matched == whole.matched
    for arm in PARTS:
        assert whole.samples[arm].keys() - found.samples[arm].keys() == {"template_leak"}
        assert "template_leak" not in summary(found)[arm]
        assert summary(found)[arm]["forgetting"] == summary(whole)[arm]["forgetting"]
        assert "template_leak" not in details(found, {})["arms"][arm]
    leaks = [(one.first, one.second) for one in found.comparisons if one.measure.key == "template_leak"]
    assert leaks == [(BASE, "none"), (BASE, "ema"), ("none", "ema")]
    assert report(found, Context({}, {}, FIGURES, [])) == report(whole, Context({}, {}, FIGURES, []))
    assert len(capabilities(found).axes[0].texts) == 2 * 3


def test_adaptation_can_be_the_fall_in_bits_per_byte() -> None:
    """`ema` learns what half of the update of `none` teaches, and is compared with it."""
    rates = {BASE: 2.0, "none_share_0_25": 1.6, "none_share_0_5": 1.2, "none": 0.4, "ema": 1.2}
    draw = np.random.default_rng(1)
    scores = made_up_scores(EXAM, DOMAIN)
    for arm, rate in rates.items():
        seeds = len(scores[arm]["exam_acc"].seeds)
        scores[arm]["conclusion_bits_per_byte"] = lengths(rate, seeds, 50, draw, "conclusion")
    limits = replace(LIMITS, adaptation="conclusion_bits_per_byte", min_adaptation=1.0)
    found = analyse(scores, ["none", "ema"], "bethesda", CRITICAL, "test", limits)
    assert found.gain("none")[0] == pytest.approx(1.6, abs=0.02)
    assert found.gain("ema")[0] == summary(found)["ema"]["adaptation"] == pytest.approx(0.8, abs=0.02)
    at_equal = found.matched["ema"].found
    assert at_equal.place == pytest.approx(2, abs=0.05)
    assert at_equal.difference is not None
    assert at_equal.difference.estimate == pytest.approx(EXAM["ema"] - EXAM["none_share_0_5"], abs=0.02)
    assert any(
        reason.startswith("adaptation 0.") and reason.endswith("asked at least 1: broken")
        for reason in found.judgements["ema"].reasons
    )
    assert "adaptation the fall in conclusion bits per byte." in report(found, Context({}, {}, FIGURES, []))
    assert len(tradeoff(found, ["none", "ema"]).axes) == 2


def test_without_a_category_the_text_is_enough() -> None:
    found = experiment(EXAM, DOMAIN, reports=1, limits=replace(LIMITS, adaptation="conclusion_bits_per_byte"))
    assert found.gain("none")[0] == pytest.approx(1.5, abs=0.02)
    shown = overview(summary(found), details(found, {"split": "test"}), {})
    keys = [column.key for column in shown.columns]
    assert "conclusion_bits_per_byte" in keys
    assert not any("bethesda" in key for key in keys)
    assert "conclusion, bits per byte" in report(found, Context({}, {}, FIGURES, []))


@pytest.mark.parametrize("capability", ["template_leak", "base_text_kl_nats"])
def test_without_the_capability_on_shares_there_is_no_curve(capability: str) -> None:
    """Nothing else is lost: the shares stay compared with the base on what was measured."""
    found = as_measured(experiment(EXAM, DOMAIN, leak=0.5), capability)
    measured = capability != "template_leak"
    assert bool(found.shares) == bool(found.matched) == measured
    assert found.arms == ["none", "ema"]
    assert ("forgetting" in summary(found)["none_share_0_5"]) == measured
    assert summary(found)["none_share_0_5"].keys() >= {"bethesda_macro_f1"}
    assert ("share of the update" in report(found, Context({}, {}, FIGURES, []))) == measured
    assert tradeoff(found, ["none", "ema"]).axes
    assert details(found, {})["arms"].keys() == EXAM.keys()
