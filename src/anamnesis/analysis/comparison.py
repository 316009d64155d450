"""Compare the arms: every whole arm with the base and with every other, on every measure, with its interval."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from anamnesis.analysis.measures import Measure
from anamnesis.analysis.scores import BASE, AllScores
from anamnesis.analysis.statistics import (
    CASES,
    Difference,
    Needed,
    Sample,
    difference,
    equivalence,
    holm,
    mcnemar_exact,
    needed,
    smallest_detectable,
)
from anamnesis.settings.verdict import Margins

ALPHA = 0.05

Word = Literal["better", "worse", "equivalent", "not distinguishable"]

# By arm, then by measure.
Samples = Mapping[str, Mapping[str, Sample]]


@dataclass(frozen=True)
class Comparison:
    """`second` against `first` on one measure.

    p_holm: adjusted for the family (see `compare`) on this measure. smallest_detectable, needed: at the level that the
    smallest p of the family must reach. mcnemar: the
    exact test of each seed's two models on these very questions; it says nothing about other seeds.
    """

    first: str
    second: str
    measure: Measure
    difference: Difference
    p_holm: float
    margin: float
    equivalence_p: float
    smallest_detectable: float
    mcnemar: Mapping[int, float] | None
    needed: Needed | None

    @property
    def word(self) -> Word:
        """Equivalent first: a difference may be certain and still too small to matter.

        With one seed nothing is said: the difference of two models is not that of their methods.
        """
        if self.difference.covers == CASES:
            return "not distinguishable"
        if self.equivalence_p < ALPHA:
            return "equivalent"
        if self.p_holm < ALPHA:
            return "better" if (self.difference.estimate > 0) == (self.measure.better == "higher") else "worse"
        return "not distinguishable"

    @property
    def gain(self) -> tuple[float, float, float]:
        """How much better the second arm is: estimate, and the ends of the 95 % interval."""
        found = self.difference
        if self.measure.better == "higher":
            return found.estimate, found.low, found.high
        return -found.estimate, -found.high, -found.low

    @property
    def loss(self) -> tuple[float, float, float]:
        """How much worse the second arm is: estimate, and the ends of the 95 % interval."""
        estimate, low, high = self.gain
        return -estimate, -high, -low


def all_samples(scores: AllScores, measures: Sequence[Measure]) -> dict[str, dict[str, Sample]]:
    """Every measure of every arm; a measure that was not made is absent."""
    return {
        arm: {
            measure.key: measure.statistic(of_arm[measure.source], fixed=arm == BASE)
            for measure in measures
            if measure.source in of_arm
        }
        for arm, of_arm in scores.items()
    }


def compare(
    scores: AllScores,
    samples: Samples,
    measures: Sequence[Measure],
    methods: Sequence[str],
    teachers: Sequence[str],
    parts: Sequence[str],
    margins: Margins,
) -> list[Comparison]:
    """Compare every arm with the base, and `methods` and `teachers` with each other.

    These are three families for Holm's adjustment: against the base, pairs of methods, and pairs with an EMA teacher.

    Args:
        scores, samples: of the base and all arms.
        measures: on which to compare.
        methods: the arms that were trained.
        teachers: the EMA teachers among the arms.
        parts: shares of an update, compared with the base only.
        margins: of equivalence.
    """
    pairs = list(combinations((*methods, *teachers), 2))
    families = [
        [(BASE, arm) for arm in (*methods, *teachers, *parts)],
        [pair for pair in pairs if set(pair) <= set(methods)],
        [pair for pair in pairs if not set(pair) <= set(methods)],
    ]
    return [
        one
        for measure in measures
        if measure.key in samples[BASE] and measure.better
        for family in families
        for one in _family(scores, samples, measure, family, getattr(margins, measure.kind))
    ]


def _family(
    scores: AllScores, samples: Samples, measure: Measure, pairs: Sequence[tuple[str, str]], margin: float
) -> Iterable[Comparison]:
    # Not every measure is made on shares.
    pairs = [pair for pair in pairs if all(measure.key in samples[arm] for arm in pair)]
    found = [difference(samples[first][measure.key], samples[second][measure.key]) for first, second in pairs]
    # The first step of Holm's adjustment: what a difference needs if it is the only one.
    alpha = ALPHA / max(1, len(pairs))
    for (first, second), one, p_holm in zip(pairs, found, holm([one.p for one in found]), strict=True):
        compared = Comparison(
            first, second, measure, one, p_holm, margin, equivalence(one, margin),
            smallest_detectable(one, alpha=alpha), _mcnemar(scores, measure, first, second), needed=None,
        )  # fmt: skip
        undecided = compared.word == "not distinguishable"
        yield replace(compared, needed=needed(one, alpha=alpha)) if undecided else compared


def _mcnemar(scores: AllScores, measure: Measure, first: str, second: str) -> dict[int, float] | None:
    """Only for answers that are right or wrong. The base is the same model beside every seed."""
    if not measure.right_or_wrong:
        return None
    one, two = scores[first][measure.source], scores[second][measure.source]
    return {
        seed: mcnemar_exact(one.values[0 if first == BASE else row], two.values[row])
        for row, seed in enumerate(two.seeds)
    }
