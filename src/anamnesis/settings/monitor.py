"""What forgetting and adaptation are watched on during training."""

from pydantic.dataclasses import dataclass

from anamnesis.settings.base_text import BaseText
from anamnesis.settings.sections import STRICT, Positive, Seed

# Of each text so many are sampled: the tiny base writes a fifth of its texts word for word as it has read them.
SAMPLED = 3


@dataclass(frozen=True, config=STRICT)
class Monitor:
    """Texts that the base wrote, and reports of the validation split; no other part of an experiment uses the texts."""

    texts: Positive
    max_tokens: Positive
    batch_size: Positive
    seed: Seed
    reports: Positive

    @property
    def sampled(self) -> BaseText:
        """The texts that those of the monitor are chosen from."""
        return BaseText(SAMPLED * self.texts, self.max_tokens, self.batch_size, self.seed)
