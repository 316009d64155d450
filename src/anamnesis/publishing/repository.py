"""Asks Git and DVC about a checkout."""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage

from anamnesis.errors import InputError
from anamnesis.settings.sections import read_yaml


@dataclass(frozen=True)
class Output:
    """An output of a stage, from the root on. `cached`: kept by DVC; otherwise by Git."""

    path: Path
    cached: bool


@dataclass(frozen=True)
class Repository:
    """The checkout in the folder `root`."""

    root: Path

    def commit(self, revision: str = "HEAD") -> str:
        """The full hash of a revision.

        Raises:
            InputError: Git does not know it.
        """
        done = self._run("git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if done.returncode:
            raise InputError(f"Git knows no revision `{revision}`: fetch it, or name another one.")
        return done.stdout.strip()

    def file_at(self, revision: str, path: Path) -> str | None:
        """The text of a file at a revision; None if it has no such file."""
        done = self._run("git", "show", f"{revision}:{path.as_posix()}")
        return None if done.returncode else done.stdout

    def changed(self, paths: Iterable[str]) -> list[str]:
        """Those of the paths, and of the files below them, that differ from the last commit or are not in it.

        Raises:
            InputError: Git cannot say it.
        """
        done = self._run("git", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *paths)
        if done.returncode:
            raise InputError(f"git status failed in {self.root}: {done.stderr.strip()}")
        return sorted(line[3:] for line in done.stdout.split("\0") if line)

    def code(self) -> list[str]:
        """The files and folders that the results are made with: the inputs of all stages that no stage writes."""
        stages = read_yaml(self.root / "dvc.yaml")["stages"].values()
        written = {path for stage in stages for key in ("outs", "metrics", "plots") for path in _paths(stage, key)}
        read = {path for stage in stages for path in _paths(stage, "deps")}
        folders = {path for path in read if any(other.startswith(f"{path}/") for other in written)}
        parameters = {path for path in read if "${" in path}
        return ["dvc.yaml", "requirements.lock", *sorted(read - written - folders - parameters)]

    def outputs_by_stage(self) -> dict[str, list[Output]]:
        """The outputs of every stage, each stage of a matrix by its own name."""
        with Repo(str(self.root)) as repo:
            return {
                stage.name: [Output(Path(out.def_path), out.use_cache) for out in stage.outs]
                for stage in _of_pipeline(repo)
            }

    def outputs(self) -> list[Path]:
        """The outputs of all stages, from the root on."""
        return [output.path for outputs in self.outputs_by_stage().values() for output in outputs]

    def stale_stages(self) -> list[str]:
        """The stages whose code, parameters, inputs or outputs are not those in dvc.lock; empty if it is fresh.

        This is the question of `dvc repro --allow-missing --dry`: what only DVC's cache holds may be missing, as in a
        fresh clone. That command stops there at the first stale stage whose inputs are missing; this names all.

        Raises:
            InputError: DVC cannot read dvc.yaml or dvc.lock.
        """
        try:
            with Repo(str(self.root)) as repo, repo.lock:
                graph = repo.index.graph
                return [
                    stage.name
                    for stage in _of_pipeline(repo)
                    if stage.changed(allow_missing=True, upstream=list(graph.successors(stage)))
                ]
        except DvcException as error:
            raise InputError(f"DVC cannot compare dvc.lock with {self.root}: {error}.") from None

    def changed_parameters(self, revision: str) -> dict[str, dict[str, Any]]:
        """By file and key, the `old` and `new` value of each parameter that differs from a revision."""
        return json.loads(self._dvc("params", "diff", "--json", revision))

    def _dvc(self, *arguments: str) -> str:
        done = self._run(sys.executable, "-m", "dvc", *arguments)
        if done.returncode:
            raise InputError(f"dvc {arguments[0]} failed in {self.root}: {done.stderr.strip()}")
        return done.stdout

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, encoding="utf-8", check=False)


def _of_pipeline(repo: Repo) -> list[PipelineStage]:
    """The stages of dvc.yaml. What `dvc add` tracks (a release, an export of reports) is for DVC a stage as well."""
    return [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]


def _paths(stage: dict[str, Any], key: str) -> list[str]:
    """The paths under `deps`, `outs`, `metrics` or `plots` of a stage in dvc.yaml."""
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in stage.get(key, [])]
