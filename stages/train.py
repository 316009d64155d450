"""Fine-tune the base on the reports by one method and one seed."""

import logging
from pathlib import Path

import click
from transformers import set_seed

from anamnesis.files import read_jsonl
from anamnesis.methods.teachers import make_teacher
from anamnesis.modeling.adapters import STUDENT, TEACHER, add_student, save_adapter
from anamnesis.modeling.loading import configure_compute, load_base
from anamnesis.settings import Compute, Headings, Method, Optimization, Training, Tuner
from anamnesis.training.curves import CurvesCallback
from anamnesis.training.data import encode_reports
from anamnesis.training.trainer import make_trainer
from stages._stage import Parameters, stage

BASE = Path("models/base")
REPORTS = Path("data/prepared/corpus/train.jsonl")

log = logging.getLogger("train")


@click.command(help=__doc__)
@click.option("--method", required=True, help="A section of params.yaml.")
@click.option("--seed", required=True, type=int, help="Seed of the adapter's start and the reports' order.")
@stage
def main(method: str, seed: int) -> None:
    run = f"{method}-{seed}"
    parameters = Parameters(f"train@{run}")
    arm = parameters.section(method, Method)
    tuner = parameters.section("tuner", Tuner)
    training = parameters.section("training", Training)
    optimization = parameters.section("optimization", Optimization)
    compute = parameters.section("compute", Compute)
    headings = parameters.section("corpus.headings", Headings)

    configure_compute(compute)
    base, tokenizer = load_base(BASE, compute)
    reports = encode_reports(read_jsonl(REPORTS), headings, tokenizer, training.target, optimization.max_length)
    set_seed(seed)
    model = add_student(base, tuner)
    teacher = make_teacher(arm, model, tuner)
    trainer = make_trainer(
        model,
        tokenizer,
        reports,
        arm,
        teacher,
        training,
        optimization,
        compute,
        seed,
        scratch=f"scratch/train/{run}",
        callbacks=[CurvesCallback(Path("metrics/curves") / run)],
    )
    trainer.train()

    output = Path("models/adapters") / run
    save_adapter(model, STUDENT, output)
    if arm.teacher == "ema":
        save_adapter(model, TEACHER, output)
    log.info("saved %s", output)


if __name__ == "__main__":
    main()
