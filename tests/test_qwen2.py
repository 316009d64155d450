"""The special cases of the real Qwen2: more rows than tokens, no BOS, one token that ends and pads; in 4 bits."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase, set_seed

from anamnesis.evaluation.arms import Arm
from anamnesis.evaluation.divergence import from_base
from anamnesis.evaluation.domain import CategorySet, evaluate_domain
from anamnesis.evaluation.harness import language_model
from anamnesis.files import write_jsonl
from anamnesis.forecasting.shapes import SHAPES
from anamnesis.methods.supervision import IGNORED
from anamnesis.methods.teachers import make_teacher
from anamnesis.modeling.loading import load_base, save_base
from anamnesis.modeling.sampling import sample_texts
from anamnesis.modeling.source.obtaining import obtain
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.base_text import BaseText
from anamnesis.settings.methods import Method
from anamnesis.settings.modeling import Model
from anamnesis.settings.reading import read_experiment
from anamnesis.training.data import encode_reports
from anamnesis.training.trainer import make_trainer
from tests import sources
from tests.conftest import CPU, HEADINGS, OPTIMIZATION, ROOT, TRAINING, TUNER, random_qwen2

END = "<|endoftext|>"
# Everything but the widths and the number of layers is Qwen2-0.5B's.
SHAPE = SHAPES["Qwen/Qwen2-0.5B"]
SMALLER = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
EMA = Method(teacher="ema", kl_weight=0.3, decay=0.9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerBase) -> Path:
    """The base as the stage `base` makes it of such a model."""
    folder = tmp_path_factory.mktemp("qwen2")
    model = random_qwen2(
        tokenizer, **SMALLER, vocab_size=SHAPE.vocab_size, num_key_value_heads=SHAPE.num_key_value_heads
    )
    sources.save(folder / "source", model, tokenizer)
    source = Model(source=str(folder / "source"), revision=None, quantization="nf4", dtype="float32")
    save_base(*obtain(source, CPU, folder / "scratch"), folder / "base")
    return folder / "base"


def test_the_tokenizer_has_the_cases_of_qwen2(folder: Path) -> None:
    base, tokenizer = load_base(folder, CPU)
    assert base.config.vocab_size == 151_936 > len(tokenizer)
    assert tokenizer.bos_token_id is None
    assert tokenizer.eos_token == tokenizer.pad_token == END
    assert base.is_loaded_in_4bit


def test_a_run_from_the_base_to_the_measures(folder: Path, reports: list[dict[str, str]], tmp_path: Path) -> None:
    base, tokenizer = load_base(folder, CPU)
    texts = sample_texts(base, tokenizer, BaseText(texts=3, max_tokens=5, batch_size=2, seed=0))
    assert max(map(len, texts)) == 5
    # Rows beyond the tokens are sampled from, since the model gives them a probability.
    assert any(token >= len(tokenizer) for text in texts for token in text)

    encoded = encode_reports(reports, HEADINGS, tokenizer, "conclusion", 256)
    for labels in encoded["labels"]:
        assert labels[-1] == tokenizer.eos_token_id
        assert labels[0] == IGNORED
    set_seed(0)
    student = add_student(base, TUNER)
    teacher = make_teacher(EMA, student, None)
    before = [weight.detach().clone() for weight in student.weights]
    trainer: Any = make_trainer(
        student, tokenizer, encoded, EMA, teacher, TRAINING, OPTIMIZATION, CPU, 0, tmp_path / "scratch", []
    )
    trainer.train()
    assert not all(torch.equal(now, then) for now, then in zip(student.weights, before, strict=True))

    evaluation = read_experiment(ROOT, "qwen2-0.5b").evaluation
    small = {"category_limit": 6, "likelihood_limit": 4, "generation_limit": 2, "max_new_tokens": 4, "batch_size": 3}
    write_jsonl(tmp_path / "reports.jsonl", reports)
    lm = language_model(student.model, tokenizer, 3)
    categories = CategorySet(label="bethesda", names=["II", "III"], critical=["III"])
    measured = evaluate_domain(
        Arm("ema", lm, from_base(lm, student)),
        type(evaluation)(**{**vars(evaluation), **small}),
        HEADINGS,
        categories,
        tmp_path / "reports.jsonl",
        "test",
    )
    assert measured is not None
    assert measured.metrics["reports"] == 6
    assert measured.metrics["domain_kl_nats"] > 0
    assert 0 < measured.metrics["conclusion_bits_per_byte"] < 100


def test_the_profiles_of_the_published_study_save_every_200_steps() -> None:
    for profile in ("qwen2-0.5b", "qwen2-1.5b"):
        experiment = read_experiment(ROOT, profile)
        assert experiment.optimization.save_every_steps == 200
        assert experiment.model.quantization == "nf4"
        assert experiment.model.source.lower() == f"qwen/{profile}"
        assert len(experiment.model.revision or "") == 40
