"""Five-shot MMLU through lm-evaluation-harness: its Hugging Face model class against the one that shares prefixes.

The model has random weights; with --base it is a saved base, such as models/base of a run.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import torch
import yaml
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM, set_seed

from anamnesis.evaluation.definitions import HARNESS_MMLU, task_folders
from anamnesis.evaluation.documents import read_mmlu_csv
from anamnesis.evaluation.harness import FEWSHOT_SEED, language_model, run_task
from anamnesis.markdown import table
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.pretraining import train_tokenizer
from anamnesis.settings.compute import Compute

GROUP = "benchmark"
SUBJECTS = sorted(path.stem.removeprefix("mmlu_") for path in HARNESS_MMLU["mmlu"].glob("mmlu_*.yaml"))
Log = dict[str, list[dict[str, Any]]]


@dataclass
class Seconds:
    """The time of one evaluation: in total, for tokenizing, and for forward passes."""

    total: float = 0.0
    tokenizing: float = 0.0
    forward: float = 0.0


@click.command(help=__doc__)
@click.option("--mmlu", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--task", default="mmlu", show_default=True, type=click.Choice(list(HARNESS_MMLU)))
@click.option("--base", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Computed in fp32.")
@click.option("--subjects", default=12, show_default=True, help="Spread evenly over the 57.")
@click.option("--questions", default=30, show_default=True, help="Per subject.")
@click.option("--batch-size", default=16, show_default=True)
@click.option("--vocab", type=int, help="Size of the output head. Default: the tokenizer's.")
@click.option("--threads", default=1, show_default=True)
def main(
    mmlu: Path,
    task: str,
    base: Path | None,
    subjects: int,
    questions: int,
    batch_size: int,
    vocab: int | None,
    threads: int,
) -> None:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    torch.set_num_threads(threads)
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    if base is None:
        tokenizer: PreTrainedTokenizerBase = train_tokenizer(worked_examples(mmlu), vocab_size=4096)
        model: PreTrainedModel = random_model(tokenizer, vocab or len(tokenizer))
    else:
        model, tokenizer = load_base(base, Compute(device="cpu", threads=threads))
        model.float()
    chosen = SUBJECTS[:: max(1, len(SUBJECTS) // subjects)][:subjects]
    stock = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, softmax_dtype="float32")
    ours = language_model(model, tokenizer, batch_size)

    with folders_with_group(mmlu, task, chosen) as folders:

        def by_harness(limit: int) -> Log:
            return evaluate_plainly(stock, folders, limit)

        def by_run_task(limit: int) -> Log:
            measured = run_task(ours, GROUP, folders, {}, limit, num_fewshot=5)
            return {} if measured is None else dict(measured.questions)

        by_harness(1)
        # One question per subject loads the libraries; almost nothing of it stays in the caches.
        by_run_task(1)
        theirs, stock_log = timed(stock, lambda: by_harness(questions))
        first, ours_log = timed(ours, lambda: by_run_task(questions))
        second, _ = timed(ours, lambda: by_run_task(questions))

    asked = [question for log in ours_log.values() for question in log]
    accuracy = sum(question["acc"] for question in asked) / len(asked)
    print(f"{task}, {len(chosen)} subjects, {len(asked)} questions, five-shot, accuracy {accuracy:.3f}; ", end="")
    print(f"batch size {batch_size}, ")
    print(f"vocabulary {model.config.vocab_size}, {threads} thread(s).\n")
    parts: list[tuple[str, Callable[[Seconds], float]]] = [
        ("tasks, templates, scores", lambda s: s.total - s.tokenizing - s.forward),
        ("tokenizing", lambda s: s.tokenizing),
        ("forward", lambda s: s.forward),
        ("all", lambda s: s.total),
    ]
    rows = []
    for name, part in parts:
        a, b, c = part(theirs), part(first), part(second)
        rows.append([name, f"{a:.2f}", f"{b:.2f}", f"{a / b:.1f}", f"{c:.2f}", f"{a / c:.1f}"])
    print(table(["seconds", "HFLM", "shared prefix", "times faster", "second adapter", "times faster"], rows))
    print("\n" + agreement(stock_log, ours_log))


def worked_examples(mmlu: Path) -> Iterator[str]:
    for subject in SUBJECTS:
        for row in read_mmlu_csv(mmlu / "dev" / f"{subject}_dev.csv", subject):
            yield "\n".join([row["question"], *row["choices"], "Answer: A B C D"])


def random_model(tokenizer: PreTrainedTokenizerBase, vocab_size: int) -> Qwen2ForCausalLM:
    """The tiny profile's shape with room for the longest prompts, and weights large enough that answers differ."""
    set_seed(0)
    config = Qwen2Config(
        vocab_size=vocab_size,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        initializer_range=0.1,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config).eval()


