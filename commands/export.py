"""Export a trained model as RUN names it (ema-0, ema_teacher-0), to exports/RUN.

merged: a plain 16-bit folder of Hugging Face, with the update in the weights that were evaluated. adapter: the adapter
alone. gguf: the merged folder, and a GGUF file by llama.cpp's converter with a Modelfile. The export is loaded and
compared with the evaluated model, and refused if it is another one by the bounds of `export` in params.yaml. With
--check, a folder that was made elsewhere is compared in the same way, and nothing is written.
"""

from pathlib import Path

import click

from anamnesis.compute import configure_compute
from anamnesis.errors import InputError
from anamnesis.exporting.card import FORMS, read_details
from anamnesis.exporting.export import Chosen, Files, check_folder, choose, export, refuse
from anamnesis.publishing.repository import Repository
from anamnesis.settings.reading import read_experiment
from commands import EXPORTS, ROOT
from stages._paths import (
    ACCOUNT,
    ADAPTERS,
    BASE,
    CATEGORIES,
    DETAILS,
    EXAM,
    HELD_OUT_TEXT,
    SYNTHETIC_REPORTS,
    VALIDATION_REPORTS,
)
from stages._stage import stage


@click.command(help=__doc__)
@click.argument("run")
@click.option("--format", "form", type=click.Choice(FORMS), default=FORMS[0], show_default=True)
@click.option("--check", "folder", type=click.Path(path_type=Path), help="Compare this folder instead.")
@stage
def main(run: str, form: str, folder: Path | None) -> None:
    experiment, files = read_experiment(ROOT), _files(ROOT)
    chosen = choose(run, experiment, files)
    stale = Repository(ROOT).stale_stages()
    _check_fresh(chosen, files, stale)
    configure_compute(experiment.compute)
    if folder is not None:
        found = check_folder(chosen, folder, experiment, files)
        click.echo("\n".join(found.sentences()))
        refuse(str(folder), found, experiment)
        return
    belongs = not any(name == "summarize" or name.startswith("evaluate") for name in stale)
    details = read_details(ROOT / DETAILS) if belongs else None
    if details is None:
        click.echo("The card has no results, because there are none of these parameters: `make repro` makes them.")
    synthetic = experiment.corpus.path == str(SYNTHETIC_REPORTS)
    measured = export(chosen, form, experiment, files, details, synthetic, Repository(ROOT).commit())
    for name, of in measured.items():
        click.echo("\n".join([f"{EXPORTS / chosen.name / name}:", *(f"  {line}" for line in of.sentences())]))


def _files(root: Path) -> Files:
    return Files(
        root=root,
        base=root / BASE,
        adapters=root / ADAPTERS,
        categories=root / CATEGORIES,
        account=root / ACCOUNT,
        reports=root / VALIDATION_REPORTS,
        general_text=root / HELD_OUT_TEXT,
        exam=root / EXAM,
        exports=root / EXPORTS,
    )


def _check_fresh(chosen: Chosen, files: Files, stale: list[str]) -> None:
    """Refuse a model that the present parameters would not give, and missing files."""
    if old := [name for name in stale if name in ("base", "corpus", "knowledge", f"train@{chosen.run}")]:
        raise InputError(f"the run is of other code, data or parameters ({', '.join(old)}): run `make repro`.")
    needed = (files.base, files.categories, files.account, files.reports, files.general_text, files.exam)
    if missing := [path for path in needed if not path.exists()]:
        raise InputError(f"there is no {missing[0].relative_to(files.root)}: run `dvc checkout` or `make repro`.")


if __name__ == "__main__":
    main()
