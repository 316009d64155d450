"""The nodule a report is about: where it lies, how large it is, how it was punctured.

None of this tells the categories apart; it is what every real report starts with.
"""

import random
from dataclasses import dataclass, replace

from .wording import plural, say

# genitive ("узел правой доли") and prepositional ("узел в правой доле")
_SITES: tuple[tuple[str, str], ...] = (
    ("правой доли", "правой доле"),
    ("левой доли", "левой доле"),
    ("перешейка", "перешейке"),
    ("верхней трети правой доли", "верхней трети правой доли"),
    ("средней трети правой доли", "средней трети правой доли"),
    ("нижней трети правой доли", "нижней трети правой доли"),
    ("верхней трети левой доли", "верхней трети левой доли"),
    ("средней трети левой доли", "средней трети левой доли"),
    ("нижней трети левой доли", "нижней трети левой доли"),
    ("верхнего полюса правой доли", "верхнем полюсе правой доли"),
    ("нижнего полюса левой доли", "нижнем полюсе левой доли"),
)

OPENINGS: tuple[str, ...] = (
    "[пунктат|аспират|материал] из [узла|узлового образования] {доли} щитовидной железы размером {размер}",
    "ТАПБ [узла|узлового образования] {доли} щитовидной железы, размер {размер}",
    "[пунктирован|исследован] узел {доли} щитовидной железы, размер по УЗИ {размер}",
    "в {доле} щитовидной железы [узел|узловое образование] размером {размер}",
    "узел в {доле} щитовидной железы {размер}, [получен аспират|взят материал]",
    "узел {доли} щитовидной железы, {размер}, [гипоэхогенный|изоэхогенный|неоднородный]",
    "[щитовидная железа|пункция щитовидной железы], узел в {доле}, {размер}",
)

PROCEDURES: tuple[str, ...] = (
    "[пункция|ТАПБ|биопсия] [выполнена|проведена] под контролем УЗИ, [доставлено|получено] {стёкол}",
    "[пункция|ТАПБ] под ультразвуковым контролем, игла {игла}G",
    "под контролем УЗИ [сделано|выполнено] {вколов}, [доставлено|прислано] {стёкол}",
    "[доставлено|прислано|получено] {стёкол}, игла {игла}G",
    "[окрашено {стёкол} по Романовскому|окраска по Паппенгейму, просмотрено {стёкол}]",
)


@dataclass(frozen=True)
class Nodule:
    site: int
    length: int  # mm
    width: int


def new_nodule(rng: random.Random) -> Nodule:
    length = 5 + int(rng.triangular(0, 40, 9))
    return Nodule(rng.randrange(len(_SITES)), length, max(4, round(length * rng.uniform(0.6, 0.95))))


def remeasured(nodule: Nodule, rng: random.Random) -> Nodule:
    """The same nodule at the next visit: the place stays, the size moves by a millimetre or so."""
    return replace(nodule, length=nodule.length + rng.randint(0, 2), width=nodule.width + rng.randint(0, 1))


def opening(nodule: Nodule, template: str, in_centimetres: bool, rng: random.Random) -> str:
    sides = [nodule.length, nodule.width][: rng.randint(1, 2)]
    shown = "×".join(f"{side / 10:.1f}".replace(".", ",") if in_centimetres else str(side) for side in sides)
    genitive, prepositional = _SITES[nodule.site]
    size = f"{shown} {'см' if in_centimetres else 'мм'}"
    return say((template,), rng, {"доли": genitive, "доле": prepositional, "размер": size})


def procedure(rng: random.Random) -> str:
    slides, passes = rng.randint(2, 8), rng.randint(2, 4)
    values = {
        "стёкол": f"{slides} {plural(slides, 'стекло', 'стекла', 'стёкол')}",
        "вколов": f"{passes} {plural(passes, 'вкол', 'вкола', 'вколов')}",
        "игла": str(rng.choice((21, 22, 23, 25, 27))),
    }
    return say(PROCEDURES, rng, values)
