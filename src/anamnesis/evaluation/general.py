"""General capabilities: the tasks of the profile, general text by kind, the base's own text, and template leak."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lm_eval.api.model import TemplateLM

from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.cases import Case, Question, code_lengths, divergences, estimates, name
from anamnesis.evaluation.definitions import TASKS
from anamnesis.evaluation.harness import Measured, log_rows, run_task, settings_used
from anamnesis.evaluation.leak import is_a_report
from anamnesis.evaluation.questions import Answered, ask
from anamnesis.files import read_jsonl
from anamnesis.settings.evaluation import MMLU, Evaluation
from anamnesis.settings.rendering import Headings

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

    Metrics: the measures of `evaluation.tasks` (all questions of a task have equal weight), such as exam_acc and
    mmlu_acc, 0 to 1, and under `tasks` their parts; <kind>_text_bits_per_byte of each kind of general text;
    base_text_kl_nats, KL(base || arm) per token of text that the base wrote; but not of a part, template_leak, the
    share of general prompts answered in the form of a report.

    Returns:
        None if another process returns the result.
    """
    tasks = _ask_tasks(arm.lm, evaluation, sources.exam)
    texts = _read_texts(arm.lm, sources.general_text, evaluation.general_text_limit)
    answered = None if arm.part else _answer_prompts(arm.lm, evaluation)
    base_text = [row["tokens"] for row in read_jsonl(sources.base_text)]
    nats = None if arm.divergence is None else arm.divergence(base_text)
    if arm.lm.rank != 0:
        return None
    cases = [case for task in tasks.values() for case in task.cases]
    for text in texts:
        ((task, log),) = text.questions.items()
        cases += code_lengths(f"{task}_bits_per_byte", task, log)
    if answered is not None:
        cases += _leaks(answered.questions["general_prompts"], headings, categories)
    if nats is not None:
        cases += divergences("base_text_kl_nats", "base_text", nats, base_text)
    measured = [*(task.measured for task in tasks.values()), *texts, *([] if answered is None else [answered])]
    metrics = {
        **estimates(cases),
        **_medical(tasks),
        "tasks": {name: task.summary for name, task in tasks.items()},
        "harness": settings_used(arm.lm, measured),
    }
    return Evaluated(metrics, [row for one in measured for row in log_rows(arm.name, one)], cases)


def _ask_tasks(lm: TemplateLM, evaluation: Evaluation, exam: Path) -> dict[str, Answered]:
    """The answers by task; empty if another process returns them."""
    answered = {name: ask(lm, name, task, exam) for name, task in evaluation.tasks.items()}
    return {name: one for name, one in answered.items() if one is not None}


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


def _medical(tasks: Mapping[str, Answered]) -> dict[str, float]:
    """The accuracy on the medical subjects of MMLU and on the others."""
    found = {}
    for exam in MMLU:
        if exam in tasks:
            subjects = tasks[exam].by_subject
            groups = {
                "medical": [one for subject, one in subjects.items() if subject in MEDICAL_SUBJECTS],
                "other": [one for subject, one in subjects.items() if subject not in MEDICAL_SUBJECTS],
            }
            for group, parts in groups.items():
                right = sum(one["acc"] * one["questions"] for one in parts)
                found[f"{exam}_{group}_acc"] = right / sum(one["questions"] for one in parts)
    return found


def _leaks(questions: Sequence[Question], headings: Headings, categories: Sequence[str]) -> list[Case]:
    return [
        Case(
            "template_leak",
            name("general_prompts", question),
            float(is_a_report(question["filtered_resps"][0], headings, categories)),
        )
        for question in questions
    ]
