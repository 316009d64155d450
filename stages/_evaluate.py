"""What the two evaluation stages share: the models of a run, and where their results are written."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from anamnesis.compute import configure_compute, is_main_process
from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.backends.vllm import vllm_models
from anamnesis.evaluation.cases import Case
from anamnesis.evaluation.divergence import from_base, of_the_base
from anamnesis.evaluation.harness import language_model
from anamnesis.files import write_json, write_jsonl, written_whole
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.student.saving import is_trained, load_student, models_of_run, saved_models
from anamnesis.settings.compute import Compute
from anamnesis.settings.evaluation import Evaluation
from stages._paths import ADAPTERS, BASE, EVALUATED, METRICS, SCORES


def evaluate_run(
    kind: str,
    method: str | None,
    seed: int | None,
    evaluation: Evaluation,
    compute: Compute,
    measure: Callable[[Arm], Evaluated | None],
    without_model: Mapping[str, Evaluated] | None = None,
) -> None:
    """Measure the base (`method` None), or a run's models: its student, its teacher and shares of its update.

    `without_model` holds the results of arms that are no models, by their names.

    The metrics are written to metrics/<kind>/<run>.json, by model name. The scores by case and the log of all
    questions, which may hold the text of a report, are written under data/.
    """
    configure_compute(compute)
    run = "base" if method is None else f"{method}-{seed}"
    measured: dict[str, Evaluated] = {}
    for arm in _arms(method, run, evaluation, compute):
        result = measure(arm)
        if result is not None:
            measured[arm.name] = result
    measured |= without_model or {}
    if is_main_process():
        write_jsonl(EVALUATED / kind / f"{run}.jsonl", (row for result in measured.values() for row in result.log))
        write_cases(SCORES / kind / f"{run}.csv", {name: result.cases for name, result in measured.items()})
        write_json(METRICS / kind / f"{run}.json", {name: result.metrics for name, result in measured.items()})


def write_cases(path: Path, by_arm: dict[str, Iterable[Case]]) -> None:
    """One row per arm, measure and case. Numbers are written in full, so that estimates can be computed again."""
    columns = [field.name for field in fields(Case)]
    with written_whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["arm", *columns])
        writer.writerows(
            [arm, *(getattr(case, column) for column in columns)] for arm, cases in by_arm.items() for case in cases
        )


def _arms(method: str | None, run: str, evaluation: Evaluation, compute: Compute) -> Iterator[Arm]:
    """The run's models. They share one language model: use each before you take the next."""
    folder = ADAPTERS / run
    if evaluation.backend == "vllm":
        saved: Mapping[str, Path | None] = {"base": None} if method is None else saved_models(method, folder)
        for name, engine in vllm_models(BASE, saved, evaluation.batch_size):
            yield Arm(name, engine)
        return
    base, tokenizer = load_base(BASE, compute)
    if method is None or not is_trained(folder):
        lm = language_model(base, tokenizer, evaluation.batch_size, evaluation.backend)
        yield Arm(method or "base", lm, of_the_base)
        return
    student = load_student(base, folder)
    lm = language_model(student, tokenizer, evaluation.batch_size, evaluation.backend)
    for name in models_of_run(student, method, folder):
        yield Arm(name, lm, from_base(lm, student), part=name not in saved_models(method, folder))
