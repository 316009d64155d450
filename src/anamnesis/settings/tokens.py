"""Which tokens of a report are trained on, and how much each counts."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT


@dataclass(frozen=True, config=STRICT)
class Tokens:
    """How much each supervised token counts in the cross-entropy, judged by the base. Exactly one of the keys is set.

    max_perplexity: tokens whose perplexity under the base is above this are not trained on (STM, arXiv:2501.14315).
    keep_share: the same, with the threshold that keeps this share of the corpus's supervised tokens. weights: flow, a
    report counts less the harder the base finds it (FLOW, arXiv:2502.02797).
    """

    # A perplexity is at least 1, so that a threshold below 1 would leave nothing.
    max_perplexity: Annotated[float, Field(ge=1)] | None = None
    keep_share: Annotated[float, Field(gt=0, le=1)] | None = None
    weights: Literal["flow"] | None = None

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.max_perplexity, self.keep_share, self.weights)) != 1:
            raise ValueError("set exactly one of max_perplexity, keep_share and weights, and make the others null")
