"""The trade-off as shapes for a page: adaptation against forgetting, a point with its intervals for each arm."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from anamnesis.analysis.overview import ADAPTATION, FORGETTING, Overview, Value
from anamnesis.figures import Look, look

# In units of the drawing, which a phone shows at nearly one to a pixel.
WIDTH, HEIGHT = 440, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 46
# The box of text beside a point, and the gap between the two.
BOX_WIDTH, BOX_HEIGHT, GAP = 232, 60, 14
# The outlines of the markers, by their names in matplotlib, about (0, 0).
SHAPES = {
    "o": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "s": "M-4.5-4.5h9v9h-9z",
    "^": "M0-6L6 5H-6z",
    "D": "M0-6.5L6.5 0L0 6.5L-6.5 0z",
    "v": "M0 6L6-5H-6z",
    "P": "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "X": "M-3-6L0-3L3-6L6-3L3 0L6 3L3 6L0 3L-3 6L-6 3L-3 0L-6-3z",
}


@dataclass(frozen=True)
class Tick:
    place: float
    text: str


@dataclass(frozen=True)
class Point:
    """An arm: the places of its estimate and of the ends of its intervals, and the corner of its box of text."""

    arm: str
    x: Value
    y: Value
    box: tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """All places are in units of the drawing, from its upper left corner."""

    points: Sequence[Point]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]


@dataclass(frozen=True)
class _Scale:
    """From numbers to places: `start` is the place of `low`, `end` that of `high`."""

    ticks: Sequence[float]
    start: float
    end: float

    def place(self, number: float) -> float:
        share = (number - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return round(self.start + share * (self.end - self.start), 1)

    def value(self, one: Value) -> Value:
        low = one.estimate if one.low is None else one.low
        high = one.estimate if one.high is None else one.high
        return Value(self.place(one.estimate), self.place(low), self.place(high))

    def marks(self) -> list[Tick]:
        return [Tick(self.place(tick), f"{tick:.6g}".replace("-", "−")) for tick in self.ticks]


def drawing(shown: Overview) -> Drawing | None:
    """The points of all arms that forget and gain something; None if there are none. Up and left are better."""
    found = {
        arm: (values[FORGETTING], values[ADAPTATION])
        for arm, values in shown.values.items()
        if FORGETTING in values and ADAPTATION in values
    }
    if not found:
        return None
    across = _scale([lost for lost, _ in found.values()], LEFT, WIDTH - RIGHT)
    up = _scale([gained for _, gained in found.values()], HEIGHT - BOTTOM, TOP)
    points = []
    for arm, (lost, gained) in found.items():
        x, y = across.value(lost), up.value(gained)
        points.append(Point(arm, x, y, _box(x.estimate, y.estimate)))
    return Drawing(points, across.marks(), up.marks())


def looks(shown: Overview, methods: Sequence[str]) -> dict[str, Look]:
    """How every arm but the base is drawn, as in the figures. methods: the names of all methods of params.yaml."""
    return {arm: look(arm, methods) for arm, values in shown.values.items() if ADAPTATION in values}


def _scale(values: Sequence[Value], start: float, end: float) -> _Scale:
    """Round numbers that span the intervals and 0, where the base is."""
    numbers = [number for one in values for number in (one.estimate, one.low, one.high) if number is not None]
    ticks = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(min(0.0, *numbers), max(0.0, *numbers))
    return _Scale([float(tick) for tick in ticks], start, end)


def _box(x: float, y: float) -> tuple[float, float]:
    """Above the point if there is room, else below it; inside the drawing."""
    left = min(max(x - BOX_WIDTH / 2, 2), WIDTH - BOX_WIDTH - 2)
    above = y - GAP - BOX_HEIGHT
    return round(left, 1), round(above if above >= 2 else y + GAP, 1)
