"""What the two stages that prepare reports share: the parts, the categories, and the account of every row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from anamnesis.corpus.card import card, picture
from anamnesis.corpus.categories import TBSRTC
from anamnesis.corpus.preparing import Prepared, prepare_corpus
from anamnesis.corpus.review import read_review, summary
from anamnesis.figures import save
from anamnesis.files import write_json
from anamnesis.settings.corpus import Corpus


class Outputs(NamedTuple):
    """Where to: the folder of the parts, the file of the categories, and those that account for every row."""

    folder: Path
    categories: Path
    quarantine: Path
    account: Path
    card: Path
    picture: Path


def prepare(
    settings: Corpus,
    to: Outputs,
    review: Path | None = None,
    plant: Callable[[Sequence[str]], Mapping[str, Any]] | None = None,
) -> Prepared:
    """Write everything.

    Args:
        review: the folder of what people found in samples, if samples are drawn.
        plant: adds canaries of the given categories to the training part, and returns their account.

    Raises:
        CorpusError: the export cannot be used, or cannot be split; or there would be too many canaries.
    """
    prepared = prepare_corpus(settings, to.folder, to.quarantine)
    if plant is not None:
        prepared = replace(prepared, numbers={**prepared.numbers, **plant(prepared.categories)})
    categories = {"label": settings.label, "names": prepared.categories, "critical": settings.critical_categories}
    write_json(to.categories, categories)
    write_json(to.account, prepared.numbers)
    criteria = TBSRTC if settings.category_system == "tbsrtc" else {}
    to.card.parent.mkdir(exist_ok=True)
    reading = None if review is None else summary(read_review(review, prepared.numbers["fingerprint"]))
    to.card.write_text(card(prepared.numbers, to.picture.name, criteria, reading), encoding="utf-8")
    save(picture(prepared.numbers, prepared.parts), to.picture)
    return prepared


def counts(prepared: Prepared) -> dict[str, int]:
    """How many rows came in, and what became of them."""
    return {name: prepared.numbers[name] for name in ("rows_in", *prepared.parts, "duplicates", "quarantined")}
