"""The figures of the report. Each can be read in black and white: by markers, line styles and written numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anamnesis.analysis.experiment import Results
from anamnesis.analysis.measures import Measure
from anamnesis.analysis.scores import BASE
from anamnesis.analysis.wording import number
from anamnesis.figures import frame, look

CAPTIONS = {
    "tradeoff.png": "What each arm reaches against what it forgets: arms with 95 % intervals, seeds joined by thin "
    "lines. The base is outside.",
    "capabilities.png": "The change of each general capability against the base. White: within the margin of "
    "params.yaml; orange: worse; blue or purple: better.",
    "curves.png": "Mean over seeds, and their range.",
}
TITLES = {
    "ce_nats": "cross-entropy, nats per token",
    "divergence_nats": "divergence from the teacher, nats per token",
    "penalty_nats": "penalties on ΔW, nats",
    "l1_norm": "L1 norm",
    "l2_sp": "L2-SP: ‖ΔW‖² / 2",
    "ewc_nats": "EWC: predicted rise on general text, nats per token",
    "base_kl_nats": "KL(base ‖ student) on the reports, nats per token",
    "kept_share": "share of the tokens that count",
    "kept_first_share": "share of the first tokens that count",
    "monitor_nats": "loss on the monitor's texts, nats per token",
    "monitor_kl_nats": "KL(base ‖ student) on the monitor's texts",
    "monitor_domain_nats": "loss on the monitor's reports",
    "replay_nats": "cross-entropy on replayed text, nats per token",
    "replay_kl_nats": "KL from the base on replayed text, nats per token",
    "replay_margin": "margin on replayed text, of last hidden states",
    "update_norm": "distance from the base, ‖ΔW‖",
    "teacher_distance": "distance from the teacher, ‖ΔW‖",
    "learning_rate": "learning rate",
    "grad_norm": "gradient norm",
}
MARKERS_ON_A_CURVE = 7
# A change of this many margins has the strongest colour.
STRONGEST = 10


def tradeoff(results: Results, methods: Sequence[str]) -> Figure:
    """What each arm reaches against what it forgets, one panel per measure of the domain: they need not agree.

    Large markers with 95 % intervals are arms; small ones are seeds, and a thin line joins the arms of one seed. A
    dotted line joins the shares of one method's update. The base is outside.

    Args:
        results: the experiment's results.
        methods: the names of all methods of params.yaml, which give the colours.
    """
    keys = dict.fromkeys((results.adaptation.key, f"{results.label}_recall_critical", "conclusion_bits_per_byte"))
    shown = [measure for key in keys for measure in results.measures if measure.key == key]
    figure = Figure(figsize=(4.6 * len(shown), 4.8), layout="constrained")
    for panel, measure in zip(figure.subplots(1, len(shown), squeeze=False).flat, shown, strict=True):
        _panel(panel, results, measure, methods)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)), frameon=False)
    return figure


def tradeoff_points(results: Results) -> pd.DataFrame:
    """A row for each arm and seed, with columns method, seed, forgetting, adaptation: for `dvc plots`."""
    points = [
        {"method": arm, "seed": seed, "forgetting": lost, "adaptation": gained}
        for arm in results.arms
        for seed, lost, gained in zip(
            results.seeds(arm),
            -results.gains(arm, results.capability),
            results.gains(arm, results.adaptation),
            strict=True,
        )
    ]
    return pd.DataFrame(points)


def _panel(panel: Axes, results: Results, measure: Measure, methods: Sequence[str]) -> None:
    forgotten = {arm: -results.gains(arm, results.capability) for arm in results.arms}
    reached = {arm: results.samples[arm][measure.key].estimates for arm in results.arms}
    for row in range(min(map(len, forgotten.values()))):
        panel.plot(
            [forgotten[arm][row] for arm in results.arms], [reached[arm][row] for arm in results.arms],
            color="0.85", linewidth=0.8, zorder=0,
        )  # fmt: skip
    for arm in results.arms:
        drawn = look(arm, methods)
        panel.plot(
            forgotten[arm], reached[arm], linestyle="", alpha=0.5, marker=drawn.marker, markersize=4,
            color=drawn.colour, markerfacecolor=drawn.face,
        )  # fmt: skip
        own = results.intervals[arm][measure.key]
        x, y = results.forgetting(arm), (own.estimate, own.low, own.high)
        bars = panel.errorbar(
            x[0], y[0], xerr=_reach(x), yerr=_reach(y), linestyle="", marker=drawn.marker, markersize=8, capsize=3,
            color=drawn.colour, markerfacecolor=drawn.face, label=arm,
        )  # fmt: skip
        for bar in bars.lines[2]:
            bar.set_linestyle(drawn.line)
    _shares(panel, results, measure, methods)
    if measure.better == "lower":
        panel.invert_yaxis()
    frame(panel, f"{measure.title} (up is better)")
    panel.set_xlabel(f"forgetting: loss of {results.capability.title} (left is better)")


def _reach(interval: tuple[float, float, float]) -> list[list[float]]:
    estimate, low, high = interval
    return [[estimate - low], [high - estimate]]


def _shares(panel: Axes, results: Results, measure: Measure, methods: Sequence[str]) -> None:
    """The shares of each update, each marker with its number; the base, where they begin, is outside."""
    for method, arms in results.shares.items():
        points = [(results.forgetting(arm)[0], results.intervals[arm][measure.key].estimate) for arm in arms]
        colour = look(method, methods).colour
        panel.plot(*zip(*points, strict=True), linestyle=":", linewidth=1, color=colour, zorder=1)
        for arm, point in list(zip(arms, points, strict=True))[:-1]:
            drawn = look(arm, methods)
            panel.plot(*point, marker=drawn.marker, markersize=6, color=colour, markerfacecolor=drawn.face)
            panel.annotate(
                f"{drawn.fill:g}", point, xytext=(6, -11), textcoords="offset points", fontsize=8, color=colour
            )


def capabilities(results: Results) -> Figure:
    """What every arm keeps of each general capability: the change against the base, written in each cell.

    The colour is the change in margins of params.yaml: orange is worse, blue is better, white is within one margin.
    """
    measures = [measure for measure in results.measures if measure.general]
    changes = np.array(
        [[results.comparison(BASE, arm, measure).gain[0] for measure in measures] for arm in results.arms]
    )
    margins = np.array([results.comparison(BASE, results.arms[0], measure).margin for measure in measures])
    inside = np.abs(changes) <= margins
    figure = Figure(figsize=(1.6 + 1.7 * len(measures), 1.8 + 0.45 * len(results.arms)), layout="constrained")
    panel = figure.subplots()
    panel.imshow(np.where(inside, 0, changes / margins), cmap="PuOr", vmin=-STRONGEST, vmax=STRONGEST, aspect="auto")
    for row, arm in enumerate(results.arms):
        for column, measure in enumerate(measures):
            one = results.comparison(BASE, arm, measure)
            strong = abs(changes[row, column] / margins[column]) > 0.6 * STRONGEST
            panel.text(
                column, row, number(one.difference.estimate, signed=True), ha="center", va="center", fontsize=9,
                color="white" if strong else "black",
            )  # fmt: skip
    panel.set_xticks(range(len(measures)), [_two_lines(measure.title) for measure in measures], fontsize=8)
    panel.set_yticks(range(len(results.arms)), results.arms)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    return figure


def _two_lines(title: str) -> str:
    words = title.split()
    half = (len(words) + 1) // 2
    return "\n".join(" ".join(part) for part in (words[:half], words[half:]) if part)


def training_curves(curves: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """One panel per quantity: the mean over seeds as a line, their range as a band.

    Args:
        curves: columns step, method, seed, quantity, value.
        methods: the names of all methods of params.yaml, which give the colours.
    """
    shown = [quantity for quantity in TITLES if quantity in set(curves["quantity"])]
    rows = max(1, (len(shown) + 1) // 2)
    figure = Figure(figsize=(11, 2.6 * rows), layout="constrained")
    panels = list(figure.subplots(rows, 2, squeeze=False).flat)
    for panel, quantity in zip(panels, shown, strict=False):
        by_method = curves[curves["quantity"] == quantity].groupby("method", sort=False)
        for place, (method, values) in enumerate(by_method):
            by_step = values.groupby("step")["value"]
            drawn, average = look(str(method), methods), by_step.mean()
            # Markers at other steps for each method, so that lines on top of each other can be told apart.
            every = max(1, len(average) // MARKERS_ON_A_CURVE)
            panel.plot(
                average, color=drawn.colour, marker=drawn.marker, markersize=4, markevery=(place % every, every),
                label=method,
            )  # fmt: skip
            panel.fill_between(average.index, by_step.min(), by_step.max(), color=drawn.colour, alpha=0.2, lw=0)
        frame(panel, TITLES[quantity])
        panel.set_xlabel("optimizer step")
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    legend = {label: line for panel in panels for line, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(legend.values(), legend.keys(), loc="outside right upper", frameon=False)
    return figure
