"""What is measured."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Text


@dataclass(frozen=True, config=STRICT)
class Evaluation:
    backend: Literal["shared_prefix", "hf", "vllm"]
    exam: Text
    num_fewshot: Annotated[int, Field(ge=0, le=5)]
    exam_limit: Positive | None
    general_text_limit: Positive | None
    category_limit: Positive | None
    likelihood_limit: Positive | None
    generation_limit: Positive | None
    max_new_tokens: Positive
    batch_size: Positive
