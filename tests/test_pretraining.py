"""The tiny base: its tokenizer, its packed text, and that training teaches it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from anamnesis.files import write_jsonl
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.pretraining import IGNORED, pack, pretrain, train_tokenizer
from anamnesis.settings.modeling import Pretraining
from tests.conftest import CPU

SMALL = Pretraining(
    vocab_size=300,
    hidden_size=32,
    intermediate_size=64,
    layers=1,
    attention_heads=2,
    key_value_heads=1,
    max_position_embeddings=64,
    sequence_length=32,
    batch_size=4,
    processes=1,
    max_steps=60,
    learning_rate=1e-2,
    warmup_ratio=0.1,
    weight_decay=0.0,
    seed=0,
)
DOCUMENTS = [f"Вопрос: номер {n}?\nОтвет: {n * n} II" for n in range(20)]


def made(folder: Path, settings: Pretraining = SMALL) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    write_jsonl(folder / "text.jsonl", [{"text": document} for document in DOCUMENTS])
    pretrain(folder / "text.jsonl", settings, CPU, folder)
    return load_base(folder, CPU)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    return made(tmp_path_factory.mktemp("base"))


def test_model_learns_its_text_and_a_question_at_position_zero(trained: tuple) -> None:
    model, tokenizer = trained
    tokens = tokenizer(DOCUMENTS[3], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        loss = model(tokens, labels=tokens).loss
    assert float(loss) < 1.5
    assert float(loss) < torch.log(torch.tensor(300.0)) / 3


def test_saved_tokenizer_is_the_one_it_was_trained_with(trained: tuple) -> None:
    """When loaded, a tokenizer may be of another class and split the same text differently."""
    loaded, tokenizer = trained[1], train_tokenizer(DOCUMENTS, 300)
    for text in [*DOCUMENTS, " IV", "+375 é\n\tRaз"]:
        assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.eos_token_id == tokenizer.eos_token_id
    assert not any(weight.requires_grad for weight in trained[0].parameters())


def test_pretraining_repeats_bit_for_bit(trained: tuple, tmp_path: Path) -> None:
    again, _ = made(tmp_path)
    for name, weight in trained[0].state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def test_two_processes_make_the_same_base_up_to_rounding(tmp_path: Path) -> None:
    few = replace(SMALL, max_steps=6)
    one, _ = made(tmp_path / "one", few)
    two, _ = made(tmp_path / "two", replace(few, processes=2))
    for name, weight in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], weight, rtol=1e-3, atol=1e-4)


def test_any_text_survives_the_tokenizer() -> None:
    tokenizer = train_tokenizer(DOCUMENTS, 300)
    for text in ("Ёж 1234 – ½ мкм", "漢字 🙂", "\t x\n"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=25), min_size=1, max_size=20), st.integers(4, 12))
def test_packing_keeps_every_token_and_starts_rows_with_documents(documents: list[list[int]], length: int) -> None:
    rows = pack(documents, length, end=0)
    labels = [token for row in rows for token in row["labels"] if token != IGNORED]
    assert labels == [token for document in documents for token in [*document, 0]]
    assert all(len(row["input_ids"]) == len(row["attention_mask"]) == length for row in rows)
    if all(len(document) < length for document in documents):
        # No document is cut: every row ends where a document ends, and so begins where one begins.
        assert all(row["input_ids"][sum(row["attention_mask"]) - 1] == 0 for row in rows)
