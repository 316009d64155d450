"""Measure general knowledge: MMLU or the exam over the facts, and bits per byte of general text."""

import click

from anamnesis.evaluation.mmlu import evaluate_mmlu
from anamnesis.settings.compute import Compute
from anamnesis.settings.evaluation import Evaluation
from stages._evaluate import evaluate_run
from stages._paths import EXAM, HELD_OUT_TEXT
from stages._stage import Parameters, stage


@click.command(help=__doc__)
@click.option("--method", help="A section of params.yaml; without it the base is measured.")
@click.option("--seed", type=int)
@stage
def main(method: str | None, seed: int | None) -> None:
    parameters = Parameters("evaluate_base_mmlu" if method is None else f"evaluate_mmlu@{method}-{seed}")
    evaluation = parameters.section("evaluation", Evaluation)
    evaluate_run(
        "mmlu",
        method,
        seed,
        evaluation,
        parameters.section("compute", Compute),
        lambda lm, name: evaluate_mmlu(lm, name, evaluation, EXAM, HELD_OUT_TEXT),
    )


if __name__ == "__main__":
    main()
