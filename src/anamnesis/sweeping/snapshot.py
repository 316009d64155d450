"""A copy of the checkout as it is now, in a repository of its own, with the checkout's DVC cache.

DVC's queue takes a task from the working tree: it stashes all changes, detaches HEAD and resets the tree for a moment.
A kill at this moment leaves the point's parameters in the files and the user's changes in the stash. In a copy nothing
of the user's is touched, and code that is changed later does not reach points that are still waiting.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from dvc.repo import Repo

from anamnesis.errors import InputError

COMMITTER = (("user.name", "sweep"), ("user.email", "sweep@localhost"))


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
    digest = hashlib.sha256()
    for name, file in files:
        with file.open("rb") as content:
            digest.update(f"{name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def make_snapshot(root: Path, folder: Path, links: Sequence[str] = ()) -> None:
    """Copy the checkout to `folder`, which must not exist.

    Args:
        root: the checkout.
        folder: the copy.
        links: paths of the user's, from the root on, that Git ignores and stages read.
    """
    for name in files_of(root):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, folder / name)
    _git(folder, "init", "--quiet")
    for key, value in COMMITTER:
        _git(folder, "config", key, value)
    _git(folder, "add", "--all", "--force")
    _git(folder, "commit", "--quiet", "--message", "snapshot")
    with Repo(str(root)) as repo:
        cache = repo.cache.local.path
    with Repo(str(folder)) as repo, repo.config.edit("local") as config:
        config["cache"]["dir"] = cache
    for name in links:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(root / name)


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"git {arguments[0]} failed in {folder}: {done.stderr.strip()}")
    return done.stdout
