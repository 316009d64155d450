"""Coded and wrongly decoded texts are decoded where that is certain, and otherwise refused: no name hides in them.

All persons are invented.
"""

import base64
import json
import quopri
import re
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anamnesis.corpus.cleaning import clean
from anamnesis.corpus.coding import decoded, is_unreadable
from anamnesis.corpus.formats import Row
from anamnesis.corpus.pseudonyms import Pseudonyms
from anamnesis.corpus.refusals import CorpusError, Refusal
from anamnesis.corpus.reports import Preparer, Report
from anamnesis.corpus.rtf import plain_text
from anamnesis.settings.corpus import Columns, Deidentification
from tests.exports import ROWS, jsonl, settings, taken

RUMEDBENCH = Path(__file__).resolve().parents[2] / "shared" / "data" / "rumedbench"
TEXT = "Пациентка Гусарова Мария Петровна. Узел 12 мм, коллоид; «фон» чистый — 56 лет."
ENABLED = Deidentification(
    enabled=True, engine="rules_and_tagger", clinical_words=[], key_variable=None, max_date_shift_days=None
)


def read_as(text: str, really: str, wrongly: str) -> str:
    """What a program makes of the bytes: one without a letter becomes a control character."""
    return "".join(
        bytes([byte]).decode(wrongly, "ignore") or chr(byte) for byte in text.encode(really, "xmlcharrefreplace")
    )


def rtf(text: str) -> str:
    body = "".join(f"\\'{byte:02x}" if byte > 127 else chr(byte) for byte in text.encode("cp1251"))
    return (
        r"{\rtf1\ansi\ansicpg1251\deff0{\fonttbl{\f0\fcharset204 Arial;}}{\*\generator Riched20;}"
        r"{\colortbl ;\red0\green0\blue0;}\viewkind4\uc1\pard\f0\fs20 " + body + r"\par}"
    )


def rtf_in_unicode(text: str) -> str:
    return r"{\rtf1\ansi\uc1 " + "".join(f"\\u{ord(one)}?" if ord(one) > 127 else one for one in text) + r"\par}"


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def in_quoted(text: str) -> str:
    return quopri.encodestring(text.encode()).decode()


def in_escapes(text: str) -> str:
    return json.dumps(text)[1:-1]


def in_bytes(text: str, form: str, encoding: str = "utf-8") -> str:
    return "".join(form.format(byte) if byte > 127 else chr(byte) for byte in text.encode(encoding))


