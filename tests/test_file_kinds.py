"""A file is read or refused by what it is, not by what its name says; a refusal names the kind and the way out."""

import gzip
import io
import json
import zipfile
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anamnesis.corpus.refusals import CorpusError, Notice
from tests.exports import EXPECTED, ROWS, SECRET, csv, jsonl, settings, taken

MARK = "\ufeff"


def workbook() -> bytes:
    content = io.BytesIO()
    pd.DataFrame(ROWS).to_excel(content, index=False)
    return content.getvalue()


def parquet() -> bytes:
    content = io.BytesIO()
    pd.DataFrame(ROWS).to_parquet(content)
    return content.getvalue()


def html(rows: list[dict[str, Any]], before: str = "", end: str = "</td>", row_end: str = "</tr>") -> str:
    lines = [rows[0].keys(), *(row.values() for row in rows)]
    cells = ("".join(f"<td>{escape(str(cell))}{end}" for cell in line) for line in lines)
    return f"{before}<table border=1>{''.join(f'<tr>{line}{row_end}' for line in cells)}</table>"


def archive(part: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(part, SECRET)
    return content.getvalue()


OTHERWISE_CALLED = {
    "text called .xls": ("c.xls", csv(ROWS, ";").encode("cp1251")),
    "text called .xlsx": ("c.xlsx", csv(ROWS, "\t").encode("utf-16")),
    "text called .xls.gz": ("c.xls.gz", gzip.compress(csv(ROWS).encode())),
    "an HTML table called .xls": ("c.xls", html(ROWS).encode()),
    "an HTML table called .xls, gzip": ("c.xls.gz", gzip.compress(html(ROWS).encode())),
    "HTML of an office program": (
        "c.xls",
        html(ROWS, f'{MARK}\n<html xmlns:x="urn:x"><style>td {{x: "<td>"}}</style><body>').encode(),
    ),
    "HTML in cp1251 that says so": (
        "c.xls",
        html(ROWS, "<html><head><meta charset=windows-1251></head><body>").encode("cp1251"),
    ),
    "HTML in UTF-16": ("c.xls", html(ROWS, "<html>").encode("utf-16")),
    "HTML with a doctype, called .csv": ("c.csv", html(ROWS, "<!DOCTYPE HTML>\n<html>").encode()),
    "HTML after a comment, without closing tags": ("c.xls", html(ROWS, "<!-- 1 --><html>", "", "").encode()),
    "XHTML": ("c.xls", html(ROWS, '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">').encode()),
    "HTML in a table of the page": (
        "c.xls",
        f"<html><table><tr><td>Отчёт<td>{html(ROWS)}<tr><td>{SECRET}</table>".encode(),
    ),
    "a workbook called .csv": ("c.csv", workbook()),
    "a workbook called .json": ("c.json", workbook()),
    "Parquet called .csv": ("c.csv", parquet()),
}


@pytest.mark.parametrize("case", OTHERWISE_CALLED)
def test_a_table_of_another_kind_than_its_name_says_is_read(case: str, tmp_path: Path) -> None:
    name, content = OTHERWISE_CALLED[case]
    (tmp_path / name).write_bytes(content)
    got = taken(settings(tmp_path / name), tmp_path)
    assert got.reports == EXPECTED
    assert got.account.noticed - Counter({Notice.OTHER_SHEETS: 2}) == Counter({Notice.OTHER_KIND: 1})


def test_cells_of_an_html_table_that_span_rows_and_columns(tmp_path: Path) -> None:
    lines = []
    for i, row in enumerate(ROWS):
        patient, *others = (escape(str(value)).replace("\n", "<br>") for value in row.values())
        first = f'<td rowspan="3">{patient}</td>' if i % 3 == 0 else ""
        lines.append(f"<tr>{first}{''.join(f'<td>{other}</td>' for other in others)}</tr>")
    header = "<tr><th rowspan=2>Пациент</th><th colspan=2>Исследование</th><th rowspan=2>Категория</th></tr>"
    header += "<tr><th>Описание</th><th>Заключение</th></tr>"
    page = f"<html><table><tr><td colspan=4>Выгрузка</td></tr>{header}{''.join(lines)}</table></html>"
    (tmp_path / "c.html").write_text(page, encoding="utf-8")
    got = taken(settings(tmp_path / "c.html"), tmp_path)
    assert got.reports == EXPECTED
    assert got.patients == [i // 3 + 1 for i in range(60)]
    assert got.account.noticed == Counter({Notice.MERGED_CELLS: 40})


PAGES = ["<html><body>Пациент</body></html>", "<table><tr><td>Пациент</td></tr></table>", "<html", "<table><![x["]


@pytest.mark.parametrize("text", PAGES)
def test_a_page_without_the_table_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.xls").write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"holds no reports|, but table 1 of .*c\.xls has |is not an HTML page"):
        taken(settings(tmp_path / "c.xls"), tmp_path)


BUNDLE = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "name": SECRET}}]}
REPORT = {"resourceType": "DiagnosticReport", "conclusion": SECRET}

