"""Further scores of written conclusions, each by its own library: METEOR, BERTScore, BLEURT.

They are off by default (`evaluation.text_metrics`). Libraries and models are loaded only if a metric is asked.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from anamnesis.errors import InputError
from anamnesis.evaluation.scores import WordTokenizer
from anamnesis.settings.evaluation import TEXT_METRICS, TextMetric

# From texts and their references to the score of each text.
Scorer = Callable[[Sequence[str], Sequence[str]], list[float]]

# What bert-score takes for Russian, and the layer that its authors chose for this model.
BERT = "google-bert/bert-base-multilingual-cased"
BERT_COMMIT = "3f076fdb1ab68d5b2880cb87a0886f315b8146f8"
BERT_LAYERS = 9
# The multilingual checkpoint that BLEURT's authors recommend. It has no version to download it by, so it must be there.
BLEURT = Path("scratch/BLEURT-20")
BATCH = 64


def text_scores(
    metrics: Sequence[TextMetric], texts: Sequence[str], references: Sequence[str]
) -> dict[str, list[float]]:
    """The scores of each text by measure. An empty text scores 0: the libraries do not take one."""
    written = [number for number, text in enumerate(texts) if text.strip()]
    found: dict[str, list[float]] = {}
    for metric in metrics:
        scores = [0.0] * len(texts)
        if written:
            of_written = scorer(metric)([texts[i] for i in written], [references[i] for i in written])
            for number, score in zip(written, of_written, strict=True):
                scores[number] = score
        found[TEXT_METRICS[metric].measure] = scores
    return found


@cache
def scorer(metric: TextMetric) -> Scorer:
    """Load a metric, its model from the local cache if it is there.

    Raises:
        InputError: its library or its model is missing.
    """
    try:
        return {"meteor": _meteor, "bertscore": _bertscore, "bleurt": _bleurt}[metric]()
    except (OSError, ImportError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(
            f"`evaluation.text_metrics`: {metric} cannot be loaded ({said}): install what it needs, get its model as "
            f"docs/tasks.md says, or remove it."
        ) from error


class _NoSynonyms:
    """In the place of WordNet, which has no Russian."""

    def synsets(self, _: str) -> list[Any]:
        return []


def _meteor() -> Scorer:
    """METEOR of exact words and of Russian stems, without synonyms."""
    from nltk.stem.snowball import SnowballStemmer
    from nltk.translate.meteor_score import single_meteor_score

    stemmer, words = SnowballStemmer("russian"), WordTokenizer().tokenize

    def score(texts: Sequence[str], references: Sequence[str]) -> list[float]:
        return [
            float(single_meteor_score(words(reference), words(text), stemmer=stemmer, wordnet=_NoSynonyms()))
            for text, reference in zip(texts, references, strict=True)
        ]

    return score


def _bertscore() -> Scorer:
    """F1 of BERTScore, not rescaled by a baseline."""
    from bert_score import BERTScorer
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    files = ["*.json", "*.txt", "*.safetensors"]
    try:
        folder = snapshot_download(BERT, revision=BERT_COMMIT, allow_patterns=files, local_files_only=True)
    except LocalEntryNotFoundError:
        folder = snapshot_download(BERT, revision=BERT_COMMIT, allow_patterns=files)
    model = BERTScorer(model_type=folder, num_layers=BERT_LAYERS, batch_size=BATCH)

    def score(texts: Sequence[str], references: Sequence[str]) -> list[float]:
        _, _, f1 = model.score(list(texts), list(references))
        return [float(value) for value in f1]

    return score


def _bleurt() -> Scorer:
    if not BLEURT.is_dir():
        raise FileNotFoundError(f"there is no folder {BLEURT}, and it is not downloaded")
    from bleurt.score import BleurtScorer

    model = BleurtScorer(str(BLEURT))

    def score(texts: Sequence[str], references: Sequence[str]) -> list[float]:
        return [float(value) for value in model.score(references=references, candidates=texts, batch_size=BATCH)]

    return score
