"""General capabilities: the exam on the facts or MMLU, general text by kind, the base's own text, template leak."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lm_eval
import yaml
from lm_eval.api.model import TemplateLM

from anamnesis.errors import InputError
from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.cases import Case, Question, answers, code_lengths, divergences, estimates, name
from anamnesis.evaluation.harness import TASKS, Measured, log_rows, run_task, settings_used
from anamnesis.evaluation.leak import is_a_report
from anamnesis.files import read_jsonl
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.rendering import Headings

HARNESS_MMLU = Path(lm_eval.__file__).parent / "tasks" / "mmlu" / "default"

# The medical subjects of MMLU in MultiMedQA (Singhal et al. 2023, Nature 620:172-180). Medical fine-tuning may raise
# these while the others fall, so the two groups are reported separately.
MEDICAL_SUBJECTS = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "medical_genetics",
    "professional_medicine",
)


# The kinds of general text, each a task of its own.
KINDS = ("facts", "clinical", "cytology")

# Longest answer to a general prompt, tokens: a report shows its form in its first words.
ANSWER_TOKENS = 32


@dataclass(frozen=True)
class Sources:
    """The prepared files that general capabilities are measured on."""

    exam: Path
    general_text: Path
    base_text: Path


def evaluate_general(
    arm: Arm, evaluation: Evaluation, headings: Headings, categories: Sequence[str], sources: Sources
) -> Evaluated | None:
    """Measure the general capabilities of the arm.

    Metrics: exam_acc of the exam on the facts, or mmlu_acc, mmlu_medical_acc and mmlu_other_acc of the real MMLU (all
    questions have equal weight), and the accuracy per subject, 0 to 1; <kind>_text_bits_per_byte of each kind of
    general text; base_text_kl_nats, KL(base || arm) per token of text that the base wrote; but not of a part,
    template_leak, the share of general prompts answered in the form of a report.

    Returns:
        None if another process returns the result.
    """
    group, questions = _ask_exam(arm.lm, evaluation, sources.exam)
    texts = _read_texts(arm.lm, sources.general_text, evaluation.general_text_limit)
    answered = None if arm.part else _answer_prompts(arm.lm, evaluation)
    base_text = [row["tokens"] for row in read_jsonl(sources.base_text)]
    nats = None if arm.divergence is None else arm.divergence(base_text)
    if questions is None:
        return None
    measure = "exam_acc" if group == "facts" else "mmlu_acc"
    cases = [case for task, log in questions.questions.items() for case in answers(measure, task, log)]
    for text in texts:
        ((task, log),) = text.questions.items()
        cases += code_lengths(f"{task}_bits_per_byte", task, log)
    if answered is not None:
        cases += _leaks(answered.questions["general_prompts"], headings, categories)
    if nats is not None:
        cases += divergences("base_text_kl_nats", "base_text", nats, base_text)
    measured = [questions, *texts, *([] if answered is None else [answered])]
    metrics = {
        **estimates(cases),
        **_by_subject(group, questions),
        "num_fewshot": 0 if group == "facts" else evaluation.num_fewshot,
        "harness": settings_used(arm.lm, measured),
    }
    return Evaluated(metrics, [row for one in measured for row in log_rows(arm.name, one)], cases)


def _ask_exam(lm: TemplateLM, evaluation: Evaluation, exam: Path) -> tuple[str, Measured | None]:
    """The group of tasks that was run (facts or mmlu), and its measurements."""
    with task_folders(evaluation.exam) as (group, folders):
        return group, run_task(
            lm,
            group,
            folders,
            {"exam": str(exam)},
            limit=evaluation.exam_limit,
            num_fewshot=None if group == "facts" else evaluation.num_fewshot,
        )


def _read_texts(lm: TemplateLM, general_text: Path, limit: int | None) -> list[Measured]:
    """The likelihood of the texts of each kind that the file has."""
    kinds = {row["kind"] for row in read_jsonl(general_text)}
    metadata = {"general_text": str(general_text)}
    texts = (run_task(lm, f"{kind}_text", [TASKS / "general"], metadata, limit) for kind in KINDS if kind in kinds)
    return [text for text in texts if text is not None]


def _answer_prompts(lm: TemplateLM, evaluation: Evaluation) -> Measured | None:
    """Answers to the general prompts."""
    length = min(ANSWER_TOKENS, evaluation.max_new_tokens)
    return run_task(lm, "general_prompts", [TASKS / "general"], {}, limit=None, max_new_tokens=length)


def _by_subject(group: str, questions: Measured) -> dict[str, Any]:
    """The number of questions, and accuracies by subject and, for MMLU, of medical subjects and of others."""
    correct = {
        task.removeprefix(f"{group}_"): [question["acc"] for question in log]
        for task, log in questions.questions.items()
    }
    metrics: dict[str, Any] = {}
    if group == "mmlu":
        medical = [answer for subject in MEDICAL_SUBJECTS for answer in correct[subject]]
        other = [a for subject, of_subject in correct.items() if subject not in MEDICAL_SUBJECTS for a in of_subject]
        metrics = {"mmlu_medical_acc": _mean(medical), "mmlu_other_acc": _mean(other)}
    return metrics | {
        "questions": sum(map(len, correct.values())),
        "subjects": {s: {"acc": _mean(a), "questions": len(a)} for s, a in sorted(correct.items())},
    }


def _leaks(questions: Sequence[Question], headings: Headings, categories: Sequence[str]) -> list[Case]:
    return [
        Case(
            "template_leak",
            name("general_prompts", question),
            float(is_a_report(question["filtered_resps"][0], headings, categories)),
        )
        for question in questions
    ]


@contextmanager
def task_folders(source: str) -> Iterator[tuple[str, list[Path]]]:
    """The name of the group to run, and the folders with its tasks.

    A folder of CSV files is used with the harness's own definition of `mmlu`: each of its 57 tasks is included, and
    only the documents are replaced.
    """
    if source == "facts":
        yield "facts", [TASKS / "facts"]
    elif source == "hub":
        yield "mmlu", [HARNESS_MMLU]
    elif not Path(source).is_dir():
        raise InputError(f"`evaluation.exam` is {source!r}: set it to facts, hub, or an existing folder.")
    else:
        with TemporaryDirectory() as scratch:
            for definition in sorted(HARNESS_MMLU.glob("mmlu_*.yaml")):
                subject = definition.stem.removeprefix("mmlu_")
                task = {
                    "include": str(definition),
                    "task": definition.stem,
                    "metadata": {"version": 1.0, "folder": str(Path(source).resolve()), "subject": subject},
                }
                text = yaml.safe_dump(task) + "custom_dataset: !function anamnesis.evaluation.documents.mmlu\n"
                (Path(scratch) / definition.name).write_text(text, encoding="utf-8")
            yield "mmlu", [HARNESS_MMLU, Path(scratch)]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
