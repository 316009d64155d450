"""The numbers that are kept: a short summary for `dvc metrics`, and all details for the report and for reruns."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from anamnesis.analysis.chain import Chain
from anamnesis.analysis.comparison import Comparison
from anamnesis.analysis.experiment import Results
from anamnesis.analysis.leakage import MEMBERSHIP, highest_exposure
from anamnesis.analysis.scores import BASE
from anamnesis.analysis.statistics import Estimate
from anamnesis.analysis.wording import on_claim


def summary(results: Results) -> dict[str, dict[str, float | int]]:
    """At most twelve numbers an arm, and two of leakage: what `dvc metrics show` and `dvc exp show` print."""
    recall, exposed = f"{results.label}_recall_critical", highest_exposure(results.measures)
    shown = [results.capability.key, results.adaptation.key, recall, "base_text_kl_nats", "template_leak"]
    shown += [MEMBERSHIP, *([] if exposed is None else [exposed.key])]
    found: dict[str, dict[str, float | int]] = {}
    for arm, of_arm in results.intervals.items():
        found[arm] = {key: of_arm[key].estimate for key in dict.fromkeys(shown) if key in of_arm}
        if arm != BASE:
            if results.capability.key in of_arm:
                found[arm] |= _with_ends("forgetting", results.forgetting(arm))
            if results.adaptation.key in of_arm:
                found[arm] |= _with_ends("adaptation", results.gain(arm))
            found[arm]["seeds"] = len(results.seeds(arm))
    return found


def _with_ends(name: str, change: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), change, strict=True))


def details(results: Results, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the report says, and that `make verify` compares a second run with."""
    source = {measure.key: measure.source for measure in results.measures}
    return {
        "capability": results.capability.key,
        "adaptation": results.adaptation.key,
        "provenance": dict(provenance),
        "arms": {
            arm: {
                key: _arm(one, results.scores[arm][source[key]].seeds, results.samples[arm][key].estimates.tolist())
                for key, one in of_arm.items()
            }
            for arm, of_arm in results.intervals.items()
        },
        "differences": [_difference(one) for one in results.comparisons],
        "matched": {arm: asdict(one) for arm, one in results.matched.items()},
        "claim": {"sentence": on_claim(results.claim), **asdict(results.claim)} if results.claim else None,
        "verdicts": {
            arm: {"verdict": one.outcome, "reasons": list(one.reasons)} for arm, one in results.judgements.items()
        },
        **(
            {"chains": {method: _chain(results, one) for method, one in results.chains.items()}}
            if results.chains
            else {}
        ),
    }


def _chain(results: Results, one: Chain) -> dict[str, Any]:
    return {
        "domains": list(one.domains),
        "arms": list(one.arms),
        "accuracy_of_base": [_estimate(of_domain) for of_domain in one.base],
        "accuracy": [[_estimate(of_domain) for of_domain in row] for row in one.accuracy],
        "backward_transfer": _estimate(one.backward_transfer),
        "forgetting": [
            dict(zip(("estimate", "low", "high"), results.forgetting(arm), strict=True)) for arm in one.arms
        ],
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return {"estimate": one.estimate, "low": one.low, "high": one.high, "seeds": one.seeds, "cases": one.cases}


def _arm(one: Estimate, seeds: Sequence[int], estimates: Sequence[float]) -> dict[str, Any]:
    return {
        "estimate": one.estimate,
        "low": one.low,
        "high": one.high,
        "std": one.std,
        "by_seed": {str(seed): value for seed, value in zip(seeds, estimates, strict=True)},
        "seeds": len(estimates),
        "cases": one.cases,
    }


def _difference(one: Comparison) -> dict[str, Any]:
    found = one.difference
    return {
        "first": one.first,
        "second": one.second,
        "measure": one.measure.key,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "se": found.se,
        "df": found.df,
        "p": found.p,
        "cautious_p": found.cautious_p,
        "p_holm": one.p_holm,
        "equivalence_p": one.equivalence_p,
        "margin": one.margin,
        "smallest_detectable": one.smallest_detectable,
        "seeds": found.seeds,
        "cases": found.cases,
        "components": asdict(found.components),
        "mcnemar": {str(seed): p for seed, p in one.mcnemar.items()} if one.mcnemar else None,
        "verdict": one.word,
        "needed": asdict(one.needed) if one.needed else None,
    }
