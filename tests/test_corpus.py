"""Reading, splitting and writing out reports: every row is accounted for, and no text leaves in a message."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anamnesis.corpus.reading import CorpusError, read_corpus
from anamnesis.corpus.rendering import completion, parse_completion, prompt, terminated
from anamnesis.corpus.splitting import split_by_patient
from anamnesis.errors import InputError
from anamnesis.settings import Columns, Corpus
from tests.conftest import HEADINGS

SECRET = "Секретова"

ROWS: list[dict[str, Any]] = [
    {"text": f"Узел {i} мм,\n {SECRET}", "code": "IV" if i % 2 else "II", "end": f"Вывод {i}.", "who": f"p{i // 3}"}
    for i in range(60)
]


def settings(path: Path, **changes: Any) -> Corpus:
    values: dict[str, Any] = {
        "path": str(path),
        "columns": Columns(description="text", category="code", conclusion="end", patient="who"),
        "headings": HEADINGS,
        "label": "bethesda",
        "categories": ["II", "IV"],
        "critical_categories": ["IV"],
        "validation_share": 0.1,
        "test_share": 0.2,
        "seed": 0,
    }
    return Corpus(**(values | changes))


def jsonl(tmp_path: Path, rows: list[Any]) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_csv_and_jsonl_give_the_same_reports(tmp_path: Path) -> None:
    table = tmp_path / "corpus.csv"
    pd.DataFrame(ROWS).to_csv(table, index=False, encoding="utf-8-sig")
    from_csv = read_corpus(settings(table))
    from_jsonl = read_corpus(settings(jsonl(tmp_path, ROWS)))
    pd.testing.assert_frame_equal(from_csv.reports, from_jsonl.reports)
    assert len(from_csv.reports) == 60
    assert from_csv.reports["description"][3] == f"Узел 3 мм, {SECRET}"


def test_a_report_is_kept_once_whoever_it_is_said_to_be_of(tmp_path: Path) -> None:
    rows = [*ROWS, {**ROWS[0], "who": "another"}]
    assert read_corpus(settings(jsonl(tmp_path, rows))).duplicates == 1
    columns = Columns(description="text", category="code", conclusion="end", patient=None)
    assert read_corpus(settings(jsonl(tmp_path, rows), columns=columns)).duplicates == 1


def test_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    rows = [{**row, "code": 2 if i % 2 else 4, "who": i // 3} for i, row in enumerate(ROWS)]
    path = jsonl(tmp_path, [*rows, {"text": "x", "code": None, "end": "y", "who": 99}])
    reading = read_corpus(settings(path, categories=["2", "4"], critical_categories=[]))
    assert set(reading.reports["category"]) == {"2", "4"}
    assert reading.reports["patient"][59] == "19"


def test_a_comma_at_the_end_of_rows_shifts_nothing(tmp_path: Path) -> None:
    lines = [
        "text,code,end,who",
        *(f"Узел {i},II,Вывод,p{i}," for i in range(5)),
        *(f"Ещё {i},IV,Вывод,q{i}," for i in range(5)),
    ]
    (tmp_path / "corpus.csv").write_text("\n".join(lines), encoding="utf-8")
    assert read_corpus(settings(tmp_path / "corpus.csv")).reports["category"].tolist() == ["II"] * 5 + ["IV"] * 5


def test_every_row_is_kept_dropped_or_quarantined(tmp_path: Path) -> None:
    rows = [*ROWS, ROWS[0], {**ROWS[1], "text": "  "}, {**ROWS[2], "code": None}, {"code": "II", "who": "p9"}]
    reading = read_corpus(settings(jsonl(tmp_path, rows)))
    assert (len(reading.reports), reading.duplicates, len(reading.quarantine)) == (60, 1, 3)
    assert reading.rows_in == 64
    assert reading.quarantine["report"].tolist() == [62, 63, 64]
    assert reading.quarantine["reason"].tolist() == [
        "description is empty",
        "category is empty",
        "description is empty",
    ]


def test_words_that_pandas_takes_for_missing_stay_words(tmp_path: Path) -> None:
    rows = [{**row, "end": "None"} for row in ROWS]
    table = tmp_path / "corpus.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    assert set(read_corpus(settings(table)).reports["conclusion"]) == {"None"}


def test_a_corpus_without_conclusions_and_patients_is_taken(tmp_path: Path) -> None:
    columns = Columns(description="text", category="code", conclusion=None, patient=None)
    reading = read_corpus(settings(jsonl(tmp_path, ROWS), columns=columns))
    assert reading.reports["patient"].is_unique
    assert set(reading.reports["conclusion"]) == {""}


def test_categories_can_be_taken_from_the_file(tmp_path: Path) -> None:
    path = jsonl(tmp_path, [{**row, "code": f"K{i % 5}"} for i, row in enumerate(ROWS)])
    reading = read_corpus(settings(path, categories=None, critical_categories=[]))
    assert reading.categories == ["K0", "K1", "K2", "K3", "K4"]


def test_a_column_of_texts_is_not_taken_for_categories(tmp_path: Path) -> None:
    path = jsonl(tmp_path, [{**row, "code": f"{SECRET} {i} " * 9} for i, row in enumerate(ROWS)])
    with pytest.raises(CorpusError, match="categories of over 60 characters") as caught:
        read_corpus(settings(path, categories=None, critical_categories=[]))
    assert SECRET not in str(caught.value)


def bad_rows() -> dict[str, tuple[list[Any], str]]:
    return {
        "undeclared category": ([*ROWS, {**ROWS[0], "code": "VII"}], "corpus.categories: 1 reports"),
        "no complete row": ([{"text": "", "code": "", "end": "", "who": ""}] * 3, "no complete report"),
        "wrong column": ([{"description": SECRET, "code": "II", "end": "", "who": "p"}], "corpus.columns.description"),
        "not an object": ([[SECRET]], "line 1 is not an object"),
        "empty": ([], "holds no reports"),
        "no header, so that a report stands in its place": (
            [{f"{SECRET} " * 9: "x", "II": "II"}],
            "2 columns and a first line that does not look like their names",
        ),
    }


@pytest.mark.parametrize("case", bad_rows())
def test_a_bad_corpus_is_refused_in_one_sentence_without_its_text(tmp_path: Path, case: str) -> None:
    rows, said = bad_rows()[case]
    with pytest.raises(CorpusError) as caught:
        read_corpus(settings(jsonl(tmp_path, rows)))
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.jsonl", None, "there is no file"),
        ("corpus.xlsx", b"PK", "give a .csv or a .jsonl file"),
        ("corpus.csv", b"", "holds no reports"),
        ("corpus.csv", "text,code\nа\n".encode("cp1251"), "not UTF-8"),
        ("corpus.csv", f'text,code,end,who\na,II,b,c\n"{SECRET},II,x,y,z\n'.encode(), "not a table"),
        ("corpus.csv", b"text;code;end;who\na;II;b;c\n", "has the columns ['text;code;end;who']"),
        ("corpus.jsonl", f"{{'{SECRET}'".encode(), "line 1 is not JSON"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        read_corpus(settings(tmp_path / name))
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_no_patient_is_in_two_parts_and_no_report_is_lost(tmp_path: Path) -> None:
    reports = read_corpus(settings(jsonl(tmp_path, ROWS))).reports
    parts = split_by_patient(reports, 0.1, 0.2, seed=0)
    patients = [set(part["patient"]) for part in parts.values()]
    assert all(not first & second for first, second in combinations(patients, 2))
    together = pd.concat(parts.values()).sort_values("report").reset_index(drop=True)
    pd.testing.assert_frame_equal(together, reports)
    assert len(parts["test"]) == pytest.approx(12, abs=3)
    assert len(parts["validation"]) == pytest.approx(6, abs=3)


def test_split_depends_on_the_seed_alone(tmp_path: Path) -> None:
    reports = read_corpus(settings(jsonl(tmp_path, ROWS))).reports
    first, again, other = (split_by_patient(reports, 0.1, 0.2, seed)["test"] for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert set(first["report"]) != set(other["report"])


def test_too_few_patients_are_refused(tmp_path: Path) -> None:
    rows = [{**row, "who": f"p{i % 2}"} for i, row in enumerate(ROWS)]
    reports = read_corpus(settings(jsonl(tmp_path, rows))).reports
    with pytest.raises(CorpusError, match="2 patients"):
        split_by_patient(reports, 0.1, 0.2, seed=0)


# ---- A report as text --------------------------------------------------------------------------------------------

CATEGORIES = ["I", "II", "III", "IV", "V", "VI"]


def test_a_report_reads_as_documented() -> None:
    text = prompt("Узел 8 мм.", HEADINGS) + completion("IV", "Неоплазия.")
    assert text == "Описание: Узел 8 мм.\nЗаключение: Bethesda IV. Неоплазия."
    assert completion("K29", "") == " K29."


@given(st.sampled_from(CATEGORIES), st.text(st.characters(categories=["L", "N"]), max_size=20))
def test_a_completion_is_parsed_back(category: str, conclusion: str) -> None:
    assert parse_completion(completion(category, conclusion), CATEGORIES) == (category, conclusion)


@pytest.mark.parametrize("text", ["", " VII. Что-то", " Неясно", "II2", " i. x"])
def test_what_names_no_declared_category_is_none(text: str) -> None:
    assert parse_completion(text, CATEGORIES)[0] is None


def test_categories_are_terminated_where_one_begins_another() -> None:
    """By characters I begins II: without an end the shorter is never less probable."""
    by_character = terminated(CATEGORIES, lambda text: [ord(c) for c in text])
    assert by_character == [" I.", " II.", " III.", " IV.", " V.", " VI."]
    with pytest.raises(InputError, match="begins another"):
        terminated(["K29", "K29.1"], lambda text: [ord(c) for c in text])
    one_token_each = terminated(CATEGORIES, lambda text: [hash(text)])
    assert one_token_each == [" I", " II", " III", " IV", " V", " VI"]
