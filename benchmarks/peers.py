"""One step on real reports with a real model: `none` against TRL's SFTTrainer, `ema` against TRL's GKD trainer.

Reads what a run of the pipeline has made: models/base and the training reports. All take their steps in turn, on the
same reports in the same process, and every ratio is the median over rounds of the ratio within a round. The losses are
those of the first step, where all students are the base.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from anamnesis.files import read_jsonl
from anamnesis.markdown import table
from anamnesis.methods.supervision import supervised_positions
from anamnesis.modeling.loading import load_base
from anamnesis.settings.compute import Compute
from anamnesis.settings.rendering import Headings
from anamnesis.settings.sections import read_yaml, section
from anamnesis.training.data import encode_reports
from benchmarks._models import (
    KEEP_FREED_MEMORY,
    METHODS,
    InTurn,
    project_trainer,
    quiet,
    restart_with,
    student_and_teacher,
)
from benchmarks.step import gkd, measure, ratio, trl_arguments, with_lora

CPU = Compute(device="cpu", threads=1)


def sft(base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, reports: Dataset, scratch: Path) -> Any:
    """TRL's SFTTrainer with its own collator, on reports that are tokenized already."""
    from trl import SFTConfig, SFTTrainer

    set_seed(0)
    return SFTTrainer(
        model=with_lora(base),
        args=SFTConfig(**trl_arguments(base, len(reports), scratch), dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=reports.select_columns(["input_ids", "labels"]),
        processing_class=tokenizer,
    )


def first_loss(trainer: Any) -> float:
    """The loss of the trainer's one batch, nats per supervised token, by its own `compute_loss`."""
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.current_gradient_accumulation_steps = 1
    with torch.no_grad(), trainer.accelerator.autocast():
        count = supervised_positions(batch["labels"]).sum()
        return float(trainer.compute_loss(trainer.model.train(), batch, num_items_in_batch=count))


@click.command(help=__doc__)
@click.option("--project", default=".", type=click.Path(exists=True, path_type=Path), help="Where the pipeline ran.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--batch", default=4, show_default=True, help="Reports in a step, the first of the training part.")
@click.option("--float32", is_flag=True, help="In fp32, whatever precision the base is saved in.")
def main(project: Path, rounds: int, batch: int, float32: bool) -> None:
    restart_with(KEEP_FREED_MEMORY)
    torch.set_num_threads(CPU.threads)
    quiet()
    headings = section(read_yaml(project / "params.yaml")["corpus"], "headings", Headings)
    raw = read_jsonl(project / "data/prepared/corpus/train.jsonl")[:batch]

    def fresh() -> PreTrainedModel:
        base = load_base(project / "models/base", CPU)[0]
        return base.float() if float32 else base

    base, tokenizer = load_base(project / "models/base", CPU)
    reports = encode_reports(raw, headings, tokenizer, "conclusion", base.config.max_position_embeddings)
    with TemporaryDirectory() as folder:
        trainers: dict[str, Any] = {}
        for name in ("none", "ema"):
            student, teacher = student_and_teacher(fresh(), METHODS[name])
            trainers[name] = project_trainer(
                student, teacher, tokenizer, reports, METHODS[name], batch, CPU, Path(folder)
            )
        try:
            trainers["TRL SFT"] = sft(fresh(), tokenizer, reports, Path(folder))
            trainers["TRL GKD"] = gkd(fresh(), tokenizer, reports, batch, Path(folder))
        except ImportError:
            sys.exit("TRL is not installed: pip install -e '.[benchmark]'.")
        losses = {name: first_loss(trainer) for name, trainer in trainers.items()}
        made = {name: InTurn(trainer, CPU.threads) for name, trainer in trainers.items()}
        results = measure(dict(made), rounds)
        for contestant in made.values():
            contestant.stop()
    lengths = ", ".join(str(len(ids)) for ids in reports["input_ids"])
    print(f"{batch} reports of {lengths} tokens, {'float32' if float32 else base.dtype}, medians of {rounds} rounds\n")
    print(
        table(
            ["", "loss, nats", "s", "time ÷ none", "time ÷ ema", "step MB"],
            (
                [
                    name,
                    f"{losses[name]:.6f}",
                    f"{sorted(result.seconds)[rounds // 2]:.2f}",
                    f"{ratio(result, results['none']):.2f}",
                    f"{ratio(result, results['ema']):.2f}",
                    f"{result.peak / 1e6:.0f}",
                ]
                for name, result in results.items()
            ),
        )
    )


if __name__ == "__main__":
    main()
