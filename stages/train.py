"""Fine-tune the base on the reports by one method and one seed."""

import logging
import shutil
from pathlib import Path

import click
from accelerate import PartialState
from transformers import set_seed

from anamnesis.compute import configure_compute, is_main_process
from anamnesis.files import read_json, read_jsonl
from anamnesis.methods.fisher import load_fisher
from anamnesis.methods.inputs import checked_inputs
from anamnesis.methods.states import open_states
from anamnesis.methods.teachers import make_teacher
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.student.saving import save_run
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.compute import Compute
from anamnesis.settings.methods import Method, check_shares
from anamnesis.settings.penalties import check_penalties
from anamnesis.settings.rendering import Headings
from anamnesis.settings.training import Optimization, Training
from anamnesis.settings.tuner import Tuner, check_checkpointing
from anamnesis.training.checkpoints import last_checkpoint, scratch_folder
from anamnesis.training.curves import CurvesCallback
from anamnesis.training.data import encode_reports, supervised_counts
from anamnesis.training.trainer import check_processes_agree, make_trainer
from stages._paths import ADAPTERS, BASE, CURVES, INPUTS, SCRATCH, SHARED_INPUTS, TRAINING_REPORTS
from stages._stage import Parameters, stage

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
    check_penalties(method, arm.penalties, tuner)
    training = parameters.section("training", Training)
    optimization = parameters.section("optimization", Optimization)
    check_checkpointing(method, tuner, optimization)
    compute = parameters.section("compute", Compute)
    headings = parameters.section("corpus.headings", Headings)

    configure_compute(compute)
    base, tokenizer = load_base(BASE, compute)
    reports = encode_reports(
        read_jsonl(TRAINING_REPORTS),
        headings,
        tokenizer,
        training.target,
        optimization.max_length,
        tuner.virtual_tokens,
    )
    set_seed(seed)
    student = add_student(base, tuner)
    inputs = checked_inputs(INPUTS / f"{method}.json", SHARED_INPUTS)
    states = (
        open_states(SCRATCH / "teacher" / read_json(inputs["teacher"])["folder"], supervised_counts(reports))
        if "teacher" in inputs
        else None
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
        [BASE, TRAINING_REPORTS, INPUTS / f"{method}.json", Path("src"), Path("stages")],
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
        fisher=load_fisher(inputs["fisher"]) if "fisher" in inputs else None,
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
