"""Where a training that was cut off goes on.

DVC removes a stage's outputs before it runs, so checkpoints lie in an ignored scratch folder. Its name is a hash of all
that the training reads: another parameter, another corpus or other code never goes on from an old checkpoint.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from transformers.trainer_utils import get_last_checkpoint


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
    """The newest complete checkpoint in `scratch`."""
    return get_last_checkpoint(str(scratch)) if scratch.is_dir() else None
