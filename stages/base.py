"""Obtain the model that every arm starts from, quantize it if asked, and save it."""

import logging
from dataclasses import replace
from pathlib import Path

import click

from anamnesis.compute import configure_compute
from anamnesis.files import read_json
from anamnesis.modeling.loading import save_base
from anamnesis.modeling.pretraining import digest_of, pretrain, read_documents
from anamnesis.modeling.source.obtaining import obtain
from anamnesis.settings.compute import Compute
from anamnesis.settings.modeling import Model, Pretraining
from stages._paths import BASE, GENERAL_TEXT, SCRATCH
from stages._stage import Parameters, stage

log = logging.getLogger("base")


@click.command(help=__doc__)
@stage
def main() -> None:
    parameters = Parameters("base")
    model = parameters.section("model", Model)
    compute = parameters.section("compute", Compute)
    configure_compute(compute)
    if model.source == "pretrain":
        pretrain(GENERAL_TEXT, parameters.section("pretraining", Pretraining), compute, SCRATCH / "base")
        model = replace(model, source=str(SCRATCH / "base"))
    else:
        _warn_of_another_text(Path(model.source).expanduser() / "made.json")
    base, tokenizer = obtain(model, compute)
    save_base(base, tokenizer, BASE)
    log.info("saved %s with %.1f M parameters", type(base).__name__, base.num_parameters() / 1e6)


def _warn_of_another_text(made: Path) -> None:
    """A base made by `make pretrain` may know today's held-out text if the general text has changed since."""
    if made.is_file() and read_json(made)["text_sha256"] != digest_of(read_documents(GENERAL_TEXT)):
        log.warning(
            "%s was pretrained on another general text than %s: it may not know all facts of the exam, and may know "
            "the held-out text. Restore the section `knowledge`, or set `model.source` to pretrain.",
            made.parent, GENERAL_TEXT,
        )  # fmt: skip


if __name__ == "__main__":
    main()
