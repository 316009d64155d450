"""The stages of dvc.yaml, one module and one command each: read parameters, load, call the library, save.

Each runs as `python -m stages.<name>` in the root of the repository. The package of *this* checkout comes first on the
path: `dvc exp run --temp` works in a copy, where an editable installation would import the package of the other
checkout.
"""

import gc
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

# When this process started, nearly: the imports that follow take seconds.
STARTED = datetime.now(UTC)

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

# bitsandbytes asks torch to compile its fallbacks, which no stage uses, and so loads the compiler: a sixth of the time
# that a stage takes to start. vLLM gets the compiler back (evaluation.backends.vllm).
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

# Started by `python -m`, and its module not imported yet: the collector would walk the lasting objects of torch and its
# libraries again and again, for a quarter of the time that their imports take. `stage` switches it on again.
if sys.argv[0] == "-m":
    gc.disable()


def _is_no_missing_kernel(record: logging.LogRecord) -> bool:
    return "No module named 'kernels'" not in record.getMessage()


# bitsandbytes warns when it is imported, on processors with bf16, that an optional package is not there.
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(_is_no_missing_kernel)
