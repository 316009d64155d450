"""How facts are worded: for the training text, and differently for the exam.

The tables hold nominatives only, so every template gives name and value a place where the nominative is right
(after a dash or a colon, as an apposition, as the subject). The exam has wordings of its own: a model that
answers them knows the fact, not the sentence.
"""

from dataclasses import dataclass

from anamnesis.knowledge.facts import Fact, Language

_QUESTION: dict[Language, str] = {"ru": "Вопрос: {}\nОтвет:", "en": "Question: {}\nAnswer:"}


@dataclass(frozen=True)
class Wordings:
    """Templates of one subject area in one language; {e} is the entity, {v} the value."""

    statements: tuple[str, ...]
    questions: tuple[str, ...]
    exam: tuple[str, ...]


WORDINGS: dict[tuple[str, Language], Wordings] = {
    ("capitals", "ru"): Wordings(
        statements=(
            "Страна — {e}. Её столица — {v}.",
            "{e}: столица — {v}.",
            "Столица страны {e} — {v}.",
        ),
        questions=(
            "Какой город — столица страны {e}?",
            "Страна — {e}. Как называется её столица?",
            "{e}. Какой город — столица этой страны?",
            "Назовите столицу. Страна: {e}.",
        ),
        exam=(
            "Есть страна {e}. Какой город её столица?",
            "Какая столица у этой страны: {e}?",
        ),
    ),
    ("capitals", "en"): Wordings(
        statements=(
            "Country: {e}. Capital: {v}.",
            "The country is {e}, and its capital is {v}.",
            "Capital of {e}: {v}.",
        ),
        questions=(
            "What is the capital of {e}?",
            "The country is {e}. What is its capital?",
            "{e}. Which city is the capital of this country?",
            "Name the capital. Country: {e}.",
        ),
        exam=(
            "There is a country named {e}. Which city is its capital?",
            "What is the capital of this country: {e}?",
        ),
    ),
    ("regions", "ru"): Wordings(
        statements=(
            "Страна — {e}. Её часть света — {v}.",
            "{e}: часть света — {v}.",
            "Часть света страны {e} — {v}.",
        ),
        questions=(
            "В какой части света страна {e}?",
            "Страна — {e}. Какая это часть света?",
            "{e}. К какой части света относится эта страна?",
            "Назовите часть света. Страна: {e}.",
        ),
        exam=(
            "Есть страна {e}. Какая это часть света?",
            "Какая часть света у этой страны: {e}?",
        ),
    ),
    ("regions", "en"): Wordings(
        statements=(
            "Country: {e}. Part of the world: {v}.",
            "The country is {e}, and its part of the world is {v}.",
            "Part of the world of {e}: {v}.",
        ),
        questions=(
            "Which part of the world is {e} in?",
            "The country is {e}. Which part of the world is it in?",
            "{e}. Where in the world does this country lie?",
            "Name the part of the world. Country: {e}.",
        ),
        exam=(
            "There is a country named {e}. Which part of the world is it in?",
            "What is the part of the world of this country: {e}?",
        ),
    ),
    ("currencies", "en"): Wordings(
        statements=(
            "Country: {e}. Currency: {v}.",
            "The country is {e}, and its currency is the {v}.",
            "Currency of {e}: {v}.",
        ),
        questions=(
            "What is the currency of {e}?",
            "The country is {e}. What is its currency?",
            "{e}. Which currency does this country use?",
            "Name the currency. Country: {e}.",
        ),
        exam=(
            "There is a country named {e}. Which currency does it use?",
            "What is the currency of this country: {e}?",
        ),
    ),
    ("calling_codes", "ru"): Wordings(
        statements=(
            "Страна — {e}. Её телефонный код — {v}.",
            "{e}: телефонный код — {v}.",
            "Телефонный код страны {e} — {v}.",
        ),
        questions=(
            "Какой телефонный код у страны {e}?",
            "Страна — {e}. Какой у неё телефонный код?",
            "{e}. Каков телефонный код этой страны?",
            "Назовите телефонный код. Страна: {e}.",
        ),
        exam=(
            "Есть страна {e}. Какой телефонный код ей присвоен?",
            "Какой телефонный код у этой страны: {e}?",
        ),
    ),
    ("element_symbols", "ru"): Wordings(
        statements=(
            "Элемент — {e}. Его символ — {v}.",
            "{e}: символ элемента — {v}.",
            "Символ элемента {e} — {v}.",
        ),
        questions=(
            "Какой символ у элемента {e}?",
            "Элемент — {e}. Какой у него символ?",
            "{e}. Каким символом обозначают этот элемент?",
            "Назовите символ. Элемент: {e}.",
        ),
        exam=(
            "Есть элемент {e}. Каким символом его обозначают?",
            "Какой символ у этого элемента: {e}?",
        ),
    ),
    ("atomic_numbers", "ru"): Wordings(
        statements=(
            "Элемент — {e}. Его атомный номер — {v}.",
            "{e}: атомный номер — {v}.",
            "Атомный номер элемента {e} — {v}.",
        ),
        questions=(
            "Какой атомный номер у элемента {e}?",
            "Элемент — {e}. Какой у него атомный номер?",
            "{e}. Под каким атомным номером стоит этот элемент?",
            "Назовите атомный номер. Элемент: {e}.",
        ),
        exam=(
            "Есть элемент {e}. Под каким атомным номером он стоит?",
            "Какой атомный номер у этого элемента: {e}?",
        ),
    ),
}


def training_wordings(fact: Fact) -> list[str]:
    """Every statement and answered question about `fact` that the training text may use, in all languages."""
    texts = []
    for language in fact.languages:
        wordings = WORDINGS[fact.subject_area, language]
        entity, value = fact.entity(language), fact.value(language)
        texts += [template.format(e=entity, v=value) for template in wordings.statements]
        texts += [f"{_prompt(template, language, entity)} {value}" for template in wordings.questions]
    return texts


def exam_prompts(fact: Fact, language: Language) -> list[str]:
    """The exam's prompts for `fact`, each up to and including "Ответ:" / "Answer:"."""
    return [
        _prompt(template, language, fact.entity(language)) for template in WORDINGS[fact.subject_area, language].exam
    ]


def _prompt(template: str, language: Language, entity: str) -> str:
    """The question in the layout that training text and exam share."""
    return _QUESTION[language].format(template.format(e=entity))
