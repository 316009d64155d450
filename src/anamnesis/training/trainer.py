"""The one training loop: Hugging Face's Trainer with a loss that may have a teacher."""

from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch import Tensor
from transformers import (
    DataCollatorForSeq2Seq,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from anamnesis.errors import InputError
from anamnesis.methods.losses import IGNORED, distillation_loss, supervised_positions, targets
from anamnesis.methods.teachers import Teacher, hidden_states, without_dropout
from anamnesis.modeling.adapters import STUDENT, tensors, update_distance
from anamnesis.settings import Compute, Method, Optimization, Training


class DistillationTrainer(Trainer):
    """Trainer whose loss is CE + kl_weight * KL(teacher, student); without a teacher it is plain fine-tuning.

    The teacher's forward comes first, so that the student's adapter is the active one in the student's forward and
    in its backward, where gradient checkpointing runs the forward again.
    """

    def __init__(self, *args: Any, method: Method, teacher: Teacher | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method = method
        self.teacher = teacher
        # The loss is divided by the supervised tokens of the whole step: Trainer must count them and not divide again.
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        self._loss_shifts_labels = True
        self._sums = {"ce_nats": 0.0, "kl_nats": 0.0}
        self._summed_from_step = 0
        self.add_callback(_AfterStep(self))

    def compute_loss(
        self,
        model: PeftModel,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: int | Tensor | None = None,
    ) -> Tensor:
        assert not return_outputs, "there are no logits of all positions to return"
        positions = supervised_positions(inputs["labels"])
        head = model.get_output_embeddings()
        # Trainer's own mixed precision reaches model.forward alone, which is not called here.
        with self.accelerator.autocast():
            teacher_logits = None
            if self.teacher is not None:
                with torch.no_grad():
                    teacher_logits = head(self.teacher.hidden_states(inputs, positions))
            student_logits = head(hidden_states(model, inputs, positions))
        loss = distillation_loss(
            student_logits,
            teacher_logits,
            targets(inputs["labels"]),
            self.method,
            positions.sum() if num_items_in_batch is None else num_items_in_batch,
        )
        self._sums["ce_nats"] += float(loss.ce_nats)
        self._sums["kl_nats"] += float(loss.kl_nats)
        return loss.total

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds means over the steps since the last point: CE and KL apart, and the distances between the models."""
        steps = self.state.global_step - self._summed_from_step
        if "loss" in logs and steps:
            logs |= {name: value / steps for name, value in self._sums.items()}
            logs["update_norm"] = update_distance(self.model, STUDENT, None)
            if self.teacher is not None:
                logs["teacher_distance"] = update_distance(self.model, STUDENT, self.teacher.adapter)
            self._sums = dict.fromkeys(self._sums, 0.0)
            self._summed_from_step = self.state.global_step
        super().log(logs, start_time)


class _AfterStep(TrainerCallback):
    """Checks the first gradients, and moves the teacher after every optimizer step."""

    def __init__(self, trainer: DistillationTrainer) -> None:
        self._trainer = trainer

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step == 0:
            check_gradients(self._trainer.model)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self._trainer.teacher is not None:
            self._trainer.teacher.update(state.global_step)


def check_gradients(model: PeftModel) -> None:
    """Every student weight has a gradient and nothing else has: a loss can look right while nothing is trained."""
    student = {id(weight) for weight in tensors(model, STUDENT)}
    for name, weight in model.named_parameters():
        if (weight.grad is not None) != (id(weight) in student):
            raise RuntimeError(f"{name} {'lacks a' if weight.grad is None else 'has a'} gradient after the first step")


def check_head(model: PeftModel, batch: dict[str, Tensor]) -> None:
    """The head on the last hidden states must give the model's own logits.

    Not so in architectures that scale or cap logits after the head; training them this way would be wrong.

    Raises:
        InputError: the logits differ.
    """
    positions = batch["attention_mask"].bool()
    model.train()
    with torch.no_grad(), without_dropout(model):
        ours = model.get_output_embeddings()(hidden_states(model, batch, positions)).float()
        own = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[positions].float()
    if not torch.allclose(ours, own, rtol=1e-3, atol=1e-3):
        raise InputError(
            f"{type(model.get_base_model()).__name__} does not compute its logits by its output head alone; "
            f"this architecture is not supported: choose another `model.source`."
        )


def make_trainer(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    reports: Dataset,
    method: Method,
    teacher: Teacher | None,
    training: Training,
    optimization: Optimization,
    compute: Compute,
    seed: int,
    scratch: str,
    callbacks: list[TrainerCallback],
) -> DistillationTrainer:
    """The same trainer for every method; order of the reports from `seed`."""
    collator = DataCollatorForSeq2Seq(tokenizer, padding=True, label_pad_token_id=IGNORED)
    model.config.use_cache = False
    first = collator([reports[0]]).to(model.device)
    check_head(model, dict(first))
    return DistillationTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=scratch,
            use_cpu=compute.device == "cpu",
            bf16=compute.device != "cpu" and model.dtype == torch.bfloat16,
            max_steps=optimization.max_steps,
            per_device_train_batch_size=optimization.batch_size,
            gradient_accumulation_steps=optimization.gradient_accumulation_steps,
            activation_checkpointing=optimization.gradient_checkpointing,
            activation_checkpointing_kwargs={"use_reentrant": False},
            learning_rate=optimization.learning_rate,
            lr_scheduler_type=training.schedule,
            warmup_steps=training.warmup_ratio,
            weight_decay=training.weight_decay,
            max_grad_norm=training.max_grad_norm,
            logging_steps=training.log_every_steps,
            logging_first_step=True,
            save_strategy="no",
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
        callbacks=callbacks,
    )
