"""Prepares a corpus: from the export to three parts that leak nothing into one another, accounting for every row."""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from anamnesis.corpus.card import Part, account_of
from anamnesis.corpus.intake import categories_of, take_in
from anamnesis.corpus.naming import check_names
from anamnesis.corpus.scrutiny import TEXT_SAMPLE, bag_of_words_macro_f1, leakage, telling_words
from anamnesis.corpus.splitting import groups_of, naive_split, split
from anamnesis.corpus.staging import Staging
from anamnesis.settings.corpus import Corpus

log = logging.getLogger("corpus")


@dataclass(frozen=True)
class Prepared:
    """The set of categories, the numbers of the account, and the data of the card's figures by part."""

    categories: list[str]
    numbers: Mapping[str, Any]
    parts: Mapping[str, Part]


def prepare_corpus(settings: Corpus, folder: Path, quarantine: Path) -> Prepared:
    """Write train.jsonl, validation.jsonl and test.jsonl into `folder`, and the refused rows into `quarantine`.

    Raises:
        CorpusError: the export cannot be used, or cannot be split.
    """
    check_names(settings)
    with Staging(folder / "staging.jsonl", keyed=settings.deidentification.key_variable is not None) as staging:
        account = take_in(settings, staging, quarantine)
        categories = categories_of(settings, staging)
        log.info("%d rows, %d reports; looking for near duplicates", account.rows_in, len(staging))
        patients, index = staging.patients, staging.index
        clusters = index.clusters(settings.near_duplicate_similarity)
        groups = groups_of(patients, clusters)
        parts = split(groups, staging.category_numbers, settings.validation_share, settings.test_share, settings.seed)
        account.check(map(len, parts.values()))
        written = {name: _write(staging, folder / f"{name}.jsonl", reports) for name, reports in parts.items()}
    log.info("comparing the test part with the training part")
    naive = naive_split(len(groups), {name: len(part) for name, part in parts.items()}, settings.seed)
    leaks = {
        name: leakage(index, reports, settings.near_duplicate_similarity)
        for name, reports in (("split", parts), ("naive", naive))
    }
    train, test = (_beginning(folder / f"{name}.jsonl") for name in ("train", "test"))
    numbers = account_of(
        account,
        written,
        len(np.unique(patients)),
        clusters,
        groups,
        settings.near_duplicate_similarity,
        leaks,
        bag_of_words_macro_f1(train, test),
        telling_words(train),
    )
    return Prepared(categories, numbers, written)


def _write(staging: Staging, path: Path, reports: npt.NDArray[np.int64]) -> Part:
    categories: Counter[str] = Counter()
    lengths = np.zeros((2, len(reports)), dtype=np.int64)
    with path.open("wb") as file:
        for number, line in enumerate(tqdm(staging.lines(reports), path.stem, total=len(reports), mininterval=5)):
            file.write(line)
            report = json.loads(line)
            categories[report["category"]] += 1
            lengths[:, number] = len(report["description"]), len(report["conclusion"])
    return Part(dict(sorted(categories.items())), *lengths)


def _beginning(path: Path) -> list[tuple[str, str]]:
    """Description and category of the first reports of a part; a part is in random order."""
    with path.open(encoding="utf-8") as file:
        rows = map(json.loads, islice(file, TEXT_SAMPLE))
        return [(row["description"], row["category"]) for row in rows]
