"""Recognizes the kind of a file by its content, whatever its name says.

Hospital systems call HTML pages and delimited text .xls. Exchange formats (FHIR, HL7, CDA) are no tables.
"""

import gzip
import json
import re
import zipfile
from pathlib import Path

from anamnesis.corpus.formats.sources import BYTE_ORDER_MARKS, CONTROL, is_gzip
from anamnesis.corpus.refusals import CorpusError
from anamnesis.settings.corpus import Corpus

WORKBOOKS = (".xlsx", ".xls", ".ods")

_HEAD = 2**16
# FHIR is recognized by this many first characters.
_FHIR_HEAD = 2**12
_ZIP, _OLE, _PARQUET = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PAR1"

_TABLE = "export a table with one report per row (its text, conclusion, category and patient) as .csv, .xlsx or .jsonl"
_WORKBOOK = "open it in a spreadsheet program and save it as .xlsx"
# What a file is by the beginning of its text in lower case, and what to do instead.
_FOREIGN = tuple(
    (re.compile(pattern, re.DOTALL), kind, way_out)
    for pattern, kind, way_out in (
        (r"\x0b?(?:msh|fhs|bhs)[|^]", "HL7 v2 messages", _TABLE),
        (r"<.*?\bxmlns(?::\w+)?\s*=\s*[\"']urn:hl7-org:v3\b", "a CDA document (HL7 v3)", _TABLE),
        (r"<.*?\bxmlns(?::\w+)?\s*=\s*[\"']http://hl7\.org/fhir\b", "a FHIR resource (XML)", _TABLE),
        (r"<\?xml.*?\burn:schemas-microsoft-com:office:spreadsheet\b", "an XML spreadsheet", _WORKBOOK),
        (r"<\?xml\b(?!.*?<html\b)", "an XML file", _TABLE),
        (r"mime-version:.*?\bmultipart/related\b", "a web archive (MHTML)", _WORKBOOK),
        (r"\{\\rtf", "an RTF document", _TABLE),
        (r"%pdf-", "a PDF document", _TABLE),
        (r".{128}dicm", "a DICOM file", _TABLE),
    )
)
_PAGE = re.compile(r"<(?:!doctype html|html|head|meta|table)\b|<.*?<html\b", re.DOTALL)
_FHIR = re.compile(r'\s*[\[{].*?"resourceType"\s*:', re.DOTALL)


def ending(path: Path) -> str:
    """The ending in lower case, without .gz."""
    return (path.with_suffix("") if is_gzip(path) else path).suffix.lower()


def kind_of(path: Path, label: str, settings: Corpus) -> str:
    """The ending that belongs to the content of a file: that of its name, or that of another kind that is read.

    Raises:
        CorpusError: the file is of a kind that is not read.
    """
    head = _head(path)
    refuse_foreign(path, label, settings)
    named = ending(path)
    if head.startswith(_PARQUET):
        return ".parquet"
    if head.startswith((_ZIP, _OLE)):
        return named if named in WORKBOOKS else ".xlsx"
    if _PAGE.match(_decoded(head).lstrip().lower()):
        return ".html"
    if named in WORKBOOKS and head and _is_text(head):
        return ".csv"
    return named


def refuse_foreign(path: Path, label: str, settings: Corpus) -> None:
    """Refuse a file of a known kind that is not read.

    Raises:
        CorpusError: says which kind it is, and what to do instead.
    """
    head = _head(path)
    found = _in_archive(path) if head.startswith(_ZIP) else _in_text(_decoded(head), settings)
    if found is not None:
        raise CorpusError(f"corpus.path: {label} is {found[0]} and not a table that can be read; {found[1]}.")


def _head(path: Path) -> bytes:
    with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
        return file.read(_HEAD)


def _is_text(head: bytes) -> bool:
    return head.startswith(tuple(BYTE_ORDER_MARKS)) or len(CONTROL.findall(head)) <= len(head) / 100


def _decoded(head: bytes) -> str:
    """The beginning as text; other encodings than UTF-8 and UTF-16 keep their ASCII."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return head.decode(encoding, "ignore")
    return head.decode("utf-8", "replace")


def _in_text(text: str, settings: Corpus) -> tuple[str, str] | None:
    lower = text.lstrip().lower()
    for pattern, kind, way_out in _FOREIGN:
        if pattern.match(lower):
            return kind, way_out
    if _FHIR.match(text[:_FHIR_HEAD]) and not _has_columns(text, settings):
        return "a FHIR resource (JSON)", _TABLE
    return None


def _has_columns(text: str, settings: Corpus) -> bool:
    return all(f'"{name}"' in text or json.dumps(name) in text for name in settings.columns.named.values())


def _in_archive(path: Path) -> tuple[str, str] | None:
    if is_gzip(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.namelist()
    except (zipfile.BadZipFile, UnicodeDecodeError):
        # The reader of workbooks says what is damaged.
        return None
    if any(part.startswith("word/") for part in parts):
        return "a Word document", "export a table, or copy the document's table into a spreadsheet and save it as .xlsx"
    if any(part.startswith("xl/") or part in ("mimetype", "content.xml") for part in parts):
        return None
    return "a ZIP archive", "unpack it into a folder, and give the folder"
