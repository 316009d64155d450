"""Write the synthetic corpus of FNA reports."""

import logging
from pathlib import Path

import click

from anamnesis.files import write_jsonl
from anamnesis.settings.synthesis import Synthesis
from anamnesis.synthesis import synthesize
from stages._stage import Parameters, stage

OUTPUT = Path("data/raw/fna_synthetic.jsonl")

log = logging.getLogger("synthesize")


@click.command(help=__doc__)
@stage
def main() -> None:
    reports = synthesize(Parameters("synthesize").section("synthesis", Synthesis))
    write_jsonl(OUTPUT, reports)
    log.info("wrote %d synthetic reports", len(reports))


if __name__ == "__main__":
    main()
