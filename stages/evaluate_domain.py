"""Measure the domain on held-out reports: category, generated conclusion, bits per byte, distance from the base."""

import click

from anamnesis.evaluation.arms import Evaluated
from anamnesis.evaluation.domain import CategorySet, evaluate_domain, evaluate_vote
from anamnesis.evaluation.retrieval import Report, nearest
from anamnesis.evaluation.text_metrics import scorer
from anamnesis.files import read_json, read_jsonl
from anamnesis.modeling.student.saving import retrieved_reports
from anamnesis.settings.compute import Compute
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.rendering import Headings
from stages._evaluate import evaluate_run
from stages._paths import ADAPTERS, CATEGORIES, CORPUS, TRAINING_REPORTS
from stages._stage import Parameters, stage


@click.command(help=__doc__)
@click.option("--method", help="A section of params.yaml; without it the base is measured.")
@click.option("--seed", type=int)
@stage
def main(method: str | None, seed: int | None) -> None:
    parameters = Parameters("evaluate_base_domain" if method is None else f"evaluate_domain@{method}-{seed}")
    evaluation = parameters.section("evaluation", Evaluation)
    split = parameters.value("split")
    headings = parameters.section("corpus.headings", Headings)
    # What cannot be computed is refused before a model is loaded.
    for metric in evaluation.text_metrics:
        scorer(metric)
    categories = CategorySet(**read_json(CATEGORIES))
    reports = CORPUS / f"{split}.jsonl"
    found: list[list[Report]] | None = None
    votes: dict[str, Evaluated] = {}
    if method is not None and (count := retrieved_reports(ADAPTERS / f"{method}-{seed}")):
        held_out = read_jsonl(reports)
        found = nearest(read_jsonl(TRAINING_REPORTS), held_out, count)
        vote = f"{method}_vote"
        votes[vote] = evaluate_vote(vote, found, held_out, evaluation, categories, split)
    evaluate_run(
        "domain",
        method,
        seed,
        evaluation,
        parameters.section("compute", Compute),
        lambda arm: evaluate_domain(arm, evaluation, headings, categories, reports, split, found),
        votes,
    )


if __name__ == "__main__":
    main()
