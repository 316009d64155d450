"""Scores by case, from which estimates are computed and arms are compared in pairs.

A case is one question, text or report; it has the same name for all arms. The estimate of a measure is sum(value) /
sum(weight) over its cases. A case holds no text of a report.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Question = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """The contribution of one case to a measure.

    `value` and `weight` are 0 or 1 and 1 for accuracies, bits and bytes, or nats and tokens. `gold` and `predicted` are
    names of categories; they are empty for measures of anything else.
    """

    measure: str
    case: str
    value: float
    weight: float = 1.0
    gold: str = ""
    predicted: str = ""


def estimates(cases: Iterable[Case]) -> dict[str, float]:
    """The estimate of each measure, in the order of their first cases."""
    by_measure: dict[str, list[Case]] = {}
    for case in cases:
        by_measure.setdefault(case.measure, []).append(case)
    return {
        measure: math.fsum(case.value for case in of_measure) / math.fsum(case.weight for case in of_measure)
        for measure, of_measure in by_measure.items()
    }


def name(task: str, question: Question) -> str:
    return f"{task}:{question['doc_id']}"


def answers(measure: str, task: str, questions: Iterable[Question], metric: str = "acc") -> list[Case]:
    """The score of each question: whether it is answered correctly, or another metric of the task."""
    return [Case(measure, name(task, question), float(question[metric])) for question in questions]


def bits_and_bytes(measure: str, task: str, questions: Iterable[Question]) -> list[Case]:
    """The bits and bytes of each text of a task that measures bits per byte itself."""
    return [
        Case(measure, name(task, question), -question["bits_per_byte"][0] / math.log(2), question["bits_per_byte"][1])
        for question in questions
    ]


def code_lengths(measure: str, task: str, questions: Iterable[Question]) -> list[Case]:
    """The code length of each target under the model, in bits, and its UTF-8 bytes: comparable between tokenizers."""
    cases = []
    for question in questions:
        answer = question["filtered_resps"][0]
        log_likelihood = answer[0] if isinstance(answer, tuple | list) else answer
        size = len(question["target"].encode())
        cases.append(Case(measure, name(task, question), -log_likelihood / math.log(2), size))
    return cases


def divergences(measure: str, task: str, nats: Sequence[float], texts: Sequence[Sequence[int]]) -> list[Case]:
    """The divergence on each text, in nats, and its tokens."""
    return [
        Case(measure, f"{task}:{number}", value, len(tokens))
        for number, (value, tokens) in enumerate(zip(nats, texts, strict=True))
    ]
