"""Cleaning, categories and sections: the same meaning gets the same characters, and nothing else changes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anamnesis.corpus.categories import find_tbsrtc, parse_icd10, parse_tbsrtc, without_tbsrtc
from anamnesis.corpus.cleaning import RULES, clean, find_boilerplate, without_boilerplate
from anamnesis.corpus.columns import cut
from anamnesis.corpus.deidentification import Deidentifier
from anamnesis.corpus.formats import Row
from anamnesis.corpus.pseudonyms import Pseudonyms
from anamnesis.corpus.refusals import Refusal
from anamnesis.corpus.reports import Preparer, Report
from anamnesis.settings.corpus import Columns, Deidentification, Sections
from tests.exports import ROWS, jsonl, settings, taken, with_columns

UNKNOWN, CONTRADICTORY = Refusal.CATEGORY_UNKNOWN, Refusal.CATEGORY_CONTRADICTORY


@pytest.mark.parametrize(
    ("rule", "written", "meant"),
    [
        ("html_entities", "3&nbsp;мм &lt;5 &amp; &#171;узел&#187;<br/>фон<BR>", "3\xa0мм <5 & «узел»\nфон\n"),
        ("html_entities", "размер <5 мм и >3 мм, p<0,05", "размер <5 мм и >3 мм, p<0,05"),
        ("html_entities", "&amp;lt;5&amp;amp;nbsp;мм &#38;laquo;узел&amp;#187; &#X417;", "<5\xa0мм «узел» З"),
        ("html_entities", "Гу<b>са</b>ро<span style='x'>ва</span><!-- x --> М.П.</td><td>фон", "Гусарова М.П.  фон"),
        ("html_entities", "<h1>Узел</h1><o:p>3</o:p><sup>2</sup>", "\nУзел\n 3 2"),
        ("unicode_form", "и\u0306од, е\u0308ж, Bethesda Ⅳ", "йод, ёж, Bethesda IV"),
        ("line_ends", "щито-\r\n видной\rжелезы\u2028узел", "щитовидной\nжелезы\nузел"),
        ("line_ends", "УЗИ-\nконтроль", "УЗИ-\nконтроль"),
        ("line_ends", r"Гусарова\nМария\\r\\nщито-\nвидной\tузел", "Гусарова\nМария\nщитовидной\tузел"),
        ("line_ends", r"150\100, C:\new", r"150\100, C:\new"),
        ("line_ends", r"узел\r\n3 мм\nфон\tчистый, C:\new", "узел\n3 мм\nфон\tчистый, C:\\new"),
        ("html_entities", "Гуса<b>ров</b>а, <i>узел</i>: 3<b>мм</b>", "Гусарова, узел: 3мм"),
        ("control_characters", "уз\u00adел\u200b\x00\ufeff", "узел"),
        ("homoglyphs", "клeтки фoлликyлярные, Вethesda, 4а, pH, мкg", "клетки фолликулярные, Bethesda, 4а, pH, мкg"),
        ("white_space", " узел \n\t 3\u00a0мм ", "узел 3 мм"),
    ],
)  # fmt: skip
def test_a_rule_does_what_it_is_called(rule: str, written: str, meant: str) -> None:
    assert RULES[rule](written) == meant


def test_the_rules_that_changed_a_text_are_named() -> None:
    assert clean("Узел 3 мм.") == ("Узел 3 мм.", [])
    assert clean("Узeл\r\n3&nbsp;мм.") == ("Узел 3 мм.", ["html_entities", "line_ends", "homoglyphs", "white_space"])


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once, _ = clean(clean(text)[0])
    assert clean(once) == (once, [])
    assert "\n" not in once


@pytest.mark.parametrize(
    ("written", "category"),
    [
        ("IV", "IV"), ("iv", "IV"), (" 4 ", "IV"), ("4.0", "IV"), ("4,00", "IV"), ("ІV", "IV"),
        ("Ш", "III"), ("П", "II"), ("У", "V"), ("1", "I"), ("Bethesda 2", "II"), ("Bethesda-IV", "IV"),
        ("Bethesda category V", "V"), ("Категория III (Bethesda)", "III"), ("IIIa", "III"), ("III B", "III"),
        ("Бетесда VI", "VI"), ("TBSRTC 2017: III", "III"), ("Bethesda 2023 II", "II"), ("(V)", "V"),
        ("II — доброкачественный узел", "II"), ("Доброкачественный", "II"), ("не доброкачественный", UNKNOWN),
        ("Подозрение на папиллярный рак", "V"), ("Подозрение на фолликулярную опухоль", "IV"),
        ("Фолликулярная неоплазия", "IV"), ("AUS", "III"), ("FLUS", "III"), ("SFN", "IV"), ("Benign", "II"),
        ("Недиагностический материал", "I"), ("Папиллярный рак", "VI"),
        ("Злокачественные клетки не обнаружены", UNKNOWN), ("Исключить рак", UNKNOWN), ("не информативный", "I"),
        ("II, без признаков злокачественности", "II"), ("карцинома", "VI"), ("Malignant", "VI"),
        ("Follicular neoplasm", "IV"), ("Suspicious for malignancy", "V"),
        ("", UNKNOWN), ("VII", UNKNOWN), ("7", UNKNOWN), ("0", UNKNOWN), ("2.5", UNKNOWN), ("узел", UNKNOWN),
        ("12", UNKNOWN), ("nan", UNKNOWN), ("II/III", CONTRADICTORY), ("II-III", CONTRADICTORY),
        ("2, 3", CONTRADICTORY),
        ("III или IV", CONTRADICTORY), ("II, злокачественный", CONTRADICTORY), ("Bethesda II (AUS)", CONTRADICTORY),
    ],
)  # fmt: skip
def test_a_category_of_the_bethesda_system_is_known_by_number_and_name(written: str, category: str) -> None:
    assert parse_tbsrtc(written) == category


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Картина коллоидного узла. Bethesda II.", "II"),
        ("Доброкачественное образование (Бетесда, категория 2).", "II"),
        ("Категория IV по системе Bethesda 2017.", "IV"),
        ("Диагностическая категория III.", "III"),
        ("Фолликулярная неоплазия, Bethesda-IV", "IV"),
        ("Найдено 6 групп по 10 клеток, группа 3, узел I сегмента.", UNKNOWN),
        ("Ранее Bethesda III, теперь Bethesda II.", CONTRADICTORY),
        ("Соответствует II категории по Bethesda.", "II"),
        ("Bethesda class II", "II"),
        ("Bethesda-кат. 2", "II"),
        ("Bethesda ІV", "IV"),
        ("Категория Ш", "III"),
        ("Bethesda: IV-V", CONTRADICTORY),
        ("EU-TIRADS, категория 4. Узел.", UNKNOWN),
        ("Врач-цитолог, категория 1", UNKNOWN),
        ("TI-RADS категория 4. Узел. Bethesda II.", "II"),
    ],
)
def test_a_category_is_found_inside_a_text_where_it_is_called_one(text: str, category: str) -> None:
    assert find_tbsrtc(text) == category


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Картина узла. Bethesda II.", "Картина узла."),
        ("Картина узла (Bethesda II), контроль.", "Картина узла, контроль."),
        ("Bethesda IV. Фолликулярная неоплазия.", "Фолликулярная неоплазия."),
        ("Группы по 6 клеток.", "Группы по 6 клеток."),
    ],
)
def test_the_mention_of_a_category_is_taken_out(text: str, left: str) -> None:
    assert without_tbsrtc(text).strip() == left


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("J06.9", "J06.9"), ("j069", "J06.9"), ("J06,9", "J06.9"), ("К29", "K29"), ("К29.1 Гастрит", "K29.1"),
        ("E 04.1", "E04.1"), ("J06.9, K29", CONTRADICTORY), ("гастрит", UNKNOWN), ("29", UNKNOWN),
    ],
)  # fmt: skip
def test_an_icd10_code_is_brought_to_one_form(written: str, code: str) -> None:
    assert parse_icd10(written) == code


SECTIONS = Sections(description=["Описание", "Микроскопия"], conclusion=["Заключение"], other=["Врач"])


@pytest.mark.parametrize(
    "text",
    [
        "Описание: узел. Фон чистый.\nЗаключение: зоб.\nВрач: Икс",
        "Больница 5\nОПИСАНИЕ\nузел. Фон чистый.\nЗАКЛЮЧЕНИЕ\nзоб.",
        "Шапка. Микроскопия - узел. Фон чистый. Заключение — зоб. Врач: Икс.",
        "Описание:\u00a0узел. Фон чистый.\u00a0Заключение: зоб",
    ],
)
def test_a_free_text_is_cut_at_its_headings(text: str) -> None:
    fields = cut(text, SECTIONS)
    assert not isinstance(fields, Refusal)
    assert fields["description"].rstrip(".") == "узел. Фон чистый"
    assert fields["conclusion"].rstrip(".") == "зоб"


def test_a_heading_inside_a_sentence_cuts_nothing() -> None:
    fields = cut("Описание: прежнее заключение: нет; в описании нет ядер. Заключение: зоб.", SECTIONS)
    assert fields == {"description": "прежнее заключение: нет; в описании нет ядер", "conclusion": "зоб."}


@pytest.mark.parametrize("text", ["узел", "Описание: узел", "Заключение: зоб", ""])
def test_a_text_without_one_of_its_sections_is_refused(text: str) -> None:
    assert cut(text, SECTIONS) is Refusal.SECTION_MISSING


def test_the_category_does_not_stay_in_the_description(tmp_path) -> None:
    cells = {**ROWS[1], "Описание": "Ранее Bethesda II. Узел 3 мм."}
    report = Preparer(settings(tmp_path), Pseudonyms(None, None)).prepare(Row("a", 1, cells))
    assert isinstance(report, Report)
    assert report.description == "Ранее Узел 3 мм."
    assert report.changed == ("category_in_description",)


@pytest.mark.parametrize(
    ("description", "conclusion", "cell", "category"),
    [
        ("Узел.", "Картина узла.", "II", "II"),
        ("Узел.", "Картина узла. Bethesda II.", "II", "II"),
        ("Ранее Bethesda VI.", "Картина узла. Bethesda II.", "II", "II"),
        ("Ранее Bethesda VI. Узел.", "Картина узла.", "II", "II"),
        ("Узел.", "Картина узла. Bethesda III.", "II", CONTRADICTORY),
        ("Ранее Bethesda VI. Узел.", "Картина узла. Bethesda II.", None, "II"),
        ("Ранее Bethesda VI. Узел.", "Картина узла.", None, Refusal.CATEGORY_MISSING),
    ],
)
def test_the_category_is_that_of_its_column_or_else_of_the_conclusion(
    description: str, conclusion: str, cell: str | None, category: str, tmp_path: Path
) -> None:
    """An earlier finding in the description is never the category."""
    cells = {"Пациент": "п1", "Описание": f"{description} Фон чистый.", "Заключение": conclusion}
    cells |= {} if cell is None else {"Категория": cell}
    columns = with_columns(category=None if cell is None else "Категория")
    report = Preparer(settings(tmp_path, columns=columns), Pseudonyms(None, None)).prepare(Row("a", 1, cells))
    assert (report.category if isinstance(report, Report) else report) == category


def test_only_a_field_longer_than_the_limit_is_refused(tmp_path: Path) -> None:
    preparer = Preparer(settings(tmp_path, max_characters=200), Pseudonyms(None, None))
    longest, longer = ({**ROWS[1], "Заключение": "а" * length} for length in (200, 201))
    assert isinstance(preparer.prepare(Row("a", 1, longest)), Report)
    assert preparer.prepare(Row("a", 1, longer)) is Refusal.TOO_LONG


# ---- Boilerplate ---------------------------------------------------------------------------------------------------


def letterhead(number: int) -> str:
    background = "чистый" if number % 3 else "кровянистый"
    return f"Городская больница, отделение цитологии. Узел {number} мм. Фон {background}."


def test_a_sentence_of_every_category_is_boilerplate_and_one_of_most_reports_is_not() -> None:
    reports = [
        ("II", (letterhead(i), "Коллоида очень много.")) if i % 5 else ("V", (letterhead(i),)) for i in range(200)
    ]
    found = find_boilerplate(reports, 0.5)
    assert found == {"Городская больница, отделение цитологии."}
    assert without_boilerplate(letterhead(4), found) == "Узел 4 мм. Фон чистый."
    assert find_boilerplate(reports[:20], 0.5) == frozenset()


@pytest.mark.parametrize("beginning", [5000, 150])
def test_boilerplate_is_taken_out_and_counted(beginning: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature is boilerplate too, once the name in it is replaced. The first rows, from which boilerplate is
    recognized, are de-identified no second time."""
    monkeypatch.setattr("anamnesis.corpus.intake.BEGINNING", beginning)
    read: list[str] = []
    monkeypatch.setattr(Deidentifier, "find", _noting(Deidentifier.find, read))
    rows = [
        {**ROWS[i % 60], "Описание": f"{letterhead(i)} Врач-цитолог: Петрова А.{'БВГД'[i % 4]}., просмотрено вручную."}
        for i in range(240)
    ]
    enabled = Deidentification(
        enabled=True, engine="rules", clinical_words=[], key_variable=None, max_date_shift_days=None
    )
    got = taken(settings(jsonl(tmp_path / "corpus.jsonl", rows), deidentification=enabled), tmp_path)
    assert got.reports[5]["description"] == "Узел 5 мм. Фон чистый."
    assert got.reports[-1]["description"] == "Узел 239 мм. Фон чистый."
    assert got.account.changed["boilerplate"] == 240
    assert got.account.identifiers["doctor"] == 240
    assert len(read) == 2 * 240


