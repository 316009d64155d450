"""Describes the machine that an experiment ran on."""

import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import pynvml

CPU_INFO = Path("/proc/cpuinfo")
OWN_STATUS = Path("/proc/self/status")
GIGABYTE = 1e9
# What results depend on most, as requirements.lock names them.
MAIN_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "datasets", "lm_eval", "numpy", "scipy", "dvc")


def describe_machine(lock: Path) -> dict[str, Any]:
    """Processor, memory, system, Python, and the installed version of each package in the requirements `lock`."""
    return {
        "processor": processor(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "memory_gigabytes": round(psutil.virtual_memory().total / GIGABYTE, 1),
        "gpus": gpus(),
        "system": system(),
        "python": platform.python_version(),
        "packages": packages(lock),
    }


def processor() -> str:
    """The processor's name. Linux has it in a file; Python knows only the architecture there."""
    if CPU_INFO.is_file():
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def peak_memory() -> int:
    """The largest resident memory of this process so far, in bytes.

    On Linux not by getrusage, whose maximum a process inherits from the one that started it.
    """
    if OWN_STATUS.is_file():
        lines = dict(line.split(":", 1) for line in OWN_STATUS.read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def system() -> str:
    """The distribution of Linux, or the system elsewhere, and the architecture."""
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        name = f"{platform.system()} {platform.release()}"
    return f"{name}, {platform.machine()}"


def gpus() -> list[str]:
    """The names of NVIDIA's GPUs; none where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        devices = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return [pynvml.nvmlDeviceGetName(device) for device in devices]
    finally:
        pynvml.nvmlShutdown()


def packages(lock: Path) -> dict[str, str | None]:
    """The installed version of each package that is pinned in `lock`; None for one that is not installed."""
    names = [line.partition("==")[0] for line in lock.read_text(encoding="utf-8").split()]
    return {name: _version(name) for name in names}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
