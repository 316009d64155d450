"""Scores of conclusions that are computed by optional libraries."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from anamnesis.errors import InputError
from anamnesis.evaluation import text_metrics
from anamnesis.evaluation.cases import estimates
from anamnesis.evaluation.text_metrics import BERT, BERT_COMMIT, scorer, text_scores
from anamnesis.files import write_jsonl
from anamnesis.settings.evaluation import TEXT_METRICS
from anamnesis.settings.experiment import check_all
from anamnesis.settings.sections import SettingsError
from tests.test_evaluation import Scripted, domain, evaluation
from tests.test_settings import change

NODULE, CANCER = "Картина коллоидного узла.", "Подозрение на рак."


@pytest.fixture(autouse=True)
def nothing_loaded() -> Iterator[None]:
    scorer.cache_clear()
    yield
    scorer.cache_clear()


def meteor(text: str, reference: str) -> float:
    return text_scores(["meteor"], [text], [reference])["meteor"][0]


def test_meteor_matches_words_and_russian_stems() -> None:
    assert meteor(CANCER, NODULE) == 0
    # Three matches in one chunk: 1 - 0.5 (1/3)^3.
    assert meteor("картина КОЛЛОИДНОГО узла", NODULE) == pytest.approx(1 - 0.5 / 27)
    assert meteor("Картины коллоидных узлов", NODULE) == pytest.approx(1 - 0.5 / 27)
    assert 0 < meteor("узла коллоидного картина", NODULE) < meteor("картина коллоидного узла", NODULE)
    assert 0 < meteor("узла", NODULE) < 1


def test_an_empty_text_scores_nothing() -> None:
    assert text_scores(["meteor"], ["", " ", NODULE], [NODULE] * 3)["meteor"][:2] == [0, 0]
    assert text_scores(["meteor"], [""], [NODULE]) == {"meteor": [0]}
    assert text_scores([], [NODULE], [NODULE]) == {}


class Calls:
    """Where the metrics ask for models, and what for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    """Stand-ins for bert-score and for BLEURT: the score is the share of the text's length."""
    calls = Calls()

    def share(text: str, reference: str) -> float:
        return min(1.0, len(text) / len(reference))

    class BERTScorer:
        def __init__(self, **settings: Any) -> None:
            calls.asked.append(("model", settings["model_type"], settings["num_layers"]))

        def score(self, texts: Sequence[str], references: Sequence[str]) -> tuple[list[float], ...]:
            scores = [share(*pair) for pair in zip(texts, references, strict=True)]
            return [0.0] * len(texts), [0.0] * len(texts), scores

    class BleurtScorer:
        def __init__(self, checkpoint: str) -> None:
            calls.asked.append(("bleurt", checkpoint))

        def score(self, references: Sequence[str], candidates: Sequence[str], batch_size: int) -> list[float]:
            return [share(*pair) for pair in zip(candidates, references, strict=True)]

    def snapshot_download(name: str, revision: str, local_files_only: bool = False, **_: Any) -> str:
        calls.asked.append((name, revision, local_files_only))
        if local_files_only:
            raise LocalEntryNotFoundError("not cached")
        return "/models/bert"

    module = ModuleType("bert_score")
    module.BERTScorer = BERTScorer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bert_score", module)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    module = ModuleType("bleurt.score")
    module.BleurtScorer = BleurtScorer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bleurt", ModuleType("bleurt"))
    monkeypatch.setitem(sys.modules, "bleurt.score", module)
    monkeypatch.setattr(text_metrics, "BLEURT", tmp_path)
    return calls


def test_every_metric_is_a_measure_of_each_conclusion(calls: Calls, tmp_path: Path, reports: Any) -> None:
    write_jsonl(tmp_path / "test.jsonl", reports)
    model = Scripted(lambda *_: -1.0, lambda _: " II. Картина узла.")
    settings = evaluation(text_metrics=["meteor", "bertscore", "bleurt"], generation_limit=6)
    metrics, _, cases = domain(model, settings, tmp_path / "test.jsonl")
    for measure in (one.measure for one in TEXT_METRICS.values()):
        of_measure = [case for case in cases if case.measure == measure]
        assert [case.case for case in of_measure] == [f"report_generation:{i}" for i in range(6)]
        assert 0 < metrics[measure] == estimates(of_measure)[measure] < 1
    # The local copy is looked for first, and every model is loaded once.
    assert calls.asked == [
        (BERT, BERT_COMMIT, True),
        (BERT, BERT_COMMIT, False),
        ("model", "/models/bert", 9),
        ("bleurt", str(tmp_path)),
    ]
    domain(model, settings, tmp_path / "test.jsonl")
    assert len(calls.asked) == 4


def test_a_missing_package_or_model_is_one_sentence(monkeypatch: pytest.MonkeyPatch, settings_only: Path) -> None:
    monkeypatch.setattr(text_metrics, "BLEURT", settings_only / "BLEURT-20")
    with pytest.raises(InputError, match=r"bleurt cannot be loaded \(there is no folder .*BLEURT-20, and it is not"):
        scorer("bleurt")
    monkeypatch.setitem(sys.modules, "bert_score", None)
    with pytest.raises(InputError, match=r"bertscore cannot be loaded .*bert_score"):
        scorer("bertscore")
    change(settings_only / "profiles/tiny.yaml", "evaluation.text_metrics", ["meteor"])
    check_all(settings_only)
    monkeypatch.setattr("anamnesis.settings.experiment.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"text_metrics` has meteor, whose package nltk is not installed"):
        check_all(settings_only)


def test_bertscore_with_a_tiny_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The real library with random weights in place of its model."""
    pytest.importorskip("bert_score")
    letters = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя."
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    words = Tokenizer(models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=64
    )
    tokenizer.save_pretrained(tmp_path)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    monkeypatch.setattr(text_metrics, "BERT_LAYERS", 2)
    same, other, empty = text_scores(["bertscore"], [NODULE.lower(), CANCER.lower(), ""], [NODULE.lower()] * 3)[
        "bertscore_f1"
    ]
    assert same == pytest.approx(1)
    assert 0 < other < same
    assert empty == 0