@contextmanager
def folders_with_group(mmlu: Path, task: str, subjects: list[str]) -> Iterator[list[Path]]:
    """Task folders of the real MMLU, and a group of some of its subjects."""
    with task_folders(task, str(mmlu)) as folders, TemporaryDirectory() as scratch:
        group = {"group": GROUP, "task": [f"mmlu_{subject}{task.removeprefix('mmlu')}" for subject in subjects]}
        (Path(scratch) / "group.yaml").write_text(yaml.safe_dump(group), encoding="utf-8")
        yield [*folders, Path(scratch)]


def evaluate_plainly(lm: HFLM, folders: list[Path], limit: int) -> Log:
    """The harness as a user would call it, with its index limited to the folders (which saves 13 s)."""
    manager = TaskManager(include_path=[str(folder) for folder in folders], include_defaults=False)
    loaded = manager.load([GROUP])
    for leaf in loaded["tasks"].values():
        leaf.set_config("num_fewshot", 5)
        leaf.set_fewshot_seed(FEWSHOT_SEED)
    output = evaluate(lm, task_dict=loaded, limit=limit, bootstrap_iters=0, log_samples=True)
    log: Log = output["samples"]
    return log


def timed(lm: HFLM, run: Callable[[], Log]) -> tuple[Seconds, Log]:
    """Run, and measure where the time goes."""
    seconds = Seconds()
    answers, tokens = lm.loglikelihood, lm._loglikelihood_tokens

    def whole(*args: Any, **kwargs: Any) -> Any:
        start, forward = time.perf_counter(), seconds.forward
        result = answers(*args, **kwargs)
        seconds.tokenizing += time.perf_counter() - start - (seconds.forward - forward)
        return result

    def forward(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = tokens(*args, **kwargs)
        seconds.forward += time.perf_counter() - start
        return result

    lm.loglikelihood, lm._loglikelihood_tokens = whole, forward
    try:
        start = time.perf_counter()
        log = run()
        seconds.total = time.perf_counter() - start
    finally:
        del lm.loglikelihood, lm._loglikelihood_tokens
    return seconds, log


def agreement(theirs: Log, ours: Log) -> str:
    """How two logs of the same questions differ."""
    pairs = [
        (a["filtered_resps"], b["filtered_resps"])
        for task in theirs
        for a, b in zip(theirs[task], ours[task], strict=True)
    ]
    same = sum(max(range(4), key=lambda i: a[i][0]) == max(range(4), key=lambda i: b[i][0]) for a, b in pairs)
    greedy = sum([g for _, g in a] == [g for _, g in b] for a, b in pairs)
    apart = max(abs(x - y) for a, b in pairs for (x, _), (y, _) in zip(a, b, strict=True))
    return (
        f"Identical predictions: {same} of {len(pairs)}; identical greedy flags: {greedy} of {len(pairs)}; "
        f"largest difference of a log-likelihood: {apart:.1e}."
    )


if __name__ == "__main__":
    main()
