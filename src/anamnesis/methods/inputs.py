"""Which of the files that methods share a method reads, and that a training reads the files it was meant to.

A file is shared if several methods may read it and it is made once: the frozen base's states and log-probabilities,
its Fisher information, what a budget is measured on, texts to replay and texts that must not be replayed. If every
training depended on all of them, another Fisher information would make all of them stale. So the stage `inputs` writes
for each method the hashes of what it reads, and that file is what `train` depends on.

Without torch.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from anamnesis.errors import InputError
from anamnesis.files import read_json
from anamnesis.settings.fisher import FisherText
from anamnesis.settings.methods import Method


def _has_ewc(method: Method) -> bool:
    return method.penalties is not None and method.penalties.ewc is not None


def _replays(method: Method, source: str) -> bool:
    return method.replay is not None and method.replay.source == source


# By the name of a shared input, whether a method reads it.
READ_BY: dict[str, Callable[[Method], bool]] = {
    "teacher": lambda method: method.teacher == "static" or method.tokens is not None,
    "fisher": _has_ewc,
    "monitor": lambda method: method.budget is not None,
    "rehearsal": lambda method: _replays(method, "generated"),
    "general_text": lambda method: _replays(method, "general"),
    # What a replay leaves out, since the arms are measured on it.
    "held_out_text": lambda method: method.replay is not None,
    "base_text": lambda method: method.replay is not None,
}

# Those that are made only if a method reads them.
MADE_IF_NEEDED = ("rehearsal", "fisher", "monitor")


def inputs_of(method: Method) -> list[str]:
    """Names of the shared inputs that a training by this method reads."""
    return [name for name, reads in READ_BY.items() if reads(method)]


def own_files(method: Method) -> dict[str, Path]:
    """The files that only this method reads, by name: the examples of another task, if it replays some."""
    path = None if method.replay is None else method.replay.path
    return {} if path is None else {"examples": Path(path)}


def needed(methods: Iterable[Method], fisher: FisherText) -> set[str]:
    """Names of the shared inputs that must be made, with those that others are made from."""
    names = {name for method in methods for name in inputs_of(method)}
    return names | ({"rehearsal"} if "fisher" in names and fisher.text == "generated" else set())


def digest(path: Path) -> str:
    """Of a file, or of the names and contents of a folder's files."""
    if path.is_dir():
        files = "".join(f"{file.name} {digest(file)}\n" for file in sorted(path.iterdir()))
        return hashlib.sha256(files.encode()).hexdigest()
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def checked_inputs(file: Path, paths: Mapping[str, Path]) -> dict[str, Path]:
    """The paths of what a method reads, by name, as the stage `inputs` wrote it into `file`.

    Raises:
        InputError: one of them is not what that stage saw.
    """
    digests: dict[str, str] = read_json(file)
    for name, seen in digests.items():
        if digest(paths[name]) != seen:
            raise InputError(f"{paths[name]} has changed since the stage `inputs` read it: train by `dvc repro`.")
    return {name: paths[name] for name in digests}
