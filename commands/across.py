"""Say what shelved experiments find together, when they differ in one thing, such as the base."""

import click

from anamnesis.publishing.across import across, page
from anamnesis.publishing.results import load_results
from anamnesis.publishing.shelf import SHELF, find_entry
from commands import ROOT
from stages._stage import stage


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--measure", "measures", multiple=True, help="the capability and the adaptation if left out")
@stage
def main(names: tuple[str, ...], measures: tuple[str, ...]) -> None:
    experiments = {name: load_results(ROOT / SHELF / find_entry(ROOT, name).name / "metrics") for name in names}
    click.echo(page(list(experiments), across(experiments, measures)), nl=False)


if __name__ == "__main__":
    main()
