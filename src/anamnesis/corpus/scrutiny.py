"""Measures what makes a corpus easier than it looks: leakage into the test part, and words that tell the category."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline

from anamnesis.corpus.similarity import WORDS, Index

# Test reports compared with all training reports, and reports read for the shortcuts; all of them in smaller corpora.
LEAKAGE_SAMPLE = 2000
TEXT_SAMPLE = 20_000
TELLING_PRECISION, TELLING_RECALL = 0.95, 0.3

Parts = Mapping[str, npt.NDArray[np.int64]]
Texts = Sequence[tuple[str, str]]  # description, category


@dataclass(frozen=True)
class Leakage:
    """Similarity of test reports to their nearest training report, 0..1 (see `similarity`)."""

    compared: int
    highest: float
    median: float
    above: float
    histogram: list[int]  # in tenths


def leakage(index: Index, parts: Parts, threshold: float) -> Leakage:
    """Compares the first 2,000 test reports with all training reports.

    Args:
        index: all reports.
        parts: contains train and test.
        threshold: `above` is the share of test reports with a training report of at least this similarity.
    """
    held_out = parts["test"][:LEAKAGE_SAMPLE]
    nearest = index.nearest(held_out, parts["train"])
    return Leakage(
        compared=len(held_out),
        highest=float(nearest.max()),
        median=float(np.median(nearest)),
        above=float((nearest >= threshold).mean()),
        histogram=np.histogram(nearest, bins=10, range=(0, 1))[0].tolist(),
    )


def bag_of_words_macro_f1(train: Texts, test: Texts) -> float:
    """Macro-F1 of a linear classifier over the words of the description on the test part, 0..1; NaN if it cannot be
    trained."""
    if len({category for _, category in train}) < 2:
        return float("nan")
    model = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=1000, class_weight="balanced"))
    model.fit([text for text, _ in train], [category for _, category in train])
    predicted = model.predict([text for text, _ in test])
    return float(f1_score([category for _, category in test], predicted, average="macro"))


def telling_words(texts: Texts) -> list[str]:
    """Words of descriptions that predict a category by themselves: precision over 0.95 at a recall over 0.3."""
    sizes = Counter(category for _, category in texts)
    holders: dict[str, Counter[str]] = defaultdict(Counter)
    for text, category in texts:
        for word in set(WORDS.findall(text.casefold())):
            holders[word][category] += 1
    return sorted(
        word
        for word, counts in holders.items()
        for category, count in counts.items()
        if count / counts.total() > TELLING_PRECISION and count / sizes[category] > TELLING_RECALL
    )
