"""Read the corpus, refuse what cannot be used, split it so that nothing leaks, and account for every row."""

import logging

import click

from anamnesis.corpus.card import card, picture
from anamnesis.corpus.categories import TBSRTC
from anamnesis.corpus.preparing import prepare_corpus
from anamnesis.figures import save
from anamnesis.files import write_json
from anamnesis.settings.corpus import Corpus
from stages._paths import ACCOUNT, CATEGORIES, CORPUS, QUARANTINE, REPORTS
from stages._stage import Parameters, stage

CARD, PICTURE = REPORTS / "corpus.md", REPORTS / "corpus.png"

log = logging.getLogger("corpus")


@click.command(help=__doc__)
@stage
def main() -> None:
    settings = Parameters("corpus").section("corpus", Corpus)
    prepared = prepare_corpus(settings, CORPUS, QUARANTINE)
    write_json(
        CATEGORIES,
        {"label": settings.label, "names": prepared.categories, "critical": settings.critical_categories},
    )
    write_json(ACCOUNT, prepared.numbers)
    criteria = TBSRTC if settings.category_system == "tbsrtc" else {}
    CARD.parent.mkdir(exist_ok=True)
    CARD.write_text(card(prepared.numbers, PICTURE.name, criteria), encoding="utf-8")
    save(picture(prepared.numbers, prepared.parts), PICTURE)
    log.info("%s", {name: prepared.numbers[name] for name in ("rows_in", *prepared.parts, "duplicates", "quarantined")})


if __name__ == "__main__":
    main()
