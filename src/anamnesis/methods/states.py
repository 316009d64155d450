"""The frozen teacher's last hidden states at every supervised position of the corpus, computed once and kept on disk.

The frozen base says the same of a report every time. With its states on disk (a few kilobytes a token under the loss)
a step of `static` costs one product with the output head more than plain fine-tuning, instead of a forward pass.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedModel

from anamnesis.files import read_json, write_json
from anamnesis.methods.supervision import supervised_positions
from anamnesis.modeling.hidden_states import hidden_states_alone
from anamnesis.modeling.loading import mixed_precision

STATES = "states.bin"
INDEX = "index.json"
DOCUMENTS_AT_ONCE = 16


@dataclass(frozen=True)
class TeacherStates:
    """Memory-mapped states (all supervised positions, hidden) of documents; `places` are their rows by document."""

    states: Float[Tensor, "total hidden"]
    places: Mapping[int, slice]

    def of(self, documents: Sequence[int]) -> Float[Tensor, "n hidden"]:
        """The states of the given documents, one after the other."""
        return torch.cat([self.states[self.places[document]] for document in documents])


def frozen_states(
    base: PreTrainedModel, documents: Dataset, collate: Callable[[list[Any]], Any]
) -> Iterator[Float[Tensor, "n hidden"]]:
    """The base's last hidden states at the supervised positions of `documents`, a batch at a time."""
    for start in tqdm(range(0, len(documents), DOCUMENTS_AT_ONCE), desc="teacher", mininterval=5):
        rows = range(start, min(start + DOCUMENTS_AT_ONCE, len(documents)))
        batch = collate([documents[row] for row in rows]).to(base.device)
        with torch.no_grad(), mixed_precision(base):
            yield hidden_states_alone(base, batch, supervised_positions(batch["labels"])).cpu()


def keep_states(
    folder: Path, counts: Mapping[int, int], chunks: Iterable[Float[Tensor, "n hidden"]], max_bytes: float
) -> tuple[bool, int]:
    """Write the states, a chunk in memory at a time, or if they are too large, that they are not kept.

    Args:
        folder: where to.
        counts: supervised positions by document.
        chunks: the documents' states in the order of `counts`; only the first is asked for if they are too large.
        max_bytes: the most that may be written.

    Returns:
        Whether they were kept, and how many bytes they take.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = None
    total, done, needed = sum(counts.values()), 0, 0
    # Written and not mapped: a full disk is then an error, and not the end of the process.
    with (folder / STATES).open("wb") as file:
        for chunk in chunks:
            if index is None:
                needed = total * chunk.shape[1] * chunk.dtype.itemsize
                if needed > max_bytes:
                    break
                index = {"counts": list(counts.items()), "hidden_size": chunk.shape[1], "dtype": str(chunk.dtype)}
            file.write(chunk.contiguous().view(torch.uint8).numpy().tobytes())
            done += len(chunk)
    if needed > max_bytes:
        (folder / STATES).unlink()
        write_json(folder / INDEX, None)
        return False, needed
    if done != total:
        raise RuntimeError(f"the teacher gave {done} hidden states for {total} supervised positions")
    write_json(folder / INDEX, index)
    return True, needed


def open_states(folder: Path, counts: Mapping[int, int]) -> TeacherStates | None:
    """The states in `folder`, or None if they are not kept.

    Raises:
        RuntimeError: a document of `counts` is not among them, with as many supervised positions.
    """
    index = read_json(folder / INDEX) if (folder / INDEX).is_file() else None
    if index is None:
        return None
    kept = dict(index["counts"])
    if any(kept.get(document) != count for document, count in counts.items()):
        raise RuntimeError(f"the hidden states in {folder} belong to other reports: run `dvc repro -f teacher`")
    ends = list(accumulate(kept.values()))
    places = {document: slice(end - kept[document], end) for document, end in zip(kept, ends, strict=True)}
    dtype = getattr(torch, index["dtype"].removeprefix("torch."))
    rows, columns = ends[-1], index["hidden_size"]
    states = torch.from_file(str(folder / STATES), shared=False, size=rows * columns, dtype=dtype)
    return TeacherStates(states.view(rows, columns), places)
