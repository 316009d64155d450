"""Compare the arms: every whole arm with the base and with others, on every measure, with its interval."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

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
# The largest family that is adjusted from `p`. With 3 seeds whose spread is a fifth of the cases', 5 to 7 % of families
# of 3 have a false verdict, and 14 to 16 % of families of 10; from `cautious_p` it is 3 to 4 % and 2 to 3 %.
SMALL_FAMILY = 3

Word = Literal["better", "worse", "equivalent", "not distinguishable"]

# By arm, then by measure.
Samples = Mapping[str, Mapping[str, Sample]]


@dataclass(frozen=True)
class Pair:
    """Two arms to be compared on one measure."""

    first: str
    second: str
    measure: Measure


@dataclass(frozen=True)
class Family:
    """Pairs whose p-values are adjusted together."""

    pairs: Sequence[Pair]

    @property
    def alpha(self) -> float:
        """The level at the first step of Holm's adjustment: what a difference needs if it is the only one."""
        return ALPHA / max(1, len(self.pairs))

    @property
    def cautious(self) -> bool:
        """Whether it is adjusted from `cautious_p`: a large one asks for p so small that seeds reach it by chance."""
        return is_large(len(self.pairs))


@dataclass(frozen=True)
class Comparison:
    """`second` against `first` on one measure.

    p_holm: adjusted for the family (see `families`). smallest_detectable, needed: at the level that the smallest p of
    the family must reach. mcnemar: the exact test of each seed's two models on these very cases; it says nothing about
    other seeds.
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


def families(
    samples: Samples,
    measures: Sequence[Measure],
    capability: Measure,
    methods: Sequence[str],
    teachers: Sequence[str],
    parts: Sequence[str],
    unfinished: Sequence[str] = (),
    votes: Sequence[str] = (),
    centre: Collection[str] = (),
) -> list[Family]:
    """The comparisons of the experiment, in the families of Holm's adjustment.

    There are eight kinds of pairs: a method, an EMA teacher, a share of an update, the model of an unfinished chain or
    a vote with the base; two methods; a pair with an EMA teacher; and a method with a vote. For each kind, the pairs on
    the capability, the measure that forgetting is read from, are one family. The pairs on all other measures that have
    a direction are one family together: of a dozen measures, some differ by chance. So are those on the measures of
    leakage, if there are any.

    In each family, the probability of any false "better" or "worse" is about `ALPHA` (see `SMALL_FAMILY`).

    Args:
        samples: by arm; a pair is compared on the measures that were made on both arms.
        measures: those that were made; one without a direction is not compared.
        capability: one of `measures`.
        methods: the arms that were trained.
        teachers: the EMA teachers among the arms.
        parts: shares of an update, compared with the base only.
        unfinished: the models of chains after each domain but the last, compared with the base only.
        votes: the arms of what methods retrieve, compared with the base and with methods.
        centre: methods, one of which must be in each pair of a method with another arm; or else the pair is a vote and
            the method that it is of. Empty for all pairs: of 28 methods these are 378, and none is significant.
    """
    pairs = [pair for pair in combinations((*methods, *teachers), 2) if not centre or {*pair} & {*centre}]
    kinds = [
        *([(BASE, arm) for arm in arms] for arms in (methods, teachers, parts, unfinished, votes)),
        [pair for pair in pairs if set(pair) <= set(methods)],
        [pair for pair in pairs if not set(pair) <= set(methods)],
        [
            (method, vote)
            for vote in votes
            for method in methods
            if not centre or method in centre or vote == vote_of(method)
        ],
    ]
    directed = [measure for measure in measures if measure.better and measure.key != capability.key]
    others, leaks = ([measure for measure in directed if measure.leak is leak] for leak in (False, True))
    return [
        Family([Pair(*arms, one) for one in asked for arms in kind if all(one.key in samples[arm] for arm in arms)])
        for asked in ([capability], others, leaks)
        for kind in kinds
    ]


def vote_of(method: str) -> str:
    """The arm of what a method retrieves, without its model."""
    return f"{method}_vote"


def compare(
    scores: AllScores,
    samples: Samples,
    measures: Sequence[Measure],
    grouped: Sequence[Family],
    margins: Margins,
) -> list[Comparison]:
    """Compare the arms of every pair, with Holm's adjustment over each family.

    Args:
        scores, samples: of the base and all arms.
        measures: in the order of the result.
        grouped: the result of `families`.
        margins: of equivalence.
    """
    found = [one for family in grouped for one in _family(scores, samples, family, margins)]
    order = [measure.key for measure in measures]
    return sorted(found, key=lambda one: order.index(one.measure.key))


def is_large(family: int) -> bool:
    """Whether a family of so many comparisons is adjusted from `cautious_p`."""
    return family > SMALL_FAMILY


def adjust(family: Sequence[Difference]) -> list[float]:
    """Holm's adjustment over a family."""
    return holm([one.cautious_p if is_large(len(family)) else one.p for one in family])


def _family(scores: AllScores, samples: Samples, family: Family, margins: Margins) -> Iterable[Comparison]:
    found = [
        difference(samples[pair.first][pair.measure.key], samples[pair.second][pair.measure.key])
        for pair in family.pairs
    ]
    adjusted = adjust(found)
    asked: dict[str, Any] = {"alpha": family.alpha, "cautious": family.cautious}
    for pair, one, p_holm in zip(family.pairs, found, adjusted, strict=True):
        margin = getattr(margins, pair.measure.kind)
        compared = Comparison(
            pair.first, pair.second, pair.measure, one, p_holm, margin, equivalence(one, margin),
            smallest_detectable(one, **asked), _mcnemar(scores, pair), needed=None,
        )  # fmt: skip
        undecided = compared.word == "not distinguishable"
        yield replace(compared, needed=needed(one, **asked)) if undecided else compared


def _mcnemar(scores: AllScores, pair: Pair) -> dict[int, float] | None:
    """Only for answers that are right or wrong. The base is the same model for every seed."""
    if not pair.measure.right_or_wrong:
        return None
    one, two = (scores[arm][pair.measure.source] for arm in (pair.first, pair.second))
    return {
        seed: mcnemar_exact(one.values[0 if pair.first == BASE else row], two.values[row])
        for row, seed in enumerate(two.seeds)
    }
