"""A release from its run to its folder: every condition is checked before anything is written."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from anamnesis.corpus.naming import check_names
from anamnesis.corpus.refusals import CorpusError
from anamnesis.errors import InputError
from anamnesis.exporting.record import RECORD, digests, made_from
from anamnesis.files import read_json
from anamnesis.folders import put, unfinished
from anamnesis.machine import packages
from anamnesis.publishing.repository import Repository
from anamnesis.publishing.shelf import some
from anamnesis.publishing.verdicts import PASS, ArmVerdict, arm_verdict
from anamnesis.releasing.checking import PROVENANCE, SUMS, Checked, check, sums_page
from anamnesis.releasing.contents import Content, as_json, digest_of, gather
from anamnesis.releasing.leaks import IN_A_ROW, Place, leaks
from anamnesis.releasing.provenance import Build, statement
from anamnesis.settings.corpus import Corpus
from anamnesis.settings.reading import Experiment

# A folder's name on every system, and an artifact's name for GTO, which knows no dots.
NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
# The code beside what stages read, from the root on.
CODE = ("src", "stages", "commands")


@dataclass(frozen=True)
class Files:
    """Where everything is.

    Attributes:
        root: the checkout.
        exports, releases: the folders of both.
        base: the file of the base's weights.
        adapters: the folder of the runs.
        account, details: what the stages `corpus` and `summarize` found.
        categories: of the corpus and of further domains.
        reports: the files of prepared reports, of which no text may go along.
        kept: the files that are copied as they are, from the root on.
    """

    root: Path
    exports: Path
    releases: Path
    base: Path
    adapters: Path
    account: Path
    details: Path
    categories: tuple[Path, ...]
    reports: tuple[Path, ...]
    kept: tuple[Path, ...]


def release(run: str, name: str, replacing: bool, experiment: Experiment, files: Files) -> Checked:
    """Put the release of an exported model into releases/<name>.

    Args:
        run: the exported model, such as `ema-0`.
        name: of the release.
        replacing: whether an earlier release of this name may be replaced.
        experiment: all parameters.
        files: where everything is.

    Returns:
        What `check` found in it.

    Raises:
        InputError: a condition is not met. Nothing is written then, and an earlier release stays.
    """
    target = files.releases / name
    check_name(name, run, experiment)
    if target.exists() and not replacing:
        raise InputError(f"{_shown(target, files)} exists: choose another NAME, or replace it with REPLACE=1.")
    repository = Repository(files.root)
    export = files.exports / run
    record = read_record(export, run)
    if changed := repository.changed([*repository.code(), *CODE]):
        raise InputError(f"the code differs from the last commit ({some(changed)}): commit it, and release again.")
    verdict = arm_verdict(files.root, record["model"])
    check_verdict(verdict)
    check_export(export, record, experiment, files)
    build = Build(
        run=run,
        parameters=experiment.values,
        commit=repository.commit(),
        export=record,
        reports={_shown(path, files): digest_of(path) for path in _existing(files)},
        packages=packages(files.root / "requirements.lock"),
    )
    contents = _complete(gather(files.root, files.kept, export, name, verdict), build)
    if found := leaks(contents, files.reports, wording(experiment, files)):
        raise InputError(_leak(found))
    return _write(contents, target)


def check_name(name: str, run: str, experiment: Experiment) -> None:
    """The name is safe everywhere, and is not that of a person; words of the experiment's own names are nobody's.

    Raises:
        InputError: without the name.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            "NAME must be at most 64 lower-case Latin letters, digits, hyphens and underscores, with a letter or a "
            "digit at both ends, as in make release RUN=ema-0 NAME=ema-v1."
        )
    own = {word for one in (run, experiment.profile, experiment.corpus.label) for word in re.split("[-_]", one)}
    rest = "-".join(word for word in re.split("[-_]", name) if word not in own)
    if not rest:
        return
    rules = replace(experiment.corpus.deidentification, enabled=True, engine="rules")
    try:
        check_names(replace(experiment.corpus, path=rest, deidentification=rules))
    except CorpusError:
        raise InputError("NAME may hold the name of a person: name the release after what it is for.") from None


