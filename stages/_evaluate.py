"""What the two evaluation stages share: which models of a run there are, and where their results go."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lm_eval.models.huggingface import HFLM

from anamnesis.evaluation.harness import language_model
from anamnesis.files import write_json, write_jsonl
from anamnesis.modeling.adapters import STUDENT, load_adapters
from anamnesis.modeling.loading import configure_compute, load_base
from anamnesis.settings import Compute, Evaluation

Measure = Callable[[HFLM, str], tuple[dict[str, Any], list[dict[str, Any]]]]


def evaluate_run(
    kind: str, method: str | None, seed: int | None, evaluation: Evaluation, compute: Compute, measure: Measure
) -> None:
    """Measure the base (`method` None), or a run's student and, if it was saved, its teacher as a model of its own.

    Writes metrics/<kind>/<run>.json by model name, and the per-question log under data/, where a report's text
    may be.
    """
    configure_compute(compute)
    base, tokenizer = load_base(Path("models/base"), compute)
    metrics: dict[str, Any] = {}
    log: list[dict[str, Any]] = []
    if method is None:
        run = "base"
        metrics["base"], log = measure(language_model(base, tokenizer, evaluation.batch_size), "base")
    else:
        run = f"{method}-{seed}"
        model, adapters = load_adapters(base, Path("models/adapters") / run)
        for adapter in adapters:
            name = method if adapter == STUDENT else f"{method}_{adapter}"
            model.set_adapter(adapter, inference_mode=True)
            lm = language_model(model, tokenizer, evaluation.batch_size)
            metrics[name], rows = measure(lm, name)
            log += rows
    write_jsonl(Path("data/evaluated") / kind / f"{run}.jsonl", log)
    write_json(Path("metrics") / kind / f"{run}.json", metrics)
