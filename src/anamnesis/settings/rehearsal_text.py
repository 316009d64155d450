"""The texts that the base writes for methods to read."""

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Seed


@dataclass(frozen=True, config=STRICT)
class RehearsalText:
    texts: Positive
    max_tokens: Positive
    batch_size: Positive
    seed: Seed