def read_record(export: Path, run: str) -> dict[str, Any]:
    """What `make export` wrote about the export of a run.

    Raises:
        InputError: there is none, or it is another's.
    """
    wanted = f"run `make export RUN={run}` first."
    if not run or not (export / RECORD).is_file():
        raise InputError(f"there is no export of `{run}` in {export.parent.name}: {wanted}")
    try:
        record: dict[str, Any] = read_json(export / RECORD)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise InputError(f"the record of the export of `{run}`, {RECORD}, is damaged: {wanted}") from None
    if "files" not in record:
        raise InputError(f"the export of `{run}` was made by an older version: {wanted}")
    if record["name"] != run:
        raise InputError(f"{export.parent.name}/{run} holds the export of `{record['name']}`: {wanted}")
    return record


def check_verdict(verdict: ArmVerdict) -> None:
    """Raises InputError unless the arm passes on the test split."""
    if verdict.split != "test":
        raise InputError(
            f"the results are of the {verdict.split} split, on which the model was chosen, and a release is judged on "
            f"the test split: run `make result`, and export again."
        )
    if verdict.verdict != PASS:
        raise InputError(
            f"the verdict on `{verdict.arm}` is {verdict.verdict}, and only {PASS} is released: "
            f"{'; '.join(verdict.reasons)}."
        )


def check_export(export: Path, record: Mapping[str, Any], experiment: Experiment, files: Files) -> None:
    """The export is what the present experiment gives, and its files are those that were measured.

    Raises:
        InputError: with what is different.
    """
    again = f"run `make export RUN={export.name}` again."
    run = f"{record['method']}-{record['seed']}"
    if missing := [path for path in (files.base, files.adapters / run, files.account) if not path.exists()]:
        raise InputError(f"there is no {_shown(missing[0], files)}: run `dvc checkout` or `make repro`.")
    account, details = read_json(files.account), read_json(files.details)
    now = asdict(made_from(files.base, files.adapters / run, experiment.values, account, details))
    if other := [part for part, value in now.items() if record["made_from"][part] != value]:
        raise InputError(f"the export of `{export.name}` was made with another {' and another '.join(other)}: {again}")
    found, measured = digests(export), record["files"]
    if changed := sorted(name for name in found.keys() | measured.keys() if found.get(name) != measured.get(name)):
        raise InputError(f"the export of `{export.name}` was changed after it was measured ({some(changed)}): {again}")


def wording(experiment: Experiment, files: Files) -> Iterator[str]:
    """What the project itself writes into releases, though a report may say the same: headings and categories."""
    corpora: list[Corpus] = [experiment.corpus, *experiment.domains.values()]
    for corpus in corpora:
        sections = corpus.sections
        yield from (corpus.headings.description, corpus.headings.category)
        yield from (*sections.description, *sections.conclusion, *sections.other)
    for path in files.categories:
        yield from read_json(path)["names"]


def _existing(files: Files) -> tuple[Path, ...]:
    if missing := [path for path in files.reports if not path.is_file()]:
        raise InputError(
            f"there is no {_shown(missing[0], files)}, and whether a report's text would go along cannot be checked: "
            f"run `dvc checkout` or `make repro`."
        )
    return files.reports


def _complete(contents: Mapping[str, Content], build: Build) -> dict[str, Content]:
    """The contents with provenance and checksums."""
    subjects = {name: digest_of(content) for name, content in contents.items()}
    provenance = as_json(statement(subjects, build))
    sums = sums_page({**subjects, PROVENANCE: digest_of(provenance)})
    return {**contents, PROVENANCE: provenance, SUMS: sums}


def _write(contents: Mapping[str, Content], target: Path) -> Checked:
    """Write everything beside the target, check it there, and give it its name."""
    with unfinished(target) as folder:
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content, encoding="utf-8", newline="\n")
            else:
                shutil.copyfile(content, path)
        checked = check(folder)
        if checked.problems:
            raise InputError(f"a file changed while it was copied ({checked.problems[0]}): release again.")
        put(folder, target)
    return checked


def _leak(found: list[Place]) -> str:
    return (
        f"{IN_A_ROW} words in a row of a report's description or conclusion would go along, in "
        f"{some([str(place) for place in found])}: take them out there, and release again. Nothing was released."
    )


def _shown(path: Path, files: Files) -> str:
    return path.relative_to(files.root).as_posix()
