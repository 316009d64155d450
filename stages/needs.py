"""Say which of the inputs that methods share, and which further domains, the methods of this experiment need.

A stage of its own, so that only a change of what is needed makes such an input stale, and not every change of a method.
"""

import click

from anamnesis.files import write_json
from anamnesis.methods.inputs import MADE_IF_NEEDED, needed, needed_domains
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
    write_json(NEEDS / "domains.json", needed_domains(methods))


if __name__ == "__main__":
    main()
