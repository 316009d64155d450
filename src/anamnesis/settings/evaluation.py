"""What is measured."""

from collections.abc import Container, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, NonNegative, Positive, Text

# The exams on the facts, and MMLU by letters and by the text of its answers, each with its measure. The measures of any
# other task are called <task>_<metric>.
EXAMS: Mapping[str, str] = {
    "facts": "exam_acc",
    "facts_en": "exam_en_acc",
    "facts_ru": "exam_ru_acc",
    "mmlu": "mmlu_acc",
    "mmlu_continuation": "mmlu_continuation_acc",
}
FACTS = ("facts", "facts_en", "facts_ru")
MMLU = ("mmlu", "mmlu_continuation")

# Worked examples that MMLU has of each subject.
MMLU_SHOTS = 5

# Forgetting is read from the first of these that is measured, unless `verdict.capability` names another measure.
CAPABILITIES = ("mmlu_acc", "exam_acc", "exam_en_acc")


def capability_of(wanted: str | None, measured: Container[str]) -> str:
    """The measure that forgetting is read from: the wanted one, else the first of CAPABILITIES that is measured."""
    return wanted or next((key for key in CAPABILITIES if key in measured), "exam_acc")


# What is measured of every model besides its tasks: of general capabilities, and of reports.
GENERAL_MEASURES = (
    "facts_text_bits_per_byte",
    "clinical_text_bits_per_byte",
    "cytology_text_bits_per_byte",
    "base_text_kl_nats",
    "template_leak",
)
REPORT_MEASURES = (
    "conclusion_bits_per_byte",
    "report_bits_per_byte",
    "domain_kl_nats",
    "category_agreement",
    "rouge_l",
    "bleu",
    "chrf",
    "meteor",
    "bertscore_f1",
    "bleurt",
    "membership_auc",
    "membership_reference_auc",
)
# Those of leakage that come in several kinds begin so.
LEAKAGE_MEASURES = ("exposure_bits_", "canary_extracted_", "report_extracted_", "membership_nats")

TextMetric = Literal["meteor", "bertscore", "bleurt"]


class Scored(NamedTuple):
    """The measure of a text metric, and the package that computes it."""

    measure: str
    package: str


TEXT_METRICS: Mapping[TextMetric, Scored] = {
    "meteor": Scored("meteor", "nltk"),
    "bertscore": Scored("bertscore_f1", "bert_score"),
    "bleurt": Scored("bleurt", "bleurt"),
}


@dataclass(frozen=True, config=STRICT)
class Task:
    """A task or group of lm-evaluation-harness.

    shots: worked examples before each question; None: as many as the task says. limit: questions of each task of a
    group (a subject of an exam); None: all. folder: where its files are; None: the hub.
    """

    shots: NonNegative | None
    limit: Positive | None
    folder: Text | None


@dataclass(frozen=True, config=STRICT)
class Evaluation:
    backend: Literal["shared_prefix", "hf", "vllm"]
    tasks: dict[Annotated[str, Field(pattern=r"^[^\s/\\]+$")], Task]
    general_text_limit: Positive | None
    category_limit: Positive | None
    likelihood_limit: Positive | None
    generation_limit: Positive | None
    max_new_tokens: Positive
    text_metrics: list[TextMetric]
    batch_size: Positive

    def __post_init__(self) -> None:
        for name, task in self.tasks.items():
            if name in FACTS and task.shots:
                raise ValueError(f"tasks.{name}.shots must be 0: the exams on the facts have no worked examples")
            if name in FACTS and task.folder is not None:
                raise ValueError(f"tasks.{name}.folder must be null: the exams on the facts are made from data/facts")
            if name in MMLU and (task.shots or 0) > MMLU_SHOTS:
                raise ValueError(f"tasks.{name}.shots must be at most {MMLU_SHOTS}, as many as MMLU has of a subject")

    @property
    def measures(self) -> list[str]:
        """The general measures that are known before the tasks are loaded."""
        return [*(EXAMS[name] for name in self.tasks if name in EXAMS), *GENERAL_MEASURES]

    @property
    def other_tasks(self) -> list[str]:
        """The tasks whose measures are known only when they are loaded."""
        return [name for name in self.tasks if name not in EXAMS]