CODED: dict[str, Callable[[str], str]] = {
    "RTF": rtf,
    "RTF in Unicode": rtf_in_unicode,
    "base64": in_base64,
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 of cp1251": lambda text: base64.b64encode(text.encode("cp1251")).decode(),
    "quoted-printable": lambda text: in_quoted(text),
    "quoted-printable of cp1251": lambda text: quopri.encodestring(text.encode("cp1251")).decode(),
    "percent": quote,
    "percent of cp1251": lambda text: quote(text.encode("cp1251")),
    "percent and u": lambda text: "".join(f"%u{ord(one):04X}" if ord(one) > 127 else one for one in text),
    "backslash and u": in_escapes,
    "Python's": lambda text: text.encode("unicode_escape").decode(),
    "Python's, long": lambda text: "".join(f"\\U{ord(one):08x}" if ord(one) > 127 else one for one in text),
    "Perl's": lambda text: "".join(f"\\x{{{ord(one):x}}}" if ord(one) > 127 else one for one in text),
    "bytes": lambda text: in_bytes(text, "\\x{:02x}"),
    "bytes of cp1251": lambda text: in_bytes(text, "\\x{:02x}", "cp1251"),
    "octal bytes": lambda text: in_bytes(text, "\\{:03o}"),
    "octal bytes of cp1251": lambda text: in_bytes(text, "\\{:03o}", "cp1251"),
    "bytes of RTF without its head": lambda text: in_bytes(text, "\\'{:02x}", "cp1251"),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal of cp1251": lambda text: f"0x{text.encode('cp1251').hex().upper()}",
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base64 for links": lambda text: base64.urlsafe_b64encode(text.encode("cp1251")).decode(),
    # Coded twice and more.
    "base64 twice": lambda text: in_base64(in_base64(text)),
    "base64 four times": lambda text: in_base64(in_base64(in_base64(in_base64(text)))),
    "base64 of percent": lambda text: in_base64(quote(text)),
    "base64 of u": lambda text: in_base64(in_escapes(text)),
    "base64 of RTF": lambda text: in_base64(rtf(text)),
    "percent twice": lambda text: quote(quote(text)),
    "percent of base64": lambda text: quote(in_base64(text), safe=""),
    "percent of u": lambda text: quote(in_escapes(text)),
    "percent of RTF": lambda text: quote(rtf(text)),
    "quoted-printable twice": lambda text: in_quoted(in_quoted(text)),
    "quoted-printable of percent": lambda text: in_quoted(quote(text)),
    "u of u": lambda text: in_escapes(text).replace("\\", "\\u005c"),
    "RTF inside JSON": lambda text: rtf(text).replace("\\", "\\\\"),
    "entities of a backslash": lambda text: in_escapes(text).replace("\\", "&#92;"),
    "named entities of a backslash": lambda text: in_escapes(text).replace("\\", "&amp;bsol;"),
    "entities of percent": lambda text: quote(text).replace("%", "&#37;"),
}
WRONG = [
    ("utf-8", "cp1251"), ("utf-8", "koi8_r"), ("utf-8", "cp866"), ("utf-8", "cp1252"), ("utf-8", "latin_1"),
    ("utf-8", "mac_cyrillic"), ("cp1251", "koi8_r"), ("cp1251", "cp866"), ("cp1251", "cp1252"), ("koi8_r", "cp1251"),
    ("koi8_r", "cp866"), ("cp866", "cp1251"), ("cp866", "koi8_r"), ("mac_cyrillic", "koi8_r"),
]  # fmt: skip


@pytest.mark.parametrize("form", CODED)
def test_coded_text_is_decoded(form: str) -> None:
    cells, applied = decoded({"a": CODED[form](TEXT), "b": "12"})
    assert ({name: cell.strip() for name, cell in cells.items()}, applied) == ({"a": TEXT, "b": "12"}, ["coded_text"])


@pytest.mark.parametrize("form", CODED)
def test_words_are_parted_by_what_is_not_coded(form: str) -> None:
    """Joined, they would be one word that no dictionary knows. Lines of coded text break words."""
    text = "Пункция узла верхней трети левой доли проведена под контролем ультразвука, материал скудный."
    assert decoded({"a": CODED[form](text)})[0]["a"].strip() == text


@pytest.mark.parametrize("form", [form for form in CODED if not re.search("cp1251|links|head", form)])
def test_a_coded_surname_alone_is_decoded(form: str) -> None:
    """The dictionary need not know it."""
    assert decoded({"a": f"Узел левой доли. {CODED[form]('Тютяпкина')}"})[0]["a"].strip().endswith("Тютяпкина")


@pytest.mark.parametrize(
    "text",
    [
        in_base64(in_base64(in_base64(in_base64(in_base64("Гусев"))))),
        in_bytes("Тютяпкина", "\\x{:02x}", "cp1251"),
        in_bytes("Тютяпкина", "\\{:03o}", "cp1251"),
        in_bytes("Тютяпкина", "\\'{:02x}", "cp1251"),
        quote("Тютяпкина".encode("cp1251")),
        in_bytes("Тютяпкина", "={:02X}", "cp1251"),
        read_as("Тютяпкина", "cp1251", "latin_1"),
        base64.b64encode(zlib.compress(TEXT.encode())).decode(),
        base64.b64encode("Тютяпкина Айталина Ньургуновна".encode("cp1251")).decode(),
    ],
)
def test_what_stays_coded_is_refused(text: str, tmp_path: Path) -> None:
    """In cp1251, a name that the dictionary does not know is not decoded with certainty."""
    row = {**ROWS[1], "Описание": f"Узел левой доли 12 мм, коллоид, фон чистый. {text}"}
    assert prepared(row, tmp_path) is Refusal.UNREADABLE


