"""The summary and what the report says of it."""

import subprocess
from statistics import mean, stdev

import pytest

from anamnesis.analysis.results import findings, report, table
from anamnesis.analysis.summary import compare_with_base, summarize
from tests.conftest import ROOT

BASE = {"mmlu_acc": 0.9, "bethesda_macro_f1": 0.1, "general_bits_per_byte": 0.3, "reports": 100}
RUNS = {
    "none": {
        0: {"mmlu_acc": 0.5, "bethesda_macro_f1": 0.7, "general_bits_per_byte": 0.9, "reports": 100},
        1: {"mmlu_acc": 0.6, "bethesda_macro_f1": 0.6, "general_bits_per_byte": 0.8, "reports": 100},
    },
    "ema": {
        0: {"mmlu_acc": 0.8, "bethesda_macro_f1": 0.73, "general_bits_per_byte": 0.5, "reports": 100},
        1: {"mmlu_acc": 0.7, "bethesda_macro_f1": 0.59, "general_bits_per_byte": 0.6, "reports": 100},
    },
}
COMPARED = compare_with_base(RUNS, BASE, "bethesda")
SUMMARY = summarize(COMPARED, BASE, "bethesda")


def test_axes_are_differences_from_the_base() -> None:
    assert COMPARED["none"][0]["forgetting"] == pytest.approx(0.4)
    assert COMPARED["none"][0]["adaptation"] == pytest.approx(0.6)


def test_summary_has_mean_spread_and_number_of_seeds() -> None:
    assert SUMMARY["none"]["mmlu_acc"] == pytest.approx(mean([0.5, 0.6]))
    assert SUMMARY["none"]["mmlu_acc_std"] == pytest.approx(stdev([0.5, 0.6]))
    assert SUMMARY["none"]["seeds"] == 2
    assert SUMMARY["base"] == {"mmlu_acc": 0.9, "bethesda_macro_f1": 0.1, "general_bits_per_byte": 0.3}
    assert "reports" not in SUMMARY["none"]


def test_one_seed_has_no_spread() -> None:
    summary = summarize({"none": {0: COMPARED["none"][0]}}, BASE, "bethesda")
    assert not any(key.endswith("_std") for key in summary["none"])


def test_table_shows_what_was_measured() -> None:
    lines = table(SUMMARY, "bethesda").splitlines()
    assert lines[0].startswith("| | exam accuracy | forgetting |")
    assert lines[2].startswith("| `base` | 0.900 |  |")
    assert lines[3].startswith("| `none` | 0.550 ± 0.071 | 0.350 ± 0.071 |")
    assert "MMLU medical" not in lines[0]


def test_findings_follow_the_numbers() -> None:
    text = findings(SUMMARY, COMPARED, "bethesda")
    assert "`none` forgets 0.350 of the exam and gains 0.550 of macro-F1." in text
    assert "Against `none`, `ema` forgets less (by 0.200, in all 2 seeds)" in text
    assert "it adapts not consistently more (by 0.010 on average, in 1 of 2 seeds)" in text


def test_findings_turn_with_the_numbers() -> None:
    swapped = {"none": COMPARED["ema"], "ema": COMPARED["none"]}
    text = findings(summarize(swapped, BASE, "bethesda"), swapped, "bethesda")
    assert "Against `none`, `ema` forgets more (by 0.200, in all 2 seeds)" in text


def test_equal_arms_are_called_equal() -> None:
    same = {"static": COMPARED["none"], "ema": COMPARED["none"]}
    text = findings(summarize(same, BASE, "bethesda"), same, "bethesda")
    assert "Against `static`, `ema` forgets the same; it adapts the same." in text


def test_one_seed_is_called_one_seed() -> None:
    compared = {arm: {0: runs[0]} for arm, runs in COMPARED.items()}
    assert "one seed only" in findings(summarize(compared, BASE, "bethesda"), compared, "bethesda")


def test_report_holds_table_findings_and_pictures() -> None:
    text = report(SUMMARY, COMPARED, "bethesda", {"profile": "tiny"}, {"tradeoff.png": "The trade-off."})
    assert table(SUMMARY, "bethesda") in text
    assert "![The trade-off.](tradeoff.png)" in text
    assert "- profile: tiny" in text


def committed(path: str) -> str:
    """As it stands in the last commit: a user's own experiment changes the report and not the README."""
    return subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, check=True).stdout.decode()


def test_readme_shows_the_last_run() -> None:
    """The README's table is the report's first, line by line."""
    lines = committed("reports/report.md").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = lines[start : lines.index("", start)]
    assert len(rows) > 4
    assert "\n".join(rows) in committed("README.md")
