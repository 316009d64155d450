"""Measure the domain on held-out reports: category, generated conclusion, bits per byte, distance from the base.

The models of a chain, and the base, are also asked the category of the held-out reports of further domains. If it is
asked for, what a model gives away of its training reports is measured, too.
"""

from functools import partial
from pathlib import Path
from typing import Any

import click

from anamnesis.canaries import is_canary, read_canaries
from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.domain import CategorySet, evaluate_domain, evaluate_other_domain, evaluate_vote, joined
from anamnesis.evaluation.leakage import Asked, evaluate_leakage
from anamnesis.evaluation.retrieval import Report, nearest
from anamnesis.evaluation.text_metrics import scorer
from anamnesis.files import read_json, read_jsonl
from anamnesis.hashes import checked_inputs
from anamnesis.modeling.student.saving import retrieved_reports
from anamnesis.settings.compute import Compute
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.rendering import Headings
from stages._evaluate import evaluate_run
from stages._paths import ADAPTERS, CANARIES, CATEGORIES, CORPUS, DOMAINS, DOMAINS_LIST, INPUTS, TRAINING_REPORTS
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
    others = [
        partial(
            evaluate_other_domain,
            evaluation=evaluation,
            headings=Headings(**read_json(DOMAINS / name / "headings.json")),
            categories=CategorySet(**read_json(DOMAINS / name / "categories.json")),
            reports=DOMAINS / name / f"{split}.jsonl",
        )
        for name in other_domains(method)
    ]
    found: list[list[Report]] | None = None
    votes: dict[str, Evaluated] = {}
    if method is not None and (count := retrieved_reports(ADAPTERS / f"{method}-{seed}")):
        held_out = read_jsonl(reports)
        found = nearest(read_jsonl(TRAINING_REPORTS), held_out, count)
        vote = f"{method}_vote"
        votes[vote] = evaluate_vote(vote, found, held_out, evaluation, categories, split)

    leakage = asked_of_leakage(parameters, reports)

    def measure(arm: Arm) -> Evaluated | None:
        of_corpus = evaluate_domain(arm, evaluation, headings, categories, reports, split, found)
        if arm.part:
            return of_corpus
        leaked = [] if leakage is None else [evaluate_leakage(arm, leakage, headings)]
        return joined(of_corpus, [*leaked, *(of_domain(arm) for of_domain in others)])

    evaluate_run("domain", method, seed, evaluation, parameters.section("compute", Compute), measure, votes)


def asked_of_leakage(parameters: Parameters, held_out: Path) -> Asked | None:
    """What is asked of the training reports, as many members as held-out ones; None: nothing.

    The parts are in random order, so that the first reports are a random sample.
    """
    canaries, count = read_canaries(CANARIES), parameters.value("leakage.membership_reports")
    members: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    if count:
        members = [report for report in read_jsonl(TRAINING_REPORTS) if not is_canary(report)]
        others = read_jsonl(held_out)
        count = min(count, len(members), len(others))
    asked = Asked(
        canaries=canaries,
        candidates=parameters.value("leakage.candidates"),
        members=members[:count],
        held_out=others[:count],
        prefix_words=parameters.value("leakage.prefix_words"),
        target=parameters.value("training.target"),
        seed=parameters.value("leakage.seed"),
    )
    return asked if canaries or count else None


def other_domains(method: str | None) -> list[str]:
    """The domains besides the main corpus that the method is trained in; for the base, those of all methods.

    Raises:
        InputError: a file of theirs is not the one that the stage `inputs` saw.
    """
    if method is None:
        return [str(name) for name in read_json(DOMAINS / DOMAINS_LIST)]
    file = INPUTS / f"{method}.held_out.json"
    named = {name: DOMAINS / name for name in read_json(file)}
    return sorted({name.partition("/")[0] for name in checked_inputs(file, named)})


if __name__ == "__main__":
    main()