@pytest.mark.parametrize("text", ["&#1043;&#1091;&#1089;&#1072;&#1088;&#1086;&#1074;&#1072; &#1052", "%26%231043%3B"])
def test_coded_entities_are_left_to_cleaning(text: str) -> None:
    got = clean(decoded({"a": text})[0]["a"])[0]
    assert got in ("Гусарова М", "Г")


@pytest.mark.parametrize("wrongly", ["cp1251", "koi8_r", "cp866", "cp1252", "latin_1"])
def test_utf8_that_was_read_wrongly_in_a_part_of_a_text_is_undone(wrongly: str) -> None:
    """A system that joins fields from two sources."""
    text = f"Узел левой доли. {read_as('Гусарова Мария', 'utf-8', wrongly)}, фон чистый"
    assert decoded({"a": text}) == ({"a": "Узел левой доли. Гусарова Мария, фон чистый"}, ["wrong_encoding"])


@pytest.mark.parametrize(("really", "wrongly"), WRONG)
def test_a_wrong_encoding_is_undone_in_the_whole_row(really: str, wrongly: str) -> None:
    """The patient's cell is too short to be judged by itself."""
    text = TEXT.encode(really, "ignore").decode(really)
    row = {"a": read_as(text, really, wrongly), "b": read_as("Гусарова", really, wrongly), "c": "IV"}
    assert decoded(row) == ({"a": text, "b": "Гусарова", "c": "IV"}, ["wrong_encoding"])


@pytest.mark.parametrize(("really", "wrongly"), [("cp866", "cp1251"), ("cp866", "koi8_r"), ("koi8_r", "cp1251")])
def test_a_wrong_encoding_that_leaves_few_words_is_undone(really: str, wrongly: str) -> None:
    """Read as cp1251, most letters of cp866 are signs, and half of the words that are left are known by chance."""
    text = "Узел 347 мм. паспорт РФ; 36.59 159352; выдан. Фон чистый."
    assert decoded({"a": read_as(text, really, wrongly)}) == ({"a": text}, ["wrong_encoding"])


def test_a_short_text_with_signs_stays() -> None:
    text = "ТТГ 2,3 мкМЕ/мл §4 ® © узел ¬ T3 Ø 12 мм"
    assert decoded({"a": text}) == ({"a": text}, [])


def test_utf8_that_was_read_wrongly_twice_is_undone() -> None:
    twice = read_as(read_as(TEXT, "utf-8", "cp1251"), "utf-8", "cp1252")
    assert decoded({"a": twice})[0] == {"a": TEXT}


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "37,5 С°, p=0.05, x=12, 50%20, 100% A1, c:\\users",
        "This is an English report without a Russian word, and its words say nothing of the encoding.",
        "Größe über für schön wäre",
        "Узел. abcdefghijklmnopqrstuvwxyzabcdef",
        "├────┼────┤ Узел │ 12 │ мм ├────┼────┤ коллоид ═════╬═════ фон",
        "ТТГ, АТ-ТПО",
        "АД 150\\100, узел 12\\220 мм, c:\\new, ЧСС=87, АД=90, SpO2=98, 85%90 %, группы А—Б—В—Г, 50%25",
        "HLA-DRB1*04:01/HLA-DQB1, CD3/CD4/CD8/CD19/CD56, pT1aN0M0/L0/V0/R0, NM_004333.4:c.1799T>A",
        "UID 1.2.840.113619.2.55.3.604688119, https://pacs.example/viewer/1aB2cD3eF4gH5iJ6kL7mN8oP9",
        "MD5 9e107d9d372bb6826bd81d3542a419d6, карта 1234567890123456, IMG_20210312_WA0001.jpg",
    ],
)
def test_other_texts_stay_and_are_readable(text: str) -> None:
    assert decoded({"a": text}) == ({"a": text}, [])
    assert not is_unreadable(text)


