"""Files of the user's that Git ignores: a copy of the checkout lacks them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anamnesis.settings.replay import FOLDER
from anamnesis.sweeping.snapshot import files_of


@dataclass(frozen=True)
class OwnFiles:
    """What stages read of the user's files.

    Attributes:
        read: all of them.
        copied: those that must be below the root of each copy, from the root on.
    """

    read: Sequence[Path]
    copied: Sequence[str]


def own_files(
    root: Path, science: Mapping[str, Any], scale: Mapping[str, Any], methods: Collection[str], made: Collection[str]
) -> OwnFiles:
    """Find them, and make their paths in the parameters absolute where that is allowed.

    Args:
        root: the checkout.
        science, scale: the content of params.yaml and of the profile, in which paths are changed.
        methods: those of the sweep.
        made: the corpora that a stage makes.
    """
    read = []
    for section, key in _named(science, scale):
        named = section.get(key) if isinstance(section, dict) else None
        if not isinstance(named, str) or named in made:
            continue
        path = root / Path(named).expanduser()
        if not path.exists() or _in_copy(root, path):
            continue
        section[key] = str(path)
        read.append(path)
    copied = [path for path in sorted((root / FOLDER).glob("*")) if not _in_copy(root, path)]
    if not any(_reads_folder(science.get(method)) for method in methods):
        copied = []
    return OwnFiles([*read, *copied], [path.relative_to(root).as_posix() for path in copied])


def _named(science: Mapping[str, Any], scale: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """The sections that name a file or folder, with the key. They are not checked yet, and may be anything."""
    yield science["corpus"], "path"
    yield scale.get("model"), "source"
    evaluation = scale.get("evaluation")
    tasks = evaluation.get("tasks") if isinstance(evaluation, dict) else None
    for task in tasks.values() if isinstance(tasks, dict) else ():
        yield task, "folder"


def _in_copy(root: Path, path: Path) -> bool:
    """Whether a copy of the checkout has it."""
    return path.is_relative_to(root) and bool(files_of(root, [path.relative_to(root).as_posix()]))


def _reads_folder(method: Any) -> bool:
    """Whether a method reads what is in data/domains."""
    if not isinstance(method, dict):
        return False
    return bool(method.get("domains")) or (method.get("replay") or {}).get("source") == "multitask"
