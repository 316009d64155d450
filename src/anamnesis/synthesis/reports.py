"""Assembling a corpus: how many reports of each category, whose they are, who wrote them, and in what words.

No public corpus of Russian thyroid cytology reports exists, so the default corpus is made here from the YAML tables
beside this module. It has the statistical shape of the task (rare dangerous categories, several reports to a patient,
borderline cases), not its clinical truth.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ParamSpec

from anamnesis.errors import InputError
from anamnesis.settings.synthesis import Synthesis
from anamnesis.synthesis.findings import Findings
from anamnesis.synthesis.nodules import Nodule, new_nodule, opening, procedure, remeasured
from anamnesis.synthesis.noise import mistype
from anamnesis.synthesis.pictures import Picture
from anamnesis.synthesis.tables import Tables, load_tables
from anamnesis.synthesis.wording import plural, say
from anamnesis.tables import draw

CYTOLOGISTS = 14
DESCRIPTION_WORDS = (20, 65)
CONCLUSION_WORDS = (4, 25)
REPORTS_PER_PATIENT = {1: 0.55, 2: 0.27, 3: 0.12, 4: 0.06}
REPEATED_CATEGORIES = ("I", "III")  # after these the same nodule is punctured again
REPEAT_SHARE = 0.6
MAX_DRAWS = 1000  # of a text that is too short or too long

P = ParamSpec("P")
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


def _cytologist(tables: Tables, rng: random.Random) -> Cytologist:
    return Cytologist(
        order=rng.choice(tables.findings.orders),
        openings=tuple(rng.sample(tables.nodules.openings, 3)),
        opening_last=rng.random() < 0.15,
        in_centimetres=rng.random() < 0.3,
        joining=rng.uniform(0.1, 0.6),
        abbreviating=rng.choice((0.0, 0.2, 0.6)),
        announcing=rng.random() < 0.35,
        idle=rng.uniform(0.1, 0.5),
        detailed=rng.uniform(0.3, 0.9),
        yo=rng.random() < 0.5,
    )


def _group_values(finding: str, findings: Findings, rng: random.Random) -> dict[str, str]:
    """The slots that state a number of groups, for a finding that has one."""
    count = findings.group_counts.get(finding)
    if count is None:
        return {}
    number = rng.randint(count.least, count.most)
    return {"групп": f"{number} {plural(number, 'группа', 'группы', 'групп')}", "число": str(number)}


def _clauses(
    found: Found, order: tuple[str, ...], tables: Tables, standard_share: float, rng: random.Random
) -> list[str]:
    """One wording of every finding, in the writer's order."""
    clauses = []
    for aspect in order:
        if finding := found.get(aspect):
            values = _group_values(finding, tables.findings, rng)
            wordings = tables.findings.findings[aspect][finding]
            clauses.append(say(wordings, rng, tables.synonyms, values, standard_share))
    return clauses


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


def _of_length(words: tuple[int, int], what: str, write: Callable[P, str], *args: P.args, **kwargs: P.kwargs) -> str:
    """Write a text again until it has the number of words of a real one."""
    least, most = words
    for _ in range(MAX_DRAWS):
        text = write(*args, **kwargs)
        if least <= len(text.split()) <= most:
            return text
    raise InputError(
        f"{what} never has {least} to {most} words in {MAX_DRAWS} draws: "
        "make the wordings in src/anamnesis/synthesis longer or shorter."
    )


def _description(
    found: Found, nodule: Nodule, writer: Cytologist, tables: Tables, standard_share: float, rng: random.Random
) -> str:
    """One wording of the findings, with what the writer usually adds."""

    def idle_remark() -> str:
        return say(tables.noise.idle_remarks, rng, tables.synonyms)

    clauses = _clauses(found, writer.order, tables, standard_share, rng)
    if writer.announcing:
        clauses[0] = f"микроскопически: {clauses[0]}"
    if rng.random() < writer.idle:
        clauses.insert(rng.randint(0, len(clauses)), idle_remark())
    if rng.random() < writer.detailed:
        clauses.insert(0, procedure(tables.nodules.procedures, tables.synonyms, rng))
    first = opening(nodule, rng.choice(writer.openings), writer.in_centimetres, tables.synonyms, rng)
    clauses.insert(len(clauses) if writer.opening_last else 0, first)
    while sum(len(clause.split()) for clause in clauses) < DESCRIPTION_WORDS[0] + 3:
        clauses.insert(rng.randint(1, len(clauses) - 1), idle_remark())
    return _join([tables.noise.abbreviate(clause, writer.abbreviating, rng) for clause in clauses], writer.joining, rng)


