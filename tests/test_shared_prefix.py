"""The shared-prefix model gives the same answers as the harness's own model, up to rounding; and the code around it."""

import csv
import importlib.util
import json
import logging
import os
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import PartialState
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model
from lm_eval.utils import env as jinja
from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen2ForCausalLM,
    set_seed,
)

import stages._evaluate
import stages.evaluate_domain
from anamnesis.errors import InputError
from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.backends.encoding import LineEncoder
from anamnesis.evaluation.backends.prefixes import group_by_prefix
from anamnesis.evaluation.backends.shared_prefix import Past, SharedPrefixLM
from anamnesis.evaluation.backends.stock import StockLM
from anamnesis.evaluation.backends.vllm import vllm_models
from anamnesis.evaluation.cases import Case
from anamnesis.evaluation.definitions import HARNESS_MMLU, TASKS, task_folders
from anamnesis.evaluation.divergence import from_base
from anamnesis.evaluation.documents import read_mmlu_csv
from anamnesis.evaluation.domain import evaluate_domain
from anamnesis.evaluation.general import Sources, evaluate_general
from anamnesis.evaluation.harness import language_model, run_task
from anamnesis.evaluation.questions import ask
from anamnesis.files import write_jsonl
from anamnesis.modeling.loading import load_base, save_base
from anamnesis.modeling.pretraining import train_tokenizer
from anamnesis.modeling.source.obtaining import obtain
from anamnesis.modeling.student.saving import save_run
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.evaluation import Task
from anamnesis.settings.modeling import Model
from anamnesis.settings.tuner import Tuner
from tests.conftest import CPU, HEADINGS, NO_LEAKAGE, ROOT, TUNER, random_qwen2
from tests.test_evaluation import BASE_TEXT, CATEGORIES, domain, evaluation, general, kl_by_definition, small_exam
from tests.test_teachers import disturb

MMLU = ROOT.parent / "shared" / "data" / "mmlu"
LETTERS = [f" {letter}" for letter in "ABCD"]
# One token each in the tokenizer of these tests.
DIGITS = ["0", "1", "2", "3"]
TEXTS = [" II", " III", " V: контроль через 6 мес.", " нет", " есть\nкартина коллоидного узла"]


def question(subject: int, number: int) -> str:
    lines = [f"Вопрос {number}: узел {subject} мм, группы по {number * 7 % 11}?" + " Да." * (number % 5)]
    return "\n".join([*lines, *(f"{letter}. {number + i} мм" for i, letter in enumerate("ABCD")), "Answer:"])


def prompts(subjects: int = 3, questions: int = 8) -> list[str]:
    """Five worked examples of its subject before each question, as in MMLU."""
    examples = [
        f"Вопросы об узле номер {subject}.\n\n"
        + "".join(f"{question(subject, 20 + i)} {'ABCD'[i % 4]}\n\n" for i in range(5))
        for subject in range(subjects)
    ]
    return [examples[s] + question(s, number) for s in range(subjects) for number in range(questions)]


def requests(pairs: Sequence[tuple[str, str]]) -> list[Instance]:
    return [Instance("loglikelihood", {}, pair, 0, ("task", 0, 1)) for pair in pairs]


def answers(lm: StockLM, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
    found: list[tuple[float, bool]] = lm.loglikelihood(requests(pairs), disable_tqdm=True)
    return found


def with_choices(contexts: Sequence[str], choices: Sequence[str]) -> list[tuple[str, str]]:
    return [(context, choice) for context in contexts for choice in choices]


def assert_same(ours: Sequence[tuple[float, bool]], theirs: Sequence[tuple[float, bool]], choices: int = 1) -> None:
    """Equal greedy flags and most probable of every `choices` neighbours; equal log-likelihoods up to fp32 rounding."""
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in theirs]
    best = [
        [max(range(choices), key=lambda i: found[start + i][0]) for start in range(0, len(found), choices)]
        for found in (ours, theirs)
    ]
    assert best[0] == best[1]
    assert [ll for ll, _ in ours] == pytest.approx([ll for ll, _ in theirs], abs=5e-5, rel=1e-6)


def pair_of(
    model: PreTrainedModel | Student, tokenizer: PreTrainedTokenizerBase, batch_size: int = 7
) -> tuple[SharedPrefixLM, StockLM]:
    ours = language_model(model, tokenizer, batch_size, "shared_prefix")
    assert isinstance(ours, SharedPrefixLM)
    theirs = language_model(model, tokenizer, batch_size, "hf")
    assert not isinstance(theirs, SharedPrefixLM)
    return ours, theirs


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerBase) -> Qwen2ForCausalLM:
    return random_qwen2(tokenizer, max_position_embeddings=4096)


# ---- Equality with the harness's own model -----------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@pytest.mark.parametrize("choices", [LETTERS, TEXTS], ids=["letters", "texts"])
def test_five_shot_answers_are_the_harness_own(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, batch_size: int, choices: list[str]
) -> None:
    ours, theirs = pair_of(model, tokenizer, batch_size)
    asked = with_choices(prompts(), choices)
    assert_same(answers(ours, asked), answers(theirs, asked), choices=len(choices))
    assert ours.applies


