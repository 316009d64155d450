"""General knowledge: MMLU or the exam on the facts, and bits per byte of held-out general text."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lm_eval
import yaml
from lm_eval.api.model import TemplateLM

from anamnesis.errors import InputError
from anamnesis.evaluation.harness import TASKS, log_rows, run_task, settings_used
from anamnesis.settings.evaluation import Evaluation

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


def evaluate_mmlu(
    lm: TemplateLM, name: str, evaluation: Evaluation, exam: Path, general_text: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Measure the general knowledge of the active model.

    Metrics: mmlu_acc (all questions have equal weight) and the accuracy per subject, 0 to 1; for the real MMLU also
    mmlu_medical_acc and mmlu_other_acc; general_bits_per_byte.

    Returns:
        The metrics and the per-question log; None if another process returns them.
    """
    with task_folders(evaluation.mmlu) as (group, folders):
        questions = run_task(
            lm,
            group,
            folders,
            {"exam": str(exam)},
            limit=evaluation.mmlu_limit,
            num_fewshot=None if group == "facts" else evaluation.num_fewshot,
        )
    text = run_task(
        lm, "general_text", [TASKS / "general"], {"general_text": str(general_text)}, evaluation.general_text_limit
    )
    if questions is None or text is None:
        return None
    correct = {
        task.removeprefix(f"{group}_"): [answered["acc"] for answered in log]
        for task, log in questions.questions.items()
    }
    metrics: dict[str, Any] = {
        "mmlu_acc": questions.results[group]["acc,none"],
        "general_bits_per_byte": text.results["general_text"]["bits_per_byte,none"],
    }
    if group == "mmlu":
        medical = [answer for subject in MEDICAL_SUBJECTS for answer in correct[subject]]
        other = [a for subject, answers in correct.items() if subject not in MEDICAL_SUBJECTS for a in answers]
        metrics |= {"mmlu_medical_acc": _mean(medical), "mmlu_other_acc": _mean(other)}
    metrics |= {
        "questions": sum(map(len, correct.values())),
        "num_fewshot": 0 if group == "facts" else evaluation.num_fewshot,
        "subjects": {s: {"acc": _mean(a), "questions": len(a)} for s, a in sorted(correct.items())},
        "harness": settings_used(lm, [questions, text]),
    }
    return metrics, [*log_rows(name, questions), *log_rows(name, text)]


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
        raise InputError(f"`evaluation.mmlu` is {source!r}: set it to facts, hub, or an existing folder.")
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
