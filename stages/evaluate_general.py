"""Measure general capabilities: the profile's tasks, general text by kind, the base's own text, and template leak."""

import click

from anamnesis.evaluation.definitions import load
from anamnesis.evaluation.general import Sources, evaluate_general
from anamnesis.files import read_json
from anamnesis.settings.compute import Compute
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.rendering import Headings
from stages._evaluate import evaluate_run
from stages._paths import BASE_TEXT, CATEGORIES, EXAM, HELD_OUT_TEXT
from stages._stage import Parameters, stage


@click.command(help=__doc__)
@click.option("--method", help="A section of params.yaml; without it the base is measured.")
@click.option("--seed", type=int)
@stage
def main(method: str | None, seed: int | None) -> None:
    parameters = Parameters("evaluate_base_general" if method is None else f"evaluate_general@{method}-{seed}")
    evaluation = parameters.section("evaluation", Evaluation)
    headings = parameters.section("corpus.headings", Headings)
    categories = read_json(CATEGORIES)["names"]
    # What cannot be asked is refused before a model is loaded.
    for name, task in evaluation.tasks.items():
        load(name, task, EXAM)
    sources = Sources(EXAM, HELD_OUT_TEXT, BASE_TEXT)
    evaluate_run(
        "general",
        method,
        seed,
        evaluation,
        parameters.section("compute", Compute),
        lambda arm: evaluate_general(arm, evaluation, headings, categories, sources),
    )


if __name__ == "__main__":
    main()
