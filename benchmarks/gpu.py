"""Qwen2-1.5B's size on one GPU: tokens per second, share of the matrix rate, peak memory; MMLU and a whole training.

It needs no download and takes less than ten minutes: the configuration is the real one, the weights are random and the
base is 4-bit. To try it without a GPU: --device cpu --layers 2 --batches 1,2 --length 64 --questions 8.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Literal

import click
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Qwen2Config

from anamnesis.compute import configure_compute
from anamnesis.evaluation.backends.stock import Request
from anamnesis.evaluation.harness import language_model
from anamnesis.markdown import table
from anamnesis.modeling.loading import load_base
from anamnesis.settings.compute import Compute
from benchmarks._models import (
    METHODS,
    VOCABULARY,
    InTurn,
    PeakMemory,
    Seconds,
    cached_states,
    flops,
    project_trainer,
    quiet,
    qwen2_1_5b,
    random_base,
    random_reports,
    student_and_teacher,
    supervised_tokens,
    versions,
)

ARMS = {"none": "none", "cached": "static", "ema": "ema"}
REPORTS, EPOCHS = 27_000, 3
# Five-shot MMLU in Qwen2's tokens: 57 subjects, 14,042 questions, 9.66 M prompt tokens, 83 % of them the worked
# examples that the questions of a subject share.
SUBJECTS, QUESTIONS = 57, 14_042
SHARED_TOKENS, OWN_TOKENS, CHOICES = 573, 117, 4


def matrix_rate(device: str) -> float:
    """Floating-point operations per second of a large matrix product, in the precision of training."""
    size, dtype = (8192, torch.bfloat16) if device == "cuda" else (1024, torch.float32)
    first, second = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    times = []
    for _ in range(10):
        seconds = Seconds()
        with seconds:
            first @ second
        times.append(seconds.value)
    return 2 * size**3 / median(times)


@dataclass(frozen=True)
class Machine:
    compute: Compute
    rate: float
    until: float


def steps(
    config: Qwen2Config, folder: Path, machine: Machine, arm: str, batches: list[int], length: int
) -> Iterator[list[str]]:
    """A row for each batch, up to the first that does not fit or would start too late."""
    reports = random_reports(max(batches), length, config.vocab_size)
    base, tokenizer = load_base(folder / "base", machine.compute)
    states = cached_states(base, tokenizer, reports, folder / "teacher") if arm == "cached" else None
    method = METHODS[ARMS[arm]]
    student, teacher = student_and_teacher(base, method, states)
    for batch in batches:
        if time.monotonic() > machine.until:
            yield [arm, str(batch), "no time left", *[""] * 4]
            return
        try:
            trainer = project_trainer(
                student, teacher, tokenizer, reports, method, batch, machine.compute, folder / "scratch", True
            )
            seconds, peak = measured(InTurn(trainer, machine.compute.threads))
        except torch.OutOfMemoryError:
            yield [arm, str(batch), "out of memory", *[""] * 4]
            return
        work = flops(config, batch, length, supervised_tokens(length), arm, checkpointing=True)
        yield [
            arm,
            str(batch),
            f"{seconds * 1e3:.0f}",
            f"{batch * length / seconds:,.0f}",
            f"{work / seconds / machine.rate:.0%}",
            f"{peak / 1e9:.2f}",
            f"{REPORTS * EPOCHS / batch * seconds / 3600:.1f}",
        ]


def measured(contestant: InTurn) -> tuple[float, float]:
    """Seconds of a step (median of three) and its peak memory in bytes."""
    memory, times = PeakMemory(), []
    contestant.step(nullcontext())
    contestant.step(memory)
    for _ in range(3):
        seconds = Seconds()
        contestant.step(seconds)
        times.append(seconds.value)
    held = contestant.resident()
    contestant.stop()
    return median(times), held + memory.value


def mmlu(
    base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, subjects: int, questions: int, batch: int
) -> tuple[float, float]:
    """Seconds for questions of random tokens in MMLU's proportions, and for as many questions as MMLU has."""
    tokens = torch.Generator().manual_seed(0)

    def some(count: int) -> list[int]:
        return torch.randint(1, base.config.vocab_size, (count,), generator=tokens).tolist()

    requests: list[Request] = []
    for _ in range(subjects):
        examples = some(SHARED_TOKENS)
        for _ in range(questions):
            prompt = examples + some(OWN_TOKENS)
            requests += [(None, prompt, [choice]) for choice in range(1, CHOICES + 1)]
    lm = language_model(base, tokenizer, batch)
    lm._loglikelihood_tokens(requests[: CHOICES * 2], disable_tqdm=True)
    seconds = Seconds()
    with seconds:
        lm._loglikelihood_tokens(requests, disable_tqdm=True)
    return seconds.value, seconds.value * QUESTIONS / (subjects * questions)


@click.command(help=__doc__)
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--layers", default=28, show_default=True)
@click.option("--vocabulary", default=VOCABULARY, show_default=True)
@click.option("--batches", default="1,2,4,8,16,32", show_default=True)
@click.option("--length", default=1024, show_default=True, help="Tokens of a report.")
@click.option("--subjects", default=2, show_default=True, help="MMLU subjects to measure with.")
@click.option("--questions", default=246, show_default=True, help="Per subject; MMLU has 246 on average.")
@click.option("--mmlu-batch", default=32, show_default=True, help="Questions per forward pass.")
@click.option("--minutes", default=7.0, show_default=True, help="No batch starts after this time.")
def main(
    device: Literal["cuda", "cpu"],
    layers: int,
    vocabulary: int,
    batches: str,
    length: int,
    subjects: int,
    questions: int,
    mmlu_batch: int,
    minutes: float,
) -> None:
    until = time.monotonic() + 60 * minutes
    if device == "cuda" and not torch.cuda.is_available():
        raise click.ClickException(
            "this machine has no CUDA device: use one that has, or try the parts with "
            "--device cpu --layers 2 --batches 1,2 --length 64 --questions 8."
        )
    quiet()
    config = qwen2_1_5b(layers, vocabulary)
    compute = Compute(device=device, threads=4 if device == "cuda" else 1)
    configure_compute(compute)
    machine = Machine(compute, matrix_rate(device), until)
    print(f"{versions()}; matrix product {machine.rate / 1e12:.3g} TFLOP/s")
    print(f"nf4, {layers} layers, {length} tokens a report, activations recomputed\n")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        random_base(config, folder, "nf4", "bfloat16" if device == "cuda" else "float32", compute)
        base, tokenizer = load_base(folder / "base", compute)
        taken, whole = mmlu(base, tokenizer, subjects, questions, mmlu_batch)
        print(
            f"MMLU 5-shot: {subjects} x {questions} questions of random tokens with shared worked examples in "
            f"{taken:.0f} s, all {QUESTIONS:,} would take {whole:.0f} s\n"
        )
        del base
        header = ["", "batch", "ms", "tokens/s", "of the matrix rate", "peak GB", f"h for {REPORTS:,} x {EPOCHS}"]
        sizes = [int(size) for size in batches.split(",")]
        rows: list[list[str]] = []
        for arm in ARMS:
            rows += steps(config, folder, machine, arm, sizes, length)
            gc.collect()
        print(table(header, rows))


if __name__ == "__main__":
    main()
