"""What the library's own ways cost against the libraries they replace; each prints a table in markdown.

Each runs as `python -m benchmarks.<name>` in the repository's root, on the package of this checkout.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
