"""What a finished sweep says: sweep.md and sweep.json."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from anamnesis.analysis.wording import number, with_interval
from anamnesis.markdown import table
from anamnesis.sweeping.choosing import Recommendation, sentences
from anamnesis.sweeping.front import TIMES, Front
from anamnesis.sweeping.grid import SPLIT
from anamnesis.sweeping.outcomes import Outcome, Outcomes
from anamnesis.sweeping.razor import Razor

FRONT_PICTURE, RAZOR_PICTURE = "front.png", "razor.png"
PASTED = "recommended.yaml"


@dataclass(frozen=True)
class Finished:
    """All that is said of a sweep.

    Attributes:
        name: the sweep's.
        found, front, razor, advice: what the analysis gave; no razor without a KL, no advice without a limit.
        pasted: the recommended section as text; None without a recommended point.
        failures: the reason of each point that failed, by label.
        made: where the numbers come from.
    """

    name: str
    found: Outcomes
    front: Front
    razor: Razor | None
    advice: Recommendation
    pasted: str | None
    failures: Mapping[str, str]
    made: Mapping[str, Any]


def page(of: Finished) -> str:
    """The sweep in Markdown."""
    parts = [
        f"# Sweep {of.name}",
        " ".join(sentences(of.found, of.advice)),
        *([f"```yaml\n{of.pasted}```", _how_to_use(of)] if of.pasted else []),
        f"![Adaptation against forgetting of all points]({FRONT_PICTURE})",
        "## Points",
        _points(of),
        _about_points(of),
        *(["## Failed", _failed(of.failures)] if of.failures else []),
        "## What each method reaches",
        _volumes(of.front),
        _about_volumes(of),
        "## Forgetting and the distance from the base",
        *_razor(of.razor, of.found),
        "## How it was made",
        "\n".join(f"- {key}: {value}" for key, value in of.made.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _how_to_use(of: Finished) -> str:
    return (
        f"To use it, paste the section (also in `{PASTED}`) into params.yaml, add `{_name_of(of.pasted)}` to "
        f"`methods`, and run `make repro`; then `make result` measures it on the test split."
    )


def _name_of(pasted: str | None) -> str:
    lines = [line for line in (pasted or "").splitlines() if not line.startswith("#")]
    return lines[0].removesuffix(":")


def _points(of: Finished) -> str:
    rows = []
    for row, (one, on_front, share) in enumerate(
        zip(of.found.points, of.front.on_front, of.front.in_resamples, strict=True), start=1
    ):
        kl = "" if one.kl_nats is None else number(float(one.kl_nats.mean()))
        chosen = " (recommended)" if one is of.advice.chosen else ""
        rows.append([
            row, f"`{one.point.label}`{chosen}", with_interval(*one.forgetting.ends),
            with_interval(*one.adaptation.ends), kl, f"{'yes' if on_front else 'no'}, {share:.0%}",
        ])  # fmt: skip
    return table(["", "point", "forgetting", "adaptation", "KL on reports, nats", "on the front"], rows)


def _about_points(of: Finished) -> str:
    covered = "seeds and cases" if of.found.over_seeds else "cases only: there is one seed"
    return (
        f"Against the base, with 95 % intervals over {covered}. Forgetting is the loss of {of.found.capability.title}, "
        f"adaptation the {of.found.adaptation.improvement}. The last column also says in what share of {TIMES:,} "
        f"bootstrap resamples a point is on the front."
    )


def _volumes(front: Front) -> str:
    rows = [
        [f"`{one.method}`", one.points, with_interval(*one.volume.ends), f"{one.share:.0%}"] for one in front.volumes
    ]
    points = sum(one.points for one in front.volumes)
    rows.append(["all", points, with_interval(*front.whole.ends), "100%"])
    return table(["method", "points", "hypervolume", "of all"], rows)


def _about_volumes(of: Finished) -> str:
    drawn = "seeds, questions and reports" if of.found.over_seeds else "questions and reports"
    return (
        f"The area between a method's front and the reference point, which forgets {number(of.front.reference[0])} "
        f"(the most of any point) and adapts {number(of.front.reference[1])} (the base). The intervals are percentiles "
        f"of a bootstrap over {drawn}, drawn alike for all points. A method with more points reaches more, and the "
        f"best of several noisy points looks better than it is."
    )


def _razor(razor: Razor | None, found: Outcomes) -> list[str]:
    if razor is None:
        return ["There are too few points for a fit, or the distance from the base was not measured."]
    seeds = f"{len(found.seeds)} {'seed' if len(found.seeds) == 1 else 'seeds'}"
    return [
        f"![Forgetting against the KL from the base on reports]({RAZOR_PICTURE})",
        f"A second-degree polynomial in KL(base ‖ model) on held-out reports explains R² = "
        f"{with_interval(*razor.r_squared.ends)} of the variance of forgetting over {len(razor.kl_nats)} runs "
        f"({len(found.points)} points, {seeds}); the interval is a bootstrap over points. The fit "
        f"{'rises' if razor.rises else 'does not rise'} all over this range. Shenfeld et al. "
        f"([arXiv:2509.04259](https://arxiv.org/abs/2509.04259)) fit such a polynomial, and find R² = 0.96 with a toy "
        f"model and 0.71 with language models.",
    ]


def _failed(failures: Mapping[str, str]) -> str:
    return "\n".join(f"- `{label}`: {message}" for label, message in failures.items())


def numbers(of: Finished) -> dict[str, Any]:
    """The same as numbers."""
    return {
        "name": of.name,
        "capability": of.found.capability.key,
        "adaptation": of.found.adaptation.key,
        "made": dict(of.made),
        "recommendation": {
            "sentences": sentences(of.found, of.advice),
            "limit": of.advice.limit,
            "chosen": of.advice.chosen.point.name if of.advice.chosen else None,
            "within": _names(of.advice.within),
            "not_told_apart": _names(of.advice.alike),
            "section": of.pasted,
        },
        "points": [
            {
                **_point(one),
                "on_front": on_front,
                "on_front_in_resamples": share,
            }
            for one, on_front, share in zip(of.found.points, of.front.on_front, of.front.in_resamples, strict=True)
        ],
        "hypervolume": {
            "reference": {"forgetting": of.front.reference[0], "adaptation": of.front.reference[1]},
            "all": asdict(of.front.whole),
            "methods": [asdict(one) for one in of.front.volumes],
        },
        "razor": None if of.razor is None else _fit(of.razor),
        "failed": dict(of.failures),
    }


def _names(points: Sequence[Outcome]) -> list[str]:
    return [one.point.name for one in points]


def _point(one: Outcome) -> dict[str, Any]:
    return {
        "name": one.point.name,
        "label": one.point.label,
        "method": one.point.method,
        "values": dict(one.point.values),
        "section": dict(one.point.section),
        "seeds": list(one.point.seeds),
        "split": SPLIT,
        "forgetting": asdict(one.forgetting),
        "forgetting_by_seed": one.lost_by_seed.tolist(),
        "adaptation": asdict(one.adaptation),
        "adaptation_by_seed": one.gained.mean(axis=1).tolist(),
        "domain_kl_nats_by_seed": None if one.kl_nats is None else one.kl_nats.tolist(),
    }


def _fit(razor: Razor) -> dict[str, Any]:
    return {
        "coefficients": razor.coefficients.tolist(),
        "r_squared": asdict(razor.r_squared),
        "rises": razor.rises,
        "runs": [
            {"method": method, "domain_kl_nats": kl, "forgetting": lost}
            for method, kl, lost in zip(razor.methods, razor.kl_nats.tolist(), razor.forgetting.tolist(), strict=True)
        ],
    }
