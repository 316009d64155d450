"""Write a page of randomly chosen reports before and after de-identification, for a person to check.

With --read and --leaks: record the outcome, which the data card then shows with its upper confidence bound.
"""

from pathlib import Path

import click

from anamnesis.corpus.review import Review, rows_needed, summary, write_review
from anamnesis.corpus.review_page import draw, page
from anamnesis.errors import InputError
from anamnesis.files import read_json, write_json, written_whole
from anamnesis.publishing.repository import Repository
from anamnesis.settings.corpus import Corpus
from anamnesis.settings.sections import read_yaml, section
from commands import ROOT
from stages._paths import ACCOUNT, CORPUS, REVIEW
from stages._stage import stage

PAGE, DRAWN = Path("data/sample/page.html"), Path("data/sample/drawn.json")
PARTS = ("train", "validation", "test")


@click.command(help=__doc__)
@click.option("--per-thousand", type=click.FloatRange(0, 1000, min_open=True, max_open=True), default=10.0,
              help="At most this many reports in 1,000 shall have a leak, with 95 % confidence.")  # fmt: skip
@click.option("--read", type=click.IntRange(min=1), help="The number of reports read, from the first on the page.")
@click.option("--leaks", type=click.IntRange(min=0), help="The number of these with an identifier left.")
@stage
def main(per_thousand: float, read: int | None, leaks: int | None) -> None:
    if (read is None) != (leaks is None):
        raise InputError("give READ and LEAKS together: make sample READ=299 LEAKS=0.")
    if not (ROOT / ACCOUNT).is_file():
        raise InputError(f"there is no {ACCOUNT}: run `dvc repro corpus` first.")
    fingerprint = read_json(ROOT / ACCOUNT)["fingerprint"]
    if read is None or leaks is None:
        _write_page(fingerprint, per_thousand / 1000)
    else:
        _record(fingerprint, read, leaks)


def _write_page(fingerprint: str, share: float) -> None:
    if "corpus" in Repository(ROOT).stale_stages():
        raise InputError("the reports are of another export, code or parameters: run `dvc repro corpus` first.")
    settings = section(read_yaml(ROOT / "params.yaml"), "corpus", Corpus)
    account = read_json(ROOT / ACCOUNT)
    reports = sum(account[part] for part in PARTS)
    parts = [ROOT / CORPUS / f"{part}.jsonl" for part in PARTS]
    pairs = draw(settings, parts, rows_needed(share), fingerprint)
    with written_whole(ROOT / PAGE) as file:
        file.write(page(pairs, reports))
    write_json(ROOT / DRAWN, {"fingerprint": fingerprint, "reports": reports, "drawn": len(pairs)})
    bound = 1000 * Review(fingerprint, reports, len(pairs), 0).bound
    click.echo(
        f"{PAGE}: {len(pairs)} of {reports} reports, before and after. If none has an identifier left, at most "
        f"{bound:.1f} reports in 1,000 have one, with 95 % confidence."
    )
    click.echo("Record what you find: make sample READ=<reports read> LEAKS=<reports with an identifier left>")


def _record(fingerprint: str, read: int, leaks: int) -> None:
    drawn = read_json(ROOT / DRAWN) if (ROOT / DRAWN).is_file() else None
    if drawn is None or drawn["fingerprint"] != fingerprint:
        raise InputError("no sample of these reports was drawn: run `make sample`, and read the page that it writes.")
    if read > drawn["drawn"]:
        raise InputError(
            f"READ={read} is more than the {drawn['drawn']} reports on {PAGE}: count those that were read."
        )
    if leaks > read:
        raise InputError(f"LEAKS={leaks} is more than READ={read}: count the reports with a leak, not the identifiers.")
    review = Review(fingerprint, drawn["reports"], read, leaks)
    write_review(ROOT / REVIEW, review)
    click.echo(summary(review))
    click.echo("`dvc repro corpus` puts this on the data card.")


if __name__ == "__main__":
    main()