@pytest.mark.parametrize(
    "text",
    [
        "Шцпяы Ывапр ячсми тьбюэ щшгнек ъхзщш",
        "сГЕК УНПНЬН НРЦПЮМХВЕМ ЙНККНХД Х ЛЮЙПНТЮЦХ ТНМ ВХЯРШИ",
        "Узел. " + "iVBORw0KGgo" * 30,
    ],
)
def test_what_cannot_be_decoded_is_unreadable(text: str) -> None:
    assert is_unreadable(text)
    assert is_unreadable("Узел 12 мм.", text)


@example("¼\U00017000")  # a letter that has no name in Unicode
@given(st.text() | st.text("\\u0123{}rtf'%=DQ+/ЁЯРё─\x98 \n", max_size=60))
def test_no_text_raises(text: str) -> None:
    decoded({"a": text})
    is_unreadable(text)
    plain_text(text)


@pytest.mark.parametrize(
    "unit",
    ["а", "QUJD", "\\xd0", "\\320", "&#92;", "%25", "=3D", "d0", "aB1", "QUJD\n", "=D0",
     "%D0", "\\u0041", "{\\rtf1 ", "─│", "\x98", "Р°", "ЁЯ "],
)  # fmt: skip
def test_time_grows_with_the_length_only(unit: str) -> None:
    text = (unit * 20_000)[:20_000]
    start = time.perf_counter()
    decoded({"a": text})
    is_unreadable(text)
    assert time.perf_counter() - start < 3


def test_rtf_loses_its_fonts_pictures_and_fields() -> None:
    document = (
        r"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0 Times;}}{\info{\author Gusarova}}{\pict\wmetafile8 0102ff}"
        r"\b \'d3\'e7\'e5\'eb\b0\tab 12~\'ec\'ec\line{\field{\*\fldinst PAGE}{\fldrslt 1}}\par\u8212\'97 \{a\}\~b}"
    )
    assert plain_text(document) == "Узел\t12~мм\n1\n— {a}\u00a0b"


def test_a_backslash_before_a_line_end_ends_a_paragraph() -> None:
    assert plain_text("{\\rtf1\\ansi \\'d3\\\n\\'e7\\\r\n\\'e5}") == "У\nз\nе"


def prepared(cells: dict[str, str], tmp_path: Path) -> Report | Refusal:
    return Preparer(settings(tmp_path, deidentification=ENABLED), Pseudonyms(None, None)).prepare(Row("a", 1, cells))


@pytest.mark.parametrize("form", CODED)
def test_a_coded_name_is_replaced(form: str, tmp_path: Path) -> None:
    report = prepared({**ROWS[1], "Описание": CODED[form](TEXT)}, tmp_path)
    assert isinstance(report, Report)
    assert report.description == "Пациентка [ИМЯ]. Узел 12 мм, коллоид; «фон» чистый — 56 лет."
    assert "coded_text" in report.changed


@pytest.mark.parametrize(("really", "wrongly"), WRONG)
def test_a_row_in_another_encoding_is_read_like_the_others(really: str, wrongly: str, tmp_path: Path) -> None:
    row = {name: cell if name == "Категория" else read_as(cell, really, wrongly) for name, cell in ROWS[1].items()}
    report = prepared(row, tmp_path)
    assert isinstance(report, Report)
    assert report.conclusion == ROWS[1]["Заключение"]
    assert "wrong_encoding" in report.changed


def test_an_unreadable_row_is_refused(tmp_path: Path) -> None:
    row = {**ROWS[1], "Заключение": "Шцпяы Ывапр ячсми тьбюэ щшгнек ъхзщш"}
    assert prepared(row, tmp_path) is Refusal.UNREADABLE


def test_some_unreadable_rows_are_quarantined_and_many_stop_the_run(tmp_path: Path) -> None:
    unreadable = [{**row, "Описание": "Шцпяы Ывапр ячсми тьбюэ щшгнек ъхзщш"} for row in ROWS]
    got = taken(settings(jsonl(tmp_path / "a.jsonl", [*ROWS[:50], *unreadable[50:]])), tmp_path)
    assert got.account.refused == {"unreadable": 10}
    with pytest.raises(CorpusError, match=r"of the first 50 texts of .*, 30 are coded or decoded wrongly: codes"):
        taken(settings(jsonl(tmp_path / "b.jsonl", [*ROWS[:20], *unreadable[20:]])), tmp_path)


