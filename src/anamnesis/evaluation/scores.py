"""Scores of answers and texts, computed by established libraries."""

import math
import re
from collections.abc import Sequence

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer
from sklearn.metrics import accuracy_score, f1_score, recall_score


class WordTokenizer(Tokenizer):
    """Lower-case words of any alphabet; the default of rouge_score drops all letters but a-z, and so all Russian."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())


def category_scores(gold: Sequence[str], predicted: Sequence[str], critical: Sequence[str]) -> dict[str, float]:
    """Accuracy, macro-F1 over the categories that occur in `gold`, and recalls of the critical categories, 0 to 1.

    `recall_critical` is the share of reports of a critical category that were assigned any critical category;
    `recall_<category>` is the share that were assigned their own. A recall is omitted if there are no such reports.
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
    """Corpus BLEU and chrF with sacrebleu's defaults (0 to 100), and mean ROUGE-L F1 (0 to 1)."""
    scorer = RougeScorer(["rougeL"], tokenizer=WordTokenizer())
    rouge = [scorer.score(r, t)["rougeL"].fmeasure for r, t in zip(references, texts, strict=True)]
    return {
        "bleu": float(sacrebleu.corpus_bleu(list(texts), [list(references)]).score),
        "chrf": float(sacrebleu.corpus_chrf(list(texts), [list(references)]).score),
        "rouge_l": sum(rouge) / len(rouge),
    }


def bits_per_byte(log_likelihoods: Sequence[float], texts: Sequence[str]) -> float:
    """Code length of the texts under the model, in bits per UTF-8 byte, which is comparable between tokenizers.

    Args:
        log_likelihoods: natural logarithm of each text's probability.
        texts: the texts, in the same order.
    """
    return -sum(log_likelihoods) / math.log(2) / sum(len(text.encode()) for text in texts)
