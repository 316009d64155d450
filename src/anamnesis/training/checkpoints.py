"""Where a training that was cut off resumes.

DVC removes a stage's outputs before it runs, so checkpoints are kept in an ignored scratch folder. Its name is a hash
of all that the training reads: another parameter, another corpus or other code never resumes from an old checkpoint.
"""

import hashlib
import logging
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from anamnesis.errors import InputError
from anamnesis.files import read_json, write_json

# The list of a checkpoint's files with their hashes, written after them.
SEAL = "seal.json"

log = logging.getLogger("train")


def scratch_folder(root: Path, parameters: Iterable[object], files: Iterable[Path]) -> Path:
    """The folder under `root` for a training with these parameters (by their repr) and these files and folders."""
    digest = hashlib.sha256(repr(list(parameters)).encode())
    for path in files:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(file.as_posix().encode())
                digest.update(_hash(file).encode())
    return root / digest.hexdigest()[:16]


class SealCheckpoints(TrainerCallback):
    """Seals each checkpoint; must be the last callback, so that it sees what the others wrote into the folder."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        # Each process writes the state of its own random numbers.
        PartialState().wait_for_everyone()
        if state.is_world_process_zero:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def seal(checkpoint: Path) -> None:
    """Record the files of a checkpoint that is complete."""
    write_json(checkpoint / SEAL, {name: _hash(checkpoint / name) for name in _files(checkpoint)})


def damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint; None if its files are those that were sealed, byte for byte."""
    if not (checkpoint / SEAL).is_file():
        return "it was not written to its end"
    try:
        sealed = dict(read_json(checkpoint / SEAL))
    except (ValueError, TypeError):
        return f"{SEAL} cannot be read"
    for name, digest in sealed.items():
        if not (checkpoint / name).is_file():
            return f"{name} is missing"
        if _hash(checkpoint / name) != digest:
            return f"{name} is damaged"
    return None


def last_checkpoint(scratch: Path) -> str | None:
    """The newest checkpoint in `scratch` that is whole; damaged ones are named in the log and removed.

    Raises:
        InputError: the processes of this run do not see the same one.
    """
    newest: Path | None = None
    damaged: dict[Path, str] = {}
    for checkpoint in sorted(scratch.glob("checkpoint-*"), key=_step, reverse=True):
        why = damage(checkpoint)
        if why is None:
            newest = checkpoint
            break
        damaged[checkpoint] = why
    check_all_see(None if newest is None else newest.name, scratch)
    if damaged and PartialState().is_main_process:
        told = ", ".join(f"{checkpoint.name} ({why})" for checkpoint, why in damaged.items())
        then = "training starts from the beginning" if newest is None else f"training resumes from {newest.name}"
        log.warning("passing over %s: %s", told, then)
        for checkpoint in damaged:
            shutil.rmtree(checkpoint)
    return None if newest is None else str(newest)


def check_all_see(found: str | int | None, scratch: Path) -> None:
    """Refuse processes that found something else in `scratch` than the others.

    Raises:
        InputError: there is one.
    """
    of_all = gather_object([found])
    if len(set(of_all)) != 1:
        raise InputError(
            f"the processes of this training see different checkpoints ({of_all}): put the checkout on a file system "
            f"that all machines share, or remove {scratch} on each of them."
        )


def _step(checkpoint: Path) -> int:
    number = re.fullmatch(r"checkpoint-(\d+)", checkpoint.name)
    return int(number[1]) if number else -1


def _files(checkpoint: Path) -> list[str]:
    return sorted(
        file.relative_to(checkpoint).as_posix()
        for file in checkpoint.rglob("*")
        if file.is_file() and file.name != SEAL
    )


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
