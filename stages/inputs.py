"""Name by hash what a method reads beside the base and the reports: its training depends on nothing else of that."""

import click

from anamnesis.files import write_json
from anamnesis.methods.inputs import digest, inputs_of, own_files
from anamnesis.settings.methods import Method
from stages._paths import INPUTS, SHARED_INPUTS
from stages._stage import Parameters, stage


@click.command(help=__doc__)
@click.option("--method", required=True, help="A section of params.yaml.")
@stage
def main(method: str) -> None:
    arm = Parameters(f"inputs@{method}").section(method, Method)
    paths = {name: SHARED_INPUTS[name] for name in inputs_of(arm)} | own_files(arm)
    write_json(INPUTS / f"{method}.json", {name: digest(path) for name, path in paths.items()})


if __name__ == "__main__":
    main()
