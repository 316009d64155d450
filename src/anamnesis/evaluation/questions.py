"""Ask a model the tasks of `evaluation.tasks`."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM

from anamnesis.errors import InputError
from anamnesis.evaluation.cases import Case, Question, answers, bits_and_bytes, estimates
from anamnesis.evaluation.definitions import Asked, Metric, load, subject_of
from anamnesis.evaluation.harness import Measured, run_loaded
from anamnesis.settings.evaluation import EXAMS, Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """What a task gave: the harness's log, the scores by case, and a summary for the metrics."""

    measured: Measured
    cases: list[Case]
    summary: dict[str, Any]

    @property
    def by_subject(self) -> dict[str, dict[str, Any]]:
        subjects: dict[str, dict[str, Any]] = self.summary["subjects"]
        return subjects


def ask(lm: TemplateLM, name: str, task: Task, exam: Path) -> Answered | None:
    """Ask the task `name`; None if another process returns the answers.

    Args:
        lm: the model.
        name: of the task.
        task: its settings.
        exam: the file with the questions of the exams on the facts.

    Raises:
        InputError: the task cannot be asked, or none of its metrics is a share.
    """
    asked = load(name, task, exam)
    _check_room(lm, asked)
    measured = run_loaded(lm, asked.loaded, task.limit, task.shots)
    if measured is None:
        return None
    cases: dict[str, list[Case]] = {leaf: [] for leaf in measured.questions}
    measures: dict[str, dict[str, str]] = {}
    for metric in asked.metrics:
        for leaf, questions in measured.questions.items():
            filters = list(dict.fromkeys(question["filter"] for question in questions))
            for chosen in filters:
                key = asked.measure(metric, filters, chosen)
                read = [question for question in questions if question["filter"] == chosen]
                cases[leaf] += _cases(key, metric, leaf, read)
                measures[key] = {"title": _title(name, key), "kind": metric.kind, "better": metric.better}
    left_out = _no_shares(name, cases, measures)
    cases = {leaf: [case for case in of_leaf if case.measure not in left_out] for leaf, of_leaf in cases.items()}
    measures = {key: measure for key, measure in measures.items() if key not in left_out}
    leaves = list(asked.loaded["tasks"].values())
    summary = {
        "questions": sum(len({case.case for case in of_leaf}) for of_leaf in cases.values()),
        "shots": leaves[0].config.num_fewshot,
        # The measures of the exams are known without this.
        "measures": {} if name in EXAMS else measures,
        "subjects": {subject_of(name, leaf): _subject(name, of_leaf) for leaf, of_leaf in sorted(cases.items())},
    }
    return Answered(measured, [case for of_leaf in cases.values() for case in of_leaf], summary)


def _cases(measure: str, metric: Metric, leaf: str, questions: Sequence[Question]) -> list[Case]:
    if metric.kind == "bits_per_byte":
        return bits_and_bytes(measure, leaf, questions)
    return answers(measure, leaf, questions, metric.name)


def _no_shares(name: str, cases: Mapping[str, Sequence[Case]], measures: Mapping[str, Mapping[str, str]]) -> set[str]:
    """The measures with a value outside 0 to 1, which are left out; a task must have another measure."""
    wrong = {
        case.measure: f"`{case.measure}` of question {case.case} is {case.value:g}, and only shares from 0 to 1 are "
        f"compared"
        for of_leaf in cases.values()
        for case in of_leaf
        if measures[case.measure]["kind"] == "accuracy" and not 0 <= case.value <= 1
    }
    if wrong.keys() == measures.keys():
        raise InputError(f"{next(iter(wrong.values()))}: remove `{name}` from `evaluation.tasks`.")
    for said in wrong.values():
        log.warning("%s: this measure is left out.", said)
    return set(wrong)


def _subject(name: str, cases: Sequence[Case]) -> dict[str, Any]:
    """The estimates of one task, under the names of its metrics, and its number of questions."""
    found = estimates(cases)
    by_metric = {"acc": found[EXAMS[name]]} if name in EXAMS else found
    return {**by_metric, "questions": len({case.case for case in cases})}


def _title(name: str, measure: str) -> str:
    return f"{name} {measure.removeprefix(f'{name}_')}"


def _check_room(lm: TemplateLM, asked: Asked) -> None:
    """The harness stops without a readable message if a prompt has no room beside the longest answer."""
    for leaf in asked.generating:
        longest = (leaf.config.generation_kwargs or {}).get("max_gen_toks", 0)
        if longest >= lm.max_length:
            raise InputError(
                f"`evaluation.tasks.{asked.name}`: answers have up to {longest} tokens and the model takes "
                f"{lm.max_length}: remove the task, or choose a model with a longer context."
            )
