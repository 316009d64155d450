"""Read the corpus, refuse what cannot be used, split it so that nothing leaks, and account for every row.

Canaries, if there are any, are planted into the training part at the end.
"""

import logging
from functools import partial

import click

from anamnesis.corpus.planting import Planting, plant
from anamnesis.settings.corpus import Corpus
from stages._corpus import Outputs, counts, prepare
from stages._paths import ACCOUNT, CANARIES, CATEGORIES, CORPUS, QUARANTINE, REPORTS, REVIEW, TRAINING_REPORTS
from stages._stage import Parameters, stage

CARD, PICTURE = REPORTS / "corpus.md", REPORTS / "corpus.png"

log = logging.getLogger("corpus")


@click.command(help=__doc__)
@stage
def main() -> None:
    parameters = Parameters("corpus")
    wanted = Planting(
        parameters.value("leakage.canaries"), parameters.value("leakage.repeats"), parameters.value("leakage.seed")
    )
    prepared = prepare(
        parameters.section("corpus", Corpus),
        Outputs(CORPUS, CATEGORIES, QUARANTINE, ACCOUNT, CARD, PICTURE),
        REVIEW,
        partial(plant, wanted, training=TRAINING_REPORTS, listed=CANARIES),
    )
    log.info("%s", counts(prepared))
    if wanted.canaries:
        log.info("canaries: %s", prepared.numbers["canaries"])


if __name__ == "__main__":
    main()
