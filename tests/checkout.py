"""The checkout under test, and copies of it that are repositories of their own."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copy_checkout(folder: Path, without: tuple[str, ...] = ()) -> None:
    """Copy every file that Git tracks or would add into `folder`, except paths that begin with one of `without`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(without):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def edit_text(file: Path, old: str, new: str) -> None:
    """Replace `old` by `new` everywhere in a file. A file without `old` is a mistake in the test."""
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file.name} has no {old!r}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def commit(folder: Path, message: str) -> None:
    """Commit everything in `folder`, in a new repository if it is not one yet."""
    if not (folder / ".git").exists():
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    author = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *author, "commit", "--quiet", "--message", message], cwd=folder, check=True)
