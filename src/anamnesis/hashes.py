"""Hashes of the files that a stage reads beside its declared dependencies, and the check that they are those.

Without torch.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from anamnesis.errors import InputError
from anamnesis.files import read_json


def digest(path: Path) -> str:
    """Of a file, or of the names and contents of a folder's files."""
    if path.is_dir():
        files = "".join(f"{file.name} {digest(file)}\n" for file in sorted(path.iterdir()))
        return hashlib.sha256(files.encode()).hexdigest()
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def checked_inputs(file: Path, paths: Mapping[str, Path]) -> dict[str, Path]:
    """The paths of what a method reads, by name, as the stage `inputs` wrote it into `file`.

    Raises:
        InputError: one of them is not what that stage saw.
    """
    digests: dict[str, str] = read_json(file)
    for name, seen in digests.items():
        if digest(paths[name]) != seen:
            raise InputError(f"{paths[name]} has changed since the stage `inputs` read it: run `dvc repro`.")
    return {name: paths[name] for name in digests}
