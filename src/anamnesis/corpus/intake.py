"""Takes in an export row by row: every row is refused, dropped as a duplicate, or staged for the split."""

import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from joblib import cpu_count
from tqdm import tqdm

from anamnesis.corpus.coding import check_encoding
from anamnesis.corpus.formats import Row, corpus_files, read_rows
from anamnesis.corpus.pseudonyms import Pseudonyms
from anamnesis.corpus.refusals import CorpusError, Notice, Refusal
from anamnesis.corpus.reports import Preparer, Report, boilerplate_of
from anamnesis.corpus.staging import Sketched, Staging
from anamnesis.settings.corpus import Corpus

ROWS_AT_ONCE = 512
# Boilerplate is recognized from this many first rows.
BEGINNING = 5000
# A longer category is taken for a report's text, and is shown nowhere.
LONGEST_CATEGORY = 60
# A smaller export is read in one process: others gain seconds, and take their memory.
LARGE_BYTES = 2**21
# Each takes about 450 MB.
MOST_PROCESSES = 4

T = TypeVar("T")


@dataclass
class Account:
    """What became of the rows, which rules changed them, and how many names each engine found; `engine`: which ran."""

    engine: str | None = None
    rows_in: int = 0
    duplicates: int = 0
    # The hash of all usable reports.
    fingerprint: str = ""
    # What is unusual in the files.
    noticed: Counter[Notice] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    identifiers: Counter[str] = field(default_factory=Counter)
    names_by: Counter[str] = field(default_factory=Counter)

    @property
    def quarantined(self) -> int:
        return self.refused.total()

    def check(self, parts: Iterable[int]) -> None:
        """Every row must be in exactly one place.

        Args:
            parts: the number of reports of each part of the split.

        Raises:
            RuntimeError: rows are lost or doubled, which is a bug.
        """
        sizes = list(parts)
        if self.rows_in != sum(sizes) + self.duplicates + self.quarantined:
            raise RuntimeError(f"rows are lost or doubled: {self}, parts of {sizes}")


def take_in(settings: Corpus, staging: Staging, quarantine: Path) -> Account:
    """Read the whole export.

    Args:
        settings: the corpus.
        staging: receives the usable reports without exact duplicates.
        quarantine: receives a line for each refused row: file, row, reason; no text.

    Raises:
        CorpusError: a file cannot be read, no report can be used, or too large a share is refused.
    """
    deidentification = settings.deidentification
    account = Account(engine=deidentification.engine if deidentification.enabled else None)
    files = corpus_files(settings)
    size = sum(path.stat().st_size for path in files)
    processes = min(cpu_count(), MOST_PROCESSES) if size > LARGE_BYTES else 1
    quarantine.parent.mkdir(parents=True, exist_ok=True)
    bar = tqdm(desc="corpus", total=size, unit="B", unit_scale=True, mininterval=5)
    with bar, quarantine.open("w", encoding="utf-8", newline="\n") as refused:
        rows = read_rows(settings, bar.update, account.noticed)
        for file, number, outcome in _prepared(rows, settings, processes):
            account.rows_in += 1
            if isinstance(outcome, Refusal):
                account.refused[outcome] += 1
                row = {"file": file, "row": number, "reason": outcome}
                refused.write(json.dumps(row, ensure_ascii=False) + "\n")
            elif staging.add(account.rows_in, outcome):
                account.changed.update(outcome.report.changed)
                account.identifiers.update(outcome.report.identifiers)
                account.names_by.update(outcome.report.names_by)
            else:
                account.duplicates += 1
    account.fingerprint = staging.fingerprint
    account.noticed[Notice.OTHER_SPELLINGS] = staging.other_spellings
    _check(settings, staging, account)
    return account


