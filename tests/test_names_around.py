"""Ways around the text: categories, names of files and columns, and links identify nobody in any output."""

import logging
import random
import re
from pathlib import Path

import pytest

from anamnesis.corpus.categories import identifies
from anamnesis.corpus.deidentification import Deidentifier
from anamnesis.corpus.intake import take_in
from anamnesis.corpus.naming import check_names
from anamnesis.corpus.preparing import prepare_corpus
from anamnesis.corpus.refusals import CorpusError
from anamnesis.corpus.staging import Staging
from anamnesis.settings.corpus import Columns, Deidentification
from tests.exports import ROWS, jsonl, settings, taken
from tests.test_coding import CODED, WRONG, read_as
from tests.test_other_identifiers import REPLACED

ENABLED = Deidentification(
    enabled=True, engine="rules_and_tagger", clinical_words=[], key_variable=None, max_date_shift_days=None
)
VERBATIM = {"category_system": "verbatim", "categories": None, "critical_categories": [], "deidentification": ENABLED}
KINDS = ["зоб", "киста", "аденома", "рак"]


@pytest.mark.parametrize(
    ("category", "patient", "expected"),
    [
        ("Гусарова М.П.", "12", True),
        ("Узел Гусаровой", "12", True),
        ("12.03.2021", "12", True),
        ("89161234567", "12", True),
        ("зоб, карта № 4567", "12", True),
        ("Мороз", "Мороз А.Б.", True),
        ("зоб Гуся", "Гусь А.Б.", True),
        ("зоб у дзюбы", "ДЗЮБА^ОЛЬГА", True),
        ("зоб, К 12345", "К-012345", True),
        ("аденома, привезла Голуб", "12", True),
        ("цСЯЮПНБЮ лЮПХЪ", "12", True),
        ("зоб цСЯЮПНБЮ", "12", True),
        ("Ãóñàðîâà", "12", True),
        ("цГЪРЬОЙХМЮ", "12", True),
        ("\\xc3\\xf3\\xf1\\xe0\\xf0\\xee\\xe2\\xe0", "12", True),
        ("IV", "Мороз А.Б.", False),
        ("Хашимото", "12", False),
        ("Болезнь Грейвса", "12", False),
        ("тиреоидит де Кервена", "12", False),
        ("E04.1", "12", False),
        ("Категория 4", "пациент 12", False),
        ("узловой зоб, 2 степени", "12", False),
        ("рак", "Рак А.Б.", False),
        ("МиТГ", "12", False),
        ("АТПО", "12", False),
        ("-", "12", False),
        ("unknown", "12", False),
        ("AUS/FLUS", "12", False),
    ],
)
def test_a_category_that_identifies(category: str, patient: str, expected: bool) -> None:
    assert identifies(category, patient, Deidentifier.of(ENABLED)) is expected


def test_a_category_is_judged_by_the_engine_of_the_settings() -> None:
    """The tagger alone takes the word for a person; the user's list says what is none."""
    category = "аденома, привезла Голуб"
    assert not identifies(category, "12", Deidentifier())
    assert identifies(category, "12", Deidentifier(tagger=True))
    assert not identifies(category, "12", Deidentifier(tagger=True, further=("голуб*",)))


def test_a_row_whose_category_identifies_is_refused_and_its_category_is_shown_nowhere(tmp_path: Path) -> None:
    rows = [{**row, "Категория": KINDS[i % 4]} for i, row in enumerate(ROWS)]
    for i in range(0, 60, 10):
        rows[i]["Категория"] = f"{KINDS[i % 4]} Гусаровой М.П."
    corpus = settings(jsonl(tmp_path / "a.jsonl", rows), **VERBATIM)
    got = taken(corpus, tmp_path / "scratch")
    assert got.account.refused == {"category_identifies": 6}
    assert {report["category"] for report in got.reports} == set(KINDS)
    assert "Гусаров" not in (tmp_path / "scratch/quarantine.jsonl").read_text(encoding="utf-8")


