"""A patient keeps one pseudonym, and only the secret key leads back to the patient."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anamnesis.corpus.intake import take_in
from anamnesis.corpus.pseudonyms import Pseudonyms, same_patient
from anamnesis.corpus.refusals import CorpusError, Notice
from anamnesis.corpus.staging import Staging
from anamnesis.settings.corpus import Deidentification
from tests.exports import ROWS, jsonl, settings, taken

KEY = "0123456789abcdef0123"
KEYED = Deidentification(
    enabled=True, engine="rules", clinical_words=[], key_variable="TEST_PATIENT_KEY", max_date_shift_days=None
)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_PATIENT_KEY", KEY)


@pytest.mark.parametrize("spelling", ["Иванова А.Б.", "ИВАНОВА А. Б.", " иванова  а б", "Иванова\u00a0А.Б."])
def test_one_patient_in_several_spellings(spelling: str) -> None:
    assert same_patient(spelling) == "ивановааб"


def test_a_number_is_the_same_as_a_fraction_of_it() -> None:
    assert same_patient("123.0") == same_patient("123") != same_patient("1230")


NUMBERS = ["К-1234", "K-1234", "к 1234", "К1234", "K‑1234", "К-001234", "К/12-34", "№ К1234", "К 12-34"]


@pytest.mark.parametrize("spelling", NUMBERS)
def test_a_number_is_one_with_other_letters_separators_and_zeros(spelling: str) -> None:
    assert same_patient(spelling) == "к1234"


@pytest.mark.parametrize("spelling", ["00123", "123", "123.0", "123,00", " 1 23", "000-123", "№123", "１２３"])
def test_leading_zeros_and_separators_do_not_make_another_number(spelling: str) -> None:
    assert same_patient(spelling) == "123"


@pytest.mark.parametrize(("one", "other"), [("п1", "п2"), ("--", ".."), ("1203", "123"), ("К12", "П12")])
def test_two_patients_stay_two(one: str, other: str) -> None:
    assert same_patient(one) != same_patient(other)


@pytest.mark.usefixtures("key")
def test_the_pseudonym_depends_on_patient_and_key_alone() -> None:
    ours = Pseudonyms.of(KEYED)
    assert ours.digest("Иванова А.Б.") == Pseudonyms.of(KEYED).digest("ИВАНОВА А Б")
    assert ours.digest("Иванова А.Б.") != ours.digest("Иванова А.В.")
    assert ours.digest("Иванова А.Б.") != Pseudonyms(b"another key of the hospital", None).digest("Иванова А.Б.")


@pytest.mark.parametrize("value", [None, "", "short"])
def test_a_missing_or_short_key_stops_the_run(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_PATIENT_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("TEST_PATIENT_KEY", value)
    with pytest.raises(CorpusError, match="TEST_PATIENT_KEY holds no key") as caught:
        Pseudonyms.of(KEYED)
    assert not value or value not in str(caught.value)


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("deidentification", [KEYED, replace(KEYED, key_variable=None)])
def test_spellings_of_one_patient_in_an_export_are_one_patient(
    deidentification: Deidentification, tmp_path: Path
) -> None:
    """Otherwise the reports of one patient could end up in two parts."""
    spellings = ["Иванова А.Б.", "ИВАНОВА А. Б.", "Петрова А.Б.", "иванова а б", "Иванова А.В."]
    rows = [{**ROWS[i], "Пациент": name, "Категория": "II"} for i, name in enumerate(spellings)]
    got = taken(settings(jsonl(tmp_path / "corpus.jsonl", rows), deidentification=deidentification), tmp_path)
    assert got.patients == [1, 1, 2, 1, 3]
    assert got.account.noticed[Notice.OTHER_SPELLINGS] == 2


def numbers(folder: Path, *patients: str) -> list[int]:
    """The patients as the split sees them."""
    rows = [{**ROWS[i], "Пациент": name, "Категория": "II"} for i, name in enumerate(patients)]
    corpus = settings(jsonl(folder / "corpus.jsonl", rows))
    with Staging(folder / "staging.jsonl") as staging:
        take_in(corpus, staging, folder / "quarantine.jsonl")
        return np.unique(staging.patients, return_inverse=True)[1].tolist()


PADDED = ["21-0045", "21-45", "2145", "21/00045", "21 045", "№ 21_0045", "21–45"]


@pytest.mark.usefixtures("key")
def test_zeros_behind_a_separator_make_no_other_patient(tmp_path: Path) -> None:
    """Neither for the split, nor for the hash, nor for the shift of dates."""
    pseudonyms = Pseudonyms.of(replace(KEYED, max_date_shift_days=300))
    assert {same_patient(name) for name in PADDED} == {"2145"}
    assert len({pseudonyms.digest(name) for name in PADDED}) == 1
    assert len({pseudonyms.shift_days(name) for name in PADDED}) == 1
    assert set(numbers(tmp_path, *PADDED)) == {0}


def test_a_number_without_its_separator_is_in_the_same_part(tmp_path: Path) -> None:
    """In doubt: its zeros may be of the number, so that it has a pseudonym of its own."""
    assert numbers(tmp_path, "21-45", "210045", "21-0045") == [0, 0, 0]
    assert same_patient("210045") == "210045" != same_patient("21-0045")
    assert len(set(numbers(tmp_path, "21-0045", "21-0046", "22-0045", "21-450", "45"))) == 5
    assert same_patient("21.05") != same_patient("21.5")


@pytest.mark.parametrize(
    ("patients", "others"),
    [
        (("21-0045", "21-45", "21-0045", "21-45"), 2),
        (("210045", "21-45", "21-0045", "210045"), 2),
        (("21-0045", "22-0045", "21-0045", "22-45"), 1),
        (("п1", "п2", "п1", "П1"), 1),
    ],
)
def test_other_spellings_than_the_first_are_counted(patients: tuple[str, ...], others: int, tmp_path: Path) -> None:
    rows = [{**ROWS[i], "Пациент": name, "Категория": "II"} for i, name in enumerate(patients)]
    got = taken(settings(jsonl(tmp_path / "corpus.jsonl", rows)), tmp_path)
    assert got.account.noticed[Notice.OTHER_SPELLINGS] == others


def test_numbers_of_patients_are_those_of_their_names(tmp_path: Path) -> None:
    assert numbers(tmp_path, "п2", "п1", "п2", "п3", "п1") == [0, 1, 0, 2, 1]


@given(st.text(), st.integers(1, 400))
def test_dates_of_a_patient_are_moved_by_one_number_of_days(patient: str, most: int) -> None:
    pseudonyms = Pseudonyms(KEY.encode(), most)
    days = pseudonyms.shift_days(patient)
    assert days == pseudonyms.shift_days(patient)
    assert days is not None
    assert 1 <= abs(days) <= most


def test_all_shifts_occur() -> None:
    shifts = {Pseudonyms(KEY.encode(), 3).shift_days(str(patient)) for patient in range(200)}
    assert shifts == {-3, -2, -1, 1, 2, 3}


@pytest.mark.usefixtures("key")
def test_time_between_two_visits_is_kept(tmp_path: Path) -> None:
    visits = ["01.03.2020", "15.05.2020"]
    rows = [
        {**ROWS[i], "Описание": f"Осмотр {visits[i % 2]}. Узел {i} мм.", "Пациент": f"п{i // 2}", "Категория": "II"}
        for i in range(20)
    ]
    moving = replace(KEYED, max_date_shift_days=100)
    got = taken(settings(jsonl(tmp_path / "corpus.jsonl", rows), deidentification=moving), tmp_path)
    days = [date(*map(int, reversed(r["description"].split()[1].rstrip(".").split(".")))) for r in got.reports]
    assert {(later - earlier).days for earlier, later in zip(days[::2], days[1::2], strict=True)} == {75}
    assert date(2020, 3, 1) not in days
    assert len(set(days[::2])) > 1


def test_the_shift_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="max_date_shift_days needs key_variable"):
        Deidentification(enabled=True, engine="rules", clinical_words=[], key_variable=None, max_date_shift_days=10)


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("keyed", [False, True])
def test_the_exports_own_name_of_a_patient_is_written_nowhere(keyed: bool, tmp_path: Path) -> None:
    rows = [{**row, "Пациент": f"Канарейкина {row['Пациент']}"} for row in ROWS]
    corpus = settings(
        jsonl(tmp_path / "corpus.jsonl", rows),
        deidentification=replace(KEYED, key_variable="TEST_PATIENT_KEY" if keyed else None),
    )
    with Staging(tmp_path / "staging.jsonl", keyed=keyed) as staging:
        take_in(corpus, staging, tmp_path / "quarantine.jsonl")
        text = b"".join(staging.lines(range(len(staging)))).decode()
    assert "Канарейкина" not in text
    assert ('"patient": 1,' in text) != keyed
