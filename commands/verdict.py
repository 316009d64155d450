"""Say whether METHOD keeps the limits of `verdict` in params.yaml.

Exit code 0: PASS. 10: FAIL. 20: NOT ENOUGH EVIDENCE. 1 and 2 are errors.
"""

import sys

import click

from anamnesis.publishing.verdicts import PASS, arm_verdict
from commands import ROOT
from stages._stage import stage

EXIT_CODES = {PASS: 0, "FAIL": 10, "NOT ENOUGH EVIDENCE": 20}


@click.command(help=__doc__)
@click.argument("method")
@stage
def main(method: str) -> None:
    found = arm_verdict(ROOT, method)
    click.echo(found.page())
    sys.exit(EXIT_CODES[found.verdict])


if __name__ == "__main__":
    main()
