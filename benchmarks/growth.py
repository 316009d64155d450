"""How a training step grows with the batch and with the length, and its preparation with the corpus.

Each exponent is the slope of a line fitted to the logarithms: 1 is growth in proportion. A small model, one thread.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from math import log
from pathlib import Path
from statistics import linear_regression, median
from tempfile import TemporaryDirectory

import click
import torch

from anamnesis.modeling.loading import load_base
from anamnesis.modeling.pretraining import train_tokenizer
from anamnesis.rendering import completion, prompt
from anamnesis.settings.compute import Compute
from anamnesis.settings.rendering import Headings
from anamnesis.settings.sections import read_yaml, section
from anamnesis.settings.synthesis import Synthesis
from anamnesis.synthesis import synthesize
from anamnesis.training.data import encode_reports
from benchmarks import ROOT, numbers, table
from benchmarks._models import (
    KEEP_FREED_MEMORY,
    METHODS,
    InTurn,
    PeakMemory,
    PeakResident,
    Seconds,
    cached_states,
    process_memory,
    project_trainer,
    quiet,
    qwen2,
    random_base,
    random_reports,
    restart_with,
    student_and_teacher,
)

CPU = Compute(device="cpu", threads=1)
VOCABULARY = 4096
STEP = qwen2(VOCABULARY, hidden=256, intermediate=704, layers=4, heads=4, key_value_heads=2)
CORPUS = qwen2(VOCABULARY, hidden=128, intermediate=352, layers=2, heads=4, key_value_heads=2)
MEASURED = ("none", "ema")


def exponent(sizes: Sequence[float], values: Sequence[float]) -> str:
    return f"{linear_regression([log(s) for s in sizes], [log(v) for v in values]).slope:.2f}"


def step(folder: Path, batch: int, length: int, method: str, rounds: int) -> tuple[float, float]:
    """Seconds and bytes of one step."""
    base, tokenizer = load_base(folder / "base", CPU)
    model, teacher = student_and_teacher(base, METHODS[method])
    reports = random_reports(batch, length, VOCABULARY)
    trainer = project_trainer(model, teacher, tokenizer, reports, METHODS[method], batch, CPU, folder / "scratch")
    steps, memory, times = InTurn(trainer, CPU.threads), PeakMemory(), []
    steps.step(nullcontext())
    steps.step(memory)
    for _ in range(rounds):
        seconds = Seconds()
        steps.step(seconds)
        times.append(seconds.value)
    steps.stop()
    return median(times), memory.value


def grown(sizes: Sequence[int], measure: Callable[[int, str], tuple[float, float]]) -> Iterator[list[str]]:
    """A row for each size, and the exponents."""
    values = [[number for method in MEASURED for number in measure(size, method)] for size in sizes]
    for size, row in zip(sizes, values, strict=True):
        yield [str(size), *(f"{v * 1e3:.0f}" if i % 2 == 0 else f"{v / 1e6:.1f}" for i, v in enumerate(row))]
    yield ["exponent", *(exponent(sizes, column) for column in zip(*values, strict=True))]


def prepare(folder: Path, sizes: Sequence[int]) -> Iterator[list[str]]:
    """Encoding a corpus, and the frozen teacher's states over it, as the stages `train` and `teacher` do."""
    parameters = read_yaml(ROOT / "params.yaml")
    headings = section(parameters, "corpus.headings", Headings)
    reports = synthesize(
        section(parameters | {"synthesis": parameters["synthesis"] | {"reports": max(sizes)}}, "synthesis", Synthesis)
    )
    texts = [prompt(r["description"], headings) + completion(r["category"], r["conclusion"]) for r in reports[:1000]]
    tokenizer = train_tokenizer(texts, VOCABULARY)
    base, _ = random_base(CORPUS, folder, "none", "float32", CPU)
    gc.collect()
    start, values = process_memory("VmRSS"), []
    for size in sizes:
        with PeakResident() as memory:
            with Seconds() as encoding:
                encoded = encode_reports(reports[:size], headings, tokenizer, "conclusion", 10**4)
            with Seconds() as states:
                cached_states(base, tokenizer, encoded, folder / str(size))
        disk = (folder / str(size) / "states.bin").stat().st_size
        values.append([encoding.value, states.value, memory.value - start, disk])
        del encoded
    for size, (encoding_s, states_s, peak, written) in zip(sizes, values, strict=True):
        yield [str(size), f"{encoding_s:.1f}", f"{states_s:.1f}", f"{peak / 1e6:.0f}", f"{written / 1e6:.0f}"]
    yield ["exponent", *(exponent(sizes, column) for column in zip(*values, strict=True))]


@click.command(help=__doc__)
@click.option("--batches", default="1,2,4,8,16", show_default=True, help="At 256 tokens.")
@click.option("--lengths", default="64,128,256,512,1024", show_default=True, help="In batches of 4.")
@click.option("--reports", default="1000,4000,16000", show_default=True, help="Of the synthetic corpus.")
@click.option("--rounds", default=5, show_default=True)
def main(batches: str, lengths: str, reports: str, rounds: int) -> None:
    restart_with(KEEP_FREED_MEMORY)
    torch.set_num_threads(1)
    quiet()
    columns = ["encoding s", "teacher's states s", "highest MB above the start", "states on disk MB"]
    with TemporaryDirectory() as temporary:
        print(table(["reports in the corpus", *columns], prepare(Path(temporary), numbers(reports))), flush=True)
    of_step = [f"`{method}` {unit}" for method in MEASURED for unit in ("ms", "step MB")]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        random_base(STEP, folder, "none", "float32", CPU)
        rows = grown(numbers(batches), lambda size, method: step(folder, size, 256, method, rounds))
        print(f"\n{table(['reports in a step', *of_step], rows)}", flush=True)
        rows = grown(numbers(lengths), lambda size, method: step(folder, 4, size, method, rounds))
        print(f"\n{table(['tokens of a report', *of_step], rows)}")


if __name__ == "__main__":
    main()
