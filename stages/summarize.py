"""Summarize all runs: write metrics/summary.json, the figures and the results page."""

import logging

import click
import pandas as pd

from anamnesis.analysis.plots import tradeoff, training_curves
from anamnesis.analysis.results import results_page, table
from anamnesis.analysis.runs import load_curves, load_runs
from anamnesis.analysis.summary import compare_with_base, summarize
from anamnesis.figures import save
from anamnesis.files import write_json
from anamnesis.settings.corpus import Corpus
from anamnesis.settings.experiment import PLAIN, SCALE, SCIENCE, check_all, method_names, seed_numbers
from anamnesis.settings.methods import Method
from anamnesis.settings.modeling import Model
from anamnesis.settings.training import Optimization
from stages import ROOT
from stages._paths import CURVES, METRICS, REPORTS, SUMMARY
from stages._stage import Parameters, stage

log = logging.getLogger("summarize")


@click.command(help=__doc__)
@stage
def main() -> None:
    # A key that no other stage reads makes this stage run; if it is unknown, it is refused here.
    check_all(ROOT)
    parameters = Parameters("summarize")
    methods, seeds = method_names(parameters.values), seed_numbers(parameters.values)
    label = parameters.section("corpus", Corpus).label
    base, runs = load_runs(METRICS, methods, seeds)
    compared = compare_with_base(runs, base, label)
    summary = summarize(compared, base, label)
    curves = load_curves(CURVES, methods, seeds)

    write_json(SUMMARY, summary)
    REPORTS.mkdir(exist_ok=True)
    points = [
        {"method": arm, "seed": seed, "forgetting": run["forgetting"], "adaptation": run["adaptation"]}
        for arm, by_seed in compared.items()
        for seed, run in by_seed.items()
    ]
    pd.DataFrame(points).to_csv(REPORTS / "tradeoff.csv", index=False)
    curves.to_csv(REPORTS / "curves.csv", index=False)
    # All methods of params.yaml, so that taking one out of `methods` changes no colour.
    defined = [name for name in parameters.values if name not in {*SCIENCE, *SCALE, *PLAIN}]
    save(tradeoff(compared, defined), REPORTS / "tradeoff.png")
    save(training_curves(curves, defined), REPORTS / "curves.png")
    figures = {
        "tradeoff.png": "Adaptation against forgetting: a small marker per seed, mean and standard deviation per arm.",
        "curves.png": "Training curves: mean over seeds, and their range.",
    }
    optimization = parameters.section("optimization", Optimization)
    settings = {
        "profile": parameters.values["profile"],
        "model": parameters.section("model", Model).source,
        "steps": optimization.max_steps,
        "reports per step": optimization.batch_size * optimization.gradient_accumulation_steps,
        "peak learning rate": optimization.learning_rate,
        "seeds": seeds,
        "held-out reports": f"{base['reports']} of the {base['split']} split",
        "exam": f"{base['questions']} questions, {base['num_fewshot']}-shot",
        "harness": f"lm-evaluation-harness {base['harness']['lm_eval']}",
        **{f"`{method}`": parameters.values[method] for method in methods},
    }
    for method in methods:
        decay = parameters.section(method, Method).decay
        if decay is not None and decay < 1:
            # If the horizon is as long as training, the average is in effect the static teacher.
            settings[f"`{method}` horizon / steps"] = f"{1 / (1 - decay) / optimization.max_steps:.2f}"
    page = results_page(summary, compared, label, settings, figures)
    (REPORTS / "report.md").write_text(page, encoding="utf-8")
    log.info("results (reports/report.md)\n%s", table(summary, label))


if __name__ == "__main__":
    main()
