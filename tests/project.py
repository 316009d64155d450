"""A copy of the checkout at test size, in which the real commands are run."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML

from tests.checkout import ROOT, commit, copy_checkout

SMALL: dict[str, dict[str, Any]] = {
    "params.yaml": {
        "seeds": [0],
        "synthesis.reports": 240,
        "knowledge.clinical_notes": 40,
        "knowledge.cytology_reports": 40,
        "knowledge.questions_per_subject": 4,
        "training.log_every_steps": 2,
        "none.shares": [],
    },
    "profiles/tiny.yaml": {
        "optimization.max_steps": 4,
        "optimization.batch_size": 4,
        "base_text.texts": 6,
        "base_text.max_tokens": 8,
        "rehearsal_text.texts": 6,
        "monitor.texts": 4,
        "monitor.max_tokens": 12,
        "monitor.reports": 4,
        "evaluation.general_text_limit": 4,
        "evaluation.category_limit": 12,
        "evaluation.likelihood_limit": 6,
        "evaluation.generation_limit": 3,
        "evaluation.max_new_tokens": 6,
    },
}


class Project:
    """A copy of the checkout with its own Git history and DVC cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        copy_checkout(folder, without=("dvc.lock", "metrics/", "reports/"))
        for file, changes in SMALL.items():
            self.change(file, changes)
        self.commit("start")

    @classmethod
    def at(cls, folder: Path) -> Self:
        """What is in `folder`, as it is."""
        project = object.__new__(cls)
        project.folder = folder
        return project

    def copy(self, folder: Path) -> Self:
        """A copy with its own history and cache, and with all that stages have written by now."""
        return self.at(shutil.copytree(self.folder, folder, symlinks=True))

    def change(self, file: str, changes: Mapping[str, Any]) -> None:
        path = self.folder / file
        yaml = YAML()
        values = yaml.load(path)
        for key, value in changes.items():
            *parents, last = key.split(".")
            place = values
            for parent in parents:
                place = place[parent]
            place[last] = value
        yaml.dump(values, path)

    def commit(self, message: str) -> None:
        commit(self.folder, message)

    def restore(self) -> None:
        """Back to the last commit: files from Git, and from DVC's cache what a failed stage removed."""
        self.run("git", "checkout", "--quiet", "--force", "HEAD")
        self.run("dvc", "checkout", "--quiet", "--force")

    def run(self, *command: str, fails: bool = False) -> str:
        """What the command prints. It must succeed, or with `fails` it must not."""
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "tests" / "no_network"),
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert (done.returncode != 0) == fails, done.stdout[-4000:]
        return done.stdout

    def json(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text(encoding="utf-8"))


def stages_run(output: str) -> list[str]:
    return re.findall(r"^Running stage '(.+)':", output, flags=re.MULTILINE)