def test_a_category_may_be_a_word_of_the_files_name(tmp_path: Path) -> None:
    """Without a column of patients, each row is a patient of its own, called by its place."""
    columns = Columns(text=None, description="Описание", conclusion="Заключение", category="Категория", patient=None)
    path = jsonl(tmp_path / "киста.jsonl", [{**row, "Категория": "киста"} for row in ROWS])
    assert taken(settings(path, **VERBATIM, columns=columns), tmp_path / "scratch").account.refused == {}


def test_a_declared_category_is_the_users_own(tmp_path: Path) -> None:
    """The way out if a category is mistaken for a name."""
    rows = [{**row, "Категория": ["зоб", "Узел Гусаровой"][i % 2]} for i, row in enumerate(ROWS)]
    declared = settings(jsonl(tmp_path / "a.jsonl", rows), **{**VERBATIM, "categories": ["зоб", "Узел Гусаровой"]})
    assert taken(declared, tmp_path / "scratch").account.refused == {}


PERSONAL = [
    "Гусарова_Мария_Петровна.xlsx", "Гусарова МП.csv", "tel_89161234567.csv", "gusarova@mail.ru.csv",
    "112-233-445 95.json", "пациенты Гусаровой.csv", "Отчёт врача Петровой А.С..csv.gz", "Гусарова-Мария.xlsx",
    "гусарова_мария.csv", "Гусарова.Мария.csv", "ГусароваМария.csv", "gusarova_maria.xlsx", "ivanov.petr.csv",
    "IvanovPetr.csv", "8_916_123_45_67.csv", "112_233_445_95.csv", "карта_1234567.csv", "40288157.csv",
    "отчёт_40288157_2021.csv", read_as("Гусарова Мария.csv", "cp866", "cp1251"),
    read_as("Гусарова_Мария.csv", "utf-8", "cp866"),
]  # fmt: skip


@pytest.mark.parametrize("name", PERSONAL)
@pytest.mark.parametrize("place", ["data/raw/{}", "data/{}/export.csv", "{}/data/raw/export.csv", "/mnt/{}/a/b/c"])
def test_a_file_or_folder_named_after_a_person_is_refused_without_its_name(name: str, place: str) -> None:
    path = Path(place.format(name))
    with pytest.raises(CorpusError, match=r"^corpus.path: the name of the f.* holds an identifier") as raised:
        check_names(settings(path, deidentification=ENABLED))
    assert not re.search("усаров|8.?916|usarova|112|Петров|vanov|1234567|40288157", str(raised.value))
    check_names(settings(path))


@pytest.mark.parametrize(
    "name",
    ["отчёты 1.csv", "fna_synthetic.jsonl", "выгрузка_12.03.2021.xlsx", "ТАБ_2020-2021.csv", "export-2021.xlsx",
     "Москва.csv", "Больница 5", "corpus.jsonl.gz", "export_20210312_143000.csv", "исследования_2021.csv",
     "Казань_цитология_2019-2021.csv", "BethesdaReports.csv", "results_100000", "Новая папка (2)", "pytest-of-root",
     "list_of_the_samples", "test_the_sample_is_of_the_prep0",
     read_as("отчёты.csv", "cp866", "cp1251")],
)  # fmt: skip
def test_other_names_are_accepted(name: str) -> None:
    for path in (Path("/home/user/data/raw") / name / name, Path(), Path("..")):
        check_names(settings(path, deidentification=ENABLED))


@pytest.mark.parametrize(
    "column", ["patient_id", "Код", "Орган", "Номер пациента", "ФИО пациента", "Диагноз МКБ-10", "symptoms"]
)
def test_ordinary_columns_are_accepted(column: str) -> None:
    columns = Columns(text=None, description=column, conclusion=None, category="Код", patient=None)
    check_names(settings(Path("a.csv"), columns=columns, deidentification=ENABLED))


