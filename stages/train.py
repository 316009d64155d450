"""Fine-tune the base on the reports by one method and one seed."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import click
from accelerate import PartialState
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from anamnesis.compute import configure_compute, is_main_process
from anamnesis.files import read_json, read_jsonl, write_json
from anamnesis.methods.fisher import load_fisher
from anamnesis.methods.inputs import checked_inputs
from anamnesis.methods.states import TeacherStates, corpus_log_p, open_log_p, open_states
from anamnesis.methods.teachers import frozen_base, make_teacher
from anamnesis.methods.tokens import CorpusWeights, corpus_weights
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.student.saving import RUN, save_retrieval, save_run
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.compute import Compute
from anamnesis.settings.methods import Method, check_shares
from anamnesis.settings.penalties import check_penalties
from anamnesis.settings.rendering import Headings
from anamnesis.settings.replay import Replay
from anamnesis.settings.training import Optimization, Training
from anamnesis.settings.tuner import Tuner, check_checkpointing
from anamnesis.training.checkpoints import last_checkpoint, scratch_folder
from anamnesis.training.curves import CurvesCallback
from anamnesis.training.data import distinct, encode_reports, report_collator, supervised_counts
from anamnesis.training.monitor import Monitor
from anamnesis.training.replay import read_texts
from anamnesis.training.trainer import check_processes_agree, make_trainer
from stages._paths import (
    ADAPTERS,
    BASE,
    CURVES,
    INPUTS,
    MONITOR_REPORTS,
    MONITOR_TEXTS,
    SCRATCH,
    SHARED_INPUTS,
    TRAINING_REPORTS,
)
from stages._stage import Parameters, stage

# The shared input that is replayed, by `replay.source`.
REPLAYED = {"general": "general_text", "generated": "rehearsal"}

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
    if not arm.train:
        if is_main_process():
            save_nothing_trained(arm, run)
        return False
    base, tokenizer = load_base(BASE, compute)
    reports = encode_reports(
        read_jsonl(TRAINING_REPORTS),
        headings,
        tokenizer,
        training.target,
        optimization.max_length,
        tuner.virtual_tokens,
    )
    inputs = checked_inputs(INPUTS / f"{method}.json", SHARED_INPUTS)
    kept = SCRATCH / "teacher" / read_json(inputs["teacher"])["folder"] if "teacher" in inputs else None
    states = None if kept is None else open_states(kept, supervised_counts(reports))
    token_weights = weights_of_tokens(method, arm, base, tokenizer, reports, states, kept)
    replayed = None
    if arm.replay is not None:
        replayed = texts_to_replay(arm.replay, inputs, tokenizer, optimization.max_length, tuner.virtual_tokens)
    set_seed(seed)
    student = add_student(base, tuner)
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
        [BASE, TRAINING_REPORTS, INPUTS / f"{method}.json", *examples_of(arm), Path("src"), Path("stages")],
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
        base=teacher if arm.teacher == "static" else frozen_base(student, states),
        token_weights=token_weights,
        monitor=open_monitor(inputs["monitor"], student, tokenizer, headings, training) if arm.budget else None,
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
        if trainer.kept_within is not None:
            write_json(output / RUN, read_json(output / RUN) | {"budget": trainer.kept_within.record()})
        if arm.retrieval is not None:
            save_retrieval(arm.retrieval.reports, arm.train, output)
        shutil.rmtree(unfinished, ignore_errors=True)
        log.info("saved %s", output)
    return checkpoint is not None


def save_nothing_trained(arm: Method, run: str) -> None:
    """A run whose model is the base; Git knows no empty folder, so that the curves have one file without a number."""
    assert arm.retrieval is not None, "train: false without retrieval is refused"
    save_retrieval(arm.retrieval.reports, arm.train, ADAPTERS / run)
    write_json(CURVES / run / "metrics.json", {})
    log.info("nothing is trained: the base is asked after retrieved reports")


def weights_of_tokens(
    method: str,
    arm: Method,
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    reports: Dataset,
    states: TeacherStates | None,
    kept: Path | None,
) -> CorpusWeights | None:
    """The weights by the base's log-probabilities, which are read if they are kept and computed otherwise."""
    if arm.tokens is None:
        return None
    assert kept is not None, "a method with `tokens` reads what the stage `teacher` keeps"
    log_p = open_log_p(kept, supervised_counts(reports))
    if log_p is None:
        log.info("computing the base's log-probabilities of the reports (`dvc repro -f teacher` keeps them)")
        log_p = corpus_log_p(base, distinct(reports), report_collator(tokenizer), states)
    weights = corpus_weights(arm.tokens, log_p, method)
    log.info("%.3f of the tokens count, and %.3f of the first tokens of the reports", *weights.shares())
    return weights


def texts_to_replay(
    replay: Replay,
    inputs: Mapping[str, Path],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    virtual_tokens: int,
) -> Dataset:
    """The texts of the method's source, without those that arms are measured on."""
    source = Path(replay.path) if replay.path is not None else inputs[REPLAYED[replay.source]]
    measured_on = [inputs["held_out_text"], inputs["base_text"]]
    return read_texts(replay, source, measured_on, tokenizer, max_length, virtual_tokens)


def examples_of(arm: Method) -> list[Path]:
    """The file of another task, which is not among the shared inputs."""
    return [Path(arm.replay.path)] if arm.replay is not None and arm.replay.path is not None else []


def open_monitor(
    folder: Path, student: Student, tokenizer: PreTrainedTokenizerBase, headings: Headings, training: Training
) -> Monitor:
    """`optimization.max_length` is a limit on training reports alone."""
    texts = [row["tokens"] for row in read_jsonl(folder / MONITOR_TEXTS)]
    reports = encode_reports(
        read_jsonl(folder / MONITOR_REPORTS),
        headings,
        tokenizer,
        training.target,
        tokenizer.model_max_length,
        student.virtual_tokens,
    )
    return Monitor(student, tokenizer, texts, reports)


if __name__ == "__main__":
    main()
