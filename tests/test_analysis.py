"""From files of measurements to the summary, the figures, and what the results page says."""

import json
import subprocess
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from anamnesis.analysis.plots import tradeoff, training_curves
from anamnesis.analysis.results import findings, results_page, table
from anamnesis.analysis.runs import load_curves, load_runs
from anamnesis.analysis.summary import compare_with_base, summarize
from anamnesis.figures import COLOURS, MARKERS, look, save
from anamnesis.files import write_json
from tests.conftest import ROOT

BASE = {"exam_acc": 0.9, "bethesda_macro_f1": 0.1, "facts_text_bits_per_byte": 0.3, "reports": 100}
RUNS = {
    "none": {
        0: {"exam_acc": 0.5, "bethesda_macro_f1": 0.7, "facts_text_bits_per_byte": 0.9, "reports": 100},
        1: {"exam_acc": 0.6, "bethesda_macro_f1": 0.6, "facts_text_bits_per_byte": 0.8, "reports": 100},
    },
    "ema": {
        0: {"exam_acc": 0.8, "bethesda_macro_f1": 0.73, "facts_text_bits_per_byte": 0.5, "reports": 100},
        1: {"exam_acc": 0.7, "bethesda_macro_f1": 0.59, "facts_text_bits_per_byte": 0.6, "reports": 100},
    },
}
METHODS = ["none", "static", "ema", "dora", "bitfit", "slow", "top_layer", "averaged", "ema_slow"]
COMPARED = compare_with_base(RUNS, BASE, "bethesda")
SUMMARY = summarize(COMPARED, BASE, "bethesda")


# ---- Runs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """Measurements of a base and of two methods with two seeds each; no two numbers are equal."""
    numbers = iter(range(1, 1000))
    for run in ("base", "none-0", "none-1", "ema-0", "ema-1", "ema-7", "old-0"):
        method = run.partition("-")[0]
        arms = [method, "ema_teacher", "ema_share_0_5"] if method == "ema" else [method]
        for kind, key in (("general", "exam_acc"), ("domain", "bethesda_macro_f1")):
            write_json(tmp_path / kind / f"{run}.json", {arm: {key: next(numbers) / 1000} for arm in arms})
    return tmp_path


def test_every_arm_and_seed_has_the_numbers_of_its_own_files(measured: Path) -> None:
    base, runs = load_runs(measured, ["none", "ema"], [0, 1])

    def in_file(kind: str, run: str, arm: str) -> dict[str, float]:
        numbers: dict[str, float] = json.loads((measured / kind / f"{run}.json").read_text())[arm]
        return numbers

    assert base == in_file("general", "base", "base") | in_file("domain", "base", "base")
    assert list(runs) == ["none", "ema", "ema_teacher", "ema_share_0_5"]
    assert all(sorted(seeds) == [0, 1] for seeds in runs.values())
    for arm, seeds in runs.items():
        for seed, numbers in seeds.items():
            run = f"{arm.partition('_')[0]}-{seed}"
            assert numbers == in_file("general", run, arm) | in_file("domain", run, arm)


def test_runs_of_an_earlier_experiment_are_left_out(measured: Path) -> None:
    _, runs = load_runs(measured, ["ema"], [1])
    assert {arm: list(seeds) for arm, seeds in runs.items()} == {"ema": [1], "ema_teacher": [1], "ema_share_0_5": [1]}


def test_curves_keep_every_step_of_every_run(tmp_path: Path) -> None:
    for number, run in enumerate(("none-0", "none-1", "ema-0", "ema-1", "old-0")):
        folder = tmp_path / run / "plots" / "metrics"
        folder.mkdir(parents=True)
        for quantity in ("ce_nats", "grad_norm"):
            lines = [f"{step}\t{number * 10 + step}" for step in (1, 20)]
            (folder / f"{quantity}.tsv").write_text("\n".join([f"step\t{quantity}", *lines]))
    curves = load_curves(tmp_path, ["none", "ema"], [0, 1])
    assert len(curves) == 4 * 2 * 2
    one = curves[(curves["method"] == "ema") & (curves["seed"] == 1) & (curves["quantity"] == "ce_nats")]
    assert dict(zip(one["step"], one["value"], strict=True)) == {1: 31, 20: 50}


# ---- Summary -----------------------------------------------------------------------------------------------------


def test_axes_are_differences_from_the_base() -> None:
    assert COMPARED["none"][0]["forgetting"] == pytest.approx(0.4)
    assert COMPARED["none"][0]["adaptation"] == pytest.approx(0.6)


def test_to_lose_knowledge_is_to_forget_and_to_read_reports_better_is_to_adapt() -> None:
    """Signs: forgetting is positive if an arm answers fewer questions than the base, negative if it answers more."""
    arms = {
        "worse": {0: BASE | {"exam_acc": 0.8, "bethesda_macro_f1": 0.05}},
        "same": {0: BASE},
        "better": {0: BASE | {"exam_acc": 0.95, "bethesda_macro_f1": 0.2}},
    }
    compared = compare_with_base(arms, BASE, "bethesda")
    assert compared["worse"][0]["forgetting"] > compared["same"][0]["forgetting"] == 0
    assert compared["better"][0]["forgetting"] < 0
    assert compared["worse"][0]["adaptation"] < compared["same"][0]["adaptation"] == 0
    assert compared["better"][0]["adaptation"] > 0


