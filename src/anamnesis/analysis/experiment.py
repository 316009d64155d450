"""An experiment's results: all measures with their intervals, all comparisons, and what follows from them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anamnesis.analysis.answers import Claim, Judgement, claim, judge
from anamnesis.analysis.chain import Chain, arms_of, chain_of
from anamnesis.analysis.comparison import Comparison, adjust, all_samples, compare, families, vote_of
from anamnesis.analysis.leakage import highest_exposure, leakage_measures, with_losses_over_base
from anamnesis.analysis.measures import Measure, all_measures, task_measures
from anamnesis.analysis.scores import BASE, AllScores, Scores
from anamnesis.analysis.statistics import Estimate, Matched, Sample, interval, matched_difference
from anamnesis.errors import InputError
from anamnesis.settings.evaluation import capability_of
from anamnesis.settings.verdict import Verdict, adaptation_of

# The method whose shares are the curve on which others are compared at equal adaptation.
CURVE = "none"
# Up to so many methods, each is compared with every other; more of them with plain fine-tuning and the claimed method.
ALL_PAIRS = 3
# A measure on fewer cases than this has no interval, and is left out.
FEWEST = 2


@dataclass(frozen=True)
class AtEqualAdaptation:
    """An arm against the curve of plain fine-tuning; p_holm is adjusted over the arms, None if it is not comparable."""

    found: Matched
    p_holm: float | None


@dataclass(frozen=True)
class Results:
    """Everything the report says, as numbers.

    methods, arms: the methods' models, and these plus EMA teachers; all of them are compared. votes: the arms that are
    no models, but the category that most of the retrieved reports have; nothing else is measured of them. shares: for
    every method with `shares`, the arms that hold a share of its update, in ascending order, the whole update last.
    chains: of every method that is trained in several domains.
    """

    label: str
    split: str
    capability: Measure
    adaptation: Measure
    measures: Sequence[Measure]
    methods: Sequence[str]
    arms: Sequence[str]
    votes: Sequence[str]
    shares: Mapping[str, Sequence[str]]
    scores: AllScores
    samples: Mapping[str, Mapping[str, Sample]]
    intervals: Mapping[str, Mapping[str, Estimate]]
    comparisons: Sequence[Comparison]
    judgements: Mapping[str, Judgement]
    claim: Claim | None
    matched: Mapping[str, AtEqualAdaptation]
    chains: Mapping[str, Chain]

    def comparison(self, first: str, second: str, measure: Measure) -> Comparison:
        return next(
            one for one in self.comparisons if (one.first, one.second, one.measure.key) == (first, second, measure.key)
        )

    def forgetting(self, arm: str) -> tuple[float, float, float]:
        """The arm's loss of the capability against the base: estimate, low, high."""
        return self.comparison(BASE, arm, self.capability).loss

    def gain(self, arm: str) -> tuple[float, float, float]:
        """The arm's adaptation: estimate, low, high."""
        return self.comparison(BASE, arm, self.adaptation).gain

    def gains(self, arm: str, measure: Measure) -> np.ndarray:
        """How much better each seed's model is than the base, (seeds,)."""
        difference = self.samples[arm][measure.key].estimates - self.samples[BASE][measure.key].estimates[0]
        return difference if measure.better == "higher" else -difference

    def seeds(self, arm: str) -> tuple[int, ...]:
        """Those of the arm's trainings, which all its measures share."""
        return next(iter(self.scores[arm].values())).seeds


