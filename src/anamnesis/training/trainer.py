"""The one training loop: Hugging Face's Trainer with a loss that may have a teacher."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from datasets import Dataset
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_pt_utils import BatchRebalanceSampler

from anamnesis.compute import check_one_device_a_process, share_of
from anamnesis.errors import InputError
from anamnesis.methods.fisher import Fisher
from anamnesis.methods.losses import DIVERGENCE, TokenWeights, distillation_loss
from anamnesis.methods.penalties import Penalty
from anamnesis.methods.supervision import supervised_positions, targets
from anamnesis.methods.teachers import Teacher, without_dropout
from anamnesis.methods.tokens import CorpusWeights
from anamnesis.modeling.hidden_states import in_few_lengths, without_adapter
from anamnesis.modeling.loading import low_precision, mixed_precision
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.updates import norm
from anamnesis.settings.compute import Compute
from anamnesis.settings.methods import Method, Pace
from anamnesis.settings.penalties import Penalties
from anamnesis.settings.sections import SettingsError
from anamnesis.settings.training import Optimization, Training, check_saving
from anamnesis.training.chain import Finished
from anamnesis.training.checkpoints import SealCheckpoints
from anamnesis.training.data import report_collator
from anamnesis.training.finite import FiniteTrainer
from anamnesis.training.monitor import KeepWithin, Monitor
from anamnesis.training.replay import Replaying

# In a checkpoint, beside what Trainer writes.
TEACHER_WEIGHTS = "teacher.safetensors"

# The base's forward pass takes up to half the time of a step: once in so many steps it costs at most 3 %.
BASE_KL_STEPS = 20


class DistillationTrainer(FiniteTrainer):
    """Trainer whose loss is CE + kl_weight * divergence(teacher, student) + penalties + replay; any term may be absent.

    The teacher's forward comes first, so that the model is the student in the student's forward and in its backward,
    where gradient checkpointing runs the forward again.
    """

    def __init__(
        self,
        *args: Any,
        student: Student,
        method: Method,
        teacher: Teacher | None,
        penalty: Penalty | None,
        base: Teacher | None,
        token_weights: CorpusWeights | None,
        monitor: Monitor | None,
        replay: Replaying | None,
        steps_before: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, model=student.model, **kwargs)
        self.student = student
        self.method = method
        self.teacher = teacher
        self.penalty = penalty
        self.base = base
        self.token_weights = token_weights
        self.replay = replay
        # The loss is divided by the supervised tokens of the whole step: Trainer must count them and not divide again.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        self._loss_shifts_labels = True
        self._sums: dict[str, Tensor] = {}
        # What is measured in the step of a point alone, as a sum over processes and as it is.
        self._of_the_point: dict[str, Tensor] = {}
        self._noted: dict[str, float] = {}
        self._summed_from_step = 0
        # Of the finished domains of a chain: the teacher counts on.
        self._steps_before = steps_before
        self.add_callback(_AfterStep(self))
        self.kept_within: KeepWithin | None = None
        if method.budget is not None:
            assert monitor is not None, "a method with a budget needs something to measure"
            weights = [*student.weights, *((teacher and teacher.weights) or [])]
            self.kept_within = KeepWithin(method.budget, monitor, weights, self._noted.update, self.log)
            self.add_callback(self.kept_within)
        self.add_callback(SealCheckpoints())

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> BatchRebalanceSampler:
        """Trainer's own, which without this would give every seed the same order."""
        sampler = super()._get_train_sampler(train_dataset)
        sampler.seed = order_seed(self.args.seed)
        return sampler

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Tensor]], device: torch.device) -> Any:
        """Trainer's own; besides, the weight of all tokens of the step, over its forward passes and processes."""
        if self.token_weights is not None:
            documents = [document for batch in batch_samples for document in batch["document"].tolist()]
            weight = self.token_weights.of(documents).double().sum()
            of_step = torch.stack([weight, torch.tensor(len(documents)).double()]).to(device)
            self._step_weight, self._step_reports = self.accelerator.reduce(of_step, "sum").tolist()
        return super()._get_num_items_in_batch(batch_samples, device)

    def training_step(self, model: torch.nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """A step's replay comes before its last reports, with whose gradients DDP then exchanges all."""
        replayed = (
            self.replay.learn(self.state.global_step, self.accelerator)
            if self.replay is not None and self.accelerator.sync_gradients
            else 0.0
        )
        return super().training_step(model, inputs, num_items_in_batch) + replayed

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: int | Tensor | None = None,
    ) -> Tensor:
        assert not return_outputs, "there are no logits of all positions to return"
        loss = as_forward(model, self.model, self._loss, inputs, num_items_in_batch)
        # The count is of all processes, and DDP will average their gradients.
        loss = loss * self.accelerator.num_processes
        # A penalty is the same in every process, and in every forward pass of a step: the last pass adds it.
        return loss + self._penalty() if self.penalty is not None and self.accelerator.sync_gradients else loss

    def _penalty(self) -> Tensor:
        assert self.penalty is not None
        penalty = self.penalty()
        for name, value in penalty.terms.items():
            self._sums[name] = self._sums.get(name, 0) + value.double() / self.accelerator.num_processes
        return penalty.total

    def _loss(self, inputs: dict[str, Tensor], count: int | Tensor | None) -> Tensor:
        positions = supervised_positions(inputs["labels"])
        # Trainer's own mixed precision reaches model.forward alone, which is not called here.
        with self.accelerator.autocast():
            teacher = None if self.teacher is None else self.teacher.hidden_states(inputs, positions)
            base = self._base_states(inputs, positions, teacher)
            student = self.student.hidden_states(inputs, positions)
            count = positions.sum() if count is None else count
            head, tokens = self.model.get_output_embeddings(), targets(inputs["labels"])
            weights = None if self.token_weights is None else self._weights_of(inputs, self.token_weights, count)
            loss = distillation_loss(student, teacher, head, tokens, self.method, count, weights)
            if base is not None:
                of_base = distillation_loss(student.detach(), base, head, tokens, DIVERGENCE, count)
                self._of_the_point["base_kl_nats"] = (
                    self._of_the_point.get("base_kl_nats", 0) + of_base.terms["divergence_nats"].double()
                )
        for name, value in loss.terms.items():
            self._sums[name] = self._sums.get(name, 0) + value.double()
        return loss.total

    def _base_states(self, inputs: dict[str, Tensor], positions: Tensor, teachers: Tensor | None) -> Tensor | None:
        """The base's hidden states in the steps in which KL(base || student) is measured.

        Shenfeld et al. (2025, arXiv:2509.04259) find that this KL, on the inputs of the new task, predicts forgetting.
        """
        every = self.args.logging_steps * math.ceil(BASE_KL_STEPS / self.args.logging_steps)
        if self.base is None or (self.state.global_step + 1) % every:
            return None
        return teachers if self.teacher is self.base else self.base.hidden_states(inputs, positions)

    def _weights_of(self, inputs: dict[str, Tensor], weights: CorpusWeights, count: int | Tensor) -> TokenWeights:
        documents, device = inputs["document"].tolist(), inputs["labels"].device
        values = weights.of(documents)
        for name, share in (
            ("kept_share", values.double().sum().to(device) / count),
            ("kept_first_share", weights.of_first(documents).double().sum().to(device) / self._step_reports),
        ):
            self._sums[name] = self._sums.get(name, 0) + share
        return TokenWeights(values.to(device), self._step_weight)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds means over the steps since the last point: each term of the loss, and distances between the models."""
        steps = self.state.global_step - self._summed_from_step
        if "loss" in logs and steps:
            for name, total in self._sums.items():
                logs[name] = float(self.accelerator.reduce(total, "sum")) / steps
            for name, total in self._of_the_point.items():
                logs[name] = float(self.accelerator.reduce(total, "sum"))
            logs |= self._noted
            if self.replay is not None:
                logs |= self.replay.means(self.accelerator)
            logs["update_norm"] = norm(self.student.updates())
            if self.teacher is not None:
                logs["teacher_distance"] = self.teacher.distance(self.student)
            if self.accelerator.optimizer_step_was_skipped:
                # In fp16 while it looks for its scale; the norm is infinite.
                logs.pop("grad_norm", None)
            self._sums.clear()
            self._of_the_point.clear()
            self._noted.clear()
            self._summed_from_step = self.state.global_step
        super().log(logs, start_time)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        """A checkpoint also holds the teacher's own weights; Trainer writes its state, which makes it whole, later."""
        super()._save(output_dir, state_dict)
        if self.teacher is not None and self.teacher.weights is not None:
            weights = {str(number): weight for number, weight in enumerate(self.teacher.weights)}
            save_file(weights, Path(output_dir or self.args.output_dir) / TEACHER_WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self.teacher is not None and self.teacher.weights is not None:
            saved = load_file(Path(resume_from_checkpoint) / TEACHER_WEIGHTS)
            for number, weight in enumerate(self.teacher.weights):
                weight.copy_(saved[str(number)])


def order_seed(seed: int) -> int:
    """Seed of the reports' order in a run's first epoch; the sampler adds the epoch's number.

    Hashed: from the run's seed itself, the second epoch of seed 0 would be the first of seed 1. Of 32 bits, which is
    all that torch's generator on a CPU looks at.
    """
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


def as_forward(
    wrapper: torch.nn.Module, module: torch.nn.Module, function: Callable[..., Tensor], *args: Any
) -> Tensor:
    """Call `function(*args)` as if it were the forward of `module` inside `wrapper`.

    DDP prepares its exchange of gradients in its own forward, which calls the module's: a loss computed beside it would
    train every process by itself. Without a wrapper this is a plain call.
    """
    if wrapper is module:
        return function(*args)
    own = module.__dict__.get("forward")

    def once(*args: Any) -> Tensor:
        restore()
        return function(*args)

    def restore() -> None:
        if own is None:
            module.__dict__.pop("forward", None)
        else:
            module.__dict__["forward"] = own

    module.__dict__["forward"] = once
    try:
        return wrapper(*args)
    finally:
        restore()


class _AfterStep(TrainerCallback):
    """Checks the first gradients, and moves the teacher after every optimizer step."""

    def __init__(self, trainer: DistillationTrainer) -> None:
        self._trainer = trainer

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._trainer._summed_from_step = state.global_step

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step == 0:
            check_gradients(self._trainer.student)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """No checkpoint of the last step: resumed from there, Trainer would take one step more."""
        if state.global_step >= state.max_steps:
            control.should_save = False

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self._trainer.teacher is not None:
            self._trainer.teacher.update(self._trainer._steps_before + state.global_step)


def check_gradients(student: Student) -> None:
    """Every student weight has a gradient and nothing else has: a loss can look right while nothing is trained."""
    trained = {id(weight) for weight in student.weights}
    for name, weight in student.model.named_parameters():
        if (weight.grad is not None) != (id(weight) in trained):
            raise RuntimeError(f"{name} {'lacks a' if weight.grad is None else 'has a'} gradient after the first step")


def check_head(student: Student, batch: dict[str, Tensor]) -> None:
    """The head must be a plain linear layer, and on the last hidden states give the model's own logits.

    Not so in architectures that scale or cap logits after the head; training them this way would be wrong.

    Raises:
        InputError: it is not.
    """
    model = student.model
    head = model.get_output_embeddings()
    # One report without other padding than this, and so without a mask: both round alike in 16 bits.
    ids, positions = in_few_lengths(
        model, batch["input_ids"], batch["attention_mask"].bool(), before=student.virtual_tokens
    )
    same = isinstance(head, torch.nn.Linear) and head.weight.is_floating_point()
    if same:
        model.train()
        with torch.no_grad(), mixed_precision(model), without_dropout(model.modules()):
            ours = head(student.hidden_states({"input_ids": ids}, positions)).float()
            # Before them may be logits of virtual tokens.
            own = model(input_ids=ids).logits[:, -ids.shape[1] :][positions].float()
        same = torch.allclose(ours, own, rtol=1e-3, atol=1e-3)
    if not same:
        raise InputError(
            f"{type(without_adapter(model)).__name__} does not compute its logits by a plain output head alone; "
            f"this architecture is not supported: choose another `model.source`."
        )


def check_processes_agree(student: Student, teacher: Teacher | None) -> None:
    """All processes must hold the same weights to the last bit: each averages its own copy of the teacher."""
    digest = hashlib.sha256()
    for weight in [*student.weights, *((teacher and teacher.weights) or [])]:
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    digests = gather_object([digest.hexdigest()])
    if len(set(digests)) != 1:
        raise RuntimeError(f"the processes' weights differ after training: {digests}")


def paced(training: Training, optimization: Optimization, pace: Pace | None) -> tuple[Training, Optimization]:
    """Schedule and rate of a method that has a pace of its own."""
    if pace is None:
        return training, optimization
    return (
        replace(
            training,
            schedule=pace.schedule or training.schedule,
            warmup_ratio=training.warmup_ratio if pace.warmup_ratio is None else pace.warmup_ratio,
        ),
        replace(optimization, learning_rate=optimization.learning_rate * pace.rate),
    )


def make_trainer(
    student: Student,
    tokenizer: PreTrainedTokenizerBase,
    reports: Dataset,
    method: Method,
    teacher: Teacher | None,
    training: Training,
    optimization: Optimization,
    compute: Compute,
    seed: int,
    scratch: Path,
    callbacks: list[TrainerCallback],
    fisher: Fisher | None = None,
    base: Teacher | None = None,
    token_weights: CorpusWeights | None = None,
    monitor: Monitor | None = None,
    replayed: Dataset | None = None,
    finished: Sequence[Finished] = (),
) -> DistillationTrainer:
    """The same trainer for every method; order of the reports from `seed`, checkpoints (if asked for) in `scratch`.

    With `base`, the divergence of the student from it is measured at times (`base_kl_nats`). `monitor` is what a method
    with a budget is measured on, `replayed` are the texts that one with a replay draws from, `finished` the finished
    domains of a chain.

    Raises:
        SettingsError: the batch cannot be divided among the processes, or is larger than the corpus; there are several
            GPUs for one process; or checkpoints and points of the curves do not fall together.
    """
    check_one_device_a_process(compute)
    check_saving(optimization, training)
    training, optimization = paced(training, optimization, method.pace)
    model = student.model
    collator = report_collator(tokenizer)
    model.config.use_cache = False
    first = collator([reports[0]]).to(model.device)
    check_head(student, dict(first))
    step = optimization.batch_size * optimization.gradient_accumulation_steps
    if step > len(reports):
        raise SettingsError(
            f"a step takes {step} reports (`optimization.batch_size` times `gradient_accumulation_steps`), but there "
            f"are {len(reports)} to train on: lower them in the profile."
        )
    at_once = share_of(optimization.batch_size, "`optimization.batch_size`")
    replay = None
    if method.replay is not None:
        assert replayed is not None, "a method with a replay needs texts"
        replay = Replaying(method.replay, student, replayed, collator, step, at_once, seed)
    return DistillationTrainer(
        student=student,
        args=TrainingArguments(
            output_dir=str(scratch),
            use_cpu=compute.device == "cpu",
            bf16=low_precision(model) == torch.bfloat16,
            fp16=low_precision(model) == torch.float16,
            max_steps=optimization.max_steps,
            per_device_train_batch_size=at_once,
            gradient_accumulation_steps=optimization.gradient_accumulation_steps,
            # A step's reports are drawn at random, and dealt by length into its forward passes and processes: little
            # padding, and the same steps however they are divided.
            train_sampling_strategy="batch_rebalance",
            dataloader_drop_last=True,
            ddp_find_unused_parameters=False,
            activation_checkpointing=optimization.gradient_checkpointing,
            activation_checkpointing_kwargs={"use_reentrant": False},
            learning_rate=optimization.learning_rate,
            lr_scheduler_type=training.schedule,
            warmup_steps=training.warmup_ratio,
            weight_decay=training.weight_decay,
            max_grad_norm=training.max_grad_norm,
            logging_steps=training.log_every_steps,
            logging_first_step=True,
            save_strategy="no" if optimization.save_every_steps is None else "steps",
            save_steps=optimization.save_every_steps or 1,
            # One before the last, should that be damaged.
            save_total_limit=2,
            report_to=[],
            remove_unused_columns=False,
            label_names=["labels"],
            seed=seed,
        ),
        train_dataset=reports,
        data_collator=collator,
        processing_class=tokenizer,
        method=method,
        teacher=teacher,
        penalty=None if method.penalties is None else _penalty(method.penalties, student, fisher, finished),
        base=base,
        token_weights=token_weights,
        monitor=monitor,
        replay=replay,
        steps_before=len(finished) * optimization.max_steps,
        callbacks=callbacks,
    )


def _penalty(penalties: Penalties, student: Student, fisher: Fisher | None, finished: Sequence[Finished]) -> Penalty:
    of_domains = [domain.fisher for domain in finished if domain.fisher is not None]
    return Penalty(penalties, student, fisher, of_domains, finished[-1].student if finished else None)
