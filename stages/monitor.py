"""Sample the texts, and choose the reports, on which forgetting and adaptation are watched during training.

The base writes the texts, as it writes those of `base_text`: the rise of a student's loss on them is an estimate of
KL(base || student), for any base. A text that is also read elsewhere (in pretraining, replay, a Fisher, an evaluation)
is left out, or a budget would be judged by what it is kept by. Both files are empty if no method has a budget.
"""

import logging
import random
from collections.abc import Container, Iterable

import click
from transformers import PreTrainedTokenizerBase

from anamnesis.compute import configure_compute
from anamnesis.errors import InputError
from anamnesis.files import read_json, read_jsonl, write_jsonl
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.sampling import sample_texts, start_token
from anamnesis.settings.compute import Compute
from anamnesis.settings.monitor import Monitor
from stages._paths import (
    BASE,
    BASE_TEXT,
    EXAM,
    GENERAL_TEXT,
    HELD_OUT_TEXT,
    MONITOR,
    MONITOR_REPORTS,
    MONITOR_TEXTS,
    NEEDS,
    REHEARSAL,
    VALIDATION_REPORTS,
)
from stages._stage import Parameters, stage

log = logging.getLogger("monitor")


@click.command(help=__doc__)
@stage
def main() -> None:
    parameters = Parameters("monitor")
    compute = parameters.section("compute", Compute)
    of = parameters.section("monitor", Monitor)
    if not read_json(NEEDS / "monitor.json"):
        write_jsonl(MONITOR / MONITOR_TEXTS, [])
        write_jsonl(MONITOR / MONITOR_REPORTS, [])
        log.info("no method has a budget: nothing is chosen")
        return
    configure_compute(compute)
    base, tokenizer = load_base(BASE, compute)
    sampled = sample_texts(base, tokenizer, of.sampled)
    new = new_texts(sampled, read_elsewhere(tokenizer), tokenizer)
    if len(new) < of.texts:
        raise InputError(
            f"`monitor.texts` is {of.texts}, but of {len(sampled)} texts that the base wrote {len(new)} are new: lower "
            f"it, or raise `monitor.max_tokens`."
        )
    reports = read_jsonl(VALIDATION_REPORTS)
    chosen = random.Random(of.seed).sample(reports, min(of.reports, len(reports)))
    start = start_token(tokenizer)
    write_jsonl(MONITOR / MONITOR_TEXTS, ({"tokens": [start, *tokens]} for tokens in new[: of.texts]))
    write_jsonl(MONITOR / MONITOR_REPORTS, chosen)
    log.info("%d texts (%d of %d sampled are new) and %d reports", of.texts, len(new), len(sampled), len(chosen))


def new_texts(
    sampled: Iterable[list[int]], elsewhere: Container[str], tokenizer: PreTrainedTokenizerBase
) -> list[list[int]]:
    """Of the texts as token ids, each one that is not read elsewhere, once."""
    by_words = {plain(tokenizer.decode(tokens, skip_special_tokens=True)): tokens for tokens in sampled}
    return [tokens for words, tokens in by_words.items() if words and words not in elsewhere]


def read_elsewhere(tokenizer: PreTrainedTokenizerBase) -> set[str]:
    """The words of all texts that a base was pretrained on, that methods may read, and that models are measured on."""
    texts = [row["text"] for file in (GENERAL_TEXT, HELD_OUT_TEXT) for row in read_jsonl(file)]
    texts += [
        tokenizer.decode(row["tokens"], skip_special_tokens=True)
        for file in (BASE_TEXT, REHEARSAL)
        for row in read_jsonl(file)
    ]
    texts += [f"{row['question']} {row['choices'][row['answer']]}" for row in read_jsonl(EXAM)]
    return {plain(text) for text in texts}


def plain(text: str) -> str:
    """The text without what sets copies of it apart: case, white space, and a full stop at the end."""
    return " ".join(text.casefold().split()).rstrip(". ")


if __name__ == "__main__":
    main()
