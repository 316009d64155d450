"""Pretrain a tiny base into a folder, for `model.source`. The base in data/base was made this way.

`make pretrain` calls this. A file made.json beside the model records the settings, the text and the packages.
"""

import logging
import time
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import click

from anamnesis.files import write_json
from anamnesis.modeling.pretraining import digest_of, pretrain, read_documents
from anamnesis.settings.compute import Compute
from anamnesis.settings.modeling import Pretraining
from stages._paths import GENERAL_TEXT
from stages._stage import Parameters, stage

PACKAGES = ("torch", "transformers", "tokenizers")

log = logging.getLogger("pretrain")


@click.command(help=__doc__)
@click.option("--seed", type=click.IntRange(min=0), help="Instead of `pretraining.seed`.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The folder of the model.")
@stage
def main(seed: int | None, output: Path) -> None:
    parameters = Parameters("base")
    settings = parameters.section("pretraining", Pretraining)
    if seed is not None:
        settings = replace(settings, seed=seed)
    compute = parameters.section("compute", Compute)
    start = time.monotonic()
    pretrain(GENERAL_TEXT, settings, compute, output)
    made = {
        "pretraining": asdict(settings),
        "threads": compute.threads,
        "text_sha256": digest_of(read_documents(GENERAL_TEXT)),
        "packages": {name: version(name) for name in PACKAGES},
        "minutes": round((time.monotonic() - start) / 60, 1),
    }
    write_json(output / "made.json", made)
    log.info("saved %s", output)


if __name__ == "__main__":
    main()
