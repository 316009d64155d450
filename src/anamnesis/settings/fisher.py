"""The Fisher information of the base."""

from typing import Literal

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Positive, Seed


@dataclass(frozen=True, config=STRICT)
class FisherText:
    """On which text it is estimated, and whether with the text's own tokens as labels or with the base's."""

    text: Literal["general", "generated"]
    documents: Positive
    labels: Literal["data", "sampled"]
    seed: Seed
