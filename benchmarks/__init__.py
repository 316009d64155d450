"""What the library's own ways cost against the libraries they replace; each prints a table in markdown.

Each runs as `python -m benchmarks.<name>` in the repository's root, on the package of this checkout.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
