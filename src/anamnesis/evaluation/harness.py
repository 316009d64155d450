"""Run the tasks of lm-evaluation-harness."""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from numbers import Real
from pathlib import Path
from typing import Any, Literal

import lm_eval
from accelerate import Accelerator, PartialState
from lm_eval.api.model import TemplateLM
from lm_eval.evaluator import evaluate
from lm_eval.utils import env as jinja
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from anamnesis.errors import InputError
from anamnesis.evaluation.backends.shared_prefix import SharedPrefixLM
from anamnesis.evaluation.backends.stock import StockLM
from anamnesis.evaluation.definitions import Loaded, load_task, task_manager
from anamnesis.modeling.student.student import Student

FEWSHOT_SEED = 1234


@dataclass(frozen=True)
class Measured:
    """The measurements of a task.

    `results` holds the harness's scores by task or group. `questions` holds its log by task, one entry per question in
    the order of the questions. `prompts_cut` is the number of prompts that lost their beginning, None if the backend
    does not count them.
    """

    results: Mapping[str, Mapping[str, Any]]
    questions: Mapping[str, list[dict[str, Any]]]
    versions: Mapping[str, Any]
    prompts_cut: int | None


def language_model(
    model: PreTrainedModel | Student,
    tokenizer: PreTrainedTokenizerBase,
    batch_size: int,
    backend: Literal["shared_prefix", "hf"] = "shared_prefix",
) -> StockLM:
    """Wrap a base or a student in memory for the harness; under torchrun it answers this process's share of questions.

    It uses the weights that the student holds when a task runs, so one wrapper serves all models of a run.
    Probabilities are computed in fp32: in bf16 different answers get equal ones.
    """
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    kind: type[StockLM] = SharedPrefixLM if backend == "shared_prefix" else StockLM
    student = model if isinstance(model, Student) else None
    lm = kind(
        pretrained=model if student is None else student.model,
        student=student,
        tokenizer=tokenizer,
        batch_size=batch_size,
        softmax_dtype="float32",
    )
    on_cpu = lm.device.type == "cpu"
    if PartialState(cpu=on_cpu).num_processes > 1:
        # HFLM sets these itself only if it has loaded the model.
        lm.accelerator = Accelerator(cpu=on_cpu)
        lm._rank, lm._world_size = lm.accelerator.process_index, lm.accelerator.num_processes
    return lm


def run_task(
    lm: TemplateLM,
    task: str,
    folders: Iterable[Path],
    metadata: Mapping[str, Any],
    limit: int | None,
    num_fewshot: int | None = None,
    max_new_tokens: int | None = None,
) -> Measured | None:
    """Evaluate `task`, a task or group defined in `folders`.

    The harness's task index is limited to `folders`, because an index of all its tasks takes 13 s to build.

    Args:
        lm: the model.
        task: name of the task or group.
        folders: folders of task YAML; a task replaces one of the same name in an earlier folder.
        metadata: passed to the functions that build the documents.
        limit, num_fewshot, max_new_tokens: see `run_loaded`.

    Raises:
        InputError: there are fewer questions than processes.
    """
    return run_loaded(lm, load_task(task, task_manager(folders, metadata)), limit, num_fewshot, max_new_tokens)


def run_loaded(
    lm: TemplateLM,
    loaded: Loaded,
    limit: int | None,
    num_fewshot: int | None = None,
    max_new_tokens: int | None = None,
) -> Measured | None:
    """Evaluate a task or group that the harness has loaded.

    Each of several processes runs its share; the main one returns the result, the others return None.

    Args:
        lm: the model.
        loaded: the task or group.
        limit: use only the first `limit` questions of each task; None uses all.
        num_fewshot: worked examples before each question; None keeps the task's own number.
        max_new_tokens: longest generation, tokens; None keeps the task's own.

    Raises:
        InputError: there are fewer questions than processes.
    """
    for leaf in loaded["tasks"].values():
        if num_fewshot is not None or leaf.get_config("num_fewshot") is None:
            leaf.set_config("num_fewshot", num_fewshot or 0)
        if max_new_tokens is not None:
            leaf.set_config("generation_kwargs", {"max_gen_toks": max_new_tokens}, update=True)
        leaf.set_fewshot_seed(FEWSHOT_SEED)
        questions = min(limit or len(leaf.eval_docs), len(leaf.eval_docs))
        if questions < lm.world_size:
            raise InputError(
                f"{leaf.task_name} has {questions} questions for {lm.world_size} processes: start fewer of them, by "
                f"`launch`."
            )
    cut_before = getattr(lm, "truncated", None)
    with _templates_compiled_once():
        output = evaluate(lm, task_dict=loaded, limit=limit, bootstrap_iters=0, log_samples=True)
    cut = lm.gather_object(None if cut_before is None else lm.truncated - cut_before)
    if output is None:
        return None
    for name, log in output["samples"].items():
        check_finite(name, log)
    return Measured(
        results={**output["results"], **(output.get("groups") or {})},
        questions={task: sorted(log, key=lambda row: row["doc_id"]) for task, log in output["samples"].items()},
        versions=output["versions"],
        prompts_cut=None if None in cut else sum(cut),
    )


def check_finite(task: str, questions: Iterable[Mapping[str, Any]]) -> None:
    """Refuse log-likelihoods that are not finite: a choice among NaN is the first one, and looks like an answer.

    Raises:
        InputError: with the task and the first such question's number.
    """
    for question in questions:
        for answer in question["filtered_resps"]:
            number = answer[0] if isinstance(answer, tuple | list) else answer
            if isinstance(number, Real) and not math.isfinite(number):
                raise InputError(
                    f"{task}: the log-likelihood of question {question['doc_id']} is {number}: the model's numbers "
                    f"overflow; train it again with a lower learning rate, or set `model.dtype` to float32 or bfloat16."
                )


@contextmanager
def _templates_compiled_once() -> Iterator[None]:
    """Without this the harness compiles a template for every document: 10 ms per five-shot prompt."""
    jinja.from_string = cache(jinja.from_string)
    try:
        yield
    finally:
        del jinja.from_string


def log_rows(model: str, measured: Measured) -> Iterator[dict[str, Any]]:
    """The per-question log without texts of prompts: each question's number and hash, and the model's responses."""
    for task, questions in measured.questions.items():
        for question in questions:
            yield {
                "model": model,
                "task": task,
                "doc_id": question["doc_id"],
                "prompt_hash": question["prompt_hash"],
                "target": question["target"],
                "responses": question["filtered_resps"],
            }


def settings_used(lm: TemplateLM, measured: Sequence[Measured]) -> dict[str, Any]:
    """What the scores depend on besides the model: harness version, task versions, batch size, and cut prompts."""
    cut = [one.prompts_cut for one in measured]
    return {
        "lm_eval": lm_eval.__version__,
        "backend": getattr(lm, "path", "vllm"),
        "batch_size": lm.batch_size,
        "task_versions": {task: version for one in measured for task, version in one.versions.items()},
        "prompts_cut": None if None in cut else sum(cut),
    }
