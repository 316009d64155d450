"""Fine-tune the base on the reports by one method and one seed."""

import logging
import shutil
from pathlib import Path

import click
from accelerate import PartialState
from transformers import set_seed

from anamnesis.compute import configure_compute, is_main_process
from anamnesis.files import read_json, read_jsonl
from anamnesis.methods.states import open_states
from anamnesis.methods.teachers import make_teacher
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.student.saving import save_run
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.compute import Compute
from anamnesis.settings.methods import Method, check_shares
from anamnesis.settings.rendering import Headings
from anamnesis.settings.training import Optimization, Training
from anamnesis.settings.tuner import Tuner
from anamnesis.training.checkpoints import last_checkpoint, scratch_folder
from anamnesis.training.curves import CurvesCallback
from anamnesis.training.data import encode_reports, supervised_counts
from anamnesis.training.replay import read_texts
from anamnesis.training.trainer import check_processes_agree, make_trainer
from stages._paths import (
    ADAPTERS,
    BASE,
    BASE_TEXT,
    CURVES,
    GENERAL_TEXT,
    HELD_OUT_TEXT,
    SCRATCH,
    TEACHER_STATES,
    TRAINING_REPORTS,
)
from stages._stage import Parameters, stage

# Texts to replay by `replay.source`, and those that arms are measured on, which are not replayed.
REPLAYED = {"general": GENERAL_TEXT, "generated": BASE_TEXT.with_name("rehearsal.jsonl")}
MEASURED_ON = (HELD_OUT_TEXT, BASE_TEXT)

log = logging.getLogger("train")


@click.command(help=__doc__)
@click.option("--method", required=True, help="A section of params.yaml.")
@click.option("--seed", required=True, type=int, help="Seed of the adapter's start and the reports' order.")
@stage
def main(method: str, seed: int) -> bool:
    run = f"{method}-{seed}"
    parameters = Parameters(f"train@{run}")
    arm = parameters.section(method, Method)
    tuner = arm.tuner or parameters.section("tuner", Tuner)
    check_shares(method, arm, tuner)
    training = parameters.section("training", Training)
    optimization = parameters.section("optimization", Optimization)
    compute = parameters.section("compute", Compute)
    headings = parameters.section("corpus.headings", Headings)

    configure_compute(compute)
    base, tokenizer = load_base(BASE, compute)
    reports = encode_reports(
        read_jsonl(TRAINING_REPORTS), headings, tokenizer, training.target, optimization.max_length
    )
    replayed, read = None, [BASE, TRAINING_REPORTS, TEACHER_STATES / "index.json", Path("src"), Path("stages")]
    if arm.replay is not None:
        source = REPLAYED[arm.replay.source] if arm.replay.path is None else Path(arm.replay.path)
        replayed = read_texts(arm.replay, source, MEASURED_ON, tokenizer, optimization.max_length)
        read += [source, *MEASURED_ON]
    set_seed(seed)
    student = add_student(base, tuner)
    states = open_states(
        SCRATCH / "teacher" / read_json(TEACHER_STATES / "index.json")["folder"], supervised_counts(reports)
    )
    teacher = make_teacher(arm, student, states)
    if arm.teacher == "static":
        log.info(
            "the frozen teacher %s",
            "runs at every step (its states are not kept; `dvc repro -f teacher` keeps them if that saves time)"
            if states is None
            else "is read from its kept states",
        )
    unfinished = SCRATCH / "train" / run
    scratch = scratch_folder(
        unfinished,
        [arm, tuner, training, optimization, compute, headings, seed, PartialState().num_processes],
        read,
    )
    trainer = make_trainer(
        student,
        tokenizer,
        reports,
        arm,
        teacher,
        training,
        optimization,
        compute,
        seed,
        scratch,
        callbacks=[CurvesCallback(CURVES / run)] if is_main_process() else [],
        replayed=replayed,
    )
    checkpoint = last_checkpoint(scratch)
    if checkpoint is not None:
        log.info("resuming from %s", checkpoint)
    trainer.train(resume_from_checkpoint=checkpoint)

    check_processes_agree(student, teacher)
    if is_main_process():
        output = ADAPTERS / run
        save_run(student, None if teacher is None else teacher.weights, arm.shares, output)
        shutil.rmtree(unfinished, ignore_errors=True)
        log.info("saved %s", output)
    return checkpoint is not None


if __name__ == "__main__":
    main()
