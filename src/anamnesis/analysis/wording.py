"""The results in words. Every sentence follows from a verdict and has its interval."""

from anamnesis.analysis.answers import Claim
from anamnesis.analysis.comparison import ALPHA, Comparison, vote_of
from anamnesis.analysis.experiment import AtEqualAdaptation, Results
from anamnesis.analysis.statistics import CASES, Estimate, Needed

HOLDS = {
    "confirmed": "confirmed by this experiment",
    "contradicted": "contradicted by this experiment",
    "not decided": "neither confirmed nor contradicted by this experiment",
}


def number(value: float, signed: bool = False) -> str:
    """Three decimals, with a real minus sign."""
    rounded = round(value, 3) + 0.0
    return f"{rounded:{'+' if signed else ''}.3f}".replace("-", "−")


def with_interval(estimate: float, low: float, high: float, signed: bool = False) -> str:
    return f"{number(estimate, signed)} [{number(low, signed)}, {number(high, signed)}]"


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.2f}" if p >= 0.1 else f"{p:.3f}"


def on_forgetting(one: Comparison) -> str:
    """The comparison of two arms on the capability, as a sentence."""
    words = {
        "better": f"`{one.second}` forgets less than `{one.first}`",
        "worse": f"`{one.second}` forgets more than `{one.first}`",
        "equivalent": f"`{one.second}` and `{one.first}` forget the same within ±{one.margin:g}",
        "not distinguishable": f"`{one.second}` and `{one.first}` cannot be told apart in what they forget",
    }
    return _sentence(words[one.word], one, one.loss)


def on_adaptation(one: Comparison) -> str:
    """The comparison of two arms on the measure of adaptation, as a sentence."""
    words = {
        "better": f"`{one.second}` adapts more than `{one.first}`",
        "worse": f"`{one.second}` adapts less than `{one.first}`",
        "equivalent": f"`{one.second}` and `{one.first}` adapt the same within ±{one.margin:g}",
        "not distinguishable": f"`{one.second}` and `{one.first}` cannot be told apart in adaptation",
    }
    return _sentence(words[one.word], one, one.gain)


def on_exposure(one: Comparison) -> str:
    """The comparison of two arms on the exposure of canaries, as a sentence."""
    words = {
        "better": f"`{one.second}` exposes canaries less than `{one.first}`",
        "worse": f"`{one.second}` exposes canaries more than `{one.first}`",
        "equivalent": f"`{one.second}` and `{one.first}` expose canaries alike within ±{one.margin:g} bits",
        "not distinguishable": f"`{one.second}` and `{one.first}` cannot be told apart in how they expose canaries",
    }
    return _sentence(words[one.word], one, one.loss)


def _sentence(words: str, one: Comparison, change: tuple[float, float, float]) -> str:
    hint = f", p {p_value(one.p_holm)} after Holm; {needed(one.needed)}" if one.needed else ""
    if one.difference.covers == CASES:
        hint = " between these two models; one seed says nothing about another training"
    return f"{words}: {with_interval(*change, signed=True)}{hint}."


def needed(one: Needed) -> str:
    """How many seeds or cases would show a difference as large as the estimate."""
    ways = []
    if one.seeds is not None:
        ways.append(f"{one.seeds:,} seeds")
    if one.cases is not None:
        ways.append(f"{one.cases:,} cases")
    if not ways:
        return "no number of seeds or cases alone would show a difference of this size"
    return f"a difference of this size would show with about {' or '.join(ways)}"


def on_claim(tested: Claim) -> str:
    """The published claim: whether it holds, and against which arms."""
    balances = {
        "better": "a better balance than",
        "worse": "a worse balance than",
        "equivalent": "the same balance as",
        "a trade": "better on one axis and worse on the other than",
        "not decided": "not decided against",
    }
    parts = [f"{balances[balance]} `{other}`" for other, balance in tested.against.items()]
    return f"The claim that `{tested.arm}` has the best balance is {HOLDS[tested.holds]}: {'; '.join(parts)}."


def on_matched(arm: str, one: AtEqualAdaptation, better: str | None) -> str:
    """Whether an arm forgets more or less than plain fine-tuning whose update is scaled to the same adaptation."""
    found = one.found.difference
    if found is None or one.p_holm is None:
        return f"`{arm}` cannot be compared: {one.found.reason}."
    lost = (found.estimate, found.low, found.high)
    if better == "higher":
        lost = (-found.estimate, -found.high, -found.low)
    relation = "cannot be told apart from it"
    if one.p_holm < ALPHA and found.covers != CASES:
        relation = "forgets less" if lost[0] < 0 else "forgets more"
    return f"`{arm}` {relation}: {with_interval(*lost, signed=True)}, p {p_value(one.p_holm)} after Holm."


def on_backward_transfer(method: str, one: Estimate) -> str:
    """What the later domains of a chain did to the earlier ones."""
    said = "cannot be told apart from 0"
    if one.covers != CASES and (one.low > 0 or one.high < 0):
        said = (
            "is above 0: later domains helped earlier ones"
            if one.low > 0
            else "is below 0: later domains cost earlier ones"
        )
    return f"The backward transfer of `{method}` {said}: {with_interval(one.estimate, one.low, one.high, signed=True)}."


def verdicts(results: Results) -> list[str]:
    """The sentences of the first screen: the claim, then the pairs of methods on both axes.

    Of a vote, the pair with the method that it is of: whether the model does more with the reports than count them.
    """
    sentences = [on_claim(results.claim)] if results.claim else []
    if len(results.methods) == 1:
        return ["There is one method, so nothing is compared."]
    for measure, say in ((results.capability, on_forgetting), (results.adaptation, on_adaptation)):
        for one in results.comparisons:
            pair = {one.first, one.second}
            told = pair <= set(results.methods)
            told = told or (one.second in results.votes and one.second == vote_of(one.first))
            if one.measure.key == measure.key and told:
                sentences.append(say(one))
    return sentences
