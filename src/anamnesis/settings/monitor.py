"""What forgetting and adaptation are watched on during training."""

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Seed


@dataclass(frozen=True, config=STRICT)
class Monitor:
    """Texts that the base wrote, and reports of the validation split; no other part of an experiment uses the texts."""

    texts: Positive
    max_tokens: Positive
    batch_size: Positive
    seed: Seed
    reports: Positive
