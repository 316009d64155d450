"""The training loop: what the arms have in common, where they must coincide, and what must never change."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import Tensor
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    set_seed,
)

from anamnesis.errors import InputError
from anamnesis.files import write_jsonl
from anamnesis.methods.fisher import Fisher, estimate_fisher
from anamnesis.methods.states import (
    TeacherStates,
    corpus_log_p,
    keep_log_p,
    keep_states,
    open_log_p,
    open_states,
)
from anamnesis.methods.supervision import IGNORED, supervised_positions
from anamnesis.methods.teachers import CachedTeacher, StaticTeacher, frozen_base, make_teacher
from anamnesis.methods.tokens import corpus_weights
from anamnesis.modeling.hidden_states import hidden_states_alone
from anamnesis.modeling.loading import load_base, save_base
from anamnesis.modeling.sampling import sample_texts
from anamnesis.modeling.source.obtaining import obtain
from anamnesis.modeling.student.saving import load_student, save_run
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.modeling.student.updates import norm
from anamnesis.rendering import completion, prompt
from anamnesis.settings.base_text import BaseText
from anamnesis.settings.budget import Budget
from anamnesis.settings.methods import Method, Pace
from anamnesis.settings.modeling import Model
from anamnesis.settings.penalties import EWC, L1, L2SP, Penalties
from anamnesis.settings.replay import Replay
from anamnesis.settings.tokens import Tokens
from anamnesis.settings.training import Optimization
from anamnesis.settings.tuner import Tuner
from anamnesis.training import trainer as training_loop
from anamnesis.training.checkpoints import last_checkpoint, scratch_folder
from anamnesis.training.curves import QUANTITIES, CurvesCallback
from anamnesis.training.data import (
    distinct,
    encode_report,
    encode_reports,
    report_collator,
    supervised_counts,
)
from anamnesis.training.monitor import Monitor
from anamnesis.training.replay import read_texts
from anamnesis.training.trainer import DistillationTrainer, check_gradients, check_head, make_trainer
from tests.conftest import CPU, HEADINGS, OPTIMIZATION, ROOT, TRAINING, TUNER, random_qwen2

NONE = Method(teacher="none")
STATIC = Method(teacher="static", kl_weight=1.0)
EMA = Method(teacher="ema", kl_weight=1.0, decay=0.9)
ANCHORED = Method(teacher="anchored", kl_weight=1.0, mix=0.5)
STM = Method(teacher="none", tokens=Tokens(keep_share=0.5))
WITHOUT_LIMIT = Budget(every_steps=2, nats=1e9)
BUDGETED = Method(teacher="none", budget=WITHOUT_LIMIT)

Reports = list[dict[str, str]]


@pytest.fixture
def train(tokenizer: PreTrainedTokenizerBase, reports: Reports, tmp_path: Path) -> Any:
    """Trains a new model with a method; the same seed each time."""

    def run(
        method: Method,
        optimization: Optimization = OPTIMIZATION,
        tuner: Tuner = TUNER,
        base: PreTrainedModel | None = None,
        curves: Path | None = None,
        states: TeacherStates | None = None,
        callbacks: Sequence[TrainerCallback] = (),
        fisher: Fisher | None = None,
        measured: bool = True,
    ) -> DistillationTrainer:
        encoded = encode_reports(reports, HEADINGS, tokenizer, "conclusion", optimization.max_length)
        base = random_qwen2(tokenizer) if base is None else base
        token_weights = None
        if method.tokens is not None:
            log_p = corpus_log_p(base, distinct(encoded), report_collator(tokenizer), states)
            token_weights = corpus_weights(method.tokens, log_p, "stm")
        set_seed(0)
        student = add_student(base, tuner)
        teacher = make_teacher(method, student, states)
        monitor = None if method.budget is None else monitor_of(student, tokenizer, reports)
        trainer = make_trainer(
            student, tokenizer, encoded, method, teacher, TRAINING, optimization, CPU, 0, tmp_path / "scratch",
            callbacks=[*callbacks, *([] if curves is None else [CurvesCallback(curves)])],
            fisher=fisher, base=frozen_base(student, states) if measured else None, token_weights=token_weights,
            monitor=monitor, replayed=texts_to_replay(method, tokenizer, tmp_path),
        )  # fmt: skip
        trainer.train(resume_from_checkpoint=last_checkpoint(tmp_path / "scratch"))
        return trainer

    return run


def monitor_of(student: Student, tokenizer: PreTrainedTokenizerBase, reports: Reports) -> Monitor:
    """Five texts that the base wrote, and three reports."""
    base = random_qwen2(tokenizer)
    written = sample_texts(base, tokenizer, BaseText(texts=5, max_tokens=12, batch_size=5, seed=3))
    texts = [[tokenizer.eos_token_id, *text] for text in written]
    encoded = encode_reports(reports[:3], HEADINGS, tokenizer, "conclusion", 256)
    return Monitor(student, tokenizer, texts, encoded)


def texts_to_replay(method: Method, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Dataset | None:
    """Ten texts of different lengths."""
    if method.replay is None:
        return None
    texts = [{"text": f"Вода {'кипит ' * (number % 4)}при {number + 90} градусах."} for number in range(10)]
    write_jsonl(folder / "texts.jsonl", texts)
    return read_texts(method.replay, folder / "texts.jsonl", [], tokenizer, 256)


def weights(trainer: DistillationTrainer) -> list[Tensor]:
    return [weight.detach().clone() for weight in trainer.student.weights]


def teachers_weights(trainer: DistillationTrainer) -> list[Tensor]:
    return [weight.clone() for weight in trainer.teacher.weights]


def identical(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def frozen(student: Student) -> dict[str, Tensor]:
    trained = {weight.data_ptr() for weight in student.weights}
    state = student.model.state_dict()
    return {name: value.clone() for name, value in state.items() if value.data_ptr() not in trained}


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize(
    "teacher", [replace(STATIC, kl_weight=0.0), replace(EMA, kl_weight=0.0), replace(ANCHORED, kl_weight=0.0)]
)
def test_weight_zero_is_plain_fine_tuning_bit_for_bit(train: Any, teacher: Method, dropout: float) -> None:
    tuner = replace(TUNER, dropout=dropout)
    plain, weighted = train(NONE, tuner=tuner), train(teacher, tuner=tuner)
    assert identical(weights(plain), weights(weighted))
    # And not because the teacher was left out: its divergence was computed and is not zero.
    assert weighted.state.log_history[-2]["divergence_nats"] > 0


def test_decay_one_is_the_static_teacher_bit_for_bit(train: Any) -> None:
    static, still = train(STATIC), train(replace(EMA, decay=1.0))
    assert identical(weights(static), weights(still))
    assert not identical(weights(static), weights(train(EMA)))
    assert not identical(weights(static), weights(train(NONE)))


def test_a_mix_of_zero_is_the_static_teacher_bit_for_bit(train: Any) -> None:
    static = train(STATIC)
    assert identical(weights(static), weights(train(replace(ANCHORED, mix=0.0))))
    between = train(ANCHORED)
    assert not identical(weights(static), weights(between))
    assert not identical(weights(train(NONE)), weights(between))
    for row in between.state.log_history[1:-1]:
        assert row["teacher_distance"] == pytest.approx(row["update_norm"] / 2, rel=1e-6)


def test_a_mix_of_one_is_no_pull_at_all(train: Any) -> None:
    own = train(replace(ANCHORED, mix=1.0))
    assert all(abs(row["divergence_nats"]) < 1e-5 for row in own.state.log_history if "divergence_nats" in row)
    for a, b in zip(weights(train(NONE)), weights(own), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-4)


def test_decay_zero_is_no_pull_at_all(train: Any) -> None:
    """The teacher is the student itself: no divergence, and, up to rounding, the weights of plain fine-tuning."""
    still = train(replace(EMA, decay=0.0))
    assert all(abs(row["divergence_nats"]) < 1e-5 for row in still.state.log_history if "divergence_nats" in row)
    for a, b in zip(weights(train(NONE)), weights(still), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("modules", [["q_proj", "lm_head"], ["q_proj", "embed_tokens"], ["no_such_layer"]])
def test_modules_that_cannot_be_adapted_are_refused(tokenizer: PreTrainedTokenizerBase, modules: list[str]) -> None:
    with pytest.raises(InputError, match=r"tuner\.target_modules"):
        add_student(random_qwen2(tokenizer), replace(TUNER, target_modules=modules))


@pytest.mark.parametrize("method", [NONE, STATIC, EMA])
def test_base_never_changes_and_only_the_student_is_optimized(
    train: Any, method: Method, tokenizer: PreTrainedTokenizerBase
) -> None:
    before = frozen(add_student(random_qwen2(tokenizer), TUNER))
    trainer = train(method)
    after = frozen(trainer.student)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    optimized = [w for group in trainer.optimizer.param_groups for w in group["params"]]
    assert {id(w) for w in optimized} == {id(w) for w in trainer.student.weights}
    trainable = {id(w) for w in trainer.model.parameters() if w.requires_grad}
    assert trainable == {id(w) for w in trainer.student.weights}


KINDS = {
    "dora": replace(TUNER, kind="dora"),
    "bottleneck": Tuner(kind="bottleneck", size=6),
    "bitfit": Tuner(kind="bitfit"),
    "upper": replace(TUNER, first_layer=1),
    "full": Tuner(kind="full"),
    "prefix": Tuner(kind="prefix", tokens=3),
    "prompt": Tuner(kind="prompt", tokens=3),
}
every_kind = pytest.mark.parametrize("tuner", KINDS.values(), ids=KINDS)


@every_kind
def test_every_tuner_trains_by_every_method(
    train: Any, kept: Any, tokenizer: PreTrainedTokenizerBase, tuner: Tuner
) -> None:
    """Weight 0 equals no teacher, decay 1 the frozen base (if the student starts there), and saved states live ones."""
    plain, static, ema = (train(method, tuner=tuner) for method in (NONE, STATIC, EMA))
    assert identical(weights(plain), weights(train(replace(EMA, kl_weight=0.0), tuner=tuner)))
    still = train(replace(EMA, decay=1.0), tuner=tuner)
    assert identical(weights(static), weights(still)) == (not tuner.virtual_tokens)
    assert identical(weights(static), weights(train(STATIC, tuner=tuner, states=kept(random_qwen2(tokenizer)))))
    assert not identical(weights(static), weights(ema))
    assert not identical(weights(plain), weights(ema))
    before, after = (frozen(student) for student in (add_student(random_qwen2(tokenizer), tuner), ema.student))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert ema.state.log_history[-2]["ce_nats"] < ema.state.log_history[0]["ce_nats"]


@every_kind
def test_every_tuner_accumulates(train: Any, tuner: Tuner) -> None:
    whole = train(EMA, replace(OPTIMIZATION, batch_size=8), tuner)
    parts = train(EMA, replace(OPTIMIZATION, batch_size=4, gradient_accumulation_steps=2), tuner)
    for key in ("ce_nats", "divergence_nats", "update_norm", "teacher_distance"):
        first, second = ([row[key] for row in t.state.log_history if key in row] for t in (whole, parts))
        assert first == pytest.approx(second, rel=1e-3, abs=1e-5)


@every_kind
def test_every_tuner_resumes_bit_for_bit(train: Any, tuner: Tuner) -> None:
    plain = replace(OPTIMIZATION, max_steps=8)
    whole = train(EMA, plain, tuner)
    with pytest.raises(KilledError):
        train(EMA, replace(plain, save_every_steps=2), tuner, callbacks=[Kill(5)])
    resumed = train(EMA, replace(plain, save_every_steps=2), tuner)
    assert identical(weights(whole), weights(resumed))
    assert identical(teachers_weights(whole), teachers_weights(resumed))


@pytest.mark.parametrize("tuner", [KINDS["full"], KINDS["bottleneck"], KINDS["prompt"]], ids=lambda tuner: tuner.kind)
def test_checkpointing_recomputes_with_every_tuner(train: Any, tuner: Tuner) -> None:
    plain, checkpointed = train(EMA, tuner=tuner), train(EMA, replace(OPTIMIZATION, gradient_checkpointing=True), tuner)
    for a, b in zip(weights(plain), weights(checkpointed), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@every_kind
def test_every_trained_student_comes_back_from_disk(
    train: Any, tokenizer: PreTrainedTokenizerBase, tuner: Tuner, tmp_path: Path
) -> None:
    trainer = train(EMA, tuner=tuner)
    save_run(trainer.student, trainer.teacher.weights, [], tmp_path / "run")
    loaded = load_student(random_qwen2(tokenizer), tmp_path / "run")
    assert identical(weights(trainer), loaded.weights)
    loaded = load_student(random_qwen2(tokenizer), tmp_path / "run" / "teacher")
    assert identical(trainer.teacher.weights, loaded.weights)


@pytest.mark.parametrize("method", [STATIC, EMA], ids=["static", "ema"])
def test_full_fine_tuning_of_a_bf16_model_is_in_fp32_and_leaves_the_tied_embedding(
    train: Any, kept: Any, tokenizer: PreTrainedTokenizerBase, method: Method
) -> None:
    bf16 = random_qwen2(tokenizer).to(torch.bfloat16)
    embedding = bf16.get_input_embeddings().weight.clone()
    low, exact = (train(method, tuner=KINDS["full"], base=base) for base in (bf16, random_qwen2(tokenizer)))
    assert {weight.dtype for weight in weights(low)} == {torch.float32}
    assert torch.equal(bf16.get_input_embeddings().weight, embedding)
    assert bf16.get_output_embeddings().weight is bf16.get_input_embeddings().weight
    first, second = ([row["ce_nats"] for row in t.state.log_history if "ce_nats" in row] for t in (exact, low))
    assert second == pytest.approx(first, rel=0.05)
    if method == STATIC:
        states = kept(random_qwen2(tokenizer).to(torch.bfloat16))
        again = train(method, tuner=KINDS["full"], base=random_qwen2(tokenizer).to(torch.bfloat16), states=states)
        # The states are kept without autocast, which casts between products only.
        for a, b in zip(weights(low), weights(again), strict=True):
            torch.testing.assert_close(a, b, rtol=0.1, atol=1e-2)


def test_a_methods_pace_is_the_same_as_the_experiments(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the rate in the method equals a tenth in the profile, bit for bit; so do schedule and warm-up."""
    slow = train(replace(NONE, pace=Pace(rate=0.1)))
    assert identical(weights(slow), weights(train(NONE, replace(OPTIMIZATION, learning_rate=0.1 * 1e-2))))
    assert not identical(weights(slow), weights(train(NONE)))
    assert identical(weights(train(replace(NONE, pace=Pace()))), weights(train(NONE)))
    other = train(replace(NONE, pace=Pace(schedule="cosine", warmup_ratio=0.5)))
    monkeypatch.setattr("tests.test_training.TRAINING", replace(TRAINING, schedule="cosine", warmup_ratio=0.5))
    assert identical(weights(other), weights(train(NONE)))
    assert not identical(weights(other), weights(train(replace(NONE, pace=Pace(warmup_ratio=0.0)))))


