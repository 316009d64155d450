"""Estimate the base's Fisher information on general text, for methods with the penalty ewc."""

import logging
import random

import click
from transformers import PreTrainedTokenizerBase

from anamnesis.compute import configure_compute
from anamnesis.files import read_json, read_jsonl
from anamnesis.methods.fisher import Fisher, estimate_fisher, save_fisher
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.sampling import start_token
from anamnesis.settings.compute import Compute
from anamnesis.settings.fisher import FisherText
from anamnesis.settings.sections import SettingsError
from stages._paths import BASE, FISHER, GENERAL_TEXT, NEEDS, REHEARSAL
from stages._stage import Parameters, stage

log = logging.getLogger("fisher")


@click.command(help=__doc__)
@stage
def main() -> None:
    parameters = Parameters("fisher")
    settings = parameters.section("fisher", FisherText)
    compute = parameters.section("compute", Compute)
    if not read_json(NEEDS / "fisher.json"):
        save_fisher(Fisher({}), FISHER)
        log.info("no method has the penalty ewc: no Fisher information is estimated")
        return
    configure_compute(compute)
    base, tokenizer = load_base(BASE, compute)
    documents = chosen_documents(settings, tokenizer)
    fisher = estimate_fisher(base, documents, settings.seed if settings.labels == "sampled" else None)
    save_fisher(fisher, FISHER, settings)
    log.info(
        "the Fisher information of %d layers, from %d documents with %d tokens",
        len(fisher.factors), len(documents), sum(map(len, documents)) - len(documents),
    )  # fmt: skip


def chosen_documents(settings: FisherText, tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """Documents by the seed, each with the token before a text and, if it has one, its end.

    Raises:
        SettingsError: there are too few.
    """
    rows = read_jsonl(GENERAL_TEXT if settings.text == "general" else REHEARSAL)
    if len(rows) < settings.documents:
        raise SettingsError(
            f"params.yaml: `fisher.documents` is {settings.documents}, and there are {len(rows)} texts: lower it, or "
            f"raise {'`knowledge.clinical_notes`' if settings.text == 'general' else '`rehearsal_text.texts`'}."
        )
    chosen = random.Random(settings.seed).sample(rows, settings.documents)
    start, end = start_token(tokenizer), tokenizer.eos_token_id
    if settings.text == "generated":
        return [[start, *row["tokens"]] for row in chosen]
    encoded = (tokenizer(row["text"], add_special_tokens=False)["input_ids"] for row in chosen)
    return [[start, *tokens, *([] if end is None else [end])] for tokens in encoded]


if __name__ == "__main__":
    main()
