"""The reasons why a row, or a whole corpus, cannot be used, and what is noticed about the rows that can."""

from enum import StrEnum

from anamnesis.errors import InputError


class CorpusError(InputError):
    """A corpus that cannot be used: one sentence with the file or key and the way out, never a report's text."""


class _Explained(StrEnum):
    """A code, and its meaning for the data card."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> "_Explained":
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


class Notice(_Explained):
    """What is unusual in an export that is read nevertheless."""

    LOCK_FILES = "lock_files", "lock files (~$…) and index files of a file manager, left out"
    OTHER_KIND = "other_kind", "files of another kind than their name says, read as what they are"
    OTHER_SHEETS = "other_sheets", "rows of sheets, or of tables of a page, that have none of the columns, left out"
    HIDDEN_SHEETS = "hidden_sheets", "hidden sheets, read like the others"
    HIDDEN_ROWS = "hidden_rows", "hidden rows of workbooks, read like the others"
    TWO_ROW_HEADERS = "two_row_headers", "tables whose header has two rows"
    REPEATED_HEADERS = "repeated_headers", "headers repeated inside a table, and rows that number its columns, left out"
    MERGED_CELLS = "merged_cells", "rows with a value from a merged cell that begins above"
    PATIENT_ROWS = "patient_rows", "rows that hold a patient and nothing else (grouping rows), left out"
    GROUPED_ROWS = "grouped_rows", "rows with the patient of the grouping row above them"
    SINGLE_CELLS = "single_cells", "rows with a single cell that is no field of a report (totals, pages), left out"
    MISSING_MARKS = "missing_marks", "cells that say that a value is missing (NULL, н/д), read as empty"
    DITTO_MARKS = "ditto_marks", "cells that say 'the same' (то же), read as the cell above"
    OTHER_SPELLINGS = "other_spellings", "reports whose patient is written otherwise than in the patient's first report"


class Refusal(_Explained):
    """Why a row is put into quarantine."""

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
    PATIENT_MISSING = "patient_missing", "no patient, neither in the row nor in a merged cell or grouping row above it"
    PATIENT_ROUNDED = (
        "patient_rounded",
        "a patient's number that lost digits (1.23457E+12); save the column as text",
    )
    NOTHING_ABOVE = "nothing_above", "a cell says 'the same', and the row above it was refused or is not there"
    CATEGORY_UNKNOWN = "category_unknown", "a category outside corpus.categories"
    CATEGORY_CONTRADICTORY = "category_contradictory", "two different categories are named"
    CATEGORY_IDENTIFIES = "category_identifies", "a category that holds a name, a number or a date of a person"
