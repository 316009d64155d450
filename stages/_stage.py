"""What all stages share: logging, a readable sentence for an error the user can fix, parameters, and their cost."""

import errno
import functools
import gc
import logging
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from dvc.dvcfile import load_file
from dvc.env import DVC_STAGE
from dvc.repo import Repo
from dvc.stage.loader import StageLoader

from anamnesis.costs import Cost, write_cost
from anamnesis.errors import InputError
from anamnesis.machine import GIGABYTE, peak_memory, processor
from anamnesis.settings.sections import section
from stages import ROOT, STARTED

log = logging.getLogger("stage")

T = TypeVar("T")

# With fewer bytes left, a write of torch's archive fails: it writes in blocks.
ALMOST_FULL = 2**20


def stage(command: Callable[..., bool | None]) -> Callable[..., None]:
    """Set up logging, and turn an InputError or a full disk into a sentence and exit code 1.

    A bug keeps its traceback. After success, the cost is recorded if DVC runs the stage. A command returns True if it
    went on from an earlier attempt.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        # What is imported by now stays in memory: the collector need not look at it again.
        gc.freeze()
        gc.enable()
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        # Libraries that announce themselves at every start; their warnings are still shown.
        for name in ("httpx", "datasets", "absl", "rouge_score", "bitsandbytes", "pymorphy3"):
            logging.getLogger(name).setLevel(logging.WARNING)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            record_cost(resumed=bool(command(*args, **kwargs)))
            leave_process_group()
        except InputError as error:
            raise click.ClickException(str(error)) from None
        except Exception as error:
            if not is_full_disk(error):
                raise
            raise click.ClickException(
                "the disk is full, and the output of this stage is incomplete: free some space and run it again."
            ) from None

    return run


def record_cost(resumed: bool) -> None:
    """Write what this process took so far as the cost of the stage that DVC named when it started the process.

    Only the main process of torchrun writes. A command started by hand has no name, and nothing is written. The stage
    is done by now: that its cost cannot be written is no reason to lose it.
    """
    name = os.environ.get(DVC_STAGE)
    if name is None or int(os.environ.get("RANK", "0")) > 0:
        return
    cost = Cost(
        # Below the root, DVC calls it `../dvc.yaml:corpus`.
        stage=name.rpartition(":")[2],
        started=STARTED.isoformat(timespec="milliseconds"),
        seconds=round((datetime.now(UTC) - STARTED).total_seconds(), 3),
        peak_memory_gigabytes=_gigabytes(peak_memory()),
        peak_gpu_memory_gigabytes=_gpu_gigabytes(),
        processor=processor(),
        resumed=resumed,
    )
    try:
        write_cost(cost)
    except OSError as error:
        log.warning("the cost of %s stays unknown: %s", cost.stage, error)


def leave_process_group() -> None:
    """Leave the group of torchrun's processes, if there is one: its threads can abort an interpreter that ends.

    After a failure torchrun ends the others, which may still wait for this process.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_initialized():
        distributed.destroy_process_group()


def _gpu_gigabytes() -> float | None:
    """The most that torch reserved on the GPU; None if it was not imported, or used no GPU."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return _gigabytes(torch.cuda.max_memory_reserved())


def _gigabytes(size: float) -> float:
    return round(size / GIGABYTE, 3)


def is_full_disk(error: Exception) -> bool:
    """Python, safetensors and torch's archive each report it differently; the archive gives no reason at all."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return True
    if "No space left on device" in str(error) or "os error 28" in str(error):
        return True
    return "inline_container" in str(error) and shutil.disk_usage(ROOT).free < ALMOST_FULL


class Parameters:
    """The parameters that dvc.yaml declares for one stage, and no others.

    They are what `dvc.api.params_show(stages=...)` returns (a test compares the two), resolved by DVC's own code. That
    call also parses dvc.lock twice, which takes longer than all else in it, and another branch may be writing the file.
    """

    def __init__(self, stage_name: str) -> None:
        self.values: dict[str, Any] = {}
        with Repo(str(ROOT)) as repo:
            dvcfile = load_file(repo, str(ROOT / "dvc.yaml"))
            for file in StageLoader(dvcfile, dvcfile.contents)[stage_name].params:
                values = file.read_params(flatten=False)
                if twice := values.keys() & self.values.keys():
                    raise InputError(f"params.yaml and the profile both have {sorted(twice)}: rename one of them.")
                self.values |= values

    def section(self, name: str, kind: type[T]) -> T:
        return section(self.values, name, kind, file="params.yaml or the profile")

    def value(self, name: str) -> Any:
        """A key (`split`), or a key of a section (`training.target`); `check` has made sure that it can be used."""
        value: Any = self.values
        for part in name.split("."):
            value = value[part]
        return value
