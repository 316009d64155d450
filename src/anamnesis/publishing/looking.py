"""The page to look at a finished experiment: its report, and what came after the run.

It reads numbers, the report and the pages of sweeps. What came after the run and is not there is no part of the page.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from anamnesis import markdown
from anamnesis.analysis.html import TITLE, Section, page
from anamnesis.analysis.overview import Overview, overview
from anamnesis.analysis.provenance import defined_methods
from anamnesis.errors import InputError
from anamnesis.exporting.record import RECORD
from anamnesis.files import UNFINISHED, read_json
from anamnesis.hashes import digest
from anamnesis.settings.sections import read_yaml

METRICS = Path("metrics")
REPORTS = Path("reports")
SWEEP = "sweep.md"


def experiment_page(
    folder: Path, name: str | None = None, exports: Path | None = None, sweeps: Path | None = None
) -> str:
    """The page of a finished experiment.

    Args:
        folder: with metrics/, reports/ and params.yaml: a checkout, or an entry of the shelf.
        name: of the entry, for the title.
        exports: the folder of the exports of this experiment.
        sweeps: the folder of the sweeps.

    Raises:
        InputError: a file of the experiment is missing or damaged.
    """
    try:
        return _page(folder, name, exports, sweeps)
    except FileNotFoundError as error:
        of_sweep = sweeps is not None and Path(error.filename).is_relative_to(sweeps)
        mend = "run that sweep again" if of_sweep else "run `make repro`, or restore it with Git"
        raise InputError(f"there is no {error.filename}: {mend}.") from None


def _page(folder: Path, name: str | None, exports: Path | None, sweeps: Path | None) -> str:
    shown = _overview(folder)
    sections: list[Section] = []
    if exports is not None:
        sections += export_sections(exports, folder / "models/adapters", shown)
    if sweeps is not None:
        sections += sweep_sections(sweeps)
    report = folder / REPORTS / "report.md"
    return page(
        report.read_text(encoding="utf-8"),
        TITLE if name is None else f"{name}: {TITLE}",
        report.parent,
        shown,
        defined_methods(read_yaml(folder / "params.yaml")),
        sections,
    )


def _overview(folder: Path) -> Overview:
    summary, details, general = (
        _read(folder / METRICS / file) for file in ("summary.json", "details.json", "general/base.json")
    )
    try:
        # Entries of the shelf from before there were other tasks than the exams name none.
        return overview(summary, details, general["base"].get("tasks", {}))
    except KeyError as error:
        raise InputError(
            f"{folder / METRICS} has no {error}: it is not what this version writes; run `make repro`, or shelve the "
            f"experiment again."
        ) from None


def export_sections(exports: Path, adapters: Path, shown: Overview) -> Iterator[Section]:
    """What `make export` measured of every exported file against the evaluated model; no section without any export.

    Args:
        exports: the folder with the exports.
        adapters: the folder with the runs. An export of another training than the one that is there is marked.
        shown: the titles of the measures.

    Raises:
        InputError: a record is damaged.
    """
    records = [_read(file) for file in sorted(exports.glob(f"*/{RECORD}")) if not file.parent.name.endswith(UNFINISHED)]
    if not records:
        return
    titles = {one.key: one.title for one in shown.columns}
    measured = [found for one in records for found in one["measured"].values()]
    exams = list(dict.fromkeys(exam for found in measured for exam in found["exams"]))
    header = [
        "", "seed", "format", "KL on reports", "KL on general text", "KL at most",
        "same category", "at least", "same conclusion", *(titles.get(exam, exam) for exam in exams), "at most apart",
        "of this training",
    ]  # fmt: skip
    rows = [
        [f"`{one['model']}`", one["seed"], _format(one, file), *_fidelity(found, one["bounds"], exams),
         _of_this_training(one, adapters)]
        for one in records
        for file, found in one["measured"].items()
    ]  # fmt: skip
    text = (
        f"{markdown.table(header, rows)}\n\nEach exported file as other programs load it, against the model that was "
        "evaluated; beside the numbers the bounds of `export` in params.yaml, beyond which nothing is exported. "
        "KL(evaluated ‖ exported) is in nats per token. *Same*: the share of reports of which both name the same "
        "category, or write the same conclusion. Of each exam: evaluated → exported."
    )
    yield Section("Exports", text, exports)


def _format(record: Mapping[str, Any], file: str) -> str:
    form = record["form"] if file == "." else "gguf" if file.endswith(".gguf") else file
    if file == "." and form == "gguf":
        form = "merged"
    return f"{form}, {record['dtype']}" if record["dtype"] else form


def _fidelity(found: Mapping[str, Any], bounds: Mapping[str, Any], exams: Sequence[str]) -> list[str]:
    changes = (found["exams"].get(exam) for exam in exams)
    return [
        f"{found['domain_kl_nats']:.2g}",
        f"{found['general_kl_nats']:.2g}",
        f"{bounds['max_kl_nats']:g}",
        f"{found['category_agreement']:.3f}",
        f"{bounds['min_agreement']:g}",
        f"{found['same_answers']:.3f}",
        *("" if change is None else f"{change[0]:.3f} → {change[1]:.3f}" for change in changes),
        f"{bounds['max_exam_change']:g}",
    ]


def _of_this_training(record: Mapping[str, Any], adapters: Path) -> str:
    run = adapters / f"{record['method']}-{record['seed']}"
    made_from = record.get("made_from", {}).get("adapter")
    if made_from is None or not run.is_dir():
        return "not known"
    return "yes" if digest(run) == made_from else "no"


def sweep_sections(sweeps: Path) -> Iterator[Section]:
    """What every finished sweep says: the page sweep.md in its folder, under that page's own title."""
    for file in sorted(sweeps.glob(f"*/{SWEEP}")):
        title, _, text = file.read_text(encoding="utf-8").partition("\n")
        yield Section(title.removeprefix("# "), text, file.parent)


def _read(file: Path) -> Any:
    try:
        return read_json(file)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is damaged ({error}): make it again.") from None
