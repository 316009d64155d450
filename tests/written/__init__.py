"""A fourth labelled set to measure de-identification: eight authors wrote every text singly, without templates.

Authors of rules may read `dev`, of six authors, and tune to it. `blind`, of two others, they measure and do not read.
"""

import gzip
import json
from pathlib import Path

from tests.blind import report_of
from tests.heldout import Report

PARTS = ("dev", "blind")


def written_reports(part: str) -> list[Report]:
    """All reports of a part, in their order."""
    with gzip.open(Path(__file__).with_name(f"{part}.jsonl.gz"), "rt", encoding="utf-8") as rows:
        return [report_of(row["text"], row["identifiers"], row["document"]) for row in map(json.loads, rows)]
