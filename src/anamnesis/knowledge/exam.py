"""The exams over the facts, in MMLU's data format, so that one harness asks these exams and the real MMLU."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from anamnesis.errors import InputError
from anamnesis.knowledge.facts import LANGUAGES, Fact, Language
from anamnesis.knowledge.wording import exam_prompts

CHOICES = 4

# A fact and the language in which it is asked.
Asked = tuple[Fact, Language]


def all_questions(facts: Sequence[Fact], questions_per_subject: int, seed: int) -> list[dict[str, Any]]:
    """Return items {"question", "subject", "choices", "answer", "language", "mixed"}.

    Every fact is asked in each of its languages. The first items are `mixed`, the same number for each subject area: a
    fact of a subject is asked once before any is asked again in its other language, so that few questions cover many
    facts, and the right answer is equally often in each place, so that a model that always chooses the same place
    scores a quarter.

    The other items are the questions that these leave out. In each language of a subject the right answer is as nearly
    as possible equally often in each place.
    """
    rng = random.Random(seed)
    drawn = _mixed(facts, questions_per_subject, rng)
    known = {pair for pair, _ in drawn}
    items = [{**item, "language": language, "mixed": True} for (_, language), item in drawn]
    for of_subject in _by_subject(facts):
        for language in LANGUAGES:
            asked = [(fact, language) for fact in of_subject if language in fact.languages]
            left = [pair for pair in asked if pair not in known]
            used = Counter(item["answer"] for pair, item in drawn if pair in asked)
            rng.shuffle(left)
            for pair, place in zip(left, _places(len(left), used, rng), strict=True):
                items.append({**_item(pair, place, of_subject, rng), "language": language, "mixed": False})
    return items


def _mixed(facts: Sequence[Fact], questions_per_subject: int, rng: random.Random) -> list[tuple[Asked, dict[str, Any]]]:
    drawn: list[tuple[Asked, dict[str, Any]]] = []
    for of_subject in _by_subject(facts):
        asked = _in_turns(of_subject, rng)
        if questions_per_subject > len(asked):
            raise InputError(
                f"The subject '{of_subject[0].subject_area}' has {len(asked)} questions, not {questions_per_subject}; "
                "lower the number of questions per subject."
            )
        start = len(drawn)
        places = [(start + index) % CHOICES for index in range(questions_per_subject)]
        rng.shuffle(places)
        drawn += [
            (pair, _item(pair, place, of_subject, rng))
            for pair, place in zip(asked[:questions_per_subject], places, strict=True)
        ]
    return drawn


def _by_subject(facts: Sequence[Fact]) -> list[list[Fact]]:
    subjects: dict[str, list[Fact]] = {}
    for fact in facts:
        subjects.setdefault(fact.subject_area, []).append(fact)
    return list(subjects.values())


def _in_turns(facts: Sequence[Fact], rng: random.Random) -> list[Asked]:
    """All facts in all languages they are taught in: first each once, in alternating languages, then the rest."""
    order = rng.sample(list(facts), len(facts))
    rounds = max((len(fact.taught) for fact in order), default=0)
    return [
        (fact, fact.taught[(index + turn) % len(fact.taught)])
        for turn in range(rounds)
        for index, fact in enumerate(order)
        if turn < len(fact.taught)
    ]


def _places(count: int, used: Counter[int], rng: random.Random) -> list[int]:
    """Places of `count` more answers that even out how often each place is used."""
    total = Counter(used)
    places = []
    for _ in range(count):
        places.append(min(range(CHOICES), key=lambda place: total[place]))
        total[places[-1]] += 1
    rng.shuffle(places)
    return places


def _item(asked: Asked, place: int, of_subject: Sequence[Fact], rng: random.Random) -> dict[str, Any]:
    fact, language = asked
    choices = _distractors(fact, language, of_subject, rng)
    choices.insert(place, fact.value(language))
    return {
        "question": rng.choice(exam_prompts(fact, language)),
        "subject": fact.subject_area,
        "choices": choices,
        "answer": place,
    }


def _distractors(fact: Fact, language: Language, facts: Sequence[Fact], rng: random.Random) -> list[str]:
    """Three different values of the same kind, all wrong for the entity of the fact."""
    entity = fact.entity(language)
    true = {other.value(language) for other in facts if other.entity(language) == entity}
    wrong = sorted({other.value(language) for other in facts} - true - {""})
    if len(wrong) < CHOICES - 1:
        raise InputError(
            f"The subject '{fact.subject_area}' has only {len(wrong)} wrong answers for '{entity}'; "
            f"add facts until there are {CHOICES - 1}."
        )
    return rng.sample(wrong, CHOICES - 1)
