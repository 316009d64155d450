"""Replay: which texts a step takes, their losses, and what must not change beside them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset
from pydantic import ValidationError
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, set_seed

import stages.inputs
import stages.train
from anamnesis.errors import InputError
from anamnesis.files import write_json, write_jsonl
from anamnesis.knowledge.facts import load_facts
from anamnesis.knowledge.text import general_text
from anamnesis.methods.margin import Thresholds, margin_loss, thresholds
from anamnesis.methods.supervision import IGNORED
from anamnesis.methods.teachers import make_teacher
from anamnesis.modeling.loading import load_base, save_base
from anamnesis.modeling.source.obtaining import obtain
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.methods import Method
from anamnesis.settings.modeling import Model
from anamnesis.settings.replay import Replay
from anamnesis.settings.training import Optimization
from anamnesis.training import replay as replaying
from anamnesis.training.checkpoints import last_checkpoint
from anamnesis.training.curves import CurvesCallback
from anamnesis.training.data import encode_reports, report_collator
from anamnesis.training.replay import Replaying, read_texts, rows_of_step
from anamnesis.training.trainer import DistillationTrainer, make_trainer
from stages.check import check_replayed
from tests.conftest import CPU, HEADINGS, OPTIMIZATION, ROOT, TRAINING, TUNER, random_qwen2
from tests.test_teachers import disturb
from tests.test_training import Kill, KilledError, identical, weights

NONE = Method(teacher="none")
LABELS = Replay(source="general", share=0.25)
TEACHER = replace(LABELS, loss="teacher")
MARGIN = replace(LABELS, loss="margin", weight=10.0)
GERE = replace(MARGIN, label_weight=1.0)
MULTITASK = Replay(source="multitask", share=1.0, path="data/domains/task.jsonl")
ALL = {"labels": LABELS, "teacher": TEACHER, "margin": MARGIN, "gere": GERE}
TERMS = {
    "labels": ["replay_nats"],
    "teacher": ["replay_kl_nats"],
    "margin": ["replay_margin"],
    "gere": ["replay_margin", "replay_nats"],
}

Reports = list[dict[str, str]]


def using(replay: Replay) -> Method:
    return replace(NONE, replay=replay)


# ---- Settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"source": "multitask", "share": 0.5}, "multitask needs a path"),
        ({"source": "general", "share": 0.5, "path": "data/domains/a.jsonl"}, "path belongs to source multitask"),
        ({"source": "multitask", "share": 0.5, "path": "data/domains/a.xlsx"}, r"name a \.jsonl or a \.csv file"),
        ({"source": "multitask", "share": 0.5, "path": "data/raw/a.csv"}, "put the file into data/domains"),
        ({"source": "multitask", "share": 0.5, "path": "data/domains/../a.csv"}, "put the file into data/domains"),
        ({"source": "general", "share": 0.5, "label_weight": 1.0}, "label_weight belongs to loss margin"),
        ({"source": "general", "share": 1.5}, "less than or equal to 1"),
        ({"source": "exam", "share": 0.5}, "general"),
    ],
)
def test_a_replay_that_cannot_be_is_refused_with_a_sentence(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Replay(**values)


def test_a_method_whose_file_of_another_task_is_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    method = using(MULTITASK)
    with pytest.raises(InputError, match=r"`multitask\.replay\.path`: there is no file"):
        check_replayed("multitask", method)
    write_jsonl(Path(MULTITASK.path), [])
    check_replayed("multitask", method)
    check_replayed("none", NONE)


# ---- Which texts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "reports"), [(0.17, 6), (0.29, 100), (0.1, 3), (1.0, 8), (0.0, 8), (0.7, 10)])
def test_steps_take_the_share_exactly_in_the_long_run(share: float, reports: int) -> None:
    """0.29 * 100 is 28.999… in binary: a step would take 28."""
    per_step = Fraction(str(share)) * reports
    taken = 0
    for step in range(500):
        rows = rows_of_step(step, per_step, 40, seed=3)
        taken += len(rows)
        assert len(rows) in {floor(per_step), floor(per_step) + 1}
        assert taken == floor((step + 1) * Fraction(str(share)) * reports)


def test_a_training_takes_the_share_as_it_is_written(texts: Dataset, tokenizer: PreTrainedTokenizerBase) -> None:
    student = add_student(random_qwen2(tokenizer), TUNER)
    step = Replaying(replace(LABELS, share=0.29), student, texts, report_collator(tokenizer), 100, 4, 0)
    assert [len(step.rows(number)) for number in range(5)] == [29] * 5


def test_the_texts_of_a_step_follow_from_seed_and_step_alone() -> None:
    per_step = Fraction("0.17") * 6
    forwards = [rows_of_step(step, per_step, 50, seed=1) for step in range(120)]
    backwards = [rows_of_step(step, per_step, 50, seed=1) for step in reversed(range(120))]
    assert forwards == backwards[::-1]
    assert forwards != [rows_of_step(step, per_step, 50, seed=2) for step in range(120)]


def test_every_text_is_taken_once_before_one_is_taken_again_in_another_order() -> None:
    per_step = Fraction(3, 2)
    taken = [row for step in range(60) for row in rows_of_step(step, per_step, 30, seed=0)]
    passes = [taken[start : start + 30] for start in range(0, 90, 30)]
    assert all(sorted(one) == list(range(30)) for one in passes)
    assert passes[0] != passes[1] != passes[2] != passes[0]
    # A pool smaller than a step.
    assert sorted(Counter(rows_of_step(0, Fraction(7), 3, seed=0)).values()) == [2, 2, 3]


# ---- Texts as tokens -----------------------------------------------------------------------------------------------


@pytest.fixture
def read(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> Callable[..., Dataset]:
    """Writes rows and evaluated rows to files, and reads them as a replay's texts."""

    def run(
        rows: Sequence[dict[str, Any]],
        replay: Replay = LABELS,
        evaluated: Sequence[dict[str, Any]] = (),
        max_length: int = 256,
        ending: str = ".jsonl",
    ) -> Dataset:
        file, measured = tmp_path / f"texts{ending}", tmp_path / "measured.jsonl"
        write_jsonl(file, rows)
        write_jsonl(measured, evaluated)
        return read_texts(replay, file, [measured], tokenizer, max_length)

    return run