def test_training_moves_student_and_ema_teacher(train: Any) -> None:
    trainer = train(EMA)
    student, teacher = weights(trainer), teachers_weights(trainer)
    assert not identical(student, teacher)
    # Every B has left zero, the teacher's too: the averaging reaches all the weights.
    assert all(weight.abs().max() > 0 for weight in student + teacher)


def test_the_same_run_twice_is_bit_identical(train: Any) -> None:
    assert identical(weights(train(EMA)), weights(train(EMA)))


@pytest.mark.parametrize("method", [NONE, EMA, STM, replace(EMA, tokens=Tokens(weights="flow"))])
def test_accumulation_does_not_change_the_step(train: Any, method: Method) -> None:
    """Reports differ in length: a mean of micro-batches' means would not be the mean over tokens."""
    whole = train(method, replace(OPTIMIZATION, batch_size=8))
    parts = train(method, replace(OPTIMIZATION, batch_size=4, gradient_accumulation_steps=2))
    for key in ("ce_nats", "divergence_nats", "kept_share", "kept_first_share"):
        first, second = ([row[key] for row in t.state.log_history if key in row] for t in (whole, parts))
        assert first == pytest.approx(second, rel=1e-4, abs=1e-6)
    for a, b in zip(weights(whole), weights(parts), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-4)


