"""A training step of every method of a run against one of plain fine-tuning: time and memory, beside the counted limit.

Runs in the root of a project in which `make repro` has made what the methods of params.yaml read (`dvc repro inputs` is
enough). Each trainer is the one of the stage `train`. All take their steps in turn, on the same reports in the same
process, and every ratio is the median over rounds of the ratio within a round. Of a chain it is the step on the corpus.
The limit is the ratio of the matrix products that a step cannot avoid.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import click
import torch

from anamnesis.forecasting.counting import method_flops
from anamnesis.markdown import table
from anamnesis.methods.teachers import CachedTeacher
from anamnesis.settings.methods import MAIN
from anamnesis.settings.reading import read_experiment
from anamnesis.training.data import supervised_counts
from anamnesis.training.trainer import DistillationTrainer
from benchmarks._models import KEEP_FREED_MEMORY, MAX_STEPS, InTurn, Seconds, quiet, restart_with
from benchmarks.step import Measured, measure, ratio
from stages import ROOT
from stages.train import Run, open_monitor, read_run, texts_to_replay, trainer_of

PLAIN = "none"


@dataclass(frozen=True)
class Section:
    """A method's trainer, the operations of its step, and what a budget adds to a step, in seconds."""

    trainer: DistillationTrainer
    flops: float
    watching: float


def section(run: Run, scratch: Path) -> Section:
    """The trainer of the stage `train`, without a measurement of a budget or of the curves between two steps."""
    measured = replace(
        run,
        arm=replace(run.arm, budget=None),
        training=replace(run.training, log_every_steps=MAX_STEPS),
        optimization=replace(run.optimization, save_every_steps=None, max_steps=MAX_STEPS),
    )
    trainer, reports = trainer_of(measured, MAIN, (), scratch / run.name, [])
    tokenizer, text_tokens = trainer.processing_class, 0.0
    if run.arm.replay is not None:
        texts = texts_to_replay(
            run.arm.replay, run.inputs, tokenizer, run.optimization.max_length, run.tuner.virtual_tokens
        )
        text_tokens = fmean(map(len, texts["input_ids"]))
    watching = 0.0
    if run.arm.budget is not None:
        monitor = open_monitor(run.inputs["monitor"], trainer.student, tokenizer, run.headings, run.training)
        monitor.measure(0)
        with Seconds() as seconds:
            monitor.measure(0)
        watching = seconds.value / run.arm.budget.every_steps
    flops = method_flops(
        trainer.student.model.config,
        run.arm,
        run.tuner,
        run.optimization,
        round(fmean(map(len, reports["input_ids"]))),
        round(fmean(supervised_counts(reports).values())),
        round(text_tokens),
        isinstance(trainer.teacher, CachedTeacher),
    )
    return Section(trainer, flops, watching)


def rows(sections: Mapping[str, Section], results: Mapping[str, Measured]) -> Iterator[list[str]]:
    plain = results[PLAIN]
    for name, of in sections.items():
        watched = replace(results[name], seconds=[one + of.watching for one in results[name].seconds])
        counted, against = of.flops / sections[PLAIN].flops, ratio(watched, plain)
        yield [
            name,
            f"{sorted(watched.seconds)[len(watched.seconds) // 2] * 1e3:.0f}",
            f"{against:.2f}",
            f"{counted:.2f}",
            f"{against / counted:.2f}",
            f"{watched.peak / 1e6:.1f}",
            f"{(watched.resident - plain.resident) / 1e6:+.2f}",
        ]


@click.command(help=__doc__)
@click.option("--rounds", default=15, show_default=True)
def main(rounds: int) -> None:
    restart_with(KEEP_FREED_MEMORY)
    quiet()
    experiment = read_experiment(ROOT)
    torch.set_num_threads(experiment.compute.threads)
    if PLAIN not in experiment.methods:
        sys.exit(
            f"Steps are compared with those of `{PLAIN}`: add it to `methods` in params.yaml, run `dvc repro inputs`."
        )
    names = [PLAIN, *(name for name, arm in experiment.methods.items() if arm.train and name != PLAIN)]
    with TemporaryDirectory() as scratch:
        sections = {name: section(read_run(name, experiment.seeds[0]), Path(scratch)) for name in names}
        in_turn = {name: InTurn(of.trainer, experiment.compute.threads) for name, of in sections.items()}
        results = measure(dict(in_turn), rounds)
        for contestant in in_turn.values():
            contestant.stop()
    print(
        f"profile {experiment.profile}, base {experiment.model.quantization}, {experiment.model.dtype}, "
        f"{experiment.optimization.batch_size} reports a step, {experiment.compute.threads} threads, medians of "
        f"{rounds} rounds\n"
    )
    header = ["", "ms", f"time ÷ {PLAIN}", "limit", "÷ limit", "step MB", f"held, MB, against {PLAIN}"]
    print(table(header, rows(sections, results)))


if __name__ == "__main__":
    main()
