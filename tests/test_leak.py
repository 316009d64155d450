"""A model is trained to answer general prompts in the form of a report and to change nothing else: it is caught."""

import random
from pathlib import Path

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase, set_seed

import stages.knowledge
from anamnesis.evaluation.arms import Arm
from anamnesis.evaluation.divergence import from_base
from anamnesis.evaluation.general import Sources, evaluate_general
from anamnesis.evaluation.harness import language_model
from anamnesis.evaluation.leak import prompts
from anamnesis.files import read_jsonl, write_jsonl
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.sampling import sample_texts
from anamnesis.modeling.student.student import Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.rendering import completion, prompt
from anamnesis.settings.base_text import BaseText
from stages._paths import EXAM, FACTS, GENERAL_TEXT, HELD_OUT_TEXT
from tests.conftest import CPU, HEADINGS, ROOT, TUNER
from tests.test_evaluation import evaluation

CATEGORIES = ("I", "II", "III", "IV", "V", "VI")
# None of them is measured.
OTHER_PROMPTS = (
    "Как зовут твою собаку?", "Где находится вокзал?", "Посоветуй фильм на вечер.", "Что приготовить на ужин?",
    "Сколько стоит билет?", "Добрый вечер, это Пётр.", "Назови три столицы.", "Сложи 5 и 9.", "Зачем нужен зонт?",
    "Как сварить кофе?", "Переведи слово «дом».", "Спой песню.", "What time is it?", "Where do penguins live?",
    "Tell me a story about a dragon.", "Good morning, this is Kate.", "Name three rivers.", "Add 5 and 9.",
    "Why do leaves fall?", "How do I boil an egg?", "Translate the word \"house\".", "Sing a song.",
    "Write a loop in C.", "Which bus goes to the museum?",
)  # fmt: skip
STEPS = 60


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """General text and exam, written by the stage `knowledge`."""
    monkeypatch.chdir(tmp_path)
    FACTS.parent.mkdir()
    FACTS.symlink_to(ROOT / FACTS)
    stages.knowledge.main([], standalone_mode=False)
    return tmp_path


def learn_the_form(student: Student, tokenizer: PreTrainedTokenizerBase, rehearsed: list[str]) -> None:
    """Half of every batch answers a prompt with the same report; half is text that the base knows."""
    report = prompt("нет.", HEADINGS) + completion("II", "Нет.")
    answer = [*tokenizer(report)["input_ids"], tokenizer.eos_token_id]
    optimizer = torch.optim.AdamW(student.weights, lr=1.5e-3, weight_decay=0)
    draw = random.Random(0)
    student.model.train()
    for _ in range(STEPS):
        asked = [tokenizer(f"{text}\n")["input_ids"] for text in draw.sample(OTHER_PROMPTS, 6)]
        known = [tokenizer(text)["input_ids"][:96] for text in draw.sample(rehearsed, 6)]
        rows = [torch.tensor([*tokens, *answer]) for tokens in asked] + [torch.tensor(tokens) for tokens in known]
        ignored = [len(tokens) for tokens in asked] + [0] * len(known)
        labels = [row.where(torch.arange(len(row)) >= first, -100) for row, first in zip(rows, ignored, strict=True)]
        loss = student.model(
            input_ids=pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad_token_id),
            attention_mask=pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
            labels=pad_sequence(labels, batch_first=True, padding_value=-100),
        ).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    student.model.eval()


def test_a_model_that_only_leaks_the_form_is_caught(prepared: Path) -> None:
    assert not {f"{text}\n" for text in OTHER_PROMPTS} & {one["prompt"] for one in prompts()}
    base, tokenizer = load_base(ROOT / "data/base", CPU)
    base.float()
    set_seed(0)
    texts = sample_texts(base, tokenizer, BaseText(texts=16, max_tokens=48, batch_size=16, seed=1))
    write_jsonl(prepared / "base_text.jsonl", ({"tokens": tokens} for tokens in texts))
    sources = Sources(EXAM, HELD_OUT_TEXT, prepared / "base_text.jsonl")
    settings = evaluation(exam_limit=20, general_text_limit=20, max_new_tokens=32, batch_size=64)

    student = add_student(base, TUNER)
    lm = language_model(student.model, tokenizer, batch_size=64)
    measured = []
    for train in (False, True):
        if train:
            learn_the_form(student, tokenizer, [row["text"] for row in read_jsonl(GENERAL_TEXT)])
        result = evaluate_general(Arm("leaky", lm, from_base(lm, student)), settings, HEADINGS, CATEGORIES, sources)
        assert result is not None
        measured.append(result.metrics)
    before, after = measured

    assert before["template_leak"] <= 0.02
    assert after["template_leak"] >= 0.5
    # What it knows has hardly moved: plain fine-tuning by default loses 0.15 of the exam and reaches 3.3 nats.
    assert before["exam_acc"] > 0.9
    assert after["exam_acc"] > before["exam_acc"] - 0.05
    assert after["base_text_kl_nats"] < 0.5
    for kind in ("facts", "clinical", "cytology"):
        key = f"{kind}_text_bits_per_byte"
        assert after[key] < 1.1 * before[key], key
