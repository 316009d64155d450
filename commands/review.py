"""Print what this branch does to the results, against BASE: the comment on a pull request. Exit code 1 if stale."""

import sys

import click

from anamnesis.publishing.reviewing import review
from commands import ROOT
from stages._stage import stage


@click.command(help=__doc__)
@click.argument("base")
@click.option("--files", default="", help="What goes before a file's path in links, ending in a slash.")
@stage
def main(base: str, files: str) -> None:
    reviewed = review(ROOT, base, files)
    click.echo(reviewed.page, nl=False)
    sys.exit(not reviewed.fresh)


if __name__ == "__main__":
    main()
