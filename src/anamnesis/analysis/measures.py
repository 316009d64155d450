"""The measures: what each is called, in which direction it is better, and how it is computed from the scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np

from anamnesis.analysis.scores import AllScores, Categories, Scores
from anamnesis.analysis.statistics import Sample, macro_f1, mean_of, ratio_of, recall_of
from anamnesis.errors import InputError

Kind = Literal["accuracy", "macro_f1", "bits_per_byte", "kl_nats", "exposure_bits"]


class Statistic(Protocol):
    def __call__(self, scores: Scores, fixed: bool) -> Sample: ...


@dataclass(frozen=True)
class Measure:
    """One measure.

    general: of what the base knew before; otherwise of the domain. source: its name in the score files. better: None
    for a measure that only describes, such as how far a model has moved on the reports. graded: a case can be partly
    right. leak: of what a model gives away of its training reports (`leakage`).
    """

    key: str
    title: str
    kind: Kind
    general: bool
    source: str
    statistic: Statistic
    better: Literal["higher", "lower"] | None
    graded: bool = False
    leak: bool = False

    @property
    def right_or_wrong(self) -> bool:
        """Whether each case is a question that is answered right or wrong."""
        return self.statistic is mean and not self.graded

    @property
    def improvement(self) -> str:
        """What an arm that adapts shows: "gain in macro-F1", "fall in conclusion bits per byte"."""
        return f"gain in {self.title}" if self.better == "higher" else f"fall in {self.title.replace(', ', ' ')}"


def mean(scores: Scores, fixed: bool) -> Sample:
    """The statistic of a measure whose cases count alike."""
    return mean_of(scores.values, fixed=fixed)


def _ratio(scores: Scores, fixed: bool) -> Sample:
    return ratio_of(scores.values, scores.weights, fixed=fixed)


def _macro_f1(scores: Scores, fixed: bool) -> Sample:
    categories = _categories(scores)
    return macro_f1(categories.gold.tolist(), categories.predicted.tolist(), fixed=fixed)


def _recall(scores: Scores, fixed: bool, positives: Sequence[str]) -> Sample:
    categories = _categories(scores)
    return recall_of(categories.gold.tolist(), categories.predicted.tolist(), positives, fixed=fixed)


def _categories(scores: Scores) -> Categories:
    if scores.categories is None:
        raise InputError("data/scores/domain has no categories: run the evaluations again (dvc repro).")
    return scores.categories


def all_measures(label: str, critical: Sequence[str], further: Iterable[Measure] = ()) -> list[Measure]:
    """Every measure of an experiment whose category is called `label`, in the order of the tables.

    Args:
        label: as in the keys of the metrics.
        critical: the categories that must not be missed; without any, their recall is no measure.
        further: the measures that only this experiment has: of tasks (`task_measures`) and of leakage.
    """
    texts = {"facts": "facts", "clinical": "clinical prose", "cytology": "other cytology"}
    recall = partial(_recall, positives=critical)
    return [
        _accuracy("exam_acc", "exam accuracy", general=True),
        _accuracy("exam_en_acc", "English exam accuracy", general=True),
        _accuracy("exam_ru_acc", "Russian exam accuracy", general=True),
        _accuracy("mmlu_acc", "MMLU accuracy", general=True),
        _accuracy("mmlu_continuation_acc", "MMLU accuracy, by continuation", general=True),
        *(
            _per_unit(f"{text}_text_bits_per_byte", f"{title}, bits per byte", "bits_per_byte", True)
            for text, title in texts.items()
        ),
        _per_unit("base_text_kl_nats", "KL from the base on its own text, nats", "kl_nats", True),
        Measure("template_leak", "answers in report form", "accuracy", True, "template_leak", mean, "lower"),
        Measure(f"{label}_macro_f1", "macro-F1", "macro_f1", False, label, _macro_f1, "higher"),
        Measure(f"{label}_acc", "accuracy", "accuracy", False, label, mean, "higher"),
        *(
            [Measure(f"{label}_recall_critical", "recall of critical", "accuracy", False, label, recall, "higher")]
            * bool(critical)
        ),
        _per_unit("conclusion_bits_per_byte", "conclusion, bits per byte", "bits_per_byte", False),
        _per_unit("report_bits_per_byte", "whole report, bits per byte", "bits_per_byte", False),
        replace(_per_unit("domain_kl_nats", "KL from the base on reports, nats", "kl_nats", False), better=None),
        _accuracy("category_agreement", "generated category", general=False),
        *(
            replace(_accuracy(key, title, general=False), graded=True)
            for key, title in (
                ("rouge_l", "ROUGE-L"),
                ("meteor", "METEOR"),
                ("bertscore_f1", "BERTScore F1"),
                ("bleurt", "BLEURT"),
            )
        ),
        *further,
    ]


def task_measures(tasks: Mapping[str, Mapping[str, Any]], scores: AllScores) -> list[Measure]:
    """The measures of tasks that have no fixed ones, in the order in which they were asked.

    Args:
        tasks: what metrics/general/base.json says of the tasks; their `measures` have title, kind and better by key.
        scores: of the base and all arms; a measure that some case passes in part is graded.
    """
    measures = []
    for task in tasks.values():
        for key, one in task["measures"].items():
            values = [of_arm[key].values for of_arm in scores.values() if key in of_arm]
            graded = not all(np.isin(of_arm, (0, 1)).all() for of_arm in values)
            statistic = _ratio if one["kind"] == "bits_per_byte" else mean
            measures.append(Measure(key, one["title"], one["kind"], True, key, statistic, one["better"], graded))
    return measures


def _accuracy(key: str, title: str, general: bool) -> Measure:
    return Measure(key, title, "accuracy", general, key, mean, "higher")


def _per_unit(key: str, title: str, kind: Kind, general: bool) -> Measure:
    return Measure(key, title, kind, general, key, _ratio, "lower")