def test_summary_has_mean_spread_and_number_of_seeds() -> None:
    assert SUMMARY["none"]["exam_acc"] == pytest.approx(mean([0.5, 0.6]))
    assert SUMMARY["none"]["exam_acc_std"] == pytest.approx(stdev([0.5, 0.6]))
    assert SUMMARY["none"]["seeds"] == 2
    assert SUMMARY["base"] == {"exam_acc": 0.9, "bethesda_macro_f1": 0.1, "facts_text_bits_per_byte": 0.3}
    assert "reports" not in SUMMARY["none"]


def test_spread_is_that_of_a_sample() -> None:
    """Divided by n - 1: the spread of 0, 1 and 2 is 1, not the square root of 2/3."""
    runs = {"none": {seed: {"exam_acc": float(seed)} for seed in range(3)}}
    assert summarize(runs, BASE, "bethesda")["none"]["exam_acc_std"] == pytest.approx(1)


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_every_seed_counts(changed: int) -> None:
    runs = {"none": {seed: {"exam_acc": 0.5, "bethesda_macro_f1": 0.5} for seed in range(3)}}
    runs["none"][changed] = {"exam_acc": 0.8, "bethesda_macro_f1": 0.2}
    summary = summarize(compare_with_base(runs, BASE, "bethesda"), BASE, "bethesda")["none"]
    assert summary["seeds"] == 3
    assert summary["exam_acc"] == pytest.approx(0.6)
    assert summary["forgetting"] == pytest.approx(0.3)
    assert summary["adaptation"] == pytest.approx(0.3)
    assert summary["adaptation_std"] == pytest.approx(stdev([0.4, 0.4, 0.1]))


def test_one_seed_has_no_spread() -> None:
    summary = summarize({"none": {0: COMPARED["none"][0]}}, BASE, "bethesda")
    assert not any(key.endswith("_std") for key in summary["none"])


# ---- What the page says ------------------------------------------------------------------------------------------


def test_table_shows_what_was_measured() -> None:
    lines = table(SUMMARY, "bethesda").splitlines()
    assert lines[0] == "|  | exam accuracy | forgetting | macro-F1 | adaptation |"
    assert lines[1] == "|---|---|---|---|---|"
    assert lines[2] == "| `base` | 0.900 |  | 0.100 |  |"
    assert lines[3] == "| `none` | 0.550 ± 0.071 | 0.350 ± 0.071 | 0.650 ± 0.071 | 0.550 ± 0.071 |"
    assert table(SUMMARY, "bethesda", first=False).splitlines()[0] == "|  | facts, bits per byte |"


def test_findings_follow_the_numbers() -> None:
    text = findings(SUMMARY, COMPARED, "bethesda")
    assert "`none` forgets 0.350 of the exam and gains 0.550 of macro-F1." in text
    assert "Against `none`, `ema` forgets less (by 0.200, in all 2 seeds)" in text
    assert "it adapts not consistently more (by 0.010 on average, in 1 of 2 seeds)" in text


def test_findings_turn_with_the_numbers() -> None:
    swapped = {"none": COMPARED["ema"], "ema": COMPARED["none"]}
    text = findings(summarize(swapped, BASE, "bethesda"), swapped, "bethesda")
    assert "Against `none`, `ema` forgets more (by 0.200, in all 2 seeds)" in text


def test_the_arm_with_the_higher_macro_f1_is_said_to_adapt_more() -> None:
    arms = {
        "weak": {seed: BASE | {"exam_acc": 0.85, "bethesda_macro_f1": 0.05} for seed in (0, 1)},
        "strong": {seed: BASE | {"exam_acc": 0.95, "bethesda_macro_f1": 0.5 + seed / 10} for seed in (0, 1)},
    }
    compared = compare_with_base(arms, BASE, "bethesda")
    text = findings(summarize(compared, BASE, "bethesda"), compared, "bethesda")
    assert "`weak` forgets 0.050 of the exam and loses 0.050 of macro-F1." in text
    assert "`strong` gains 0.050 of the exam and gains 0.450 of macro-F1." in text
    assert "`strong` forgets less (by 0.100, in all 2 seeds); it adapts more (by 0.500, in all 2 seeds)." in text


def test_equal_arms_are_called_equal() -> None:
    same = {"static": COMPARED["none"], "ema": COMPARED["none"]}
    text = findings(summarize(same, BASE, "bethesda"), same, "bethesda")
    assert "Against `static`, `ema` forgets the same; it adapts the same." in text


def test_one_seed_is_called_one_seed() -> None:
    compared = {arm: {0: runs[0]} for arm, runs in COMPARED.items()}
    assert "one seed only" in findings(summarize(compared, BASE, "bethesda"), compared, "bethesda")


