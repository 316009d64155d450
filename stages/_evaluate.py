"""What the two evaluation stages share: the models of a run, and where their results go."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM

from anamnesis.compute import configure_compute, is_main_process
from anamnesis.evaluation.backends.vllm import vllm_models
from anamnesis.evaluation.harness import language_model
from anamnesis.files import write_json, write_jsonl
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.student.saving import TEACHER, load_student, models_of_run
from anamnesis.settings.compute import Compute
from anamnesis.settings.evaluation import Evaluation
from stages._paths import ADAPTERS, BASE, EVALUATED, METRICS

Measure = Callable[[TemplateLM, str], tuple[dict[str, Any], list[dict[str, Any]]] | None]


def evaluate_run(
    kind: str, method: str | None, seed: int | None, evaluation: Evaluation, compute: Compute, measure: Measure
) -> None:
    """Measure the base (`method` None), or a run's models: its student, its teacher, shares of its update.

    Writes metrics/<kind>/<run>.json, by model name, and the log of all questions under data/: it may hold the text of
    a report.
    """
    configure_compute(compute)
    run = "base" if method is None else f"{method}-{seed}"
    metrics: dict[str, Any] = {}
    log: list[dict[str, Any]] = []
    for name, lm in _models(method, run, evaluation, compute):
        measured = measure(lm, name)
        if measured is not None:
            metrics[name], rows = measured
            log += rows
    if is_main_process():
        write_jsonl(EVALUATED / kind / f"{run}.jsonl", log)
        write_json(METRICS / kind / f"{run}.json", metrics)


def _models(method: str | None, run: str, evaluation: Evaluation, compute: Compute) -> Iterator[tuple[str, TemplateLM]]:
    """The run's models by name. They share one language model: use each before taking the next."""
    folder = ADAPTERS / run
    if evaluation.backend == "vllm":
        saved: dict[str, Path | None] = {"base": None} if method is None else {method: folder}
        if (folder / TEACHER).is_dir():
            saved[f"{method}_{TEACHER}"] = folder / TEACHER
        yield from vllm_models(BASE, saved, evaluation.batch_size)
        return
    base, tokenizer = load_base(BASE, compute)
    if method is None:
        yield "base", language_model(base, tokenizer, evaluation.batch_size, evaluation.backend)
        return
    student = load_student(base, folder)
    lm = language_model(student.model, tokenizer, evaluation.batch_size, evaluation.backend)
    for name in models_of_run(student, method, folder):
        yield name, lm
