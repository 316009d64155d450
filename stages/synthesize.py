"""Write the synthetic corpus of FNA reports."""

import logging

import click

from anamnesis.files import write_jsonl
from anamnesis.settings.synthesis import Synthesis
from anamnesis.synthesis import synthesize
from stages._paths import SYNTHETIC_REPORTS
from stages._stage import Parameters, stage

log = logging.getLogger("synthesize")


@click.command(help=__doc__)
@stage
def main() -> None:
    reports = synthesize(Parameters("synthesize").section("synthesis", Synthesis))
    write_jsonl(SYNTHETIC_REPORTS, reports)
    log.info("wrote %d synthetic reports", len(reports))


if __name__ == "__main__":
    main()
