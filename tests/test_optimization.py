"""The effect of each training parameter on the steps: rate, decay, clipping, order of the reports, logged numbers."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainerState, set_seed

import stages.train
from anamnesis.files import write_json, write_jsonl
from anamnesis.hashes import digest
from anamnesis.methods.supervision import IGNORED
from anamnesis.methods.teachers import make_teacher
from anamnesis.modeling import pretraining
from anamnesis.modeling.loading import save_base
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.methods import Method, Pace
from anamnesis.settings.modeling import Pretraining
from anamnesis.settings.sections import SettingsError
from anamnesis.settings.training import Optimization, Training
from anamnesis.training.curves import CurvesCallback
from anamnesis.training.data import encode_reports, report_collator, supervised_counts
from anamnesis.training.trainer import make_trainer
from tests.conftest import CPU, HEADINGS, OPTIMIZATION, TRAINING, TUNER, random_qwen2

NONE = Method(teacher="none")
EMA = Method(teacher="ema", kl_weight=1.0, decay=0.5)

Reports = list[dict[str, str]]
Change = Callable[[Sequence[Tensor]], None]


@dataclass
class Run:
    """A record of a training, step by step."""

    start: list[Tensor] = field(default_factory=list)
    weights: list[list[Tensor]] = field(default_factory=list)
    gradients: list[list[Tensor]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    log: list[dict[str, float]] = field(default_factory=list)

    def logged(self, name: str) -> list[float]:
        return [entry[name] for entry in self.log if name in entry]


class Watch(TrainerCallback):
    """Records every step; may change its gradients."""

    def __init__(self, run: Run, change: Change) -> None:
        self._run = run
        self._change = change

    def on_pre_optimizer_step(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        gradients = [weight.grad for weight in trained(kwargs["model"])]
        self._change(gradients)
        self._run.gradients.append([gradient.clone() for gradient in gradients])
        self._run.rates.append(kwargs["optimizer"].param_groups[0]["lr"])

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        self._run.weights.append([weight.detach().clone() for weight in trained(kwargs["model"])])


def trained(model: torch.nn.Module) -> list[Tensor]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def norm(tensors: Sequence[Tensor]) -> float:
    return float(torch.stack([tensor.norm() for tensor in tensors]).norm())


@pytest.fixture
def train(tokenizer: PreTrainedTokenizerBase, reports: Reports, tmp_path: Path) -> Any:
    """Trains a new model, always from the same start, and records every step."""

    def run(
        training: Training = TRAINING,
        optimization: Optimization = OPTIMIZATION,
        method: Method = NONE,
        seed: int = 0,
        scale: Callable[[int], float] = lambda _: 1.0,
        change: Change = lambda _: None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> Run:
        """`scale` multiplies the loss of a step, before clipping; `change` acts on the gradients after clipping."""
        encoded = encode_reports(reports, HEADINGS, tokenizer, training.target, optimization.max_length)
        set_seed(0)
        student = add_student(random_qwen2(tokenizer), TUNER)
        done = Run(start=[weight.detach().clone() for weight in student.weights])
        trainer = make_trainer(
            student, tokenizer, encoded, method, make_teacher(method, student, None), training, optimization, CPU,
            seed, tmp_path / "scratch", callbacks=[Watch(done, change), *callbacks],
        )  # fmt: skip
        compute_loss = trainer.compute_loss
        rows = {document: row for row, document in enumerate(encoded["document"])}

        def watched(model: Any, inputs: dict[str, Tensor], *args: Any, **kwargs: Any) -> Tensor:
            done.rows.append([rows[document] for document in inputs["document"].tolist()])
            return compute_loss(model, inputs, *args, **kwargs) * scale(trainer.state.global_step)

        trainer.compute_loss = watched
        trainer.train()
        done.log = trainer.state.log_history
        return done

    return run


# ---- The learning rate ---------------------------------------------------------------------------------------------

AFTER_WARMUP = {
    "linear": lambda share: 1 - share,
    "cosine": lambda share: (1 + math.cos(math.pi * share)) / 2,
    "constant_with_warmup": lambda _: 1.0,
}


def scheduled(schedule: str, steps: int, warmup: int, peak: float) -> list[float]:
    """The rate of each step: linear from 0 to the peak, then by the schedule."""
    after = AFTER_WARMUP[schedule]
    return [
        peak * (step / warmup if step < warmup else after((step - warmup) / (steps - warmup))) for step in range(steps)
    ]


@pytest.mark.parametrize("schedule", AFTER_WARMUP)
@pytest.mark.parametrize("warmup_ratio", [0.0, 0.25, 0.5])
def test_the_rate_rises_over_the_warmup_and_then_follows_the_schedule(
    train: Any, schedule: Any, warmup_ratio: float
) -> None:
    steps, peak = 12, 3e-3
    run = train(
        replace(TRAINING, schedule=schedule, warmup_ratio=warmup_ratio),
        replace(OPTIMIZATION, max_steps=steps, learning_rate=peak),
    )
    rates = scheduled(schedule, steps, round(steps * warmup_ratio), peak)
    assert run.rates == pytest.approx(rates)
    assert run.logged("learning_rate") == pytest.approx(rates)


@pytest.mark.parametrize("schedule", AFTER_WARMUP)
def test_a_method_with_a_pace_has_its_own_rates(train: Any, schedule: Any) -> None:
    """Each part that the pace leaves out is the experiment's: here the schedule, then the warm-up."""
    steps, peak = 12, 3e-3
    optimization = replace(OPTIMIZATION, max_steps=steps, learning_rate=peak)
    paces = [(Pace(rate=0.5, schedule=schedule), 3), (Pace(rate=2.0, warmup_ratio=0.5), 6)]
    for pace, warmup in paces:
        training = replace(TRAINING, schedule="cosine" if pace.schedule else schedule, warmup_ratio=0.25)
        run = train(training, optimization, replace(NONE, pace=pace))
        assert run.rates == pytest.approx(scheduled(schedule, steps, warmup, peak * pace.rate))


