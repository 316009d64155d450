"""Every reasonable export gives the same reports; an error is reported as one sentence or as a reason code."""

import csv as csv_module
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from anamnesis.corpus.formats.json_objects import _AsUtf8
from anamnesis.corpus.refusals import CorpusError, Refusal
from anamnesis.settings.corpus import Columns
from tests.exports import CATEGORIES, EXPECTED, ROWS, SECRET, csv, jsonl, settings, taken, with_columns

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "rumedbench" / "RuMedTop3"

Made = tuple[Path, dict[str, Any]]


# ---- Good ----------------------------------------------------------------------------------------------------------


def text_file(name: str, encoding: str = "utf-8", delimiter: str = ",", line_end: str = "\n") -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        content = csv(ROWS, delimiter, line_end).encode(encoding)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path, {}

    return make


def json_file(name: str, content: Callable[[list[dict[str, Any]]], str], encoding: str = "utf-8") -> Any:
    def make(folder: Path) -> Made:
        path = folder / name
        encoded = content(ROWS).encode(encoding)
        path.write_bytes(gzip.compress(encoded) if name.endswith(".gz") else encoded)
        return path, {}

    return make


def changed(
    change: Callable[[dict[str, Any]], dict[str, Any]], name: str = "corpus.jsonl", **settings_changes: Any
) -> Callable[[Path], Made]:
    """JSON Lines with every row changed."""
    return lambda folder: (jsonl(folder / name, [change(row) for row in ROWS]), settings_changes)


def workbook(title_rows: int = 0, sheets: int = 1, number_patients: bool = False) -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        book = openpyxl.Workbook()
        book.remove(book.active)
        for number in range(sheets):
            sheet = book.create_sheet(f"лист {number}")
            for _ in range(title_rows):
                sheet.append(["Выгрузка", None, "из системы"])
            sheet.append(list(ROWS[0]))
            for row in ROWS[number::sheets] if sheets == 1 else ROWS[30 * number : 30 * number + 30]:
                patient = float(row["Пациент"][1:]) if number_patients else row["Пациент"]
                sheet.append([patient, *list(row.values())[1:]])
        book.create_sheet("пустой")
        book.save(folder / "corpus.xlsx")
        return folder / "corpus.xlsx", {}

    return make


def parquet(folder: Path) -> Made:
    pd.DataFrame(ROWS).assign(лишнее=1).to_parquet(folder / "corpus.parquet")
    return folder / "corpus.parquet", {}


def decimal_patients(folder: Path) -> Made:
    rows = [{**row, "Пациент": Decimal(row["Пациент"][1:])} for row in ROWS]
    pd.DataFrame(rows).to_parquet(folder / "corpus.parquet")
    return folder / "corpus.parquet", {}


def empty_tail(folder: Path) -> Made:
    header, rest = csv(ROWS, ";").split("\n", 1)
    (folder / "corpus.csv").write_text(f"{header};\n{rest}" + ";;;\n" * 300, encoding="utf-8")
    return folder / "corpus.csv", {}


def parquet_gzip(folder: Path) -> Made:
    packed = io.BytesIO()
    pd.DataFrame(ROWS).to_parquet(packed)
    (folder / "corpus.parquet.gz").write_bytes(gzip.compress(packed.getvalue()))
    return folder / "corpus.parquet.gz", {}


def folder_of_all(folder: Path) -> Made:
    root = folder / "выгрузка за год"
    (root / "q2").mkdir(parents=True)
    (root / "1.csv").write_text(csv(ROWS[:20], ";"), encoding="cp1251")
    jsonl(root / "2.jsonl", ROWS[20:40])
    pd.DataFrame(ROWS[40:]).to_excel(root / "q2" / "3.xlsx", index=False)
    (root / ".gitignore").write_text("*")
    return root, {}


def excel_csv(folder: Path) -> Made:
    """As Russian Excel saves a sheet with numeric categories: semicolons, decimal comma, cp1251, CRLF."""
    rows = [{**row, "Категория": f"{CATEGORIES.index(row['Категория']) + 1},00"} for row in ROWS]
    (folder / "corpus.csv").write_bytes(csv(rows, ";", "\r\n").encode("cp1251"))
    return folder / "corpus.csv", {}


