"""DVC's own files after a kill: `make repro` gets through without hand work."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML

from stages._recover import free_locks, mend_lock_file
from tests.conftest import ROOT


@pytest.fixture
def another_process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like DVC: a Python that runs a script of that name."""
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


@pytest.mark.parametrize("left", ["", '{"write": {"models/ba', "[]", '{"write": {"a": {"cmd": "x"}}}', "\x00\x00"])
def test_a_cut_list_of_locks_is_removed(tmp_path: Path, left: str) -> None:
    (tmp_path / "rwlock").write_text(left)
    assert free_locks(tmp_path)
    assert not (tmp_path / "rwlock").exists()


def test_a_lock_file_cut_anywhere_keeps_its_whole_stages(tmp_path: Path) -> None:
    content = (ROOT / "dvc.lock").read_bytes()
    whole = list(YAML(typ="safe").load(content.decode())["stages"].items())
    path = tmp_path / "dvc.lock"
    mended = 0
    for size in range(1, len(content), len(content) // 24):
        path.write_bytes(content[:size])
        mended += mend_lock_file(path)
        if path.exists():
            found = COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
            stages = list((found.get("stages") or {}).items())
            assert stages[:-1] == whole[: len(stages) - 1]
            lost = content[:size].count(b"\n    cmd:") - len(stages)
            assert lost <= 1, size
    assert mended > 3
    path.write_bytes(content)
    assert not mend_lock_file(path)
    assert path.read_bytes() == content
