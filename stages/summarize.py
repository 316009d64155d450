"""Summarize all runs: metrics/summary.json, the pictures, and the report."""

import logging
from pathlib import Path

import click
import pandas as pd

from anamnesis.analysis.plots import tradeoff, training_curves
from anamnesis.analysis.results import report, table
from anamnesis.analysis.runs import load_curves, load_runs
from anamnesis.analysis.summary import compare_with_base, summarize
from anamnesis.files import write_json
from anamnesis.settings.corpus import Corpus
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.experiment import check_all, method_names, seed_numbers
from anamnesis.settings.methods import Method
from anamnesis.settings.modeling import Model
from anamnesis.settings.training import Optimization
from stages import ROOT
from stages._stage import Parameters, stage

METRICS = Path("metrics")
REPORTS = Path("reports")

log = logging.getLogger("summarize")


@click.command(help=__doc__)
@stage
def main() -> None:
    # A key that belongs to no other stage makes this one run, and stops it here.
    check_all(ROOT)
    parameters = Parameters("summarize")
    methods, seeds = method_names(parameters.values), seed_numbers(parameters.values)
    label = parameters.section("corpus", Corpus).label
    base, runs = load_runs(METRICS, methods, seeds)
    compared = compare_with_base(runs, base, label)
    summary = summarize(compared, base, label)
    curves = load_curves(METRICS / "curves", methods, seeds)

    write_json(METRICS / "summary.json", summary)
    REPORTS.mkdir(exist_ok=True)
    points = [
        {"method": arm, "seed": seed, "forgetting": run["forgetting"], "adaptation": run["adaptation"]}
        for arm, by_seed in compared.items()
        for seed, run in by_seed.items()
    ]
    pd.DataFrame(points).to_csv(REPORTS / "tradeoff.csv", index=False)
    curves.to_csv(REPORTS / "curves.csv", index=False)
    tradeoff(compared, REPORTS / "tradeoff.png")
    training_curves(curves, REPORTS / "curves.png")
    pictures = {
        "tradeoff.png": "Adaptation against forgetting: a point per seed, mean and standard deviation per arm.",
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
        "held-out reports": f"{base['reports']} of the {parameters.section('evaluation', Evaluation).split} split",
        "exam": f"{base['questions']} questions, {base['num_fewshot']}-shot",
        "harness": f"lm-evaluation-harness {base['harness']['lm_eval']}",
        **{f"`{method}`": parameters.values[method] for method in methods},
    }
    for method in methods:
        decay = parameters.section(method, Method).decay
        if decay is not None and decay < 1:
            # A horizon as long as the training makes the average the static teacher.
            settings[f"`{method}` horizon / steps"] = f"{1 / (1 - decay) / optimization.max_steps:.2f}"
    (REPORTS / "report.md").write_text(report(summary, compared, label, settings, pictures), encoding="utf-8")
    log.info("the result (reports/report.md)\n%s", table(summary, label))


if __name__ == "__main__":
    main()
