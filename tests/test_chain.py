"""One model through several domains: what goes on from one to the next, what starts anew, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase, TrainerCallback, set_seed

from anamnesis.analysis.chain import arms_of, chain_of
from anamnesis.analysis.experiment import analyse
from anamnesis.analysis.report import Context, report
from anamnesis.analysis.scores import BASE as BASE_ARM
from anamnesis.analysis.scores import Scores
from anamnesis.analysis.summary import details, summary
from anamnesis.evaluation.arms import Arm
from anamnesis.evaluation.domain import CategorySet, evaluate_other_domain, joined
from anamnesis.evaluation.harness import language_model
from anamnesis.files import write_json, write_jsonl
from anamnesis.methods.fisher import Fisher, estimate_fisher, save_fisher, text_of_fisher
from anamnesis.methods.inputs import (
    HELD_OUT_FILES,
    TRAINING_FILES,
    files_of_domains,
    inputs_of,
    needed_domains,
)
from anamnesis.methods.penalties import Penalty
from anamnesis.methods.teachers import frozen_base, make_teacher
from anamnesis.modeling.loading import save_base
from anamnesis.modeling.student.saving import load_student, models_of_run
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.modeling.student.updates import LowRank
from anamnesis.settings.budget import Budget
from anamnesis.settings.corpus import Corpus, Domains
from anamnesis.settings.domains import check_domains, check_used_domains
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.fisher import FisherText
from anamnesis.settings.methods import Method
from anamnesis.settings.penalties import EWC, Penalties
from anamnesis.settings.rendering import Headings
from anamnesis.settings.replay import Replay
from anamnesis.settings.retrieval import Retrieval
from anamnesis.settings.sections import SettingsError, read_yaml, section
from anamnesis.settings.tokens import Tokens
from anamnesis.training.chain import FINISHED, estimate_fisher_of, finished_domains
from anamnesis.training.data import encode_reports
from anamnesis.training.trainer import make_trainer
from stages import _paths
from stages import train as stage
from stages.check import check_there
from tests.conftest import CPU, HEADINGS, OPTIMIZATION, ROOT, TRAINING, TUNER, random_qwen2
from tests.results import CRITICAL, LIMITS, categories, made_up_scores

COMPLAINTS = Headings(description="Жалобы", category="Диагноз: МКБ-10")
CODES = ["E11", "M17", "J06"]
ELASTIC = Penalties(ewc=EWC(5.0))
REPLAY = Replay(source="general", share=0.5)
EMA = Method(teacher="ema", kl_weight=0.1, decay=0.9)
CHAIN = replace(EMA, domains=["symptoms", "corpus"], penalties=ELASTIC, replay=REPLAY)
SAVING = replace(OPTIMIZATION, max_steps=6, save_every_steps=2)
TEXT = FisherText(text="general", documents=5, labels="data", seed=0)

Reports = list[dict[str, str]]


class KilledError(Exception):
    pass


class Kill(TrainerCallback):
    """Stops as a lost machine would."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self._step:
            raise KilledError


@pytest.fixture(scope="module")
def complaints() -> Reports:
    return [
        {
            "description": f"Боль {'сильная ' * (number % 3)}{number} дней.",
            "conclusion": "",
            "category": CODES[number % 3],
        }
        for number in range(18)
    ]


