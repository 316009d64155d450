"""Runs a shelved experiment again, in a clone of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from anamnesis.errors import InputError
from anamnesis.publishing.shelf import PARAMETERS, SHELF, find_entry

CLONES = Path("scratch/verify")
# What `make` hands down to the programs it starts: the clone's own `make` must not take it for its own.
INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")


def run_again(root: Path, name: str) -> Path:
    """Run the entry's experiment with its own code, parameters and profile, and no cache: as long as it once took.

    Returns:
        The metrics folder in the clone, which stays under scratch/verify/ until the next run.

    Raises:
        InputError: there is no such entry, its commit is not in this repository, or a stage failed.
    """
    commit = find_entry(root, name).commit
    clone = root / CLONES / name
    shutil.rmtree(clone, ignore_errors=True)
    clone.parent.mkdir(parents=True, exist_ok=True)
    _git("clone", "--quiet", "--no-checkout", str(root), str(clone))
    if _git("-C", str(clone), "checkout", "--quiet", "--detach", commit).returncode:
        raise InputError(
            f"{SHELF}/{name} was made with commit {commit[:10]}, which this repository does not have: fetch the branch "
            f"that has it."
        )
    shelved = root / SHELF / name
    for file in (shelved / PARAMETERS, *shelved.glob("profiles/*.yaml")):
        shutil.copyfile(file, clone / file.relative_to(shelved))
    # --old-file: the packages of the running interpreter are used, nothing is installed.
    repro = ["make", "--old-file=.venv/.installed", "repro"]
    if subprocess.run(repro, cwd=clone, env=environment(), check=False).returncode:
        raise InputError(f"running {name} again failed in {clone.relative_to(root)}: see the messages above.")
    return clone / "metrics"


def environment() -> dict[str, str]:
    """That of a program in a copy of the checkout: of this process, with its own interpreter first on the path."""
    own = {key: value for key, value in os.environ.items() if key not in INHERITED}
    return own | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{own.get('PATH', os.defpath)}"}


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
