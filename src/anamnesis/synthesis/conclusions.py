"""How a cytologist concludes from a picture: the type of conclusions.yaml."""

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT
from anamnesis.synthesis.pictures import Category
from anamnesis.synthesis.wording import Wordings


@dataclass(frozen=True, config=STRICT)
class Conclusions:
    headlines: dict[str, Wordings]  # picture -> wordings
    advice: dict[Category, Wordings]
    remarks: dict[str, dict[str, Wordings]]  # aspect -> finding -> wordings