def test_the_greedy_flag_is_set_for_the_models_own_continuation_alone(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase
) -> None:
    asked, greedy = [], []
    for context in (tokenizer(prompt)["input_ids"] for prompt in prompts(2, 2)):
        best: list[int] = []
        for _ in range(3):
            with torch.no_grad():
                best.append(int(model(torch.tensor([context + best])).logits[0, -1].argmax()))
        for continuation in (best[:1], best, [best[0] - 1], [*best[:2], best[2] - 1], [best[0] - 1, *best[1:]]):
            asked.append((None, context, continuation))
            greedy.append(continuation == best[: len(continuation)])
    for lm in pair_of(model, tokenizer):
        assert [flag for _, flag in lm._loglikelihood_tokens(asked, disable_tqdm=True)] == greedy
    assert greedy.count(True) == 8


def drop_a_token_of_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    original = SharedPrefixLM._prefix
    monkeypatch.setattr(SharedPrefixLM, "_prefix", lambda self, tokens, start: original(self, tokens[:-1], start))


def show_the_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Past.select

    def select(self: Past, rows: Sequence[int]) -> Past:
        past = original(self, rows)
        return replace(past, mask=torch.ones_like(past.mask))

    monkeypatch.setattr(Past, "select", select)


def forget_the_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Past.select

    def select(self: Past, rows: Sequence[int]) -> Past:
        past = original(self, rows)
        return replace(past, lengths=past.lengths + 1)

    monkeypatch.setattr(Past, "select", select)


