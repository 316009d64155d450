"""A model under measurement, and the result of measuring it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from lm_eval.api.model import TemplateLM

from anamnesis.evaluation.cases import Case
from anamnesis.evaluation.divergence import Divergence


@dataclass(frozen=True)
class Arm:
    """A model under measurement: its name, how it answers, and how far it is from the base.

    `divergence` is None if the backend gives no logits; the metrics that need it are then left out.
    """

    name: str
    lm: TemplateLM
    divergence: Divergence | None = None


class Evaluated(NamedTuple):
    """The metrics of one arm, the log of all questions, and the scores by case."""

    metrics: dict[str, Any]
    log: list[dict[str, Any]]
    cases: list[Case]
