"""Check a second run of the shelved experiment NAME against it. Exit code 1 if the answer does not hold."""

import sys
from pathlib import Path

import click

from anamnesis.publishing.rerunning import run_again
from anamnesis.publishing.results import load_results
from anamnesis.publishing.shelf import SHELF, find_entry
from anamnesis.publishing.verifying import page, verify
from commands import ROOT
from stages._stage import stage


@click.command(help=__doc__)
@click.argument("name")
@click.option(
    "--metrics", default=Path("metrics"), type=Path, show_default=True, help="The second run's metrics folder."
)
@click.option("--run", is_flag=True, help="Run the experiment again, in a clone, instead of reading --metrics.")
@stage
def main(name: str, metrics: Path, run: bool) -> None:
    find_entry(ROOT, name)
    again = run_again(ROOT, name) if run else ROOT / metrics
    verification = verify(load_results(ROOT / SHELF / name / "metrics"), load_results(again))
    click.echo(page(name, verification))
    sys.exit(not verification.holds)


if __name__ == "__main__":
    main()
