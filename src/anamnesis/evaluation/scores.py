"""Scores of answers and texts, computed by established libraries."""

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


def rouge_l(references: Sequence[str], texts: Sequence[str]) -> list[float]:
    """ROUGE-L F1 of each text, 0 to 1."""
    scorer = RougeScorer(["rougeL"], tokenizer=WordTokenizer())
    return [float(scorer.score(r, t)["rougeL"].fmeasure) for r, t in zip(references, texts, strict=True)]


def corpus_scores(references: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """BLEU and chrF of all texts together, with sacrebleu's defaults, 0 to 100."""
    return {
        "bleu": float(sacrebleu.corpus_bleu(list(texts), [list(references)]).score),
        "chrf": float(sacrebleu.corpus_chrf(list(texts), [list(references)]).score),
    }