def categories_of(settings: Corpus, staging: Staging) -> list[str]:
    """The declared set in its order, or the set of the corpus, sorted.

    Raises:
        CorpusError: the set of the corpus cannot be categories, or lacks a critical one.
    """
    found = sorted(staging.categories)
    if len(found) < 2:
        raise CorpusError(
            f"corpus.columns.category: all usable reports of {settings.path} have one category; give at least two."
        )
    if settings.categories is not None:
        return list(settings.categories)
    if max(map(len, found)) > LONGEST_CATEGORY:
        raise CorpusError(
            f"corpus.columns.category: {settings.path} has categories of over {LONGEST_CATEGORY} characters; "
            f"set it to the column that holds the label, or declare corpus.categories."
        )
    patients_of = np.unique(np.stack([staging.category_numbers, staging.patients]), axis=1)[0]
    if np.median(np.bincount(patients_of)) < 2:
        raise CorpusError(
            f"corpus.columns.category: most categories of {settings.path} belong to one patient each, like names; "
            f"set it to the column that holds the label, or declare corpus.categories."
        )
    if unknown := sorted(set(settings.critical_categories) - set(found)):
        raise CorpusError(
            f"corpus.critical_categories names {unknown}, which {settings.path} does not hold; name categories that it "
            f"holds."
        )
    return found


def _check(settings: Corpus, staging: Staging, account: Account) -> None:
    reasons = ", ".join(f"{reason}: {count}" for reason, count in account.refused.most_common(3))
    meanings = {refusal.value: refusal.meaning for refusal in Refusal}
    meaning = "".join(f"; {reason} means: {meanings[reason]}" for reason, _ in account.refused.most_common(1))
    if not len(staging):
        raise CorpusError(
            f"corpus.path: {settings.path} has {account.rows_in} rows and no usable report ({reasons}){meaning}; "
            f"check corpus.columns and corpus.categories."
        )
    if account.quarantined > settings.max_refused_share * account.rows_in:
        raise CorpusError(
            f"corpus.max_refused_share: {account.quarantined} of {account.rows_in} rows of {settings.path} were "
            f"refused ({reasons}), a share above {settings.max_refused_share:g}{meaning}; "
            f"data/prepared/quarantine.jsonl lists them: correct the export, or raise the share."
        )


# ---- Work on single rows, in several processes ---------------------------------------------------------------------


def _prepared(rows: Iterator[Row], settings: Corpus, processes: int) -> Iterator[tuple[str, int, Sketched | Refusal]]:
    """File and number of each row, and what becomes of it; the boilerplate is recognized from the first rows."""
    beginning = list(islice(rows, BEGINNING))
    check_encoding([row.read for row in beginning if not isinstance(row.read, Refusal)], settings)
    plain = Preparer(settings, Pseudonyms.of(settings.deidentification))
    with _workers(processes) as in_order:
        uncut = list(chain.from_iterable(in_order(plain.prepare_all, _chunks(iter(beginning)))))
        prepare = replace(plain, boilerplate=boilerplate_of(uncut, settings))
        for row, outcome in zip(beginning, uncut, strict=True):
            yield row.file, row.number, _sketched(outcome if isinstance(outcome, Refusal) else prepare.cut(outcome))
        for chunk in in_order(partial(_prepare_all, prepare), _chunks(rows)):
            yield from chunk


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    return iter(lambda: list(islice(rows, ROWS_AT_ONCE)), [])


def _prepare_all(prepare: Preparer, rows: list[Row]) -> list[tuple[str, int, Sketched | Refusal]]:
    prepared = zip(rows, prepare.prepare_all(rows), strict=True)
    return [(row.file, row.number, _sketched(outcome)) for row, outcome in prepared]


def _sketched(outcome: Report | Refusal) -> Sketched | Refusal:
    return outcome if isinstance(outcome, Refusal) else Sketched.of(outcome)


@contextmanager
def _workers(processes: int) -> Iterator[Any]:
    """What maps work over chunks like map(), in so many processes."""
    if processes == 1:
        yield map
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield partial(_in_order, pool, 2 * processes)


def _in_order(pool: ProcessPoolExecutor, most: int, work: Any, chunks: Iterator[T]) -> Iterator[Any]:
    """Only a few chunks are in flight: the pool's own map() would read the whole export first."""
    waiting: deque[Future[Any]] = deque()
    for chunk in chunks:
        waiting.append(pool.submit(work, chunk))
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
