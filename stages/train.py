"""Fine-tune the base on the reports by one method and one seed; for a chain, on those of each domain in turn."""

import gc
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from accelerate import PartialState
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, set_seed

from anamnesis.compute import configure_compute, is_main_process
from anamnesis.files import read_json, read_jsonl, write_json
from anamnesis.hashes import checked_inputs
from anamnesis.methods.fisher import load_fisher, text_of_fisher
from anamnesis.methods.inputs import TRAINING_FILES, training_files
from anamnesis.methods.states import TeacherStates, corpus_log_p, open_log_p, open_states
from anamnesis.methods.teachers import Teacher, frozen_base, make_teacher
from anamnesis.methods.tokens import CorpusWeights, corpus_weights
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.student.saving import RUN, save_retrieval, save_run
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.compute import Compute
from anamnesis.settings.methods import MAIN, Method, check_shares
from anamnesis.settings.penalties import check_penalties
from anamnesis.settings.rendering import Headings
from anamnesis.settings.replay import Replay
from anamnesis.settings.training import Optimization, Training
from anamnesis.settings.tuner import Tuner, check_checkpointing
from anamnesis.training.chain import (
    Finished,
    estimate_fisher_of,
    finished_domains,
    go_on,
    keep,
    points,
    pool,
)
from anamnesis.training.checkpoints import last_checkpoint, scratch_folder
from anamnesis.training.curves import CurvesCallback
from anamnesis.training.data import distinct, encode_reports, report_collator, supervised_counts
from anamnesis.training.monitor import KeepWithin, Monitor
from anamnesis.training.replay import read_texts
from anamnesis.training.trainer import DistillationTrainer, check_processes_agree, make_trainer
from stages._paths import (
    ADAPTERS,
    BASE,
    CURVES,
    DOMAINS,
    INPUTS,
    MONITOR_REPORTS,
    MONITOR_TEXTS,
    SCRATCH,
    SHARED_INPUTS,
    TRAINING_REPORTS,
)
from stages._stage import Parameters, stage

# The input that is replayed, by `replay.source`.
REPLAYED = {"general": "general_text", "generated": "rehearsal", "multitask": "examples"}

log = logging.getLogger("train")


@dataclass(frozen=True)
class Run:
    """What one run is trained by.

    Attributes:
        method, seed: which run.
        arm: the method's parts.
        tuner, training, optimization, compute: how it is trained.
        headings: of the main corpus.
        inputs: the files that the method reads beside the base and the main corpus, by name.
    """

    method: str
    seed: int
    arm: Method
    tuner: Tuner
    training: Training
    optimization: Optimization
    compute: Compute
    headings: Headings
    inputs: Mapping[str, Path]

    @property
    def name(self) -> str:
        return f"{self.method}-{self.seed}"

    def reports(self, domain: str, tokenizer: PreTrainedTokenizerBase) -> Dataset:
        """The training reports of one of the method's domains."""
        path, headings = TRAINING_REPORTS, self.headings
        if domain != MAIN:
            path, words = (self.inputs[f"{domain}/{name}"] for name in TRAINING_FILES)
            headings = Headings(**read_json(words))
        return encode_reports(
            read_jsonl(path),
            headings,
            tokenizer,
            self.training.target,
            self.optimization.max_length,
            self.tuner.virtual_tokens,
        )


@click.command(help=__doc__)
@click.option("--method", required=True, help="A section of params.yaml.")
@click.option("--seed", required=True, type=int, help="Seed of the adapter's start and the reports' order.")
@stage
def main(method: str, seed: int) -> bool:
    return train(read_run(method, seed))


def read_run(method: str, seed: int) -> Run:
    """The parameters of a run, after the checks of what does not go together."""
    parameters = Parameters(f"train@{method}-{seed}")
    arm = parameters.section(method, Method)
    tuner = arm.tuner or parameters.section("tuner", Tuner)
    check_shares(method, arm, tuner)
    check_penalties(method, arm.penalties, tuner)
    optimization = parameters.section("optimization", Optimization)
    check_checkpointing(method, tuner, optimization)
    return Run(
        method,
        seed,
        arm,
        tuner,
        parameters.section("training", Training),
        optimization,
        parameters.section("compute", Compute),
        parameters.section("corpus.headings", Headings),
        checked_inputs(INPUTS / f"{method}.json", training_files(arm, SHARED_INPUTS, DOMAINS)),
    )


def train(run: Run) -> bool:
    """Train in all domains of the run, one after the other, and save it; whether it went on from an earlier attempt."""
    configure_compute(run.compute)
    if not run.arm.train:
        if is_main_process():
            save_nothing_trained(run)
        return False
    unfinished = SCRATCH / "train" / run.name
    scratch = scratch_folder(
        unfinished,
        [
            run.arm,
            run.tuner,
            run.training,
            run.optimization,
            run.compute,
            run.headings,
            run.seed,
            PartialState().num_processes,
        ],
        [BASE, TRAINING_REPORTS, INPUTS / f"{run.method}.json", Path("src"), Path("stages")],
    )
    domains = run.arm.domains
    folders = [scratch / f"{place}_{domain}" for place, domain in enumerate(domains, start=1)]
    finished = finished_domains(folders[:-1], scratch)
    resumed = bool(finished)
    for domain, folder in list(zip(domains, folders, strict=True))[len(finished) :]:
        if len(domains) > 1:
            log.info("domain %d of %d: %s", len(finished) + 1, len(domains), domain)
        resumed |= train_in(run, domain, finished, folder)
        # The model of this domain goes before the next one is loaded.
        gc.collect()
        finished = finished_domains(folders[:-1], scratch)
    if is_main_process():
        shutil.rmtree(unfinished, ignore_errors=True)
    return resumed


