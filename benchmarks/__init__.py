"""What the library costs, against the libraries it replaces; each benchmark prints a Markdown table.

Run each as `python -m benchmarks.<name>` in the repository's root. It measures the package of this checkout.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]
