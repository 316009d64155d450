"""Compare the arms: write metrics/summary.json, metrics/details.json, the figures and the report."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import click
import pandas as pd

from anamnesis.analysis.experiment import Results, analyse
from anamnesis.analysis.html import TITLE, page
from anamnesis.analysis.overview import overview
from anamnesis.analysis.plots import CAPTIONS, capabilities, tradeoff, tradeoff_points, training_curves
from anamnesis.analysis.provenance import defined_methods, provenance, stated_settings
from anamnesis.analysis.report import Context, headline, report
from anamnesis.analysis.runs import load_curves, load_examples
from anamnesis.analysis.scores import load_scores
from anamnesis.analysis.summary import details, summary
from anamnesis.figures import save
from anamnesis.files import read_json, write_json
from anamnesis.settings.corpus import Corpus, Domains
from anamnesis.settings.experiment import check_all, method_names, seed_numbers
from anamnesis.settings.methods import MAIN, Method
from anamnesis.settings.verdict import Verdict
from stages import ROOT
from stages._paths import CATEGORIES, CURVES, DETAILS, EVALUATED, METRICS, REPORTS, SCORES, SUMMARY, SYNTHETIC_REPORTS
from stages._stage import Parameters, stage

log = logging.getLogger("summarize")

EXAMPLES = 4


@click.command(help=__doc__)
@stage
def main() -> None:
    # A key that no other stage reads makes this stage run; if it is unknown, it is refused here.
    check_all(ROOT)
    parameters = Parameters("summarize")
    methods, seeds = method_names(parameters.values), seed_numbers(parameters.values)
    corpus, limits = parameters.section("corpus", Corpus), parameters.section("verdict", Verdict)
    domain = read_json(METRICS / "domain" / "base.json")["base"]
    general = read_json(METRICS / "general" / "base.json")["base"]
    labels = {name: one.label for name, one in parameters.section("domains", Domains).items()}
    chains = chains_of({name: parameters.section(name, Method) for name in methods}, labels | {MAIN: corpus.label})
    scores, critical = load_scores(SCORES, methods, seeds, labels.values()), read_json(CATEGORIES)["critical"]
    results = analyse(scores, methods, corpus.label, critical, domain["split"], limits, general["tasks"], chains)
    made = provenance(parameters.values, general, domain)

    short, full = summary(results), {"limits": asdict(limits), **details(results, made)}
    write_json(SUMMARY, short)
    write_json(DETAILS, full)
    defined = defined_methods(parameters.values)
    _draw(results, load_curves(CURVES, methods, seeds), defined)
    # The text of a real corpus stays under data/.
    synthetic = corpus.path == str(SYNTHETIC_REPORTS)
    examples = load_examples(EVALUATED / "domain", methods, seeds[0], EXAMPLES) if synthetic else []
    settings = stated_settings(parameters.values, general, domain)
    text = report(results, Context(settings, made, CAPTIONS, examples))
    (REPORTS / "report.md").write_text(text, encoding="utf-8")
    html = page(text, TITLE, REPORTS, overview(short, full, general["tasks"]), defined)
    (REPORTS / "report.html").write_text(html, encoding="utf-8")
    log.info("results (reports/report.md)\n%s", headline(results))


def chains_of(methods: Mapping[str, Method], labels: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Of each method that is trained in several domains, the labels of their categories in this order."""
    return {
        name: {domain: labels[domain] for domain in method.domains}
        for name, method in methods.items()
        if method.other_domains
    }


def _draw(results: Results, curves: pd.DataFrame, defined: Sequence[str]) -> None:
    REPORTS.mkdir(exist_ok=True)
    tradeoff_points(results).to_csv(REPORTS / "tradeoff.csv", index=False)
    curves.to_csv(REPORTS / "curves.csv", index=False)
    save(tradeoff(results, defined), REPORTS / "tradeoff.png")
    save(capabilities(results), REPORTS / "capabilities.png")
    save(training_curves(curves, defined), REPORTS / "curves.png")


if __name__ == "__main__":
    main()
