"""The report as Markdown: question, claim and verdicts first, then the numbers behind them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anamnesis import markdown
from anamnesis.analysis.answers import Judgement
from anamnesis.analysis.comparison import Comparison
from anamnesis.analysis.experiment import ALL_PAIRS, CURVE, Results, centre_of, share_of
from anamnesis.analysis.leakage import highest_exposure, of_canaries
from anamnesis.analysis.measures import Measure
from anamnesis.analysis.scores import BASE
from anamnesis.analysis.statistics import Estimate
from anamnesis.analysis.wording import (
    number,
    on_backward_transfer,
    on_exposure,
    on_matched,
    p_value,
    verdicts,
    with_interval,
)

QUESTION = (
    "What does a language model forget when it is fine-tuned on a narrow domain, and which method of fine-tuning keeps "
    "more of it at the same adaptation?"
)

# Follows a sentence.
VOTES = " A vote is no model: it is the category that most of the retrieved reports have."

PAIRS = ["", "measure", "difference", "p", "p, Holm", "could be seen from", "verdict"]

LEAKS = (
    "Exposure is log2(candidates) minus log2 of the rank that a canary's secret number has among the candidates: 1.44 "
    "bits on average if the model knows nothing of it, as of the held-out canaries. *Secret written*: the share that "
    "greedy decoding writes after the text before it. *Continued*: the share of reports that greedy decoding continues "
    "word for word; common wording continues held-out ones, too, so the difference counts. The AUC says how well the "
    "loss, or its change against the base, tells training reports from held-out ones: 0.5 is chance. Canaries show "
    "what could be given away, and never that nothing is (docs/leakage.md)."
)
ADJUSTED_LEAKS = "These pairs are a family of their own."

NO_TIMES = (
    "This page holds no commit and no times, so that the same run gives the same page. `make shelve` adds them to the "
    "copy that it keeps."
)


@dataclass(frozen=True)
class Example:
    """A held-out report's own conclusion, and what each arm writes instead. Synthetic corpora only."""

    reference: str
    written: Mapping[str, str]


@dataclass(frozen=True)
class Context:
    """The parts of the report that are not results: settings, versions, pictures by file name, examples."""

    settings: Mapping[str, object]
    provenance: Mapping[str, object]
    figures: Mapping[str, str]
    examples: Sequence[Example]


def headline(results: Results) -> str:
    """The table of the first screen: the capability, what is lost of it, and the adaptation, with 95 % intervals."""
    header = ["", results.capability.title, "forgetting", "adaptation"]
    rows = []
    for arm in (BASE, *results.arms):
        own = results.intervals[arm][results.capability.key]
        changes = ["", ""]
        if arm != BASE:
            changes = [with_interval(*results.forgetting(arm)), with_interval(*results.gain(arm))]
        rows.append([f"`{arm}`", with_interval(own.estimate, own.low, own.high), *changes])
    rows += ([f"`{vote}`", "", "", with_interval(*results.gain(vote))] for vote in _votes(results))
    return markdown.table(header, rows)


def _votes(results: Results) -> list[str]:
    """Those that have an adaptation: of a vote there is only the category."""
    return [vote for vote in results.votes if results.adaptation.key in results.intervals[vote]]


