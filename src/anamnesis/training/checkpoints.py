"""Where a training that was cut off goes on.

DVC removes a stage's outputs before it runs, so checkpoints lie in an ignored scratch folder. Its name is a hash of all
that the training reads: another parameter, another corpus or other code never goes on from an old checkpoint.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from accelerate.utils import gather_object
from transformers.trainer import TRAINER_STATE_NAME

from anamnesis.errors import InputError


def scratch_folder(root: Path, parameters: Iterable[object], files: Iterable[Path]) -> Path:
    """The folder under `root` for a training with these parameters (by their repr) and these files and folders."""
    digest = hashlib.sha256(repr(list(parameters)).encode())
    for path in files:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(file.as_posix().encode())
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    return root / digest.hexdigest()[:16]


def last_checkpoint(scratch: Path) -> str | None:
    """The newest checkpoint in `scratch` that was written to its end: Trainer writes its own state last.

    Raises:
        InputError: the processes of this run do not see the same one.
    """
    complete = [path.parent for path in scratch.glob(f"checkpoint-*/{TRAINER_STATE_NAME}")]
    newest = max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    found = gather_object([newest and newest.name])
    if len(set(found)) != 1:
        raise InputError(
            f"the processes of this training see different checkpoints ({found}): put the checkout on a file system "
            f"that all machines share, or remove {scratch} on each of them."
        )
    return None if newest is None else str(newest)
