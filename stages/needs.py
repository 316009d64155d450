"""Say which of the inputs that methods share are needed by the methods of this experiment.

A stage of its own, so that only a change of what is needed makes such an input stale, and not every change of a method.
"""

import click

from anamnesis.files import write_json
from anamnesis.methods.inputs import MADE_IF_NEEDED, needed
from anamnesis.settings.fisher import FisherText
from anamnesis.settings.methods import Method
from stages._paths import NEEDS
from stages._stage import Parameters, stage


@click.command(help=__doc__)
@stage
def main() -> None:
    parameters = Parameters("needs")
    methods = [parameters.section(name, Method) for name in parameters.value("methods")]
    names = needed(methods, parameters.section("fisher", FisherText))
    for name in MADE_IF_NEEDED:
        write_json(NEEDS / f"{name}.json", name in names)


if __name__ == "__main__":
    main()
