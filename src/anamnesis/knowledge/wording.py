"""How facts are worded: for the training text, and differently for the exam.

wording.yaml holds the wordings and says what they may contain.
"""

from functools import cache
from pathlib import Path

from pydantic.dataclasses import dataclass

from anamnesis.knowledge.facts import RELATIONS, Fact, Language
from anamnesis.settings.sections import STRICT
from anamnesis.tables import Text, Texts, check_known, check_slots, read_table, refusal

TABLE = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True, config=STRICT)
class Wordings:
    """Templates of one subject area in one language; without statements and questions it is asked, not taught."""

    exam: Texts
    statements: Texts = ()
    questions: Texts = ()


@dataclass(frozen=True, config=STRICT)
class FactWordings:
    prompts: dict[Language, Text]
    subjects: dict[str, dict[Language, Wordings]]

    def of(self, fact: Fact, language: Language) -> Wordings:
        return self.subjects[fact.subject_area][language]

    def prompt(self, template: str, fact: Fact, language: Language) -> str:
        """The question in the layout of both the training text and the exam."""
        return self.prompts[language].format(question=template.format(entity=fact.entity(language)))


@cache
def read_wordings(path: Path = TABLE) -> FactWordings:
    """Read the wordings of all facts; raises InputError about the first mistake in them."""
    table = read_table(path, FactWordings)
    for language, prompt in table.prompts.items():
        check_slots(path, ("prompts", language), prompt, ("question",), needed=("question",))
    for subject, languages in table.subjects.items():
        check_known(path, ("subjects", subject), [relation.subject_area for relation in RELATIONS])
        for language, wordings in languages.items():
            check_known(path, ("subjects", subject, language), table.prompts)
            _check_wordings(path, ("subjects", subject, language), wordings)
    for relation in RELATIONS:
        for language in relation.languages:
            if language not in table.subjects.get(relation.subject_area, {}):
                raise refusal(
                    path,
                    ("subjects", relation.subject_area),
                    f"`{relation.subject_area}` has no wordings in `{language}`: add them",
                )
            wordings = table.subjects[relation.subject_area][language]
            if language in relation.taught and not (wordings.statements and wordings.questions):
                raise refusal(
                    path,
                    ("subjects", relation.subject_area, language),
                    "the training text needs statements and questions: add them",
                )
    return table


def _check_wordings(path: Path, loc: tuple[str, ...], wordings: Wordings) -> None:
    for key, slots in (("statements", ("entity", "value")), ("questions", ("entity",)), ("exam", ("entity",))):
        for index, template in enumerate(getattr(wordings, key)):
            check_slots(path, (*loc, key, index), template, slots, needed=slots)
    for index, template in enumerate(wordings.exam):
        if template in wordings.questions:
            raise refusal(path, (*loc, "exam", index), "the training text asks this question too: word it differently")


def training_wordings(fact: Fact) -> list[str]:
    """Every statement and answered question about `fact` that the training text may use."""
    table = read_wordings()
    texts = []
    for language in fact.taught:
        wordings, value = table.of(fact, language), fact.value(language)
        texts += [template.format(entity=fact.entity(language), value=value) for template in wordings.statements]
        texts += [f"{table.prompt(template, fact, language)} {value}" for template in wordings.questions]
    return texts


def exam_prompts(fact: Fact, language: Language) -> list[str]:
    """The exam's prompts for `fact`, each up to and including "Ответ:" / "Answer:"."""
    table = read_wordings()
    return [table.prompt(template, fact, language) for template in table.of(fact, language).exam]