def test_gradient_checkpointing_recomputes_with_the_students_adapter(train: Any) -> None:
    plain = train(EMA)
    checkpointed = train(EMA, replace(OPTIMIZATION, gradient_checkpointing=True))
    for a, b in zip(weights(plain), weights(checkpointed), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_logged_numbers_are_what_their_names_say(train: Any, tmp_path: Path) -> None:
    trainer = train(STATIC, curves=tmp_path / "curves")
    rows = [row for row in trainer.state.log_history if "ce_nats" in row]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    # The student starts as the base: no divergence, so the first loss is the cross-entropy alone.
    assert rows[0]["divergence_nats"] == pytest.approx(0, abs=1e-6)
    assert rows[-1]["divergence_nats"] > 1e-4
    for row in rows:
        assert row["loss"] == pytest.approx(row["ce_nats"] + row["divergence_nats"], rel=1e-4)
        assert row["teacher_distance"] == row["update_norm"]
    table = (tmp_path / "curves" / "plots" / "metrics" / "ce_nats.tsv").read_text().splitlines()
    assert table[0].split("\t") == ["step", "ce_nats"]
    assert [float(line.split("\t")[1]) for line in table[1:]] == [row["ce_nats"] for row in rows]


def test_first_cross_entropy_is_the_models_own_loss(
    train: Any, tokenizer: PreTrainedTokenizerBase, reports: Reports
) -> None:
    optimization = replace(OPTIMIZATION, batch_size=24, max_steps=1)
    logged = train(NONE, optimization).state.log_history[0]["ce_nats"]
    encoded = encode_reports(reports, HEADINGS, tokenizer, "conclusion", 256)
    batch = tokenizer.pad({k: encoded[k] for k in ("input_ids", "attention_mask")}, return_tensors="pt")
    labels = torch.full_like(batch["input_ids"], IGNORED)
    for row, values in enumerate(encoded["labels"]):
        labels[row, : len(values)] = torch.tensor(values)
    with torch.no_grad():
        own = random_qwen2(tokenizer)(**batch, labels=labels).loss
    assert logged == pytest.approx(float(own), rel=1e-4)


def test_gradients_lost_to_the_teacher_are_noticed(tokenizer: PreTrainedTokenizerBase) -> None:
    student = add_student(random_qwen2(tokenizer), TUNER)
    tokens = torch.tensor([[1, 2, 3, 4]])
    with student.as_base():
        (student.model(input_ids=tokens, labels=tokens).loss + 0 * student.weights[0].sum()).backward()
    with pytest.raises(RuntimeError, match="lacks a gradient"):
        check_gradients(student)
    student.model.zero_grad()
    student.model(input_ids=tokens, labels=tokens).loss.backward()
    check_gradients(student)


# ---- Penalties ------------------------------------------------------------------------------------------------------


PENALTIES = {
    "l1": Penalties(l1=L1(1e-3, "factors")),
    "l1_update": Penalties(l1=L1(1e-3, "update")),
    "l2_sp": Penalties(l2_sp=L2SP(0.1)),
    "ewc": Penalties(ewc=EWC(10.0)),
    "all": Penalties(L1(1e-3, "factors"), L2SP(0.1), EWC(10.0)),
}


@pytest.fixture
def fisher(tokenizer: PreTrainedTokenizerBase, reports: Reports) -> Fisher:
    """Of the random base on the reports, as if they were general text."""
    encoded = encode_reports(reports, HEADINGS, tokenizer, "report", 256)
    return estimate_fisher(random_qwen2(tokenizer), encoded["input_ids"])


@pytest.mark.parametrize("penalties", PENALTIES.values(), ids=PENALTIES)
def test_a_penalty_of_weight_zero_is_no_penalty_bit_for_bit(train: Any, fisher: Fisher, penalties: Penalties) -> None:
    parts = {"l1": penalties.l1, "l2_sp": penalties.l2_sp, "ewc": penalties.ewc}
    off = Penalties(**{name: part and replace(part, weight=0.0) for name, part in parts.items()})
    plain, weightless = train(NONE), train(replace(NONE, penalties=off), fisher=fisher)
    assert identical(weights(plain), weights(weightless))
    assert all(row.get("penalty_nats", 0.0) == 0 for row in weightless.state.log_history)
    penalized = train(replace(NONE, penalties=penalties), fisher=fisher)
    assert not identical(weights(plain), weights(penalized))
    assert penalized.state.log_history[-2]["penalty_nats"] > 0


@pytest.mark.parametrize("name", ["ewc", "all"])
def test_accumulation_does_not_change_a_penalty(train: Any, fisher: Fisher, name: str) -> None:
    method = replace(NONE, penalties=PENALTIES[name])
    whole = train(method, replace(OPTIMIZATION, batch_size=8), fisher=fisher)
    parts = train(method, replace(OPTIMIZATION, batch_size=4, gradient_accumulation_steps=2), fisher=fisher)
    for key in ("loss", "ce_nats", "penalty_nats", "ewc_nats"):
        first, second = ([row[key] for row in t.state.log_history if key in row] for t in (whole, parts))
        assert first == pytest.approx(second, rel=1e-3, abs=1e-6)
    for a, b in zip(weights(whole), weights(parts), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-4)


def test_the_loss_is_the_sum_of_its_logged_terms(train: Any, fisher: Fisher) -> None:
    method = replace(STATIC, penalties=PENALTIES["all"])
    rows = [row for row in train(method, fisher=fisher).state.log_history if "ce_nats" in row]
    assert rows[0]["ewc_nats"] == rows[0]["l2_sp"] == 0
    for row in rows:
        penalty = 1e-3 * row["l1_norm"] + 0.1 * row["l2_sp"] + 10.0 * row["ewc_nats"]
        assert row["penalty_nats"] == pytest.approx(penalty, rel=1e-5)
        assert row["loss"] == pytest.approx(row["ce_nats"] + row["divergence_nats"] + penalty, rel=1e-4)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_a_penalized_training_resumes_bit_for_bit(train: Any, fisher: Fisher, kind: str) -> None:
    plain, tuner = replace(OPTIMIZATION, max_steps=8), replace(TUNER, kind=kind)
    method = replace(EMA, penalties=PENALTIES["all"])
    whole = train(method, plain, tuner, fisher=fisher)
    with pytest.raises(KilledError):
        train(method, replace(plain, save_every_steps=2), tuner, callbacks=[Kill(5)], fisher=fisher)
    resumed = train(method, replace(plain, save_every_steps=2), tuner, fisher=fisher)
    assert identical(weights(whole), weights(resumed))
    assert whole.state.log_history[-2]["ewc_nats"] == resumed.state.log_history[-2]["ewc_nats"]


@pytest.mark.parametrize("penalties", [Penalties(l2_sp=L2SP(1e6)), Penalties(ewc=EWC(1e6))], ids=["l2_sp", "ewc"])
def test_a_strong_penalty_keeps_the_update_small(train: Any, fisher: Fisher, penalties: Penalties) -> None:
    """Adam takes steps of the size of the rate whatever the weight: small, and not 0."""
    longer = replace(OPTIMIZATION, max_steps=12)
    plain, held = train(NONE, longer), train(replace(NONE, penalties=penalties), longer, fisher=fisher)
    assert 0 < held.state.log_history[-2]["update_norm"] < plain.state.log_history[-2]["update_norm"] / 2


# ---- The static teacher's states on disk ---------------------------------------------------------------------------


@pytest.fixture
def kept(tokenizer: PreTrainedTokenizerBase, reports: Reports, tmp_path: Path) -> Any:
    """Writes the frozen base's states for the reports, and opens them."""

    def write(base: PreTrainedModel, max_bytes: float = 1e9) -> TeacherStates | None:
        encoded = encode_reports(reports, HEADINGS, tokenizer, "conclusion", 256)
        collate = report_collator(tokenizer)

        def chunks() -> Any:
            for start in range(0, len(encoded), 5):
                batch = collate([encoded[row] for row in range(start, min(start + 5, len(encoded)))])
                with torch.no_grad():
                    yield hidden_states_alone(base, batch, supervised_positions(batch["labels"]))

        folder = tmp_path / "teacher"
        done, needed = keep_states(folder, supervised_counts(encoded), chunks(), max_bytes)
        assert done == (needed <= max_bytes)
        assert needed == sum(supervised_counts(encoded).values()) * base.config.hidden_size * base.dtype.itemsize
        return open_states(folder, supervised_counts(encoded))

    return write


def test_kept_states_train_as_the_live_teacher_does_bit_for_bit(
    train: Any, kept: Any, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Even in another order and in other batches than those they were computed in."""
    states = kept(random_qwen2(tokenizer))
    live, cached = train(STATIC), train(STATIC, states=states)
    assert isinstance(live.teacher, StaticTeacher)
    assert isinstance(cached.teacher, CachedTeacher)
    assert identical(weights(live), weights(cached))
    assert live.state.log_history[-2]["divergence_nats"] == cached.state.log_history[-2]["divergence_nats"] > 0


def test_states_of_a_bf16_model_are_kept_as_they_are(
    kept: Any, tokenizer: PreTrainedTokenizerBase, reports: Reports
) -> None:
    base = random_qwen2(tokenizer).to(torch.bfloat16)
    states = kept(base)
    encoded = encode_reports(reports, HEADINGS, tokenizer, "conclusion", 256)
    batch = report_collator(tokenizer)([encoded[row] for row in (7, 3)])
    with torch.no_grad():
        fresh = hidden_states_alone(base, batch, supervised_positions(batch["labels"]))
    assert fresh.dtype == torch.bfloat16
    seven, three = batch["document"].tolist()
    assert torch.equal(states.of([seven, three]), fresh)
    assert not torch.equal(states.of([three, seven]), fresh)


def test_states_over_the_budget_are_not_kept_and_the_teacher_runs(
    train: Any, kept: Any, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    states = kept(random_qwen2(tokenizer), max_bytes=1e3)
    assert states is None
    assert not (tmp_path / "teacher" / "states.bin").exists()
    assert isinstance(train(STATIC, states=states).teacher, StaticTeacher)


def test_states_of_other_reports_are_refused(kept: Any, tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    kept(random_qwen2(tokenizer))
    with pytest.raises(RuntimeError, match="belong to other reports"):
        open_states(tmp_path / "teacher", {1: 3})


# ---- Weights of tokens, and the distance from the base -------------------------------------------------------------


def log_p_by_hand(tokenizer: PreTrainedTokenizerBase, reports: Reports) -> dict[int, Tensor]:
    """The log-probabilities of each report's supervised tokens by the model's own logits."""
    base, found = random_qwen2(tokenizer), {}
    for row in encode_reports(reports, HEADINGS, tokenizer, "conclusion", 256):
        ids, labels = torch.tensor(row["input_ids"]), torch.tensor(row["labels"])
        with torch.no_grad():
            log_p = base(ids[None]).logits[0].log_softmax(-1)
        at = (labels[1:] != IGNORED).nonzero()[:, 0]
        found[row["document"]] = log_p[at, ids[at + 1]]
    return found


def test_the_bases_log_probabilities_are_the_same_kept_and_computed(
    kept: Any, tokenizer: PreTrainedTokenizerBase, reports: Reports, tmp_path: Path
) -> None:
    encoded = distinct(encode_reports(reports, HEADINGS, tokenizer, "conclusion", 256))
    base, collate = random_qwen2(tokenizer), report_collator(tokenizer)
    computed = corpus_log_p(base, encoded, collate, None)
    assert computed.keys() == supervised_counts(encoded).keys()
    from_states = corpus_log_p(base, encoded, collate, kept(random_qwen2(tokenizer)))
    alone = corpus_log_p(base, encoded.select([7]), collate, None)
    keep_log_p(tmp_path, computed)
    read = open_log_p(tmp_path, supervised_counts(encoded))
    assert computed.keys() == from_states.keys() == read.keys()
    assert identical(list(alone.values()), [computed[encoded[7]["document"]]])
    assert identical(list(computed.values()), list(from_states.values()))
    assert identical(list(computed.values()), list(read.values()))
    for document, values in log_p_by_hand(tokenizer, reports).items():
        torch.testing.assert_close(computed[document], values, rtol=1e-4, atol=1e-4)
    assert open_log_p(tmp_path / "elsewhere", {}) is None
    with pytest.raises(RuntimeError, match="belong to other reports"):
        open_log_p(tmp_path, {1: 3})


@pytest.mark.parametrize("tokens", [Tokens(max_perplexity=1e300), Tokens(keep_share=1.0)], ids=str)
@pytest.mark.parametrize("method", [NONE, STATIC], ids=["none", "static"])
def test_a_mask_that_keeps_everything_is_no_mask_bit_for_bit(train: Any, method: Method, tokens: Tokens) -> None:
    plain, masked = train(method), train(replace(method, tokens=tokens))
    assert identical(weights(plain), weights(masked))
    for row in masked.state.log_history[:-1]:
        assert row["kept_share"] == pytest.approx(1)
        assert row["kept_first_share"] == pytest.approx(1)
    assert not identical(weights(plain), weights(train(replace(method, tokens=Tokens(keep_share=0.5)))))


def test_the_first_cross_entropy_is_that_of_the_kept_tokens(
    train: Any, tokenizer: PreTrainedTokenizerBase, reports: Reports
) -> None:
    """All reports in one step: the mean over exactly the tokens below the threshold; the share logged is counted."""
    log_p = log_p_by_hand(tokenizer, reports)
    nats = -torch.cat(list(log_p.values()))
    kept = nats[nats <= math.log(1000)]
    first = torch.tensor([float(-values[0]) for values in log_p.values()])
    assert 0 < len(kept) < len(nats)
    optimization = replace(OPTIMIZATION, batch_size=24, max_steps=1)
    row = train(replace(NONE, tokens=Tokens(max_perplexity=1000.0)), optimization).state.log_history[0]
    assert row["ce_nats"] == pytest.approx(float(kept.mean()), rel=1e-4)
    assert row["kept_share"] == pytest.approx(len(kept) / len(nats), rel=1e-6)
    assert row["kept_first_share"] == pytest.approx(float((first <= math.log(1000)).double().mean()), rel=1e-6)


def test_the_divergence_is_taken_at_all_positions_whatever_is_masked(
    train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the base, it is what is measured for every arm as the distance from the base, which knows no mask."""
    monkeypatch.setattr(training_loop, "BASE_KL_STEPS", 1)
    masked = replace(STATIC, tokens=Tokens(keep_share=0.1))
    rows = [row for row in train(masked, replace(OPTIMIZATION, batch_size=24)).state.log_history if "ce_nats" in row]
    assert len(rows) == OPTIMIZATION.max_steps
    assert rows[-1]["divergence_nats"] > 1e-3
    for row in rows:
        assert row["divergence_nats"] == pytest.approx(row["base_kl_nats"], rel=1e-5, abs=1e-7)
        assert row["kept_share"] == pytest.approx(0.1, abs=0.02)
        assert row["loss"] == pytest.approx(row["ce_nats"] + row["divergence_nats"], rel=1e-4)


def test_the_distance_from_the_base_is_measured_for_every_arm_and_changes_none(
    train: Any, kept: Any, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same by kept states as by the live base, and for `static` its own divergence."""
    monkeypatch.setattr(training_loop, "BASE_KL_STEPS", 2)
    monkeypatch.setattr("tests.test_training.TRAINING", replace(TRAINING, log_every_steps=2))
    states = kept(random_qwen2(tokenizer))
    for method in (NONE, EMA):
        live, cached, without = train(method), train(method, states=states), train(method, measured=False)
        assert identical(weights(live), weights(without))
        assert not any("base_kl_nats" in row for row in without.state.log_history)
        curves = [
            {row["step"]: row["base_kl_nats"] for row in trainer.state.log_history if "base_kl_nats" in row}
            for trainer in (live, cached)
        ]
        assert curves[0] == curves[1]
        assert list(curves[0]) == [2, 4]
        # Before the second step the student is still the base: the first had a rate of 0.
        assert curves[0][4] > 1e-3 > abs(curves[0][2])
    monkeypatch.setattr("tests.test_training.TRAINING", replace(TRAINING, log_every_steps=1))
    static = [row for row in train(STATIC).state.log_history if "base_kl_nats" in row]
    assert [row["step"] for row in static] == [2, 4]
    for row in static:
        assert row["base_kl_nats"] == pytest.approx(row["divergence_nats"], rel=1e-6, abs=1e-9)


# ---- A budget of forgetting ----------------------------------------------------------------------------------------


def monitored(trainer: DistillationTrainer) -> dict[int, dict[str, float]]:
    return {row["step"]: row for row in trainer.state.log_history if "monitor_nats" in row}


@pytest.mark.parametrize("method", [NONE, EMA], ids=["none", "ema"])
@pytest.mark.parametrize("choose", ["best", "last"])
def test_a_budget_without_a_limit_is_none_bit_for_bit(train: Any, method: Method, choose: Any) -> None:
    """Here the last point is the best. 5 is no multiple of 2: the end is measured all the same."""
    optimization = replace(OPTIMIZATION, max_steps=5)
    plain = train(method, optimization)
    watched = train(replace(method, budget=replace(WITHOUT_LIMIT, choose=choose)), optimization)
    assert identical(weights(plain), weights(watched))
    if method == EMA:
        assert identical(teachers_weights(plain), teachers_weights(watched))
    assert list(monitored(watched)) == [0, 2, 4, 5]
    assert watched.kept_within.record()["step"] == 5
    for name in ("ce_nats", "grad_norm"):
        curves = [[row[name] for row in trainer.state.log_history if name in row] for trainer in (plain, watched)]
        assert curves[0] == curves[1]


def test_a_budget_of_nothing_stops_at_the_first_point_with_the_bases_weights(
    train: Any, tokenizer: PreTrainedTokenizerBase
) -> None:
    trainer = train(replace(BUDGETED, budget=Budget(every_steps=2, nats=0.0)), replace(OPTIMIZATION, max_steps=8))
    assert trainer.state.global_step == 2
    base = random_qwen2(tokenizer)
    set_seed(0)
    assert identical(weights(trainer), [weight.detach() for weight in add_student(base, TUNER).weights])
    record = trainer.kept_within.record()
    assert (record["step"], record["last_step"], record["lost_nats"]) == (0, 2, 0.0)
    first = monitored(trainer)[0]
    assert first["monitor_kl_nats"] == pytest.approx(0, abs=1e-6)
    assert first["monitor_nats"] > 1


@pytest.mark.parametrize("method", [BUDGETED, replace(EMA, budget=WITHOUT_LIMIT)], ids=["none", "ema"])
def test_a_training_beyond_its_budget_stops_and_the_restored_weights_give_the_logged_nats(
    train: Any, method: Method
) -> None:
    optimization = replace(OPTIMIZATION, max_steps=12)
    points = monitored(train(method, optimization))
    lost = {step: point["monitor_kl_nats"] - points[0]["monitor_kl_nats"] for step, point in points.items()}
    assert lost[12] > lost[4] > lost[2] > 0
    limit = (lost[4] + next(value for value in lost.values() if value > lost[4])) / 2
    stopped = train(replace(method, budget=replace(WITHOUT_LIMIT, nats=limit)), optimization)
    record = stopped.kept_within.record()
    after = next(step for step, value in lost.items() if value > limit)
    assert stopped.state.global_step == record["last_step"] == after < 12
    within = {step: points[step]["monitor_domain_nats"] for step in lost if step < after}
    assert record["step"] == min(within, key=within.__getitem__) > 0
    assert record["lost_nats"] == lost[record["step"]] <= limit
    again = stopped.kept_within._monitor.measure(0)
    assert again.monitor_nats == points[record["step"]]["monitor_nats"]
    assert again.monitor_kl_nats == points[record["step"]]["monitor_kl_nats"]
    assert again.monitor_domain_nats == points[record["step"]]["monitor_domain_nats"]
    # So are the student's own weights, and the teacher those of the same step.
    row = monitored(stopped)[record["step"]]
    assert norm(stopped.student.updates()) == row["update_norm"]
    if method.teacher == "ema":
        assert stopped.teacher.distance(stopped.student) == row["teacher_distance"] > 0


def test_a_patient_budget_waits_for_so_many_points(train: Any) -> None:
    optimization = replace(OPTIMIZATION, max_steps=12)
    for patience, end in ((0, 2), (2, 6), (9, 12)):
        trainer = train(
            replace(BUDGETED, budget=Budget(every_steps=2, nats=0.0, patience=patience, choose="last")), optimization
        )
        assert trainer.state.global_step == end
        assert trainer.kept_within.record()["step"] == 0


@pytest.mark.parametrize("killed_at", [3, 5])
def test_a_budgeted_training_resumes_as_if_never_stopped(train: Any, killed_at: int, tmp_path: Path) -> None:
    """The chosen weights and the points are in the checkpoint; the one of the last point comes after the choice."""
    points = monitored(train(BUDGETED, replace(OPTIMIZATION, max_steps=12)))
    limit = points[2]["monitor_kl_nats"] + 1e-6
    method = replace(BUDGETED, budget=Budget(every_steps=2, nats=limit, patience=2))
    plain = replace(OPTIMIZATION, max_steps=12)
    whole = train(method, plain, curves=tmp_path / "whole")
    assert whole.kept_within.record()["last_step"] == 8
    with pytest.raises(KilledError):
        train(method, replace(plain, save_every_steps=2), callbacks=[Kill(killed_at)], curves=tmp_path / "killed")
    resumed = train(method, replace(plain, save_every_steps=2), curves=tmp_path / "resumed")
    assert identical(weights(whole), weights(resumed))
    assert whole.kept_within.record() == resumed.kept_within.record()
    for table in (tmp_path / "whole").rglob("*.tsv"):
        again = tmp_path / "resumed" / table.relative_to(tmp_path / "whole")
        assert table.read_text() == again.read_text(), table


# ---- All parts at once ---------------------------------------------------------------------------------------------

COMBINED = {
    "ema": (EMA, replace(TUNER, dropout=0.3)),
    "anchored": (ANCHORED, TUNER),
    "static": (STATIC, replace(TUNER, kind="dora")),
}


@pytest.mark.parametrize("teacher", COMBINED)
def test_all_parts_at_once_resume_bit_for_bit_and_all_without_effect_are_plain_fine_tuning(
    train: Any, fisher: Fisher, teacher: str
) -> None:
    method, tuner = COMBINED[teacher]
    plain = replace(OPTIMIZATION, max_steps=8, batch_size=2, gradient_accumulation_steps=2)
    off = replace(
        method,
        kl_weight=0.0,
        penalties=Penalties(L1(0.0, of="factors"), L2SP(0.0), EWC(0.0)),
        tokens=Tokens(keep_share=1.0),
        replay=Replay(source="general", share=0.0),
        pace=Pace(),
        budget=replace(WITHOUT_LIMIT, choose="last"),
    )
    assert identical(weights(train(off, plain, tuner, fisher=fisher)), weights(train(NONE, plain, tuner)))

    every = replace(
        method,
        penalties=Penalties(L1(1e-3, of="factors"), L2SP(1e-2), EWC(10.0)),
        tokens=Tokens(keep_share=0.5),
        replay=Replay(source="general", share=0.3, loss="margin", label_weight=1.0),
        pace=Pace(rate=0.5, schedule="cosine"),
        budget=WITHOUT_LIMIT,
    )
    whole = train(every, plain, tuner, fisher=fisher)
    with pytest.raises(KilledError):
        train(every, replace(plain, save_every_steps=2), tuner, callbacks=[Kill(5)], fisher=fisher)
    resumed = train(every, replace(plain, save_every_steps=2), tuner, fisher=fisher)
    assert identical(weights(whole), weights(resumed))
    if teacher == "ema":
        assert identical(teachers_weights(whole), teachers_weights(resumed))
    curves = [{name: row[name] for name in QUANTITIES if name in row} for row in whole.state.log_history]
    assert curves == [{name: row[name] for name in QUANTITIES if name in row} for row in resumed.state.log_history]
    terms = {"divergence_nats", "penalty_nats", "kept_share", "replay_nats", "replay_margin", "monitor_kl_nats"}
    assert terms <= {name for row in curves for name in row}


# ---- Resuming from a checkpoint, low precision, several processes --------------------------------------------------


class KilledError(Exception):
    pass


class Kill(TrainerCallback):
    """Stops as a lost machine would: no later callback is called."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self._step:
            raise KilledError


@pytest.mark.parametrize(
    ("method", "killed_at", "accumulation", "quantities"),
    [
        (NONE, 3, 1, 4),
        (STATIC, 3, 1, 6),
        (EMA, 3, 1, 6),
        (EMA, 5, 2, 6),
        (EMA, 7, 1, 6),
        (ANCHORED, 3, 1, 6),
        (STM, 3, 2, 6),
        (BUDGETED, 5, 1, 7),
    ],
)
def test_resumed_is_as_never_stopped_bit_for_bit(
    train: Any, method: Method, killed_at: int, accumulation: int, quantities: int, tmp_path: Path
) -> None:
    """An epoch is six steps, or three of two passes. The kills are in the first or second, one between curve points."""
    tuner = replace(TUNER, dropout=0.3)
    plain = replace(OPTIMIZATION, max_steps=8, gradient_accumulation_steps=accumulation)
    whole = train(method, plain, tuner, curves=tmp_path / "whole")
    saving = replace(plain, save_every_steps=2)
    with pytest.raises(KilledError):
        train(method, saving, tuner, curves=tmp_path / "killed", callbacks=[Kill(killed_at)])
    # As if killed while writing the next one.
    (tmp_path / "scratch" / "checkpoint-8").mkdir()
    assert last_checkpoint(tmp_path / "scratch").endswith(f"checkpoint-{killed_at - 1}")
    resumed = train(method, saving, tuner, curves=tmp_path / "resumed")
    assert resumed.state.global_step == 8
    assert identical(weights(whole), weights(resumed))
    if method == EMA:
        assert identical(teachers_weights(whole), teachers_weights(resumed))
    tables = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*.tsv"))
    assert len(tables) == quantities
    for table in tables:
        assert (tmp_path / "whole" / table).read_text() == (tmp_path / "resumed" / table).read_text(), table


def test_no_epoch_of_a_seed_has_the_order_of_another(train: Any) -> None:
    """The sampler adds the epoch to its seed: used unchanged, seed 0's second epoch would be seed 1's first."""

    def order(trainer: DistillationTrainer, seed: int, epoch: int) -> tuple[int, ...]:
        trainer.args.seed = seed
        sampler = trainer._get_train_sampler()
        sampler.set_epoch(epoch)
        return tuple(row for batch in sampler for row in batch)

    trainers = [train(method, replace(OPTIMIZATION, max_steps=1)) for method in (NONE, EMA)]
    orders = [[order(trainer, seed, epoch) for seed in range(5) for epoch in range(5)] for trainer in trainers]
    assert orders[0] == orders[1]
    assert len(set(orders[0])) == 25
    assert all(sorted(one) == list(range(24)) for one in orders[0])


def test_a_training_killed_after_its_last_step_takes_no_step_more(train: Any) -> None:
    """Trainer would take one from a checkpoint of the last step, unless that ends an epoch: there is none."""
    plain = replace(OPTIMIZATION, max_steps=4)
    whole = train(EMA, plain)
    saving = replace(plain, save_every_steps=2)
    train(EMA, saving)
    again = train(EMA, saving)
    assert again.state.global_step == 4
    assert identical(weights(whole), weights(again))
    assert identical(teachers_weights(whole), teachers_weights(again))


def test_another_parameter_or_other_code_never_goes_on_from_an_old_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text("1")
    (tmp_path / "data").write_text("x")
    files = [tmp_path / "code", tmp_path / "data"]
    first = scratch_folder(tmp_path, [EMA, 0], files)
    assert first == scratch_folder(tmp_path, [EMA, 0], files)
    others = [scratch_folder(tmp_path, [STATIC, 0], files), scratch_folder(tmp_path, [EMA, 1], files)]
    (tmp_path / "code" / "a.py").write_text("2")
    others.append(scratch_folder(tmp_path, [EMA, 0], files))
    assert len({first, *others}) == 4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_the_steps_are_the_same_within_its_resolution(
    train: Any, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    """On a GPU the trainer's arguments turn it on. On a CPU, accelerate has none for fp16, but torch has."""
    exact = train(EMA)
    monkeypatch.setattr(Accelerator, "autocast", lambda *_: torch.autocast("cpu", dtype))
    low = train(EMA)
    assert {weight.dtype for weight in weights(low) + teachers_weights(low)} == {torch.float32}
    first, second = ([row["ce_nats"] for row in t.state.log_history if "ce_nats" in row] for t in (exact, low))
    assert first != second
    assert second == pytest.approx(first, rel=2e-2)


def test_a_bf16_model_trains_under_autocast_on_a_cpu_as_its_fp32_copy_does(
    train: Any, tokenizer: PreTrainedTokenizerBase
) -> None:
    """The base's products are in bf16; what is trained, and its teacher, stay in fp32."""
    exact, low = train(EMA), train(EMA, base=random_qwen2(tokenizer).to(torch.bfloat16))
    assert (exact.args.bf16, low.args.bf16) == (False, True)
    assert {weight.dtype for weight in weights(low) + teachers_weights(low)} == {torch.float32}
    first, second = ([row["ce_nats"] for row in t.state.log_history if "ce_nats" in row] for t in (exact, low))
    assert second == pytest.approx(first, rel=2e-2)


def processes(number: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(number), "--standalone"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [*command, "-m", "tests.distributed_training", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], list[dict[str, float]]]:
    """The logged steps of a case, trained by so many processes."""
    folder = tmp_path_factory.mktemp("curves")
    for number in (1, 2):
        done = processes(number, str(folder), "lora", "full", "replay")
        assert done.returncode == 0, done.stdout[-3000:]
    return lambda case, number: json.loads((folder / f"{case}-{number}.json").read_text())


@pytest.mark.parametrize("case", ["lora", "full", "replay"])
def test_two_processes_train_as_one_does(curves: Callable[[str, int], list[dict[str, float]]], case: str) -> None:
    """The same curve with the same batches, and the EMA teacher equal on both to the last bit.

    With a replay, the second process has no text in some steps.
    """
    alone, together = curves(case, 1), curves(case, 2)
    assert [row["step"] for row in together] == [1, 2, 3, 4, 5, 6]
    for one, two in zip(alone, together, strict=True):
        assert one.keys() == two.keys()
        for name in one:
            assert two[name] == pytest.approx(one[name], rel=1e-5, abs=1e-5), name
    assert {"ce_nats", "divergence_nats", "kept_share", "base_kl_nats", "monitor_nats"} <= together[-1].keys()
    assert alone[-1]["divergence_nats"] > 1e-4
    assert alone[-1]["penalty_nats"] > 1e-4
    if case == "replay":
        assert alone[-1]["replay_margin"] > 1e-3


def test_processes_that_differ_are_noticed(tmp_path: Path) -> None:
    done = processes(2, str(tmp_path), "disturbed")
    assert done.returncode != 0
    assert "the processes' weights differ after training" in done.stdout


# ---- Tokens and labels ---------------------------------------------------------------------------------------------


def parts(tokenizer: PreTrainedTokenizerBase, report: Mapping[str, str], target: Any) -> tuple[str, str]:
    """The text outside the loss and the text under the loss."""
    encoded = encode_report(
        tokenizer,
        prompt(report["description"], HEADINGS),
        completion(report["category"], report["conclusion"]),
        target,
    )
    under = [t for t, label in zip(encoded["input_ids"], encoded["labels"], strict=True) if label != IGNORED]
    assert [label for label in encoded["labels"] if label != IGNORED] == under
    return tokenizer.decode(encoded["input_ids"][: -len(under)]), tokenizer.decode(under)


def test_only_the_conclusion_is_under_the_loss_and_so_is_its_end(
    tokenizer: PreTrainedTokenizerBase, reports: Reports
) -> None:
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    for report in reports:
        given, trained = parts(tokenizer, report, "conclusion")
        assert given == prompt(report["description"], HEADINGS)
        assert trained == completion(report["category"], report["conclusion"]) + tokenizer.eos_token


def test_the_whole_report_can_be_trained_on(tokenizer: PreTrainedTokenizerBase, reports: Reports) -> None:
    given, trained = parts(tokenizer, reports[0], "report")
    assert given == ""
    assert trained.startswith(prompt(reports[0]["description"], HEADINGS))


def test_a_report_too_long_is_refused_not_cut(tokenizer: PreTrainedTokenizerBase, reports: Reports) -> None:
    with pytest.raises(InputError, match="max_length"):
        encode_reports(reports, HEADINGS, tokenizer, "conclusion", max_length=20)


# ---- Other models --------------------------------------------------------------------------------------------------


def llama(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def gpt2(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_embd=32,
            n_layer=2,
            n_head=4,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


@pytest.mark.parametrize("make", [llama, gpt2])
def test_other_architectures_train(train: Any, tokenizer: PreTrainedTokenizerBase, make: Any) -> None:
    set_seed(0)
    trainer = train(EMA, base=make(tokenizer))
    assert all(weight.abs().max() > 0 for weight in weights(trainer))


def test_an_architecture_that_changes_logits_after_the_head_is_refused(
    train: Any, tokenizer: PreTrainedTokenizerBase
) -> None:
    set_seed(0)
    capped = Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            final_logit_softcapping=0.5,
            initializer_range=0.5,
        )
    )
    with pytest.raises(InputError, match="not supported"):
        train(NONE, base=capped)


def test_four_bit_base_is_saved_once_loads_identically_and_trains(
    train: Any, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    save_base(random_qwen2(tokenizer, hidden_size=64, intermediate_size=128), tokenizer, tmp_path / "hub")
    model = Model(source=str(tmp_path / "hub"), revision=None, quantization="nf4", dtype="float32")
    quantized, _ = obtain(model, CPU)
    save_base(quantized, tokenizer, tmp_path / "base")
    loaded, _ = load_base(tmp_path / "base", CPU)
    packed = {name: w for name, w in loaded.named_parameters() if w.dtype == torch.uint8}
    assert len(packed) == 14
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        # In training mode the quantized model computes as it was saved; the loaded one must in evaluation mode too,
        # where bitsandbytes would repack the weights on processors with AVX512-BF16.
        assert torch.equal(loaded(tokens).logits, quantized.train()(tokens).logits)
    before = {name: weight.clone() for name, weight in packed.items()}
    trainer = train(EMA, base=loaded.eval())
    assert all(weight.abs().max() > 0 for weight in weights(trainer))
    assert all(torch.equal(before[name], weight) for name, weight in packed.items())


def test_a_saved_adapter_has_the_same_bytes_every_time(train: Any, tmp_path: Path) -> None:
    """PEFT writes the set of target modules in hash order, which differs from process to process."""
    trainer = train(EMA)
    save_run(trainer.student, trainer.teacher.weights, [], tmp_path / "a")
    assert not (tmp_path / "a" / "default").exists()
    config = (tmp_path / "a" / "adapter_config.json").read_text()
    modules = json.loads(config)["target_modules"]
    assert modules == sorted(modules)
    assert len(modules) == 14


def test_the_head_of_a_16_bit_model_is_checked_on_one_length(tokenizer: PreTrainedTokenizerBase) -> None:
    """Read in two lengths, logits are rounded in two ways: SmolLM2's then differ by more than the check allows."""
    student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNER)
    lengths: list[int] = []
    student.model.get_base_model().get_decoder().register_forward_pre_hook(
        lambda _, __, inputs: lengths.append(inputs["input_ids"].shape[1]), with_kwargs=True
    )
    check_head(student, {"input_ids": torch.arange(4, 13)[None], "attention_mask": torch.ones(1, 9, dtype=torch.long)})
    assert lengths == [32, 32]
