"""Times a few training steps of each method and one batch of each kind of evaluation, on this machine.

All of it is the code of the stages with the experiment's own settings; only the number of steps and of questions is
smaller, and the times are multiplied. With one thread on a CPU it is the processor's time that counts: the wall time of
an idle machine, which other programs change less.
"""

import gc
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import torch
from datasets import Dataset
from lm_eval.api.instance import Instance
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from anamnesis.compute import configure_compute
from anamnesis.evaluation.arms import Arm
from anamnesis.evaluation.backends.stock import StockLM
from anamnesis.evaluation.divergence import Divergence, from_base
from anamnesis.evaluation.domain import CategorySet, evaluate_domain
from anamnesis.evaluation.general import Sources, evaluate_general
from anamnesis.evaluation.harness import language_model
from anamnesis.evaluation.retrieval import nearest
from anamnesis.files import read_json, read_jsonl
from anamnesis.forecasting.forecast import keeps_states
from anamnesis.machine import peak_memory
from anamnesis.methods.fisher import Fisher, estimate_fisher
from anamnesis.methods.inputs import inputs_of, needed
from anamnesis.methods.states import corpus_log_p, frozen_states, keep_states, open_states
from anamnesis.methods.teachers import make_teacher
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.sampling import sample_texts, start_token
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.base_text import BaseText
from anamnesis.settings.compute import Compute
from anamnesis.settings.reading import Experiment
from anamnesis.training.data import distinct, encode_reports, report_collator, supervised_counts
from anamnesis.training.monitor import Monitor
from anamnesis.training.replay import read_texts
from anamnesis.training.trainer import make_trainer

# Timed steps of a method: no more than this many, and none that begins after this many seconds.
STEPS, SECONDS = 8, 30.0


@dataclass(frozen=True)
class Files:
    """The prepared files of the experiment."""

    base: Path
    training_reports: Path
    held_out_reports: Path
    categories: Path
    exam: Path
    general_text: Path
    base_text: Path
    replayed_text: Path


@dataclass(frozen=True)
class Timed:
    """Seconds by kind of stage, and what else a forecast needs."""

    seconds: dict[str, float]
    peak_gigabytes: float
    supervised_tokens: int
    hidden_size: int
    trained_weights: dict[str, int]
    cases: dict[str, int]


Clock = Callable[[], float]


def clock_for(compute: Compute) -> Clock:
    """Seconds since some moment."""
    return time.process_time if compute.device == "cpu" and compute.threads == 1 else time.perf_counter


