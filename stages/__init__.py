"""The stages of dvc.yaml, one module and one command each: read parameters, load, call the library, save.

Each runs as `python -m stages.<name>` in the repository's root. The package of *this* checkout goes first on the
path: `dvc exp run --temp` works in a copy, where an editable installation would import the other checkout's.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
