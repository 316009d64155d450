"""An export's way in, row by row: every row is refused, dropped as a duplicate, or staged for the split.

What is kept in memory of a report is some 500 bytes of numbers; its text lies on disk in a staging file, under data/
like everything that may hold a patient's words.
"""

import hashlib
import json
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from joblib import cpu_count
from tqdm import tqdm

from anamnesis.corpus.formats import Row, corpus_files, read_rows
from anamnesis.corpus.refusals import CorpusError, Refusal
from anamnesis.corpus.reports import Preparer, Report, preparer
from anamnesis.corpus.similarity import Index, Triples, bands, triples
from anamnesis.settings.corpus import Corpus

ROWS_AT_ONCE = 512
# Rows by which boilerplate is known.
BEGINNING = 5000
# A longer category is taken for a report's text, and more of them for names; they are not written anywhere.
LONGEST_CATEGORY = 60
MOST_CATEGORIES = 1000
# Below this an export is read in one process: starting others takes longer.
LARGE_BYTES = 2**24
# Each takes about 300 MB.
MOST_PROCESSES = 4

T = TypeVar("T")


@dataclass
class Account:
    """What became of the rows, and by which rules they were changed."""

    rows_in: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    identifiers: Counter[str] = field(default_factory=Counter)

    @property
    def quarantined(self) -> int:
        return self.refused.total()

    def check(self, parts: Iterable[int]) -> None:
        """Every row must be in one place.

        Raises:
            RuntimeError: rows were lost or doubled; a mistake of this program.
        """
        if self.rows_in != sum(parts) + self.duplicates + self.quarantined:
            raise RuntimeError(f"rows were lost: {self}, {list(parts)} in the parts")


@dataclass(frozen=True)
class _Sketched:
    """A report with all that is computed from it alone, by whichever process."""

    report: Report
    digest: bytes
    triples: Triples
    bands: npt.NDArray[np.uint32]


class Staging:
    """The usable reports: their text in a file, and in memory what duplicates and splits are found by."""

    def __init__(self, path: Path, keyed: bool = False) -> None:
        """`keyed`: patients are called by their keyed hash; else they are numbered in the order of the export."""
        self.path = path
        self._keyed = keyed
        self.index = Index()
        self._offsets, self._patients, self._categories = array("q"), array("l"), array("h")
        self._patient_numbers: dict[bytes, int] = {}
        self._category_numbers: dict[str, int] = {}
        self._seen: set[bytes] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w+b")

    def __enter__(self) -> "Staging":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        finally:
            self.path.unlink()

    def __len__(self) -> int:
        return len(self._offsets)

    def add(self, number: int, sketched: _Sketched) -> bool:
        """Whether the report is new: whoever's it is, the same twice would be trained on and tested on."""
        if sketched.digest in self._seen:
            return False
        self._seen.add(sketched.digest)
        report = sketched.report
        category = self._category_numbers.setdefault(report.category, len(self._category_numbers))
        if category == MOST_CATEGORIES:
            raise CorpusError(
                f"corpus.columns.category: there are more than {MOST_CATEGORIES} categories; set it to the column that "
                f"holds the label, or declare corpus.categories."
            )
        self._patients.append(self._patient_numbers.setdefault(report.patient, len(self._patient_numbers)))
        self._categories.append(category)
        self.index.add(sketched.triples, sketched.bands)
        self._offsets.append(self._file.tell())
        row = {
            "report": number,
            "patient": report.patient.hex() if self._keyed else self._patients[-1] + 1,
            "description": report.description,
            "conclusion": report.conclusion,
            "category": report.category,
        }
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        return True

    @property
    def categories(self) -> list[str]:
        return list(self._category_numbers)

    @property
    def patients(self) -> npt.NDArray[np.int64]:
        return np.array(self._patients, dtype=np.int64)

    @property
    def category_numbers(self) -> npt.NDArray[np.int16]:
        return np.array(self._categories, dtype=np.int16)

    def lines(self, reports: Iterable[int]) -> Iterator[bytes]:
        """The staged reports in the given order, as lines of JSON."""
        for report in reports:
            self._file.seek(self._offsets[report])
            yield self._file.readline()


