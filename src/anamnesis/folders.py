"""Folders that get their name only when they are complete, and take the place of an earlier one whole."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anamnesis.files import UNFINISHED


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """A folder beside the target, which is gone at the end of the block unless `put` gave it the target's name."""
    folder = target.with_name(target.name + UNFINISHED)
    shutil.rmtree(folder, ignore_errors=True)
    if _earlier(target).exists() and not target.exists():
        _earlier(target).rename(target)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(folder: Path, target: Path) -> None:
    """Replace the target; if the process is killed in between, the next `unfinished` puts the earlier one back."""
    earlier = _earlier(target)
    if target.exists():
        target.rename(earlier)
    folder.rename(target)
    shutil.rmtree(earlier, ignore_errors=True)


def _earlier(target: Path) -> Path:
    return target.with_name(f"{target.name}.earlier{UNFINISHED}")
