"""Keep the finished experiment in this checkout on the shelf, as results/NAME."""

import click

from anamnesis.publishing.shelf import SHELF, shelve, size
from commands import ROOT
from stages._stage import stage


@click.command(help=__doc__)
@click.argument("name")
@click.option("--question", required=True, help="What the experiment asks, in one line.")
@click.option("--minutes", type=float, help="How long it ran, if data/costs does not say.")
@click.option("--replace", is_flag=True, help="Replace an entry of this name.")
@stage
def main(name: str, question: str, minutes: float | None, replace: bool) -> None:
    entry = shelve(ROOT, name, question, replace, minutes)
    kilobytes = size(ROOT / SHELF / name) / 1e3
    click.echo(f"{SHELF}/{name} ({kilobytes:.0f} kB): {entry.answer}")


if __name__ == "__main__":
    main()
