"""What many tests need: a tiny random model, its tokenizer, a few reports, and settings at test size."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from transformers import PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM, set_seed

from anamnesis.modeling.pretraining import train_tokenizer
from anamnesis.settings.compute import Compute
from anamnesis.settings.rendering import Headings
from anamnesis.settings.training import Optimization, Training
from anamnesis.settings.tuner import Tuner
from tests.project import Project

ROOT = Path(__file__).resolve().parent.parent
PROFILES = sorted(path.stem for path in (ROOT / "profiles").glob("*.yaml"))
COLLOID = ["нет", "есть"]
PICTURE = ["неясная", "коллоидного узла"]
CPU = Compute(device="cpu", threads=1)
HEADINGS = Headings(description="Описание", category="Заключение: Bethesda")
TUNER = Tuner(kind="lora", r=4, alpha=8.0, dropout=0.0, target_modules="all-linear")
TRAINING = Training(
    target="conclusion",
    schedule="linear",
    warmup_ratio=0.1,
    weight_decay=0.0,
    max_grad_norm=1.0,
    log_every_steps=1,
)
OPTIMIZATION = Optimization(
    max_steps=4,
    batch_size=4,
    gradient_accumulation_steps=1,
    learning_rate=1e-2,
    max_length=256,
    gradient_checkpointing=False,
    save_every_steps=None,
)
# What the stage `evaluate_domain` reads besides: nothing is asked of the training reports.
NO_LEAKAGE = {
    "training.target": "conclusion",
    "leakage.candidates": 2,
    "leakage.membership_reports": 0,
    "leakage.prefix_words": 1,
    "leakage.seed": 0,
}


# Those that take minutes start first, so that no process is left with one of them at the end.
LONGEST = (
    "test_end_to_end",
    "test_privacy",
    "test_training",
    "test_inputs",
    "test_chain_pipeline",
    "test_teacher_stage",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def settings_only(tmp_path: Path) -> Path:
    """A folder with what the parameters are checked against, and nothing else."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    shutil.copytree(ROOT / "data" / "base", tmp_path / "data" / "base")
    return tmp_path


@pytest.fixture(scope="session")
def first_stages(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The corpus, the base and its text are made, once for all processes that run tests. For copies."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "first_stages"
    with FileLock(shared / "first_stages.lock"):
        if not folder.exists():
            unfinished = Project(shared / "unfinished")
            unfinished.run("dvc", "repro", "base_text", "corpus")
            unfinished.folder.rename(folder)
    return Project.at(folder)


@pytest.fixture(scope="session")
def reports() -> list[dict[str, str]]:
    """A few reports worded for the tests."""
    return [
        {
            "report": str(number),
            "patient": f"p{number // 2}",
            "description": f"Узел {number + 3} мм, группы по {number % 7 + 2}, коллоид {COLLOID[number % 2]}.",
            "conclusion": f"Картина {PICTURE[number % 2]}, контроль через {number % 5 + 1} мес.",
            "category": "II" if number % 2 else "III",
        }
        for number in range(24)
    ]


@pytest.fixture(scope="session")
def tokenizer(reports: list[dict[str, str]]) -> PreTrainedTokenizerBase:
    texts = [f"{r['description']} {r['conclusion']} I II III IV V VI" for r in reports]
    return train_tokenizer(texts, vocab_size=400)


@pytest.fixture
def base(tokenizer: PreTrainedTokenizerBase) -> Qwen2ForCausalLM:
    """A random Qwen2 of two layers, the same every time."""
    return random_qwen2(tokenizer)


def random_qwen2(tokenizer: PreTrainedTokenizerBase, **changes: object) -> Qwen2ForCausalLM:
    set_seed(7)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        # Large enough that the model's predictions are far from uniform.
        "initializer_range": 0.3,
    }
    return Qwen2ForCausalLM(Qwen2Config(**(shape | changes))).eval()
