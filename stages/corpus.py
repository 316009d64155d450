"""Read the corpus, refuse what cannot be used, split it so that nothing leaks, and account for every row."""

import logging

import click

from anamnesis.settings.corpus import Corpus
from stages._corpus import Outputs, counts, prepare
from stages._paths import ACCOUNT, CATEGORIES, CORPUS, QUARANTINE, REPORTS, REVIEW
from stages._stage import Parameters, stage

CARD, PICTURE = REPORTS / "corpus.md", REPORTS / "corpus.png"

log = logging.getLogger("corpus")


@click.command(help=__doc__)
@stage
def main() -> None:
    settings = Parameters("corpus").section("corpus", Corpus)
    prepared = prepare(settings, Outputs(CORPUS, CATEGORIES, QUARANTINE, ACCOUNT, CARD, PICTURE), REVIEW)
    log.info("%s", counts(prepared))


if __name__ == "__main__":
    main()
