"""Per-case scores of all runs: what every arm got, seed by seed, for the same questions and reports."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from anamnesis.errors import InputError

BASE = "base"
KINDS = ("general", "domain")

log = logging.getLogger("scores")


@dataclass(frozen=True)
class Categories:
    """The category of every case, (cases,), and the one that each seed's model gave it, (seeds, cases)."""

    gold: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class Scores:
    """One measure of one arm: a row per seed, a column per case. The base has one row.

    values, weights: (seeds, cases); the measure is sum(value) / sum(weight). categories: only for the measure of the
    category, where a value says whether it is right.
    """

    seeds: tuple[int, ...]
    cases: tuple[str, ...]
    values: np.ndarray
    weights: np.ndarray
    categories: Categories | None = None


# By arm, then by measure.
AllScores = Mapping[str, Mapping[str, Scores]]


def load_scores(
    folder: Path, methods: Sequence[str], seeds: Sequence[int], of_chains: Collection[str] = ()
) -> dict[str, dict[str, Scores]]:
    """Read the scores of the base and of every arm of `methods`; other files in the folder are left alone.

    The measures `of_chains` are those of further domains, which only the base and the arms of chains have.

    Raises:
        InputError: two runs were not asked the same questions.
    """
    found: dict[str, dict[str, Scores]] = {}
    for kind in KINDS:
        runs = {(BASE, 0): _read(folder / kind / f"{BASE}.csv")}
        runs |= {(method, seed): _read(folder / kind / f"{method}-{seed}.csv") for method in methods for seed in seeds}
        # A metric of a task is left out of a run in which it is no share, and then of all.
        measured = [set(run["measure"]) for run in runs.values()]
        common = set.intersection(*measured)
        in_any = set.union(*measured)
        common |= in_any & set(of_chains)
        if partly := sorted(in_any - common):
            log.warning("left out, because not every run has it: %s", ", ".join(partly))
        for arm, measure, tables in _by_arm(runs):
            if measure in common:
                found.setdefault(arm, {})[measure] = _scores(measure, tables)
    for measures in found.values():
        for measure, scores in measures.items():
            if not _same_cases(scores, found[BASE][measure]):
                raise InputError(_other_questions(measure))
    return found


def _read(path: Path) -> pd.DataFrame:
    text = dict.fromkeys(("arm", "measure", "case", "gold", "predicted"), str)
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"value": [], "weight": []})


def _by_arm(runs: Mapping[tuple[str, int], pd.DataFrame]) -> Iterator[tuple[str, str, dict[int, pd.DataFrame]]]:
    """Each arm's tables of each measure, by seed; one run may hold several arms (`ema`, `ema_teacher`)."""
    tables: dict[tuple[str, str], dict[int, pd.DataFrame]] = {}
    for (_, seed), run in runs.items():
        for (arm, measure), table in run.groupby(["arm", "measure"], sort=False):
            tables.setdefault((str(arm), str(measure)), {})[seed] = table
    for (arm, measure), by_seed in tables.items():
        yield arm, measure, by_seed


def _scores(measure: str, tables: Mapping[int, pd.DataFrame]) -> Scores:
    first, *others = tables.values()
    cases = tuple(first["case"])
    if any(tuple(table["case"]) != cases or list(table["gold"]) != list(first["gold"]) for table in others):
        raise InputError(_other_questions(measure))
    categories = None
    if (first["predicted"] != "").any():
        predicted = np.stack([table["predicted"].to_numpy(str) for table in tables.values()])
        categories = Categories(first["gold"].to_numpy(str), predicted)
    return Scores(
        tuple(tables),
        cases,
        np.stack([table["value"].to_numpy(float) for table in tables.values()]),
        np.stack([table["weight"].to_numpy(float) for table in tables.values()]),
        categories,
    )


def _same_cases(one: Scores, other: Scores) -> bool:
    """By name and, for categories, by the right answer: the names are the same for every corpus."""
    if one.categories is None or other.categories is None:
        return one.cases == other.cases
    return one.cases == other.cases and np.array_equal(one.categories.gold, other.categories.gold)


def _other_questions(measure: str) -> str:
    return (
        f"`{measure}`: the runs were not asked the same questions; some scores are of an earlier experiment: run "
        f"`dvc repro` again without naming single stages."
    )
