"""Read the corpus, refuse what cannot be used, and split it by patient."""

import logging
from pathlib import Path

import click

from anamnesis.corpus.reading import FIELDS, read_corpus
from anamnesis.corpus.splitting import split_by_patient
from anamnesis.files import write_json, write_jsonl
from anamnesis.settings import Corpus
from stages._stage import Parameters, stage

PREPARED = Path("data/prepared/corpus")
COUNTS = Path("metrics/corpus.json")

log = logging.getLogger("corpus")


@click.command(help=__doc__)
@stage
def main() -> None:
    settings = Parameters("corpus").section("corpus", Corpus)
    reading = read_corpus(settings)
    parts = split_by_patient(reading.reports, settings.validation_share, settings.test_share, settings.seed)
    for name, part in parts.items():
        write_jsonl(PREPARED / f"{name}.jsonl", part[FIELDS].to_dict("records"))
    write_jsonl(PREPARED / "quarantine.jsonl", reading.quarantine.to_dict("records"))
    write_json(PREPARED / "categories.json", reading.categories)

    counts = {
        "rows_in": reading.rows_in,
        "duplicates": reading.duplicates,
        "quarantined": len(reading.quarantine),
        **{name: len(part) for name, part in parts.items()},
    }
    if counts["rows_in"] != sum(counts.values()) - counts["rows_in"]:
        raise RuntimeError(f"rows were lost: {counts}")
    log.info("%s", counts)
    by_category = {
        name: {category: int((part["category"] == category).sum()) for category in reading.categories}
        for name, part in parts.items()
    }
    write_json(COUNTS, counts | {"by_category": by_category})


if __name__ == "__main__":
    main()
