"""Sample text from the base, on which the arms are compared with it."""

import logging

import click

from anamnesis.compute import configure_compute
from anamnesis.files import write_jsonl
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.sampling import sample_texts
from anamnesis.settings.base_text import BaseText
from anamnesis.settings.compute import Compute
from stages._paths import BASE, BASE_TEXT
from stages._stage import Parameters, stage

log = logging.getLogger("base_text")


@click.command(help=__doc__)
@stage
def main() -> None:
    parameters = Parameters("base_text")
    compute = parameters.section("compute", Compute)
    configure_compute(compute)
    base, tokenizer = load_base(BASE, compute)
    texts = sample_texts(base, tokenizer, parameters.section("base_text", BaseText))
    write_jsonl(BASE_TEXT, ({"tokens": tokens, "text": tokenizer.decode(tokens)} for tokens in texts))
    log.info("sampled %d texts with %d tokens", len(texts), sum(map(len, texts)))


if __name__ == "__main__":
    main()
