"""Use a profile: write its name and the values in its section `params` into params.yaml."""

import click

from anamnesis.settings.writing import use_profile
from commands import ROOT
from stages._stage import stage


@click.command(help=__doc__)
@click.argument("name")
@stage
def main(name: str) -> None:
    for change in use_profile(ROOT, name):
        click.echo(f"params.yaml: {change}")


if __name__ == "__main__":
    main()
