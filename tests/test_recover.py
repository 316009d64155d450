"""DVC's own files after a kill: `make repro` completes without manual repair."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import dumps_yaml
from ruamel.yaml import YAML

from anamnesis.errors import InputError
from stages._recover import free_locks, mend_lock_file, pipeline_stages
from tests.conftest import ROOT


@pytest.fixture
def another_process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like DVC: Python running a script of that name."""
    (tmp_path / "dvc").write_text("import time; time.sleep(60)")
    with subprocess.Popen([sys.executable, str(tmp_path / "dvc")]) as process:
        yield process
        process.kill()


def listed(folder: Path, pid: int) -> Path:
    holder = {"pid": pid, "cmd": "dvc repro"}
    (folder / "rwlock").write_text(json.dumps({"write": {"models/base": holder}, "read": {"data": [holder]}}))
    return folder / "rwlock"


def test_locks_of_dead_and_other_processes_go_and_of_a_running_dvc_stay(
    tmp_path: Path, another_process: subprocess.Popen[bytes]
) -> None:
    assert not free_locks(tmp_path)
    rwlock = listed(tmp_path, another_process.pid)
    assert not free_locks(tmp_path)
    assert rwlock.exists()
    another_process.kill()
    another_process.wait()
    assert free_locks(tmp_path)
    assert not rwlock.exists()
    listed(tmp_path, os.getpid())
    assert free_locks(tmp_path)
    rwlock.write_text('{"write": {}, "read": {}}')
    assert not free_locks(tmp_path)


@pytest.mark.parametrize("left", ["", '{"write": {"models/ba', "[]", '{"write": {"a": {"cmd": "x"}}}', "\x00\x00"])
def test_a_cut_list_of_locks_is_removed(tmp_path: Path, left: str) -> None:
    (tmp_path / "rwlock").write_text(left)
    assert free_locks(tmp_path)
    assert not (tmp_path / "rwlock").exists()


LOCK = (ROOT / "dvc.lock").read_bytes()
STAGES = YAML(typ="safe").load(LOCK.decode())["stages"]


def read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    return dict(COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(path.read_text(encoding="utf-8"))).get("stages") or {})


def test_a_lock_file_cut_anywhere_keeps_its_whole_stages(tmp_path: Path) -> None:
    path = tmp_path / "dvc.lock"
    for size in range(0, len(LOCK), len(LOCK) // 16):
        path.write_bytes(LOCK[:size])
        mend_lock_file(path)
        stages = list(read(path).items())
        assert stages[:-1] == list(STAGES.items())[: max(len(stages) - 1, 0)]
        lost = LOCK[:size].count(b"\n    cmd:") - len(stages)
        assert lost <= 1, size
    path.write_bytes(LOCK)
    assert mend_lock_file(path) == []
    assert path.read_bytes() == LOCK


@pytest.mark.parametrize("left", [0, 0.4, 0.9])
def test_what_a_cut_lost_is_put_back_from_the_copies(tmp_path: Path, left: float) -> None:
    """One copy may be cut short too; the entry of a stage that dvc.yaml no longer has is not restored."""
    path, copies = tmp_path / "dvc.lock", [tmp_path / "a.dvc.lock", tmp_path / "b.dvc.lock"]
    copies[0].write_bytes(LOCK)
    copies[1].write_bytes(LOCK[: len(LOCK) // 3])
    path.write_bytes(LOCK[: int(left * len(LOCK))])
    gone = [*STAGES][-1]
    assert mend_lock_file(path, copies, set(STAGES) - {gone})
    assert read(path) == {name: entry for name, entry in STAGES.items() if name != gone}
    assert mend_lock_file(path, copies, set(STAGES) - {gone}) == []


def test_an_entry_without_all_its_outputs_is_replaced(tmp_path: Path) -> None:
    path, copy = tmp_path / "dvc.lock", tmp_path / "a.dvc.lock"
    copy.write_bytes(LOCK)
    lock = YAML(typ="safe").load(LOCK.decode())
    del lock["stages"]["base"]["outs"][0]["size"]
    path.write_text(dumps_yaml(lock), encoding="utf-8")
    assert mend_lock_file(path, [copy], set(STAGES)) == ["base"]
    assert read(path) == STAGES


def test_the_stages_that_are_put_back_are_those_of_the_pipeline() -> None:
    assert {"check", "base", "train@ema-0", "summarize"} <= pipeline_stages() <= set(STAGES)


def test_a_merge_conflict_is_the_users_to_resolve(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    content = "schema: '2.0'\nstages:\n<<<<<<< HEAD\n  base: {}\n=======\n  base: {}\n>>>>>>> other\n"
    lock.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="marks of a merge conflict: resolve it first"):
        mend_lock_file(lock)
    assert lock.read_text(encoding="utf-8") == content


DVC_THAT_FAILS = """#!/bin/sh
echo "$*" >> called
case "$*" in *train@ema-0*) exit 1;; esac
"""
ORDER = """#!/bin/sh
case "$*" in *stages._order*) echo ema-0 none-0;; esac
"""


def test_a_branch_that_fails_lets_the_others_finish(tmp_path: Path) -> None:
    """The Makefile alone: DVC is a script that fails at one training."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.lock").touch()
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / "dvc.lock").touch()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name, script in (("dvc", DVC_THAT_FAILS), ("python", ORDER)):
        (tmp_path / ".venv/bin" / name).write_text(script)
        (tmp_path / ".venv/bin" / name).chmod(0o755)
    (tmp_path / ".venv/.installed").touch()
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-j1", "repro"], cwd=tmp_path, env=environment, capture_output=True, check=False)
    called = (tmp_path / "called").read_text()
    assert done.returncode != 0
    assert "train@none-0" in called
    assert "evaluate_general@none-0 evaluate_domain@none-0" in called
    assert "evaluate_base_general" in called
    assert "evaluate_general@ema-0" not in called
    # The plain `dvc repro` at the end is not reached: it would start the failed training again.
    assert "repro" not in called.splitlines()