def test_results_page_holds_tables_findings_figures_and_settings() -> None:
    text = results_page(SUMMARY, COMPARED, "bethesda", {"profile": "tiny"}, {"tradeoff.png": "The trade-off."})
    for part in (
        table(SUMMARY, "bethesda"),
        table(SUMMARY, "bethesda", first=False),
        findings(SUMMARY, COMPARED, "bethesda"),
        "![The trade-off.](tradeoff.png)",
        "- profile: tiny",
    ):
        assert part in text


# ---- Figures -----------------------------------------------------------------------------------------------------


def arms_drawn(figure: Figure) -> dict[str, Line2D]:
    """The marker at the mean of every arm, by the arm's label."""
    (axes,) = figure.axes
    bars = [container for container in axes.containers if isinstance(container, ErrorbarContainer)]
    return {str(container.get_label()): container.lines[0] for container in bars}


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


def test_tradeoff_has_forgetting_across_and_adaptation_up() -> None:
    figure = tradeoff(COMPARED, METHODS)
    (axes,) = figure.axes
    assert axes.get_xlabel().startswith("forgetting")
    assert axes.get_ylabel().startswith("adaptation")
    assert not axes.xaxis_inverted()
    assert not axes.yaxis_inverted()
    drawn = arms_drawn(figure)
    assert drawn.keys() == COMPARED.keys()
    for arm, runs in COMPARED.items():
        forgetting = [run["forgetting"] for run in runs.values()]
        adaptation = [run["adaptation"] for run in runs.values()]
        assert np.asarray(drawn[arm].get_xydata()) == pytest.approx(np.array([[mean(forgetting), mean(adaptation)]]))
        assert seeds_drawn(axes, drawn[arm]) == {
            (round(x, 6), round(y, 6)) for x, y in zip(forgetting, adaptation, strict=True)
        }


def test_error_bars_are_one_standard_deviation_to_each_side() -> None:
    (axes,) = tradeoff({"ema": COMPARED["ema"]}, METHODS).axes
    (bars,) = (container for container in axes.containers if isinstance(container, ErrorbarContainer))
    for bar, axis, key in zip(bars.lines[2], (0, 1), ("forgetting", "adaptation"), strict=True):
        values = [run[key] for run in COMPARED["ema"].values()]
        ends = np.asarray(bar.get_segments()[0])[:, axis]
        assert sorted(ends) == pytest.approx([mean(values) - stdev(values), mean(values) + stdev(values)])


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
    runs = {seed: {"forgetting": 0.1 * seed, "adaptation": 0.2} for seed in (0, 1)}
    seen: dict[str, set[object]] = {}
    for shown in (["none", "ema", "top_layer"], ["top_layer", "ema"], ["ema_slow", "top_layer", "none"]):
        lines = [*arms_drawn(tradeoff(dict.fromkeys(shown, runs), METHODS)).items()]
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


def test_shares_of_an_update_are_joined_from_the_base_to_the_whole() -> None:
    points = {"none": (0.4, 0.5), "none_share_0_75": (0.2, 0.4), "none_share_0_25": (0.0, 0.1), "ema": (0.3, 0.3)}
    runs = {arm: {0: {"forgetting": x, "adaptation": y}} for arm, (x, y) in points.items()}
    (axes,) = tradeoff(runs, METHODS).axes
    (joined,) = (line for line in axes.lines if line.get_linestyle() == ":")
    assert np.asarray(joined.get_xydata()) == pytest.approx(np.array([[0, 0], [0, 0.1], [0.2, 0.4], [0.4, 0.5]]))
    assert [text.get_text() for text in axes.texts] == ["0.25", "0.75"]


def test_fifteen_arms_can_be_told_apart(tmp_path: Path) -> None:
    arms = [
        *METHODS,
        "ema_teacher",
        "none_share_0_25",
        "none_share_0_5",
        "none_share_0_75",
        "averaged_share_0_25",
        "averaged_share_0_5",
    ]
    looks = {(drawn.colour, drawn.marker, drawn.fill) for drawn in (look(arm, METHODS) for arm in arms)}
    assert len(looks) == len(arms) == 15
    many = [f"m{number}" for number in range(len(COLOURS) * len(MARKERS))]
    assert len({look(name, many) for name in many}) == len(many)
    runs = {arm: {0: {"forgetting": 0.1, "adaptation": place / 10}} for place, arm in enumerate(arms)}
    save(tradeoff(runs, METHODS), tmp_path / "new" / "tradeoff.png")
    assert (tmp_path / "new" / "tradeoff.png").read_bytes().startswith(b"\x89PNG")


# ---- README ------------------------------------------------------------------------------------------------------


def committed(path: str) -> str:
    """As in the last commit: a user's own experiment changes the summary and not the README."""
    return subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, check=True).stdout.decode()


def test_readme_shows_the_last_run() -> None:
    """The README's table is made from the committed summary."""
    assert table(json.loads(committed("metrics/summary.json")), "bethesda") in committed("README.md")