def report(results: Results, context: Context) -> str:
    """The whole report. Pictures are referred to by their names in `context.figures`."""
    sections = [
        f"# Adaptation and forgetting\n\n{QUESTION}",
        _answer(results),
        _limits(results.judgements),
        _tradeoff(results, context.figures),
        _capabilities(results, context.figures),
        _chains(results),
        _pairs(results),
        _flips(results),
        _measures(results),
        _given_away(results),
        _examples(context.examples),
        _picture("Training curves", "curves.png", context.figures),
        _coverage(results),
        _list("Settings", context.settings),
        f"{_list('Provenance', context.provenance)}\n\n{NO_TIMES}",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _answer(results: Results) -> str:
    said = "\n".join(f"- {sentence}" for sentence in verdicts(results))
    n = len(results.seeds(results.arms[0]))
    return (
        f"## Verdict\n\n{said}\n\n{headline(results)}\n\nWith 95 % intervals, on the {results.split} split, "
        f"{n} {'seed' if n == 1 else 'seeds'}. Forgetting is the loss of {results.capability.title} against the base, "
        f"adaptation the {results.adaptation.improvement}.{VOTES if _votes(results) else ''}"
    )


def _limits(judgements: Mapping[str, Judgement]) -> str:
    if not any(one.reasons for one in judgements.values()):
        return ""
    rows = ([f"`{arm}`", one.outcome, "; ".join(one.reasons)] for arm, one in judgements.items())
    return f"## Limits\n\n{markdown.table(['', 'verdict', 'why'], rows)}"


def _picture(title: str, name: str, figures: Mapping[str, str]) -> str:
    return f"## {title}\n\n![{figures[name]}]({name})\n\n*{figures[name]}*"


def _tradeoff(results: Results, figures: Mapping[str, str]) -> str:
    text = _picture("Trade-off", "tradeoff.png", figures)
    if results.matched:
        said = "\n".join(f"- {on_matched(arm, one, results.capability.better)}" for arm, one in results.matched.items())
        text += (
            "\n\nAny method forgets less if it is trained less. So each arm is compared with plain fine-tuning whose "
            f"update is scaled down to the arm's own adaptation:\n\n{said}"
        )
    if results.shares:
        header = ["", "share of the update", "forgetting", "adaptation"]
        rows = [
            [
                f"`{method}`",
                f"{share_of(arm):g}",
                with_interval(*results.forgetting(arm)),
                with_interval(*results.gain(arm)),
            ]
            for method, arms in results.shares.items()
            for arm in arms
        ]
        text += f"\n\n{markdown.table(header, rows)}"
    return text


def _capabilities(results: Results, figures: Mapping[str, str]) -> str:
    general = [measure for measure in results.measures if measure.general]
    return f"{_picture('What each arm keeps', 'capabilities.png', figures)}\n\n{_table(results, general)}"


def _table(results: Results, measures: Sequence[Measure], votes: Sequence[str] = ()) -> str:
    """A vote has no other measures than those of the category."""
    rows = (
        [
            f"`{arm}`",
            *(
                "" if one is None else with_interval(one.estimate, one.low, one.high)
                for one in (results.intervals[arm].get(measure.key) for measure in measures)
            ),
        ]
        for arm in (BASE, *results.arms, *votes)
    )
    return markdown.table(["", *(measure.title for measure in measures)], rows)


def _chains(results: Results) -> str:
    """Of each method that is trained in several domains: what its model can do in each of them after each."""
    if not results.chains:
        return ""
    parts = []
    for method, chain in results.chains.items():
        base = ["`base`", *(_of(one) for one in chain.base), ""]
        rows = [
            [f"after {domain}", *(_of(one) for one in accuracy), with_interval(*results.forgetting(arm))]
            for domain, arm, accuracy in zip(chain.domains, chain.arms, chain.accuracy, strict=True)
        ]
        header = [f"`{method}`", *(f"accuracy, {domain}" for domain in chain.domains), "forgetting"]
        parts += [markdown.table(header, [base, *rows]), on_backward_transfer(method, chain.backward_transfer)]
    said = (
        "Accuracy of the category given the description; forgetting is the loss of "
        f"{results.capability.title} against the base. The backward transfer is the mean over all domains but the "
        "last: accuracy at the end of the chain minus accuracy right after the domain."
    )
    return "\n\n".join(["## Domains in sequence", *parts, said])


def _of(one: Estimate) -> str:
    return with_interval(one.estimate, one.low, one.high)


def _pairs(results: Results) -> str:
    """Every pair of arms on every measure; what an arm lost against the base is in the tables above."""
    rows = [_row(one) for one in results.comparisons if one.first != BASE and not one.measure.leak]
    if not rows:
        return ""
    centre = centre_of(results.methods, results.claim.arm if results.claim else None)
    named = " or ".join(f"`{method}`" for method in sorted(centre))
    only = f" Of more than {ALL_PAIRS} methods, pairs with {named} are compared." if centre else ""
    return (
        f"## Every pair\n\n{markdown.table(PAIRS, rows)}\n\nThe difference is the second arm's value minus the "
        f"first's.{only} Holm's adjustment covers all pairs of methods on {results.capability.title}, the measure that "
        "forgetting is read from, as one family, and all pairs of methods on all other measures together as another; "
        f"pairs with an EMA teacher{' and pairs with a vote' if results.votes else ''} are adjusted in the same way, "
        "apart from the methods. A family of more than three is adjusted from more cautious p-values. "
        "*Could be seen from*: the smallest difference that this number of seeds and cases shows with a power of 80 % "
        "after the adjustment. *Equivalent*: within the margin of params.yaml, by two one-sided tests at 5 % each."
    )


def _row(one: Comparison) -> list[str]:
    found = one.difference
    word = f"equivalent within ±{one.margin:g}" if one.word == "equivalent" else one.word
    return [
        f"`{one.first}`, `{one.second}`", one.measure.title,
        with_interval(found.estimate, found.low, found.high, signed=True),
        p_value(found.p), p_value(one.p_holm), number(one.smallest_detectable), word,
    ]  # fmt: skip


def _flips(results: Results) -> str:
    """How many questions each arm answers wrong that the base answered right, and the other way round."""
    source = results.capability.source
    if not results.capability.right_or_wrong:
        return ""
    base = results.scores[BASE][source].values[0]
    rows = []
    for arm in results.arms:
        values = results.scores[arm][source].values
        lost, found = ((base > values).sum(axis=1), (values > base).sum(axis=1))
        if results.capability.better == "lower":
            lost, found = found, lost
        rows.append([f"`{arm}`", _range(lost), _range(found)])
    header = ["", "right to wrong", "wrong to right"]
    return (
        f"## Questions that changed\n\n{markdown.table(header, rows)}\n\nOf {len(base)} questions "
        f"({results.capability.title}), against the base; mean and range over seeds."
    )


def _range(counts: np.ndarray) -> str:
    return f"{counts.mean():.1f} ({counts.min()} to {counts.max()})"


def _measures(results: Results) -> str:
    domain = [measure for measure in results.measures if not measure.general and not measure.leak]
    return (
        f"## Measures of the domain\n\n{_table(results, domain, results.votes)}\n\nLower is better for bits per byte. "
        "The KL from the base, per token, only says how far a model has moved."
    )


def _given_away(results: Results) -> str:
    """What each arm gives away of its training reports, and whether the methods give away less than plain training."""
    measures = [measure for measure in results.measures if measure.leak]
    if not measures:
        return ""
    groups = [[one for one in measures if of_canaries(one) is wanted] for wanted in (True, False)]
    parts = [_table(results, group) for group in groups if group]
    parts += _on_exposure(results)
    rows = [_row(one) for one in results.comparisons if one.first != BASE and one.measure.leak]
    if rows:
        parts += [markdown.table(PAIRS, rows), ADJUSTED_LEAKS]
    return "\n\n".join(["## What the model gives away", *parts, LEAKS])


def _on_exposure(results: Results) -> list[str]:
    """Each method against plain fine-tuning, on the canaries that were planted most often."""
    exposed = highest_exposure(results.measures)
    pairs = [one for one in results.comparisons if one.measure == exposed and one.first != BASE]
    said = [
        on_exposure(one) for one in pairs if CURVE in (arms := {one.first, one.second}) and arms <= {*results.methods}
    ]
    return ["\n".join(f"- {sentence}" for sentence in said)] if said else []


def _examples(examples: Sequence[Example]) -> str:
    if not examples:
        return ""
    parts = []
    for example in examples:
        rows = [["reference", example.reference], *([f"`{arm}`", text] for arm, text in example.written.items())]
        parts.append(markdown.table(["", "conclusion"], rows))
    return "## Conclusions as written\n\nHeld-out reports of the synthetic corpus, first seed.\n\n" + "\n\n".join(parts)


def _coverage(results: Results) -> str:
    trainings = "- Another training with other seeds, on the same base and corpus.\n"
    if len(results.seeds(results.arms[0])) == 1:
        trainings = "- No other training: there is one seed, so this page is about these models, not about methods.\n"
    return (
        "## What the intervals cover\n\n"
        f"{trainings}"
        "- Other questions and reports of the same kind.\n\n"
        "Each interval is for one comparison. The words *better* and *worse* cover a whole family of comparisons: the "
        "probability that any of them is wrong is about 5 %, for the pairs on "
        f"{results.capability.title} and again for the pairs on all other measures together. So an interval may leave "
        "out 0 where the verdict is *not distinguishable*.\n\n"
        "Intervals and verdicts do not cover another base model, another corpus, other hyperparameters, or another "
        "kind of processor, on which the last bits of the arithmetic differ."
    )


def _list(title: str, items: Mapping[str, object]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {name}: {_shown(value)}" for name, value in items.items())


def _shown(value: object) -> str:
    """A section as `key value, key value`; anything else as it is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(one)}" for key, one in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "none"
    return str(value)
