"""The experiment at a glance: every arm by every measure, with what each arm forgets and gains."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from anamnesis.analysis.leakage import leakage_measures
from anamnesis.analysis.measures import all_measures, task_measures
from anamnesis.settings.leakage import MEMBERSHIP_LOSS, REPORT_EXTRACTED

FORGETTING, ADAPTATION, SEEDS = "forgetting", "adaptation", "seeds"
# The end of the key of the macro-F1, after the name of the category.
MACRO_F1 = "_macro_f1"


@dataclass(frozen=True)
class Column:
    """A column of the table; `better` is None where neither direction is."""

    key: str
    title: str
    better: Literal["higher", "lower"] | None


@dataclass(frozen=True)
class Value:
    """An estimate with its 95 % interval; a count has none."""

    estimate: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Overview:
    """What is compared.

    Attributes:
        arms: in the order of the results, the base among them.
        columns: forgetting, adaptation, every measure that was made, and the number of seeds.
        values: by arm and column; an arm has no value where it was not measured.
        split: the part of the corpus that was measured.
    """

    arms: Sequence[str]
    columns: Sequence[Column]
    values: Mapping[str, Mapping[str, Value]]
    split: str


def overview(
    summary: Mapping[str, Mapping[str, float]], details: Mapping[str, Any], tasks: Mapping[str, Any]
) -> Overview:
    """The overview of an experiment.

    Args:
        summary, details: metrics/summary.json and metrics/details.json.
        tasks: what metrics/general/base.json says of the tasks that were asked.
    """
    columns = [
        Column(FORGETTING, "forgetting", "lower"),
        Column(ADAPTATION, "adaptation", "higher"),
        *_measures(details["arms"], tasks),
        Column(SEEDS, "seeds", None),
    ]
    return Overview(
        arms=list(details["arms"]),
        columns=columns,
        values={
            arm: {
                **dict(_changes(summary[arm])),
                **{key: Value(one["estimate"], one["low"], one["high"]) for key, one in of_arm.items()},
            }
            for arm, of_arm in details["arms"].items()
        },
        split=details["provenance"]["split"],
    )


def _changes(of_arm: Mapping[str, float]) -> Iterator[tuple[str, Value]]:
    for key in (FORGETTING, ADAPTATION):
        if key in of_arm:
            yield key, Value(of_arm[key], of_arm[f"{key}_low"], of_arm[f"{key}_high"])
    if SEEDS in of_arm:
        yield SEEDS, Value(of_arm[SEEDS])


def _measures(arms: Mapping[str, Mapping[str, Any]], tasks: Mapping[str, Any]) -> list[Column]:
    """Those that were made, under the titles of the report."""
    made = dict.fromkeys(key for of_arm in arms.values() for key in of_arm)
    # Without a category that was measured, none of the titles has its name.
    label = next((key for key in made if key.endswith(MACRO_F1)), MACRO_F1).removesuffix(MACRO_F1)
    # Titles depend neither on the critical categories, as long as there are some, nor on the scores.
    of_leakage = leakage_measures({*made, REPORT_EXTRACTED, MEMBERSHIP_LOSS})
    known = {one.key: one for one in all_measures(label, (label,), [*task_measures(tasks, {}), *of_leakage])}
    return [Column(key, known[key].title, known[key].better) for key in made]
