"""Reads and writes the small files between stages: the same content always gives the same bytes."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from anamnesis.errors import InputError

# The end of a file's name while it is written; Git and DVC ignore it.
UNFINISHED = ".part"


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write `value`, whole or not at all.

    Raises:
        InputError: it holds a number that JSON cannot express: NaN or infinity.
    """
    with written_whole(path) as file:
        file.write(_dumps(value, path, indent=2) + "\n")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    # Not splitlines(): that also breaks at characters which JSON leaves unescaped inside a string (U+2028).
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def write_jsonl(path: Path, rows: Iterable[Mapping[Any, Any]]) -> None:
    """Write one row a line, all of them or none.

    Raises:
        InputError: a row holds NaN or infinity.
    """
    with written_whole(path) as file:
        file.writelines(_dumps(row, path) + "\n" for row in rows)


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """A text file that gets its name only when it is complete: a process killed while it writes leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _dumps(value: Any, path: Path, indent: int | None = None) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    except ValueError:
        found = next(_not_finite(value), None)
        if found is None:
            raise
        key, number = found
        raise InputError(
            f"{path.name}: `{key}` is {number}, which is no number: a model that diverged gives such a result; lower "
            f"optimization.learning_rate or look for the first such value in metrics/curves."
        ) from None


def _not_finite(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every NaN and infinity in a JSON value, with its place."""
    if isinstance(value, float) and not math.isfinite(value):
        yield key, value
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    for name, part in parts:
        yield from _not_finite(part, f"{key}.{name}" if key else str(name))
