"""A model under measurement, and its results."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from lm_eval.api.model import TemplateLM

from anamnesis.evaluation.cases import Case
from anamnesis.evaluation.divergence import Divergence


@dataclass(frozen=True)
class Arm:
    """A model under measurement.

    Attributes:
        name: of the arm.
        lm: how it answers.
        divergence: how far it is from the base; None if the backend gives no logits, and there are no such metrics.
        part: whether it is a share of an update. Shares are points on a curve of capability against adaptation, so
            they are measured only on what such a curve can show: of the reports, category and conclusion; of general
            capabilities, all but `template_leak`.
    """

    name: str
    lm: TemplateLM
    divergence: Divergence | None = None
    part: bool = False


class Evaluated(NamedTuple):
    """The metrics of one arm, the log of all questions, and the scores by case."""

    metrics: dict[str, Any]
    log: list[dict[str, Any]]
    cases: list[Case]