@pytest.fixture
def workspace(
    tokenizer: PreTrainedTokenizerBase,
    reports: Reports,
    complaints: Reports,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder with what the stage `train` reads, into which it writes."""
    monkeypatch.chdir(tmp_path)
    save_base(random_qwen2(tokenizer), tokenizer, _paths.BASE)
    write_jsonl(_paths.TRAINING_REPORTS, reports)
    write_jsonl(_paths.DOMAINS / "symptoms" / "train.jsonl", complaints)
    words = {"description": COMPLAINTS.description, "category": COMPLAINTS.category}
    write_json(_paths.DOMAINS / "symptoms" / "headings.json", words)
    write_jsonl(_paths.GENERAL_TEXT, [{"text": f"Вода кипит при {number} градусах."} for number in range(10)])
    write_jsonl(_paths.HELD_OUT_TEXT, [])
    write_jsonl(_paths.BASE_TEXT, [])
    base = random_qwen2(tokenizer).requires_grad_(False)
    fisher = estimate_fisher(base, [tokenizer(report["description"])["input_ids"] for report in reports[:6]])
    save_fisher(fisher, _paths.FISHER, TEXT)
    return tmp_path


def run_of(method: Method, name: str = "chain", **changes: Any) -> stage.Run:
    files = files_of_domains(method, _paths.DOMAINS, TRAINING_FILES)
    inputs = {one: _paths.SHARED_INPUTS[one] for one in inputs_of(method)} | files
    write_json(_paths.INPUTS / f"{name}.json", sorted(inputs))
    run = stage.Run(name, 0, method, TUNER, TRAINING, OPTIMIZATION, CPU, HEADINGS, inputs)
    return replace(run, **changes)


def weights(name: str) -> dict[str, Tensor]:
    return load_file(_paths.ADAPTERS / name / "adapter_model.safetensors")


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def curve(name: str, quantity: str = "ce_nats") -> str:
    return (_paths.CURVES / name / "plots" / "metrics" / f"{quantity}.tsv").read_text(encoding="utf-8")


# ---- Training --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("workspace")
def test_one_domain_is_no_chain_bit_for_bit(tokenizer: PreTrainedTokenizerBase) -> None:
    """The stage against the loop itself, which knows nothing of domains."""
    assert replace(EMA, domains=["corpus"]) == EMA
    stage.train(run_of(EMA, "ema"))
    reports = encode_reports(
        [json.loads(line) for line in _paths.TRAINING_REPORTS.read_text(encoding="utf-8").splitlines()],
        HEADINGS, tokenizer, "conclusion", 256,
    )  # fmt: skip
    # It sets a seed of its own.
    base = random_qwen2(tokenizer).requires_grad_(False)
    set_seed(0)
    student = add_student(base, TUNER)
    teacher = make_teacher(EMA, student, None)
    trainer = make_trainer(
        student, tokenizer, reports, EMA, teacher, TRAINING, OPTIMIZATION, CPU, 0, Path("other"), callbacks=[],
        base=frozen_base(student, None),
    )  # fmt: skip
    trainer.train()
    saved = load_student(random_qwen2(tokenizer), _paths.ADAPTERS / "ema-0")
    assert all(torch.equal(one, other) for one, other in zip(saved.weights, student.weights, strict=True))
    steps = [line.split("\t")[0] for line in curve("ema-0").splitlines()[1:]]
    assert steps == ["1", "2", "3", "4"]
    assert {path.name for path in (_paths.ADAPTERS / "ema-0").iterdir() if path.is_dir()} == {"teacher"}


@pytest.mark.usefixtures("workspace")
def test_the_first_domain_is_trained_as_alone() -> None:
    alone = replace(CHAIN, domains=["corpus"])
    stage.train(run_of(alone, "alone"))
    stage.train(run_of(replace(CHAIN, domains=["corpus", "symptoms"])))
    assert equal(weights("chain-0/1_corpus"), weights("alone-0"))
    assert not equal(weights("chain-0"), weights("alone-0"))
    # The curves are those of both domains, one after the other.
    assert curve("chain-0").startswith(curve("alone-0"))
    assert [line.split("\t")[0] for line in curve("chain-0").splitlines()[1:]] == [str(step) for step in range(1, 9)]


@pytest.mark.usefixtures("workspace")
def test_optimizer_and_schedule_start_anew_and_the_teacher_goes_on() -> None:
    stage.train(run_of(CHAIN))
    rates = [float(line.split("\t")[1]) for line in curve("chain-0", "learning_rate").splitlines()[1:]]
    assert rates[:4] == rates[4:]
    distances = [float(line.split("\t")[1]) for line in curve("chain-0", "teacher_distance").splitlines()[1:]]
    # A new teacher would be within one step of the student: it starts as its copy.
    assert distances[4] > 2 * distances[0]


@pytest.mark.usefixtures("workspace")
def test_the_penalty_begins_at_0_in_each_domain() -> None:
    stage.train(run_of(CHAIN))
    nats = [float(line.split("\t")[1]) for line in curve("chain-0", "ewc_nats").splitlines()[1:]]
    assert nats[0] == pytest.approx(0, abs=1e-9)
    assert nats[4] == pytest.approx(0, abs=1e-3 * nats[3])
    # The rate of the first step of a domain is 0.
    assert min(nats[2:4] + nats[6:]) > 1e-6


@pytest.mark.usefixtures("workspace")
def test_the_pool_of_a_replay_grows_by_the_finished_domains(
    monkeypatch: pytest.MonkeyPatch, reports: Reports, tokenizer: PreTrainedTokenizerBase
) -> None:
    pools: list[Dataset] = []
    make = stage.make_trainer

    def watching(*args: Any, **kwargs: Any) -> Any:
        pools.append(kwargs["replayed"])
        return make(*args, **kwargs)

    monkeypatch.setattr(stage, "make_trainer", watching)
    stage.train(run_of(replace(CHAIN, domains=["corpus", "symptoms"])))
    assert [len(pool) for pool in pools] == [10, 10 + len(reports)]
    encoded = encode_reports(reports, HEADINGS, tokenizer, "conclusion", 256)
    assert pools[1]["input_ids"][10:] == encoded["input_ids"]
    assert pools[1]["labels"][10:] == encoded["labels"]


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("method", "place", "step"),
    [(CHAIN, 2, 3), (CHAIN, 1, 5), (CHAIN, 2, 0), (replace(CHAIN, teacher="static", decay=None), 2, 5)],
    ids=["second", "first", "between", "static"],
)
def test_a_chain_resumes_bit_for_bit(monkeypatch: pytest.MonkeyPatch, method: Method, place: int, step: int) -> None:
    """Killed in a step of a domain; at step 0 of the second, the first one alone is finished."""
    if method.teacher == "static":
        write_json(_paths.TEACHER_STATES / "index.json", {"folder": "none"})
    assert not stage.train(run_of(method, optimization=replace(SAVING, save_every_steps=None)))
    names = ["chain-0", "chain-0/1_symptoms", *(["chain-0/teacher"] if method.teacher == "ema" else [])]
    whole, drawn = [weights(name) for name in names], curve("chain-0")
    with monkeypatch.context() as patched:
        patched.setattr(stage, "make_trainer", killing(stage.make_trainer, place, step))
        with pytest.raises(KilledError):
            stage.train(run_of(method, optimization=SAVING))
    (scratch,) = (_paths.SCRATCH / "train" / "chain-0").iterdir()
    assert len(finished_domains([scratch / "1_symptoms"], scratch)) == place - 1
    assert stage.train(run_of(method, optimization=SAVING))
    assert all(equal(one, weights(name)) for one, name in zip(whole, names, strict=True))
    assert curve("chain-0") == drawn
    assert not (_paths.SCRATCH / "train" / "chain-0").exists()


def killing(make: Callable[..., Any], place: int, step: int) -> Callable[..., Any]:
    """`make_trainer` for a training that is killed in this step of the domain at this place."""

    def made(*args: Any, **kwargs: Any) -> Any:
        folder = next(arg for arg in args if isinstance(arg, Path))
        if folder.name.startswith(f"{place}_"):
            kwargs["callbacks"] = [*kwargs["callbacks"], Kill(step)]
        return make(*args, **kwargs)

    return made


@pytest.mark.usefixtures("workspace")
def test_a_finished_domain_that_is_damaged_is_trained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(stage, "make_trainer", killing(stage.make_trainer, 2, 0))
        with pytest.raises(KilledError):
            stage.train(run_of(CHAIN))
    (folder,) = (_paths.SCRATCH / "train" / "chain-0").glob(f"*/1_symptoms/{FINISHED}")
    with (folder / "student.safetensors").open("ab") as file:
        file.write(b"0")
    assert finished_domains([folder.parent], folder.parent) == []
    stage.train(run_of(CHAIN))
    again = weights("chain-0")
    stage.train(run_of(CHAIN))
    assert equal(again, weights("chain-0"))


@pytest.mark.usefixtures("workspace")
def test_a_chain_has_a_model_for_each_domain(tokenizer: PreTrainedTokenizerBase) -> None:
    stage.train(run_of(replace(CHAIN, shares=[0.5])))
    folder = _paths.ADAPTERS / "chain-0"
    student = load_student(random_qwen2(tokenizer), folder)
    found = {
        name: [weight.detach().clone() for weight in student.weights]
        for name in models_of_run(student, "chain", folder)
    }
    assert list(found) == ["chain", "chain_teacher", "chain_after_symptoms", "chain_share_0_5"]
    first = load_student(random_qwen2(tokenizer), folder / "1_symptoms")
    assert all(torch.equal(a, b) for a, b in zip(found["chain_after_symptoms"], first.weights, strict=True))
    assert arms_of("chain", CHAIN.domains) == ["chain_after_symptoms", "chain"]


# ---- EWC over several domains ----------------------------------------------------------------------------------------


def moved(tokenizer: PreTrainedTokenizerBase, seed: int = 1) -> Student:
    """A student in fp64 with something in all of its weights."""
    student = add_student(random_qwen2(tokenizer).double(), TUNER)
    generator = torch.Generator().manual_seed(seed)
    for weight in student.weights:
        weight.data = weight.data.double() + 0.1 * torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    return student


def some_fisher(student: Student, seed: int) -> Fisher:
    generator = torch.Generator().manual_seed(seed)
    modules = dict(student.model.get_base_model().named_modules())
    shapes = {layer.name: modules[layer.name].base_layer.weight.shape for layer in student.trained_layers()}
    factors = {}
    for name, (out, width) in shapes.items():
        factors[name] = torch.rand(out, generator=generator), torch.rand(width, generator=generator)
    return Fisher(factors)


def test_ewc_of_two_domains_is_that_of_dense_matrices(tokenizer: PreTrainedTokenizerBase) -> None:
    """Value and gradient, by plain autograd on the whole matrices and the sum of both F."""
    student, anchor = moved(tokenizer), [weight.detach().clone() for weight in moved(tokenizer, seed=2).weights]
    fishers = [some_fisher(student, seed) for seed in (3, 4)]
    found = Penalty(ELASTIC, student, fishers[0], fishers[1:], anchor)()
    student.model.zero_grad()
    found.total.backward()
    gradients = [weight.grad.clone() for weight in student.weights]
    student.model.zero_grad()
    expected = torch.zeros((), dtype=torch.float64)
    for layer, before in zip(student.trained_layers(), student.updates(anchor), strict=True):
        assert isinstance(layer.update, LowRank)
        assert isinstance(before, LowRank)
        change = layer.update.left @ layer.update.right - before.left @ before.right
        both = sum(torch.outer(*(part.double() for part in fisher.factors[layer.name])) for fisher in fishers)
        expected = expected + (both * change.square()).sum() / 2
    (ELASTIC.ewc.weight * expected).backward()  # type: ignore[union-attr]
    assert float(found.terms["ewc_nats"]) == pytest.approx(float(expected.detach()), rel=1e-9)
    for gradient, weight in zip(gradients, student.weights, strict=True):
        torch.testing.assert_close(gradient, weight.grad, rtol=1e-8, atol=1e-10)


def test_ewc_is_0_at_its_anchor_and_has_no_gradient_there(tokenizer: PreTrainedTokenizerBase) -> None:
    student = moved(tokenizer)
    anchor = [weight.detach().clone() for weight in student.weights]
    fishers = [some_fisher(student, seed) for seed in (3, 4)]
    found = Penalty(ELASTIC, student, fishers[0], fishers[1:], anchor)()
    student.model.zero_grad()
    found.total.backward()
    assert float(found.total.detach()) == pytest.approx(0, abs=1e-12)
    assert max(float(weight.grad.abs().max()) for weight in student.weights) < 1e-12
    assert float(Penalty(ELASTIC, student, fishers[0], fishers[1:])().total.detach()) > 1e-3


def test_the_fisher_information_of_a_domain_is_autograds_at_the_present_weights(
    tokenizer: PreTrainedTokenizerBase, complaints: Reports
) -> None:
    """Against a plain model whose weights are the updated ones, one report at a time, on the tokens under the loss."""
    encoded = encode_reports(complaints, COMPLAINTS, tokenizer, "conclusion", 256)
    student = moved(tokenizer)
    found = estimate_fisher_of(student, encoded, replace(TEXT, documents=100))
    assert all(weight.requires_grad and weight.grad is None for weight in student.weights)
    plain = random_qwen2(tokenizer).double()
    layers = dict(plain.named_modules())
    with torch.no_grad():
        for layer in student.trained_layers():
            assert isinstance(layer.update, LowRank)
            layers[layer.name].weight += layer.update.left @ layer.update.right
    exact = {name: torch.zeros_like(layers[name].weight) for name in found.factors}
    for row in encoded:
        plain.zero_grad()
        logits = plain(input_ids=torch.tensor([row["input_ids"]])).logits[0, :-1]
        labels = torch.tensor(row["labels"][1:])
        nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum").backward()
        for name, total in exact.items():
            total += layers[name].weight.grad.square()
    tokens = sum(label != -100 for row in encoded for label in row["labels"][1:])
    assert len(found.factors) == 14
    for name, (row, column) in found.factors.items():
        matrix = torch.outer(row.double(), column.double())
        torch.testing.assert_close(matrix.sum(0), exact[name].sum(0) / tokens, rtol=1e-4, atol=1e-9)
        torch.testing.assert_close(matrix.sum(1), exact[name].sum(1) / tokens, rtol=1e-4, atol=1e-9)


def test_a_domain_is_estimated_as_the_base_was(tmp_path: Path) -> None:
    save_fisher(Fisher({"layer": (torch.ones(2), torch.ones(3))}), tmp_path / "fisher.safetensors", TEXT)
    assert text_of_fisher(tmp_path / "fisher.safetensors") == TEXT


# ---- Evaluation ------------------------------------------------------------------------------------------------------


def test_another_domain_is_measured_by_its_own_label(
    tokenizer: PreTrainedTokenizerBase, complaints: Reports, tmp_path: Path
) -> None:
    held_out = [row | {"report": number} for number, row in enumerate(complaints)]
    write_jsonl(tmp_path / "test.jsonl", held_out)
    values = read_yaml(ROOT / "profiles" / "tiny.yaml")
    evaluation = replace(section(values, "evaluation", Evaluation), category_limit=9, batch_size=4)
    lm = language_model(random_qwen2(tokenizer), tokenizer, 4)
    codes = CategorySet("symptom_code", CODES, [])
    found = evaluate_other_domain(Arm("base", lm), evaluation, COMPLAINTS, codes, tmp_path / "test.jsonl")
    assert found is not None
    assert set(found.metrics) == {"symptom_code_acc", "symptom_code_macro_f1", "symptom_code_reports"}
    assert found.metrics["symptom_code_reports"] == len(found.cases) == 9
    assert {case.measure for case in found.cases} == {"symptom_code"}
    assert [case.gold for case in found.cases] == [row["category"] for row in complaints[:9]]
    assert found.metrics["symptom_code_acc"] == pytest.approx(np.mean([case.value for case in found.cases]))
    assert {row["domain"] for row in found.log} == {"symptom_code"}
    both = joined(found._replace(metrics={"bethesda_acc": 0.5}), [found, None])
    assert both is not None
    assert both.metrics == {"bethesda_acc": 0.5} | found.metrics
    assert len(both.cases) == 2 * len(found.cases)
    assert joined(None, [None]) is None


# ---- The accuracy matrix ---------------------------------------------------------------------------------------------


def coded(values: np.ndarray) -> Scores:
    cases = tuple(f"report_category:{number}" for number in range(values.shape[1]))
    return Scores(tuple(range(len(values))), cases, values.astype(float), np.ones(values.shape))


def test_the_matrix_has_an_entry_for_each_pair_and_the_transfer_is_that_by_hand() -> None:
    """Three domains, two seeds; accuracies by hand."""
    right = {
        "chain_after_a": {"a": [[1, 1, 1, 0], [1, 1, 0, 0]], "b": [[0, 0], [0, 1]], "c": [[0, 0, 0], [0, 0, 0]]},
        "chain_after_b": {"a": [[1, 0, 1, 0], [1, 1, 0, 0]], "b": [[1, 1], [1, 1]], "c": [[1, 0, 0], [0, 0, 0]]},
        "chain": {"a": [[1, 0, 0, 0], [0, 1, 0, 0]], "b": [[1, 0], [1, 1]], "c": [[1, 1, 1], [1, 1, 0]]},
        BASE_ARM: {"a": [[0, 0, 0, 1]], "b": [[0, 0]], "c": [[1, 0, 0]]},
    }
    scores = {arm: {f"label_{d}": coded(np.array(v)) for d, v in of_arm.items()} for arm, of_arm in right.items()}
    chain = chain_of("chain", {domain: f"label_{domain}" for domain in "abc"}, scores)
    assert chain.arms == ["chain_after_a", "chain_after_b", "chain"]
    estimates = [[one.estimate for one in row] for row in chain.accuracy]
    assert np.allclose(estimates, [[5 / 8, 1 / 4, 0], [4 / 8, 1, 1 / 6], [2 / 8, 3 / 4, 5 / 6]])
    assert [one.estimate for one in chain.base] == pytest.approx([1 / 4, 0, 1 / 3])
    # ((2/8 - 5/8) + (3/4 - 1)) / 2
    assert chain.backward_transfer.estimate == pytest.approx(-5 / 16)
    assert chain.backward_transfer.low < -5 / 16 < chain.backward_transfer.high
    # Of each seed: ((1/4 - 3/4) + (1/2 - 1)) / 2 and ((1/4 - 1/2) + 0) / 2.
    assert chain.backward_transfer.std == pytest.approx(np.std([-1 / 2, -1 / 8], ddof=1))


@pytest.fixture(scope="module")
def results() -> Any:
    exam = {BASE_ARM: 0.98, "none": 0.7, "chain": 0.8, "chain_after_symptoms": 0.9}
    domain = {BASE_ARM: 0.1, "none": 0.7, "chain": 0.72, "chain_after_symptoms": 0.15}
    scores = {arm: dict(measures) for arm, measures in made_up_scores(exam, domain).items()}
    rng = np.random.default_rng(1)
    for arm, share in (("chain_after_symptoms", 0.8), ("chain", 0.5), (BASE_ARM, 0.1)):
        scores[arm]["symptom_code"] = categories(share, 1 if arm == BASE_ARM else 3, 300, rng)
    chains = {"chain": {"symptoms": "symptom_code", "corpus": "bethesda"}}
    return analyse(scores, ["none", "chain"], "bethesda", CRITICAL, "test", LIMITS, chains=chains)


def test_an_unfinished_chain_is_compared_with_the_base_alone(results: Any) -> None:
    pairs = {(one.first, one.second) for one in results.comparisons}
    assert {pair for pair in pairs if "chain_after_symptoms" in pair} == {(BASE_ARM, "chain_after_symptoms")}
    assert results.arms == ["none", "chain"]
    assert summary(results)["chain_after_symptoms"]["forgetting"] == pytest.approx(0.08, abs=0.02)


def test_matrix_transfer_and_forgetting_are_kept_and_reported(results: Any) -> None:
    kept = details(results, {})["chains"]["chain"]
    assert [len(row) for row in kept["accuracy"]] == [2, 2]
    assert kept["domains"] == ["symptoms", "corpus"]
    assert kept["accuracy"][0][0]["estimate"] == pytest.approx(0.8, abs=0.05)
    assert kept["backward_transfer"]["estimate"] == pytest.approx(-0.3, abs=0.07)
    assert kept["backward_transfer"]["high"] < 0
    assert kept["forgetting"][0]["estimate"] == results.forgetting("chain_after_symptoms")[0]
    figures = {"tradeoff.png": "", "capabilities.png": "", "curves.png": ""}
    text = report(results, Context({}, {}, figures, []))
    assert "## Domains in sequence" in text
    assert "The backward transfer of `chain` is below 0" in text
    assert "| after symptoms |" in text


def test_without_a_chain_nothing_is_said_of_domains() -> None:
    exam, domain = {BASE_ARM: 0.98, "none": 0.7}, {BASE_ARM: 0.1, "none": 0.7}
    found = analyse(made_up_scores(exam, domain), ["none"], "bethesda", CRITICAL, "test", LIMITS)
    assert "chains" not in details(found, {})
    figures = {"tradeoff.png": "", "capabilities.png": "", "curves.png": ""}
    assert "sequence" not in report(found, Context({}, {}, figures, []))


# ---- What is refused -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def defined() -> tuple[Corpus, Domains]:
    values = read_yaml(ROOT / "params.yaml")
    return section(values, "corpus", Corpus), section(values, "domains", Domains)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"domains": ["symptoms"]}, r"name each domain once, and `corpus` among them"),
        ({"domains": ["corpus", "corpus"]}, r"name each domain once"),
        ({"tokens": Tokens(keep_share=0.5)}, r"tokens cannot be had with several domains"),
        ({"budget": Budget(every_steps=2, nats=1.0)}, r"budget cannot be had with several domains"),
        ({"retrieval": Retrieval(reports=2)}, r"retrieval cannot be had with several domains, since only reports of"),
        ({"replay": replace(REPLAY, loss="teacher")}, r"set it to labels"),
    ],
)
def test_what_cannot_be_done_with_several_domains_is_refused(parts: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(CHAIN, **parts)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("corpus", {}, r"`domains` cannot have the name 'corpus'"),
        ("my_teacher", {}, r"cannot have the name 'my_teacher'"),
        ("my_vote", {}, r"cannot have the name 'my_vote'"),
        ("one_after_two", {}, r"cannot have the name"),
        ("symptoms", {"path": "data/raw/x.jsonl"}, r"`domains.symptoms.path` is 'data/raw/x.jsonl': put the file"),
        ("symptoms", {"path": "/data/domains/x.jsonl"}, r"put the file or folder into data/domains"),
        ("symptoms", {"path": "data/domains/../raw/x.jsonl"}, r"put the file or folder into data/domains"),
        ("symptoms", {"path": "data/domains"}, r"put the file or folder into data/domains"),
        ("symptoms", {"label": "bethesda"}, r"`domains.symptoms.label` is bethesda"),
        ("symptoms", {"label": "bethesda_acc"}, r"choose another"),
    ],
)
def test_a_domain_that_cannot_be_used_is_refused(
    defined: tuple[Corpus, Domains], name: str, changes: dict[str, Any], said: str
) -> None:
    corpus, domains = defined
    with pytest.raises(SettingsError, match=said):
        check_domains({name: replace(domains["symptoms"], **changes)}, corpus)


def test_the_shipped_domain_is_accepted_and_its_file_is_asked_for_if_a_method_uses_it(
    defined: tuple[Corpus, Domains], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, domains = defined
    monkeypatch.chdir(tmp_path)
    check_domains(domains, corpus)
    check_used_domains("chain", CHAIN.other_domains, domains)
    with pytest.raises(SettingsError, match=r"`chain.domains` names 'symptoms', which the section `domains` does not"):
        check_used_domains("chain", CHAIN.other_domains, {})
    check_there("ema", EMA, domains)
    with pytest.raises(Exception, match=r"`domains.symptoms.path`: there is no file or folder .*remove `chain` from"):
        check_there("chain", CHAIN, domains)
    (tmp_path / domains["symptoms"].path).mkdir(parents=True)
    check_there("chain", CHAIN, domains)


def test_a_method_needs_the_domains_that_it_names() -> None:
    assert needed_domains([EMA]) == []
    assert needed_domains([EMA, CHAIN, replace(CHAIN, domains=["corpus", "ct"])]) == ["ct", "symptoms"]
    files = files_of_domains(CHAIN, Path("d"), HELD_OUT_FILES)
    assert files["symptoms/categories.json"] == Path("d/symptoms/categories.json")
    assert not any("train" in name for name in files)
    assert files_of_domains(EMA, Path("d"), TRAINING_FILES) == {}
