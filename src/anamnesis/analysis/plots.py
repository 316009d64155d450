"""The figures of the results page."""

from collections.abc import Sequence
from statistics import mean

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anamnesis.analysis.summary import Runs
from anamnesis.figures import Look, frame, look, method_of

TITLES = {
    "ce_nats": "cross-entropy, nats per token",
    "divergence_nats": "divergence from the teacher, nats per token",
    "update_norm": "distance from the base, ‖ΔW‖",
    "teacher_distance": "distance from the teacher, ‖ΔW‖",
    "learning_rate": "learning rate",
    "grad_norm": "gradient norm",
}
MARKERS_ON_A_CURVE = 7


def tradeoff(compared: Runs, methods: Sequence[str]) -> Figure:
    """Adaptation against forgetting: a small marker per seed, mean and standard deviation per arm; the base is (0, 0).

    Arms that hold a share of one method's update are joined by a dotted line, from the base to the whole update.

    Args:
        compared: the arms' runs, with `forgetting` and `adaptation`.
        methods: the names of all methods of params.yaml, which give the colours.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="0.85", zorder=0)
    axes.axvline(0, color="0.85", zorder=0)
    axes.plot([0], [0], marker="*", markersize=11, color="0.4", linestyle="", label="base")
    means: dict[str, dict[str, tuple[float, float]]] = {}
    for arm, runs in compared.items():
        points = pd.DataFrame(list(runs.values()))[["forgetting", "adaptation"]]
        _arm(axes, arm, points, look(arm, methods))
        x, y = points.mean()
        means.setdefault(method_of(arm, methods), {})[arm] = (x, y)
    for arms in means.values():
        _shares(axes, {look(arm, methods): point for arm, point in arms.items()})
    axes.set_xlabel("forgetting: loss of exam accuracy (left is better)")
    axes.set_ylabel("adaptation: gain in macro-F1 (up is better)")
    frame(axes)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _arm(axes: Axes, arm: str, points: pd.DataFrame, drawn: Look) -> None:
    axes.plot(
        points["forgetting"], points["adaptation"], linestyle="", alpha=0.5, marker=drawn.marker, markersize=4,
        color=drawn.colour, markerfacecolor=drawn.face,
    )  # fmt: skip
    spread = points.std().fillna(0)
    bars = axes.errorbar(
        mean(points["forgetting"]), mean(points["adaptation"]), xerr=spread["forgetting"], yerr=spread["adaptation"],
        linestyle="", marker=drawn.marker, markersize=8, capsize=3, color=drawn.colour, markerfacecolor=drawn.face,
        label=arm,
    )  # fmt: skip
    for bar in bars.lines[2]:
        bar.set_linestyle(drawn.line)


def _shares(axes: Axes, points: dict[Look, tuple[float, float]]) -> None:
    """Join the shares of one method's update, and write each beside its marker."""
    shares = sorted((drawn.fill, point) for drawn, point in points.items() if drawn.fill > 0)
    if len(shares) < 2:
        return
    colour = next(iter(points)).colour
    along = [(0.0, 0.0), *(point for _, point in shares)]
    axes.plot(*zip(*along, strict=True), linestyle=":", linewidth=1, color=colour, zorder=1)
    for share, point in shares[:-1]:
        axes.annotate(f"{share:g}", point, xytext=(6, -11), textcoords="offset points", fontsize=8, color=colour)


def training_curves(curves: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """One panel per quantity: the mean over seeds as a line, their range as a band.

    Args:
        curves: columns step, method, seed, quantity, value.
        methods: the names of all methods of params.yaml, which give the colours.
    """
    shown = [quantity for quantity in TITLES if quantity in set(curves["quantity"])]
    rows = (len(shown) + 1) // 2
    figure = Figure(figsize=(11, 2.6 * rows), layout="constrained")
    panels = list(figure.subplots(rows, 2, squeeze=False).flat)
    for panel, quantity in zip(panels, shown, strict=False):
        by_method = curves[curves["quantity"] == quantity].groupby("method", sort=False)
        for number, (method, values) in enumerate(by_method):
            by_step = values.groupby("step")["value"]
            drawn, average = look(str(method), methods), by_step.mean()
            # Markers at other steps for each method, so that lines on top of each other can be told apart.
            every = max(1, len(average) // MARKERS_ON_A_CURVE)
            panel.plot(
                average, color=drawn.colour, marker=drawn.marker, markersize=4, markevery=(number % every, every),
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
