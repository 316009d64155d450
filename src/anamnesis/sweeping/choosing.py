"""The recommendation: of the points that keep a limit of forgetting, the one that adapts most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from anamnesis.analysis.comparison import ALPHA, adjust
from anamnesis.analysis.wording import with_interval
from anamnesis.errors import InputError
from anamnesis.settings.methods import Method
from anamnesis.settings.sections import section
from anamnesis.sweeping.grid import SPLIT
from anamnesis.sweeping.outcomes import Outcome, Outcomes, against

# What the pasted section is called: the method's name and this.
CHOSEN = "chosen"
# So many points are named in a sentence.
NAMED = 4


@dataclass(frozen=True)
class Recommendation:
    """What to take for a limit of forgetting.

    Attributes:
        limit: the most that may be forgotten.
        within: the points whose whole interval of forgetting is within the limit.
        chosen: of these, the one with the largest adaptation; None if there is none.
        alike: of these, the others that cannot be told apart from it in adaptation.
        nearest: the point whose interval ends lowest.
    """

    limit: float
    within: Sequence[Outcome]
    chosen: Outcome | None
    alike: Sequence[Outcome]
    nearest: Outcome


def recommend(found: Outcomes, limit: float) -> Recommendation:
    """Choose by the upper end of the 95 % interval of forgetting, and then by the estimate of adaptation.

    The other points within the limit are compared with the chosen one, seed by seed and report by report, with Holm's
    adjustment. With one seed, none can be told apart: two models are not their methods.
    """
    within = [one for one in found.points if one.forgetting.high <= limit]
    nearest = min(found.points, key=lambda one: one.forgetting.high)
    if not within:
        return Recommendation(limit, [], None, [], nearest)
    chosen = max(within, key=lambda one: one.adaptation.estimate)
    others = [one for one in within if one is not chosen]
    tests = [against(one.adapted, chosen.adapted, found.adaptation.better)[0] for one in others]
    adjusted = adjust(tests) if tests else []
    alike = [one for one, p in zip(others, adjusted, strict=True) if p >= ALPHA or not found.over_seeds]
    return Recommendation(limit, within, chosen, alike, nearest)


def sentences(found: Outcomes, advice: Recommendation) -> list[str]:
    """The recommendation, and what to think of its numbers."""
    limit = f"at most {advice.limit:g} of forgetting ({found.capability.title})"
    chosen = advice.chosen
    if chosen is None:
        count = sum(one.forgetting.estimate <= advice.limit for one in found.points)
        although = {0: "", 1: ", although the estimate of 1 is"}.get(count, f", although the estimates of {count} are")
        return [
            f"For {limit} no point can be recommended: of none does the 95 % interval of forgetting end within the "
            f"limit{although}.",
            f"`{advice.nearest.point.label}` comes nearest, with {with_interval(*advice.nearest.forgetting.ends)}. "
            f"Allow more (AT_MOST=…), add gentler values, or narrow the intervals with more seeds or questions.",
        ]
    return [
        f"For {limit} take `{chosen.point.label}`: adaptation ({found.adaptation.improvement}) "
        f"{with_interval(*chosen.adaptation.ends)}, forgetting {with_interval(*chosen.forgetting.ends)}.",
        _others(found, advice),
        f"It was chosen as the best of {len(found.points)} points on the {SPLIT} split, so that these numbers are "
        f"optimistic (the winner's curse): measure it again on the test split before you state any.",
    ]


def _others(found: Outcomes, advice: Recommendation) -> str:
    count = len(advice.within) - 1
    if count == 0:
        return "It is the only point within the limit."
    of = f"the {count} other points" if count > 1 else "the other point"
    if not found.over_seeds:
        return (
            f"With one seed the intervals cover questions and reports, but no other training, so that {of} within the "
            f"limit {'are' if count > 1 else 'is'} not excluded."
        )
    if not advice.alike:
        return f"It adapts more than {f'each of {of}' if count > 1 else of} within the limit."
    if count == 1:
        return f"It cannot be told apart in adaptation from {of} within the limit, `{advice.alike[0].point.label}`."
    named = [f"`{one.point.label}`" for one in advice.alike[:NAMED]]
    more = f" and {len(advice.alike) - NAMED} more" if len(advice.alike) > NAMED else ""
    return (
        f"Of {of} within the limit, {len(advice.alike)} cannot be told apart from it in adaptation: "
        f"{', '.join(named)}{more}."
    )


def name_of_section(method: str, science: Mapping[str, Any]) -> str:
    """A name that params.yaml does not have yet."""
    name = f"{method}_{CHOSEN}"
    number = 1
    while name in science:
        number += 1
        name = f"{method}_{CHOSEN}_{number}"
    return name


def pasteable(name: str, values: Mapping[str, Any], comments: Sequence[str]) -> str:
    """A section of params.yaml as text, read back as the settings are read.

    Args:
        name: of the section.
        values: its content.
        comments: lines to stand above it.

    Raises:
        InputError: what was written is not what is read.
    """
    text = StringIO()
    YAML().dump({name: dict(values)}, text)
    read = YAML(typ="safe").load(text.getvalue())
    if section(read, name, Method) != section({name: values}, name, Method):
        raise InputError(f"the section `{name}` changes when it is written as YAML: copy it from sweep.json.")
    return "".join(f"# {line}\n" for line in comments) + text.getvalue()
