"""The frozen base's last hidden states and log-probabilities on the corpus, computed once and kept on disk.

The frozen base computes the same for a report every time. With its states on disk (a few kilobytes per supervised
token), a step of `static` costs one more product with the output head than plain fine-tuning, instead of a forward
pass. The log-probabilities of the supervised tokens (four bytes each) are what methods with token weights need.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from datasets import Dataset
from jaxtyping import Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedModel

from anamnesis.files import read_json, write_json
from anamnesis.methods.supervision import IGNORED, supervised_positions
from anamnesis.modeling.hidden_states import hidden_states_alone
from anamnesis.modeling.loading import mixed_precision

STATES = "states.bin"
INDEX = "index.json"
LOG_P = "log_p.safetensors"
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


def log_probabilities(
    head: torch.nn.Linear, states: Float[Tensor, "n hidden"], tokens: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """The log-probability of each token by the state before it, in fp32; the product is in the head's own precision."""
    logits = F.linear(states.to(head.weight.dtype), head.weight, head.bias).float()
    return logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0]


def corpus_log_p(
    base: PreTrainedModel, documents: Dataset, collate: Callable[[list[Any]], Any], states: TeacherStates | None
) -> dict[int, Float[Tensor, " n"]]:
    """The base's log-probabilities of the supervised tokens of distinct `documents`, by document.

    Each document's product with the head is taken by itself: its last bits depend on the number of rows. The result is
    thus the same from kept states as from a forward pass, and does not depend on the other documents.

    Args:
        base: the base.
        documents: the encoded reports, each once.
        collate: puts reports side by side.
        states: the base's kept states; None computes them, and keeps those of one batch at a time.
    """
    head = base.get_output_embeddings()
    tokens = [
        torch.tensor([label for label in labels[1:] if label != IGNORED]).long() for labels in documents["labels"]
    ]
    rows = _by_document(base, documents, collate, [len(one) for one in tokens], states)
    device = head.weight.device
    with torch.no_grad():
        return {
            document: log_probabilities(head, own.to(device), wanted.to(device)).cpu()
            for document, own, wanted in zip(documents["document"], rows, tokens, strict=True)
        }


def _by_document(
    base: PreTrainedModel,
    documents: Dataset,
    collate: Callable[[list[Any]], Any],
    counts: Sequence[int],
    states: TeacherStates | None,
) -> Iterator[Float[Tensor, "n hidden"]]:
    """The base's states of one document after another, kept or computed."""
    if states is not None:
        yield from (states.of([document]) for document in documents["document"])
        return
    for start, chunk in enumerate(frozen_states(base, documents, collate)):
        yield from chunk.split(counts[start * DOCUMENTS_AT_ONCE : (start + 1) * DOCUMENTS_AT_ONCE])


def keep_log_p(folder: Path, log_p: Mapping[int, Float[Tensor, " n"]]) -> None:
    """Write the log-probabilities beside the states."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        "documents": torch.tensor(list(log_p), dtype=torch.int64),
        "counts": torch.tensor([len(values) for values in log_p.values()], dtype=torch.int64),
        "log_p": torch.cat(list(log_p.values())),
    }
    save_file(tensors, folder / LOG_P)


def open_log_p(folder: Path, counts: Mapping[int, int]) -> dict[int, Float[Tensor, " n"]] | None:
    """The log-probabilities in `folder`, or None if they are not kept.

    Raises:
        RuntimeError: a document of `counts` is not among them, with as many supervised positions.
    """
    if not (folder / LOG_P).is_file():
        return None
    kept = load_file(folder / LOG_P)
    parts = kept["log_p"].split(kept["counts"].tolist())
    found = dict(zip(kept["documents"].tolist(), parts, strict=True))
    if any(document not in found or len(found[document]) != count for document, count in counts.items()):
        raise RuntimeError(f"the log-probabilities in {folder} belong to other reports: run `dvc repro -f teacher`")
    return {document: found[document] for document in counts}