# ---- Weight decay and clipping -------------------------------------------------------------------------------------


def no_gradient(gradients: Sequence[Tensor]) -> None:
    for gradient in gradients:
        gradient.zero_()


def test_without_a_gradient_a_step_shrinks_the_weights_by_rate_times_decay(train: Any) -> None:
    run = train(replace(TRAINING, weight_decay=20.0), change=no_gradient)
    assert max(run.rates) * 20 == pytest.approx(0.2)
    kept = math.prod(1 - rate * 20 for rate in run.rates)
    assert kept < 0.8
    for before, after in zip(run.start, run.weights[-1], strict=True):
        torch.testing.assert_close(after, kept * before)
    still = train(replace(TRAINING, weight_decay=0.0), change=no_gradient)
    assert all(torch.equal(a, b) for a, b in zip(still.start, still.weights[-1], strict=True))


def test_gradients_are_cut_to_the_norm_and_keep_their_direction(train: Any) -> None:
    free, cut = (train(replace(TRAINING, max_grad_norm=bound)) for bound in (1e6, 0.05))
    # The logged norm is the one before clipping.
    assert [norm(gradients) for gradients in free.gradients] == pytest.approx(free.logged("grad_norm"), rel=1e-4)
    assert min(free.logged("grad_norm")) > 0.5
    assert [norm(gradients) for gradients in cut.gradients] == pytest.approx([0.05] * 4, rel=1e-3)
    assert cut.logged("grad_norm")[0] == pytest.approx(free.logged("grad_norm")[0], rel=1e-4)
    factor = 0.05 / norm(free.gradients[0])
    for whole, part in zip(free.gradients[0], cut.gradients[0], strict=True):
        torch.testing.assert_close(part, factor * whole, rtol=1e-3, atol=1e-7)


def test_beyond_the_clip_a_gradient_ten_times_larger_makes_the_same_steps(train: Any) -> None:
    """Only one of several steps is scaled, since Adam ignores a common scale of all gradients."""

    def tenfold(step: int) -> float:
        return 10.0 if step == 1 else 1.0

    differences = []
    for bound in (0.05, 1e6):
        training = replace(TRAINING, max_grad_norm=bound)
        plain, larger = train(training).weights[-1], train(training, scale=tenfold).weights[-1]
        differences.append(max(float((a - b).abs().max()) for a, b in zip(plain, larger, strict=True)))
    # A step moves a weight by about 1e-2.
    assert differences[0] < 1e-4 < 1e-3 < differences[1]


# ---- The order of the reports --------------------------------------------------------------------------------------


def epochs(rows: Sequence[Sequence[int]], steps: int) -> list[list[int]]:
    flat = [sorted(batch) for batch in rows]
    return [flat[start : start + steps] for start in range(0, len(flat), steps)]


def test_each_seed_has_an_order_of_its_own_in_which_an_epoch_has_every_report_once(train: Any) -> None:
    """An epoch of 24 reports is 6 steps of 4. What matters is which reports share a step."""
    two_epochs = replace(OPTIMIZATION, max_steps=12)
    orders = [epochs(train(optimization=two_epochs, seed=seed).rows, 6) for seed in (0, 1, 2)]
    for first, second in orders:
        assert sorted(row for batch in first for row in batch) == list(range(24))
        assert sorted(row for batch in second for row in batch) == list(range(24))
    firsts = [first for first, _ in orders]
    assert all(firsts.count(first) == 1 for first in firsts)
    assert all(first != second for first, second in orders)
    assert epochs(train(optimization=two_epochs, seed=1).rows, 6) == orders[1]


