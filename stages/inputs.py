"""Name by hash what a method reads beside the base and the reports: its training depends on nothing else of that.

A second file names what its models are measured on in further domains.
"""

import click

from anamnesis.files import write_json
from anamnesis.hashes import digest
from anamnesis.methods.inputs import HELD_OUT_FILES, files_of_domains, training_files
from anamnesis.settings.methods import Method
from stages._paths import DOMAINS, INPUTS, SHARED_INPUTS
from stages._stage import Parameters, stage


@click.command(help=__doc__)
@click.option("--method", required=True, help="A section of params.yaml.")
@stage
def main(method: str) -> None:
    arm = Parameters(f"inputs@{method}").section(method, Method)
    trained_on = training_files(arm, SHARED_INPUTS, DOMAINS)
    held_out = files_of_domains(arm, DOMAINS, HELD_OUT_FILES)
    write_json(INPUTS / f"{method}.json", {name: digest(path) for name, path in trained_on.items()})
    write_json(INPUTS / f"{method}.held_out.json", {name: digest(path) for name, path in held_out.items()})


if __name__ == "__main__":
    main()
