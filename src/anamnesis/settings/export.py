"""What an exported model must keep of the evaluated one, and what its card says of licences."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Share, Text


@dataclass(frozen=True, config=STRICT)
class Export:
    """The precision of exported weights, the bounds for an export, and the licences.

    dtype: None for the base's own if it has 16 bits, else float16. max_kl_nats: KL(evaluated || exported) per token, of
    reports and of general text each. min_agreement: share of reports that both name the same category of.
    max_exam_change: the largest difference in an exam's accuracy. The licences are names, None if not stated.
    """

    dtype: Literal["float16", "bfloat16"] | None
    max_kl_nats: Annotated[float, Field(gt=0, le=1000)]
    min_agreement: Share
    max_exam_change: Share
    base_licence: Text | None
    data_licence: Text | None
