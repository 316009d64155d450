"""The pictures of the report."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from anamnesis.analysis.summary import Runs

# Distinguishable by the colour-blind (Okabe and Ito 2008).
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442"]

TITLES = {
    "ce_nats": "cross-entropy, nats per token",
    "divergence_nats": "divergence from the teacher, nats per token",
    "update_norm": "distance from the base, ‖ΔW‖",
    "teacher_distance": "distance from the teacher, ‖ΔW‖",
    "learning_rate": "learning rate",
    "grad_norm": "gradient norm",
}


def colours(names: Sequence[str]) -> dict[str, str]:
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def tradeoff(compared: Runs, path: Path) -> None:
    """Adaptation against forgetting: a point per seed, mean and standard deviation per arm; the base is at (0, 0)."""
    figure, axes = plt.subplots(figsize=(6.5, 5), layout="constrained")
    axes.axhline(0, color="0.85", zorder=0)
    axes.axvline(0, color="0.85", zorder=0)
    axes.scatter([0], [0], marker="s", color="0.4", label="base")
    for arm, colour in colours(list(compared)).items():
        points = pd.DataFrame(list(compared[arm].values()))
        axes.scatter(points["forgetting"], points["adaptation"], s=18, alpha=0.5, color=colour)
        spread = points[["forgetting", "adaptation"]].std().fillna(0)
        axes.errorbar(
            points["forgetting"].mean(), points["adaptation"].mean(),
            xerr=spread["forgetting"], yerr=spread["adaptation"],
            marker="o", markersize=8, capsize=3, color=colour, label=arm,
        )  # fmt: skip
    axes.set_xlabel("forgetting: loss of exam accuracy (left is better)")
    axes.set_ylabel("adaptation: gain of macro-F1 (up is better)")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def training_curves(curves: pd.DataFrame, path: Path) -> None:
    """One panel a quantity; the mean over seeds as a line, their range as a band.

    Args:
        curves: columns step, method, seed, quantity, value.
        path: where to save.
    """
    shown = [quantity for quantity in TITLES if quantity in set(curves["quantity"])]
    figure, panels = plt.subplots(
        (len(shown) + 1) // 2, 2, figsize=(10, 2.6 * ((len(shown) + 1) // 2)), layout="constrained", squeeze=False
    )
    palette = colours(list(dict.fromkeys(curves["method"])))
    for panel, quantity in zip(panels.flat, shown, strict=False):
        for method, rows in curves[curves["quantity"] == quantity].groupby("method", sort=False):
            by_step = rows.groupby("step")["value"]
            colour = palette[str(method)]
            panel.plot(by_step.mean(), color=colour, label=method)
            panel.fill_between(by_step.mean().index, by_step.min(), by_step.max(), color=colour, alpha=0.2, lw=0)
        panel.set_title(TITLES[quantity], fontsize=10)
        panel.set_xlabel("optimizer step")
        panel.spines[["top", "right"]].set_visible(False)
    for panel in list(panels.flat)[len(shown) :]:
        panel.set_axis_off()
    panels.flat[0].legend(frameon=False)
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
