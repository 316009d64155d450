"""The pictures of a sweep."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anamnesis.analysis.wording import number
from anamnesis.figures import frame, look
from anamnesis.sweeping.front import Front
from anamnesis.sweeping.outcomes import Change, Outcome, Outcomes
from anamnesis.sweeping.razor import Razor


def front_picture(
    found: Outcomes, front: Front, chosen: Outcome | None, limit: float | None, methods: Sequence[str]
) -> Figure:
    """Adaptation against forgetting, a marker with 95 % intervals for each point.

    The points of the front are filled, joined by steps, and have the number of their row in the table. A dashed line is
    the limit, and a ring is around the recommended point. An interval that is far longer than the points are apart runs
    out of the picture: with two seeds, one may be the width of the whole axis.

    Args:
        found: the points.
        front: of these.
        chosen: the recommended point.
        limit: of forgetting.
        methods: the names of all methods of params.yaml, which give the colours.
    """
    figure = Figure(figsize=(7.5, 5.5), layout="constrained")
    panel = figure.subplots()
    for row, (one, on_front) in enumerate(zip(found.points, front.on_front, strict=True), start=1):
        drawn = look(one.point.method, methods)
        x, y = one.forgetting, one.adaptation
        panel.errorbar(
            x.estimate, y.estimate, xerr=_reach(x), yerr=_reach(y), linestyle="", marker=drawn.marker, markersize=7,
            color=drawn.colour, markerfacecolor=drawn.colour if on_front else "white", elinewidth=0.8,
            alpha=1.0 if on_front else 0.45,
        )  # fmt: skip
        if on_front:
            panel.annotate(
                str(row), (x.estimate, y.estimate), xytext=(6, -12), textcoords="offset points", fontsize=9,
                color=drawn.colour,
            )  # fmt: skip
    _steps(panel, found, front)
    panel.set_xlim(window([one.forgetting for one in found.points], [] if limit is None else [limit]))
    panel.set_ylim(window([one.adaptation for one in found.points]))
    if limit is not None:
        panel.axvline(limit, color="0.4", linestyle="--", linewidth=1)
        panel.annotate(
            f"limit {limit:g}", (limit, 0), xycoords=("data", "axes fraction"), xytext=(3, 4),
            textcoords="offset points", fontsize=8, color="0.4",
        )  # fmt: skip
    if chosen is not None:
        panel.plot(
            chosen.forgetting.estimate, chosen.adaptation.estimate, linestyle="", marker="o", markersize=16,
            markerfacecolor="none", color="black",
        )  # fmt: skip
    frame(panel, "Points on the front are filled")
    panel.set_xlabel(f"forgetting: loss of {found.capability.title} (left is better)")
    panel.set_ylabel(f"adaptation: {found.adaptation.improvement} (up is better)")
    _legend(figure, panel, found.methods, methods)
    return figure


def razor_picture(razor: Razor, found: Outcomes, methods: Sequence[str]) -> Figure:
    """Forgetting against the KL from the base on the reports, a marker for each run, and the fit over all of them.

    Args:
        razor: the fit.
        found: the points.
        methods: the names of all methods of params.yaml, which give the colours.
    """
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    panel = figure.subplots()
    for method in found.methods:
        rows = [one == method for one in razor.methods]
        drawn = look(method, methods)
        panel.plot(
            razor.kl_nats[rows], razor.forgetting[rows], linestyle="", marker=drawn.marker, markersize=6, alpha=0.7,
            color=drawn.colour,
        )  # fmt: skip
    along = np.linspace(razor.kl_nats.min(), razor.kl_nats.max(), 200)
    panel.plot(along, razor.at(along), color="0.3", linewidth=1.2)
    r_squared = razor.r_squared
    frame(panel, f"Quadratic fit: R² {number(r_squared.estimate)} [{number(r_squared.low)}, {number(r_squared.high)}]")
    panel.set_xlabel("KL(base ‖ model) on held-out reports, nats per token")
    panel.set_ylabel(f"forgetting: loss of {found.capability.title}")
    _legend(figure, panel, found.methods, methods)
    return figure


def _steps(panel: Axes, found: Outcomes, front: Front) -> None:
    """What the points of the front reach together."""
    points = sorted(
        (one.forgetting.estimate, one.adaptation.estimate)
        for one, on_front in zip(found.points, front.on_front, strict=True)
        if on_front
    )
    panel.step(*zip(*points, strict=True), where="post", color="0.7", linewidth=1, zorder=0)


def _legend(figure: Figure, panel: Axes, shown: Sequence[str], methods: Sequence[str]) -> None:
    for method in shown:
        drawn = look(method, methods)
        panel.plot([], [], linestyle="", marker=drawn.marker, color=drawn.colour, label=method)
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)), frameon=False)


def window(changes: Sequence[Change], others: Sequence[float] = ()) -> tuple[float, float]:
    """Both ends of an axis that has all estimates and other values on it, and the intervals up to half as far again."""
    shown = [*(change.estimate for change in changes), *others]
    first, last = min(shown), max(shown)
    if first == last:
        first, last = min(change.low for change in changes), max(change.high for change in changes)
    reach = 0.5 * (last - first)
    low = max(min(first, *(change.low for change in changes)), first - reach)
    high = min(max(last, *(change.high for change in changes)), last + reach)
    edge = 0.05 * (high - low) or 0.01
    return low - edge, high + edge


def _reach(change: Change) -> list[list[float]]:
    return [[change.estimate - change.low], [change.high - change.estimate]]