def take_in(settings: Corpus, staging: Staging, quarantine: Path) -> Account:
    """Read the whole export.

    Args:
        settings: the corpus.
        staging: gets the usable reports, exact duplicates left out.
        quarantine: gets a line for each refused row: file, row, reason; no text.

    Raises:
        CorpusError: a file cannot be read at all, no report can be used, or too large a share is refused.
    """
    account = Account()
    files = corpus_files(Path(settings.path))
    size = sum(path.stat().st_size for path in files)
    prepare = preparer(islice(read_rows(settings), BEGINNING), settings)
    processes = min(cpu_count(), MOST_PROCESSES) if size > LARGE_BYTES else 1
    quarantine.parent.mkdir(parents=True, exist_ok=True)
    bar = tqdm(desc="corpus", total=size, unit="B", unit_scale=True, mininterval=5)
    with bar, quarantine.open("w", encoding="utf-8", newline="\n") as refused:
        rows = read_rows(settings, bar.update)
        for file, number, outcome in _prepared(rows, prepare, processes):
            account.rows_in += 1
            if isinstance(outcome, Refusal):
                account.refused[outcome] += 1
                row = {"file": file, "row": number, "reason": outcome}
                refused.write(json.dumps(row, ensure_ascii=False) + "\n")
            elif staging.add(account.rows_in, outcome):
                account.changed.update(outcome.report.changed)
                account.identifiers.update(outcome.report.identifiers)
            else:
                account.duplicates += 1
    _check(settings, staging, account)
    return account


def categories_of(settings: Corpus, staging: Staging) -> list[str]:
    """The declared set in its order, or the set found, sorted.

    Raises:
        CorpusError: the set found cannot be categories, or lacks a critical one.
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
            f"corpus.columns.category: most categories of {settings.path} are of one patient alone, as names would be; "
            f"set it to the column that holds the label, or declare corpus.categories."
        )
    if unknown := sorted(set(settings.critical_categories) - set(found)):
        raise CorpusError(f"corpus.critical_categories names {unknown}, which {settings.path} does not hold.")
    return found


def _check(settings: Corpus, staging: Staging, account: Account) -> None:
    reasons = ", ".join(f"{reason}: {count}" for reason, count in account.refused.most_common(3))
    if not len(staging):
        raise CorpusError(
            f"corpus.path: {settings.path} has {account.rows_in} rows and no usable report among them ({reasons}); "
            f"check corpus.columns and corpus.categories."
        )
    if account.quarantined > settings.max_refused_share * account.rows_in:
        raise CorpusError(
            f"corpus.max_refused_share: {account.quarantined} of {account.rows_in} rows of {settings.path} were "
            f"refused ({reasons}), a share above {settings.max_refused_share:g}; data/prepared/quarantine.jsonl names "
            f"them: correct the export, or raise the share."
        )


# ---- What is computed of each row by itself, in several processes ---------------------------------------------------


def _prepared(rows: Iterator[Row], prepare: Preparer, processes: int) -> Iterator[tuple[str, int, _Sketched | Refusal]]:
    chunks = iter(lambda: list(islice(rows, ROWS_AT_ONCE)), [])
    work = partial(_prepare_all, prepare)
    for chunk in map(work, chunks) if processes == 1 else _in_order(work, chunks, processes):
        yield from chunk


def _prepare_all(prepare: Preparer, rows: list[Row]) -> list[tuple[str, int, _Sketched | Refusal]]:
    return [(row.file, row.number, _sketched(prepare.prepare(row))) for row in rows]


def _sketched(outcome: Report | Refusal) -> _Sketched | Refusal:
    if isinstance(outcome, Refusal):
        return outcome
    text = "\x1f".join((outcome.description, outcome.conclusion, outcome.category))
    found = triples(outcome.description)
    return _Sketched(outcome, hashlib.blake2b(text.encode(), digest_size=16).digest(), found, bands(found))


def _in_order(work: Any, chunks: Iterator[T], processes: int) -> Iterator[Any]:
    """map() in other processes, with only a few chunks on their way: Pool.imap would read the whole export first."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[Any]] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(work, chunk))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
