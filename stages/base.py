"""Make or fetch the model that every arm starts from, quantize it if asked for, and save it."""

import logging
from dataclasses import replace

import click

from anamnesis.compute import configure_compute
from anamnesis.modeling.loading import save_base
from anamnesis.modeling.pretraining import pretrain
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
    base, tokenizer = obtain(model, compute)
    save_base(base, tokenizer, BASE)
    log.info("saved %s with %.1f M parameters", type(base).__name__, base.num_parameters() / 1e6)


if __name__ == "__main__":
    main()
