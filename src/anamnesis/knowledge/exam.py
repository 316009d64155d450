"""The exam over the facts, in MMLU's data format, so that one harness asks both this exam and the real MMLU."""

import random
from collections.abc import Sequence
from typing import Any

from anamnesis.errors import InputError
from anamnesis.knowledge.facts import Fact, Language
from anamnesis.knowledge.wording import exam_prompts

CHOICES = 4


def exam(facts: Sequence[Fact], questions_per_subject: int, seed: int) -> list[dict[str, Any]]:
    """Return items {"question", "subject", "choices", "answer"}, the same number for each subject area.

    Every fact of a subject is asked once before any is asked again in its other language, so that few questions cover
    many facts. The right answer is equally often in each place: a model that always chooses the same place scores a
    quarter.
    """
    rng = random.Random(seed)
    items: list[dict[str, Any]] = []
    for subject in dict.fromkeys(fact.subject_area for fact in facts):
        of_subject = [fact for fact in facts if fact.subject_area == subject]
        asked = _asked(of_subject, rng)
        if questions_per_subject > len(asked):
            raise InputError(
                f"The subject '{subject}' has {len(asked)} questions, not {questions_per_subject}; "
                "lower the number of questions per subject."
            )
        start = len(items)
        places = [(start + index) % CHOICES for index in range(questions_per_subject)]
        rng.shuffle(places)
        for (fact, language), place in zip(asked[:questions_per_subject], places, strict=True):
            choices = _distractors(fact, language, of_subject, rng)
            choices.insert(place, fact.value(language))
            items.append(
                {
                    "question": rng.choice(exam_prompts(fact, language)),
                    "subject": subject,
                    "choices": choices,
                    "answer": place,
                }
            )
    return items


def _asked(facts: Sequence[Fact], rng: random.Random) -> list[tuple[Fact, Language]]:
    """All (fact, language) pairs: first each fact once, in alternating languages, then the rest."""
    order = rng.sample(list(facts), len(facts))
    rounds = max((len(fact.languages) for fact in order), default=0)
    return [
        (fact, fact.languages[(index + turn) % len(fact.languages)])
        for turn in range(rounds)
        for index, fact in enumerate(order)
        if turn < len(fact.languages)
    ]


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
