"""Print the runs (`ema-0`) in the order in which `make repro` trains or evaluates them."""

import click

from anamnesis.forecasting.forecast import evaluations, trainings
from anamnesis.settings.reading import read_experiment
from stages import ROOT
from stages._stage import stage

ORDERS = {"trainings": trainings, "evaluations": evaluations}


@click.command(help=__doc__)
@click.argument("what", type=click.Choice(list(ORDERS)))
@stage
def main(what: str) -> None:
    click.echo(" ".join(ORDERS[what](read_experiment(ROOT))))


if __name__ == "__main__":
    main()
