"""The shelf of finished experiments: one folder each under results/, and their table in results/README.md."""

import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dvc.utils.serialize import dumps_yaml, load_yaml

from anamnesis import markdown
from anamnesis.costs import minutes_of
from anamnesis.errors import InputError
from anamnesis.files import UNFINISHED, read_json, write_json, written_whole
from anamnesis.machine import describe_machine
from anamnesis.publishing.repository import Repository
from anamnesis.publishing.results import answer, load_results
from anamnesis.publishing.spending import costs_of_outputs, numbers, section
from anamnesis.settings.sections import read_yaml

SHELF = Path("results")
ENTRY = "entry.json"
MACHINE = "machine.json"
PARAMETERS = Path("params.yaml")
LOCK = Path("dvc.lock")
# Code that stages depend on. The commit says what it was; in dvc.lock it is named again for every stage.
CODE = ("src/", "stages/")
REPORT = Path("reports/report.md")
# What an entry keeps of an experiment: parameters, dvc.lock, numbers, and the pages with their pictures. It leaves out
# report.html (report.md says the same), training curves, tables behind the pictures, models, and every file that may
# hold a report's text.
KEPT = ("metrics/*.json", "metrics/*/*.json", "reports/*.md", "reports/*.png")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
BEGIN, END = "<!-- table: written by make shelve -->", "<!-- end of table -->"

log = logging.getLogger("shelve")


@dataclass(frozen=True)
class Entry:
    """What the table says about an experiment.

    Attributes:
        commit: of the code; the parameters are in the entry's own params.yaml and profile.
        minutes: how long it ran; None if unknown.
    """

    name: str
    question: str
    answer: str
    commit: str
    minutes: float | None
    shelved: str


def shelve(root: Path, name: str, question: str, replace: bool = False, minutes: float | None = None) -> Entry:
    """Copy the finished experiment in the checkout `root` to results/<name>, and rewrite the table.

    Args:
        root: the checkout.
        name: the entry's folder.
        question: what the experiment asks, in one line.
        replace: whether an entry of this name may be replaced.
        minutes: how long it ran; None takes it from the costs of its stages, if all long ones have one.

    Raises:
        InputError: the name is taken or cannot be used, or the results do not belong to the code.
    """
    folder = root / SHELF / name
    _check_request(folder, name, question, replace)
    repository = Repository(root)
    _check_results(repository)
    costs, unknown = costs_of_outputs(repository)
    if minutes is None and unknown:
        log.warning(
            "the minutes are unknown: no cost in data/costs belongs to the present outputs of %s; set MINUTES.",
            some(unknown),
        )
    elif minutes is None and costs:
        minutes = round(minutes_of(costs.values()), 1)
    commit = repository.commit()
    made = Entry(name, question, answer(load_results(root / "metrics")), commit, minutes, date.today().isoformat())
    machine = {"commit": commit, **describe_machine(root / "requirements.lock"), **numbers(costs, minutes)}

    unfinished = folder.with_name(name + UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    for file in kept_files(root):
        (unfinished / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, unfinished / file)
    (unfinished / LOCK).write_text(lock_without_code(root / LOCK), encoding="utf-8", newline="\n")
    with (unfinished / REPORT).open("a", encoding="utf-8", newline="\n") as report:
        report.write(f"\n{section(machine, costs)}")
    write_json(unfinished / MACHINE, machine)
    write_json(unfinished / ENTRY, asdict(made))
    if folder.exists():
        shutil.rmtree(folder)
    unfinished.rename(folder)
    write_table(root)
    return made


def _check_request(folder: Path, name: str, question: str, replace: bool) -> None:
    if not NAME.fullmatch(name):
        raise InputError(
            f"NAME is `{name}`: name the experiment with lower-case letters, digits, dots, hyphens and underscores, as "
            f"in make shelve NAME=default QUESTION='…'."
        )
    if not question.strip() or len(question.splitlines()) > 1:
        raise InputError("QUESTION must be one line that says what the experiment asks.")
    if folder.exists() and not replace:
        raise InputError(f"{SHELF}/{name} exists: choose another NAME, or replace it with REPLACE=1.")


def _check_results(repository: Repository) -> None:
    if changed := repository.changed(repository.code()):
        raise InputError(
            f"the code differs from the last commit ({some(changed)}): commit it, run `make repro` and shelve again."
        )
    if stale := repository.stale_stages():
        raise InputError(
            f"dvc.lock does not belong to this code and these parameters: `make repro` would run {some(stale)}."
        )


def some(names: Sequence[str], number: int = 5) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:number]) + (f" and {len(names) - number} more" if len(names) > number else "")


def kept_files(root: Path) -> list[Path]:
    """The files of a finished experiment that an entry keeps, from `root` on."""
    profile = Path("profiles") / f"{read_yaml(root / PARAMETERS)['profile']}.yaml"
    # Not by looking into the folders: files of other methods and seeds may be left of an earlier experiment.
    outputs = sorted(path for path in Repository(root).outputs() if any(path.match(pattern) for pattern in KEPT))
    return [PARAMETERS, profile, *outputs]


def lock_without_code(lock: Path) -> str:
    """dvc.lock without the hashes of code: of 28 methods with three seeds two thirds of its size."""
    content: dict[str, Any] = load_yaml(lock)
    for stage in content["stages"].values():
        if "deps" in stage:
            stage["deps"] = [dep for dep in stage["deps"] if not dep["path"].startswith(CODE)]
    text: str = dumps_yaml(content)
    return text


def size(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def find_entry(root: Path, name: str) -> Entry:
    """The entry of this name.

    Raises:
        InputError: there is none.
    """
    path = root / SHELF / name / ENTRY
    if not name or not path.is_file():
        names = ", ".join(one.name for one in entries(root)) or "none yet"
        raise InputError(f"NAME is `{name}`, and there is no such entry in {SHELF}/; there are: {names}.")
    return Entry(**read_json(path))


def entries(root: Path) -> Iterator[Entry]:
    """All entries, by name."""
    for path in sorted((root / SHELF).glob(f"*/{ENTRY}")):
        yield Entry(**read_json(path))


def table(root: Path) -> str:
    """The Markdown table of all entries."""
    rows = [_row(one) for one in entries(root)]
    return markdown.table(["name", "question", "answer", "commit", "cost"], rows) if rows else "Nothing is shelved yet."


def _row(one: Entry) -> list[Any]:
    cells = [one.question, one.answer, f"`{one.commit[:10]}`"]
    cost = "unknown" if one.minutes is None else f"{one.minutes:.0f} min"
    return [f"[{one.name}]({one.name}/reports/report.md)", *cells, cost]


def write_table(root: Path) -> None:
    """Replace the table in results/README.md.

    Raises:
        InputError: the page has lost the marks around it.
    """
    path = root / SHELF / "README.md"
    page = path.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise InputError(f"{SHELF}/README.md needs the two lines {BEGIN} and {END}, each once: restore them.")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    with written_whole(path) as file:
        file.write(f"{before}{BEGIN}\n\n{table(root)}\n\n{END}{after}")
