"""Tables as hospital systems write them: merged cells, groups, repeated headers, hidden rows, marks instead of values.

Each layout gives the same reports and patients as a flat table, or is refused; what is unusual is counted.
"""

import csv as csv_module
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from anamnesis.corpus.refusals import CorpusError, Notice, Refusal
from tests.exports import ROWS, SECRET, Taken, csv, jsonl, settings, taken, with_columns

HEADER = list(ROWS[0])
FLAT = [[str(value).replace("\n", " ") for value in row.values()] for row in ROWS]
REPORTS = [
    {"description": description, "conclusion": conclusion, "category": category}
    for _, description, conclusion, category in FLAT
]
PATIENTS = [i // 3 + 1 for i in range(60)]

Table = Sequence[Sequence[Any]]


def delimited(path: Path, table: Table) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv_module.writer(file, delimiter=";").writerows(table)
    return path


def workbook(path: Path, **sheets: Table) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, table in sheets.items():
        sheet = book.create_sheet(name)
        for row in table:
            sheet.append(list(row))
    book.save(path)
    return path


def changed(path: Path, change: Callable[[Any], object]) -> Path:
    """A workbook after a change of its first sheet."""
    book = openpyxl.load_workbook(path)
    change(book.worksheets[0])
    book.save(path)
    return path


def assert_is_flat(got: Taken, **noticed: int) -> None:
    assert got.reports == REPORTS
    assert got.patients == PATIENTS
    assert got.refused == []
    assert {notice.value: count for notice, count in got.account.noticed.items() if count} == noticed


def only_first(table: Table) -> list[list[Any]]:
    """The table with the patient in the first of its rows only."""
    return [[row[0] if i % 3 == 0 else None, *row[1:]] for i, row in enumerate(table)]


def merge_patients(sheet: Any) -> None:
    for first in range(2, 62, 3):
        sheet.merge_cells(start_row=first, end_row=first + 2, start_column=1, end_column=1)


# ---- Merged cells --------------------------------------------------------------------------------------------------


def test_a_merged_patient_belongs_to_all_its_rows(tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.xlsx", a=[HEADER, *only_first(FLAT)])
    assert_is_flat(taken(settings(changed(path, merge_patients)), tmp_path), merged_cells=40)


def test_merged_cells_are_found_below_and_right_of_an_empty_area(tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.xlsx", a=[[], [], [None, None, "Выгрузка"], HEADER, *only_first(FLAT)])

    def move(sheet: Any) -> None:
        sheet.insert_cols(1, 2)
        for first in range(5, 65, 3):
            sheet.merge_cells(start_row=first, end_row=first + 2, start_column=3, end_column=3)

    assert_is_flat(taken(settings(changed(path, move)), tmp_path), merged_cells=40)


def test_a_cell_merged_across_columns_stays_in_its_first(tmp_path: Path) -> None:
    """A patient's name must not become a description."""
    table = [HEADER, *FLAT, [f"Пациент {SECRET}"]]
    path = workbook(tmp_path / "c.xlsx", a=table)
    got = taken(settings(changed(path, lambda sheet: sheet.merge_cells("A62:D62"))), tmp_path)
    assert_is_flat(got, patient_rows=1)


def test_an_empty_row_inside_a_merged_cell_is_no_report(tmp_path: Path) -> None:
    table = only_first(FLAT)
    path = workbook(tmp_path / "c.xlsx", a=[HEADER, *table[:57], [], *table[57:]])

    def merge(sheet: Any) -> None:
        for first in [*range(2, 59, 3), 60]:
            last = first + 3 if first == 56 else first + 2
            sheet.merge_cells(start_row=first, end_row=last, start_column=1, end_column=1)

    got = taken(settings(changed(path, merge)), tmp_path)
    assert_is_flat(got, merged_cells=40)


def test_an_empty_patient_cell_is_not_filled_without_a_sign_of_a_group(tmp_path: Path) -> None:
    """Whoever is missing there may be known elsewhere: the report would be in another part than its patient's."""
    for path in (
        delimited(tmp_path / "c.csv", [HEADER, *only_first(FLAT)]),
        workbook(tmp_path / "c.xlsx", a=[HEADER, *only_first(FLAT)]),
    ):
        got = taken(settings(path, max_refused_share=0.9), tmp_path)
        assert [one["reason"] for one in got.refused] == [Refusal.PATIENT_MISSING] * 40
        assert len(got.reports) == 20


# ---- Groups --------------------------------------------------------------------------------------------------------


def grouped(*rows_between: Sequence[Any]) -> list[list[Any]]:
    table: list[list[Any]] = [HEADER]
    for first in range(0, 60, 3):
        table.append([FLAT[first][0], "", "", ""])
        for row in FLAT[first : first + 3]:
            table += [["", *row[1:]], *map(list, rows_between)]
    return table


@pytest.mark.parametrize("make", [delimited, lambda path, table: workbook(path.with_suffix(".xlsx"), a=table)])
def test_a_grouping_row_names_the_patient_of_the_rows_below(
    make: Callable[[Path, Table], Path], tmp_path: Path
) -> None:
    path = make(tmp_path / "c.csv", grouped())
    assert_is_flat(taken(settings(path), tmp_path), patient_rows=20, grouped_rows=60)


@pytest.mark.parametrize("text", ["Итого: 3", "ИТОГО", "Всего записей 3", "Страница 2 из 5", "стр. 2", "Лист 3"])
def test_a_total_or_a_page_between_the_rows_of_a_patient_is_no_patient(text: str, tmp_path: Path) -> None:
    path = delimited(tmp_path / "c.csv", grouped([text, "", "", ""]))
    assert_is_flat(taken(settings(path), tmp_path), patient_rows=20, grouped_rows=60, single_cells=60)


@pytest.mark.parametrize("name", ["Лист Ференц", "Итогова Анна"])
def test_a_patient_called_like_a_page_or_a_total_is_a_patient(name: str, tmp_path: Path) -> None:
    table = [[name if cell == "п5" else cell for cell in row] for row in grouped()]
    path = delimited(tmp_path / "c.csv", table)
    assert_is_flat(taken(settings(path), tmp_path), patient_rows=20, grouped_rows=60)


def test_a_refused_row_ends_a_group(tmp_path: Path) -> None:
    """It may have named the next patient: the reports below it are not taken for the patient above."""
    path = delimited(tmp_path / "c.csv", grouped())
    text = path.read_text(encoding="utf-8")
    cut = re.sub("^п1[;,]+", "п1", text, flags=re.MULTILINE)
    assert cut != text
    path.write_text(cut, encoding="utf-8")
    got = taken(settings(path, max_refused_share=0.9), tmp_path)
    assert [one["reason"] for one in got.refused] == [Refusal.WRONG_NUMBER_OF_FIELDS, *[Refusal.PATIENT_MISSING] * 3]
    assert len(got.reports) == 57


def test_groups_in_groups_are_refused(tmp_path: Path) -> None:
    table = [HEADER, ["Отделение 1", "", "", ""], *grouped()[1:]]
    with pytest.raises(CorpusError, match="has 2 grouping rows one below the other") as caught:
        taken(settings(delimited(tmp_path / "c.csv", table)), tmp_path)
    assert "Отделение" not in str(caught.value)


def test_signatures_below_a_grouped_list_do_no_harm(tmp_path: Path) -> None:
    table = [*grouped(), [f"Врач {SECRET}", "", "", ""], ["Исполнитель", "", "", ""]]
    assert_is_flat(taken(settings(delimited(tmp_path / "c.csv", table)), tmp_path), patient_rows=22, grouped_rows=60)


def test_after_a_row_with_its_own_patient_nothing_is_filled_in(tmp_path: Path) -> None:
    table = [HEADER, *FLAT[:30], ["п10", "", "", ""], ["", *FLAT[30][1:]], *FLAT[31:]]
    got = taken(settings(delimited(tmp_path / "c.csv", table)), tmp_path)
    assert [(one["row"], one["reason"]) for one in got.refused] == [(31, Refusal.PATIENT_MISSING)]
    assert got.reports == [*REPORTS[:30], *REPORTS[31:]]


def test_a_row_with_nothing_but_a_description_is_refused_and_not_left_out(tmp_path: Path) -> None:
    table = [HEADER, *FLAT, ["", f"Узел, {SECRET}", "", ""], ["", "", "", "II"]]
    got = taken(settings(delimited(tmp_path / "c.csv", table)), tmp_path)
    assert [one["reason"] for one in got.refused] == [Refusal.CONCLUSION_MISSING, Refusal.DESCRIPTION_MISSING]
    assert got.account.noticed == Counter()


def test_a_group_by_another_column_is_left_out(tmp_path: Path) -> None:
    table = [["Отделение", *HEADER], ["Первое", "", "", "", ""], *(["", *row] for row in FLAT)]
    assert_is_flat(taken(settings(delimited(tmp_path / "c.csv", table)), tmp_path), single_cells=1)


# ---- Headers -------------------------------------------------------------------------------------------------------


def test_a_header_of_two_rows_is_read_by_its_lower_cells(tmp_path: Path) -> None:
    upper, lower = ["Пациент", "Исследование", "", "Категория"], ["", "Описание", "Заключение", ""]
    path = delimited(tmp_path / "c.csv", [["Выгрузка", "", "", ""], upper, lower, *FLAT])
    assert_is_flat(taken(settings(path), tmp_path), two_row_headers=1)


def test_merged_cells_of_a_header_are_read(tmp_path: Path) -> None:
    table = [["Пациент", "Исследование", None, "Категория"], [None, "Описание", "Заключение"], *FLAT]
    path = workbook(tmp_path / "c.xlsx", a=table)

    def merge(sheet: Any) -> None:
        for cells in ("A1:A2", "B1:C1", "D1:D2"):
            sheet.merge_cells(cells)

    assert_is_flat(taken(settings(changed(path, merge)), tmp_path))


def test_columns_of_one_name_are_told_apart_by_the_cell_above(tmp_path: Path) -> None:
    upper = ["Пациент", "УЗИ", "", "Цитология", "", ""]
    lower = ["", "Описание", "Заключение", "Описание", "Заключение", "Категория"]
    table = [upper, lower, *([row[0], "изоэхогенный", "киста", *row[1:]] for row in FLAT)]
    path = delimited(tmp_path / "c.csv", table)
    columns = with_columns(
        description="Цитология Описание", conclusion="Цитология Заключение", category="Цитология Категория"
    )
    assert_is_flat(taken(settings(path, columns=columns), tmp_path), two_row_headers=1)
    with pytest.raises(CorpusError, match="has 2 columns of that name"):
        taken(settings(path), tmp_path)


def test_a_repeated_header_and_numbered_columns_are_left_out(tmp_path: Path) -> None:
    numbered = [1, 2, 3, 4]
    table = [HEADER, numbered, *FLAT[:20], HEADER, numbered, *FLAT[20:40], HEADER, *FLAT[40:]]
    for path in (delimited(tmp_path / "c.csv", table), workbook(tmp_path / "c.xlsx", a=table)):
        assert_is_flat(taken(settings(path), tmp_path), repeated_headers=4)


def test_both_rows_of_a_repeated_header_are_left_out(tmp_path: Path) -> None:
    header = [["Пациент", "Исследование", "", "Категория"], ["", "Описание", "Заключение", ""]]
    path = delimited(tmp_path / "c.csv", [*header, *FLAT[:30], *header, *FLAT[30:]])
    assert_is_flat(taken(settings(path), tmp_path), two_row_headers=1, repeated_headers=2)


# ---- Sheets and hidden rows ----------------------------------------------------------------------------------------

INSTRUCTIONS = [["Как заполнять"], ["Описание", "то, что видит цитолог"], ["Врач", SECRET]]


@pytest.mark.parametrize("first", [False, True])
def test_a_sheet_of_instructions_is_left_out(first: bool, tmp_path: Path) -> None:
    sheets = {"инструкция": INSTRUCTIONS, "отчёты": [HEADER, *FLAT]}
    path = workbook(tmp_path / "c.xlsx", **(sheets if first else dict(reversed(sheets.items()))))
    assert_is_flat(taken(settings(path), tmp_path), other_sheets=3)


def test_a_workbook_of_other_sheets_alone_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.xlsx", a=INSTRUCTIONS)
    with pytest.raises(CorpusError, match=r"corpus\.columns\.description is 'Описание', but sheet 1 of ") as caught:
        taken(settings(path), tmp_path)
    assert SECRET not in str(caught.value)


def test_a_sheet_that_goes_on_without_a_header_is_refused(tmp_path: Path) -> None:
    """As an old .xls continues after 65,536 rows: leaving it out would lose reports."""
    path = workbook(tmp_path / "c.xlsx", a=[HEADER, *FLAT[:30]], b=FLAT[30:])
    with pytest.raises(CorpusError, match=r"sheet 2 of .* has none of the columns, but rows with cells where"):
        taken(settings(path), tmp_path)


def test_a_sheet_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.xlsx", a=[HEADER, *FLAT], b=[["Пациент", "Описание", "Заключение"], ["п", "x", "y"]])
    with pytest.raises(CorpusError, match=r"columns\.category is 'Категория', but sheet 2 of "):
        taken(settings(path), tmp_path)


def test_hidden_rows_and_sheets_are_read_and_counted(tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.xlsx", a=[HEADER, *FLAT[:30]], b=[HEADER, *FLAT[30:]])

    def hide(sheet: Any) -> None:
        for row in (3, 4, 9, 300):
            sheet.row_dimensions[row].hidden = True
        sheet.parent.worksheets[1].sheet_state = "hidden"

    assert_is_flat(taken(settings(changed(path, hide)), tmp_path), hidden_rows=3, hidden_sheets=1)


# ---- Marks instead of values ---------------------------------------------------------------------------------------

MISSING = ["NULL", "null", "н/д", "Н/Д", "нд", "н.д.", "#Н/Д", "#N/A", "NaN", "N/A", "-", "—", "...", "нет данных"]
MISSING += ["не указано", "неизвестно", "\\N", "(null)", "########", "?"]


@pytest.mark.parametrize("mark", MISSING)
def test_a_mark_of_a_missing_value_is_no_value(mark: str, tmp_path: Path) -> None:
    bad = [{**ROWS[0], column: mark} for column in HEADER]
    got = taken(settings(jsonl(tmp_path / "c.jsonl", [*ROWS, *bad])), tmp_path)
    reasons = ["patient_missing", "description_missing", "conclusion_missing", "category_missing"]
    assert [one["reason"] for one in got.refused] == reasons
    assert got.account.noticed == Counter({Notice.MISSING_MARKS: 4})


def test_a_declared_category_is_no_mark(tmp_path: Path) -> None:
    rows = [{**row, "Категория": "+-"[i % 2]} for i, row in enumerate(ROWS)]
    changes: dict[str, Any] = {"category_system": "verbatim", "categories": ["+", "-"], "critical_categories": []}
    got = taken(settings(jsonl(tmp_path / "c.jsonl", rows), **changes), tmp_path)
    assert [report["category"] for report in got.reports] == ["+", "-"] * 30


@pytest.mark.parametrize("number", ["000", "0000000", "00-00"])
def test_zeros_are_no_patient_but_zero_is(number: str, tmp_path: Path) -> None:
    rows = [*ROWS, {**ROWS[0], "Пациент": number}, {**ROWS[1], "Описание": "Узел плотный.", "Пациент": "0"}]
    got = taken(settings(jsonl(tmp_path / "c.jsonl", rows)), tmp_path)
    assert [(one["row"], one["reason"]) for one in got.refused] == [(61, Refusal.PATIENT_MISSING)]


@pytest.mark.parametrize("mark", ["то же", "То же", "ТОЖЕ", "тот же", "та же", "-//-", "—//—", "-«-", "″", "ditto"])
def test_a_ditto_mark_repeats_the_cell_above(mark: str, tmp_path: Path) -> None:
    table = [[row[0] if i % 3 == 0 else mark, *row[1:]] for i, row in enumerate(FLAT)]
    assert_is_flat(taken(settings(delimited(tmp_path / "c.csv", [HEADER, *table])), tmp_path), ditto_marks=40)
    rows = [dict(zip(HEADER, row, strict=True)) for row in table]
    assert_is_flat(taken(settings(jsonl(tmp_path / "c.jsonl", rows)), tmp_path), ditto_marks=40)


def test_a_ditto_mark_below_a_refused_row_is_refused(tmp_path: Path) -> None:
    table = [HEADER, *FLAT[:59], ["п19", "Узел"], ["то же", *FLAT[59][1:]]]
    got = taken(settings(delimited(tmp_path / "c.csv", table)), tmp_path)
    assert [one["reason"] for one in got.refused] == [Refusal.WRONG_NUMBER_OF_FIELDS, Refusal.NOTHING_ABOVE]
    first = [HEADER, ["то же", *FLAT[0][1:]], *FLAT[1:]]
    got = taken(settings(delimited(tmp_path / "d.csv", first)), tmp_path)
    assert got.refused == [{"file": "d.csv", "row": 1, "reason": "nothing_above"}]


# ---- Numbers of patients -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["1.23457E+12", "1,23457E+12", "1,23E+15", "1.2e12", "1E+12", "1,23457Е+12"])
def test_a_number_that_lost_digits_is_no_patient(number: str, tmp_path: Path) -> None:
    rows = [*ROWS, {**ROWS[0], "Пациент": number}]
    (tmp_path / "c.csv").write_text(csv(rows, ";"), encoding="utf-8")
    got = taken(settings(tmp_path / "c.csv"), tmp_path)
    assert [one["reason"] for one in got.refused] == [Refusal.PATIENT_ROUNDED]


def test_a_workbooks_own_numbers_are_read_up_to_15_digits(tmp_path: Path) -> None:
    numbers = [123456789012345 + i for i in range(20)]
    table = [[numbers[i // 3], *row[1:]] for i, row in enumerate(FLAT)]
    path = workbook(tmp_path / "c.xlsx", a=[HEADER, *table])
    assert_is_flat(taken(settings(path), tmp_path))
    policy = workbook(tmp_path / "d.xlsx", a=[HEADER, *table, [1234567890123456, *FLAT[0][1:]]])
    got = taken(settings(policy), tmp_path)
    assert [one["reason"] for one in got.refused] == [Refusal.PATIENT_ROUNDED]


@pytest.mark.parametrize("number", ["1E3", "12E45", "К1.5", "E12"])
def test_a_code_with_an_e_is_a_patient(number: str, tmp_path: Path) -> None:
    rows = [*ROWS, {**ROWS[0], "Описание": "Узел плотный.", "Пациент": number}]
    assert taken(settings(jsonl(tmp_path / "c.jsonl", rows)), tmp_path).refused == []
