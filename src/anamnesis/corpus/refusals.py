"""The reasons why a row, or a whole corpus, cannot be used."""

from enum import StrEnum

from anamnesis.errors import InputError


class CorpusError(InputError):
    """A corpus that cannot be used: one sentence with the file or key and the way out, never a report's text."""


class Refusal(StrEnum):
    """Why a row is put into quarantine: the code, and its meaning for the data card."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> "Refusal":
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    BROKEN_QUOTES = "broken_quotes", "a quote inside a quoted field, or one that is not closed in its row"
    WRONG_NUMBER_OF_FIELDS = "wrong_number_of_fields", "more or fewer fields than columns"
    NOT_JSON = "not_json", "the line is not JSON"
    NOT_AN_OBJECT = "not_an_object", "the JSON value is not an object"
    REPEATED_KEY = "repeated_key", "a key is repeated in the JSON object"
    NOT_TEXT = "not_text", "a field holds a list or an object"
    UNDECODABLE = "undecodable", "bytes that cannot be decoded in the file's encoding"
    UNREADABLE = "unreadable", "text that is coded or decoded wrongly: the dictionary knows too few of its words"
    TOO_LONG = "too_long", "a field is longer than corpus.max_characters"
    FORMULA = "formula", "a field begins like a spreadsheet formula"
    SECTION_MISSING = "section_missing", "one of the headings of corpus.sections is not in the text"
    DESCRIPTION_MISSING = "description_missing", "no description"
    CONCLUSION_MISSING = "conclusion_missing", "no conclusion"
    CATEGORY_MISSING = "category_missing", "no category"
    PATIENT_MISSING = "patient_missing", "no patient"
    CATEGORY_UNKNOWN = "category_unknown", "a category outside corpus.categories"
    CATEGORY_CONTRADICTORY = "category_contradictory", "two different categories are named"
    CATEGORY_IDENTIFIES = "category_identifies", "a category that holds a name, a number or a date of a person"
