"""Trains the tagger of identifiers on the labelled sets that are open to authors of rules.

`python -m benchmarks.tagger` writes the weights that the package ships; that takes a core half an hour. Then, or
with --measure at once, it prints what the tagger finds in texts of other authors, alone and beside the rules, for
several limits: `LEAST_PROBABILITY` and `CERTAINLY_NONE` can be chosen from that. Blind sets are not read here.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from anamnesis.corpus.deidentification import Deidentifier, Found
from anamnesis.corpus.deidentification.findings import PLACEHOLDERS
from anamnesis.corpus.deidentification.tagger import WEIGHTS, Tagged, tag_probabilities
from anamnesis.corpus.deidentification.tagger_network import (
    ALPHABET,
    FORMS,
    KINDS,
    NAMES,
    SEEN,
    VECTOR,
    Network,
    Words,
    glued,
    seen,
    words_of,
)
from anamnesis.markdown import table
from benchmarks.deidentification import Identifier, Span, cleaned, measures
from tests.heldout import heldout_reports
from tests.identifiers import Labelled
from tests.written import written_reports

# What a label of the sets becomes.
REPLACED_AS = {"weekday": "date", "certificate": "passport"}
# Their digits say something: they are not changed at random.
MEANING = {"date", "time", "age", "weekday"}
# Shares of the texts of an epoch: without capitals; with some identifiers replaced, as in a second reading. And of the
# words: of these only letters and form are seen, so that the network does not learn names by heart.
LOWERED, REPLACED, HIDDEN = 0.1, 0.25, 0.25
REPORTS_AT_ONCE, RATE, SMOOTHING, DROPPED = 16, 3e-3, 0.02, 0.35
# From what probability on a word belongs to an identifier, and below which one the tagger overrules a rule.
LEAST, NONE = (0.3, 0.4, 0.5, 0.6, 0.7), (0.0, 0.01, 0.02, 0.05, 0.1)


@click.command(help=__doc__)
@click.option("--epochs", default=16, show_default=True)
@click.option("--reports", type=int, help="Only so many texts, to try it.")
@click.option("--measure", is_flag=True, help="Train nothing: measure the weights that are there.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=WEIGHTS[0].parent,
    help="The folder of the weights; the package.",
)
def main(epochs: int, reports: int | None, measure: bool, out: Path) -> None:
    # The same on any number of cores.
    torch.set_num_threads(1)
    if not measure:
        texts = training_reports()[:reports]
        for seed, path in enumerate(WEIGHTS):
            trained(texts, epochs, seed).save(out / path.name)
    networks = [Network.load(out / path.name) for path in WEIGHTS]
    others = [cleaned(report) for report in written_reports("validation")[:reports]]
    columns = ["who", "least", "none", "recall", "precision", "found in texts without"]
    click.echo(table(columns, list(compared(networks, others))))


def training_reports() -> list[Labelled]:
    """The open texts, as the stage reads them."""
    reports = [cleaned(report) for report in [*written_reports("dev"), *heldout_reports("dev", 0)]]
    return [report for report in reports if words_of(report.text)]


def digest(reports: Iterable[Labelled]) -> str:
    """Tells whether weights were trained on these texts and labels."""
    rows = (repr((one.text, [(i.start, i.end, i.kind) for i in one.identifiers])) for one in reports)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


class Reader(nn.Module):
    """Logits of the tags of every word: none, and the beginning and the inside of each kind.

    Its layers are those of `Network`, which computes the same with NumPy.
    """

    def __init__(self) -> None:
        super().__init__()
        letters, filters, form, vector, hidden = 24, 64, 16, 64, 128
        self.letters = nn.Embedding(len(ALPHABET) + 2, letters, padding_idx=0)
        self.convolution = nn.Conv1d(letters, filters, 3, padding=1)
        self.forms = nn.Embedding(FORMS, form)
        self.vector = nn.Linear(VECTOR, vector)
        width = filters + form + vector + NAMES + 1
        self.reader = nn.LSTM(width, hidden, num_layers=2, bidirectional=True, batch_first=True, dropout=DROPPED)
        self.tags = nn.Linear(2 * hidden, 1 + 2 * len(KINDS))
        self.dropout = nn.Dropout(DROPPED)

    def forward(self, batch: "Batch") -> Float[Tensor, "text word tag"]:
        texts, words, _ = batch.characters.shape
        letters = self.convolution(self.letters(batch.characters.view(texts * words, -1)).transpose(1, 2))
        read = (
            letters.relu().amax(2).view(texts, words, -1),
            self.forms(batch.forms),
            self.vector(batch.vectors).tanh(),
            batch.names,
        )
        packed = pack_padded_sequence(
            self.dropout(torch.cat(read, -1)), batch.lengths, batch_first=True, enforce_sorted=False
        )
        read_on, _ = pad_packed_sequence(self.reader(packed)[0], batch_first=True)
        return self.tags(self.dropout(read_on))

    def network(self, made: dict[str, str]) -> Network:
        weights = {name: tensor.detach().numpy().copy() for name, tensor in self.state_dict().items()}
        return Network(weights, made)


class Batch(NamedTuple):
    """Texts, padded to the longest of them."""

    characters: Int[Tensor, "text word 12"]
    forms: Int[Tensor, "text word"]
    vectors: Float[Tensor, "text word 300"]
    names: Float[Tensor, "text word 7"]
    lengths: Int[Tensor, " text"]


def batch_of(texts: Sequence[str], words: Sequence[Words], hidden: Sequence[np.ndarray]) -> Batch:
    """What the network sees of texts that have at least one word each.

    Args:
        hidden: for each text, whether a word's vector and its reading as a name are hidden.
    """
    shape = len(texts), max(map(len, words))
    characters, forms = np.zeros((*shape, SEEN), np.int64), np.zeros(shape, np.int64)
    vectors, names = np.zeros((*shape, VECTOR), np.float32), np.zeros((*shape, NAMES + 1), np.float32)
    for at, (text, spans) in enumerate(zip(texts, words, strict=True)):
        names[at, : len(spans), NAMES] = glued(spans)
        for number, (start, end) in enumerate(spans):
            one = _seen(text[start:end])
            characters[at, number], forms[at, number] = one.characters, one.form
            if not hidden[at][number]:
                vectors[at, number], names[at, number, :NAMES] = one.vector, one.names
    lengths = np.array([len(spans) for spans in words])
    return Batch(*map(torch.from_numpy, (characters, forms, vectors, names, lengths)))


_seen = lru_cache(maxsize=30_000)(seen)


def trained(reports: Sequence[Labelled], epochs: int, seed: int) -> Network:
    """A network that has read the texts so many times."""
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    network = Reader()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    steps = epochs * -(-len(reports) // REPORTS_AT_ONCE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    for epoch in range(epochs):
        order, losses = generator.permutation(len(reports)), []
        for first in range(0, len(order), REPORTS_AT_ONCE):
            batch = [changed(reports[at], generator) for at in order[first : first + REPORTS_AT_ONCE]]
            words = [words_of(text) for text, _ in batch]
            hidden = [generator.random(len(spans)) < HIDDEN for spans in words]
            logits = network(batch_of([text for text, _ in batch], words, hidden))
            tags = torch.full(logits.shape[:2], -100)
            for at, (_, identifiers) in enumerate(batch):
                tags[at, : len(words[at])] = torch.tensor(tags_of(words[at], identifiers))
            loss = F.cross_entropy(logits.flatten(0, 1), tags.flatten(), label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        click.echo(f"network {seed}, epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.4f}")
    return network.network(
        {"texts": digest(reports), "kinds": ",".join(KINDS), "epochs": str(epochs), "seed": str(seed)}
    )


def tags_of(words: Words, identifiers: Iterable[Identifier]) -> list[int]:
    """The tag of each word: 0 for none, 1 + 2k for the beginning of an identifier of kind k, 2 + 2k for its rest."""
    tags = [0] * len(words)
    for one in identifiers:
        inside = [at for at, (start, end) in enumerate(words) if start < one.end and end > one.start]
        kind = KINDS.index(REPLACED_AS.get(one.kind, one.kind))
        for place, at in enumerate(inside):
            tags[at] = 1 + 2 * kind + (place > 0)
    return tags


def changed(report: Labelled, generator: np.random.Generator) -> tuple[str, list[Span]]:
    """A text with other digits in its numbers, sometimes without capitals, sometimes with identifiers replaced."""
    letters = list(report.text)
    for one in report.identifiers:
        if one.kind not in MEANING:
            for at in range(one.start, one.end):
                if letters[at] in "0123456789":
                    letters[at] = str(generator.integers(10))
    text = "".join(letters)
    if generator.random() < LOWERED and len(text.lower()) == len(text):
        text = text.lower()
    share = generator.random() if generator.random() < REPLACED else 0.0
    parts, kept, end, length = [], [], 0, 0
    for one in report.identifiers:
        length += one.start - end
        replaced = generator.random() < share
        new = PLACEHOLDERS[REPLACED_AS.get(one.kind, one.kind)] if replaced else text[one.start : one.end]
        if not replaced:
            kept.append(Span(length, length + len(new), one.kind))
        parts += [text[end : one.start], new]
        end, length = one.end, length + len(new)
    return "".join([*parts, text[end:]]), kept


def compared(networks: Sequence[Network], reports: Sequence[Labelled]) -> Iterator[list[object]]:
    """Rows of a table: what the tagger finds alone and beside the rules, by its two limits."""
    texts = [report.text for report in reports]
    by_rules = Deidentifier().find(texts)
    read = {at: (words, said) for at, words, said in tag_probabilities(networks, texts)}
    yield _row("rules", "", "", reports, by_rules)
    for least in LEAST:
        tagged = [Tagged.of(text, *read[at], least) if at in read else Tagged() for at, text in enumerate(texts)]
        yield _row("tagger", least, "", reports, [one.found for one in tagged])
        for none in NONE:
            both = [
                [*(one for one in ours if not said.rules_out(text, one, none)), *_beside(said.found, ours)]
                for text, ours, said in zip(texts, by_rules, tagged, strict=True)
            ]
            yield _row("both", least, none, reports, both)


def _beside(found: Iterable[Found], ours: Sequence[Found]) -> Iterator[Found]:
    """Findings that are not inside one of ours."""
    return (one for one in found if not any(our.start <= one.start and one.end <= our.end for our in ours))


def _row(
    who: str, least: object, none: object, reports: Sequence[Labelled], found: Sequence[Sequence[Identifier]]
) -> list[object]:
    *_, (_, _, recall, _, _, precision) = measures(reports, found)
    in_others = sum(len(one) for report, one in zip(reports, found, strict=True) if not report.identifiers)
    return [who, least, none, recall, precision, in_others]


if __name__ == "__main__":
    main()