def analyse(
    scores: AllScores,
    methods: Sequence[str],
    label: str,
    critical: Sequence[str],
    split: str,
    settings: Verdict,
    tasks: Mapping[str, Mapping[str, Any]] | None = None,
    chains: Mapping[str, Mapping[str, str]] | None = None,
) -> Results:
    """Compute the results of an experiment from its per-case scores.

    Args:
        scores: of the base and of all arms.
        methods: the experiment's methods.
        label: name of the category in the keys.
        critical: the categories that must not be missed.
        split: the part of the corpus that was measured.
        settings: margins, limits, the claim.
        tasks: what metrics/general/base.json says of the tasks that were asked.
        chains: of every method that is trained in several domains, the labels of their categories in this order.

    Raises:
        InputError: what forgetting or adaptation is read from was not measured.
    """
    scores = with_losses_over_base(scores)
    further = [*task_measures(tasks or {}, scores), *leakage_measures(scores[BASE])]
    measures = _measures(scores[BASE], label, critical, further)
    by_key = {one.key: one for one in measures}
    axes = capability_of(settings.capability, by_key), adaptation_of(settings.adaptation, label)
    for key in axes:
        if key not in by_key:
            raise InputError(
                f"`{key}` was measured on fewer than {FEWEST} cases, or not at all: raise the limits of `evaluation` "
                f"in the profile, or choose another measure in `verdict` of params.yaml."
            )
    capability, adaptation = (by_key[key] for key in axes)
    shares = shares_of(scores, methods)
    parts = {arm for of_method in shares.values() for arm in of_method[:-1]}
    unfinished = [arm for method, labels in (chains or {}).items() for arm in arms_of(method, list(labels))[:-1]]
    votes = [vote for vote in map(vote_of, methods) if vote in scores]
    teachers = [arm for arm in scores if arm not in (BASE, *methods, *parts, *unfinished, *votes)]
    arms = [*methods, *teachers]
    samples = all_samples(scores, measures)
    intervals = {arm: {key: interval(one) for key, one in of_arm.items()} for arm, of_arm in samples.items()}
    # Without the capability, shares are no points of a curve: template_leak is not measured on them.
    shares = {method: of_method for method, of_method in shares.items() if capability.source in scores[of_method[0]]}
    centre = centre_of(methods, settings.claim)
    pairs = families(samples, measures, capability, methods, teachers, sorted(parts), unfinished, votes, centre)
    comparisons = compare(scores, samples, measures, pairs, settings.margins)
    results = Results(
        label, split, capability, adaptation, measures, methods, arms, votes, shares, scores, samples, intervals,
        comparisons, judgements={}, claim=None, matched={}, chains={},
    )  # fmt: skip
    return replace(
        results,
        judgements={arm: _judgement(results, arm, settings) for arm in arms if settings.limits},
        claim=_claim(results, methods, settings.claim),
        matched=_matched(results),
        chains={method: chain_of(method, labels, scores) for method, labels in (chains or {}).items()},
    )


def _measures(
    scores: Mapping[str, Scores], label: str, critical: Sequence[str], further: Sequence[Measure]
) -> list[Measure]:
    """The measures that were made, on cases enough for an interval."""
    categories = scores[label].categories if label in scores else None
    if categories is None or np.isin(categories.gold, critical).sum() < FEWEST:
        critical = ()
    return [
        one
        for one in all_measures(label, critical, further)
        if one.source in scores and len(scores[one.source].cases) >= FEWEST
    ]


def centre_of(methods: Sequence[str], claimed: str | None) -> set[str]:
    """The methods that the others are compared with; empty if every pair is compared."""
    if len(methods) <= ALL_PAIRS or CURVE not in methods:
        return set()
    return {CURVE, claimed or CURVE} & set(methods)


def shares_of(scores: AllScores, methods: Sequence[str]) -> dict[str, list[str]]:
    """The arms that hold shares of one method's update, ascending, with the method itself last."""
    found: dict[str, list[str]] = {}
    for method in methods:
        parts = [arm for arm in scores if re.fullmatch(rf"{method}_share_[\d_]+", arm)]
        if parts:
            found[method] = [*sorted(parts, key=share_of), method]
    return found


def share_of(arm: str) -> float:
    """0.25 for `none_share_0_25`; 1 for a whole update."""
    _, found, share = arm.partition("_share_")
    return float(share.replace("_", ".")) if found else 1.0


def _judgement(results: Results, arm: str, settings: Verdict) -> Judgement:
    recall = results.intervals[arm].get(f"{results.label}_recall_critical")
    exposed = highest_exposure(results.measures)
    return judge(
        settings, results.forgetting(arm), results.gain(arm), recall,
        seeds=len(results.seeds(arm)),
        exposure=None if exposed is None else results.intervals[arm][exposed.key],
    )  # fmt: skip


def _claim(results: Results, methods: Sequence[str], arm: str | None) -> Claim | None:
    """The claim is about methods: an EMA teacher is the claimed arm's own product, no rival."""
    rivals = [method for method in methods if method != arm]
    if arm is None or arm not in methods or not rivals:
        return None
    by_measure = {
        measure.key: [one for one in results.comparisons if one.measure.key == measure.key]
        for measure in (results.capability, results.adaptation)
    }
    return claim(arm, rivals, by_measure[results.capability.key], by_measure[results.adaptation.key])


def _matched(results: Results) -> dict[str, AtEqualAdaptation]:
    """Every other arm against the curve of plain fine-tuning."""
    if CURVE not in results.shares:
        return {}
    adaptation, capability = results.adaptation.key, results.capability.key
    curve = [results.samples[arm] for arm in (BASE, *results.shares[CURVE])]
    found = {
        arm: matched_difference(
            [point[adaptation] for point in curve],
            [point[capability] for point in curve],
            results.samples[arm][adaptation],
            results.samples[arm][capability],
        )
        for arm in results.arms
        if arm != CURVE
    }
    compared = {arm: one.difference for arm, one in found.items() if one.difference is not None}
    p_holm = dict(zip(compared, adjust(list(compared.values())), strict=True))
    return {arm: AtEqualAdaptation(one, p_holm.get(arm)) for arm, one in found.items()}
