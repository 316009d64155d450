"""What all figures share: how an arm looks, how a panel is framed, and how a figure is saved.

A method has one colour and one marker in every figure. Both follow from its place among all methods the parameters
define, so they do not depend on which arms a figure shows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

# Safe for colour-blind readers: seven colours of Okabe and Ito (2008; their yellow is faint on white), then three of
# Paul Tol's "muted" scheme.
COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#999933", "#882255", "#332288",
)  # fmt: skip
# Seven against ten colours: the pair repeats only after 70 methods.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True)
class Look:
    """How one arm is drawn.

    Colour and marker are its method's. `fill` tells the arms of one method apart: 1 for the trained model, the share
    for a share of the update (`none_share_0_25`), 0 for anything else, such as the EMA teacher (`ema_teacher`).
    """

    colour: str
    marker: str
    fill: float

    @property
    def face(self) -> tuple[float, ...]:
        """The marker's inside: the colour, paler the lower `fill` is; white at 0."""
        return tuple(1 - self.fill * (1 - channel) for channel in to_rgb(self.colour))

    @property
    def line(self) -> Literal["-", "--"]:
        """Line style: solid for the trained model, dashed for the arms derived from it."""
        return "-" if self.fill == 1 else "--"


def look(arm: str, methods: Sequence[str]) -> Look:
    """How to draw an arm.

    Args:
        arm: a method's name, or one that begins with it: `ema`, `ema_teacher`, `none_share_0_25`.
        methods: the names of all methods of params.yaml, in its order.
    """
    method = method_of(arm, methods)
    place = methods.index(method)
    share = re.fullmatch(r"_share_([\d_]+)", arm.removeprefix(method))
    fill = float(share[1].replace("_", ".")) if share else float(arm == method)
    return Look(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], fill)


def method_of(arm: str, methods: Sequence[str]) -> str:
    """The method an arm belongs to: the longest name that the arm's name begins with."""
    return max((name for name in methods if arm == name or arm.startswith(f"{name}_")), key=len)


def frame(panel: Axes, title: str = "") -> None:
    """Leave out the frame's top and right sides; write the title small."""
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(title, fontsize=10)


def save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
