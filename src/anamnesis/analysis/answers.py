"""The answers of an experiment: is an arm good enough to be used, and does the published claim hold?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from anamnesis.analysis.comparison import Comparison, Word
from anamnesis.analysis.statistics import Estimate
from anamnesis.settings.verdict import Verdict

Outcome = Literal["PASS", "FAIL", "NOT ENOUGH EVIDENCE"]
WORST_FIRST: tuple[Outcome, ...] = ("FAIL", "NOT ENOUGH EVIDENCE", "PASS")
Holds = Literal["confirmed", "contradicted", "not decided"]

OPPOSITE: dict[Word, Word] = {
    "better": "worse",
    "worse": "better",
    "equivalent": "equivalent",
    "not distinguishable": "not distinguishable",
}


@dataclass(frozen=True)
class Limit:
    """A limit of params.yaml and the measured value; `low` and `high` are the ends of its 95 % interval."""

    name: str
    at_most: bool
    limit: float
    estimate: float
    low: float
    high: float

    @property
    def outcome(self) -> Outcome:
        """By the whole interval, never by the estimate."""
        kept, broken = (
            (self.high <= self.limit, self.low > self.limit)
            if self.at_most
            else (self.low >= self.limit, self.high < self.limit)
        )
        return "PASS" if kept else "FAIL" if broken else "NOT ENOUGH EVIDENCE"

    @property
    def reason(self) -> str:
        asked = "at most" if self.at_most else "at least"
        relation = {"PASS": "kept", "FAIL": "broken", "NOT ENOUGH EVIDENCE": "not decided"}[self.outcome]
        return (
            f"{self.name} {self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}], asked {asked} {self.limit:g}: "
            f"{relation}"
        )


@dataclass(frozen=True)
class Judgement:
    """Whether an arm keeps the limits, with a reason for each limit."""

    outcome: Outcome
    reasons: tuple[str, ...]


def judge(
    settings: Verdict,
    forgetting: tuple[float, float, float],
    adaptation: tuple[float, float, float],
    recall: Estimate | None,
    seeds: int,
    exposure: Estimate | None = None,
) -> Judgement:
    """Check one arm against the limits of `verdict` in params.yaml.

    With one seed the intervals say nothing about another training of the same arm, so nothing is decided.

    Args:
        settings: the limits.
        forgetting: the arm's loss of the capability: estimate, and the ends of the 95 % interval.
        adaptation: its gain, in the same form.
        recall: its recall of the critical categories, None without any.
        seeds: the number of trainings.
        exposure: that of the canaries that were planted most often, None without any.
    """
    limits = list(_limits(settings, forgetting, adaptation, recall, exposure))
    outcomes = {limit.outcome for limit in limits}
    reasons = [limit.reason for limit in limits]
    if settings.min_recall_critical is not None and recall is None:
        outcomes.add("NOT ENOUGH EVIDENCE")
        reasons.append("recall of critical: not measured")
    if settings.max_exposure is not None and exposure is None:
        outcomes.add("NOT ENOUGH EVIDENCE")
        reasons.append("exposure: not measured")
    if seeds < 2:
        outcomes = {"NOT ENOUGH EVIDENCE"}
        reasons.append("one seed: another training of the same arm may differ")
    outcome: Outcome = next((word for word in WORST_FIRST if word in outcomes), "PASS")
    return Judgement(outcome, tuple(reasons))


def _limits(
    settings: Verdict,
    forgetting: tuple[float, float, float],
    adaptation: tuple[float, float, float],
    recall: Estimate | None,
    exposure: Estimate | None,
) -> Iterator[Limit]:
    if settings.max_forgetting is not None:
        yield Limit("forgetting", True, settings.max_forgetting, *forgetting)
    if settings.min_adaptation is not None:
        yield Limit("adaptation", False, settings.min_adaptation, *adaptation)
    if settings.min_recall_critical is not None and recall is not None:
        found = (recall.estimate, recall.low, recall.high)
        yield Limit("recall of critical", False, settings.min_recall_critical, *found)
    if settings.max_exposure is not None and exposure is not None:
        found = (exposure.estimate, exposure.low, exposure.high)
        yield Limit("exposure", True, settings.max_exposure, *found)


@dataclass(frozen=True)
class Claim:
    """Whether `arm` has the best balance of forgetting and adaptation: confirmed against all others, or not."""

    arm: str
    holds: Holds
    against: Mapping[str, str]


def claim(arm: str, others: Sequence[str], forgetting: Sequence[Comparison], adaptation: Sequence[Comparison]) -> Claim:
    """Test the published claim on both axes.

    An arm has the better balance if it is better on one axis and better or equivalent on the other. The claim is
    confirmed if `arm` has it against every other arm, and contradicted if any other arm has it against `arm`.

    Args:
        arm: the arm that is said to be best.
        others: the arms it is compared with.
        forgetting: all comparisons on the capability.
        adaptation: all comparisons on the measure of adaptation.
    """
    against = {other: _balance(_word(arm, other, forgetting), _word(arm, other, adaptation)) for other in others}
    holds: Holds = "not decided"
    if against and all(balance == "better" for balance in against.values()):
        holds = "confirmed"
    elif "worse" in against.values():
        holds = "contradicted"
    return Claim(arm, holds, against)


def _word(arm: str, other: str, comparisons: Sequence[Comparison]) -> Word:
    """The verdict on `arm` in the comparison of the two."""
    for one in comparisons:
        if (one.first, one.second) == (other, arm):
            return one.word
        if (one.first, one.second) == (arm, other):
            return OPPOSITE[one.word]
    raise KeyError(f"{arm} and {other} are not compared")


def _balance(forgetting: Word, adaptation: Word) -> str:
    words = {forgetting, adaptation}
    if "better" in words and words <= {"better", "equivalent"}:
        return "better"
    if "worse" in words and words <= {"worse", "equivalent"}:
        return "worse"
    if words == {"equivalent"}:
        return "equivalent"
    if words == {"better", "worse"}:
        return "a trade"
    return "not decided"
