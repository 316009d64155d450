"""What all stages share: logging, one readable sentence for each error of the user, and the declared parameters."""

import errno
import functools
import gc
import logging
import os
import shutil
from collections.abc import Callable
from typing import Any, TypeVar

import click
from dvc.dvcfile import load_file
from dvc.repo import Repo
from dvc.stage.loader import StageLoader

from anamnesis.errors import InputError
from anamnesis.settings.sections import section
from stages import ROOT

T = TypeVar("T")

# Bytes that are left on a disk that is full for torch: its archive writes in blocks.
ALMOST_FULL = 2**20


def stage(command: Callable[..., None]) -> Callable[..., None]:
    """Set up logging; turn an InputError or a full disk into a sentence and exit code 1. A bug keeps its traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        # What is imported by now stays in memory: the collector need not look at it again.
        gc.freeze()
        gc.enable()
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        # Libraries that announce themselves at every start; their warnings are still shown.
        for name in ("httpx", "datasets", "absl", "rouge_score", "bitsandbytes"):
            logging.getLogger(name).setLevel(logging.WARNING)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            command(*args, **kwargs)
        except InputError as error:
            raise click.ClickException(str(error)) from None
        except Exception as error:
            if not is_full_disk(error):
                raise
            raise click.ClickException(
                "the disk is full, and the output of this stage is incomplete: make room and run it again."
            ) from None

    return run


def is_full_disk(error: Exception) -> bool:
    """Python, safetensors and torch's archive each say it in another way; the last does not say what went wrong."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return True
    if "No space left on device" in str(error) or "os error 28" in str(error):
        return True
    return "inline_container" in str(error) and shutil.disk_usage(ROOT).free < ALMOST_FULL


class Parameters:
    """The parameters that dvc.yaml declares for one stage, and no others.

    They are what `dvc.api.params_show(stages=...)` returns (a test compares the two), by DVC's own resolver. That call
    also parses dvc.lock, twice: this takes longer than all else in it, and another branch may be writing the file.
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
        """One key (`split`) or a key of a section (`training.target`); `check` has made sure that it can be used."""
        value: Any = self.values
        for part in name.split("."):
            value = value[part]
        return value
