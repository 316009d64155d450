"""Devices and processes: a request that the machine cannot meet stops with one sentence."""

import atexit
import errno
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
import torch
from accelerate import PartialState
from click.testing import CliRunner
from safetensors import SafetensorError

import stages  # noqa: F401 - silences the line that the last test is about
from anamnesis.compute import (
    check_one_device_a_process,
    configure_compute,
    device_of_this_process,
    in_processes,
    share_of,
)
from anamnesis.settings.compute import Compute
from anamnesis.settings.sections import SettingsError
from stages._stage import is_full_disk, stage
from tests.conftest import CPU, ROOT

GPU = Compute(device="cuda", threads=1)


def test_a_cpu_is_one_process_with_the_threads_asked_for() -> None:
    configure_compute(Compute(device="cpu", threads=2))
    assert torch.get_num_threads() == 2
    assert device_of_this_process(CPU) == torch.device("cpu")
    assert share_of(8, "`batch`") == 8


def test_a_missing_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="this machine has no CUDA device"):
        configure_compute(GPU)


def test_one_process_does_not_spread_over_several_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainer would, through DataParallel, with a batch size other than the profile's."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(SettingsError, match="`launch` to torchrun --nproc-per-node 4"):
        check_one_device_a_process(GPU)
    monkeypatch.setenv("LOCAL_RANK", "0")
    check_one_device_a_process(GPU)


def test_fsdp_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(SettingsError, match="trained with DDP"):
        configure_compute(CPU)


def test_a_batch_that_cannot_be_divided_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_compute(CPU)
    monkeypatch.setitem(PartialState._shared_state, "num_processes", 3)
    with pytest.raises(SettingsError, match="`batch` is 8 and cannot be divided among 3 processes"):
        share_of(8, "`batch`")


@click.command()
@stage
def joins() -> None:
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)


def test_a_stage_leaves_the_group_of_processes_before_it_ends() -> None:
    assert CliRunner().invoke(joins).exit_code == 0
    assert not torch.distributed.is_initialized()
    assert CliRunner().invoke(joins).exit_code == 0


def joins_and_says_at_its_end(folder: Path) -> None:
    configure_compute(CPU)
    assert PartialState().num_processes == 2
    said = folder / str(PartialState().process_index)
    atexit.register(lambda: said.write_text(str(torch.distributed.is_initialized())))


def test_processes_leave_their_group_before_they_end(tmp_path: Path) -> None:
    in_processes(2, joins_and_says_at_its_end, tmp_path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"0": "False", "1": "False"}


def test_a_missing_optional_package_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """bitsandbytes says at every start that `kernels` is not installed; its other warnings are shown."""
    done = subprocess.run(
        [sys.executable, "-c", "import stages; import bitsandbytes"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "kernels" not in done.stderr
    log = logging.getLogger("bitsandbytes.backends.cpu.ops")
    with caplog.at_level(logging.WARNING):
        log.warning("Failed to load: %s", ModuleNotFoundError("No module named 'kernels'"))
        log.warning("Failed to load: %s", OSError("no network"))
    assert [record.getMessage() for record in caplog.records] == ["Failed to load: no network"]


def test_a_full_disk_is_known_in_the_words_of_every_library(monkeypatch: pytest.MonkeyPatch) -> None:
    torchs = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")
    assert is_full_disk(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert is_full_disk(SafetensorError("I/O error: No space left on device (os error 28)"))
    assert not is_full_disk(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    assert not is_full_disk(torchs)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    assert is_full_disk(torchs)