def _conclusion(picture: str, found: Found, tables: Tables, standard_share: float, rng: random.Random) -> str:
    """The headline of the picture, sometimes with a remark and with advice."""
    table = tables.conclusions
    remarks = [table.remarks[aspect][it] for aspect, it in found.items() if it in table.remarks.get(aspect, ())]
    parts = [say(table.headlines[picture], rng, tables.synonyms, standard_share=standard_share)]
    if remarks and rng.random() < 0.25:
        parts.append(say(rng.choice(remarks), rng, tables.synonyms, standard_share=standard_share))
    if rng.random() < 0.35:
        category = tables.pictures[picture].category
        parts.append(say(table.advice[category], rng, tables.synonyms, standard_share=standard_share))
    return " ".join(map(_sentence, parts))


def _quotas(reports: int, shares: dict[str, float]) -> dict[str, int]:
    """Exact class counts by largest remainder; a category with a positive share is never empty."""
    present = [category for category in sorted(shares) if shares[category] > 0]
    exact = {category: reports * shares[category] / sum(shares.values()) for category in present}
    counts = {category: max(1, int(exact[category])) for category in present}
    while sum(counts.values()) != reports:
        step = 1 if sum(counts.values()) < reports else -1
        movable = [category for category in present if step == 1 or counts[category] > 1]
        counts[max(movable, key=lambda category: step * (exact[category] - counts[category]))] += step
    return counts


def _picture(category: str, hard: bool, pictures: Mapping[str, Picture], rng: random.Random) -> str:
    """The name of one of the pictures of a category that are equally hard."""
    fitting = {name: one.share for name, one in pictures.items() if one.category == category and one.hard == hard}
    return rng.choices(list(fitting), list(fitting.values()))[0]


def synthesize(settings: Synthesis) -> list[dict[str, str]]:
    """The rows of a corpus: report_id, patient_id, description, conclusion, category.

    Typos have a random stream of their own, so that another typo rate leaves everything else as it was.

    Raises:
        InputError: the tables or the settings cannot be used.
    """
    tables, share = load_tables(), settings.standard_share
    rng, slips = random.Random(settings.seed), random.Random(f"typos {settings.seed}")
    counts = _quotas(settings.reports, settings.class_shares)
    categories = [category for category, count in counts.items() for _ in range(count)]
    rng.shuffle(categories)
    writers = [_cytologist(tables, rng) for _ in range(CYTOLOGISTS)]
    rows: list[dict[str, str]] = []
    patient, left, writer, previous = 0, 0, writers[0], ""
    nodule = new_nodule(tables.nodules.sites, rng)
    for number, category in enumerate(categories, start=1):
        if not left:
            patient, previous, writer = patient + 1, "", rng.choice(writers)
            left = rng.choices(list(REPORTS_PER_PATIENT), list(REPORTS_PER_PATIENT.values()))[0]
        left -= 1
        again = previous in REPEATED_CATEGORIES and rng.random() < REPEAT_SHARE
        nodule = remeasured(nodule, rng) if again else new_nodule(tables.nodules.sites, rng)
        picture = _picture(category, rng.random() < settings.hard_case_share, tables.pictures, rng)
        found = dict(draw(tables.pictures[picture].findings, rng))
        description = _of_length(
            DESCRIPTION_WORDS, f"A description of `{picture}`", _description, found, nodule, writer, tables, share, rng
        )
        description = mistype(description, settings.typo_rate, slips)
        conclusion = _of_length(
            CONCLUSION_WORDS, f"A conclusion of `{picture}`", _conclusion, picture, found, tables, share, rng
        )
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
