"""Ask a model the tasks of `evaluation.tasks`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM

from anamnesis.errors import InputError
from anamnesis.evaluation.cases import Case, Question, answers, bits_and_bytes, estimates
from anamnesis.evaluation.definitions import Asked, Metric, load, subject_of
from anamnesis.evaluation.harness import Measured, run_loaded
from anamnesis.settings.evaluation import EXAMS, Task


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
        InputError: the task cannot be asked, or a metric of it is not a share.
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
    cases = answers(measure, leaf, questions, metric.name)
    if wrong := next((case for case in cases if not 0 <= case.value <= 1), None):
        raise InputError(
            f"`{measure}` of question {wrong.case} is {wrong.value:g}, and only shares from 0 to 1 are compared: "
            f"remove the task from `evaluation.tasks`, or define it in a `folder` without this metric."
        )
    return cases


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
