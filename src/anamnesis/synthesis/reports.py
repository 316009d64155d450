"""Assembling a corpus: how many reports of each category, whose they are, who wrote them, and in what words.

No public corpus of Russian thyroid cytology reports exists, so the default corpus is made here, out of the
tables of `findings`, `pictures` and `conclusions`. It has the statistical shape of the task (rare
dangerous categories, several reports to a patient, borderline cases), not its clinical truth.
"""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anamnesis.errors import InputError

from .conclusions import ADVICE, HEADLINES, REMARKS
from .findings import FINDINGS, GROUP_COUNTS
from .nodules import OPENINGS, Nodule, new_nodule, opening, procedure, remeasured
from .noise import IDLE_REMARKS, abbreviate, mistype
from .pictures import PICTURES, Picture
from .wording import plural, say

if TYPE_CHECKING:
    from anamnesis.settings.synthesis import Synthesis

CYTOLOGISTS = 14
DESCRIPTION_WORDS = (20, 65)
CONCLUSION_WORDS = (4, 25)
REPORTS_PER_PATIENT = {1: 0.55, 2: 0.27, 3: 0.12, 4: 0.06}
REPEATED_CATEGORIES = ("I", "III")  # after these the same nodule is punctured again
REPEAT_SHARE = 0.6

# Orders in which the aspects of a description are written.
ORDERS: tuple[str, ...] = (
    "клеточность сохранность коллоид кровь фон строение ядра борозды включения цитоплазма особое",
    "клеточность строение цитоплазма ядра борозды включения фон коллоид кровь особое сохранность",
    "кровь фон коллоид клеточность сохранность строение ядра борозды включения цитоплазма особое",
    "сохранность клеточность коллоид кровь строение цитоплазма ядра включения борозды особое фон",
    "коллоид клеточность строение ядра включения борозды особое цитоплазма фон кровь сохранность",
)

Found = dict[str, str]  # aspect -> finding


@dataclass(frozen=True)
class Cytologist:
    """The stable habits of a writer, shared by all reports of a patient."""

    order: tuple[str, ...]
    openings: tuple[str, ...]
    opening_last: bool
    in_centimetres: bool
    joining: float  # share of clauses joined to the one before
    abbreviating: float
    announcing: bool  # opens the findings with "микроскопически"
    idle: float
    detailed: float  # share of reports with a word on the puncture
    yo: bool


def _cytologist(rng: random.Random) -> Cytologist:
    return Cytologist(
        order=tuple(rng.choice(ORDERS).split()),
        openings=tuple(rng.sample(OPENINGS, 3)),
        opening_last=rng.random() < 0.15,
        in_centimetres=rng.random() < 0.3,
        joining=rng.uniform(0.1, 0.6),
        abbreviating=rng.choice((0.0, 0.2, 0.6)),
        announcing=rng.random() < 0.35,
        idle=rng.uniform(0.1, 0.5),
        detailed=rng.uniform(0.3, 0.9),
        yo=rng.random() < 0.5,
    )


def _draw_findings(picture: Picture, rng: random.Random) -> Found:
    found = {}
    for aspect, odds in picture.odds.items():
        silent = max(0.0, 1 - sum(odds.values()))
        finding = rng.choices([*odds, ""], [*odds.values(), silent])[0]
        if finding:
            found[aspect] = finding
    return found


def _clause(aspect: str, finding: str, standard_share: float, rng: random.Random) -> str:
    number = rng.randint(*GROUP_COUNTS[finding]) if finding in GROUP_COUNTS else 0
    groups = f"{number} {plural(number, 'группа', 'группы', 'групп')}"
    return say(FINDINGS[aspect][finding], rng, {"групп": groups, "число": str(number)}, standard_share)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _join(clauses: list[str], joining: float, rng: random.Random) -> str:
    sentences = clauses[:1]
    for clause in clauses[1:]:
        if rng.random() < joining and sentences[-1].count(",") < 2:
            sentences[-1] += f", {clause}"
        else:
            sentences.append(clause)
    return " ".join(map(_sentence, sentences))


