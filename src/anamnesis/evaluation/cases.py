"""Scores by case: every estimate is made of them, and a paired comparison of arms starts from them.

A case is one question, text or report, with the same name for all arms. The estimate of a measure is sum(value) /
sum(weight) over its cases. No case holds text.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Question = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """What one case adds to a measure: right answers and answers, bits and bytes, nats and tokens.

    `gold` and `predicted` are names of categories, where the measure is about these.
    """

    measure: str
    case: str
    value: float
    weight: float = 1.0
    gold: str = ""
    predicted: str = ""


def estimates(cases: Iterable[Case]) -> dict[str, float]:
    """The estimate of each measure, in the order in which the measures come."""
    by_measure: dict[str, list[Case]] = {}
    for case in cases:
        by_measure.setdefault(case.measure, []).append(case)
    return {
        measure: math.fsum(case.value for case in of_measure) / math.fsum(case.weight for case in of_measure)
        for measure, of_measure in by_measure.items()
    }


def name(task: str, question: Question) -> str:
    return f"{task}:{question['doc_id']}"


def answers(measure: str, task: str, questions: Iterable[Question]) -> list[Case]:
    """Whether each question with choices is answered right, as the harness says."""
    return [Case(measure, name(task, question), float(question["acc"])) for question in questions]


def code_lengths(measure: str, task: str, questions: Iterable[Question]) -> list[Case]:
    """The code length of each target under the model: bits and UTF-8 bytes, comparable between tokenizers."""
    cases = []
    for question in questions:
        answer = question["filtered_resps"][0]
        log_likelihood = answer[0] if isinstance(answer, tuple | list) else answer
        size = len(question["target"].encode())
        cases.append(Case(measure, name(task, question), -log_likelihood / math.log(2), size))
    return cases


def divergences(measure: str, task: str, nats: Sequence[float], texts: Sequence[Sequence[int]]) -> list[Case]:
    """The divergence on each text: nats and tokens."""
    return [
        Case(measure, f"{task}:{number}", value, len(tokens))
        for number, (value, tokens) in enumerate(zip(nats, texts, strict=True))
    ]
