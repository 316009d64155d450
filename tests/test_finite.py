"""NaN and infinity: training, evaluation and the files between stages refuse them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM, Trainer, TrainerCallback, TrainerState

from anamnesis.errors import InputError
from anamnesis.evaluation.harness import check_finite, language_model
from anamnesis.files import read_json, read_jsonl, write_json, write_jsonl
from anamnesis.training.curves import CurvesCallback
from anamnesis.training.finite import check_step, check_weights
from anamnesis.training.trainer import DistillationTrainer
from tests.conftest import OPTIMIZATION
from tests.test_evaluation import domain, evaluation, general, small_exam
from tests.test_pretraining import SMALL, made
from tests.test_training import EMA, NONE, STATIC, train  # noqa: F401

SHORT = replace(SMALL, max_steps=3)


class Spoil(TrainerCallback):
    """Sets one weight to `value` at the start of a step."""

    def __init__(self, step: int, value: float, name: str) -> None:
        self._step, self._value, self._name = step, value, name

    def on_step_begin(self, args: Any, state: Any, control: Any, model: torch.nn.Module, **_: Any) -> None:
        if state.global_step == self._step - 1:
            with torch.no_grad():
                dict(model.named_parameters())[self._name].view(-1)[0] = self._value


A_WEIGHT = "base_model.model.model.layers.1.mlp.down_proj.lora_B.default.weight"


@pytest.mark.parametrize("method", [NONE, STATIC, EMA])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_training_stops_at_the_step_and_names_the_tensors(train: Any, method: Any, value: float) -> None:  # noqa: F811
    with pytest.raises(InputError) as caught:
        train(method, callbacks=[Spoil(3, value, A_WEIGHT)])
    message = str(caught.value)
    assert message.startswith("step 3: the loss is nan")
    assert f"weights: {A_WEIGHT}" in message
    assert "\n" not in message


def test_gradients_are_named_before_clipping_spreads_them() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    check_step(1, torch.tensor(1.0), model)
    model[1].bias.grad[0] = float("nan")
    with pytest.raises(InputError, match=r"step 7: the loss is 1 .* not finite are gradients: 1\.bias; weights: none"):
        check_step(7, torch.tensor(1.0), model)


def test_a_loss_that_is_infinite_with_finite_gradients_stops_too() -> None:
    model = torch.nn.Linear(2, 2)
    model.weight.grad = torch.ones_like(model.weight)
    with pytest.raises(InputError, match=r"step 1: the loss is inf and the norm .* 2; .* gradients: none"):
        check_step(1, torch.tensor(float("inf")), model)


class Scaler:
    def __init__(self, scale: float) -> None:
        self._scale = scale

    def get_scale(self) -> float:
        return self._scale


def test_fp16_may_overflow_while_its_scale_is_looked_for() -> None:
    model = torch.nn.Linear(2, 2)
    model.weight.grad = torch.full_like(model.weight, float("inf"))
    check_step(1, torch.tensor(1.0), model, Scaler(65536.0))
    with pytest.raises(InputError, match="gradients: weight"):
        check_step(20, torch.tensor(1.0), model, Scaler(0.5))
    with pytest.raises(InputError, match="the loss is nan"):
        check_step(1, torch.tensor(float("nan")), model, Scaler(65536.0))


def test_weights_of_the_last_step_are_checked(train: Any) -> None:  # noqa: F811
    with pytest.raises(InputError, match=r"after the last step the norm of the trained weights is (inf|nan)"):
        train(NONE, replace(OPTIMIZATION, max_steps=2, learning_rate=3e38))
    model = torch.nn.Linear(2, 2)
    check_weights(model)
    with torch.no_grad():
        model.bias[1] = float("inf")
    with pytest.raises(InputError, match="not finite are: bias"):
        check_weights(model)


@pytest.mark.parametrize("processes", [1, 2])
def test_pretraining_stops_in_one_sentence(tmp_path: Path, processes: int) -> None:
    with pytest.raises(InputError, match=r"step [12]: the loss is nan|after the last step"):
        made(tmp_path, replace(SHORT, learning_rate=3e38, warmup_ratio=0.0, processes=processes))


def test_the_check_changes_no_bit(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    checked = [weight.detach().clone() for weight in train(EMA).model.parameters()]
    monkeypatch.setattr(DistillationTrainer, "_clip_grad_norm", Trainer._clip_grad_norm)
    plain = list(train(EMA).model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(checked, plain, strict=True))


# ---- Evaluation --------------------------------------------------------------------------------------------------


def of_facts(lm: Any, folder: Path, _: Any) -> None:
    general(lm, evaluation(), small_exam(folder))


def of_reports(lm: Any, folder: Path, reports: Any) -> None:
    write_jsonl(folder / "test.jsonl", reports)
    domain(lm, evaluation(), folder / "test.jsonl")


@pytest.mark.parametrize("backend", ["shared_prefix", "hf"])
@pytest.mark.parametrize("measure", [of_facts, of_reports])
def test_an_evaluation_refuses_numbers_that_are_none(
    base: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    reports: Any,
    tmp_path: Path,
    backend: Any,
    measure: Any,
) -> None:
    with torch.no_grad():
        base.model.norm.weight[0] = float("nan")
    lm = language_model(base, tokenizer, 7, backend)
    with pytest.raises(InputError, match=r"\w+: the log-likelihood of question 0 is nan"):
        measure(lm, tmp_path, reports)


def test_minus_infinity_is_refused_and_text_is_no_number() -> None:
    check_finite(
        "t", [{"doc_id": 0, "filtered_resps": ["inf", "nan"]}, {"doc_id": 1, "filtered_resps": [(-1.5, True)]}]
    )
    with pytest.raises(InputError, match="t: the log-likelihood of question 2 is -inf"):
        check_finite("t", [{"doc_id": 2, "filtered_resps": [(-1.0, True), (-float("inf"), False)]}])
    with pytest.raises(InputError, match="t: the log-likelihood of question 3 is nan"):
        check_finite("t", [{"doc_id": 3, "filtered_resps": [float("nan")]}])


def test_curves_hold_no_such_number(tmp_path: Path) -> None:
    curves = CurvesCallback(tmp_path)
    state = TrainerState(global_step=3)
    curves.on_log(None, state, None, {"ce_nats": 1.0, "update_norm": 2.0})
    with pytest.raises(InputError, match="step 3: update_norm is inf"):
        curves.on_log(None, state, None, {"ce_nats": 1.0, "update_norm": float("inf")})


# ---- Files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_json_holds_a_number_that_is_none(tmp_path: Path, value: float) -> None:
    with pytest.raises(InputError, match=rf"metrics.json: `ema.subjects.1.acc` is {value}"):
        write_json(tmp_path / "metrics.json", {"ema": {"subjects": [{"acc": 1.0}, {"acc": value}]}})
    with pytest.raises(InputError, match=rf"log.jsonl: `responses.0.0` is {value}"):
        write_jsonl(tmp_path / "log.jsonl", [{"responses": [[1.0]]}, {"responses": [[value]]}])
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def rows() -> Any:
        yield {"a": 1}
        assert not (tmp_path / "rows.jsonl").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_jsonl(tmp_path / "rows.jsonl", rows())
    assert list(tmp_path.iterdir()) == []
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert read_json(tmp_path / "a.json") == {"a": 1}
    write_jsonl(tmp_path / "rows.jsonl", [{"a": "\u2028"}, {"b": 2.5}])
    assert read_jsonl(tmp_path / "rows.jsonl") == [{"a": "\u2028"}, {"b": 2.5}]


def test_a_killed_writers_rest_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.json.part").write_text("{")
    write_json(tmp_path / "a.json", [1])
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