@pytest.mark.parametrize("spoil", [drop_a_token_of_the_prefix, show_the_padding, forget_the_positions])
def test_the_comparison_notices_a_mistake(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    """Otherwise the tests of equality would prove nothing."""
    ours, theirs = pair_of(model, tokenizer)
    assert ours.applies
    asked = with_choices(prompts(), TEXTS)
    assert_same(answers(ours, asked), answers(theirs, asked), choices=len(TEXTS))
    spoil(monkeypatch)
    with pytest.raises(AssertionError):
        assert_same(answers(ours, asked), answers(theirs, asked), choices=len(TEXTS))
    # The model's own check detects it and uses HFLM.
    if spoil is not drop_a_token_of_the_prefix:
        assert not SharedPrefixLM(pretrained=model, tokenizer=tokenizer, batch_size=7).applies


def test_the_work_is_a_small_part_of_the_harness_own(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase
) -> None:
    fed: list[int] = []
    model.model.register_forward_pre_hook(
        lambda _, __, kwargs: fed.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    headed: list[int] = []
    model.lm_head.register_forward_pre_hook(lambda _, inputs: headed.append(inputs[0].shape[:-1].numel()))
    ours, theirs = pair_of(model, tokenizer)
    work = {}
    for lm in (ours, theirs):
        lm.loglikelihood(requests(with_choices(prompts()[:1], LETTERS)), disable_tqdm=True)
        fed.clear(), headed.clear()
        answers(lm, with_choices(prompts(), DIGITS))
        work[lm] = (sum(fed), sum(headed))
    assert work[ours][0] < work[theirs][0] / 2.5
    assert work[ours][1] == len(prompts())
    assert work[theirs][1] > 300 * len(prompts())


def test_contexts_without_anything_in_common(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> None:
    contexts = ["узел", "II группы", "м", "7 мм, коллоид есть, контроль", "есть узел", *prompts(1, 1), "?"]
    ours, theirs = pair_of(model, tokenizer, batch_size=3)
    asked = with_choices(contexts, TEXTS)
    assert_same(answers(ours, asked), answers(theirs, asked))


def test_an_empty_context_and_a_context_that_ends_in_a_space(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase
) -> None:
    ours, theirs = pair_of(model, tokenizer)
    end = tokenizer.eos_token
    asked = [
        ("", "узел 3 мм"),
        ("", f"{end}узел"),
        ("Описание: ", "узел"),
        ("узел \n", "мм"),
        ("узел", "\n\nмм"),
        ("a", "b"),
    ]
    assert_same(answers(ours, asked), answers(theirs, asked))


def test_rolling_likelihood_of_texts(tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Including texts longer than the model's context, and with logits computed in several portions."""
    ours, theirs = pair_of(random_qwen2(tokenizer, max_position_embeddings=64), tokenizer)
    texts = ["Узел 7 мм.", "коллоид", *prompts(1, 3), prompts(2, 1)[-1]]
    rolling = [Instance("loglikelihood_rolling", {}, (text,), 0, ("task", 0, 1)) for text in texts]
    monkeypatch.setattr("anamnesis.evaluation.backends.shared_prefix.LOGITS", 10 * len(tokenizer))
    assert ours.loglikelihood_rolling(rolling) == pytest.approx(theirs.loglikelihood_rolling(rolling), rel=1e-6)
    assert ours.truncated == 0


def test_generation_still_works(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> None:
    ours, theirs = pair_of(model, tokenizer)
    answers(ours, with_choices(prompts(1, 3), LETTERS))
    settings = {"max_gen_toks": 6, "until": ["\n\n"]}
    asked = [Instance("generate_until", {}, (context, settings), 0, ("task", 0, 1)) for context in prompts(2, 3)]
    written = ours.generate_until(asked, disable_tqdm=True)
    assert written == theirs.generate_until(asked, disable_tqdm=True)
    assert any(written)


def test_the_harness_knows_it_by_name() -> None:
    assert get_model("anamnesis-shared-prefix") is SharedPrefixLM


# ---- Adapters and 4 bits -----------------------------------------------------------------------------------------


def random_weights(student: Student, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.empty(weight.shape).normal_(std=0.3, generator=generator) for weight in student.weights]


def test_adapters_are_switched_under_one_model(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> None:
    student = add_student(model, TUNER)
    ours = language_model(student, tokenizer, 7)
    asked = with_choices(prompts(), TEXTS)
    found: dict[int, Any] = {}
    for seed in (1, 2, 1):
        with student.holding(random_weights(student, seed)):
            again = answers(ours, asked)
            assert found.setdefault(seed, again) == again
            assert_same(again, answers(language_model(student, tokenizer, 7, "hf"), asked))
    assert found[1] != found[2]
    assert ours.applies


def test_a_four_bit_model_with_an_adapter(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    save_base(model, tokenizer, tmp_path / "hub")
    source = Model(source=str(tmp_path / "hub"), revision=None, quantization="nf4", dtype="float32")
    save_base(*obtain(source, CPU), tmp_path / "base")
    base, _ = load_base(tmp_path / "base", CPU)
    student = add_student(base, TUNER)
    ours, theirs = pair_of(student, tokenizer)
    asked = with_choices(prompts(), TEXTS)
    with student.holding(random_weights(student, 1)):
        assert_same(answers(ours, asked), answers(theirs, asked))
    assert ours.applies


# ---- What is left to the harness's own model ---------------------------------------------------------------------

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 4096,
    "initializer_range": 0.3,
}
ARCHITECTURES: dict[str, tuple[str, dict[str, Any], bool]] = {
    "llama": ("llama", SMALL, True),
    "gpt2": ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 4096, "initializer_range": 0.3}, True),
    "mistral": ("mistral", SMALL | {"sliding_window": None}, True),
    "a sliding window": ("mistral", SMALL | {"sliding_window": 16}, False),
    "a sliding window in some layers": (
        "qwen2",
        SMALL | {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1},
        False,
    ),
    "frequencies by length": (
        "llama",
        SMALL | {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}},
        False,
    ),
    "capped logits": ("gemma2", SMALL | {"sliding_window": 4096, "layer_types": ["full_attention"] * 2}, False),
    "no attention": ("mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}, False),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_other_architectures(tokenizer: PreTrainedTokenizerBase, name: str, caplog: pytest.LogCaptureFixture) -> None:
    kind, shape, applies = ARCHITECTURES[name]
    set_seed(3)
    config = AutoConfig.for_model(
        kind, vocab_size=len(tokenizer), pad_token_id=0, bos_token_id=0, eos_token_id=0, **shape
    )
    ours, theirs = pair_of(AutoModelForCausalLM.from_config(config).eval(), tokenizer)
    asked = with_choices(prompts(2, 4), TEXTS)
    assert_same(answers(ours, asked), answers(theirs, asked), choices=len(TEXTS))
    assert ours.applies is applies
    assert ours.path == ("shared_prefix" if applies else "hf")
    assert ("cannot be read in steps" in caplog.text) == (not applies)


@pytest.mark.parametrize(("name", "dtype"), [("llama", "float32"), ("gpt2", "float32"), ("llama", "bfloat16")])
@pytest.mark.parametrize("backend", ["shared_prefix", "hf"])
def test_the_distance_from_the_base_of_other_models(
    tokenizer: PreTrainedTokenizerBase, name: str, dtype: str, backend: Any
) -> None:
    kind, shape, _ = ARCHITECTURES[name]
    set_seed(3)
    ids = {"pad_token_id": None, "bos_token_id": 0, "eos_token_id": 0}
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer), **ids, **shape)
    student = student_with_an_update(AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype)))
    found = from_base(language_model(student, tokenizer, 3, backend), student)(BASE_TEXT)
    expected = [kl_by_definition(student, tokenizer.eos_token_id, tokens) for tokens in BASE_TEXT]
    assert found == pytest.approx(expected, rel=1e-4 if dtype == "float32" else 0.05)
    assert min(expected) > 1e-3


@pytest.mark.parametrize("kind", [PromptTuningConfig, PrefixTuningConfig])
def test_virtual_tokens_of_no_student(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, kind: Any) -> None:
    tuned = get_peft_model(model, kind(task_type="CAUSAL_LM", num_virtual_tokens=4))
    ours, theirs = pair_of(tuned.eval(), tokenizer)
    asked = with_choices(prompts(1, 3), LETTERS)
    assert_same(answers(ours, asked), answers(theirs, asked))
    assert not ours.applies


# ---- Virtual tokens ----------------------------------------------------------------------------------------------


@pytest.fixture(params=["prefix", "prompt"])
def virtual(request: pytest.FixtureRequest, model: Qwen2ForCausalLM) -> Student:
    """A student with four virtual tokens, as if trained."""
    return with_virtual_tokens(model, request.param)


def with_virtual_tokens(model: PreTrainedModel, kind: Any) -> Student:
    student = add_student(model, Tuner(kind=kind, tokens=4))
    disturb(student.weights)
    student.model.eval()
    return student


@pytest.mark.parametrize("choices", [LETTERS, TEXTS], ids=["letters", "texts"])
def test_virtual_tokens_are_one_more_shared_prefix(
    virtual: Student, tokenizer: PreTrainedTokenizerBase, choices: list[str]
) -> None:
    ours, theirs = pair_of(virtual, tokenizer)
    asked = with_choices(prompts(), choices)
    found = answers(ours, asked)
    assert_same(found, answers(theirs, asked), choices=len(choices))
    assert ours.applies
    with virtual.holding([2 * weight for weight in virtual.weights]):
        other = answers(ours, asked)
        assert_same(other, answers(theirs, asked), choices=len(choices))
    assert other != found == answers(ours, asked)


def test_virtual_tokens_cost_no_more_than_any_prefix(virtual: Student, tokenizer: PreTrainedTokenizerBase) -> None:
    fed: list[int] = []
    decoder = virtual.model.get_base_model().model
    decoder.layers[0].register_forward_pre_hook(lambda _, inputs: fed.append(inputs[0].shape[:-1].numel()))
    work = {}
    for lm in pair_of(virtual, tokenizer):
        answers(lm, with_choices(prompts()[:1], LETTERS))
        fed.clear()
        answers(lm, with_choices(prompts(), DIGITS))
        work[type(lm)] = sum(fed)
    assert work[SharedPrefixLM] < work[StockLM] / 2.5


def test_whole_texts_are_read_after_the_virtual_tokens(
    virtual: Student, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the text and the virtual tokens no longer than the model's context."""
    monkeypatch.setattr(virtual.model.config, "max_position_embeddings", 64)
    read: list[int] = []
    decoder = virtual.model.get_base_model().model
    decoder.register_forward_hook(lambda _, __, out: read.append(out.last_hidden_state.shape[1]))
    ours, theirs = pair_of(virtual, tokenizer)
    texts = ["Узел 7 мм.", "коллоид", prompts(1, 1)[0]]
    rolling = [Instance("loglikelihood_rolling", {}, (text,), 0, ("task", 0, 1)) for text in texts]
    assert ours.max_length == theirs.max_length == 60
    assert ours.loglikelihood_rolling(rolling) == pytest.approx(theirs.loglikelihood_rolling(rolling), rel=1e-6)
    assert max(read) <= 64


@pytest.mark.parametrize("backend", ["shared_prefix", "hf"])
def test_what_is_generated_after_virtual_tokens_is_the_most_probable(
    virtual: Student, tokenizer: PreTrainedTokenizerBase, backend: Any
) -> None:
    """Of prompts of different lengths in one batch, which is padded on the left."""
    lm = language_model(virtual, tokenizer, 4, backend)
    contexts = ["Узел", *prompts(1, 3)]
    asked = [
        Instance("generate_until", {}, (context, {"max_gen_toks": 6, "until": ["###"]}), 0, ("task", 0, 1))
        for context in contexts
    ]
    expected = []
    for context in contexts:
        tokens = tokenizer(context)["input_ids"]
        for _ in range(6):
            batch = {"input_ids": torch.tensor([tokens])}
            with torch.no_grad():
                states = virtual.hidden_states(batch, torch.ones(1, len(tokens), dtype=torch.bool))
                tokens = [*tokens, int(virtual.model.get_output_embeddings()(states[-1]).argmax())]
        new = tokens[-6:]
        new = new[: new.index(tokenizer.eos_token_id)] if tokenizer.eos_token_id in new else new
        expected.append(tokenizer.decode(new, skip_special_tokens=True))
    assert lm.generate_until(asked, disable_tqdm=True) == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("kind", ["prefix", "prompt"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "mistral", "a sliding window in some layers"])
def test_virtual_tokens_of_other_architectures(
    tokenizer: PreTrainedTokenizerBase, architecture: str, kind: str
) -> None:
    name, shape, applies = ARCHITECTURES[architecture]
    set_seed(3)
    ids = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}
    config = AutoConfig.for_model(name, vocab_size=len(tokenizer), **ids, **shape)
    student = with_virtual_tokens(AutoModelForCausalLM.from_config(config), kind)
    ours, theirs = pair_of(student, tokenizer)
    asked = with_choices(prompts(2, 2), TEXTS)
    assert_same(answers(ours, asked), answers(theirs, asked), choices=len(TEXTS))
    assert ours.applies is applies


def test_the_distance_from_the_base_is_that_with_the_virtual_tokens(
    virtual: Student, tokenizer: PreTrainedTokenizerBase
) -> None:
    found = from_base(language_model(virtual, tokenizer, 3), virtual)(BASE_TEXT)
    expected = [kl_by_definition(virtual, tokenizer.eos_token_id, tokens) for tokens in BASE_TEXT]
    assert found == pytest.approx(expected, rel=1e-4)
    assert min(expected) > 1e-3


@pytest.mark.parametrize("backend", ["shared_prefix", "hf"])
def test_prompts_that_are_cut_are_counted(
    tokenizer: PreTrainedTokenizerBase, backend: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A prompt counts once, however many choices it has; a single warning gives the number."""
    short = random_qwen2(tokenizer, max_position_embeddings=400)
    lengths = [len(tokenizer(prompt)["input_ids"]) for prompt in prompts()]
    limit = sorted(lengths)[-4]
    lm = language_model(short, tokenizer, 7, backend)
    lm._max_length = limit
    theirs = language_model(short, tokenizer, 7, "hf")
    theirs._max_length = limit
    asked = with_choices(prompts(), DIGITS)
    with caplog.at_level(logging.WARNING, logger="anamnesis"):
        found = answers(lm, asked)
    assert_same(found, answers(theirs, asked))
    assert lm.truncated == sum(length > limit for length in lengths) > 0
    assert [record.getMessage() for record in caplog.records][:1] == [
        f"{lm.truncated} prompts are longer than the model's {limit} tokens: cut from the left"
    ]


# ---- Grouping ----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8).map(tuple), min_size=1, unique=True),
    st.integers(0, 6),
)
def test_every_sequence_is_in_one_group_with_its_prefix(sequences: list[tuple[int, ...]], worth: int) -> None:
    groups = group_by_prefix(sequences, worth)
    assert sorted(member for group in groups for member in group.members) == list(range(len(sequences)))
    for group in groups:
        assert {sequences[member][: group.length] for member in group.members} == {
            sequences[group.members[0]][: group.length]
        }
        assert all(len(sequences[member]) > group.length for member in group.members)
        assert group.length == 0 or (len(group.members) - 1) * group.length > worth


def test_subjects_become_groups_whatever_their_sizes() -> None:
    """A subject of one question must not spoil the prefix of the next subject."""
    start = tuple(range(12))
    one = [(*start, *range(100, 700), 1)]
    many = [(*start, *range(1000, 1600), question, 7) for question in range(20)]
    groups = group_by_prefix([*one, *many])
    assert [(group.length, len(group.members)) for group in groups] == [(612, 20), (0, 1)]
    subjects = [(*start, *range(1000 * s, 1000 * s + 600), 1) for s in range(1, 58)]
    assert [(group.length, len(group.members)) for group in group_by_prefix(subjects)] == [(12, 57)]


def test_a_chain_of_prefixes_does_not_exhaust_the_stack() -> None:
    groups = group_by_prefix([tuple(range(length)) for length in range(1, 3000)])
    assert sum(len(group.members) for group in groups) == 2999


# ---- Tokens ------------------------------------------------------------------------------------------------------


def other_tokenizer(pre_tokenizer: Any, template: str = "$A") -> PreTrainedTokenizerBase:
    tokenizer = Tokenizer(models.BPE(unk_token="<u>"))
    tokenizer.pre_tokenizer = pre_tokenizer
    special = ["<u>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(prompts(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=[("<s>", 1), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<u>")


BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False)
TOKENIZERS = {
    "qwen2": (lambda: train_tokenizer(prompts(), 400), True),
    "gpt2": (lambda: other_tokenizer(BYTES), True),
    "special token before": (lambda: other_tokenizer(BYTES, "<s> $A"), True),
    "special token behind": (lambda: other_tokenizer(BYTES, "$A </s>"), False),
    "a space before the text": (lambda: other_tokenizer(pre_tokenizers.ByteLevel()), False),
    "words joined over lines": (lambda: other_tokenizer(pre_tokenizers.Metaspace()), False),
}


@pytest.fixture(scope="module", params=TOKENIZERS)
def encoder(request: pytest.FixtureRequest) -> tuple[LineEncoder, Any, bool]:
    make, by_line = TOKENIZERS[request.param]
    tokenizer = make()

    def encode(text: str, special: bool | None) -> list[int]:
        return tokenizer.encode(text, **({} if special is None else {"add_special_tokens": special}))

    return LineEncoder(tokenizer, encode), encode, by_line


# Repeated pieces test the encoder's cache; at the edge of a line it could go wrong.
PIECES = st.sampled_from(
    ["a", "Узел", "7", " ", "\n", "\n\n", "\r\n", "\t", ".", "'s", "_", "é", "é", "</s>", "½", "ll", "'"]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.sampled_from([None, True, False]))
def test_lines_are_encoded_as_the_whole_text_is(
    encoder: tuple[LineEncoder, Any, bool], text: str, special: bool | None
) -> None:
    ours, encode, by_line = encoder
    assert ours._by_line is by_line
    assert ours(text, special) == encode(text, special)


def test_contexts_and_choices_are_tokens_of_the_harness(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase
) -> None:
    ours, theirs = pair_of(model, tokenizer)
    contexts = [*prompts(), "узел ", "узел \n\n", "\nузел", *(prompt + " \n" for prompt in prompts(1, 2))]
    for context, choice in with_choices(contexts, [*LETTERS, *TEXTS, "A", "\nB", " "]):
        assert ours._encode_pair(context, choice) == theirs._encode_pair(context, choice)


@pytest.mark.skipif(not MMLU.is_dir(), reason="no MMLU beside the repository")
def test_real_questions_are_tokens_of_the_harness(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> None:
    ours, theirs = pair_of(model, tokenizer)
    for path in sorted((MMLU / "test").glob("*.csv"))[::4]:
        for row in read_mmlu_csv(path, "x")[:20]:
            context = "\n".join([row["question"].strip(), *row["choices"], "Answer:"])
            assert ours._encode_pair(context, " A") == theirs._encode_pair(context, " A")


@pytest.mark.skipif(not MMLU.is_dir(), reason="no MMLU beside the repository")
@pytest.mark.parametrize(("exam", "shots"), [("mmlu", 2), ("mmlu_continuation", 1)])
def test_real_questions_are_answered_as_by_the_harness(exam: str, shots: int) -> None:
    """Four questions of each of the 57 subjects, by the tiny base that ships with the repository."""
    base = AutoModelForCausalLM.from_pretrained(ROOT / "data/base", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "data/base")
    backends: tuple[Any, Any] = ("shared_prefix", "hf")
    ours, theirs = (
        ask(language_model(base, tokenizer, 16, backend), exam, Task(shots, 4, str(MMLU)), Path("none"))
        for backend in backends
    )
    assert ours is not None
    assert theirs is not None
    predicted, same = (
        [
            max(range(4), key=lambda choice: question["filtered_resps"][choice][0])
            for questions in one.measured.questions.values()
            for question in questions
        ]
        for one in (ours, theirs)
    )
    assert len(predicted) == 228
    assert predicted == same
    assert len(set(predicted)) == 4
    assert ours.cases == theirs.cases
    assert ours.measured.prompts_cut == theirs.measured.prompts_cut < 57


# ---- Tasks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def mmlu_folder(tmp_path: Path) -> Path:
    """57 subjects of a few questions, two of them several of the same length."""
    for subject in (path.stem.removeprefix("mmlu_") for path in HARNESS_MMLU["mmlu"].glob("mmlu_*.yaml")):
        for split, rows in (("dev", 5), ("test", 3)):
            path = tmp_path / "mmlu" / split / f"{subject}_{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [f'"{subject} {row}, узел?",7,{row},"один, два",нет,{"ABCD"[row % 4]}' for row in range(rows)]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "mmlu"


def test_both_backends_measure_the_same(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, mmlu_folder: Path, tmp_path: Path
) -> None:
    sources = small_exam(tmp_path)
    tasks = {exam: Task(shots, 2, str(mmlu_folder)) for exam, shots in (("mmlu", 5), ("mmlu_continuation", 0))}
    settings = evaluation(tasks=tasks)
    student = student_with_an_update(model)
    ours, theirs = (general(lm, settings, sources, from_base(lm, student)) for lm in pair_of(student, tokenizer))
    assert ours.metrics["harness"].pop("backend") == "shared_prefix"
    assert theirs.metrics["harness"].pop("backend") == "hf"
    assert_same_measured(ours, theirs)
    assert ours.metrics["harness"]["prompts_cut"] == 0
    assert ours.metrics["base_text_kl_nats"] > 0


def test_both_backends_measure_the_same_of_reports(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, reports: list[dict[str, str]], tmp_path: Path
) -> None:
    """Likelihoods agree up to rounding, generated texts exactly."""
    write_jsonl(tmp_path / "test.jsonl", reports)
    settings = evaluation(generation_limit=6, max_new_tokens=12)
    student = student_with_an_update(model)
    ours, theirs = (
        domain(lm, settings, tmp_path / "test.jsonl", divergence=from_base(lm, student))
        for lm in pair_of(student, tokenizer)
    )
    assert ours.metrics["harness"].pop("backend") == "shared_prefix"
    assert theirs.metrics["harness"].pop("backend") == "hf"
    assert_same_measured(ours, theirs)
    written = [row["responses"][0] for row in ours.log if row["task"] == "report_generation"]
    assert len(set(written)) > 1


def student_with_an_update(model: Qwen2ForCausalLM) -> Student:
    student = add_student(model, TUNER)
    for weight, data in zip(student.weights, random_weights(student, 1), strict=True):
        weight.data = data / 3
    student.model.eval()
    return student


def assert_same_measured(ours: Evaluated, theirs: Evaluated) -> None:
    """Equal metrics, logs and cases, up to rounding of the log-likelihoods."""
    (metrics, log, cases), (other_metrics, other_log, other_cases) = ours, theirs
    for case, same in zip(cases, other_cases, strict=True):
        assert replace(case, value=0.0) == replace(same, value=0.0)
        assert case.value == pytest.approx(same.value, rel=1e-4, abs=1e-6)
    assert metrics.keys() == other_metrics.keys()
    for key, value in metrics.items():
        assert value == (
            pytest.approx(other_metrics[key], rel=1e-5) if isinstance(value, float) else other_metrics[key]
        )
    for row, other in zip(log, other_log, strict=True):
        assert {**row, "responses": None} == {**other, "responses": None}
        for response, same in zip(row["responses"], other["responses"], strict=True):
            # A log-likelihood with a greedy flag, a log-likelihood alone, or a text.
            if isinstance(response, float):
                assert response == pytest.approx(same, rel=1e-6)
            elif isinstance(response, str):
                assert response == same
            else:
                assert_same([response], [same])


def test_templates_are_compiled_once_and_the_harness_is_left_as_it_was(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, mmlu_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    original = type(jinja).compile
    monkeypatch.setattr(
        type(jinja), "compile", lambda self, source, *a: compiled.append(source) or original(self, source, *a)
    )
    with task_folders("mmlu", str(mmlu_folder)) as folders:
        run_task(language_model(model, tokenizer, 7), "mmlu_stem", folders, {}, limit=None, num_fewshot=5)
    assert compiled
    in_the_run = compiled[-len(set(compiled)) :]
    assert len(in_the_run) == len(set(in_the_run))
    assert "from_string" not in vars(jinja)


def test_prompts_cut_are_in_the_metrics_of_each_model(
    tokenizer: PreTrainedTokenizerBase, mmlu_folder: Path, tmp_path: Path
) -> None:
    """The count for one adapter does not include prompts of the adapter measured before it."""
    sources = small_exam(tmp_path)
    lm = language_model(random_qwen2(tokenizer, max_position_embeddings=256), tokenizer, 7)
    settings = evaluation(tasks={"mmlu": Task(5, 1, str(mmlu_folder))})
    for _ in range(2):
        assert general(lm, settings, sources).metrics["harness"]["prompts_cut"] == 57
    assert lm.truncated == 2 * 57


# ---- Several processes -------------------------------------------------------------------------------------------


def measure(folder: Path) -> None:
    """The work of one process; the main process writes the result."""
    torch.set_num_threads(1)
    reports = [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    tokenizer = train_tokenizer([report["description"] for report in reports], vocab_size=400)
    student = student_with_an_update(random_qwen2(tokenizer, max_position_embeddings=2048))
    lm = language_model(student, tokenizer, 7)
    arm = Arm("ema", lm, from_base(lm, student))
    sources = Sources(*(folder / f"{name}.jsonl" for name in ("exam", "heldout", "base_text")))
    of_general = evaluate_general(arm, evaluation(), HEADINGS, CATEGORIES.names, sources)
    settings = evaluation(generation_limit=5)
    of_domain = evaluate_domain(arm, settings, HEADINGS, CATEGORIES, folder / "test.jsonl", "test")
    assert (of_general is None) == (of_domain is None) == (not PartialState().is_main_process)
    if lm.world_size > 1:
        metadata = {"general_text": str(sources.general_text)}
        with pytest.raises(InputError, match="facts_text has 1 questions for 2 processes"):
            run_task(lm, "facts_text", [TASKS / "general"], metadata, limit=1)
    if of_general is not None and of_domain is not None:
        measured = [[one.metrics, one.log, [asdict(case) for case in one.cases]] for one in (of_general, of_domain)]
        (folder / f"measured-{lm.world_size}.json").write_text(json.dumps(measured))
    PartialState().destroy_process_group()


def test_two_processes_measure_what_one_does(tmp_path: Path, reports: list[dict[str, str]]) -> None:
    """The number of reports is odd, so that the shares differ."""
    small_exam(tmp_path)
    write_jsonl(tmp_path / "test.jsonl", reports[:23])
    for number in (1, 2):
        command = ["-m", "torch.distributed.run", "--nproc-per-node", str(number), "--standalone", "--no-python"]
        program = (
            f"from pathlib import Path; from tests.test_shared_prefix import measure; measure(Path({str(tmp_path)!r}))"
        )
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
        done = subprocess.run(
            [sys.executable, *command, sys.executable, "-c", program],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:]
    one, two = (json.loads((tmp_path / f"measured-{number}.json").read_text()) for number in (1, 2))
    for ours, theirs in zip(two, one, strict=True):
        found = [Evaluated(metrics, log, [Case(**case) for case in cases]) for metrics, log, cases in (ours, theirs)]
        assert_same_measured(*found)
        assert len(found[0].log) > 60
        assert sum("kl_nats" in key for key in found[0].metrics) == 1


# ---- The models of a run -----------------------------------------------------------------------------------------


@pytest.fixture
def run_folder(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A saved base and a saved run with a teacher and a share, in the working directory."""
    save_base(model, tokenizer, tmp_path / "models" / "base")
    student = add_student(model, TUNER)
    with student.holding(random_weights(student, 1)):
        save_run(student, random_weights(student, 2), [0.5], tmp_path / "models" / "adapters" / "ema-0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_is_measured_with_one_language_model(run_folder: Path) -> None:
    met: list[tuple[str, int, float]] = []
    distances: list[float] = []

    def measure(arm: Arm) -> Evaluated:
        met.append((arm.name, id(arm.lm), answers(arm.lm, [("узел", " 3 мм")])[0][0]))
        distances.extend(arm.divergence([[5, 6, 7]]))
        ll = met[-1][2]
        return Evaluated({"ll": ll}, [{"model": arm.name}], [Case("ll", "узел:0", ll / 3), Case("ll", "узел:1", ll)])

    stages._evaluate.evaluate_run("general", "ema", 0, evaluation(), CPU, measure)
    assert [name for name, _, _ in met] == ["ema", "ema_teacher", "ema_share_0_5"]
    assert len({model for _, model, _ in met}) == 1
    assert len({likelihood for _, _, likelihood in met}) == 3
    assert len(set(distances)) == 3
    assert min(distances) > 0
    assert json.loads((run_folder / "metrics" / "general" / "ema-0.json").read_text()) == {
        name: {"ll": ll} for name, _, ll in met
    }
    assert (run_folder / "data" / "evaluated" / "general" / "ema-0.jsonl").read_text().count("\n") == 3
    rows = list(csv.DictReader((run_folder / "data" / "scores" / "general" / "ema-0.csv").open(encoding="utf-8")))
    assert list(rows[0]) == ["arm", "measure", "case", "value", "weight", "gold", "predicted"]
    assert [(row["arm"], row["case"], float(row["value"])) for row in rows] == [
        (name, case, value) for name, _, ll in met for case, value in (("узел:0", ll / 3), ("узел:1", ll))
    ]


def test_the_base_is_at_no_distance_from_itself(run_folder: Path) -> None:
    def measure(arm: Arm) -> Evaluated:
        assert arm.name == "base"
        return Evaluated({"kl": arm.divergence([[5, 6], [7]])}, [], [])

    stages._evaluate.evaluate_run("general", None, None, evaluation(), CPU, measure)
    assert json.loads((run_folder / "metrics" / "general" / "base.json").read_text()) == {"base": {"kl": [0.0, 0.0]}}


@pytest.mark.parametrize(("split", "number"), [("validation", 5), ("test", 9)])
def test_reports_are_those_of_the_split_that_is_set(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, reports: list[dict[str, str]], split: str, number: int
) -> None:
    prepared = run_folder / "data" / "prepared" / "corpus"
    write_jsonl(prepared / "validation.jsonl", reports[:5])
    write_jsonl(prepared / "test.jsonl", reports[5:14])
    write_jsonl(prepared / "train.jsonl", reports[14:])
    (prepared / "categories.json").write_text(json.dumps(asdict(CATEGORIES)))
    inputs = run_folder / "data" / "prepared" / "inputs"
    inputs.mkdir()
    (inputs / "ema.held_out.json").write_text("{}")
    (prepared / "canaries.jsonl").write_text("")
    values = {"evaluation": evaluation(), "corpus.headings": HEADINGS, "compute": CPU, "split": split, **NO_LEAKAGE}

    class Parameters:
        def __init__(self, stage: str) -> None:
            assert stage == "evaluate_domain@ema-0"

        def section(self, name: str, kind: type) -> Any:
            return values[name]

        def value(self, name: str) -> Any:
            return values[name]

    monkeypatch.setattr(stages.evaluate_domain, "Parameters", Parameters)
    stages.evaluate_domain.main.callback("ema", 0)
    measured = json.loads((run_folder / "metrics" / "domain" / "ema-0.json").read_text())
    assert {"ema", "ema_teacher"} <= measured.keys()
    assert {(metrics["reports"], metrics["split"]) for metrics in measured.values()} == {(number, split)}


@pytest.mark.usefixtures("run_folder")
def test_vllm_that_is_not_installed_is_one_sentence() -> None:
    with pytest.raises(InputError, match="not installed: pip install vllm, or set it to shared_prefix"):
        stages._evaluate.evaluate_run("general", "ema", 0, evaluation(backend="vllm"), CPU, lambda *_: None)


def vllm_with(engine: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for what is imported of vLLM."""
    for name, content in {
        "vllm": {},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": lambda *arguments: arguments},
        "lm_eval.models.vllm_causallms": {"VLLM": engine},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name == "vllm" else find_spec(name))


def test_vllm_reads_a_whole_text_after_one_start_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness's class, without its engine, puts BOS before what a tokenizer may have begun with BOS."""

    class Engine:
        def __init__(self, **_: Any) -> None:
            self.tokenizer = other_tokenizer(BYTES, "<s> $A")

        def tok_encode(self, string: str, add_special_tokens: bool | None = None) -> list[int]:
            special = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
            return self.tokenizer(string, **special).input_ids

        def loglikelihood_rolling(self, requests: list[Instance]) -> list[list[int]]:
            return [[self.tokenizer.bos_token_id, *self.tok_encode(request.args[0])] for request in requests]

    vllm_with(Engine, monkeypatch)
    ((_, lm),) = vllm_models(Path("models/base"), {"base": None}, 7)
    bos, text = lm.tokenizer.bos_token_id, "Узел 7 мм."
    tokens = lm.tokenizer(text, add_special_tokens=False).input_ids
    request = Instance("loglikelihood_rolling", {}, (text,), 0, ("task", 0, 1))
    assert lm.loglikelihood_rolling([request]) == [[bos, *tokens]]
    # A prompt is still encoded as the tokenizer does.
    assert lm.tok_encode(text) == [bos, *tokens]
    assert lm.tok_encode(text, add_special_tokens=False) == tokens


@pytest.mark.parametrize(
    "tuner",
    [
        replace(TUNER, kind="dora"),
        Tuner(kind="bottleneck", size=4),
        Tuner(kind="bitfit"),
        Tuner(kind="prefix", tokens=2),
        Tuner(kind="prompt", tokens=2),
        Tuner(kind="full"),
    ],
    ids=lambda tuner: tuner.kind,
)
def test_vllm_serves_lora_only(
    model: Qwen2ForCausalLM, tuner: Tuner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vllm_with(object, monkeypatch)
    save_run(add_student(model, tuner), None, [], tmp_path / "run")
    with pytest.raises(InputError, match=r"vllm, which serves LoRA adapters only, and .*: set the backend"):
        next(vllm_models(tmp_path / "base", {"ema": tmp_path / "run"}, 7))


@pytest.mark.usefixtures("run_folder")
def test_vllm_is_given_the_folders_and_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    engines: list[dict[str, Any]] = []

    class Engine:
        def __init__(self, **kwargs: Any) -> None:
            assert "TORCHDYNAMO_DISABLE" not in os.environ, "vLLM compiles its models"
            engines.append(kwargs)

    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    vllm_with(Engine, monkeypatch)
    saved = Path("models/adapters/ema-0")
    found = []
    for arm in stages._evaluate._arms("ema", "ema-0", evaluation(backend="vllm"), CPU):
        assert arm.divergence is None
        found.append((arm.name, arm.lm.lora_request))
    assert found == [("ema", ("ema", 1, str(saved))), ("ema_teacher", ("ema_teacher", 2, str(saved / "teacher")))]
    assert engines == [
        {"pretrained": "models/base", "batch_size": 7, "lora_local_path": str(saved), "max_lora_rank": 8}
    ]
    for rank, longest in ((9, 16), (16, 16), (17, 32)):
        config = json.loads((saved / "adapter_config.json").read_text())
        (saved / "adapter_config.json").write_text(json.dumps(config | {"r": rank}))
        next(vllm_models(Path("models/base"), {"ema": saved}, 7))
        assert engines.pop()["max_lora_rank"] == longest
    base: Iterator[Any] = vllm_models(Path("models/base"), {"base": None}, 7)
    assert [(name, lm.lora_request) for name, lm in base] == [("base", None)]
    assert engines[1]["lora_local_path"] is None
