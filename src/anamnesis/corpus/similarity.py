"""Similarity of reports, and clusters of near duplicates.

Similarity is the Jaccard index of the sets of word triples of two descriptions (the model's input): 1 for the same
words in the same order. Candidates for near duplicates come from MinHash with banding (Broder 1997; Leskovec, Rajaraman
& Ullman, Mining of Massive Datasets, chapter 3). Every candidate pair is verified exactly, so that MinHash can miss a
pair but never invent one.
"""

import hashlib
import re
import zlib
from array import array
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from datasketch import MinHash
from scipy.sparse import csr_array
from tqdm import tqdm

WORDS = re.compile(r"\w+")
TRIPLE = 3
# A pair of similarity s shares a band with probability 1 - (1 - s^ROWS)^BANDS: 0.998 for 0.8, 0.27 for 0.5.
BANDS, ROWS = 20, 6
# Clusters compared with each other in one bucket of a band; further ones are compared only with these.
LEADERS = 32
# Reports compared at once with the held-out ones.
CHUNK = 4096

Triples = npt.NDArray[np.uint32]  # sorted, each once


def triples(text: str) -> Triples:
    """Hashes of the word triples of a text; of all its words if it has fewer than three."""
    words = WORDS.findall(text.casefold().replace("ё", "е"))
    found = {zlib.crc32(" ".join(words[i : i + TRIPLE]).encode()) for i in range(max(1, len(words) - TRIPLE + 1))}
    return np.array(sorted(found), dtype=np.uint32)


class _Empty:
    """One set of permutations for all sketches: drawing them costs more than a sketch."""

    sketch: MinHash | None = None


def bands(of: Triples) -> npt.NDArray[np.uint32]:
    """A hash for each band of the MinHash sketch, shape (BANDS,)."""
    if _Empty.sketch is None:
        _Empty.sketch = MinHash(num_perm=BANDS * ROWS, seed=1, hashfunc=int)
    sketch = _Empty.sketch.copy()
    sketch.update_batch(of)
    rows = sketch.hashvalues.reshape(BANDS, ROWS)
    return np.array([zlib.crc32(row.tobytes()) for row in rows], dtype=np.uint32)


class Index:
    """Triples and bands of many reports in flat arrays: 4 bytes per triple, 80 per sketch."""

    def __init__(self) -> None:
        self._triples, self._starts, self._bands = array("I"), array("q", [0]), array("I")

    def add(self, of: Triples, its_bands: npt.NDArray[np.uint32]) -> None:
        self._triples.frombytes(of.tobytes())
        self._starts.append(len(self._triples))
        self._bands.frombytes(its_bands.tobytes())

    def __len__(self) -> int:
        return len(self._starts) - 1

    def triples(self, report: int) -> Triples:
        return np.frombuffer(self._triples, dtype=np.uint32)[self._starts[report] : self._starts[report + 1]]

    def clusters(self, similarity: float) -> npt.NDArray[np.int64]:
        """The cluster of every report, as the number of its first report. Pairs of at least `similarity` are linked.

        Nearly all such pairs are found (see BANDS), except those beyond LEADERS clusters in each of their buckets.
        """
        parent = list(range(len(self)))

        def root(report: int) -> int:
            while parent[report] != report:
                parent[report] = parent[parent[report]]
                report = parent[report]
            return report

        def join(one: int, other: int) -> None:
            first, second = sorted((root(one), root(other)))
            parent[second] = first

        same: dict[bytes, int] = {}
        for report in range(len(self)):
            first = same.setdefault(hashlib.blake2b(self.triples(report).tobytes(), digest_size=16).digest(), report)
            if first != report:
                join(first, report)
        for bucket in self._buckets():
            leaders: list[int] = []
            for report in bucket:
                for leader in leaders:
                    apart = root(leader) != root(report)
                    if apart and jaccard(self.triples(leader), self.triples(report)) >= similarity:
                        join(leader, report)
                if len(leaders) < LEADERS and all(root(leader) != root(report) for leader in leaders):
                    leaders.append(report)
        return np.array([root(report) for report in range(len(self))], dtype=np.int64)

    def _buckets(self) -> Iterator[list[int]]:
        """Reports that share a band, band by band."""
        table = np.frombuffer(self._bands, dtype=np.uint32).reshape(-1, BANDS)
        for band in tqdm(range(BANDS), "near duplicates", mininterval=5):
            column = table[:, band]
            order = np.argsort(column, kind="stable")
            # Positions where another hash begins; the first hash differs from its own complement.
            starts = np.flatnonzero(np.diff(column[order], prepend=~column[order[:1]]))
            sizes = np.diff(starts, append=len(order))
            for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
                yield order[start : start + size].tolist()

    def nearest(self, held_out: npt.NDArray[np.int64], among: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The highest similarity of each held-out report to any report of `among`, computed exactly."""
        own = [self.triples(report) for report in held_out]
        vocabulary = np.unique(np.concatenate(own))
        asked = _incidence(own, vocabulary)
        sizes = np.array([len(one) for one in own], dtype=np.float32)
        best = np.zeros(len(held_out), dtype=np.float32)
        for start in tqdm(range(0, len(among), CHUNK), "nearest", mininterval=5):
            others = [self.triples(report) for report in among[start : start + CHUNK]]
            common = (asked @ _incidence(others, vocabulary).T).toarray()
            union = sizes[:, None] + np.array([len(one) for one in others], dtype=np.float32) - common
            np.maximum(best, (common / union).max(axis=1), out=best)
        return best


def jaccard(one: Triples, other: Triples) -> float:
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)


def _incidence(sets: list[Triples], vocabulary: Triples) -> csr_array:
    """1 where a set holds a triple of the vocabulary, shape (sets, vocabulary)."""
    flat = np.concatenate(sets)
    columns = np.searchsorted(vocabulary, flat)
    known = vocabulary[np.minimum(columns, len(vocabulary) - 1)] == flat
    rows = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    ones = np.ones(int(known.sum()), dtype=np.float32)
    return csr_array((ones, (rows[known], columns[known])), shape=(len(sets), len(vocabulary)))
