"""What a sweep keeps of each point that is done: a plain folder, written whole or not at all."""

import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anamnesis.errors import InputError
from anamnesis.files import read_json, write_json
from anamnesis.folders import put, unfinished

ABOUT = "point.json"


@dataclass(frozen=True)
class Store:
    """The folder of a sweep's results."""

    folder: Path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other process has this folder. The system ends the lock with the process, also if it is killed.

        Raises:
            InputError: another one has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"another `make sweep` is at work in {self.folder}: wait for it, or end it.") from None
            yield

    def of(self, name: str) -> Path:
        """The folder of a point."""
        return self.folder / "points" / name

    def has(self, name: str) -> bool:
        return (self.of(name) / ABOUT).is_file()

    def about(self, name: str) -> dict[str, Any]:
        """What was written down with the point's results."""
        return dict(read_json(self.of(name) / ABOUT))

    def save(self, name: str, fetch: Callable[[Path], None], about: Mapping[str, Any]) -> None:
        """Keep a point's results: `fetch` writes them into the folder that it is given."""
        with unfinished(self.of(name)) as folder:
            fetch(folder)
            write_json(folder / ABOUT, dict(about))
            put(folder, self.of(name))

    def log_of(self, name: str) -> Path:
        """Where the output of a point that failed is kept."""
        return self.folder / "failed" / f"{name}.log"

    def keep_log(self, name: str, log: Path | None) -> None:
        if log is not None and log.is_file():
            self.log_of(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, self.log_of(name))

    def forget_logs(self) -> None:
        """Remove what failed points of an earlier attempt printed."""
        shutil.rmtree(self.folder / "failed", ignore_errors=True)
