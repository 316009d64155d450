"""Measure the domain: category, generated conclusion, and bits per byte of held-out reports."""

import click

from anamnesis.evaluation.domain import CategorySet, evaluate_domain
from anamnesis.files import read_json
from anamnesis.settings.compute import Compute
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.rendering import Headings
from stages._evaluate import evaluate_run
from stages._paths import CATEGORIES, CORPUS
from stages._stage import Parameters, stage


@click.command(help=__doc__)
@click.option("--method", help="A section of params.yaml; without it the base is measured.")
@click.option("--seed", type=int)
@stage
def main(method: str | None, seed: int | None) -> None:
    parameters = Parameters("evaluate_base_domain" if method is None else f"evaluate_domain@{method}-{seed}")
    evaluation = parameters.section("evaluation", Evaluation)
    headings = parameters.section("corpus.headings", Headings)
    categories = CategorySet(**read_json(CATEGORIES))
    reports = CORPUS / f"{evaluation.split}.jsonl"
    evaluate_run(
        "domain",
        method,
        seed,
        evaluation,
        parameters.section("compute", Compute),
        lambda lm, name: evaluate_domain(lm, name, evaluation, headings, categories, reports),
    )


if __name__ == "__main__":
    main()
