"""A copy of the checkout as it is now, in a repository of its own, with the checkout's DVC cache.

DVC's queue takes a task from the working tree: it stashes all changes, detaches HEAD and resets the tree for a moment.
A kill at this moment leaves the point's parameters in the files and the user's changes in the stash. In a copy nothing
of the user's is touched, and code that is changed later does not reach points that are still waiting.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from ruamel.yaml import YAML

from anamnesis.errors import InputError
from anamnesis.hashes import digest
from anamnesis.settings.sections import read_yaml

PIPELINE = "dvc.yaml"

# The user's own hooks and signature are not for commits that only a queue reads; a signature may ask for a password.
CONFIGURATION = {
    "user.name": "sweep",
    "user.email": "sweep@localhost",
    "commit.gpgSign": "false",
    "core.hooksPath": os.devnull,
}


def files_of(root: Path, paths: Iterable[str] = ()) -> list[str]:
    """The files that Git tracks or would add, as they are in the working tree; only those below `paths` if given."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths)
    return sorted(name for name in set(listed.split("\0")) if name and (root / name).is_file())


def code_digest(root: Path, paths: Iterable[str], own: Iterable[Path] = ()) -> str:
    """A hash of the files of the checkout below `paths`, and of files and folders of the user's."""
    files = [(name, root / name) for name in files_of(root, paths)]
    for path in own:
        inside = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        files += [(str(file), file) for file in inside]
    return hashlib.sha256("".join(f"{name} {digest(file)}\n" for name, file in files).encode()).hexdigest()


def make_snapshot(root: Path, folder: Path, links: Sequence[str] = ()) -> None:
    """Copy the checkout to `folder`, which must not exist, and let DVC cache all outputs there.

    Args:
        root: the checkout.
        folder: the copy.
        links: paths of the user's, from the root on, that Git ignores and stages read.
    """
    pipeline = read_yaml(root / PIPELINE)
    written = tuple(cache_everything(pipeline))
    for name in files_of(root):
        if name.startswith(written):
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, folder / name)
    YAML(typ="safe").dump(pipeline, folder / PIPELINE)
    _git(folder, "init", "--quiet")
    for key, value in CONFIGURATION.items():
        _git(folder, "config", key, value)
    _git(folder, "add", "--all", "--force")
    commit(folder)
    with Repo(str(root)) as repo:
        cache = repo.cache.local_cache_dir
    with Repo(str(folder)) as repo, repo.config.edit("local") as config:
        config["cache"]["dir"] = cache
    for name in links:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(root / name)


def commit(folder: Path) -> None:
    """Commit all that Git does not ignore there: a task begins with what is committed."""
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--allow-empty", "--message", "snapshot")


def cache_everything(pipeline: dict[str, Any]) -> Iterator[str]:
    """Let DVC keep all outputs in its cache, and return where those are that it left to Git.

    DVC takes a stage that has run before from its cache only if it keeps all of its outputs, metrics and plots aside.

    Args:
        pipeline: the content of dvc.yaml, which is changed.

    Returns:
        The beginning of each path, up to where it depends on a parameter.
    """
    for stage in pipeline["stages"].values():
        for kind in ("outs", "metrics", "plots"):
            for entry in stage.get(kind, []):
                for path, options in entry.items() if isinstance(entry, dict) else ():
                    if options.pop("cache", True) is False:
                        yield path.partition("${")[0]


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise InputError(f"git {arguments[0]} failed in {folder}: {done.stderr.strip()}")
    return done.stdout