def train_in(run: Run, domain: str, finished: Sequence[Finished], folder: Path) -> bool:
    """Train in one domain, and save the run if it is the last; whether it went on from a checkpoint."""
    steps_before = len(finished) * run.optimization.max_steps
    earlier = [point for one in finished for point in one.curves]
    callbacks = [CurvesCallback(CURVES / run.name, earlier, steps_before)] if is_main_process() else []
    trainer, reports = trainer_of(run, domain, finished, folder, callbacks)
    checkpoint = last_checkpoint(folder)
    if checkpoint is not None:
        log.info("resuming from %s", checkpoint)
    trainer.train(resume_from_checkpoint=checkpoint)

    student, teacher = trainer.student, trainer.teacher
    check_processes_agree(student, teacher)
    if is_main_process():
        if domain == run.arm.domains[-1]:
            save(run, student, teacher, finished, trainer.kept_within)
        else:
            curves = points(trainer.state.log_history, steps_before)
            keep(folder, finish(run, student, teacher, reports, curves))
    PartialState().wait_for_everyone()
    return checkpoint is not None


def trainer_of(
    run: Run, domain: str, finished: Sequence[Finished], folder: Path, callbacks: list[TrainerCallback]
) -> tuple[DistillationTrainer, Dataset]:
    """What trains the run in one domain, with its checkpoints in `folder`, and the domain's reports.

    The base is loaded anew for each domain, so that a run that is resumed at a domain's beginning differs in nothing.
    """
    arm, inputs = run.arm, run.inputs
    base, tokenizer = load_base(BASE, run.compute)
    reports = run.reports(domain, tokenizer)
    # Of other domains nothing is kept.
    has_kept = "teacher" in inputs and domain == MAIN
    kept = SCRATCH / "teacher" / read_json(inputs["teacher"])["folder"] if has_kept else None
    states = None if kept is None else open_states(kept, supervised_counts(reports))
    token_weights = weights_of_tokens(run.method, arm, base, tokenizer, reports, states, kept)
    replayed = None
    if arm.replay is not None:
        texts = texts_to_replay(arm.replay, inputs, tokenizer, run.optimization.max_length, run.tuner.virtual_tokens)
        replayed = pool(texts, [run.reports(one, tokenizer) for one in arm.domains[: len(finished)]])
    set_seed(run.seed)
    student = add_student(base, run.tuner)
    teacher = make_teacher(arm, student, states)
    go_on(student, teacher, finished)
    if arm.teacher == "static":
        log.info(
            "the frozen teacher %s",
            "runs at every step (its states are not kept; `dvc repro -f teacher` keeps them if that saves time)"
            if states is None
            else "is read from its kept states",
        )
    monitor = None
    if arm.budget is not None:
        monitor = open_monitor(inputs["monitor"], student, tokenizer, run.headings, run.training)
    trainer = make_trainer(
        student,
        tokenizer,
        reports,
        arm,
        teacher,
        run.training,
        run.optimization,
        run.compute,
        run.seed,
        folder,
        callbacks=callbacks,
        fisher=load_fisher(inputs["fisher"]) if "fisher" in inputs else None,
        base=teacher if arm.teacher == "static" else frozen_base(student, states),
        token_weights=token_weights,
        monitor=monitor,
        replayed=replayed,
        finished=finished,
    )
    return trainer, reports


def finish(
    run: Run, student: Student, teacher: Teacher | None, reports: Dataset, curves: list[dict[str, Any]]
) -> Finished:
    """What the next domains need of this one."""
    fisher = None
    if "fisher" in run.inputs:
        log.info("estimating the Fisher information of the domain's reports")
        fisher = estimate_fisher_of(student, reports, text_of_fisher(run.inputs["fisher"]))
    return Finished(list(student.weights), None if teacher is None else teacher.weights, fisher, curves)


def save(
    run: Run,
    student: Student,
    teacher: Teacher | None,
    finished: Sequence[Finished],
    kept_within: KeepWithin | None,
) -> None:
    """Write the folder of the run."""
    output = ADAPTERS / run.name
    after = {domain: one.student for domain, one in zip(run.arm.domains[:-1], finished, strict=True)}
    save_run(student, None if teacher is None else teacher.weights, run.arm.shares, output, after)
    if kept_within is not None:
        write_json(output / RUN, read_json(output / RUN) | {"budget": kept_within.record()})
    if run.arm.retrieval is not None:
        save_retrieval(run.arm.retrieval.reports, run.arm.train, output)
    log.info("saved %s", output)


def save_nothing_trained(run: Run) -> None:
    """A run whose model is the base; Git knows no empty folder, so that the curves have one file without a number."""
    assert run.arm.retrieval is not None, "train: false without retrieval is refused"
    save_retrieval(run.arm.retrieval.reports, run.arm.train, ADAPTERS / run.name)
    write_json(CURVES / run.name / "metrics.json", {})
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
    measured_on = [inputs["held_out_text"], inputs["base_text"]]
    return read_texts(replay, inputs[REPLAYED[replay.source]], measured_on, tokenizer, max_length, virtual_tokens)


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
