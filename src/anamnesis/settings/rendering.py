"""How a report is written out as text."""

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Text


@dataclass(frozen=True, config=STRICT)
class Headings:
    """The words around the fields when a report is written out as text."""

    description: Text
    category: Text
