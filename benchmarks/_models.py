"""What the training benchmarks share: random models, trainers that step in turn, a step's memory, time and count."""

import ctypes
import gc
import logging
import os
import platform
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    ProgressCallback,
    Qwen2Config,
    Qwen2ForCausalLM,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging as transformers_logging

from anamnesis.forecasting.steps import step_flops
from anamnesis.forecasting.tuning import trained_weights
from anamnesis.methods.states import TeacherStates, frozen_states, keep_states, open_states
from anamnesis.methods.supervision import IGNORED
from anamnesis.methods.teachers import Teacher, make_teacher
from anamnesis.modeling.loading import save_base
from anamnesis.modeling.pretraining import train_tokenizer
from anamnesis.modeling.source.obtaining import obtain
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.compute import Compute
from anamnesis.settings.methods import Method
from anamnesis.settings.modeling import Model
from anamnesis.settings.training import Optimization, Training
from anamnesis.settings.tuner import Tuner
from anamnesis.training.data import document_number, report_collator, supervised_counts
from anamnesis.training.trainer import DistillationTrainer, make_trainer

TUNER = Tuner(kind="lora", r=16, alpha=32.0, dropout=0.0, target_modules="all-linear")
METHODS = {
    "none": Method(teacher="none"),
    "static": Method(teacher="static", kl_weight=1.0),
    "ema": Method(teacher="ema", kl_weight=1.0, decay=0.99),
}
TRAINING = Training(
    target="conclusion",
    schedule="constant_with_warmup",
    warmup_ratio=0.0,
    weight_decay=0.0,
    max_grad_norm=1.0,
    # No logging between two measured steps.
    log_every_steps=10**6,
)
LEARNING_RATE = 1e-4
# For glibc's mallopt(3) and for torch. A process on a CPU keeps the memory it frees, as CUDA's allocator does, in one
# heap and in large pages. Otherwise the kernel clears every large buffer again at every step, which costs most where
# most memory is used (loops with all logits take two to three times as long).
KEEP_FREED_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "THP_MEM_ALLOC_ENABLE": "1",
}
# The opposite: a large buffer is returned when it is freed, so resident memory is the memory in use.
RETURN_FREED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
# More than any benchmark needs; the benchmark stops the trainer.
MAX_STEPS = 10**5
# The conclusion's share of a report's tokens in the default corpus.
SUPERVISED_SHARE = 0.22
# Qwen2-1.5B's.
VOCABULARY = 151936


# ---- Models and reports ---------------------------------------------------------------------------------------------


def qwen2(
    vocabulary: int, hidden: int, intermediate: int, layers: int, heads: int, key_value_heads: int
) -> Qwen2Config:
    """Qwen2-1.5B's configuration with other sizes."""
    return Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_value_heads,
        max_position_embeddings=131072,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
    )


def qwen2_1_5b(layers: int, vocabulary: int) -> Qwen2Config:
    """The real one has 28 layers and VOCABULARY."""
    return qwen2(vocabulary, hidden=1536, intermediate=8960, layers=layers, heads=12, key_value_heads=2)


