"""Refuse wrong parameters and a missing corpus before any long work starts."""

from pathlib import Path

import click

from anamnesis.errors import InputError
from anamnesis.settings.corpus import Corpus
from anamnesis.settings.experiment import check_all
from anamnesis.settings.sections import read_yaml, section
from stages import ROOT
from stages._stage import stage


@click.command(help=__doc__)
@stage
def main() -> None:
    check_all(ROOT)
    corpus = section(read_yaml(ROOT / "params.yaml"), "corpus", Corpus)
    made_here = corpus.path in _outputs()
    if not made_here and not Path(corpus.path).exists():
        raise InputError(
            f"corpus.path: there is no file or folder {corpus.path}; put the corpus there, or set corpus.path to where "
            f"it is."
        )


def _outputs() -> list[str]:
    return read_yaml(ROOT / "dvc.yaml")["stages"]["synthesize"]["outs"]


if __name__ == "__main__":
    main()
