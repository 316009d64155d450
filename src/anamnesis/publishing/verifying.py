"""Checks a second run of an experiment against the first: its numbers, and its verdicts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from anamnesis import markdown
from anamnesis.errors import InputError
from anamnesis.publishing.prediction import Agreement, agreement, half_width
from anamnesis.publishing.results import BASE, BETTER, WORSE, Estimate, Results

# Of the second run's estimates, the share that must be identical or lie inside the first run's prediction intervals.
ENOUGH = 0.9
TURNED = {BETTER, WORSE}
REVERSED = ({"PASS", "FAIL"}, {"confirmed", "contradicted"})
ABSENT = "-"


@dataclass(frozen=True)
class Verification:
    """Two runs of an experiment, compared.

    Attributes:
        first, second: the runs; the first gives the prediction intervals.
        agreements: by arm and measure, for every number of the arms that both have.
        left_out: the arms that only one of them has.
    """

    first: Results
    second: Results
    agreements: Mapping[tuple[str, str], Agreement]
    left_out: Sequence[str] = ()

    @property
    def runs(self) -> tuple[Results, Results]:
        return self.first, self.second

    @property
    def share(self) -> float:
        """The share of estimates that agree. An estimate that cannot be judged counts as not agreeing.

        The base is the same model in both runs, so its numbers count only where they do not agree, and not where
        another processor computed them.
        """
        counted = [
            said
            for (arm, _), said in self.agreements.items()
            if arm != BASE or not (said.agrees or said is Agreement.ELSEWHERE)
        ]
        return sum(said.agrees for said in counted) / len(counted)

    @property
    def turned(self) -> list[tuple[str, str, str]]:
        """The comparisons whose verdict went from better to worse or back."""
        return [key for key in self.first.verdicts if self.verdict(key) == "turned"]

    @property
    def reversed(self) -> list[str]:
        """The answers that went from PASS to FAIL, or from confirmed to contradicted, or back."""
        return [what for what, said in self.first.answers.items() if {said, self.second.answers.get(what)} in REVERSED]

    @property
    def holds(self) -> bool:
        return not self.turned and not self.reversed and self.share >= ENOUGH

    def verdict(self, key: tuple[str, str, str]) -> str:
        """What became of the verdict on a comparison: holds, turned, changed, or missing."""
        first, second = self.first.verdicts.get(key), self.second.verdicts.get(key)
        if first is None or second is None:
            return "missing"
        if first == second:
            return "holds"
        return "turned" if {first, second} == TURNED else "changed"


def verify(first: Results, second: Results) -> Verification:
    """Compare the second run with the first.

    Raises:
        InputError: they were measured on different splits, or have no arm but the base in common.
    """
    splits = [str(run.provenance.get("split")) for run in (first, second)]
    if splits[0] != splits[1]:
        raise InputError(
            f"the shelved run was measured on the {splits[0]} split and the other on the {splits[1]} split: set "
            f"`split: {splits[0]}` in params.yaml and run `make repro`, or name another run's metrics by "
            f"METRICS=folder."
        )
    arms = [dict.fromkeys(arm for arm, _ in run.estimates if arm != BASE) for run in (first, second)]
    if not (common := arms[0].keys() & arms[1].keys()):
        raise InputError(
            f"the two runs have no arm in common: the shelved one has {_named(arms[0])}, the other {_named(arms[1])}."
        )
    keys = dict.fromkeys(key for key in (*first.estimates, *second.estimates) if key[0] in {BASE, *common})
    agreements = {key: agreement(first.estimates.get(key), second.estimates.get(key)) for key in keys}
    if first.processor != second.processor:
        agreements |= {
            key: Agreement.ELSEWHERE for key, said in agreements.items() if key[0] == BASE and said is Agreement.UNKNOWN
        }
    return Verification(first, second, agreements, [arm for arm in {**arms[0], **arms[1]} if arm not in common])


def page(name: str, verification: Verification) -> str:
    """The result of `make verify` as Markdown: the answer first, then verdicts, then numbers."""
    counts = Counter(verification.agreements.values())
    kept = Counter(verification.verdict(key) for key in verification.first.verdicts)
    turned = "".join(
        f"- turned: `{second}` against `{first}`, {measure}\n" for first, second, measure in verification.turned
    )
    turned += "".join(f"- reversed: {what}\n" for what in verification.reversed)
    if verification.left_out:
        turned += f"- in one run only, and not compared: {_named(verification.left_out)}\n"
    if verification.first.processor != verification.second.processor:
        processors = [run.processor or "one that is not known" for run in verification.runs]
        turned += f"- processors: {processors[0]}, and {processors[1]} again\n"
    return f"""# {name}: {"holds" if verification.holds else "does not hold"}

- numbers: {verification.share:.0%} agree; {_counted(counts)}
- verdicts: {_counted(kept)}
{turned}
{_answers(verification)}

{_verdicts(verification)}

{_numbers(verification)}

A number agrees if it is identical or lies inside the prediction interval of the first run: the range in which 95 % of
runs with other seeds on the same cases are expected. The runs agree if no verdict turned from better to worse or back,
no answer was reversed (PASS and FAIL, confirmed and contradicted), and at least {ENOUGH:.0%} of the arms' numbers
agree. Arms that only one run has are left out. So are the base's numbers from another processor: it has no seeds, and
nothing says how far they may move.
"""


def _named(arms: Iterable[str]) -> str:
    return ", ".join(f"`{arm}`" for arm in arms) or "none"


def _counted(counts: Mapping[Agreement, int] | Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _answers(verification: Verification) -> str:
    first, second = (run.answers for run in verification.runs)
    rows = [[what, said, second.get(what, ABSENT)] for what, said in first.items()]
    return _table(["", "answer", "again"], rows)


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