# ---- What is logged ------------------------------------------------------------------------------------------------


def test_logged_means_are_over_the_steps_since_the_last_point(train: Any) -> None:
    steps = replace(OPTIMIZATION, max_steps=8)
    every = train(optimization=steps, method=EMA)
    some = train(replace(TRAINING, log_every_steps=3), steps, EMA)
    points = [entry["step"] for entry in some.log if "ce_nats" in entry]
    assert points == [1, 3, 6]
    for name in ("ce_nats", "divergence_nats", "loss"):
        single = every.logged(name)
        means = [single[0], sum(single[1:3]) / 2, sum(single[3:6]) / 3]
        assert some.logged(name) == pytest.approx(means, rel=1e-4, abs=1e-7), name
    # Distances are measured at that step, not averaged.
    for name in ("update_norm", "teacher_distance"):
        assert some.logged(name) == [every.logged(name)[step - 1] for step in points], name


# ---- The whole report under the loss -------------------------------------------------------------------------------


def test_trained_on_whole_reports_the_first_cross_entropy_is_the_models_own(
    train: Any, tokenizer: PreTrainedTokenizerBase, reports: Reports
) -> None:
    """The first token of a report then has a label, but no position before it that could predict it."""
    logged = train(replace(TRAINING, target="report"), replace(OPTIMIZATION, batch_size=24, max_steps=1))
    encoded = encode_reports(reports, HEADINGS, tokenizer, "report", 256)
    assert encoded["labels"] == encoded["input_ids"]
    model, total, count = random_qwen2(tokenizer), 0.0, 0
    for tokens in encoded["input_ids"]:
        with torch.no_grad():
            log_p = model(torch.tensor([tokens])).logits[0].log_softmax(-1)
        total -= sum(float(log_p[at, token]) for at, token in enumerate(tokens[1:]))
        count += len(tokens) - 1
    assert sum(supervised_counts(encoded).values()) == count
    assert logged.logged("ce_nats")[0] == pytest.approx(total / count, rel=1e-4)


# ---- Batches, curves and checkpointing -----------------------------------------------------------------------------


def test_reports_are_padded_on_the_right_whatever_the_tokenizer_does_otherwise(
    tokenizer: PreTrainedTokenizerBase, reports: Reports
) -> None:
    """The model gets no attention mask, so it would read padding on the left as text."""
    encoded = encode_reports([{**reports[0], "conclusion": "Да."}, reports[1]], HEADINGS, tokenizer, "conclusion", 256)
    tokenizer = copy.copy(tokenizer)
    tokenizer.padding_side = "left"
    batch = report_collator(tokenizer)([encoded[0], encoded[1]])
    for row in range(2):
        tokens, labels = encoded[row]["input_ids"], encoded[row]["labels"]
        assert batch["input_ids"][row, : len(tokens)].tolist() == tokens
        assert batch["labels"][row, : len(tokens)].tolist() == labels
        assert set(batch["labels"][row, len(tokens) :].tolist()) <= {IGNORED}
    assert len({len(encoded[row]["input_ids"]) for row in range(2)}) == 2
    assert tokenizer.padding_side == "left"


