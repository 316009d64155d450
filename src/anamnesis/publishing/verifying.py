"""Checks a second run of an experiment against the first: its numbers, and its verdicts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anamnesis import markdown
from anamnesis.publishing.prediction import Agreement, agreement, half_width
from anamnesis.publishing.results import BETTER, WORSE, Estimate, Results

# Of the second run's estimates, the share that must be identical or lie inside the first run's prediction intervals.
ENOUGH = 0.9
TURNED = ({BETTER, WORSE},)
ABSENT = "-"


@dataclass(frozen=True)
class Verification:
    """Two runs beside each other.

    Attributes:
        first, second: the runs; the first gives the prediction intervals.
        agreements: by arm and measure, for every number that is in one of them.
    """

    first: Results
    second: Results
    agreements: Mapping[tuple[str, str], Agreement]

    @property
    def runs(self) -> tuple[Results, Results]:
        return self.first, self.second

    @property
    def share(self) -> float:
        """The share of estimates that agree. One that cannot be judged does not."""
        return sum(said.agrees for said in self.agreements.values()) / len(self.agreements)

    @property
    def turned(self) -> list[tuple[str, str, str]]:
        """The comparisons whose verdict went from better to worse or back."""
        return [key for key in self.first.verdicts if self.verdict(key) == "turned"]

    @property
    def holds(self) -> bool:
        return not self.turned and self.share >= ENOUGH

    def verdict(self, key: tuple[str, str, str]) -> str:
        """What became of the verdict on a comparison: holds, turned, changed, or missing."""
        first, second = self.first.verdicts.get(key), self.second.verdicts.get(key)
        if first is None or second is None:
            return "missing"
        if first == second:
            return "holds"
        return "turned" if {first, second} in TURNED else "changed"


def verify(first: Results, second: Results) -> Verification:
    keys = [*first.estimates, *(key for key in second.estimates if key not in first.estimates)]
    agreements = {key: agreement(first.estimates.get(key), second.estimates.get(key)) for key in keys}
    return Verification(first, second, agreements)


def page(name: str, verification: Verification) -> str:
    """The result of `make verify` as Markdown: the answer first, then verdicts, then numbers."""
    counts = Counter(verification.agreements.values())
    kept = Counter(verification.verdict(key) for key in verification.first.verdicts)
    turned = "".join(
        f"- turned: `{second}` against `{first}`, {measure}\n" for first, second, measure in verification.turned
    )
    return f"""# {name}: {"holds" if verification.holds else "does not hold"}

- numbers: {verification.share:.0%} agree; {_counted(counts)}
- verdicts: {_counted(kept)}
{turned}
{_verdicts(verification)}

{_numbers(verification)}

A number agrees if it is identical or lies inside the prediction interval of the first run: the range in which 95 % of
runs with other seeds on the same cases are expected. The runs agree if no verdict turned from better to worse or back,
and at least {ENOUGH:.0%} of the numbers agree.
"""


def _counted(counts: Mapping[Agreement, int] | Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _verdicts(verification: Verification) -> str:
    rows = [
        [f"`{second}`", f"`{first}`", measure, *(_verdict(run, key) for run in verification.runs), said]
        for key in verification.first.verdicts
        for first, second, measure in [key]
        for said in [verification.verdict(key)]
    ]
    return _table(["arm", "against", "measure", "verdict", "again", ""], rows)


def _verdict(results: Results, key: tuple[str, str, str]) -> str:
    if key not in results.verdicts:
        return ABSENT
    value, low, high = results.differences[key]
    return f"{results.verdicts[key]} {value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _numbers(verification: Verification) -> str:
    rows = []
    for key, said in verification.agreements.items():
        arm, measure = key
        first, second = (run.estimates.get(key) for run in verification.runs)
        allowed = half_width(first, len(second.by_seed)) if first and second else None
        cells = [_number(first), _number(second), ABSENT if allowed is None else f"± {allowed:.4f}"]
        rows.append([f"`{arm}`", measure, *cells, said])
    return _table(["arm", "measure", "first", "again", "allowed", ""], rows)


def _number(estimate: Estimate | None) -> str:
    return ABSENT if estimate is None else f"{estimate.value:.4f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are aligned, for a terminal."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return markdown.table([cell.ljust(width) for cell, width in zip(header, widths, strict=True)], padded)
