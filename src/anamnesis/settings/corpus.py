"""The domain corpus and further domains: their place, and how they are read, cleaned and split."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from anamnesis.settings.rendering import Headings
from anamnesis.settings.sections import STRICT, Positive, Seed, Share, Text


@dataclass(frozen=True, config=STRICT)
class Columns:
    """Names of the columns in the corpus's files; null for a column that they do not have.

    Either `text` (the whole report in one column) or `description`. Without `category`, it is read from the conclusion.
    """

    text: Text | None
    description: Text | None
    conclusion: Text | None
    category: Text | None
    patient: Text | None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.description is None):
            raise ValueError("give either description or text (the whole report in one column), and null for the other")
        if self.text is not None and self.conclusion is not None:
            raise ValueError("conclusion must be null where text is given: it is cut out of it")
        if self.category is None and self.conclusion is None and self.text is None:
            raise ValueError("without a category there must be a conclusion or a text that names it")

    @property
    def named(self) -> dict[str, str]:
        """Column by field, without the fields that have none."""
        return {field: column for field in self.__dataclass_fields__ if (column := getattr(self, field)) is not None}


@dataclass(frozen=True, config=STRICT)
class Sections:
    """Headings inside a free text; one of `other` ends the section before it and belongs to no field."""

    description: list[Text]
    conclusion: list[Text]
    other: list[Text]

    def __post_init__(self) -> None:
        if not self.description:
            raise ValueError("description must have at least one heading")


@dataclass(frozen=True, config=STRICT)
class Deidentification:
    """`clinical_words` are no names, in addition to the packaged list. `key_variable` names the environment variable
    with the secret key; the key itself is in no file."""

    enabled: bool
    engine: Literal["rules", "rules_and_tagger"]
    clinical_words: list[Text]
    key_variable: Text | None
    max_date_shift_days: Positive | None

    def __post_init__(self) -> None:
        if self.max_date_shift_days is not None and self.key_variable is None:
            raise ValueError("max_date_shift_days needs key_variable: without a secret, the shift could be undone")


@dataclass(frozen=True, config=STRICT)
class Corpus:
    path: Text
    encoding: Text | None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None
    columns: Columns
    sections: Sections
    headings: Headings
    label: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    category_system: Literal["tbsrtc", "icd10", "verbatim"]
    categories: list[Text] | None
    critical_categories: list[Text]
    max_characters: Positive
    max_refused_share: Share
    boilerplate_share: Annotated[float, Field(gt=0, le=1)] | None
    deidentification: Deidentification
    near_duplicate_similarity: Annotated[float, Field(ge=0.7, le=1)]
    validation_share: Share
    test_share: Share
    seed: Seed

    def __post_init__(self) -> None:
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError:
                raise ValueError(f"encoding {self.encoding!r} is not known; write utf-8, cp1251 or another") from None
        if self.columns.category is None and self.category_system != "tbsrtc":
            raise ValueError("without columns.category, category_system must be tbsrtc: only it is known inside a text")
        if not 0 < self.validation_share + self.test_share <= 0.5:
            raise ValueError("validation_share and test_share must leave at least half of the reports for training")
        if min(self.validation_share, self.test_share) == 0:
            raise ValueError("validation_share and test_share must both be above 0")
        if self.categories is not None:
            if len(set(self.categories)) != len(self.categories) or len(self.categories) < 2:
                raise ValueError("categories must be at least two different names, or null to take the file's")
            if unknown := sorted(set(self.critical_categories) - set(self.categories)):
                raise ValueError(f"critical_categories names {unknown}, which categories does not list")


# Further domains by name, in which a method may train its model before or after the main corpus.
Domains = dict[str, Corpus]