def random_base(
    config: Qwen2Config,
    folder: Path,
    quantization: Literal["none", "nf4"],
    dtype: Literal["float32", "bfloat16"],
    compute: Compute,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Save a model with random weights in `folder`/base, as the stage `base` would; return it.

    Weights are drawn and stored in bf16: a model of Qwen2-1.5B's size takes 3 GB in memory and on disk.
    """
    set_seed(0)
    tokenizer = train_tokenizer(["Описание. Заключение: Bethesda"], vocab_size=300)
    model = Qwen2ForCausalLM._from_config(config, dtype=torch.bfloat16)
    save_base(model, tokenizer, folder / "source")
    del model
    gc.collect()
    source = Model(source=str(folder / "source"), revision=None, quantization=quantization, dtype=dtype)
    base, tokenizer = obtain(source, compute, folder / "obtained")
    save_base(base, tokenizer, folder / "base")
    return base, tokenizer


def random_reports(count: int, length: int, vocabulary: int, share: float = SUPERVISED_SHARE) -> Dataset:
    """Reports of random tokens, all of one length; the loss covers the last `share` of each."""
    tokens = torch.randint(1, vocabulary, (count, length), generator=torch.Generator().manual_seed(0))
    prompt = length - supervised_tokens(length, share)
    rows = [
        {"input_ids": ids, "attention_mask": [1] * length, "labels": [IGNORED] * prompt + ids[prompt:]}
        for ids in tokens.tolist()
    ]
    return Dataset.from_list([{"document": document_number(row), **row} for row in rows])


def supervised_tokens(length: int, share: float = SUPERVISED_SHARE) -> int:
    return round(share * length)


def student_and_teacher(
    base: PreTrainedModel, method: Method, states: TeacherStates | None = None
) -> tuple[Student, Teacher | None]:
    """Made as in the stage `train`."""
    set_seed(0)
    student = add_student(base, TUNER)
    return student, make_teacher(method, student, states)


def project_trainer(
    student: Student,
    teacher: Teacher | None,
    tokenizer: PreTrainedTokenizerBase,
    reports: Dataset,
    method: Method,
    batch: int,
    compute: Compute,
    scratch: Path,
    checkpointing: bool = False,
) -> DistillationTrainer:
    """The trainer, made as in the stage `train`."""
    optimization = Optimization(
        max_steps=MAX_STEPS,
        batch_size=batch,
        gradient_accumulation_steps=1,
        learning_rate=LEARNING_RATE,
        max_length=len(reports[0]["input_ids"]),
        gradient_checkpointing=checkpointing,
        save_every_steps=None,
    )
    return make_trainer(student, tokenizer, reports, method, teacher, TRAINING, optimization, compute, 0, scratch, [])


def cached_states(base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, reports: Dataset, folder: Path) -> Any:
    """The bare base's states on all reports, written as in the stage `teacher` and opened as in `train`."""
    counts = supervised_counts(reports)
    keep_states(folder, counts, frozen_states(base, reports, report_collator(tokenizer)), max_bytes=1e12)
    return open_states(folder, counts)


# ---- Steps in turn --------------------------------------------------------------------------------------------------


class InTurn(TrainerCallback):
    """A trainer that takes one step when asked, so that several can take turns in one process.

    Each runs its own `train()` in a thread that waits between steps. The measurement covers a whole step: forward,
    loss, backward, clipping, optimizer, teacher, zeroing of gradients.
    """

    def __init__(self, trainer: Trainer, threads: int) -> None:
        self.trainer = trainer
        self._threads = threads
        self._measure: AbstractContextManager[Any] | None = None
        self._asked, self._ready = threading.Semaphore(0), threading.Semaphore(0)
        self._error: Exception | None = None
        for printer in (ProgressCallback, PrinterCallback):
            trainer.remove_callback(printer)
        trainer.add_callback(self)
        self._thread = threading.Thread(target=self._train, daemon=True)

    def step(self, measure: AbstractContextManager[Any]) -> None:
        if not self._thread.is_alive():
            self._thread.start()
            self._wait()
        self._measure = measure
        self._asked.release()
        self._wait()

    def resident(self) -> int:
        """Bytes held between steps: weights, the teacher's too, and the optimizer's states."""
        weights = getattr(getattr(self.trainer, "teacher", None), "weights", None)
        teacher = getattr(self.trainer, "teacher_model", None)
        models = [self.trainer.model, *([] if teacher is None else [teacher])]
        return resident_bytes(models, self.trainer.optimizer, weights or ())

    def stop(self) -> None:
        """End the training."""
        self._measure = None
        self._asked.release()
        self._thread.join()

    def _wait(self) -> None:
        """Wait until the next step's batch is ready."""
        self._ready.acquire()
        if self._error is not None:
            raise self._error

    def _train(self) -> None:
        # Each thread that starts others has its own number of threads.
        torch.set_num_threads(self._threads)
        try:
            self.trainer.train()
        except _StoppedError:
            return
        except Exception as error:
            self._error = error
        self._ready.release()

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._ready.release()
        self._asked.acquire()
        if self._measure is None:
            raise _StoppedError
        self._measure.__enter__()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        assert self._measure is not None
        self._measure.__exit__(None, None, None)


class _StoppedError(Exception):
    """Leaves a trainer's loop."""


# ---- What a step takes ----------------------------------------------------------------------------------------------


class Seconds:
    """The time a block takes: on a GPU the wall time until its work is done, on a CPU the processor's time.

    With one thread the processor's time is the wall time of an idle machine, and other programs change it less.
    """

    def __init__(self) -> None:
        self.value = 0.0

    def __enter__(self) -> "Seconds":
        self._start = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        self.value = self._now() - self._start

    def _now(self) -> float:
        if not torch.cuda.is_available():
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


class PeakMemory:
    """A block's peak allocation above that at its start, in bytes, from torch's own allocators."""

    def __init__(self) -> None:
        self.value = 0

    def __enter__(self) -> "PeakMemory":
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        else:
            self._profile = profile(activities=[ProfilerActivity.CPU], profile_memory=True).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if torch.cuda.is_available():
            self.value = torch.cuda.max_memory_allocated() - self._before
            return
        self._profile.__exit__(None, None, None)
        events = [e for e in self._profile.profiler.kineto_results.events() if e.name() == "[memory]"]
        self.value = max(accumulate((e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())), initial=0))


class PeakResident:
    """The process's peak resident memory during a block, in bytes, and the block's seconds (Linux, glibc)."""

    def __enter__(self) -> "PeakResident":
        # Return the freed memory that the C library keeps, so that it does not count.
        ctypes.CDLL(None).malloc_trim(0)
        # Reset the peak to the present value: proc(5).
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start
        self.value = process_memory("VmHWM")


def process_memory(field: str) -> float:
    """Present (VmRSS) or peak (VmHWM) resident memory, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024.0 for line in lines if line.startswith(field))


def resident_bytes(models: Iterable[torch.nn.Module], optimizer: Any, others: Iterable[Tensor] = ()) -> int:
    """Bytes of models, optimizer states and other tensors; each storage counts once."""
    weights = [*(tensor for model in models for tensor in model.state_dict().values()), *others]
    states = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
    storages = (tensor.untyped_storage() for tensor in [*weights, *states])
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def restart_with(environment: Mapping[str, str]) -> None:
    """Restart the program with these variables, which are read before its first line, unless they are set."""
    if environment.keys() - os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **environment})


def quiet() -> None:
    """Keep progress bars and warnings of libraries out of the tables."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    os.environ["KINETO_LOG_LEVEL"] = "99"


# ---- What a step costs by count -------------------------------------------------------------------------------------


def adapter_bytes(config: Qwen2Config) -> int:
    """Bytes of one adapter in fp32."""
    return 4 * trained_weights(config, TUNER)


def flops(
    config: Qwen2Config, batch: int, length: int, supervised: int, method: str, checkpointing: bool = False
) -> float:
    """Floating-point operations that a step cannot avoid."""
    return step_flops(config, TUNER, batch, length, supervised, method, checkpointing)


# ---- Tables ---------------------------------------------------------------------------------------------------------


def versions() -> str:
    """The machine and the versions on it."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "peft", "bitsandbytes"))
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    if torch.cuda.is_available():
        machine = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return f"{machine}; {packages}"
