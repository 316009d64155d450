"""The record of an export, export.json: what it was made from, and what its files are.

By it a later command can tell whether the export is that of the present experiment, and unchanged. Without torch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anamnesis.hashes import digest

EXPORTS = Path("exports")
RECORD = "export.json"


@dataclass(frozen=True)
class MadeFrom:
    """What an export and its card are made from, each as sha256 in hexadecimal digits.

    Attributes:
        base: the base's weights.
        adapter: the folder of the run.
        parameters: all parameters.
        account: the counts of the corpus.
        results: what `summarize` found; None if the card has no results.
    """

    base: str
    adapter: str
    parameters: str
    account: str
    results: str | None


def made_from(
    base: Path,
    adapter: Path,
    parameters: Mapping[str, Any],
    account: Mapping[str, Any],
    results: Mapping[str, Any] | None,
) -> MadeFrom:
    """Hash what an export is made from.

    Args:
        base: the file of the base's weights.
        adapter: the folder of the run.
        parameters, account, results: as JSON values.
    """
    return MadeFrom(
        base=digest(base),
        adapter=digest(adapter),
        parameters=fingerprint(parameters),
        account=fingerprint(account),
        results=None if results is None else fingerprint(results),
    )


def fingerprint(value: Mapping[str, Any]) -> str:
    """sha256 of a JSON value, the same for any order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below the folder but the record, by its path from the folder on."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / RECORD)
    return {path.relative_to(folder).as_posix(): digest(path) for path in paths}
