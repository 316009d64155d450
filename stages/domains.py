"""Prepare the further domains that methods are trained in, each as the stage `corpus` prepares the main one.

The data card of a domain stays beside its reports. The list of domains is empty if no method has one.
"""

import logging
from dataclasses import asdict

import click

from anamnesis.corpus.refusals import CorpusError
from anamnesis.files import read_json, write_json
from anamnesis.settings.corpus import Corpus, Domains
from stages._paths import DOMAINS, DOMAINS_LIST, NEEDS
from stages._stage import Parameters, stage

log = logging.getLogger("domains")


@click.command(help=__doc__)
@stage
def main() -> None:
    domains = Parameters("domains").section("domains", Domains)
    names = read_json(NEEDS / "domains.json")
    for name in names:
        prepare_domain(name, domains[name])
    write_json(DOMAINS / DOMAINS_LIST, names)
    if not names:
        log.info("no method is trained in further domains: nothing is prepared")


def prepare_domain(name: str, settings: Corpus) -> None:
    """Raises CorpusError if the export cannot be used, with the place of the keys that it names."""
    # It takes seconds to import, and most experiments have no such domain.
    from stages._corpus import Outputs, counts, prepare

    folder = DOMAINS / name
    files = ("categories.json", "quarantine.jsonl", "account.json", "card.md", "card.png")
    try:
        prepared = prepare(settings, Outputs(folder, *(folder / file for file in files)))
    except CorpusError as error:
        raise CorpusError(f"`domains.{name}`, whose keys are called `corpus` here: {error}") from None
    write_json(folder / "headings.json", asdict(settings.headings))
    log.info("%s: %s", name, counts(prepared))


if __name__ == "__main__":
    main()