TABLE = (
    "; export a table with one report per row (its text, conclusion, category and patient) as .csv, .xlsx or .jsonl."
)
WORKBOOK = "; open it in a spreadsheet program and save it as .xlsx."
# The name of the file, its content, the kind and the way out.
FOREIGN: dict[str, tuple[str, str | bytes, str, str]] = {
    "an XML spreadsheet called .xls": (
        "c.xls",
        f'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>'
        f'<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Data>{SECRET}</Data></Workbook>',
        "an XML spreadsheet",
        WORKBOOK,
    ),
    "XML called .xls": ("c.xls", f'<?xml version="1.0"?><rows><row>{SECRET}</row></rows>', "an XML file", TABLE),
    "XML": ("c.xml", f'<?xml version="1.0"?><rows><row>{SECRET}</row></rows>', "an XML file", TABLE),
    "a web archive called .xls": (
        "c.xls",
        f"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n{SECRET}",
        "a web archive (MHTML)",
        WORKBOOK,
    ),
    "FHIR": ("c.json", json.dumps(BUNDLE, ensure_ascii=False), "a FHIR resource (JSON)", TABLE),
    "FHIR, indented": ("c.json", json.dumps(BUNDLE, indent=2), "a FHIR resource (JSON)", TABLE),
    "FHIR, bulk export": ("c.ndjson", f"{json.dumps(REPORT)}\n" * 9, "a FHIR resource (JSON)", TABLE),
    "FHIR, gzip": ("c.json.gz", gzip.compress(json.dumps(BUNDLE).encode()), "a FHIR resource (JSON)", TABLE),
    "FHIR in XML": (
        "c.xml",
        f'<Bundle xmlns="http://hl7.org/fhir"><entry>{SECRET}</entry></Bundle>',
        "a FHIR resource (XML)",
        TABLE,
    ),
    "CDA": (
        "c.xml",
        f'{MARK}<?xml version="1.0"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3">{SECRET}</ClinicalDocument>',
        "a CDA document (HL7 v3)",
        TABLE,
    ),
    "HL7 v2": ("c.hl7", f"MSH|^~\\&|LAB|\rPID|1||1||{SECRET}\r", "HL7 v2 messages", TABLE),
    "HL7 v2 called .txt": ("c.txt", f"\x0bMSH|^~\\&|LAB|\rPID|1||1||{SECRET}\r", "HL7 v2 messages", TABLE),
    "HL7 v2, a batch": ("c.txt", f"FHS|^~\\&|\rMSH|^~\\&|\rPID|1||1||{SECRET}\r", "HL7 v2 messages", TABLE),
    "RTF called .txt": ("c.txt", "{\\rtf1\\ansi " + SECRET, "an RTF document", TABLE),
    "PDF": ("c.pdf", "%PDF-1.7 " + SECRET, "a PDF document", TABLE),
    "DICOM": ("c.dcm", b"\0" * 128 + b"DICM" + SECRET.encode(), "a DICOM file", TABLE),
    "Word": (
        "c.docx",
        archive("word/document.xml"),
        "a Word document",
        "; export a table, or copy the document's table into a spreadsheet and save it as .xlsx.",
    ),
    "an archive": ("c.zip", archive("c.csv"), "a ZIP archive", "; unpack it into a folder, and give the folder."),
}


@pytest.mark.parametrize("in_a_folder", [False, True])
@pytest.mark.parametrize("case", FOREIGN)
def test_a_kind_that_is_not_read_is_named_with_the_way_out(case: str, in_a_folder: bool, tmp_path: Path) -> None:
    name, content, kind, way_out = FOREIGN[case]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CorpusError) as caught:
        taken(settings(folder if in_a_folder else folder / name), tmp_path)
    label = f"file 1 of {folder} (by name)" if in_a_folder else str(folder / name)
    assert str(caught.value) == f"corpus.path: {label} is {kind} and not a table that can be read{way_out}"


def test_a_table_about_fhir_or_with_tags_is_a_table(tmp_path: Path) -> None:
    rows = [{**row, "resourceType": "DiagnosticReport"} for row in ROWS]
    assert taken(settings(jsonl(tmp_path / "c.jsonl", rows)), tmp_path).reports == EXPECTED
    rows = [{"Отдел": "<html> и http://hl7.org/fhir", **row} for row in ROWS]
    (tmp_path / "c.csv").write_text(csv(rows), encoding="utf-8")
    assert taken(settings(tmp_path / "c.csv"), tmp_path).reports == EXPECTED


def test_lock_files_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "c.xlsx").write_bytes(workbook())
    for name in ("~$c.xlsx", "Thumbs.db"):
        (folder / name).write_bytes(b"\x06Petrova")
    got = taken(settings(folder), tmp_path)
    assert got.reports == EXPECTED
    assert got.account.noticed == Counter({Notice.LOCK_FILES: 2})
    with pytest.raises(CorpusError, match="is a lock file, which a program writes while the table is open"):
        taken(settings(folder / "~$c.xlsx"), tmp_path)


def test_a_broken_link_is_not_named(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"{SECRET}.docx").symlink_to(folder / "нет")
    with pytest.raises(CorpusError, match=r"file 1 of .*in \(by name\) is a link to a file") as caught:
        taken(settings(folder), tmp_path)
    assert SECRET not in str(caught.value)
