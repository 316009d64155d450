"""Running tasks of lm-evaluation-harness on a model in memory."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lm_eval
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

TASKS = Path(__file__).parent / "tasks"
FEWSHOT_SEED = 1234


@dataclass(frozen=True)
class Measured:
    """`results`: the harness's numbers by task or group; `questions`: its log, by task, one entry a question."""

    results: Mapping[str, Mapping[str, Any]]
    questions: Mapping[str, list[dict[str, Any]]]
    versions: Mapping[str, Any]


def language_model(model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, batch_size: int) -> HFLM:
    """The harness's view of a model. Probabilities in fp32: in bf16 answers tie."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, softmax_dtype="float32")


def run_task(
    lm: HFLM,
    task: str,
    folders: Iterable[Path],
    metadata: Mapping[str, Any],
    limit: int | None,
    num_fewshot: int | None = None,
    max_new_tokens: int | None = None,
) -> Measured:
    """Evaluate `task`, a task or group found in `folders`.

    The harness's task index is limited to `folders`: building it over all its tasks takes 13 s.

    Args:
        lm: the model.
        task: name of a task or a group.
        folders: where task YAML is; a later folder's task replaces an earlier one's of the same name.
        metadata: given to the functions that build the documents.
        limit: questions per task, the first ones; None takes all.
        num_fewshot: worked examples before each question; None leaves the task's own number.
        max_new_tokens: longest generation; None leaves the task's own.
    """
    manager = TaskManager(
        include_path=[str(folder) for folder in folders], include_defaults=False, metadata=dict(metadata)
    )
    loaded = manager.load([task])
    for leaf in loaded["tasks"].values():
        if num_fewshot is not None or leaf.get_config("num_fewshot") is None:
            leaf.set_config("num_fewshot", num_fewshot or 0)
        if max_new_tokens is not None:
            leaf.set_config("generation_kwargs", {"max_gen_toks": max_new_tokens}, update=True)
        leaf.set_fewshot_seed(FEWSHOT_SEED)
    output = evaluate(lm, task_dict=loaded, limit=limit, bootstrap_iters=0, log_samples=True)
    groups = output.get("groups") or {}
    return Measured(results={**output["results"], **groups}, questions=output["samples"], versions=output["versions"])


def log_rows(model: str, measured: Measured) -> Iterator[dict[str, Any]]:
    """The harness's per-question log without the prompts: what was asked by number and hash, and what came."""
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


def settings_used(lm: HFLM, measured: Iterable[Measured]) -> dict[str, Any]:
    """What a score depends on besides the model: harness version, task versions, batch size."""
    versions = {task: version for one in measured for task, version in one.versions.items()}
    return {"lm_eval": lm_eval.__version__, "batch_size": lm.batch_size, "task_versions": versions}
