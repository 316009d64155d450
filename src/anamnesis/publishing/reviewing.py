"""What a change does to the results: the comment on a pull request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anamnesis import markdown
from anamnesis.publishing.prediction import Agreement, agreement, half_width
from anamnesis.publishing.repository import Repository
from anamnesis.publishing.results import DETAILS, Estimate, Results, load_results, read_results

# Finds the comment again, to update it in place.
MARKER = "<!-- anamnesis results -->"
PICTURE = "reports/tradeoff.png"
# GitHub takes comments of up to 65,536 characters.
MOST_ROWS = 40
ABSENT = "-"


@dataclass(frozen=True)
class Review:
    """The comment, and whether the committed results belong to the code and parameters."""

    page: str
    fresh: bool


def review(root: Path, base: str, files: str = "") -> Review:
    """Compare the results in the checkout `root` with those at the revision `base`.

    Args:
        files: what goes before a path in a link; empty for links that work in the checkout.

    Raises:
        InputError: there is no such revision, or no results to compare.
    """
    repository = Repository(root)
    commit = repository.commit(base)
    stale = repository.stale_stages()
    parts = [MARKER, _freshness(stale)]
    if not stale:
        now = load_results(root / DETAILS.parent)
        text = repository.file_at(commit, DETAILS)
        before = None if text is None else read_results(text, f"{DETAILS} at {base}")
        parts += [*_compared(before, now, base), f"![trade-off]({files}{PICTURE})"]
    parts.append(_parameters(repository.changed_parameters(commit), base))
    return Review("\n\n".join(parts) + "\n", not stale)


def _freshness(stale: Sequence[str]) -> str:
    if not stale:
        return "## Results: fresh\n\ndvc.lock belongs to this code and these parameters."
    listed = "\n".join(f"- `{name}`" for name in stale)
    return (
        f"## Results: stale\n\ndvc.lock does not belong to this code and these parameters. `dvc repro` would run these "
        f"stages, and those that depend on their outputs:\n\n{listed}\n\n"
        f"Run `make repro` and commit dvc.lock, metrics/ and reports/."
    )


def _compared(before: Results | None, now: Results, base: str) -> Iterator[str]:
    if before is None:
        yield f"`{base}` has no {DETAILS}: there is nothing to compare with."
        before = Results({}, {}, {}, {}, {}, {})
    yield _verdicts(before, now, base)
    yield _numbers(before, now, base)


# ---- Verdicts ----------------------------------------------------------------------------------------------------


def _verdicts(before: Results, now: Results, base: str) -> str:
    rows = [["claim", _claim(before), _claim(now)]] if now.claim or before.claim else []
    for arm in _union(now.arms, before.arms):
        rows.append([f"`{arm}`", before.arms.get(arm, ABSENT), now.arms.get(arm, ABSENT)])
    keys = [key for key in _union(now.verdicts, before.verdicts) if key in now.verdicts and key in before.verdicts]
    changed = [key for key in keys if now.verdicts[key] != before.verdicts[key]]
    for first, second, measure in changed[:MOST_ROWS]:
        key = first, second, measure
        rows.append([f"`{second}` against `{first}`, {measure}", before.verdicts[key], now.verdicts[key]])
    said = (
        f"{len(changed)} of {len(keys)} comparisons differ in their verdict from `{base}`; "
        f"{len(now.verdicts) - len(keys)} are new, {len(before.verdicts) - len(keys)} are gone."
    )
    parts = ["### Verdicts", *([markdown.table(["", f"at `{base}`", "now"], rows)] if rows else []), said]
    return "\n\n".join(parts)


def _claim(results: Results) -> str:
    return str(results.claim.get("sentence", ABSENT))


# ---- Numbers -----------------------------------------------------------------------------------------------------


def _numbers(before: Results, now: Results, base: str) -> str:
    said = {
        key: agreement(before.estimates.get(key), now.estimates.get(key))
        for key in _union(now.estimates, before.estimates)
    }
    both = {key: one for key, one in said.items() if one is not Agreement.MISSING}
    beyond = [key for key, one in both.items() if not one.agrees]
    same = sum(one is Agreement.IDENTICAL for one in both.values())
    rows = [_number(key, before.estimates[key], now.estimates[key], both[key]) for key in beyond[:MOST_ROWS]]
    table = markdown.table(["arm", "measure", f"at `{base}`", "now", "change", ""], rows)
    within = len(both) - len(beyond) - same
    counts = (
        f"{within} {'other ' if beyond else ''}{'number' if within == 1 else 'numbers'} changed within "
        f"{'its interval' if within == 1 else 'their intervals'}, {same} did not change, "
        f"{len(now.estimates) - len(both)} are new, {len(before.estimates) - len(both)} are gone."
    )
    left_out = f"{len(beyond) - MOST_ROWS} more changed beyond their intervals." if len(beyond) > MOST_ROWS else ""
    heading = "### Numbers that changed beyond their intervals" if beyond else "### Numbers"
    return "\n\n".join(part for part in (heading, table if rows else "", left_out, counts) if part)


def _number(key: tuple[str, str], before: Estimate, now: Estimate, said: Agreement) -> list[str]:
    arm, measure = key
    allowed = half_width(before, len(now.by_seed))
    expected = f"{before.value:.4f}" + ("" if allowed is None else f" ± {allowed:.4f}")
    note = "" if said is Agreement.DIFFERENT else said
    return [f"`{arm}`", measure, expected, f"{now.value:.4f}", f"{now.value - before.value:+.4f}", note]


# ---- The rest ----------------------------------------------------------------------------------------------------


def _parameters(changed: Mapping[str, Mapping[str, Any]], base: str) -> str:
    rows = [
        [file, f"`{key}`", _value(values.get("old")), _value(values.get("new"))]
        for file, keys in changed.items()
        for key, values in keys.items()
    ]
    if not rows:
        return "### Parameters\n\nNone changed."
    return "### Parameters\n\n" + markdown.table(["file", "parameter", f"at `{base}`", "now"], rows)


def _value(value: object) -> str:
    return ABSENT if value is None else f"`{value}`".replace("|", "\\|")


def _union(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> list[Any]:
    return [*first, *(key for key in second if key not in first)]