def unquoted(folder: Path) -> Made:
    path = folder / "corpus.tsv"
    lines = ["\t".join(ROWS[0]), *("\t".join(str(v).replace("\n", " ") for v in row.values()) for row in ROWS)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv_module.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerows(line.split("\t") for line in lines)
    return path, {}


def declared(folder: Path) -> Made:
    path, _ = text_file("corpus.csv", "iso8859_5", "~")(folder)
    return path, {"encoding": "iso8859_5", "delimiter": "~"}


def padded_header(folder: Path) -> Made:
    header, rest = csv(ROWS).split("\n", 1)
    (folder / "corpus.csv").write_text(header.replace('"', " ") + "\n" + rest, encoding="utf-8")
    return folder / "corpus.csv", {}


def as_split(rows: list[dict[str, Any]], *keys: str) -> str:
    """As pandas writes it with orient="split"."""
    parts = {"columns": list(rows[0]), "index": list(range(60)), "data": [list(row.values()) for row in rows]}
    return json.dumps({key: parts[key] for key in keys}, ensure_ascii=False)


def free_text(row: dict[str, Any]) -> dict[str, Any]:
    text = (
        f"ГБУЗ Больница, {SECRET}\nОПИСАНИЕ: {row['Описание']}\nЗаключение - {row['Заключение']} "
        f"Bethesda {row['Категория']}.\nВрач: {SECRET}"
    )
    return {"Пациент": row["Пациент"], "Протокол": text}


NAMES = {
    "I": "Неинформативный материал",
    "II": "Доброкачественные изменения",
    "III": "Атипия неопределённого значения",
    "IV": "Подозрение на фолликулярную неоплазию",
    "V": "Подозрение на злокачественное новообразование",
    "VI": "Злокачественное новообразование",
}
NAMES_2010 = {
    "I": "Nondiagnostic or Unsatisfactory",
    "II": "Benign",
    "III": "AUS/FLUS",
    "IV": "FN/SFN",
    "V": "Suspicious for Malignancy",
    "VI": "Malignant",
}
TEXT_COLUMNS = Columns(text="Протокол", description=None, conclusion=None, category=None, patient="Пациент")


def category_as(form: Callable[[str], Any], **settings_changes: Any) -> Callable[[Path], Made]:
    return changed(lambda row: {**row, "Категория": form(row["Категория"])}, **settings_changes)


GOOD: dict[str, Callable[[Path], Made]] = {
    "csv, UTF-8": text_file("corpus.csv"),
    "csv, UTF-8 with mark": text_file("corpus.csv", "utf-8-sig"),
    "csv, semicolons": text_file("corpus.csv", delimiter=";"),
    "csv, cp1251, semicolons, CRLF": text_file("corpus.csv", "cp1251", ";", "\r\n"),
    "csv, cp866": text_file("corpus.csv", "cp866", ";"),
    "csv, koi8-r": text_file("corpus.csv", "koi8_r"),
    "csv, UTF-16": text_file("corpus.csv", "utf-16"),
    "csv, UTF-32": text_file("corpus.csv", "utf-32"),
    "csv, lines end in CR": text_file("corpus.csv", line_end="\r"),
    "csv, declared encoding and delimiter": declared,
    "csv, gzip": text_file("corpus.csv.gz"),
    "csv, cp1251, gzip": text_file("corpus.csv.gz", "cp1251", ";"),
    "csv, capital suffix": text_file("CORPUS.CSV"),
    "csv, spaces and Cyrillic in the path": text_file("папка с отчётами/отчёты 2021 (1).csv"),
    "csv, Russian Excel with decimal comma": excel_csv,
    "tsv": text_file("corpus.tsv", delimiter="\t"),
    "tsv, UTF-16 (Excel's Unicode text)": text_file("corpus.txt", "utf-16", "\t", "\r\n"),
    "tsv, quotes only where needed": unquoted,
    "txt, bars": text_file("corpus.txt", delimiter="|"),
    "jsonl": json_file("corpus.jsonl", lambda rows: "\n".join(json.dumps(row) for row in rows)),
    "jsonl with mark": json_file("corpus.jsonl", lambda rows: "\n".join(map(json.dumps, rows)), "utf-8-sig"),
    "jsonl, gzip, empty lines": json_file("corpus.jsonl.gz", lambda rows: "\n\n".join(map(json.dumps, rows))),
    "ndjson, cp1251": json_file(
        "corpus.ndjson", lambda rows: "\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "cp1251"
    ),
    "json list": json_file("corpus.json", lambda rows: json.dumps(rows, ensure_ascii=False, indent=1)),
    "json list inside an object": json_file(
        "corpus.json", lambda rows: json.dumps({"n": 60, "reports": rows}, indent=1)
    ),
    "json list inside an object, on one line": json_file("corpus.json", lambda rows: json.dumps({"reports": rows})),
    "json list, UTF-16": json_file("corpus.json", lambda rows: json.dumps(rows, ensure_ascii=False), "utf-16"),
    "json list, gzip": json_file("corpus.json.gz", json.dumps),
    "json list in a later place of an object": json_file(
        "corpus.json", lambda rows: json.dumps({"ids": [1, 2], "fields": [{"name": "x"}], "reports": rows})
    ),
    "json list with NaN in a column of no use": json_file(
        "corpus.json",
        lambda rows: json.dumps([{**row, "Вес": float("-inf" if i % 2 else "nan")} for i, row in enumerate(rows)]),
    ),
    "json list of reports behind a list of patients": json_file(
        "corpus.json",
        lambda rows: json.dumps({"patients": [{"Пациент": "п1", "Пол": "ж"}], "reports": rows, "codes": [["I", "II"]]}),
    ),
    "json list of lists behind another list": json_file(
        "corpus.json",
        lambda rows: json.dumps({"ids": [1, 2], "rows": [list(rows[0]), *(list(row.values()) for row in rows)]}),
    ),
    "json of columns and data": json_file("corpus.json", lambda rows: as_split(rows, "columns", "index", "data")),
    "json of data and columns": json_file("corpus.json", lambda rows: as_split(rows, "data", "index", "columns")),
    "json of named columns and data": json_file(
        "corpus.json",
        lambda rows: json.dumps(
            {"columns": [{"name": name} for name in rows[0]], "data": [list(row.values()) for row in rows]}
        ),
    ),
    "json with a schema, of pandas": json_file(
        "corpus.json", lambda rows: pd.DataFrame(rows).to_json(orient="table", force_ascii=False)
    ),
    "json of lists with a header": json_file(
        "corpus.json", lambda rows: json.dumps([list(rows[0]), *(list(row.values()) for row in rows)])
    ),
    "jsonl of lists with a header": json_file(
        "corpus.jsonl", lambda rows: "\n".join(map(json.dumps, [list(rows[0]), *(list(row.values()) for row in rows)]))
    ),
    "json lines called json": json_file("corpus.json", lambda rows: "\n".join(map(json.dumps, rows))),
    "xlsx": workbook(),
    "xlsx, a title above the header": workbook(title_rows=3),
    "xlsx, two sheets": workbook(sheets=2),
    "xlsx, numbers for patients": workbook(number_patients=True),
    "parquet": parquet,
    "parquet, decimal patients": decimal_patients,
    "csv, empty rows at the end, as of Excel": empty_tail,
    "parquet, gzip": parquet_gzip,
    "a folder of csv, jsonl and xlsx": folder_of_all,
    "one free text": changed(free_text, columns=TEXT_COLUMNS),
    "category in the conclusion": changed(
        lambda row: {**row, "Заключение": f"{row['Заключение']} Bethesda {row['Категория']}."},
        columns=with_columns(category=None),
    ),
    "category as a number": category_as(lambda category: CATEGORIES.index(category) + 1),
    "category as a fraction": category_as(lambda category: CATEGORIES.index(category) + 1.0),
    "category with the system": category_as(lambda category: f"Bethesda {category} (2023)"),
    "category in Russian": category_as(lambda category: f"категория {category} по системе Bethesda"),
    "category by name": category_as(NAMES.get),
    "category by name, 2010": category_as(NAMES_2010.get),
    "category from a Russian keyboard": category_as(
        lambda category: {"I": "І", "II": "П", "III": "Ш", "IV": "ІУ", "V": "У", "VI": "У1"}[category]
    ),
    "category in Roman numerals of one character": category_as(
        lambda category: chr(ord("Ⅰ") + CATEGORIES.index(category))
    ),
    "no capital letters": category_as(str.lower),
    "columns in another order, and others": changed(
        lambda row: {"Номер": 1, **dict(reversed(row.items())), "Дата": None}
    ),
    "spaces in the names of columns": padded_header,
    "HTML, soft hyphens, and a Latin letter": changed(
        lambda row: {
            **row,
            "Описание": row["Описание"].replace("Узел", "У\u00adзeл").replace(" мм", "&nbsp;мм").replace("\n", "<br/>"),
        }
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_the_same_reports_are_read_from(case: str, tmp_path: Path) -> None:
    path, changes = GOOD[case](tmp_path)
    got = taken(settings(path, **changes), tmp_path / "scratch")
    assert got.reports == EXPECTED
    assert got.patients == [i // 3 + 1 for i in range(60)]
    assert got.refused == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="RuMedBench is not beside the checkout")
def test_rumedbench_is_read_as_it_is(tmp_path: Path) -> None:
    columns = Columns(text=None, description="symptoms", conclusion=None, category="code", patient=None)
    changes: dict[str, Any] = {"columns": columns, "category_system": "icd10", "categories": None}
    corpus = settings(SHARED, critical_categories=[], **changes)
    got = taken(corpus, tmp_path)
    rows = [json.loads(line) for path in sorted(SHARED.glob("*.jsonl")) for line in path.open(encoding="utf-8")]
    assert got.account.rows_in == len(rows) == 6360
    assert got.refused == []
    first_of_each = {(row["symptoms"], row["code"]): row for row in rows}
    assert got.account.duplicates >= len(rows) - len(first_of_each)
    assert {report["category"] for report in got.reports} == {row["code"] for row in rows}


# ---- Bad -----------------------------------------------------------------------------------------------------------

GOOD_ROW = ROWS[0]


def file(name: str, content: bytes | str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return folder / name

    return make


def rows(*bad: Any, among: list[dict[str, Any]] = ROWS) -> Callable[[Path], Path]:
    return lambda folder: jsonl(folder / "corpus.jsonl", [*among, *bad])


def row(**changes: Any) -> Callable[[Path], Path]:
    """One bad row among the good ones."""
    return rows({**GOOD_ROW, **changes})


def in_csv(line: str, at: int = 30) -> Callable[[Path], Path]:
    lines = csv([{**r, "Описание": r["Описание"].replace("\n", " ")} for r in ROWS]).split("\n")
    return file("corpus.csv", "\n".join([*lines[:at], line, *lines[at:]]))


def truncated(name: str, writer: Callable[[Path], Made], keep: float = 0.6) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path, _ = writer(folder)
        content = path.read_bytes()
        path.unlink()
        (folder / name).write_bytes(content[: int(len(content) * keep)])
        return folder / name

    return make


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "corpus.xlsx", "w") as archive:
        archive.writestr("a.txt", SECRET)
    return folder / "corpus.xlsx"


def unreadable(folder: Path) -> Path:
    """A file that no user can read; permissions do not stop a superuser."""
    (folder / "corpus.csv").symlink_to("/proc/self/mem")
    return folder / "corpus.csv"


def mixed_folder(folder: Path) -> Path:
    (folder / "in").mkdir()
    jsonl(folder / "in" / "1.jsonl", ROWS)
    (folder / "in" / "протокол.docx").write_bytes(b"PK")
    return folder / "in"


def one_file_lacks_a_column(folder: Path) -> Path:
    (folder / "in").mkdir()
    jsonl(folder / "in" / "1.jsonl", ROWS)
    jsonl(folder / "in" / "2.jsonl", [{"Описание": SECRET}])
    return folder / "in"


def empty_folder(folder: Path) -> Path:
    (folder / "in").mkdir()
    return folder / "in"


def utf8_with_cp1251_rows(folder: Path) -> Path:
    lines = csv([{**r, "Описание": r["Описание"].replace("\n", " ")} for r in ROWS]).split("\n")
    (folder / "corpus.csv").write_bytes(
        b"\n".join(line.encode("cp1251" if number in (5, 6, 7) else "utf-8") for number, line in enumerate(lines))
    )
    return folder / "corpus.csv"


def with_lines(text: str, delimiter: str, minimal: bool = False) -> Callable[[Path], Made]:
    """Delimited text in which every description has further lines."""

    def make(folder: Path) -> Made:
        path = folder / "corpus.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            quoting = csv_module.QUOTE_MINIMAL if minimal else csv_module.QUOTE_ALL
            writer = csv_module.writer(file, delimiter=delimiter, quoting=quoting)
            writer.writerow(ROWS[0])
            writer.writerows([row["Пациент"], f"{row['Описание']}{text}", *list(row.values())[2:]] for row in ROWS)
        return path, {}

    return make


LINES = {
    "as many commas as the header": ("\nразмеры, контуры, эхо, структура\nфон, клетки, коллоид, нет", ","),
    "as many semicolons as the header": ("\nразмеры;контуры;эхо;структура\nфон;клетки;коллоид;нет", ";"),
    "a table of tabs": ("\nТТГ\t2,1\tмМЕ/л\tнорма\nТ4\t12\tпмоль/л\tнорма\nТ3\t4\tпмоль/л\tнорма", "\t"),
    "bars": ("\n1|2|3|4\n5|6|7|8", "|"),
    "the ends of rows, in prose": (
        "; фон; чистый\nразмеры; контуры; эхо; структура\nгруппы; нет",
        ";",
    ),
}


@pytest.mark.parametrize("minimal", [False, True])
@pytest.mark.parametrize("case", LINES)
def test_a_field_of_lines_like_rows_is_read(case: str, minimal: bool, tmp_path: Path) -> None:
    text, delimiter = LINES[case]
    path, _ = with_lines(text, delimiter, minimal)(tmp_path)
    got = taken(settings(path, delimiter=delimiter), tmp_path / "scratch")
    plain = " ".join(text.split())
    assert [report["description"] for report in got.reports] == [
        f"{row['description']}{'' if plain.startswith(';') else ' '}{plain}" for row in EXPECTED
    ]
    assert got.refused == []


def glued(folder: Path, first: int = 60, last: int = 70, column: int = 1) -> Path:
    """Tab-separated without quoting; a quotation mark opens in row 20 and closes in row 30."""
    rows = [[str(v).replace("\n", " ").replace('"', "") for v in r.values()] for r in [*ROWS, *ROWS[:11]]]
    rows[first][1], rows[last][column] = '"Шоколадная киста', 'киста"'
    lines = ["\t".join(ROWS[0]), *map("\t".join, rows)]
    (folder / "corpus.tsv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "corpus.tsv"


REPEATED_KEY = json.dumps(GOOD_ROW, ensure_ascii=False)[:-1] + f', "Описание": "{SECRET}"}}'

# Corpora that are refused as a whole, and a part of the message.
REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no file": (lambda folder: folder / "нет.csv", "there is no file or folder"),
    "an unknown kind": (file("corpus.docx", b"PK"), "ends in .docx; give a file of one of the kinds"),
    "no suffix": (file("corpus", b"x"), "ends in nothing"),
    "an empty file": (file("corpus.csv", b""), "holds no reports"),
    "an empty JSON Lines file": (file("corpus.jsonl", b"\n\n"), "holds no reports"),
    "an empty list": (file("corpus.json", b"[]"), "holds no reports"),
    "a header alone": (file("corpus.csv", csv(ROWS).split("\n")[0]), "holds no reports"),
    "an empty workbook": (lambda folder: workbook(sheets=0)(folder)[0], "holds no reports"),
    "an empty folder": (empty_folder, "holds no files"),
    "a folder with other files": (mixed_folder, "holds 1 files that cannot be read (endings: ['.docx'])"),
    "gzip, cut off": (truncated("corpus.csv.gz", text_file("c.csv.gz")), "is not a complete gzip file"),
    "gzip in name only": (file("corpus.csv.gz", csv(ROWS)), "is not a complete gzip file"),
    "a workbook, cut off": (truncated("corpus.xlsx", workbook()), "is not a workbook that can be read"),
    "another archive": (zipped, "is a ZIP archive and not a table that can be read; unpack it into a folder"),
    "a workbook in name only": (file("corpus.xlsx", bytes(range(256))), "is not a workbook that can be read"),
    "Parquet, cut off": (truncated("corpus.parquet", parquet), "is not a Parquet file that can be read"),
    "Parquet in name only": (file("corpus.parquet", csv(ROWS)), "is not a Parquet file that can be read"),
    "JSON, cut off": (truncated("corpus.json", GOOD["json list"]), "is not a JSON list of objects"),
    "JSON with a number of 10,000 digits": (
        file("corpus.json", json.dumps(ROWS)[:-1] + ', {"a": ' + "1" * 10_000 + "}]"),
        "holds a number that is too large",
    ),
    "JSON by column, as pandas writes it": (
        file("corpus.json", pd.DataFrame(ROWS).to_json(force_ascii=False)),
        'is JSON without a list of rows; write [{...}, {...}] (in pandas, to_json(orient="records"))',
    ),
    "JSON with reports inside patients": (
        file("corpus.json", json.dumps([{"Пациент": "п1", "исследования": ROWS}] * 9)),
        "has the columns ['Пациент', 'исследования']",
    ),
    "JSON in name only": (file("corpus.json", csv(ROWS)), "is not a JSON list of objects"),
    "binary": (file("corpus.csv", bytes(range(256)) * 40), "is not text"),
    "UTF-16, cut in a character": (
        file("corpus.csv", csv(ROWS).encode("utf-16")[:-3]),
        "cannot be decoded as utf-16",
    ),
    "a line of 100 million characters": (
        file("corpus.jsonl", b'{"a": "' + b"x" * 10**8),
        "has over 67108864 characters",
    ),
    "a quote never closed": (in_csv(f'"п1","{SECRET},x,I', at=61), "is never closed"),
    "a missing column": (
        rows(among=[{"Описание": SECRET, "Диагноз": "II", "Пациент": "п"}]),
        "corpus.columns.conclusion is 'Заключение', but",
    ),
    "a column twice": (
        file("corpus.csv", "Пациент,Описание,Заключение,Категория,Описание\n" + f"п1,{SECRET},б,II,г\n" * 9),
        "has 2 columns of that name",
    ),
    "no header": (
        file("corpus.csv", csv(ROWS).split("\n", 1)[1]),
        "4 columns and a first row that does not look like their names",
    ),
    "a report's text in place of the header": (
        rows(among=[{f"{SECRET} " * 9: "x", "II": "II"}]),
        "2 columns and a first row that does not look like their names",
    ),
    "a file of a folder lacks a column": (one_file_lacks_a_column, "(by name) has the columns ['Описание']"),
    "unreadable": (unreadable, "cannot be read"),
    "no usable report": (rows(among=[{**GOOD_ROW, "Описание": " "}] * 3), "no usable report"),
    "too many refused": (
        rows(*[{**GOOD_ROW, "Категория": "VII"}] * 70),
        "70 of 130 rows of",
    ),
    "a list of numbers": (
        file("corpus.json", b"[1, 2, 3]"),
        "no usable report (not_an_object: 3); not_an_object means: the",
    ),
    "not JSON at all": (
        file("corpus.jsonl", SECRET),
        "no usable report (not_json: 1); not_json means: the line is not JSON; check",
    ),
}

# Corpora with refused rows, the reason, and the number of them.
QUARANTINED: dict[str, tuple[Callable[[Path], Path], Refusal, int]] = {
    "no description": (row(Описание=""), Refusal.DESCRIPTION_MISSING, 1),
    "white space for a description": (row(Описание=" \u00a0\t\n"), Refusal.DESCRIPTION_MISSING, 1),
    "nothing but control characters": (row(Описание="\x00\u200b\x07"), Refusal.DESCRIPTION_MISSING, 1),
    "null for a description": (row(Описание=None), Refusal.DESCRIPTION_MISSING, 1),
    "no conclusion": (row(Заключение=""), Refusal.CONCLUSION_MISSING, 1),
    "no patient": (row(Пациент=None), Refusal.PATIENT_MISSING, 1),
    "no category": (row(Категория=""), Refusal.CATEGORY_MISSING, 1),
    "NaN for a category": (rows(*[{**GOOD_ROW, "Категория": float("nan")}]), Refusal.CATEGORY_MISSING, 1),
    "NaN for a category in a JSON list": (
        file("corpus.json", json.dumps([*ROWS, {**GOOD_ROW, "Категория": float("nan")}])),
        Refusal.CATEGORY_MISSING,
        1,
    ),
    "the word nan for a category": (row(Категория="nan"), Refusal.CATEGORY_MISSING, 1),
    "an unknown category": (row(Категория="VII"), Refusal.CATEGORY_UNKNOWN, 1),
    "a fraction of a category": (row(Категория=2.5), Refusal.CATEGORY_UNKNOWN, 1),
    "a text for a category": (row(Категория=SECRET), Refusal.CATEGORY_UNKNOWN, 1),
    "two categories in a cell": (row(Категория="II/III"), Refusal.CATEGORY_CONTRADICTORY, 1),
    "a number and another name": (row(Категория="II, злокачественное"), Refusal.CATEGORY_CONTRADICTORY, 1),
    "cell and conclusion disagree": (
        row(Категория="II", Заключение="Картина рака, Bethesda VI."),
        Refusal.CATEGORY_CONTRADICTORY,
        1,
    ),
    "a formula": (row(Описание="=cmd|' /C calc'!A0"), Refusal.FORMULA, 1),
    "a formula with @": (row(Заключение="@SUM(1+1)*cmd|' /C calc'!A0"), Refusal.FORMULA, 1),
    "a formula with a sign": (row(Описание="+1+cmd|' /C calc'!A0"), Refusal.FORMULA, 1),
    "a line of 10 MB": (row(Описание=f"{SECRET} " * 10**6), Refusal.TOO_LONG, 1),
    "a list in a field": (row(Описание=[SECRET, SECRET]), Refusal.NOT_TEXT, 1),
    "an object in a field": (row(Категория={"код": "II"}), Refusal.NOT_TEXT, 1),
    "half a character": (
        file("corpus.jsonl", "\n".join(map(json.dumps, [*ROWS, {**GOOD_ROW, "Описание": "Узел \ud83d"}]))),
        Refusal.UNDECODABLE,
        1,
    ),
    "a row that is no object": (rows([SECRET]), Refusal.NOT_AN_OBJECT, 1),
    "a line that is not JSON": (
        file("corpus.jsonl", "\n".join([*map(json.dumps, ROWS), "{'" + SECRET])),
        Refusal.NOT_JSON,
        1,
    ),
    "JSON of 100,000 brackets": (
        file("corpus.jsonl", "\n".join([*map(json.dumps, ROWS), "[" * 100_000])),
        Refusal.NOT_JSON,
        1,
    ),
    "a number of 10,000 digits": (
        file("corpus.jsonl", "\n".join([*map(json.dumps, ROWS), '{"a": ' + "1" * 10_000 + "}"])),
        Refusal.NOT_JSON,
        1,
    ),
    "the last line cut off": (
        file("corpus.jsonl", "\n".join(map(json.dumps, [*ROWS, GOOD_ROW]))[:-9]),
        Refusal.NOT_JSON,
        1,
    ),
    "a key twice": (
        file("corpus.jsonl", "\n".join([*map(json.dumps, ROWS), REPEATED_KEY])),
        Refusal.REPEATED_KEY,
        1,
    ),
    "a key twice in a JSON list": (
        file("corpus.json", "[" + ",".join([*map(json.dumps, ROWS), REPEATED_KEY]) + "]"),
        Refusal.REPEATED_KEY,
        1,
    ),
    "too few fields": (in_csv(f'"п1","{SECRET}"'), Refusal.WRONG_NUMBER_OF_FIELDS, 1),
    "too many fields": (in_csv(f'"п1","{SECRET}","x","I","ещё"'), Refusal.WRONG_NUMBER_OF_FIELDS, 1),
    "a stray quote that glues rows of several patients together": (glued, Refusal.BROKEN_QUOTES, 11),
    "a quote inside a field": (in_csv(f'"п1","узел "{SECRET}" плотный","x","I"'), Refusal.BROKEN_QUOTES, 1),
    "rows in another encoding": (utf8_with_cp1251_rows, Refusal.UNDECODABLE, 3),
}


@pytest.mark.parametrize("size", [1, 2, 5, 64, 10**6])
def test_nan_becomes_a_string_and_nothing_else_changes(size: int) -> None:
    value = {"a": 'NaN " \\\\ -Infinity \\', 'NaN"': [float("nan"), -float("inf"), float("inf"), -1.5, "\\"], "я": "Na"}
    file, read = _AsUtf8(io.TextIOWrapper(io.BytesIO(json.dumps(value, ensure_ascii=False).encode()))), b""
    while block := file.read(size):
        read += block
    assert json.loads(read) == {**value, 'NaN"': ["NaN", "-Infinity", "Infinity", -1.5, "\\"]}


@pytest.mark.parametrize("case", REFUSED)
def test_a_corpus_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    make, said = REFUSED[case]
    (tmp_path / "scratch").mkdir()
    with pytest.raises(CorpusError) as caught:
        taken(settings(make(tmp_path)), tmp_path / "scratch")
    message = str(caught.value)
    assert said in message
    assert SECRET not in message
    assert "\n" not in message
    assert message.endswith(".")


@pytest.mark.parametrize("case", QUARANTINED)
def test_a_row_is_put_into_quarantine(case: str, tmp_path: Path) -> None:
    make, reason, times = QUARANTINED[case]
    path = make(tmp_path)
    got = taken(settings(path), tmp_path / "scratch")
    assert [one["reason"] for one in got.refused] == [reason] * times
    assert got.account.rows_in == len(got.reports) + got.account.duplicates + times
    assert len(got.reports) >= 57
    assert set(got.refused[0]) == {"file", "row", "reason"}
    assert SECRET not in json.dumps(got.refused, ensure_ascii=False)


@pytest.mark.parametrize(("first", "last", "column"), [(60, 61, 1), (60, 62, 1), (60, 63, 2), (60, 70, 0)])
def test_rows_joined_by_a_stray_quote_are_all_refused(first: int, last: int, column: int, tmp_path: Path) -> None:
    """Two rows in one could have the patient of the first and the category of the second."""
    got = taken(settings(glued(tmp_path, first, last, column)), tmp_path / "scratch")
    assert [one["reason"] for one in got.refused] == [Refusal.BROKEN_QUOTES] * (last - first + 1)
    assert got.account.rows_in == 71


LISTS: dict[str, Any] = {
    "two lists": {"2020": ROWS[:30], "2021": ROWS[30:]},
    "two lists, one without a column": {"2020": ROWS[:30], "2021": [{"Описание": SECRET}]},
    "a list in an inner object": {"a": {"b": ROWS[:30]}, "c": ROWS[30:]},
    "two lists of lists": {name: [list(ROWS[0]), *(list(row.values()) for row in ROWS)] for name in "ab"},
    "a list of objects and one of lists": {"a": ROWS, "b": [list(ROWS[0]), *(list(row.values()) for row in ROWS)]},
}


@pytest.mark.parametrize("case", LISTS)
def test_two_lists_of_reports_in_one_object_are_refused(case: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(LISTS[case], ensure_ascii=False), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"has 2 lists of reports in one JSON object; write each .* own") as caught:
        taken(settings(tmp_path / "c.json"), tmp_path / "scratch")
    assert SECRET not in str(caught.value)


def test_a_missing_column_is_proposed(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "corpus.jsonl", [{"Микроскопия": "x", "Код Bethesda": "II", "Карта": 1, "Диагноз": "x"}] * 3
    )
    for field, likely in (
        ("description", "Микроскопия"),
        ("category", "Код Bethesda"),
        ("patient", "Карта"),
        ("conclusion", "Диагноз"),
    ):
        names = {"description": "Микроскопия", "conclusion": None, "category": "Код Bethesda", "patient": None}
        columns = Columns(text=None, **(names | {field: "нет такой"}))
        with pytest.raises(CorpusError, match=rf"corpus.columns.{field} is 'нет такой'.*perhaps '{likely}'"):
            taken(settings(path, columns=columns), tmp_path)


def test_a_row_is_named_by_its_file_and_number(tmp_path: Path) -> None:
    (tmp_path / "in" / "q").mkdir(parents=True)
    jsonl(tmp_path / "in" / "1.jsonl", ROWS[:30])
    (tmp_path / "in" / "q" / "2.csv").write_text(csv([*ROWS[30:], {**GOOD_ROW, "Категория": "VII"}]), encoding="utf-8")
    got = taken(settings(tmp_path / "in"), tmp_path)
    assert got.refused == [{"file": "q/2.csv", "row": 31, "reason": "category_unknown"}]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_loses_nothing_silently(tmp_path: Path) -> None:
    (tmp_path / "staging.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        taken(settings(jsonl(tmp_path / "corpus.jsonl", ROWS * 300)), tmp_path)


NAMES = [
    "Попова Ирина",
    "Иванов И И",
    "Поляков Илья",
    "Картавина Анна",
    "Больных Пётр",
    "Кодов Иван",
    "Врачёв",
    "Года А",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_patients_name_in_place_of_a_header_is_not_shown(name: str, tmp_path: Path) -> None:
    (tmp_path / "corpus.csv").write_text(f"{name};узел;зоб;2\n" * 30, encoding="utf-8")
    with pytest.raises(CorpusError) as caught:
        taken(settings(tmp_path / "corpus.csv"), tmp_path)
    assert "4 columns" in str(caught.value)
    assert not [word for word in name.split() if len(word) > 1 and word in str(caught.value)]


def test_a_file_called_by_a_name_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    jsonl(tmp_path / "in" / "Петрова А. Б.jsonl", [{"Описание": "x"}])
    with pytest.raises(CorpusError, match=r"file 1 of .*in \(by name\)") as caught:
        taken(settings(tmp_path / "in"), tmp_path)
    assert "Петрова" not in str(caught.value)
    (tmp_path / "in" / "Осмотр. Петрова").touch()
    with pytest.raises(CorpusError, match="1 files that cannot be read") as caught:
        taken(settings(tmp_path / "in"), tmp_path)
    assert "Петрова" not in str(caught.value)


def test_hidden_folders_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "in" / ".ipynb_checkpoints").mkdir(parents=True)
    jsonl(tmp_path / "in" / "1.jsonl", ROWS)
    jsonl(tmp_path / "in" / ".ipynb_checkpoints" / "1.jsonl", ROWS)
    assert taken(settings(tmp_path / "in"), tmp_path).account.rows_in == 60
