"""Exports for the tests: the same reports in the formats that hospitals use, and a function that takes one in."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anamnesis.corpus.intake import Account, take_in
from anamnesis.corpus.staging import Staging
from anamnesis.settings.corpus import Columns, Corpus, Deidentification, Sections
from tests.conftest import HEADINGS

# Occurs in every text, and must not occur in any message.
SECRET = "Секретова"
CATEGORIES = ["I", "II", "III", "IV", "V", "VI"]

COLUMNS = Columns(text=None, description="Описание", conclusion="Заключение", category="Категория", patient="Пациент")
ROWS: list[dict[str, Any]] = [
    {
        "Пациент": f"п{i // 3}",
        "Описание": f'Узел {i} мм; фон "кровянистый", {SECRET},\nгруппы по {i % 7 + 2} клеток.',
        "Заключение": f"Картина узла, контроль через {i % 5 + 1} мес.",
        "Категория": CATEGORIES[i % 6],
    }
    for i in range(60)
]
# The reports expected from these rows.
EXPECTED = [
    {
        "description": f'Узел {i} мм; фон "кровянистый", {SECRET}, группы по {i % 7 + 2} клеток.',
        "conclusion": f"Картина узла, контроль через {i % 5 + 1} мес.",
        "category": CATEGORIES[i % 6],
    }
    for i in range(60)
]


def settings(path: Path, **changes: Any) -> Corpus:
    values: dict[str, Any] = {
        "path": str(path),
        "encoding": None,
        "delimiter": None,
        "columns": COLUMNS,
        "sections": Sections(description=["Описание"], conclusion=["Заключение"], other=["Врач"]),
        "headings": HEADINGS,
        "label": "bethesda",
        "category_system": "tbsrtc",
        "categories": CATEGORIES,
        "critical_categories": ["V", "VI"],
        "max_characters": 20_000,
        "max_refused_share": 0.5,
        "boilerplate_share": 0.5,
        "deidentification": Deidentification(
            enabled=False, engine="rules", clinical_words=[], key_variable=None, max_date_shift_days=None
        ),
        "near_duplicate_similarity": 0.8,
        "validation_share": 0.1,
        "test_share": 0.2,
        "seed": 0,
    }
    return Corpus(**(values | changes))


@dataclass(frozen=True)
class Taken:
    """The result of an export: staged reports, patients by number, refused rows, and the account."""

    reports: list[dict[str, str]]
    patients: list[int]
    refused: list[dict[str, Any]]
    account: Account


def taken(corpus: Corpus, scratch: Path) -> Taken:
    """Takes an export in, and checks that the account adds up."""
    with Staging(scratch / "staging.jsonl") as staging:
        account = take_in(corpus, staging, scratch / "quarantine.jsonl")
        rows = [json.loads(line) for line in staging.lines(range(len(staging)))]
    account.check([len(rows)])
    refused = [json.loads(line) for line in (scratch / "quarantine.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(refused) == account.quarantined
    reports = [{field: row[field] for field in ("description", "conclusion", "category")} for row in rows]
    return Taken(reports, [row["patient"] for row in rows], refused, account)


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def csv(rows: list[dict[str, Any]], delimiter: str = ",", line_end: str = "\n") -> str:
    def cell(value: object) -> str:
        return '"' + str(value).replace('"', '""') + '"'

    return line_end.join(
        [delimiter.join(map(cell, rows[0])), *(delimiter.join(map(cell, row.values())) for row in rows), ""]
    )


def with_columns(**changes: str | None) -> Columns:
    return replace(COLUMNS, **changes)