def _noting(find: Any, read: list[str]) -> Any:
    def noted(self: Deidentifier, texts: Sequence[str], patients: Sequence[str] | None = None) -> Any:
        read.extend(texts)
        return find(self, texts, patients)

    return noted


@pytest.mark.parametrize("beginning", [5000, 150])
def test_a_description_of_boilerplate_alone_is_refused(
    beginning: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anamnesis.corpus.intake.BEGINNING", beginning)
    rows = [{**ROWS[i % 60], "Описание": letterhead(i)} for i in range(240)]
    for row in (rows[7], rows[200]):
        row["Описание"] = "Городская больница, отделение цитологии."
    got = taken(settings(jsonl(tmp_path / "corpus.jsonl", rows)), tmp_path)
    assert [(one["row"], one["reason"]) for one in got.refused] == [
        (number, Refusal.DESCRIPTION_MISSING) for number in (8, 201)
    ]
    assert len(got.reports) == 238


def test_names_of_the_own_patient_are_replaced_and_counted_by_engine(tmp_path: Path) -> None:
    both = Deidentification(
        enabled=True,
        engine="rules_and_tagger",
        clinical_words=["тирексин"],
        key_variable=None,
        max_date_shift_days=None,
    )
    cells = {
        "Пациент": "ДЗЮБА^О^П", "Описание": "Узел у дзюбы. Пациентка Тирексин отменила.",
        "Заключение": "Зоб. Материал привезла Голуб из района.", "Категория": "II",
    }  # fmt: skip
    preparer = Preparer(settings(tmp_path, deidentification=both), Pseudonyms(None, None))
    report = preparer.prepare(Row("a", 1, cells))
    assert isinstance(report, Report)
    assert report.description == "Узел у [ИМЯ]. Пациентка Тирексин отменила."
    assert report.conclusion == "Зоб. Материал привезла [ИМЯ] из района."
    assert report.names_by == {"rules": 1, "tagger": 1}
    assert preparer.prepare_all([Row("a", 1, cells)] * 3) == [report] * 3


def test_headings_between_tags_are_found(tmp_path: Path) -> None:
    columns = Columns(text="Протокол", description=None, conclusion=None, category="Категория", patient=None)
    cells = {"Протокол": "<p>Описание: узел</p><p>Заключение:&nbsp;зоб</p>", "Категория": "II"}
    report = Preparer(settings(tmp_path, columns=columns), Pseudonyms(None, None)).prepare(Row("a", 1, cells))
    assert isinstance(report, Report)
    assert (report.description, report.conclusion) == ("узел", "зоб")