def test_a_column_named_after_a_person_is_refused_without_its_name() -> None:
    columns = Columns(text=None, description="узлы Гусаровой М.П.", conclusion=None, category="Код", patient=None)
    with pytest.raises(CorpusError, match=r"^corpus.columns.description: the name of the column") as raised:
        check_names(settings(Path("a.csv"), columns=columns, deidentification=ENABLED))
    assert "усаров" not in str(raised.value)


def test_a_broken_link_is_named_by_its_place(tmp_path: Path) -> None:
    export = tmp_path / "export"
    export.mkdir()
    jsonl(export / "a.jsonl", ROWS)
    (export / "Гусарова М.П..jsonl").symlink_to(tmp_path / "Гусарова")
    with (
        Staging(tmp_path / "scratch/staging.jsonl") as staging,
        pytest.raises(CorpusError, match=r"file 2 of .* \(by name\) is a link to a file that is not there") as raised,
    ):
        take_in(settings(export), staging, tmp_path / "scratch/quarantine.jsonl")
    assert "усаров" not in str(raised.value)


SURNAMES = ("Веретенников", "Жаворонков", "Рукавишников", "Толмачёв", "Остапенко")


def canaries(rng: random.Random) -> list[str]:
    """400 sentences, each with an identifier: every fourth a name, and the others of all other kinds in turn."""
    forms = [before for pairs in REPLACED.values() for before, _ in pairs]
    return [
        f"Узел {number} мм. {forms[number % len(forms)]}. Фон чистый."
        if number % 4
        else f"Узел {number} мм. Пациент {rng.choice(SURNAMES)} И.{rng.choice('АБВГДЕ')}. осмотрен."
        for number in range(400)
    ]


def test_no_planted_identifier_comes_out_in_any_form(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Kinds of every sort, plain, coded and in wrong encodings; in categories too."""
    rng = random.Random(0)
    pairs = [pair for kind in REPLACED.values() for pair in kind]
    # Words such as "номер" belong to an identifier in one place, and announce one in another.
    announcing = {"номер", *(word for _, after in pairs for word in _words(after))}
    secret = {word for before, _ in pairs for word in _words(before)} - announcing
    secret |= set(SURNAMES)
    rows = []
    for number, text in enumerate(canaries(rng)):
        # ß, Ä and the like are in no encoding of Russian.
        form = number % 5 if text.encode("cp1251", "ignore").decode("cp1251") == text else 0
        if form == 1:
            text = list(CODED.values())[number % len(CODED)](text)
        elif form == 2:
            really, wrongly = WRONG[number % len(WRONG)]
            text = read_as(text.encode(really, "ignore").decode(really), really, wrongly)
        category = f"зоб, Веретенникова М.П., {number % 7}" if number % 20 == 0 else KINDS[number % 4]
        conclusion = f"Картина узла, контроль через {number % 9} мес."
        rows.append({"Пациент": f"{number}", "Описание": text, "Заключение": conclusion, "Категория": category})
    corpus = settings(jsonl(tmp_path / "a.jsonl", rows), **VERBATIM, near_duplicate_similarity=1.0)
    with caplog.at_level(logging.DEBUG):
        prepared = prepare_corpus(corpus, tmp_path / "out", tmp_path / "out/quarantine.jsonl")
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "out").glob("*.jsonl")}
    written |= {"log": caplog.text, "numbers": repr(prepared)}
    assert len(secret) > 100
    found = {(name, word) for name, text in written.items() for word in secret & set(_words(text))}
    assert found == set()
    refused = prepared.numbers["refused"]
    # A text with few words that are known in any encoding stays coded, and its row is refused.
    assert refused.pop("category_identifies") == 20
    assert sum(refused.values()) < 20


def _words(text: str) -> list[str]:
    """What could be recognized: at least five letters or digits between spaces."""
    return [word for word in text.replace("[", " ").replace("]", " ").split() if sum(map(str.isalnum, word)) >= 5]
