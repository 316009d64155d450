"""What all stages share: logging, one readable sentence on bad input, and the declared parameters."""

import functools
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
import dvc.api

from anamnesis.errors import InputError
from anamnesis.settings import section
from stages import ROOT

T = TypeVar("T")


def stage(command: Callable[..., None]) -> Callable[..., None]:
    """Set up logging, and turn an InputError into its sentence and exit code 1; a bug keeps its traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        # Libraries that announce themselves at every start; what they warn of still shows.
        for name in ("httpx", "datasets", "absl", "rouge_score"):
            logging.getLogger(name).setLevel(logging.WARNING)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            command(*args, **kwargs)
        except InputError as error:
            raise click.ClickException(str(error)) from None

    return run


class Parameters:
    """The parameters that dvc.yaml declares for one stage, and no others."""

    def __init__(self, stage_name: str) -> None:
        self.values: Mapping[str, Any] = dvc.api.params_show(stages=stage_name, repo=str(ROOT))

    def section(self, name: str, kind: type[T]) -> T:
        return section(self.values, name, kind, file="params.yaml or the profile")
