"""Put DVC's own files in order before a run: one that was killed may have left half a file, or locks of dead processes.

`make repro` calls this first. DVC writes its cache under other names and renames; these two it does not.
"""

import json
import re
from pathlib import Path

import psutil
from dvc.lock import make_lock
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML, YAMLError
from voluptuous import Invalid

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
        try:
            listed = json.loads((folder / RWLOCK_FILE).read_text(encoding="utf-8"))
            writers = list(listed.get("write", {}).values())
            readers = [reader for readers in listed.get("read", {}).values() for reader in readers]
            holders = {int(holder["pid"]) for holder in [*writers, *readers]}
        except (ValueError, TypeError, AttributeError, KeyError):
            holders = set()
        if any(_runs_dvc(pid) for pid in holders):
            return False
        (folder / RWLOCK_FILE).unlink()
    return True


def _runs_dvc(pid: int) -> bool:
    try:
        return any("dvc" in Path(word).name for word in psutil.Process(pid).cmdline()[:2])
    except psutil.NoSuchProcess:
        return False


def mend_lock_file(path: Path) -> bool:
    """Cut a half-written dvc.lock back to the stages that are whole; the others run again. Whether it was needed."""
    content = path.read_bytes() if path.exists() else b""
    text = content.decode("utf-8", errors="ignore")
    if not content or _is_whole(text):
        return False
    stages = [match.start() for match in re.finditer(r"^  [^ \n].*:$", text, flags=re.MULTILINE)]
    for start in reversed(stages[1:]):
        if _is_whole(text[:start]):
            with written_whole(path) as file:
                file.write(text[:start])
            return True
    path.unlink()
    return True


def _is_whole(text: str) -> bool:
    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(text))
    except (YAMLError, Invalid):
        return False
    return True


if __name__ == "__main__":
    if free_locks(ROOT / ".dvc" / "tmp"):
        print("removed DVC's locks of processes that are gone")
    if mend_lock_file(ROOT / "dvc.lock"):
        print("dvc.lock was half-written: the stages that it no longer lists run again")
