"""The frozen teacher's last hidden states at every supervised position of the corpus, computed once and kept on disk.

The frozen base says the same of a report every time. With its states on disk (a few kilobytes a token under the loss)
a step of `static` costs one product with the output head more than plain fine-tuning, instead of a forward pass.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from anamnesis.files import read_json, write_json

STATES = "states.bin"
INDEX = "index.json"


@dataclass(frozen=True)
class TeacherStates:
    """Memory-mapped states (all supervised positions, hidden); those of row i stand from starts[i] to starts[i + 1]."""

    states: Float[Tensor, "total hidden"]
    starts: Sequence[int]

    def of(self, rows: Sequence[int]) -> Float[Tensor, "n hidden"]:
        """The states of the given rows of the corpus, one after the other."""
        return torch.cat([self.states[self.starts[row] : self.starts[row + 1]] for row in rows])


def keep_states(
    folder: Path, counts: Sequence[int], chunks: Iterable[Float[Tensor, "n hidden"]], max_bytes: float
) -> tuple[bool, int]:
    """Write the states, a chunk in memory at a time, or if they are too large, that they are not kept.

    Args:
        folder: where to.
        counts: supervised positions of each row of the corpus.
        chunks: the states in the corpus's order; none but the first is asked for if they are too large.
        max_bytes: the most that may be written.

    Returns:
        Whether they were kept, and how many bytes they take.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mapped, index = None, None
    total, done, needed = sum(counts), 0, 0
    for chunk in chunks:
        if mapped is None:
            needed = total * chunk.shape[1] * chunk.dtype.itemsize
            if needed > max_bytes:
                write_json(folder / INDEX, None)
                return False, needed
            index = {"counts": list(counts), "hidden_size": chunk.shape[1], "dtype": str(chunk.dtype)}
            mapped = _mapped(folder / STATES, total, chunk.shape[1], chunk.dtype, shared=True)
        mapped[done : done + len(chunk)] = chunk
        done += len(chunk)
    if done != total:
        raise RuntimeError(f"the teacher gave {done} hidden states for {total} supervised positions")
    write_json(folder / INDEX, index)
    return True, needed


def open_states(folder: Path, counts: Sequence[int]) -> TeacherStates | None:
    """The states in `folder`, or None if they are not kept.

    Raises:
        RuntimeError: they are another corpus's: their rows have other numbers of supervised positions than `counts`.
    """
    index = read_json(folder / INDEX)
    if index is None:
        return None
    if index["counts"] != list(counts):
        raise RuntimeError(f"the hidden states in {folder} belong to other reports: run `dvc repro -f teacher`")
    starts = [0, *accumulate(counts)]
    dtype = getattr(torch, index["dtype"].removeprefix("torch."))
    return TeacherStates(_mapped(folder / STATES, starts[-1], index["hidden_size"], dtype, shared=False), starts)


def _mapped(path: Path, rows: int, columns: int, dtype: torch.dtype, shared: bool) -> Float[Tensor, "rows columns"]:
    return torch.from_file(str(path), shared=shared, size=rows * columns, dtype=dtype).view(rows, columns)
