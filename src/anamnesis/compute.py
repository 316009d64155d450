"""The machine: device, threads, and the processes of one run.

A run is one process, or several started by torchrun (`launch` in params.yaml). Each has a device of its own and takes
its share of every batch. Only the main process writes.
"""

import ctypes
import logging
import os
import platform
import uuid
from collections.abc import Callable
from typing import Any

import torch
from accelerate import PartialState
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from anamnesis.errors import InputError
from anamnesis.settings.compute import Compute
from anamnesis.settings.sections import SettingsError

# From glibc's malloc.h, and the largest value of the second on 64-bit machines.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 32 * 2**20


def configure_compute(compute: Compute) -> None:
    """Set the number of threads (results repeat bit for bit only with the same one) and check the device.

    Raises:
        SettingsError: the profile asks for a GPU and there is none.
    """
    torch.set_num_threads(compute.threads)
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        raise SettingsError(
            "`launch` asks for FSDP, but adapters on a frozen base are trained with DDP: set `launch` to "
            "torchrun --nproc-per-node <number of GPUs>."
        )
    if compute.device != "cpu" and not torch.cuda.is_available():
        raise SettingsError(
            f"`compute.device` is {compute.device}, but this machine has no CUDA device: "
            f"set it to cpu in the profile, or use a profile that does (profile: tiny)."
        )
    if compute.device == "cpu":
        _keep_freed_memory()
    PartialState(cpu=compute.device == "cpu")
    if not is_main_process():
        logging.getLogger().setLevel(logging.WARNING)


def _keep_freed_memory() -> None:
    """Let glibc keep the memory that a training step frees, for the next step.

    By default it returns large blocks to the system at once, and the tensors of every step need new pages: 10,000 page
    faults and 12 % of the time of a pretraining step of the tiny profile.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)


def check_one_device_a_process(compute: Compute) -> None:
    """Refuse several GPUs for one process: Trainer would use all (DataParallel), with another batch than the profile's.

    Raises:
        SettingsError: there are several GPUs for one process.
    """
    if compute.device != "cpu" and torch.cuda.device_count() > 1 and "LOCAL_RANK" not in os.environ:
        raise SettingsError(
            f"this machine shows {torch.cuda.device_count()} GPUs, and training is started in one process: set "
            f"CUDA_VISIBLE_DEVICES to the one to use, or `launch` to torchrun --nproc-per-node "
            f"{torch.cuda.device_count()}."
        )


def in_processes(number: int, function: Callable[..., None], *args: Any) -> None:
    """Call `function(*args)` in `number` processes on this machine, as torchrun does; 1 is this process.

    Raises:
        InputError: a process raised it; any other error of a process is torchrun's ChildFailedError.
    """
    if number == 1:
        function(*args)
        return
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=number,
        run_id=str(uuid.uuid4()),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=1,
    )
    try:
        elastic_launch(config, _in_group)(function, *args)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        # A dict if the process raised an exception, text if it was killed.
        recorded: Any = failure.message
        kind, _, message = (recorded if isinstance(recorded, str) else recorded["message"]).partition(": ")
        if kind in (InputError.__name__, SettingsError.__name__):
            raise InputError(message) from None
        raise


def _in_group(function: Callable[..., None], *args: Any) -> None:
    """Call `function(*args)`, and leave the group of processes: its threads can abort an interpreter that ends."""
    function(*args)
    PartialState().destroy_process_group()


def device_of_this_process(compute: Compute) -> torch.device:
    """The GPU that torchrun gave to this process, or the CPU."""
    return torch.device("cpu") if compute.device == "cpu" else PartialState().device


def is_main_process() -> bool:
    return PartialState().is_main_process


def share_of(size: int, what: str) -> int:
    """The part of `size` for each process.

    Raises:
        SettingsError: it cannot be divided evenly; the result would depend on the number of processes.
    """
    processes = PartialState().num_processes
    if size % processes:
        raise SettingsError(f"{what} is {size} and cannot be divided among {processes} processes: choose a multiple.")
    return size // processes
