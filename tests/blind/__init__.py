"""A third labelled set to measure de-identification: nobody who writes rules has read its texts.

`tests/heldout` was blind until its misses were read. The texts are compressed so that no search shows them by accident;
whoever reads them to write a rule must say so, and the set is then no longer blind.
"""

import gzip
import json
from pathlib import Path

from tests.heldout import Planted, Report

FILE = Path(__file__).with_name("reports.jsonl.gz")


def blind_reports() -> list[Report]:
    """All 600 reports, in their order."""
    with gzip.open(FILE, "rt", encoding="utf-8") as rows:
        return [report_of(**json.loads(row)) for row in rows]


def report_of(text: str, identifiers: list[dict[str, object]], document: str) -> Report:
    planted = (
        Planted(start=int(str(one["start"])), end=int(str(one["end"])), kind=str(one["kind"]), tags=_tags(one["tags"]))
        for one in identifiers
    )
    return Report(text=text, identifiers=tuple(sorted(planted, key=lambda one: one.start)), document=document)


def _tags(tags: object) -> tuple[str, ...]:
    assert isinstance(tags, list)
    return tuple(tags)
