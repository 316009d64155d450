"""Write one page to look at a finished experiment: its report, and what came after the run.

Without NAME it is the experiment of this checkout, with its exports and sweeps: scratch/page.html. With NAME, that
entry of results/: scratch/page-NAME.html. The page needs nothing but a browser.
"""

import click

from anamnesis.exporting.record import EXPORTS
from anamnesis.files import written_whole
from anamnesis.publishing.looking import experiment_page
from anamnesis.publishing.shelf import SHELF, find_entry
from commands import ROOT
from stages._paths import SCRATCH
from stages._stage import stage

SWEEPS = SCRATCH / "sweeps"


@click.command(help=__doc__)
@click.argument("name", required=False)
@stage
def main(name: str | None) -> None:
    if name is None:
        page = experiment_page(ROOT, exports=ROOT / EXPORTS, sweeps=ROOT / SWEEPS)
        written = SCRATCH / "page.html"
    else:
        entry = find_entry(ROOT, name).name
        written, page = SCRATCH / f"page-{entry}.html", experiment_page(ROOT / SHELF / entry, entry)
    with written_whole(ROOT / written) as file:
        file.write(page)
    click.echo(f"{written}: open it in a browser, or send it.")


if __name__ == "__main__":
    main()