def _description(found: Found, nodule: Nodule, writer: Cytologist, standard_share: float, rng: random.Random) -> str:
    """One wording of the findings; drawn again until it has the length of a real description."""
    low, high = DESCRIPTION_WORDS
    while True:
        clauses = [_clause(aspect, found[aspect], standard_share, rng) for aspect in writer.order if aspect in found]
        if writer.announcing:
            clauses[0] = f"микроскопически: {clauses[0]}"
        if rng.random() < writer.idle:
            clauses.insert(rng.randint(0, len(clauses)), say(IDLE_REMARKS, rng))
        if rng.random() < writer.detailed:
            clauses.insert(0, procedure(rng))
        first = opening(nodule, rng.choice(writer.openings), writer.in_centimetres, rng)
        clauses.insert(len(clauses) if writer.opening_last else 0, first)
        while sum(len(clause.split()) for clause in clauses) < low + 3:
            clauses.insert(rng.randint(1, len(clauses) - 1), say(IDLE_REMARKS, rng))
        text = _join([abbreviate(clause, writer.abbreviating, rng) for clause in clauses], writer.joining, rng)
        if low <= len(text.split()) <= high:
            return text


def _conclusion(picture: Picture, found: Found, standard_share: float, rng: random.Random) -> str:
    low, high = CONCLUSION_WORDS
    remarks = [REMARKS[item] for item in found.items() if item in REMARKS]
    while True:
        parts = [say(HEADLINES[picture.name], rng, standard_share=standard_share)]
        if remarks and rng.random() < 0.25:
            parts.append(say(rng.choice(remarks), rng, standard_share=standard_share))
        if rng.random() < 0.35:
            parts.append(say(ADVICE[picture.category], rng, standard_share=standard_share))
        text = " ".join(map(_sentence, parts))
        if low <= len(text.split()) <= high:
            return text


def _quotas(reports: int, shares: dict[str, float]) -> dict[str, int]:
    """Exact class counts by largest remainder; a category with a positive share is never empty."""
    present = [category for category in sorted(shares) if shares[category] > 0]
    if reports < len(present):
        raise InputError(f"{reports} reports cannot hold {len(present)} categories; raise `reports`")
    exact = {category: reports * shares[category] / sum(shares.values()) for category in present}
    counts = {category: max(1, int(exact[category])) for category in present}
    while sum(counts.values()) != reports:
        step = 1 if sum(counts.values()) < reports else -1
        movable = [category for category in present if step == 1 or counts[category] > 1]
        counts[max(movable, key=lambda category: step * (exact[category] - counts[category]))] += step
    return counts


def _picture(category: str, hard: bool, rng: random.Random) -> Picture:
    fitting = [picture for picture in PICTURES if picture.category == category and picture.hard == hard]
    return rng.choices(fitting, [picture.share for picture in fitting])[0]


def synthesize(settings: "Synthesis") -> list[dict[str, str]]:
    """The rows of a corpus: report_id, patient_id, description, conclusion, category.

    Typos have a random stream of their own, so that another typo rate leaves everything else as it was.
    """
    rng, slips = random.Random(settings.seed), random.Random(f"typos {settings.seed}")
    counts = _quotas(settings.reports, settings.class_shares)
    categories = [category for category, count in counts.items() for _ in range(count)]
    rng.shuffle(categories)
    writers = [_cytologist(rng) for _ in range(CYTOLOGISTS)]
    rows: list[dict[str, str]] = []
    patient, left, writer, previous = 0, 0, writers[0], ""
    nodule = new_nodule(rng)
    for number, category in enumerate(categories, start=1):
        if not left:
            patient, previous, writer = patient + 1, "", rng.choice(writers)
            left = rng.choices(list(REPORTS_PER_PATIENT), list(REPORTS_PER_PATIENT.values()))[0]
        left -= 1
        again = previous in REPEATED_CATEGORIES and rng.random() < REPEAT_SHARE
        nodule = remeasured(nodule, rng) if again else new_nodule(rng)
        picture = _picture(category, rng.random() < settings.hard_case_share, rng)
        found = _draw_findings(picture, rng)
        description = mistype(
            _description(found, nodule, writer, settings.standard_share, rng), settings.typo_rate, slips
        )
        conclusion = _conclusion(picture, found, settings.standard_share, rng)
        rows.append(
            {
                "report_id": f"R{number:06d}",
                "patient_id": f"P{patient:06d}",
                "description": description if writer.yo else description.replace("ё", "е"),
                "conclusion": conclusion if writer.yo else conclusion.replace("ё", "е"),
                "category": category,
            }
        )
        previous = category
    return rows
