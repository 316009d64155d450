"""Reading a corpus file into reports, with an account of every row.

A row is kept, dropped as an exact duplicate, or put into quarantine with a reason; `rows_in` is always their
sum. Messages and quarantine name rows by number only: the text may be a patient's.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from anamnesis.errors import InputError
from anamnesis.settings import Corpus

# A column or a category with a longer name is taken for a report's text and not repeated anywhere.
LONGEST_NAME = 60

FIELDS = ["report", "patient", "description", "conclusion", "category"]


class CorpusError(InputError):
    """A corpus that cannot be used; one sentence with the file or key and the mend, never a report's text."""


@dataclass(frozen=True)
class Reading:
    """`reports`: the kept rows, columns FIELDS. `quarantine`: row number and reason of the refused ones."""

    reports: pd.DataFrame
    quarantine: pd.DataFrame
    categories: list[str]
    rows_in: int
    duplicates: int


def read_corpus(settings: Corpus) -> Reading:
    """Read, normalize white space, refuse incomplete rows, drop exact duplicates.

    Raises:
        CorpusError: the file is missing, unreadable, empty, lacks a column, or holds an undeclared category.
    """
    path = Path(settings.path)
    rows = _read_rows(path)
    columns = _present_columns(rows, settings)
    fields = pd.DataFrame({"report": range(1, len(rows) + 1)})
    for field in FIELDS[1:]:
        source = columns.get(field)
        fields[field] = "" if source is None else rows[source].map(_clean)
    if "patient" not in columns:
        fields["patient"] = fields["report"].map("row-{}".format)

    reasons = pd.Series("", index=fields.index)
    for field in columns:
        reasons[(fields[field] == "") & (reasons == "")] = f"{field} is empty"
    refused = reasons != ""
    kept = fields[~refused]
    # Whoever's it is: the same report twice would be trained on and tested on.
    duplicate = kept.duplicated(["description", "conclusion", "category"])
    reports = kept[~duplicate].reset_index(drop=True)
    if reports.empty:
        raise CorpusError(
            f"corpus.path: {path} has {len(rows)} rows and no complete report among them; "
            f"check that the columns named in corpus.columns are the right ones."
        )
    return Reading(
        reports=reports,
        quarantine=pd.DataFrame({"report": fields["report"][refused], "reason": reasons[refused]}),
        categories=_categories(reports, settings),
        rows_in=len(rows),
        duplicates=int(duplicate.sum()),
    )


def _read_rows(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise CorpusError(
            f"corpus.path: there is no file {path}; put the corpus there, or set corpus.path to where it is."
        )
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    if path.suffix.lower() not in readers:
        raise CorpusError(
            f"corpus.path: {path} ends in {path.suffix or 'nothing'}; give a .csv or a .jsonl file, one report a row."
        )
    try:
        rows = readers[path.suffix.lower()](path)
    except UnicodeDecodeError as error:
        raise CorpusError(f"corpus.path: {path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from None
    if rows.empty:
        raise CorpusError(f"corpus.path: {path} holds no reports; give a file with at least a few hundred.")
    return rows


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        # "None" and "NA" may be words of a report, and 007 an identifier: everything is text.
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except pd.errors.ParserError:
        # pandas' own message may quote the row.
        raise CorpusError(
            f"corpus.path: {path} is not a table: rows differ in their number of fields; "
            f"separate fields with commas and quote those that hold one."
        ) from None


def _read_jsonl(path: Path) -> pd.DataFrame:
    # As objects: beside a missing value pandas would turn the category 2 into 2.0.
    return pd.DataFrame(list(_json_rows(path)), dtype=object)


def _json_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise CorpusError(
                    f"corpus.path: {path}, line {number} is not JSON ({error.msg}); write one object a line."
                ) from None
            if not isinstance(row, dict):
                raise CorpusError(f"corpus.path: {path}, line {number} is not an object; write {{...}} a line.")
            yield row


def _present_columns(rows: pd.DataFrame, settings: Corpus) -> dict[str, str]:
    """The corpus's column for each of our fields; a field set to null is left out."""
    wanted = {
        "description": settings.columns.description,
        "category": settings.columns.category,
        "conclusion": settings.columns.conclusion,
        "patient": settings.columns.patient,
    }
    present = {field: column for field, column in wanted.items() if column is not None}
    for field, column in present.items():
        if column not in rows.columns:
            raise CorpusError(
                f"corpus.columns.{field} is {column!r}, but {settings.path} has {_column_names(rows)}; set it to one "
                f"of its columns" + (" or to null." if field in ("conclusion", "patient") else ".")
            )
    return present


def _column_names(rows: pd.DataFrame) -> str:
    """The columns by name, unless the first line looks like a report's text instead of a header."""
    names = list(map(str, rows.columns))
    if max(map(len, names)) > LONGEST_NAME:
        return f"{len(names)} columns and a first line that does not look like their names"
    return f"the columns {names}"


def _clean(value: object) -> str:
    """A field on one line: a line break would end the report for the model."""
    return "" if value is None or value != value else " ".join(str(value).split())


def _categories(reports: pd.DataFrame, settings: Corpus) -> list[str]:
    found = sorted(reports["category"].unique())
    if settings.categories is None:
        if max(map(len, found)) > LONGEST_NAME:
            raise CorpusError(
                f"corpus.columns.category: {settings.path} has categories of over {LONGEST_NAME} characters; "
                f"set it to the column that holds the label, or declare corpus.categories."
            )
        if len(found) < 2:
            raise CorpusError(f"corpus.columns.category: all reports of {settings.path} have one category; give two.")
        if unknown := sorted(set(settings.critical_categories) - set(found)):
            raise CorpusError(f"corpus.critical_categories names {unknown}, which {settings.path} does not hold.")
        return found
    undeclared = reports[~reports["category"].isin(settings.categories)]
    if not undeclared.empty:
        raise CorpusError(
            f"corpus.categories: {len(undeclared)} reports of {settings.path} (first: row "
            f"{undeclared['report'].iloc[0]}) have a category outside the declared set {settings.categories}; "
            f"add it to corpus.categories, correct the file, or set corpus.categories to null to take the file's."
        )
    return list(settings.categories)
