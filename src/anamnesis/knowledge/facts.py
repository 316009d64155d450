"""The fact tables, read into one list.

The training text and the exam must be about the same facts, so both use this list. The tables are edited by hand, and a
mistake in them would make an exam answer wrong, so every cell is checked.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anamnesis.errors import InputError

Language = Literal["ru", "en"]
LANGUAGES: tuple[Language, ...] = ("ru", "en")


@dataclass(frozen=True)
class Fact:
    """One fact in the languages that the table gives; an empty value means "not in this language".

    taught: the languages in which the training text states it.
    """

    subject_area: str
    entity_ru: str
    entity_en: str
    value_ru: str
    value_en: str
    taught: tuple[Language, ...]

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages in which this fact can be asked."""
        return tuple(language for language in LANGUAGES if self.value(language))

    def entity(self, language: Language) -> str:
        """The name in `language` of what the fact is about."""
        return self.entity_ru if language == "ru" else self.entity_en

    def value(self, language: Language) -> str:
        """The right answer, as written in `language`."""
        return self.value_ru if language == "ru" else self.value_en


@dataclass(frozen=True)
class Relation:
    """The columns of a subject area in its table; None for a language that the table does not have.

    taught: the languages in which the training text states these facts.
    """

    subject_area: str
    table: str
    entity_ru: str
    entity_en: str
    value_ru: str | None
    value_en: str | None
    taught: tuple[Language, ...]

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages in which these facts can be asked."""
        return tuple(language for language in LANGUAGES if (self.value_ru if language == "ru" else self.value_en))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the table must have for this relation."""
        names = (self.entity_ru, self.entity_en, self.value_ru, self.value_en)
        return tuple(dict.fromkeys(name for name in names if name is not None))


# Codes, symbols and numbers are the same in both languages and are hardest for the small model to learn, so they are
# taught in one language. They can be asked in both.
RELATIONS = (
    Relation("capitals", "countries.csv", "country_ru", "country_en", "capital_ru", "capital_en", LANGUAGES),
    Relation("regions", "countries.csv", "country_ru", "country_en", "region_ru", "region_en", LANGUAGES),
    Relation("currencies", "countries.csv", "country_ru", "country_en", None, "currency_en", ("en",)),
    Relation("calling_codes", "countries.csv", "country_ru", "country_en", "calling_code", "calling_code", ("ru",)),
    Relation("element_symbols", "elements.csv", "element_ru", "element_en", "symbol", "symbol", ("ru",)),
    Relation("atomic_numbers", "elements.csv", "element_ru", "element_en", "number", "number", ("ru",)),
)

_FORMS = {
    "calling_code": (re.compile(r"\+\d{1,3}"), "a plus sign and one to three digits"),
    "symbol": (re.compile(r"[A-Z][a-z]?"), "one capital Latin letter and at most one small one"),
    "number": (re.compile(r"[1-9]\d{0,2}"), "a whole number from 1 to 999"),
}


def load_facts(folder: Path) -> list[Fact]:
    """Read every relation's facts from the tables in `folder`, in the tables' order.

    Raises:
        InputError: a table is missing or wrong; names file, line, column and what to do.
    """
    tables = {name: _read(folder / name) for name in sorted({relation.table for relation in RELATIONS})}
    return [
        fact
        for relation in RELATIONS
        for line, row in tables[relation.table]
        if (fact := _fact(relation, folder / relation.table, line, row)) is not None
    ]


def _read(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of one table with their line numbers. Every cell is checked, and no name occurs twice."""
    relations = [relation for relation in RELATIONS if relation.table == path.name]
    needed = list(dict.fromkeys(column for relation in relations for column in relation.columns))
    entities = list(dict.fromkeys(name for one in relations for name in (one.entity_ru, one.entity_en)))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: the table is missing; restore it from the repository.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save the table as UTF-8.") from None

    reader = csv.DictReader(text.splitlines(), strict=True)
    header = reader.fieldnames or []
    for column in needed:
        if header.count(column) != 1:
            raise InputError(f"{path}, line 1: the header must have the column '{column}' once; correct it.")

    rows: list[tuple[int, dict[str, str]]] = []
    seen: dict[tuple[str, str], int] = {}
    try:
        for row in reader:
            line = reader.line_num
            if None in row or None in row.values():
                raise InputError(
                    f"{path}, line {line}: the row needs {len(header)} cells, one for each column; "
                    "add or remove commas, or put a cell that contains one in quotes."
                )
            for column in needed:
                _check_cell(path, line, column, row[column])
            for column in entities:
                if not row[column]:
                    raise InputError(f"{path}, line {line}, column '{column}': the name is empty; fill it in.")
                first = seen.setdefault((column, row[column]), line)
                if first != line:
                    raise InputError(
                        f"{path}, line {line}, column '{column}': '{row[column]}' is also in line {first}; "
                        "remove one of the two rows."
                    )
            rows.append((line, row))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; correct the quotes in this row.") from None
    return rows


def _check_cell(path: Path, line: int, column: str, cell: str) -> None:
    """Refuse stray spaces, and a filled cell without the form of its column."""
    if cell != " ".join(cell.split()):
        raise InputError(f"{path}, line {line}, column '{column}': stray spaces in '{cell}'; remove them.")
    if cell and column in _FORMS:
        pattern, form = _FORMS[column]
        if not pattern.fullmatch(cell):
            raise InputError(f"{path}, line {line}, column '{column}': '{cell}' is not {form}; correct it.")


def _fact(relation: Relation, path: Path, line: int, row: dict[str, str]) -> Fact | None:
    """The fact in a row, or None where its cells are empty: that fact is left out on purpose."""
    columns = [column for column in (relation.value_ru, relation.value_en) if column is not None]
    empty = [column for column in columns if not row[column]]
    if len(empty) == len(columns):
        return None
    if empty:
        raise InputError(
            f"{path}, line {line}, column '{empty[0]}': it is empty, but its value in the other language is not; "
            "fill both or empty both."
        )
    return Fact(
        subject_area=relation.subject_area,
        entity_ru=row[relation.entity_ru],
        entity_en=row[relation.entity_en],
        value_ru=row[relation.value_ru] if relation.value_ru else "",
        value_en=row[relation.value_en] if relation.value_en else "",
        taught=relation.taught,
    )