@pytest.mark.parametrize(
    ("really", "wrongly"),
    [("cp1251", "koi8_r"), ("koi8_r", "cp1251"), ("cp866", "cp1251"), ("cp1251", "cp866"), ("cp1251", "mac_cyrillic"),
     ("mac_cyrillic", "cp1251"), ("utf-8", "latin_1")],
)  # fmt: skip
def test_a_file_read_in_a_wrong_encoding_stops_the_run_with_the_right_one(
    really: str, wrongly: str, tmp_path: Path
) -> None:
    path = exported(tmp_path, really, {"Описание": "description", "Заключение": "conclusion", "Категория": "category"})
    columns = Columns(text=None, description="description", conclusion="conclusion", category="category", patient=None)
    with pytest.raises(CorpusError, match=rf"corpus.encoding: .* set corpus.encoding to {really}, or export") as raised:
        taken(settings(path, encoding=wrongly, columns=columns), tmp_path)
    assert "Гусарова" not in str(raised.value)


@pytest.mark.parametrize(("really", "wrongly"), [("cp1251", "koi8_r"), ("cp866", "cp1251"), ("mac_cyrillic", "cp866")])
def test_a_header_in_a_wrong_encoding_names_the_right_one(really: str, wrongly: str, tmp_path: Path) -> None:
    path = exported(tmp_path, really, {name: name for name in ROWS[0]})
    with pytest.raises(CorpusError, match=rf"corpus.encoding: .* if it is read as {really}; set") as raised:
        taken(settings(path, encoding=wrongly), tmp_path)
    assert "Гусарова" not in str(raised.value)


def exported(folder: Path, encoding: str, names: dict[str, str]) -> Path:
    """A file of delimited text with the given columns under other names."""
    rows = [{**row, "Описание": f"{TEXT} {row['Описание']}"} for row in ROWS]
    lines = [
        ",".join(names.values()),
        *(",".join(re.sub(r'[—«»,\n"]', " ", row[column]) for column in names) for row in rows),
    ]
    path = folder / "a.csv"
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


@pytest.mark.skipif(not RUMEDBENCH.is_dir(), reason="RuMedBench is not beside the checkout")
def test_every_published_complaint_is_readable_and_stays_in_less_than_a_millisecond() -> None:
    """The cost of all words of 9,653 complaints; with the answers cached, it is 0.06 ms each."""
    texts = {
        json.loads(line)["symptoms"] for path in RUMEDBENCH.glob("*/*.jsonl") for line in path.open(encoding="utf-8")
    }
    start = time.process_time()
    assert [text for text in texts if decoded({"a": text}) != ({"a": text}, []) or is_unreadable(text)] == []
    assert time.process_time() - start < 1e-3 * len(texts)


@pytest.mark.skipif(not RUMEDBENCH.is_dir(), reason="RuMedBench is not beside the checkout")
# Mac Cyrillic and cp1251 differ too little for a single row.
@pytest.mark.parametrize(("really", "wrongly"), WRONG[:-1])
def test_nearly_every_complaint_in_a_wrong_encoding_is_restored_or_refused(really: str, wrongly: str) -> None:
    """What is left has fewer than five words that can be judged."""
    texts = [json.loads(line)["symptoms"] for path in RUMEDBENCH.glob("*/dev*.jsonl") for line in path.open("rb")]
    meant = [text.encode(really, "ignore").decode(really) for text in texts]
    got = [decoded({"a": read_as(text, really, wrongly)})[0]["a"] for text in meant]
    assert sum(one == text for one, text in zip(got, meant, strict=True)) > 0.7 * len(meant)
    left = [one for one, text in zip(got, meant, strict=True) if one != text and not is_unreadable(one)]
    assert len(left) < 0.03 * len(meant)
