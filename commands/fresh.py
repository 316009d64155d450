"""Say whether dvc.lock belongs to this code and these parameters. Exit code 1 if not, with the stages to run."""

import sys

import click

from anamnesis.publishing.repository import Repository
from commands import ROOT
from stages._stage import stage


@click.command(help=__doc__)
@stage
def main() -> None:
    stale = Repository(ROOT).stale_stages()
    for name in stale:
        click.echo(f"stale: {name}")
    if stale:
        click.echo("run `make repro` and commit dvc.lock, metrics/ and reports/")
    sys.exit(bool(stale))


if __name__ == "__main__":
    main()
