"""A fourth labelled set to measure de-identification: thirty authors wrote every text singly, without templates.

Authors of rules may read `dev` and `validation`; the tagger is trained on `dev`, and `validation` is for choosing its
limits. `blind` they measure and do not read. No author is in two parts.
"""

import gzip
import json
from pathlib import Path

from tests.blind import report_of
from tests.heldout import Report

PARTS = ("dev", "validation", "blind")


def written_reports(part: str) -> list[Report]:
    """All reports of a part, in their order."""
    with gzip.open(Path(__file__).with_name(f"{part}.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [report_of(row["text"], row["identifiers"], row["document"]) for row in rows]
