"""Compare the arms: write metrics/summary.json, metrics/details.json, the figures and the report."""

import logging
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import click
import pandas as pd

from anamnesis.analysis.experiment import Results, analyse
from anamnesis.analysis.html import page
from anamnesis.analysis.plots import capabilities, tradeoff, training_curves
from anamnesis.analysis.report import Context, Example, headline, report
from anamnesis.analysis.runs import load_curves, load_examples
from anamnesis.analysis.scores import load_scores
from anamnesis.analysis.summary import details, summary
from anamnesis.figures import save
from anamnesis.files import read_json, write_json
from anamnesis.machine import processor
from anamnesis.settings.corpus import Corpus
from anamnesis.settings.experiment import PLAIN, SCALE, SCIENCE, check_all, method_names, seed_numbers
from anamnesis.settings.methods import Method
from anamnesis.settings.modeling import Model
from anamnesis.settings.training import Optimization
from anamnesis.settings.verdict import Verdict
from stages import ROOT
from stages._paths import CATEGORIES, CURVES, DETAILS, EVALUATED, METRICS, REPORTS, SCORES, SUMMARY, SYNTHETIC_REPORTS
from stages._stage import Parameters, stage

log = logging.getLogger("summarize")

FIGURES = {
    "tradeoff.png": "What each arm reaches against what it forgets: arms with 95 % intervals, seeds joined by thin "
    "lines. The base is outside.",
    "capabilities.png": "The change of each general capability against the base. White: within the margin of "
    "params.yaml; orange: worse; blue or purple: better.",
    "curves.png": "Mean over seeds, and their range.",
}
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "datasets", "lm-eval", "numpy", "scipy", "dvc")
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
    scores, critical = load_scores(SCORES, methods, seeds), read_json(CATEGORIES)["critical"]
    results = analyse(scores, methods, corpus.label, critical, domain["split"], limits, general["tasks"])
    provenance = _provenance(general, domain, seeds)

    write_json(SUMMARY, summary(results))
    write_json(DETAILS, {"limits": asdict(limits), **details(results, provenance)})
    # All methods of params.yaml, so that taking one out of `methods` changes no colour.
    _draw(results, [name for name in parameters.values if name not in {*SCIENCE, *SCALE, *PLAIN}], methods, seeds)
    # The text of a real corpus stays under data/.
    synthetic = corpus.path == str(SYNTHETIC_REPORTS)
    examples: Sequence[Example] = []
    if synthetic:
        examples = load_examples(EVALUATED / "domain", methods, seeds[0], EXAMPLES)
    context = Context(_settings(parameters, methods, seeds, general, domain), provenance, FIGURES, examples)
    text = report(results, context)
    (REPORTS / "report.md").write_text(text, encoding="utf-8")
    (REPORTS / "report.html").write_text(page(text, "Adaptation and forgetting", REPORTS), encoding="utf-8")
    log.info("results (reports/report.md)\n%s", headline(results))


def _draw(results: Results, defined: Sequence[str], methods: Sequence[str], seeds: Sequence[int]) -> None:
    points = [
        {"method": arm, "seed": seed, "forgetting": lost, "adaptation": gained}
        for arm in results.arms
        for seed, lost, gained in zip(
            results.seeds(arm),
            -results.gains(arm, results.capability),
            results.gains(arm, results.adaptation),
            strict=True,
        )
    ]
    curves = load_curves(CURVES, methods, seeds)
    REPORTS.mkdir(exist_ok=True)
    pd.DataFrame(points).to_csv(REPORTS / "tradeoff.csv", index=False)
    curves.to_csv(REPORTS / "curves.csv", index=False)
    save(tradeoff(results, defined), REPORTS / "tradeoff.png")
    save(capabilities(results), REPORTS / "capabilities.png")
    save(training_curves(curves, defined), REPORTS / "curves.png")


def _settings(
    parameters: Parameters,
    methods: Sequence[str],
    seeds: Sequence[int],
    general: Mapping[str, Any],
    domain: Mapping[str, Any],
) -> dict[str, object]:
    optimization = parameters.section("optimization", Optimization)
    settings: dict[str, object] = {
        "profile": parameters.values["profile"],
        "model": parameters.section("model", Model).source,
        "steps": optimization.max_steps,
        "reports per step": optimization.batch_size * optimization.gradient_accumulation_steps,
        "peak learning rate": optimization.learning_rate,
        "seeds": seeds,
        "held-out reports": f"{domain['reports']} of the {domain['split']} split",
        **{
            f"questions of `{name}`": f"{task['questions']}, {task['shots']}-shot"
            for name, task in general["tasks"].items()
        },
        **{f"`{method}`": parameters.values[method] for method in methods},
    }
    for method in methods:
        decay = parameters.section(method, Method).decay
        if decay is not None and decay < 1:
            # If the horizon is as long as training, the average is in effect the static teacher.
            settings[f"`{method}` horizon / steps"] = f"{1 / (1 - decay) / optimization.max_steps:.2f}"
    return settings


def _provenance(general: Mapping[str, Any], domain: Mapping[str, Any], seeds: Sequence[int]) -> dict[str, object]:
    """Where the numbers come from. The commit is that of the page itself; `make shelve` writes it beside the page."""
    return {
        "split": domain["split"],
        "seeds": list(seeds),
        "summarized on": processor(),
        "Python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "tasks": {**general["harness"]["task_versions"], **domain["harness"]["task_versions"]},
        "evaluation backend": domain["harness"]["backend"],
    }


if __name__ == "__main__":
    main()
