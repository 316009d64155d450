"""Reads metrics/details.json: every arm's numbers, the differences between arms, and the verdicts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anamnesis.errors import InputError
from anamnesis.settings.evaluation import EXAMS

DETAILS = Path("metrics/details.json")

BETTER, WORSE = "better", "worse"
BASE = "base"


@dataclass(frozen=True)
class Estimate:
    """One arm's value of one measure, on so many cases; `by_seed` has the value of each training seed."""

    value: float
    by_seed: tuple[float, ...]
    cases: int


@dataclass(frozen=True)
class Results:
    """What an experiment found.

    Attributes:
        estimates: by arm and measure.
        verdicts: on `second` against `first`, by first arm, second arm and measure.
        differences: `second` - `first` with its 95 % interval, under the same keys.
        claim: the hypothesis under test and what became of it; empty if none is.
        arms: the verdict on each candidate arm; empty if none is.
        provenance: how, where and when it was measured.
        matched: by arm, how much more of the capability it keeps than a share of `none` that adapts as much.
        capability, adaptation: the measures that forgetting and adaptation are read from; None in older files.
    """

    estimates: Mapping[tuple[str, str], Estimate]
    verdicts: Mapping[tuple[str, str, str], str]
    differences: Mapping[tuple[str, str, str], tuple[float, float, float]]
    claim: Mapping[str, Any]
    arms: Mapping[str, str]
    provenance: Mapping[str, Any]
    matched: Mapping[str, float] = field(default_factory=dict)
    capability: str | None = None
    adaptation: str | None = None

    @property
    def processor(self) -> str | None:
        """Where it was measured."""
        found = self.provenance.get("summarized on")
        return None if found is None else str(found)

    @property
    def answers(self) -> dict[str, str]:
        """What the experiment answers: whether the claim holds, and the verdict on each arm."""
        claim = {"the claim": str(self.claim["holds"])} if "holds" in self.claim else {}
        return claim | {f"`{arm}`": verdict for arm, verdict in self.arms.items()}

    @property
    def main_measures(self) -> tuple[str, ...]:
        """The capability and the adaptation; if the file does not name them, the exams and the macro F1."""
        if self.capability and self.adaptation:
            return self.capability, self.adaptation
        measures = dict.fromkeys(measure for *_, measure in self.verdicts)
        return tuple(one for one in measures if one in EXAMS.values() or one.endswith("_macro_f1"))


def load_results(folder: Path) -> Results:
    """The results in the `metrics` folder of an experiment.

    Raises:
        InputError: it has no details.json, or the file cannot be read.
    """
    path = folder / DETAILS.name
    if not path.is_file():
        raise InputError(f"there is no {path}: name a metrics folder that the stage `summarize` wrote.")
    return read_results(path.read_text(encoding="utf-8"), str(path))


def read_results(text: str, name: str) -> Results:
    """The results in the text of a details.json.

    Raises:
        InputError: it is not one; `name` says which.
    """
    try:
        details = json.loads(text)
        if not details["arms"]:
            raise KeyError("arms")
        return Results(
            estimates={
                (arm, measure): _estimate(numbers)
                for arm, measures in details["arms"].items()
                for measure, numbers in measures.items()
            },
            verdicts={_key(difference): difference["verdict"] for difference in details["differences"]},
            differences={
                _key(difference): (difference["estimate"], difference["low"], difference["high"])
                for difference in details["differences"]
            },
            claim=details.get("claim") or {},
            arms={arm: said["verdict"] for arm, said in (details.get("verdicts") or {}).items()},
            provenance=details.get("provenance") or {},
            matched={
                arm: said["found"]["difference"]["estimate"]
                for arm, said in (details.get("matched") or {}).items()
                if said["found"]["difference"]
            },
            capability=details.get("capability"),
            adaptation=details.get("adaptation"),
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{name} is not what the stage `summarize` writes ({error!r}): run `dvc repro`.") from None


def _estimate(numbers: Mapping[str, Any]) -> Estimate:
    return Estimate(numbers["estimate"], tuple((numbers.get("by_seed") or {}).values()), numbers["cases"])


def _key(difference: Mapping[str, Any]) -> tuple[str, str, str]:
    return difference["first"], difference["second"], difference["measure"]


def answer(results: Results) -> str:
    """The experiment's answer in one line: the claim's, the candidates' verdicts, or else the main comparisons."""
    if sentence := results.claim.get("sentence"):
        return str(sentence)
    if results.arms:
        return "; ".join(f"`{arm}` {verdict}" for arm, verdict in results.arms.items())
    return "; ".join(
        f"`{second}` against `{first}`: {', '.join(said)}" for (first, second), said in _main(results).items()
    )


def _main(results: Results) -> dict[tuple[str, str], Sequence[str]]:
    """The verdicts on what is in the title of the tables, of every arm against the first that was trained."""
    first = next((arm for arm, _ in results.estimates if arm != BASE), BASE)
    pairs: dict[tuple[str, str], list[str]] = {}
    for (one, other, measure), verdict in results.verdicts.items():
        if one == first and measure in results.main_measures:
            pairs.setdefault((one, other), []).append(f"{measure} {verdict}")
    return dict(pairs)
