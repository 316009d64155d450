"""Checks a release by itself: nothing of the project but this code is needed."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from anamnesis.errors import InputError
from anamnesis.hashes import digest
from anamnesis.publishing.verdicts import PASS
from anamnesis.releasing.provenance import PREDICATE, STATEMENT

SUMS, PROVENANCE, VERDICT = "SHA256SUMS", "provenance.json", "verdict.json"
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


class _Digests(BaseModel):
    sha256: str


class _Subject(BaseModel):
    name: str
    digest: _Digests


class _Statement(BaseModel):
    type_: str = Field(alias="_type")
    predicate_type: str = Field(alias="predicateType")
    subject: list[_Subject]


class _Verdict(BaseModel):
    arm: str
    verdict: str
    split: str


@dataclass(frozen=True)
class Checked:
    """What was found in a release.

    Attributes:
        files: how many the checksums name.
        sums: sha256 of SHA256SUMS itself, to compare with what came another way.
        problems: a line for each file that is not as it should be; empty if all is well.
        verdict: the verdict inside, in words; None if it cannot be read.
    """

    files: int
    sums: str
    problems: tuple[str, ...]
    verdict: str | None


def check(folder: Path) -> Checked:
    """Compare a release with its checksums, its provenance and its verdict.

    Raises:
        InputError: the folder is no release: it has no checksums, or they cannot be read.
    """
    sums = _read_sums(folder)
    problems = [*_compare(folder, sums), *_provenance(folder, sums)]
    verdict = _verdict(folder)
    if verdict is None:
        problems.append(f"{VERDICT}: cannot be read as a verdict")
    elif verdict.verdict != PASS:
        problems.append(f"{VERDICT}: the verdict on `{verdict.arm}` is {verdict.verdict}, not {PASS}")
    said = None if verdict is None else f"{verdict.verdict} for `{verdict.arm}` on the {verdict.split} split"
    return Checked(len(sums), digest(folder / SUMS), tuple(problems), said)


def sums_page(digests: Mapping[str, str]) -> str:
    """SHA256SUMS as `sha256sum` writes it, of files' sha256 by path."""
    return "".join(f"{value}  {name}\n" for name, value in sorted(digests.items()))


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{folder} has no file {SUMS}: name the folder of a release, such as releases/ema-v1.")
    lines = path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")
    found = [match for line in lines if (match := LINE.fullmatch(line))]
    names = Counter(match[2] for match in found)
    if len(names) < len(lines):
        raise InputError(
            f"{path} is damaged: it must name every file once, in lines as `sha256sum` writes them. Get the release "
            f"again."
        )
    return {match[2]: match[1] for match in found}


def _compare(folder: Path, sums: Mapping[str, str]) -> Iterator[str]:
    """Every file that is changed, missing, added, or no file of its own."""
    left = dict(sums)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        expected = left.pop(name, None)
        if path.is_symlink():
            yield f"{name}: is a symbolic link, and what it leads to can change"
        elif path.is_dir():
            if expected is not None:
                yield f"{name}: is a folder, not a file"
        elif not path.is_file():
            yield f"{name}: is no plain file"
        elif expected is None:
            if name != SUMS:
                yield f"{name}: was added, {SUMS} does not name it"
        elif digest(path) != expected:
            yield f"{name}: was changed"
    for name in left:
        yield f"{name}: is missing"


def _provenance(folder: Path, sums: Mapping[str, str]) -> Iterator[str]:
    """Whatever the provenance says of other files than these."""
    if (text := _text(folder / PROVENANCE)) is None:
        yield f"{PROVENANCE}: there is none, and nothing says from what the release was made"
        return
    try:
        said = _Statement.model_validate_json(text)
    except ValidationError:
        yield f"{PROVENANCE}: is no in-toto statement"
        return
    if (said.type_, said.predicate_type) != (STATEMENT, PREDICATE):
        yield f"{PROVENANCE}: is not an in-toto statement v1 with SLSA provenance v1"
    subjects = {one.name: one.digest.sha256 for one in said.subject}
    files = {name: value for name, value in sums.items() if name != PROVENANCE}
    for name in sorted(subjects.keys() | files.keys()):
        if subjects.get(name) != files.get(name):
            yield f"{name}: {PROVENANCE} and {SUMS} do not name the same content"


def _verdict(folder: Path) -> _Verdict | None:
    text = _text(folder / VERDICT)
    try:
        return None if text is None else _Verdict.model_validate_json(text)
    except ValidationError:
        return None


def _text(path: Path) -> str | None:
    """The text of a plain file."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() and not path.is_symlink() else None
