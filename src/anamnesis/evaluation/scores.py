"""Scores of answers and texts, by the libraries' own implementations."""

import math
import re
from collections.abc import Sequence

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer
from sklearn.metrics import accuracy_score, f1_score, recall_score


class WordTokenizer(Tokenizer):
    """Lower-case words of any alphabet; rouge_score's own drops every letter outside a-z, and so all Russian."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())


def category_scores(gold: Sequence[str], predicted: Sequence[str], critical: Sequence[str]) -> dict[str, float]:
    """Accuracy, macro-F1 over the categories that occur in `gold`, and recalls of the critical ones, all 0..1.

    `recall_critical` asks whether a report of any critical category was given any critical category;
    `recall_<category>` whether it was given its own. Left out where the reports hold no such case.
    """
    labels = sorted(set(gold))
    scores = {
        "acc": float(accuracy_score(gold, predicted)),
        "macro_f1": float(f1_score(gold, predicted, labels=labels, average="macro", zero_division=0)),
    }
    found = [p in critical for g, p in zip(gold, predicted, strict=True) if g in critical]
    if found:
        scores["recall_critical"] = sum(found) / len(found)
    present = [category for category in critical if category in labels]
    if present:
        recalls = recall_score(gold, predicted, labels=present, average=None, zero_division=0)
        scores |= {f"recall_{category}": float(r) for category, r in zip(present, recalls, strict=True)}
    return scores


def text_scores(references: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """Corpus BLEU and chrF (sacrebleu's defaults, 0..100), mean ROUGE-L F1 (0..1)."""
    scorer = RougeScorer(["rougeL"], tokenizer=WordTokenizer())
    rouge = [scorer.score(r, t)["rougeL"].fmeasure for r, t in zip(references, texts, strict=True)]
    return {
        "bleu": float(sacrebleu.corpus_bleu(list(texts), [list(references)]).score),
        "chrf": float(sacrebleu.corpus_chrf(list(texts), [list(references)]).score),
        "rouge_l": sum(rouge) / len(rouge),
    }


def bits_per_byte(log_likelihoods: Sequence[float], texts: Sequence[str]) -> float:
    """Code length of the texts under the model, bits per UTF-8 byte: comparable between tokenizers.

    Args:
        log_likelihoods: natural logarithm of each text's probability.
        texts: the texts themselves.
    """
    return -sum(log_likelihoods) / math.log(2) / sum(len(text.encode()) for text in texts)
