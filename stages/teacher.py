"""Keep the frozen base's hidden states over the training reports, for every `static` run to read."""

import logging
from collections.abc import Iterator
from pathlib import Path

import click
import torch
from datasets import Dataset
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from anamnesis.compute import configure_compute
from anamnesis.files import read_jsonl
from anamnesis.methods.losses import supervised_positions
from anamnesis.methods.states import keep_states
from anamnesis.methods.teachers import hidden_states_alone
from anamnesis.modeling.loading import load_base, mixed_precision
from anamnesis.settings.compute import Compute
from anamnesis.settings.rendering import Headings
from anamnesis.settings.training import TeacherCache
from anamnesis.training.data import encode_reports, report_collator, supervised_counts
from stages._stage import Parameters, stage

BASE = Path("models/base")
REPORTS = Path("data/prepared/corpus/train.jsonl")
OUTPUT = Path("data/prepared/teacher")
REPORTS_AT_ONCE = 16

log = logging.getLogger("teacher")


@click.command(help=__doc__)
@stage
def main() -> None:
    parameters = Parameters("teacher")
    headings = parameters.section("corpus.headings", Headings)
    budget = parameters.section("teacher_cache", TeacherCache).max_gigabytes
    compute = parameters.section("compute", Compute)
    target, max_length = parameters.value("training.target"), parameters.value("optimization.max_length")

    configure_compute(compute)
    base, tokenizer = load_base(BASE, compute)
    reports = encode_reports(read_jsonl(REPORTS), headings, tokenizer, target, max_length)
    kept, needed = keep_states(
        OUTPUT, supervised_counts(reports), _states(base, tokenizer, reports), max_bytes=budget * 1e9
    )
    said = "kept" if kept else "more than `teacher_cache.max_gigabytes`: the frozen teacher runs at every step instead"
    log.info("hidden states of %d reports are %.3g GB, %s", len(reports), needed / 1e9, said)


def _states(base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, reports: Dataset) -> Iterator[Tensor]:
    collate = report_collator(tokenizer)
    for start in tqdm(range(0, len(reports), REPORTS_AT_ONCE), desc="teacher", mininterval=5):
        batch = collate([reports[row] for row in range(start, min(start + REPORTS_AT_ONCE, len(reports)))])
        batch = batch.to(base.device)
        with torch.no_grad(), mixed_precision(base):
            yield hidden_states_alone(base, batch, supervised_positions(batch["labels"])).cpu()


if __name__ == "__main__":
    main()
