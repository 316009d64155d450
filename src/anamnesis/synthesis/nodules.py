"""The nodule a report is about: where it lies, how large it is, how it was punctured.

None of this tells the categories apart; every real report starts with it.
"""

import dataclasses
import random
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT
from anamnesis.synthesis.wording import Synonyms, plural, say, slots
from anamnesis.tables import Text


@dataclass(frozen=True, config=STRICT)
class Site:
    genitive: Text  # "узел правой доли"
    prepositional: Text  # "узел в правой доле"


@dataclass(frozen=True, config=STRICT)
class NoduleWordings:
    sites: Annotated[tuple[Site, ...], Field(min_length=1)]
    openings: Annotated[tuple[Annotated[Text, slots("доли", "доле", "размер")], ...], Field(min_length=3)]
    procedures: Annotated[tuple[Annotated[Text, slots("стёкол", "вколов", "игла")], ...], Field(min_length=1)]


@dataclasses.dataclass(frozen=True)
class Nodule:
    site: Site
    length: int  # mm
    width: int


def new_nodule(sites: tuple[Site, ...], rng: random.Random) -> Nodule:
    length = 5 + int(rng.triangular(0, 40, 9))
    return Nodule(rng.choice(sites), length, max(4, round(length * rng.uniform(0.6, 0.95))))


def remeasured(nodule: Nodule, rng: random.Random) -> Nodule:
    """The same nodule at the next visit: the place stays, the size changes by a millimetre or so."""
    return dataclasses.replace(nodule, length=nodule.length + rng.randint(0, 2), width=nodule.width + rng.randint(0, 1))


def opening(nodule: Nodule, template: str, in_centimetres: bool, synonyms: Synonyms, rng: random.Random) -> str:
    sides = [nodule.length, nodule.width][: rng.randint(1, 2)]
    shown = "×".join(f"{side / 10:.1f}".replace(".", ",") if in_centimetres else str(side) for side in sides)
    values = {
        "доли": nodule.site.genitive,
        "доле": nodule.site.prepositional,
        "размер": f"{shown} {'см' if in_centimetres else 'мм'}",
    }
    return say((template,), rng, synonyms, values)


def procedure(wordings: tuple[str, ...], synonyms: Synonyms, rng: random.Random) -> str:
    slides, passes = rng.randint(2, 8), rng.randint(2, 4)
    values = {
        "стёкол": f"{slides} {plural(slides, 'стекло', 'стекла', 'стёкол')}",
        "вколов": f"{passes} {plural(passes, 'вкол', 'вкола', 'вколов')}",
        "игла": str(rng.choice((21, 22, 23, 25, 27))),
    }
    return say(wordings, rng, synonyms, values)
