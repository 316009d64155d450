"""Put an exported model that passes its limits into releases/NAME, with card, verdict, account and provenance.

The folder has checksums of every file and no text of a report. With --check, a release is compared with its checksums,
provenance and verdict; nothing of this project's data is needed. Exit code 1: nothing was released, or something in the
checked folder is not as it should be.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from anamnesis.errors import InputError
from anamnesis.exporting.record import EXPORTS
from anamnesis.files import read_json
from anamnesis.releasing.checking import SUMS, Checked, check
from anamnesis.releasing.release import Files, release
from anamnesis.settings.reading import read_experiment
from commands import ROOT
from stages._paths import ACCOUNT, ADAPTERS, BASE, CATEGORIES, CORPUS, DETAILS, DOMAINS, DOMAINS_LIST, REPORTS, SUMMARY
from stages._stage import stage

RELEASES = Path("releases")
PARTS = ("train", "validation", "test")
PICTURES = ("corpus.png", "capabilities.png", "tradeoff.png", "curves.png")


@click.command(help=__doc__)
@click.option("--run", help="The exported model: ema-0.")
@click.option("--name", help="Of the release.")
@click.option("--replace", is_flag=True, help="Replace a release of this name.")
@click.option("--check", "folder", type=click.Path(path_type=Path), help="Check this release instead.")
@stage
def main(run: str | None, name: str | None, replace: bool, folder: Path | None) -> None:
    if folder is not None:
        checked = check(folder)
        click.echo("\n".join([*checked.problems, *_said(folder, checked)]))
        sys.exit(bool(checked.problems))
    if not run or not name:
        raise InputError("give RUN and NAME, as in make release RUN=ema-0 NAME=ema-v1; or CHECK=releases/ema-v1.")
    experiment = read_experiment(ROOT)
    checked = release(run, name, replace, experiment, _files(ROOT, experiment.profile))
    click.echo("\n".join([*_said(RELEASES / name, checked), *_next(name)]))


def _files(root: Path, profile: str) -> Files:
    folders = [CORPUS, *_domains(root)]
    return Files(
        root=root,
        exports=root / EXPORTS,
        releases=root / RELEASES,
        base=root / BASE / "model.safetensors",
        adapters=root / ADAPTERS,
        account=root / ACCOUNT,
        details=root / DETAILS,
        categories=tuple(root / folder / CATEGORIES.name for folder in folders),
        reports=tuple(root / folder / f"{part}.jsonl" for folder in folders for part in PARTS),
        kept=(
            Path("params.yaml"),
            Path("profiles") / f"{profile}.yaml",
            Path("dvc.lock"),
            SUMMARY,
            REPORTS / "corpus.md",
            *(REPORTS / picture for picture in PICTURES),
        ),
    )


def _domains(root: Path) -> Iterator[Path]:
    if not (root / DOMAINS / DOMAINS_LIST).is_file():
        raise InputError(f"there is no {DOMAINS / DOMAINS_LIST}: run `dvc checkout` or `make repro`.")
    for name in read_json(root / DOMAINS / DOMAINS_LIST):
        yield DOMAINS / name


def _said(folder: Path, checked: Checked) -> list[str]:
    if checked.problems:
        return [f"{folder} is not as it was released: see above."]
    return [
        f"{folder}: {checked.files} files, each as {SUMS} and the provenance say. The verdict inside is "
        f"{checked.verdict}.",
        f"sha256 of {SUMS}: {checked.sums}",
    ]


def _next(name: str) -> list[str]:
    folder = RELEASES / name
    return [
        "To keep it on the DVC remote, and as a version in the Git registry (docs/release.md):",
        f"  dvc add {folder} && dvc push {folder}.dvc",
        f"  git add params.yaml profiles dvc.lock metrics reports {folder}.dvc {RELEASES / '.gitignore'}",
        f"  git commit -m 'Release {name}' && gto register {name} --version v1.0.0",
        f"  git push origin HEAD {name}@v1.0.0",
    ]


if __name__ == "__main__":
    main()
