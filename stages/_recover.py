"""Put DVC's own files in order before a run: one that was killed may have left half a file, or locks of dead processes.

`make repro` calls this. DVC writes its cache under other names and renames; its list of locks and dvc.lock it writes in
place.
"""

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import psutil
from dvc.dvcfile import load_file
from dvc.lock import make_lock
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.stage.loader import StageLoader
from dvc.utils.serialize import dumps_yaml
from ruamel.yaml import YAML, YAMLError
from voluptuous import Invalid

from anamnesis.errors import InputError
from anamnesis.files import written_whole
from stages import ROOT


def free_locks(folder: Path) -> bool:
    """Remove the list of who reads and writes which output, unless it names a DVC process that runs; whether it did.

    DVC drops dead processes from it, but stops at a list cut in its middle and at a number that is another process's
    by now.
    """
    if not (folder / RWLOCK_FILE).exists():
        return False
    with make_lock(str(folder / RWLOCK_LOCK)):
        holders = _holders((folder / RWLOCK_FILE).read_text(encoding="utf-8", errors="replace"))
        if holders is not None and (not holders or any(_runs_dvc(pid) for pid in holders)):
            return False
        (folder / RWLOCK_FILE).unlink()
    return True


def _holders(text: str) -> set[int] | None:
    """The processes in the list; None if it was cut in its middle."""
    try:
        listed = json.loads(text)
        writers = list(listed.get("write", {}).values())
        readers = [reader for readers in listed.get("read", {}).values() for reader in readers]
        return {int(holder["pid"]) for holder in [*writers, *readers]}
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


def _runs_dvc(pid: int) -> bool:
    try:
        return any("dvc" in Path(word).name for word in psutil.Process(pid).cmdline()[:2])
    except psutil.NoSuchProcess:
        return False


def mend_lock_file(path: Path, copies: Iterable[Path] = (), known: Collection[str] = ()) -> list[str]:
    """Put back the stages that a half-written dvc.lock lost; those in none of its copies run again.

    A stage's entry says which inputs gave which outputs: an old one does no harm, DVC compares it with what is there.

    Args:
        path: dvc.lock.
        copies: of it, as `make repro` takes them after each command.
        known: the stages of dvc.yaml; others are not put back.

    Returns:
        Names of the stages put back.
    """
    if path.exists():
        content = path.read_bytes()
        if re.search(rb"^(<{7}|={7}|>{7})", content, flags=re.MULTILINE):
            raise InputError(f"{path.name} holds the marks of a merge conflict: resolve it first.")
        whole = _whole_part(content)
        if not whole:
            path.unlink()
        elif whole.encode() != content:
            with written_whole(path) as file:
                file.write(whole)
    lock = (YAML(typ="safe").load(path) if path.exists() else None) or {"schema": "2.0"}
    stages = lock.setdefault("stages", {})
    lost: dict[str, Any] = {}
    for copy in sorted(copies, key=lambda file: file.stat().st_mtime, reverse=True):
        found = YAML(typ="safe").load(_whole_part(copy.read_bytes())) or {}
        for name, entry in found.get("stages", {}).items():
            present = lost.get(name, stages.get(name))
            if name in known and (present is None or _outputs(present) < _outputs(entry)):
                lost[name] = entry
    if lost:
        stages |= lost
        with written_whole(path) as file:
            file.write(dumps_yaml(lock))
    return sorted(lost)


def _whole_part(content: bytes) -> str:
    """The beginning of a dvc.lock, as far as its stages are whole."""
    text = content.decode("utf-8", errors="ignore")
    starts = [match.start() for match in re.finditer(r"^  [^ \n].*:$", text, flags=re.MULTILINE)]
    ends = [len(text), *reversed(starts[1:])]
    return next((text[:end] for end in ends if _is_whole(text[:end])), "")


def _outputs(entry: dict[str, Any]) -> int:
    """How many of a stage's outputs are recorded: the last entry before a cut may lack some and yet be YAML."""
    return sum({"md5", "size"} <= out.keys() for out in entry.get("outs", []))


def _is_whole(text: str) -> bool:
    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(text) or {})
    except (YAMLError, Invalid):
        return False
    return True


def pipeline_stages() -> set[str]:
    """The stages of dvc.yaml, each of a matrix by its own name."""
    with Repo(str(ROOT)) as repo:
        pipeline = load_file(repo, str(ROOT / "dvc.yaml"))
        return set(StageLoader(pipeline, pipeline.contents))


def main() -> None:
    scratch = ROOT / ".dvc" / "tmp"
    if free_locks(scratch):
        print("removed DVC's locks of processes that are gone")
    if put_back := mend_lock_file(ROOT / "dvc.lock", scratch.glob("*.dvc.lock"), pipeline_stages()):
        print(
            f"put back into dvc.lock what an unfinished run had recorded of {', '.join(put_back)} "
            f"(to run a stage again: dvc repro -f)"
        )


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"Error: {error}") from None
