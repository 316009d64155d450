"""A fourth labelled set to measure de-identification: eight authors wrote every text singly, without templates.

Authors of rules may read `dev`, of six authors, and tune to it. `blind`, of two others, they measure and do not read.
"""

import gzip
import json
from collections.abc import Collection
from pathlib import Path

from tests.blind import report_of
from tests.heldout import Report

AUTHORS = {"dev": tuple(f"{letter}{number}" for letter in "acd" for number in range(1, 7)), "blind": ("b1", "b2")}
PARTS = tuple(AUTHORS)


def written_reports(part: str, authors: Collection[str] | None = None) -> list[Report]:
    """All reports of a part, or those of some of its authors, in their order."""
    with gzip.open(Path(__file__).with_name(f"{part}.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        report_of(row["text"], row["identifiers"], row["document"])
        for row in rows
        if authors is None or row["author"] in authors
    ]
