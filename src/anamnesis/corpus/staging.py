"""The store of the usable reports until they are split: their text on disk, numbers about them in memory.

A report takes about 500 bytes of memory. Its text lies in a staging file under data/, like everything that may hold a
patient's words.
"""

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from anamnesis.corpus.refusals import CorpusError
from anamnesis.corpus.reports import Report
from anamnesis.corpus.similarity import Index, Triples, bands, triples

# More categories than this are taken for a column of names.
MOST_CATEGORIES = 1000


@dataclass(frozen=True)
class Sketched:
    """A report with everything that is computed from it alone, in whichever process."""

    report: Report
    digest: bytes
    triples: Triples
    bands: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, report: Report) -> "Sketched":
        text = "\x1f".join((report.description, report.conclusion, report.category))
        found = triples(report.description)
        return cls(report, hashlib.blake2b(text.encode(), digest_size=16).digest(), found, bands(found))


class Staging:
    """The usable reports: text in a file, and in memory what duplicates and splits are found by."""

    def __init__(self, path: Path, keyed: bool = False) -> None:
        """`keyed`: patients are named by their keyed hash; otherwise they are numbered in the order of the export."""
        self.path = path
        self._keyed = keyed
        self.index = Index()
        self._offsets, self._patients, self._categories = array("q"), array("l"), array("h")
        self._patient_numbers: dict[bytes, int] = {}
        self._spellings = array("Q")
        self._aliases: set[tuple[int, int]] = set()
        self._category_numbers: dict[str, int] = {}
        self._seen: set[bytes] = set()
        self._digest = hashlib.blake2b(digest_size=16)
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

    def add(self, number: int, sketched: Sketched) -> bool:
        """Whether the report is new. A repeated one is dropped even if it is another patient's: it could be
        both trained on and tested on."""
        if sketched.digest in self._seen:
            return False
        self._seen.add(sketched.digest)
        self._digest.update(sketched.digest)
        report = sketched.report
        category = self._category_numbers.setdefault(report.category, len(self._category_numbers))
        if category == MOST_CATEGORIES:
            raise CorpusError(
                f"corpus.columns.category: there are more than {MOST_CATEGORIES} categories; set it to the column that "
                f"holds the label, or declare corpus.categories."
            )
        patient = self._number_of(report.patient)
        if report.alias != report.patient:
            self._aliases.add((patient, self._number_of(report.alias)))
        self._spellings.append(report.spelling)
        self._patients.append(patient)
        self._categories.append(category)
        self.index.add(sketched.triples, sketched.bands)
        self._offsets.append(self._file.tell())
        row = {
            "report": number,
            "patient": report.patient.hex() if self._keyed else patient + 1,
            "description": report.description,
            "conclusion": report.conclusion,
            "category": report.category,
        }
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        return True

    def _number_of(self, patient: bytes) -> int:
        return self._patient_numbers.setdefault(patient, len(self._patient_numbers))

    @property
    def fingerprint(self) -> str:
        """The hash of all reports, in their order: it depends on the export and on every rule that changes a report."""
        return self._digest.hexdigest()

    @property
    def categories(self) -> list[str]:
        """In the order of their first report."""
        return list(self._category_numbers)

    @property
    def patients(self) -> npt.NDArray[np.int64]:
        """The number of each report's patient: one for all names of a patient."""
        names = len(self._patient_numbers)
        first, second = np.array(sorted(self._aliases), dtype=np.int64).reshape(-1, 2).T
        links = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(names, names))
        return connected_components(links, directed=False)[1].astype(np.int64)[np.array(self._patients, dtype=np.int64)]

    @property
    def other_spellings(self) -> int:
        """Reports whose patient is written otherwise than in the patient's first report."""
        spellings = np.array(self._spellings, dtype=np.uint64)
        _, first, patients = np.unique(self.patients, return_index=True, return_inverse=True)
        return int((spellings != spellings[first][patients]).sum())

    @property
    def category_numbers(self) -> npt.NDArray[np.int16]:
        """The number of each report's category, in `categories`."""
        return np.array(self._categories, dtype=np.int16)

    def lines(self, reports: Iterable[int]) -> Iterator[bytes]:
        """The staged reports in the given order, as lines of JSON."""
        for report in reports:
            self._file.seek(self._offsets[report])
            yield self._file.readline()
