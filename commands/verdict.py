"""Say whether METHOD keeps the limits of `verdict` in params.yaml.

Exit code 0: PASS. 10: FAIL. 20: NOT ENOUGH EVIDENCE. 1 and 2 are errors.
"""

import sys
from dataclasses import asdict

import click

from anamnesis.errors import InputError
from anamnesis.files import read_json
from anamnesis.publishing.repository import Repository
from anamnesis.settings.sections import read_yaml, section
from anamnesis.settings.verdict import Verdict
from commands import ROOT
from stages._paths import DETAILS
from stages._stage import stage

EXIT_CODES = {"PASS": 0, "FAIL": 10, "NOT ENOUGH EVIDENCE": 20}


@click.command(help=__doc__)
@click.argument("method")
@stage
def main(method: str) -> None:
    if not (ROOT / DETAILS).is_file():
        raise InputError(f"there is no {DETAILS}: run the experiment first (make repro).")
    details = read_json(ROOT / DETAILS)
    limits = section(read_yaml(ROOT / "params.yaml"), "verdict", Verdict)
    if details["limits"] != asdict(limits):
        raise InputError("params.yaml: `verdict` was changed after the last run: run `dvc repro summarize` first.")
    if not details["verdicts"]:
        raise InputError("params.yaml: `verdict` sets no limit: set max_forgetting, min_adaptation or another.")
    if stale := Repository(ROOT).stale_stages():
        raise InputError(f"the results are of other code or parameters ({', '.join(stale)}): run `make repro`.")
    if method not in details["verdicts"]:
        raise InputError(f"`{method}` was not measured: choose one of {sorted(details['verdicts'])}.")
    found = details["verdicts"][method]
    click.echo(f"{method}: {found['verdict']}")
    for reason in found["reasons"]:
        click.echo(f"  {reason}")
    sys.exit(EXIT_CODES[found["verdict"]])


if __name__ == "__main__":
    main()
