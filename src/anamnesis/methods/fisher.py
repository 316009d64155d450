"""The Fisher information of the base's weights on general text, as EWC uses it.

F = sum over documents of (gradient of the document's nats)^2 / tokens of all documents, so that half of the sum of
F * dW^2 is the rise in nats per token that F predicts for an update dW. With the documents' own tokens as labels this
is the empirical Fisher information, with tokens sampled from the base the true one (Kunstner et al. 2019,
arXiv:1905.12558). F is taken of the weights and not of LoRA's factors: of A it would be 0 at the start, where B is 0.

Of each linear layer the sums of F over its rows and over its columns are kept, and row_i column_j / sum is taken for
F_ij: two vectors instead of a matrix (4.6 MB for Qwen2-1.5B). On the tiny base it correlates with F at 0.98.

A layer's gradient G = sum over positions of delta x' (delta: gradient of its output, x: its input) is not formed. Its
row sums sum_j G_ij^2 are (delta' X delta)_ii with the positions' products X = x x', and its column sums (x' D x)_jj
with D = delta delta' (the trick of ghost clipping, Li et al. 2022, arXiv:2110.05679). So a batch of documents goes
through the model at once.

The same is estimated of a trained model's layers, on the tokens under the loss of its reports (training/chain.py).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from tqdm import tqdm
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from anamnesis.errors import InputError
from anamnesis.methods.supervision import IGNORED, supervised_positions, targets
from anamnesis.modeling.loading import mixed_precision
from anamnesis.settings.fisher import FisherText

# Logits of the documents that go through the model at once (128 MB in fp32), and how many documents at most.
LOGITS_AT_ONCE = 2**25
DOCUMENTS_AT_ONCE = 16

# In the metadata of a file.
TEXT = "text"


@dataclass(frozen=True)
class Fisher:
    """F_ij = row_i column_j by layer; rows are outputs, columns inputs."""

    factors: Mapping[str, tuple[Tensor, Tensor]]

    def of(self, layer: str, like: Tensor) -> tuple[Float[Tensor, " out"], Float[Tensor, " in"]]:
        """The factors of one layer, where `like` is and in its precision.

        Raises:
            InputError: the layer is not a linear layer of the base.
        """
        if layer not in self.factors:
            raise InputError(
                f"there is no Fisher information of {layer}, which is no linear layer: remove it from "
                f"`tuner.target_modules`, or the penalty ewc from the method."
            )
        row, column = self.factors[layer]
        return row.to(like), column.to(like)


def estimate_fisher(
    base: PreTrainedModel,
    documents: Sequence[Sequence[int]],
    seed: int | None = None,
) -> Fisher:
    """The base's, on whole documents.

    Args:
        base: frozen, in evaluation mode.
        documents: their tokens; the first one, which nothing predicts, is no label.
        seed: of the labels, which are then sampled from the base; None: they are the documents' own tokens.

    Raises:
        InputError: a gradient is not finite.
    """
    head = base.get_output_embeddings()
    layers = {
        name: module
        for name, module in base.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head
    }
    return estimate(base, layers, [Text(document, [IGNORED, *document[1:]]) for document in documents], seed)


@dataclass(frozen=True)
class Text:
    """Tokens, and the same as labels: -100 where a token is not under the loss."""

    ids: Sequence[int]
    labels: Sequence[int]


def estimate(
    model: PreTrainedModel | PeftModel, layers: Mapping[str, nn.Module], texts: Sequence[Text], seed: int | None
) -> Fisher:
    """Go once through the texts.

    Args:
        model: frozen, in evaluation mode.
        layers: those of which F is wanted, by name; a layer's output is its input times its weight.
        texts: tokens and those under the loss.
        seed: see `estimate_fisher`.

    Raises:
        InputError: a gradient is not finite.
    """
    generator = None if seed is None else torch.Generator(model.device).manual_seed(seed)
    with _Sums(model, layers) as sums:
        # Texts of like length together: little padding. Equal ones in one order, whatever theirs was.
        ordered = sorted(texts, key=lambda text: (len(text.ids), list(text.ids), list(text.labels)))
        for batch in tqdm(
            list(_batches(ordered, model.config.get_text_config().vocab_size)), desc="fisher", mininterval=5
        ):
            _backward(model, batch, generator)
    tokens = sum(label != IGNORED for text in texts for label in text.labels[1:])
    factors = {}
    for name, (row, column) in sums.by_layer.items():
        total = row.sum()
        if not bool(torch.isfinite(total)):
            raise InputError(f"the Fisher information of {name} is not finite: look at the base (`model.dtype`).")
        root = (total * tokens).clamp_min(torch.finfo(total.dtype).tiny).sqrt()
        factors[name] = (row / root).float().cpu(), (column / root).float().cpu()
    return Fisher(factors)


def save_fisher(fisher: Fisher, file: Path, text: FisherText | None = None) -> None:
    """With `text`, how it was estimated is kept in the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, (row, column) in fisher.factors.items():
        tensors |= {f"{name}.row": row, f"{name}.column": column}
    save_file(tensors, file, None if text is None else {TEXT: json.dumps(asdict(text))})


