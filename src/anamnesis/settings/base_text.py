"""The text sampled from the base, on which the arms are compared with it."""

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Seed


@dataclass(frozen=True, config=STRICT)
class BaseText:
    texts: Positive
    max_tokens: Positive
    batch_size: Positive
    seed: Seed