def test_curves_have_their_points_at_the_steps_that_were_logged(train: Any, tmp_path: Path) -> None:
    run = train(
        replace(TRAINING, log_every_steps=3),
        replace(OPTIMIZATION, max_steps=7),
        EMA,
        callbacks=[CurvesCallback(tmp_path / "curves")],
    )
    tables = {path.stem: path for path in (tmp_path / "curves" / "plots" / "metrics").glob("*.tsv")}
    assert tables.keys() == {
        "ce_nats",
        "divergence_nats",
        "learning_rate",
        "grad_norm",
        "update_norm",
        "teacher_distance",
    }
    for name, path in tables.items():
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        assert rows[0] == ["step", name]
        assert [int(step) for step, _ in rows[1:]] == [1, 3, 6]
        assert [float(value) for _, value in rows[1:]] == run.logged(name)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradient_checkpointing_runs_the_layers_again_in_the_backward_pass(train: Any, checkpointing: bool) -> None:
    forwards = 0

    class Count(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
            def count(*_: Any) -> None:
                nonlocal forwards
                forwards += 1

            model.get_base_model().get_decoder().layers[0].mlp.register_forward_pre_hook(count)

    train(optimization=replace(OPTIMIZATION, gradient_checkpointing=checkpointing), callbacks=[Count()])
    assert forwards == OPTIMIZATION.max_steps * (2 if checkpointing else 1)


# ---- The base's pretraining ----------------------------------------------------------------------------------------


def test_pretraining_follows_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    trainers: list[Trainer] = []

    class Rates(TrainerCallback):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any) -> None:
            rates.append(optimizer.param_groups[0]["lr"])

    class Watched(pretraining.FiniteTrainer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs, callbacks=[Rates()])
            trainers.append(self)

    monkeypatch.setattr(pretraining, "FiniteTrainer", Watched)
    documents = [f"Вопрос: номер {n}?\nОтвет: {n * n} II" for n in range(40)]
    write_jsonl(tmp_path / "text.jsonl", [{"text": document} for document in documents])
    settings = Pretraining(
        vocab_size=300, hidden_size=16, intermediate_size=16, layers=1, attention_heads=2, key_value_heads=1,
        max_position_embeddings=64, sequence_length=64, batch_size=4, processes=1, max_steps=8, learning_rate=1e-3,
        warmup_ratio=0.25, weight_decay=0.3, seed=5,
    )  # fmt: skip
    pretraining.pretrain(tmp_path / "text.jsonl", settings, CPU, tmp_path / "base")
    (trainer,) = trainers
    assert rates == pytest.approx(scheduled("cosine", 8, 2, 1e-3))
    assert {group["weight_decay"] for group in trainer.optimizer.param_groups} == {0.3, 0.0}
    assert {tuple(row["input_ids"].shape) for row in trainer.train_dataset} == {(64,)}
    # Every document is there, but not in the file's order.
    tokenizer = pretraining.train_tokenizer(documents, 300)
    read = "".join(tokenizer.decode(row["input_ids"], skip_special_tokens=True) for row in trainer.train_dataset)
    places = [read.find(document) for document in documents]
    assert min(places) >= 0
    assert places != sorted(places)


# ---- The stage -----------------------------------------------------------------------------------------------------


def test_a_seed_gives_every_method_the_same_start_and_each_seed_another(
    tokenizer: PreTrainedTokenizerBase, reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage trains one step at a rate of 0, so it saves the start."""
    save_base(random_qwen2(tokenizer), tokenizer, tmp_path / "models" / "base")
    write_jsonl(tmp_path / "data" / "prepared" / "corpus" / "train.jsonl", reports)
    index = tmp_path / "data" / "prepared" / "teacher" / "index.json"
    write_json(index, {"folder": "not kept"})
    for method, read in {"none": {}, "static": {"teacher": digest(index)}}.items():
        write_json(tmp_path / "data" / "prepared" / "inputs" / f"{method}.json", read)
    values = {
        "none": NONE,
        "static": Method(teacher="static", kl_weight=1.0),
        "tuner": TUNER,
        "training": replace(TRAINING, warmup_ratio=0.5),
        "optimization": replace(OPTIMIZATION, max_steps=1),
        "compute": CPU,
        "corpus.headings": HEADINGS,
    }

    class Parameters:
        def __init__(self, _: str) -> None:
            pass

        def section(self, name: str, kind: type) -> Any:
            return values[name]

    monkeypatch.setattr(stages.train, "Parameters", Parameters)
    monkeypatch.chdir(tmp_path)
    starts = {}
    for method, seed in (("none", 0), ("static", 0), ("none", 1), ("static", 1)):
        stages.train.main.callback(method, seed)
        saved = tmp_path / "models" / "adapters" / f"{method}-{seed}" / "adapter_model.safetensors"
        starts[method, seed] = saved.read_bytes()
    assert starts["none", 0] == starts["static", 0]
    assert starts["none", 1] == starts["static", 1]
    assert starts["none", 0] != starts["none", 1]


def test_a_report_longer_than_the_models_context_is_refused_whatever_the_parameter_allows(
    tokenizer: PreTrainedTokenizerBase, reports: Reports
) -> None:
    tokenizer = copy.copy(tokenizer)
    lengths = [len(row) for row in encode_reports(reports, HEADINGS, tokenizer, "conclusion", 256)["input_ids"]]
    tokenizer.model_max_length = max(lengths)
    encode_reports(reports, HEADINGS, tokenizer, "conclusion", 256)
    tokenizer.model_max_length = max(lengths) - 1
    longer = sum(length == max(lengths) for length in lengths)
    with pytest.raises(SettingsError, match=rf"reads {max(lengths) - 1} tokens, but {longer} of 24 reports are longer"):
        encode_reports(reports, HEADINGS, tokenizer, "conclusion", 256)
