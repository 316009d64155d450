"""Let the base write texts for methods to read, none of which is among those that the arms are measured on."""

import logging

import click

from anamnesis.compute import configure_compute
from anamnesis.files import read_json, read_jsonl, write_jsonl
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.sampling import sample_new_texts
from anamnesis.settings.compute import Compute
from anamnesis.settings.rehearsal_text import RehearsalText
from stages._paths import BASE, BASE_TEXT, NEEDS, REHEARSAL
from stages._stage import Parameters, stage

log = logging.getLogger("rehearsal")


@click.command(help=__doc__)
@stage
def main() -> None:
    parameters = Parameters("rehearsal")
    settings = parameters.section("rehearsal_text", RehearsalText)
    compute = parameters.section("compute", Compute)
    if not read_json(NEEDS / "rehearsal.json"):
        write_jsonl(REHEARSAL, [])
        log.info("no method reads texts that the base wrote: none are written")
        return
    configure_compute(compute)
    base, tokenizer = load_base(BASE, compute)
    texts = sample_new_texts(base, tokenizer, settings, [row["tokens"] for row in read_jsonl(BASE_TEXT)])
    write_jsonl(REHEARSAL, ({"tokens": tokens, "text": tokenizer.decode(tokens)} for tokens in texts))
    log.info("the base wrote %d texts with %d tokens", len(texts), sum(map(len, texts)))


if __name__ == "__main__":
    main()
