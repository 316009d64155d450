"""Invented complaints with the code of a diagnosis: what the domain `symptoms` needs, which is not shipped."""

import random
from pathlib import Path

from anamnesis.files import write_jsonl

FILE = Path("data/domains/RuMedTop3/all.jsonl")
COUNT = 120
WORDS = [
    "боль",
    "в",
    "груди",
    "спине",
    "колене",
    "слабость",
    "кашель",
    "сухой",
    "утром",
    "ночью",
    "после",
    "нагрузки",
    "одышка",
    "отеки",
    "ног",
    "головная",
    "жажда",
    "температура",
    "озноб",
    "насморк",
    "хруст",
    "сустава",
    "онемение",
    "пальцев",
    "тошнота",
    "изжога",
    "сердцебиение",
    "бессонница",
]
CODES = ("E11", "M17", "J06")


def complaint(number: int) -> str:
    """Nine words, the same for the same number."""
    return " ".join(random.Random(number).sample(WORDS, 9))


def write_complaints(folder: Path) -> list[dict[str, str]]:
    """Write them into the checkout in `folder`, and return the rows."""
    rows = [
        {"idx": str(number), "symptoms": complaint(number), "code": CODES[number % len(CODES)]}
        for number in range(COUNT)
    ]
    (folder / FILE).parent.mkdir()
    write_jsonl(folder / FILE, rows)
    return rows