class StepTimes(TrainerCallback):
    """Ends the training after a few steps; the first is not counted."""

    def __init__(self, clock: Clock) -> None:
        self.seconds: list[float] = []
        self.tokens: list[int] = []
        self._clock = clock
        self._began = clock()

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._start = self._clock()
        self.tokens.append(0)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.seconds.append(self._clock() - self._start)
        late = self._clock() - self._began > SECONDS and len(self.seconds) > 2
        control.should_training_stop = control.should_training_stop or late or len(self.seconds) > STEPS
        control.should_save = control.should_log = False

    def counting(self, compute_loss: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        """Trainer's `compute_loss`, which has a forward pass's reports in its hands."""

        def counted(model: torch.nn.Module, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
            self.tokens[-1] += inputs["input_ids"].numel()
            return compute_loss(model, inputs, *args, **kwargs)

        return counted

    @property
    def seconds_per_token(self) -> float:
        """Padding counts as tokens."""
        return sum(self.seconds[1:]) / sum(self.tokens[1 : len(self.seconds)])


@dataclass
class Sampled:
    """Answers only a few of the requests, and counts how long all would have taken.

    `extra` is what the rest would have added, `divergence` the part that the base is spared, and `whole` all of it.
    """

    documents: int
    clock: Clock
    extra: float = 0.0
    divergence: float = 0.0
    whole: float = 0.0

    def answering(self, ask: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        def some(requests: list[Instance], *args: Any, **kwargs: Any) -> list[Any]:
            documents: dict[tuple[str | None, int | None], list[Instance]] = {}
            for request in requests:
                documents.setdefault((request.task_name, request.doc_id), []).append(request)
            step = max(1, len(documents) // self.documents)
            chosen = [one for group in list(documents.values())[::step][: self.documents] for one in group]
            start = self.clock()
            answers = ask(chosen, *args, **kwargs)
            self.extra += (self.clock() - start) * (len(requests) / len(chosen) - 1)
            known = {id(request): answer for request, answer in zip(chosen, answers, strict=True)}
            return [known.get(id(request), answers[0]) for request in requests]

        return some

    def measuring(self, measure: Divergence) -> Divergence:
        def some(texts: Sequence[Sequence[int]]) -> list[float] | None:
            chosen = texts[: self.documents]
            start = self.clock()
            nats = measure(chosen)
            taken = self.clock() - start
            whole = taken * sum(map(len, texts)) / sum(map(len, chosen))
            self.extra += whole - taken
            self.divergence += whole
            return None if nats is None else [*nats, *[0.0] * (len(texts) - len(nats))]

        return some


def time_experiment(experiment: Experiment, files: Files, say: Callable[[str], None]) -> Timed:
    """Time everything once, in this process."""
    configure_compute(experiment.compute)
    clock = clock_for(experiment.compute)
    base, tokenizer = load_base(files.base, experiment.compute)
    hidden_size = base.config.hidden_size
    startup = time.process_time()
    say(f"started and loaded the base in {startup:.0f} s")
    start = clock()
    reports = _encoded(experiment, files, tokenizer)
    encoding = clock() - start
    seconds: dict[str, float] = {"base_text": startup + _sampling(experiment.base_text, base, tokenizer, clock)}
    made = needed(experiment.methods.values(), experiment.fisher)
    if "rehearsal" in made:
        seconds["rehearsal"] = startup + _sampling(
            BaseText(**asdict(experiment.rehearsal_text)), base, tokenizer, clock
        )
    if "fisher" in made:
        seconds["fisher"] = startup + _fisher(experiment, files, base, tokenizer, clock)
    if "monitor" in made:
        seconds["monitor"] = startup + _sampling(experiment.monitor.sampled, base, tokenizer, clock)
    kept = keeps_states(experiment, len(reports))
    trained: dict[str, int] = {}
    student = None
    for method, arm in experiment.methods.items():
        if not arm.train:
            seconds[f"train@{method}"] = startup
            continue
        # One model at a time, or the peak of memory would not be a stage's.
        base = student = None
        gc.collect()
        base, tokenizer = load_base(files.base, experiment.compute)
        student, of_step, of_report = _steps(
            experiment, method, base, tokenizer, reports, files.replayed_text, kept, clock
        )
        trained[method] = sum(weight.numel() for weight in student.weights)
        watched = _watching(experiment, method, student, tokenizer, files.base_text, reports, clock)
        # A step in another domain is taken to last as long as one on the corpus.
        of_domain = startup + encoding + of_step * experiment.optimization.max_steps
        seconds[f"train@{method}"] = of_domain * len(experiment.methods[method].domains) + watched
        if of_report is not None:
            of_teacher = startup + encoding + of_report * len(supervised_counts(reports))
            seconds["teacher"] = max(seconds.get("teacher", 0.0), of_teacher)
        say(f"{method}: {of_step:.2f} s a step")
    if student is None:
        student = add_student(base, experiment.tuner)
    gc.collect()
    with student.holding(student.saved_weights()):
        model_seconds, cases = _evaluation(experiment, files, student, tokenizer, clock)
    for (kind, retrieved), (of_model, of_share, of_base) in model_seconds.items():
        for method, arm in experiment.methods.items():
            if kind == "general" or experiment.retrieved_by(method) == retrieved:
                models, shares = experiment.models_of(method)
                of_each = of_model if arm.train else of_base
                # In another domain, the category alone takes no longer than a share of an update on the corpus.
                others = len(arm.other_domains) if kind == "domain" else 0
                of_models = models * (of_each + others * of_share)
                seconds[f"evaluate_{kind}@{method}"] = startup + of_models + of_share * shares
        if not retrieved:
            seconds[f"evaluate_base_{kind}"] = startup + of_base
        after = f", after {retrieved} reports" if retrieved else ""
        say(f"evaluation, {kind}{after}: {of_model:.0f} s a model")
    return Timed(
        seconds=seconds,
        peak_gigabytes=_peak_bytes() / 1e9,
        supervised_tokens=sum(supervised_counts(reports).values()) if kept else 0,
        hidden_size=hidden_size,
        trained_weights=trained,
        cases=cases,
    )


def _encoded(experiment: Experiment, files: Files, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    return encode_reports(
        read_jsonl(files.training_reports),
        experiment.headings,
        tokenizer,
        experiment.training.target,
        experiment.optimization.max_length,
    )


def _sampling(settings: BaseText, base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, clock: Clock) -> float:
    """Seconds to sample the base's own text: batches take the same time, however many."""
    few = replace(settings, texts=min(settings.texts, settings.batch_size), max_tokens=min(settings.max_tokens, 16))
    start = clock()
    sample_texts(base, tokenizer, few)
    taken = clock() - start
    return taken * (settings.max_tokens / few.max_tokens) * (settings.texts / few.texts)


def _fisher(
    experiment: Experiment, files: Files, base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, clock: Clock
) -> float:
    """Seconds for documents as long as the base's own texts."""
    texts = [[start_token(tokenizer), *row["tokens"]] for row in read_jsonl(files.base_text)]
    few = texts[: min(len(texts), experiment.fisher.documents)]
    start = clock()
    estimate_fisher(base, few, experiment.fisher.seed if experiment.fisher.labels == "sampled" else None)
    return (clock() - start) * experiment.fisher.documents / len(few)


def _any_fisher(student: Student) -> Fisher:
    """One of the right shape, with which a step takes as long as with the real one."""
    layers = {
        layer.name: student.model.get_base_model().get_submodule(layer.name) for layer in student.trained_layers()
    }
    return Fisher(
        {name: (torch.ones(layer.out_features), torch.ones(layer.in_features)) for name, layer in layers.items()}
    )


def _steps(
    experiment: Experiment,
    method: str,
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    reports: Dataset,
    replayed_text: Path,
    kept: bool,
    clock: Clock,
) -> tuple[Student, float, float | None]:
    """The student after a few steps, the seconds of a mean step, and those of a report in the stage `teacher`, if any.

    A step's time is taken per token, and multiplied by the tokens of a mean step of the whole run. Text to be replayed
    that the base writes is not there yet: the general text is timed in its place.
    """
    # A budget is measured too rarely to be met in a few steps: see `_watching`.
    arm, optimization = replace(experiment.methods[method], budget=None), experiment.optimization
    step = optimization.batch_size * optimization.gradient_accumulation_steps
    count = min(len(reports), step * (STEPS + 2))
    # From all of the corpus, as a step's reports are.
    sample = reports.select(range(0, len(reports), len(reports) // count)[:count])
    with TemporaryDirectory() as scratch:
        states = of_report = None
        if arm.teacher == "static" and kept:
            start = clock()
            counts = supervised_counts(sample)
            chunks = frozen_states(base, distinct(sample), report_collator(tokenizer))
            keep_states(Path(scratch) / "states", counts, chunks, max_bytes=float("inf"))
            of_report = (clock() - start) / len(counts)
            states = open_states(Path(scratch) / "states", counts)
        elif arm.tokens is not None:
            start, documents = clock(), distinct(sample)
            corpus_log_p(base, documents, report_collator(tokenizer), None)
            of_report = (clock() - start) / len(documents)
        set_seed(experiment.seeds[0])
        student = add_student(base, experiment.tuner_of(method))
        teacher = make_teacher(arm, student, states)
        replayed = None
        if arm.replay is not None:
            source = replayed_text if arm.replay.path is None else Path(arm.replay.path)
            replayed = read_texts(arm.replay, source, [], tokenizer, optimization.max_length, student.virtual_tokens)
        times = StepTimes(clock)
        trainer = make_trainer(
            student,
            tokenizer,
            sample,
            arm,
            teacher,
            experiment.training,
            replace(optimization, save_every_steps=None),
            experiment.compute,
            experiment.seeds[0],
            Path(scratch),
            callbacks=[times],
            fisher=_any_fisher(student) if "fisher" in inputs_of(arm) else None,
            replayed=replayed,
        )
        trainer.compute_loss = times.counting(trainer.compute_loss)  # type: ignore[method-assign]
        trainer.remove_callback(ProgressCallback)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        # A 16-bit model answers in fp32 while it is wrapped for training, as none does in an evaluation.
        trainer.accelerator.unwrap_model(student.model, keep_fp32_wrapper=False)
    mean = fmean(len(ids) for ids in reports["input_ids"])
    padded = sum(times.tokens[: len(times.seconds)]) / len(times.seconds)
    real = step * fmean(len(ids) for ids in sample["input_ids"])
    return student, times.seconds_per_token * (padded / real) * step * mean, of_report


def _watching(
    experiment: Experiment,
    method: str,
    student: Student,
    tokenizer: PreTrainedTokenizerBase,
    base_text: Path,
    reports: Dataset,
    clock: Clock,
) -> float:
    """Seconds that a training spends on its budget; on texts of `base_text`, since those of the monitor are not there.

    Each of them is as long as it would be cut for the monitor.
    """
    budget, of = experiment.methods[method].budget, experiment.monitor
    if budget is None:
        return 0.0
    texts = [[start_token(tokenizer), *row["tokens"][: of.max_tokens]] for row in read_jsonl(base_text)[: of.texts]]
    monitor = Monitor(student, tokenizer, texts, reports.select(range(min(of.reports, len(reports)))))
    start = clock()
    monitor.measure(0)
    points = 1 + -(-experiment.optimization.max_steps // budget.every_steps)
    return (clock() - start) * points * of.texts / len(texts)


def _evaluation(
    experiment: Experiment, files: Files, student: Student, tokenizer: PreTrainedTokenizerBase, clock: Clock
) -> tuple[dict[tuple[str, int], tuple[float, float, float]], dict[str, int]]:
    """By kind of evaluation and number of retrieved reports the seconds of a model, a share of an update, and the base;
    and each measure's cases."""
    evaluation = experiment.evaluation
    student.model.eval()
    student.model.config.use_cache = True
    # vLLM needs an engine of its own; what it takes is not timed.
    backend = "shared_prefix" if evaluation.backend == "vllm" else evaluation.backend
    lm: StockLM = language_model(student, tokenizer, evaluation.batch_size, backend)
    ask = {name: getattr(lm, name) for name in ("loglikelihood", "loglikelihood_rolling", "generate_until")}
    categories = CategorySet(**read_json(files.categories))
    sources = Sources(files.exam, files.general_text, files.base_text)
    training, held_out = read_jsonl(files.training_reports), read_jsonl(files.held_out_reports)

    def of_reports(retrieved: int) -> Callable[[Arm], Any]:
        found = nearest(training, held_out, retrieved) if retrieved else None
        return lambda arm: evaluate_domain(
            arm, evaluation, experiment.headings, categories, files.held_out_reports, experiment.split, found
        )

    measures: dict[tuple[str, int], Callable[[Arm], Any]] = {
        ("general", 0): lambda arm: evaluate_general(arm, evaluation, experiment.headings, categories.names, sources),
        **{("domain", retrieved): of_reports(retrieved) for retrieved in experiment.retrieved},
    }
    seconds, cases = {}, Counter[str]()
    for kind, measure in measures.items():
        whole, part = Sampled(evaluation.batch_size, clock), Sampled(evaluation.batch_size, clock)
        for sampled in (whole, part):
            for name, own in ask.items():
                setattr(lm, name, sampled.answering(own))
            start = clock()
            found = measure(Arm("forecast", lm, sampled.measuring(from_base(lm, student)), part=sampled is part))
            sampled.whole = clock() - start + sampled.extra
            if sampled is whole and not kind[1]:
                cases.update(case.measure for case in found.cases)
        seconds[kind] = (whole.whole, part.whole, whole.whole - whole.divergence)
    label = categories.label
    return seconds, {**cases, f"{label}_macro_f1": cases[label]}


def _peak_bytes() -> float:
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_reserved())
    return float(peak_memory())