def test_every_token_of_a_document_is_under_the_loss_after_the_token_that_separates_documents(
    read: Any, tokenizer: PreTrainedTokenizerBase
) -> None:
    (text,) = read([{"text": "Узел 7 мм"}])
    inside = tokenizer("Узел 7 мм")["input_ids"]
    end = tokenizer.eos_token_id
    assert text["input_ids"] == text["labels"] == [end, *inside, end]
    assert text["attention_mask"] == [1] * (len(inside) + 2)


def test_a_sampled_text_is_replayed_by_its_own_tokens(read: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    """The same text may be written with other tokens than the tokenizer's: letter by letter, here."""
    end = tokenizer.eos_token_id
    letters = [token for letter in "Узел" for token in tokenizer(letter)["input_ids"]]
    assert letters != tokenizer("Узел")["input_ids"]
    texts = read([{"tokens": [*letters, end], "text": "any"}, {"tokens": letters, "text": "cut"}])
    assert texts["input_ids"] == [[end, *letters, end], [end, *letters]]


def test_a_long_document_is_cut_and_one_without_a_token_is_left_out(read: Any) -> None:
    texts = read([{"text": "Узел 7 мм, коллоид есть. " * 9}, {"tokens": [], "text": ""}], max_length=12)
    assert [len(text["input_ids"]) for text in texts] == [12]
    with pytest.raises(InputError, match="no text to replay"):
        read([{"tokens": [], "text": ""}])


def test_of_another_task_only_the_answers_are_under_the_loss(
    read: Any, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    rows = [{"prompt": "Сколько групп?\nОтвет:", "completion": " 7"}, {"prompt": "Есть коллоид?", "completion": " нет"}]
    texts = read(rows, MULTITASK)
    for row, text in zip(rows, texts, strict=True):
        asked, answer = (tokenizer(row[key])["input_ids"] for key in ("prompt", "completion"))
        assert text["input_ids"] == [*asked, *answer, tokenizer.eos_token_id]
        assert text["labels"] == [*[IGNORED] * len(asked), *answer, tokenizer.eos_token_id]
    table = tmp_path / "texts.csv"
    table.write_text('completion,prompt\n 7,"Сколько групп?\nОтвет:"\n нет,Есть коллоид?\n', encoding="utf-8-sig")
    assert read_texts(MULTITASK, table, [], tokenizer, 256).to_list() == texts.to_list()


def test_a_file_of_another_task_that_cannot_be_used_is_refused_without_its_text(
    read: Any, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    good = {"prompt": "Иванов", "completion": " II"}
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"prompt": "Иванов"', encoding="utf-8")
    cases: list[tuple[Callable[[], Any], str]] = [
        (lambda: read([good, {"prompt": "Иванов"}], MULTITASK), "row 2 of .* lacks a prompt or a completion"),
        (lambda: read([good, good | {"prompt": "Иванов " * 50}], MULTITASK, max_length=20), "1 of the 2 examples"),
        (lambda: read_texts(MULTITASK, broken, [], tokenizer, 20), "is not .jsonl in UTF-8"),
        (lambda: read_texts(MULTITASK, tmp_path / "none.csv", [], tokenizer, 20), "there is no"),
    ]
    for case, said in cases:
        with pytest.raises(InputError, match=said) as caught:
            case()
        assert "Иванов" not in str(caught.value)


def test_what_arms_are_measured_on_is_never_replayed(read: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    end = tokenizer.eos_token_id
    texts = ["Узел 7 мм", "Узел 8 мм, коллоид есть.", "Узел 9 мм, коллоид.", "Коллоид есть."]
    sampled = [
        {"tokens": [*tokenizer(" Узел 7 мм")["input_ids"], end], "text": " Узел 7 мм<|endoftext|>"},
        # Cut at its longest length: what begins so would be trained on.
        {"tokens": tokenizer("Узел 8 мм,")["input_ids"], "text": "Узел 8 мм,"},
        # Cut without a word.
        {"tokens": tokenizer("\n")["input_ids"], "text": "\n"},
        # Not cut: a longer text that begins so is another text.
        {"tokens": [*tokenizer("Узел 9 мм")["input_ids"], end], "text": "Узел 9 мм<|endoftext|>"},
    ]
    held_out = [{"kind": "clinical", "text": "Коллоид есть."}]
    kept = read([{"text": text} for text in texts], evaluated=[*sampled, *held_out])
    assert [tokenizer.decode(ids, skip_special_tokens=True) for ids in kept["input_ids"]] == [texts[2]]
    generated = [{"tokens": [*tokenizer(text)["input_ids"], end], "text": text} for text in texts]
    kept = read(generated, replace(LABELS, source="generated"), [*sampled, *held_out])
    assert [tokenizer.decode(ids, skip_special_tokens=True) for ids in kept["input_ids"]] == [texts[2]]


def test_the_stored_general_text_has_none_of_its_held_out_part(read: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    train, heldout = general_text(load_facts(ROOT / "data" / "facts"), 40, 40, 0.05, 0)
    sampled = [{"tokens": [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]} for text in train[:3]]
    rows = [{"text": text} for text in train]
    texts = read(rows, evaluated=[{"text": text} for _, text in heldout] + sampled, max_length=10_000)
    replayed = {tokenizer.decode(ids, skip_special_tokens=True) for ids in texts["input_ids"]}
    assert len(texts) == len(train) - 3
    assert not replayed & ({text for _, text in heldout} | set(train[:3]))


# ---- The margin ----------------------------------------------------------------------------------------------------


def test_thresholds_are_one_standard_deviation_from_the_mean_over_all_positions() -> None:
    states = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * 3 + 100
    limits = thresholds([states[:7], states[7:]])
    torch.testing.assert_close(limits.low, states.mean(0) - states.std(0, correction=0))
    torch.testing.assert_close(limits.high, states.mean(0) + states.std(0, correction=0))


def test_the_margin_on_an_example_by_hand() -> None:
    """Thresholds -1 and 1. Rows: the base is low, in the middle, high; the student is a distance outside, or inside."""
    limits = Thresholds(torch.tensor([-1.0] * 3), torch.tensor([1.0] * 3))
    base = torch.tensor([[-2.0, -1.0, -3.0], [0.0, 0.9, -0.9], [1.0, 2.0, 5.0]])
    student = torch.tensor([[-0.5, -9.0, 2.0], [1.25, -1.5, 0.0], [1.0, 0.0, 7.0]], requires_grad=True)
    loss = margin_loss(student, base, limits)
    # Outside by 0.5, 3; 0.25, 0.5; 1.
    assert float(loss.detach()) == pytest.approx((0.5 + 3 + 0.25 + 0.5 + 1) / 5)
    loss.backward()
    expected = torch.tensor([[1.0, 0, 1], [1, -1, 0], [0, -1, 0]]) / 5
    torch.testing.assert_close(student.grad, expected)


def test_the_margin_of_the_bases_own_states_is_exactly_zero() -> None:
    states = torch.randn(40, 16, generator=torch.Generator().manual_seed(1), requires_grad=True)
    loss = margin_loss(states, states.detach(), thresholds([states.detach()]))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not states.grad.any()


# ---- Training ------------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What a training did, besides its weights."""

    documents: list[list[int]] = field(default_factory=list)
    gradients: list[list[Tensor]] = field(default_factory=list)


class Watch(TrainerCallback):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        self._seen.gradients.append([w.grad.clone() for w in model.parameters() if w.requires_grad])


@pytest.fixture
def texts(read: Any) -> Dataset:
    return read([{"text": f"Вода {'кипит ' * (n % 4)}при {n + 90} градусах."} for n in range(10)])


@pytest.fixture
def train(tokenizer: PreTrainedTokenizerBase, reports: Reports, texts: Dataset, tmp_path: Path) -> Any:
    """Trains a new model with a method; the same start each time."""

    def run(
        method: Method,
        optimization: Optimization = OPTIMIZATION,
        dropout: float = 0.0,
        base: PreTrainedModel | None = None,
        curves: Path | None = None,
        callbacks: Sequence[TrainerCallback] = (),
        training: Any = TRAINING,
        seen: Seen | None = None,
    ) -> DistillationTrainer:
        encoded = encode_reports(reports, HEADINGS, tokenizer, "conclusion", optimization.max_length)
        base = random_qwen2(tokenizer) if base is None else base
        set_seed(0)
        student = add_student(base, replace(TUNER, dropout=dropout))
        seen = seen or Seen()
        trainer = make_trainer(
            student, tokenizer, encoded, method, make_teacher(method, student, None), training, optimization, CPU, 0,
            tmp_path / "scratch",
            callbacks=[Watch(seen), *callbacks, *([] if curves is None else [CurvesCallback(curves)])],
            replayed=texts,
        )  # fmt: skip
        compute_loss = trainer.compute_loss

        def watched(model: Any, inputs: dict[str, Tensor], *args: Any, **kwargs: Any) -> Tensor:
            seen.documents.append(inputs["document"].tolist())
            return compute_loss(model, inputs, *args, **kwargs)

        trainer.compute_loss = watched
        trainer.train(resume_from_checkpoint=last_checkpoint(tmp_path / "scratch"))
        return trainer

    return run


def logged(trainer: DistillationTrainer, name: str) -> list[float]:
    return [row[name] for row in trainer.state.log_history if name in row]


@pytest.mark.parametrize("kind", ALL)
def test_share_zero_and_weight_zero_are_plain_fine_tuning_bit_for_bit(train: Any, kind: str) -> None:
    """With dropout: its random numbers are the reports' alone."""
    plain = train(NONE, dropout=0.3)
    without = train(using(replace(ALL[kind], share=0.0)), dropout=0.3)
    weightless = train(using(replace(ALL[kind], weight=0.0, label_weight=0.0)), dropout=0.3)
    for trainer in (without, weightless):
        assert identical(weights(plain), weights(trainer))
        for name in ("ce_nats", "loss", "grad_norm"):
            assert logged(trainer, name) == logged(plain, name)
    # And not because it was left out: it is measured.
    assert not logged(without, TERMS[kind][0])
    assert logged(weightless, TERMS[kind][0])[-1] > 0
    assert not identical(weights(plain), weights(train(using(ALL[kind]), dropout=0.3)))


def test_a_step_has_the_same_reports_with_replay_and_without(train: Any) -> None:
    steps = replace(OPTIMIZATION, max_steps=14, gradient_accumulation_steps=2)
    plain, with_replay = Seen(), Seen()
    first, second = train(NONE, steps, seen=plain), train(using(GERE), steps, seen=with_replay)
    assert plain.documents == with_replay.documents
    # Until the replay has changed the weights, the reports' loss is the same too.
    assert logged(first, "ce_nats")[0] == logged(second, "ce_nats")[0]
    assert logged(first, "ce_nats")[1:] != logged(second, "ce_nats")[1:]


def test_a_run_takes_its_share_of_texts_and_no_step_takes_a_part_of_them_twice(
    train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each micro-batch but the last has no replay, whatever a step is divided into."""
    taken: list[int] = []
    monkeypatch.setattr(
        replaying, "supervised_positions",
        lambda labels, own=replaying.supervised_positions: (taken.append(len(labels)), own(labels))[1],
    )  # fmt: skip
    train(using(replace(LABELS, share=0.3)), replace(OPTIMIZATION, max_steps=9, gradient_accumulation_steps=2))
    assert sum(taken) == floor(9 * 0.3 * 8)
    assert max(taken) <= OPTIMIZATION.batch_size


def test_first_numbers_are_the_models_own_on_the_steps_texts(
    train: Any, texts: Dataset, tokenizer: PreTrainedTokenizerBase
) -> None:
    """At the start, the student is the base: its loss on the texts is the base's, and its distance from the base 0."""
    model, total, count = random_qwen2(tokenizer), 0.0, 0
    share = replace(LABELS, share=1.0)
    for row in rows_of_step(0, Fraction(4), len(texts), seed=0):
        ids = torch.tensor([texts[row]["input_ids"]])
        with torch.no_grad():
            total += float(model(ids, labels=ids).loss) * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    one_step = replace(OPTIMIZATION, max_steps=1)
    assert logged(train(using(share), one_step), "replay_nats")[0] == pytest.approx(total / count, rel=1e-5)
    for loss, name in (("teacher", "replay_kl_nats"), ("margin", "replay_margin")):
        trainer = train(using(replace(share, loss=loss)), replace(OPTIMIZATION, max_steps=4))
        assert logged(trainer, name)[0] == pytest.approx(0, abs=1e-5)
        assert logged(trainer, name)[-1] > 1e-4


@pytest.mark.parametrize("kind", ALL)
def test_loss_is_the_reports_loss_plus_the_weighted_terms(train: Any, kind: str) -> None:
    replay = replace(ALL[kind], weight=3.0, share=0.5, label_weight=0.5 if kind == "gere" else 0.0)
    trainer = train(using(replay))
    factors = {"replay_nats": 0.5 if kind == "gere" else 3.0, "replay_kl_nats": 3.0, "replay_margin": 3.0}
    rows = [row for row in trainer.state.log_history if "ce_nats" in row]
    assert len(rows) == 4
    for row in rows:
        replayed = sum(factors[name] * row[name] for name in TERMS[kind])
        assert row["loss"] == pytest.approx(row["ce_nats"] + replayed, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("kind", ALL)
def test_loss_and_gradients_are_autograds_on_the_texts_one_by_one(
    texts: Dataset, tokenizer: PreTrainedTokenizerBase, kind: str
) -> None:
    """Five texts in forward passes of two, against logits of each text alone."""
    replay = replace(ALL[kind], share=0.5, weight=2.0, label_weight=0.5 if kind == "gere" else 0.0)
    student = add_student(random_qwen2(tokenizer), TUNER)
    disturb(student.weights)
    step = Replaying(replay, student, texts, report_collator(tokenizer), 10, 2, 0)
    rows = step.rows(3)
    assert len(rows) == 5
    value = step.learn(3, Accelerator(cpu=True))
    found = [weight.grad.clone() for weight in student.weights]
    student.model.zero_grad()

    def read(row: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        ids = torch.tensor([texts[row]["input_ids"]])
        where = torch.ones_like(ids, dtype=torch.bool)
        where[:, -1] = False
        own = student.hidden_states({"input_ids": ids}, where)
        with torch.no_grad(), student.as_base():
            base = student.hidden_states({"input_ids": ids}, where)
        head = student.model.get_output_embeddings()
        return own, base, head(own).log_softmax(-1), head(base).log_softmax(-1)

    count = sum(len(texts[row]["input_ids"]) - 1 for row in rows)
    pool = torch.cat([read(row)[1] for row in range(len(texts))])
    limits = thresholds([pool])
    expected = torch.zeros(())
    for row in rows:
        own, base, log_p, log_q = read(row)
        labels = torch.tensor(texts[row]["input_ids"][1:])
        ce = -log_p[torch.arange(len(labels)), labels].sum() / count
        if kind == "labels":
            expected = expected + 2.0 * ce
        elif kind == "teacher":
            expected = expected + 2.0 * (log_q.exp() * (log_q - log_p)).sum() / count
        else:
            expected = expected + 2.0 * margin_loss(own, base, limits) / 5 + replay.label_weight * ce
    expected.backward()
    assert float(value) == pytest.approx(float(expected.detach()), rel=1e-5)
    for gradient, weight in zip(found, student.weights, strict=True):
        torch.testing.assert_close(gradient, weight.grad, rtol=1e-3, atol=1e-5)


def test_resumed_is_as_never_stopped_bit_for_bit(train: Any, tmp_path: Path) -> None:
    method = Method(teacher="ema", kl_weight=1.0, decay=0.9, replay=replace(GERE, share=0.15))
    plain = replace(OPTIMIZATION, max_steps=8)
    whole = train(method, plain, 0.3, curves=tmp_path / "whole")
    saving = replace(plain, save_every_steps=2)
    with pytest.raises(KilledError):
        train(method, saving, 0.3, curves=tmp_path / "killed", callbacks=[Kill(5)])
    resumed = train(method, saving, 0.3, curves=tmp_path / "resumed")
    assert resumed.state.global_step == 8
    assert identical(weights(whole), weights(resumed))
    tables = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*.tsv"))
    assert {"replay_nats", "replay_margin"} <= {table.stem for table in tables}
    for table in tables:
        assert (tmp_path / "whole" / table).read_text() == (tmp_path / "resumed" / table).read_text(), table


def test_a_point_is_the_mean_over_the_steps_with_replay(train: Any) -> None:
    """0.15 * 4 texts a step: steps 2, 4, 5 of the first five, counted from 1."""
    steps = replace(OPTIMIZATION, max_steps=8)
    method = using(replace(LABELS, share=0.15))
    every = train(method, steps)
    single = {row["step"]: row["replay_nats"] for row in every.state.log_history if "replay_nats" in row}
    assert sorted(single) == [2, 4, 5, 7]
    some = train(method, steps, training=replace(TRAINING, log_every_steps=4))
    means = {row["step"]: row["replay_nats"] for row in some.state.log_history if "replay_nats" in row}
    assert means == pytest.approx({4: (single[2] + single[4]) / 2, 8: (single[5] + single[7]) / 2}, rel=1e-5)


@pytest.mark.parametrize("kind", ALL)
def test_accumulation_does_not_change_the_step(train: Any, kind: str) -> None:
    """Eight reports with five texts to each step, in one forward pass or two."""
    method = using(replace(ALL[kind], share=0.65))
    whole = train(method, replace(OPTIMIZATION, batch_size=8))
    parts = train(method, replace(OPTIMIZATION, batch_size=4, gradient_accumulation_steps=2))
    for name in ("ce_nats", *TERMS[kind]):
        assert logged(whole, name) == pytest.approx(logged(parts, name), rel=1e-4, abs=1e-5)
    for a, b in zip(weights(whole), weights(parts), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=2e-4)


def test_gradient_checkpointing_changes_nothing_but_rounding(train: Any) -> None:
    plain = train(using(GERE))
    checkpointed = train(using(GERE), replace(OPTIMIZATION, gradient_checkpointing=True))
    for a, b in zip(weights(plain), weights(checkpointed), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ALL)
def test_a_bf16_model_replays_as_its_fp32_copy_does(train: Any, tokenizer: PreTrainedTokenizerBase, kind: str) -> None:
    exact, low = train(using(ALL[kind])), train(using(ALL[kind]), base=random_qwen2(tokenizer).to(torch.bfloat16))
    assert low.args.bf16
    name = TERMS[kind][0]
    assert logged(low, name) == pytest.approx(logged(exact, name), rel=0.1, abs=0.05)


@pytest.mark.parametrize("kind", ALL)
def test_a_four_bit_base_replays_and_stays_as_it_is(
    train: Any, tokenizer: PreTrainedTokenizerBase, tmp_path: Path, kind: str
) -> None:
    save_base(random_qwen2(tokenizer, hidden_size=64, intermediate_size=128), tokenizer, tmp_path / "hub")
    model = Model(source=str(tmp_path / "hub"), revision=None, quantization="nf4", dtype="float32")
    save_base(obtain(model, CPU)[0], tokenizer, tmp_path / "base")
    loaded, _ = load_base(tmp_path / "base", CPU)
    before = {name: w.clone() for name, w in loaded.named_parameters() if w.dtype == torch.uint8}
    trainer = train(using(ALL[kind]), base=loaded)
    after = dict(trainer.model.get_base_model().named_parameters())
    assert len(before) == 14
    assert all(any(torch.equal(w, other) for other in after.values()) for w in before.values())
    assert len(logged(trainer, TERMS[kind][0])) == 4


# ---- The stage -----------------------------------------------------------------------------------------------------


def test_the_stage_replays_each_source(
    tokenizer: PreTrainedTokenizerBase, reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = tmp_path / "data" / "prepared"
    save_base(random_qwen2(tokenizer), tokenizer, tmp_path / "models" / "base")
    write_jsonl(prepared / "corpus" / "train.jsonl", reports)
    write_json(prepared / "teacher" / "index.json", {"folder": "not kept"})
    write_jsonl(prepared / "knowledge" / "train.jsonl", [{"text": "Вода кипит."}, {"text": "Лёд тает."}])
    write_jsonl(prepared / "knowledge" / "heldout.jsonl", [{"kind": "facts", "text": "Вода кипит."}])
    write_jsonl(prepared / "base_text.jsonl", [])
    write_jsonl(tmp_path / MULTITASK.path, [{"prompt": "Вода", "completion": " кипит"}])
    values = {
        "none": NONE,
        "replay": using(LABELS),
        "rehearsal": using(replace(LABELS, source="generated")),
        "multitask": using(MULTITASK),
        "tuner": TUNER,
        "training": TRAINING,
        "optimization": replace(OPTIMIZATION, max_steps=2),
        "compute": CPU,
        "corpus.headings": HEADINGS,
    }

    class Parameters:
        def __init__(self, _: str) -> None:
            pass

        def section(self, name: str, kind: type) -> Any:
            return values[name]

    monkeypatch.setattr(stages.train, "Parameters", Parameters)
    monkeypatch.setattr(stages.inputs, "Parameters", Parameters)
    monkeypatch.chdir(tmp_path)
    sampled = tokenizer("Лёд тает.")["input_ids"]
    write_jsonl(prepared / "rehearsal.jsonl", [{"tokens": [*sampled, tokenizer.eos_token_id], "text": "Лёд тает."}])
    for method in ("none", "replay", "rehearsal", "multitask"):
        stages.inputs.main.callback(method)
        stages.train.main.callback(method, 0)

    def saved(method: str) -> bytes:
        return (tmp_path / "models" / "adapters" / f"{method}-0" / "adapter_model.safetensors").read_bytes()

    # The general text that is left is the same as the sampled one.
    assert saved("replay") == saved("rehearsal")
    assert len({saved(method) for method in ("none", "replay", "multitask")}) == 3