def text_of_fisher(file: Path) -> FisherText:
    """How it was estimated, of a file that was saved with this."""
    with safe_open(file, framework="pt") as opened:
        return FisherText(**json.loads(opened.metadata()[TEXT]))


def load_fisher(file: Path) -> Fisher:
    tensors = load_file(file)
    names = [name.removesuffix(".row") for name in tensors if name.endswith(".row")]
    return Fisher({name: (tensors[f"{name}.row"], tensors[f"{name}.column"]) for name in names})


def _batches(texts: Sequence[Text], vocabulary: int) -> Iterator[Sequence[Text]]:
    """Consecutive texts, the longest last."""
    start = 0
    while start < len(texts):
        stop = start + 1
        while (
            stop < len(texts)
            and stop - start < DOCUMENTS_AT_ONCE
            and (stop + 1 - start) * len(texts[stop].ids) * vocabulary <= LOGITS_AT_ONCE
        ):
            stop += 1
        yield texts[start:stop]
        start = stop


def _backward(model: PreTrainedModel | PeftModel, texts: Sequence[Text], generator: torch.Generator | None) -> None:
    """The gradient of the texts' summed nats: each text's own, since they do not see one another.

    Padding is on the right, where no earlier position looks, and has no label.
    """
    length = max(len(text.ids) for text in texts)
    ids = torch.zeros(len(texts), length, dtype=torch.long)
    under_the_loss = torch.full_like(ids, IGNORED)
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)] = torch.tensor(text.ids)
        under_the_loss[row, : len(text.ids)] = torch.tensor(text.labels)
    ids, under_the_loss = ids.to(model.device), under_the_loss.to(model.device)
    with torch.enable_grad(), mixed_precision(model):
        logits = model(input_ids=ids, use_cache=False).logits[supervised_positions(under_the_loss)].float()
    labels = targets(under_the_loss)
    if generator is not None:
        labels = torch.multinomial(logits.detach().softmax(-1), 1, generator=generator)[:, 0]
    F.cross_entropy(logits, labels, reduction="sum").backward()


class _Sums:
    """Hooks on layers that add up the row and column sums of each document's squared gradient."""

    def __init__(self, model: PreTrainedModel | PeftModel, layers: Mapping[str, nn.Module]) -> None:
        self._layers = layers
        self._embedding = model.get_input_embeddings()
        self._hooks: list[RemovableHandle] = []
        self.by_layer: dict[str, tuple[Tensor, Tensor]] = {}

    def __enter__(self) -> "_Sums":
        # With nothing trained, gradients reach the first layers only if they go on to the embedding's output.
        self._hooks.append(self._embedding.register_forward_hook(lambda _, __, out: out.requires_grad_()))
        self._hooks += [layer.register_forward_hook(self._watch(name)) for name, layer in self._layers.items()]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _watch(self, name: str) -> Callable[..., None]:
        def forward(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            x = inputs[0].detach()
            if x.ndim != 3:
                raise InputError(
                    f"{name} mixes the positions of several texts, so that it has no Fisher information of a text: "
                    f"remove ewc from the methods, or choose another `model.source`."
                )
            output.register_hook(lambda delta: self._add(name, x, delta))

        return forward

    def _add(self, name: str, x: Float[Tensor, "batch seq in"], delta: Float[Tensor, "batch seq out"]) -> None:
        """Sums in fp64: a sum over thousands of documents of numbers that differ by orders of magnitude."""
        exact = torch.promote_types(delta.dtype, torch.float32)
        x, delta = x.to(exact), delta.to(exact)
        row = (delta * ((x @ x.mT) @ delta)).sum((0, 1), dtype=torch.float64)
        column = (x * ((delta @ delta.mT) @ x)).sum((0, 1), dtype=torch.float64)
        before = self.by_layer.get(name)
        self.by_layer[name] = (row, column) if before is None else (before[0] + row, before[1] + column)
