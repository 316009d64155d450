"""The labelled set on which de-identification is measured must be right, varied and reproducible."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.identifiers import KINDS, Labelled, decline_surname, labelled_reports, patronymic, snils_check

ROOT = Path(__file__).resolve().parent.parent
NAME = r"[А-ЯЁа-яё][А-ЯЁа-яё.\s-]+"  # one is written in lower case
DATE = r"«?\d{1,4}»?[-./ ]?(\d\d?|[а-яА-Я]+)?[-./ ]?\d{0,4}|[а-я]+ \d{4}"
SHAPES = {
    "name": NAME,
    "doctor": NAME,
    "date": DATE,
    "address": r"[\dА-ЯЁа-яё].*[\dа-яёА-ЯЁ]",
    "phone": r"(\+7|8)?[-\d() ]{4,}\d",
    "snils": r"\d{3}[- ]?\d{3}[- ]?\d{3}[- ]?\d\d",
    "policy": r"\d{16}|\d{4} \d{4} \d{4} \d{4}|\d\d(-\d\d)? ?[№N]\s?\d{6,7}",
    "passport": r"\d\d ?\d\d ?([№N]|номер|НОМЕР)?\s?\d{6}",
    "email": r"[a-z0-9._-]+@[a-z]+\.[a-z]{2,3}",
    "record": r"([А-Я]-)?\d{3,6}(/\d{2,4}|-\d{2,6})?",
    "slide": r"(Ц-)?\d{3,5}([абвАБВ]|-Ц|/\d{2,4}|[-–]\d{2,5})?((, | и | И )\d{3,5})*",
}
ANNOUNCING = re.compile(r"(тел\b|моб|паспорт|серия|снилс|полис|врач|фио|пациент|больн|№|стекл|дата)", re.IGNORECASE)
NO_IDENTIFIER = re.compile(
    r"гюртле|ашкенази|хашимото|кервена|базедов|грейвса|риделя|романовск|паппенгейм|папаниколау|лангханса|bethesda|"
    r"rads|мме/л|\d ?мм\b|\d ?см\b|\dG\b|203/у|174н|A08|\bВОЗ\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def labelled() -> list[Labelled]:
    return labelled_reports(1000, seed=0)


def spans(labelled: list[Labelled], *kinds: str) -> list[str]:
    return [one.text[i.start : i.end] for one in labelled for i in one.identifiers if i.kind in (kinds or KINDS)]


@pytest.mark.parametrize("kind", KINDS)
def test_identifiers_look_like_their_kind(labelled: list[Labelled], kind: str) -> None:
    assert [text for text in spans(labelled, kind) if not re.fullmatch(SHAPES[kind], text)] == []


def test_an_identifier_is_whole_and_without_the_words_around_it(labelled: list[Labelled]) -> None:
    for one in labelled:
        for found in one.identifiers:
            text, after = one.text[found.start : found.end], one.text[found.end : found.end + 1]
            assert text == text.strip()
            assert not one.text[max(0, found.start - 1) : found.start].isalnum(), text
            # only "12.03.2021г." has no space
            assert not after.isalnum() or (found.kind == "date" and after in "гГ"), text
            assert not ANNOUNCING.match(text), text
            assert not NO_IDENTIFIER.search(text), text


def test_identifiers_do_not_overlap(labelled: list[Labelled]) -> None:
    for one in labelled:
        bounds = [bound for found in one.identifiers for bound in (found.start, found.end)]
        assert bounds == sorted(set(bounds))
        assert all(0 <= bound <= len(one.text) for bound in bounds)


def test_every_kind_is_frequent_and_varied(labelled: list[Labelled]) -> None:
    counts = Counter(found.kind for one in labelled for found in one.identifiers)
    assert set(counts) == set(KINDS)
    assert min(counts.values()) >= 60
    assert all(len(set(spans(labelled, kind))) > 0.7 * counts[kind] for kind in KINDS)


def test_names_are_written_in_many_ways(labelled: list[Labelled]) -> None:
    forms = Counter(re.sub(r"[а-яё]+", "x", re.sub(r"[А-ЯЁ]", "X", text)) for text in spans(labelled, "name", "doctor"))
    for form in (
        "Xx X.X.",
        "Xx X. X.",
        "Xx XX",
        "X.X. Xx",
        "X. X. Xx",
        "X.X.Xx",
        "Xx Xx Xx",
        "Xx Xx",
        "Xx",
        "Xx-Xx X.X.",
    ):
        assert forms[form] >= 3, form
    assert sum(text.isupper() for text in spans(labelled, "name")) >= 20


def test_many_reports_identify_nobody_and_the_others_up_to_eight_times(labelled: list[Labelled]) -> None:
    counts = Counter(len(one.identifiers) for one in labelled)
    assert counts[0] >= 0.15 * len(labelled)
    assert set(counts) == set(range(9))


def test_reports_differ_and_are_clean_text(labelled: list[Labelled]) -> None:
    assert len({one.text for one in labelled}) == len(labelled) == 1000
    for one in labelled:
        assert not re.search(r"[{}\[\]<>|]|  |\.\.| \.", one.text), one.text


def test_what_is_no_identifier_stands_beside_what_is(labelled: list[Labelled]) -> None:
    for identified in (False, True):
        texts = "\n".join(one.text for one in labelled if bool(one.identifiers) == identified)
        for decoy in ("Гюртле", "де Кервена", "Базедова", "Паппенгейму", "TI-RADS", "Bethesda", "ТТГ", "Рубцов", "22G"):
            assert decoy in texts


def test_the_check_digits_of_a_snils_are_right(labelled: list[Labelled]) -> None:
    # 112-233-445 95 is the Pension Fund's example; the others sum to 99, 100, 101, 102 and 201.
    checks = {"112233445": "95", "100009999": "99", "100018999": "00", "100019899": "00", "100019989": "01"}
    assert {nine: snils_check(nine) for nine in checks} == checks
    assert snils_check("101998999") == "00"
    for text in spans(labelled, "snils"):
        digits = re.sub(r"\D", "", text)
        assert snils_check(digits[:9]) == digits[9:]


def test_the_same_seed_gives_the_same_reports_in_another_process() -> None:
    code = "import hashlib; from tests.identifiers import labelled_reports as r; "
    code += "print(hashlib.sha256(repr(r(40, 5)).encode()).hexdigest())"
    path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert labelled_reports(40, 5) == labelled_reports(40, 5) != labelled_reports(40, 6)


@pytest.mark.parametrize("number", [0, 1, 5])
def test_a_few_reports_can_be_asked_for(number: int) -> None:
    assert len(labelled_reports(number, 0)) == number


@pytest.mark.parametrize(
    ("surname", "female", "forms"),
    [
        ("Кузнецов", True, "Кузнецова Кузнецовой Кузнецовой Кузнецову Кузнецовой Кузнецовой"),
        ("Птицын", False, "Птицын Птицына Птицыну Птицына Птицыным Птицыне"),
        ("Крупский", True, "Крупская Крупской Крупской Крупскую Крупской Крупской"),
        ("Крупский", False, "Крупский Крупского Крупскому Крупского Крупским Крупском"),
        ("Толстой", False, "Толстой Толстого Толстому Толстого Толстым Толстом"),
        ("Донской", False, "Донской Донского Донскому Донского Донским Донском"),
        ("Цой", False, "Цой Цоя Цою Цоя Цоем Цое"),
        ("Цой", True, "Цой Цой Цой Цой Цой Цой"),
        ("Черных", False, "Черных Черных Черных Черных Черных Черных"),
        ("Шевченко", False, "Шевченко Шевченко Шевченко Шевченко Шевченко Шевченко"),
        ("Абрамович", False, "Абрамович Абрамовича Абрамовичу Абрамовича Абрамовичем Абрамовиче"),
        ("Ткач", False, "Ткач Ткача Ткачу Ткача Ткачом Ткаче"),
        ("Саакян", True, "Саакян Саакян Саакян Саакян Саакян Саакян"),
        ("Галушка", True, "Галушка Галушки Галушке Галушку Галушкой Галушке"),
        ("Гулия", False, "Гулия Гулии Гулии Гулию Гулией Гулии"),
        ("Палий", False, "Палий Палия Палию Палия Палием Палии"),
        ("Сухово-Кобылин", False, " ".join(f"Сухово-Кобылин{ending}" for ending in ("", "а", "у", "а", "ым", "е"))),
    ],
)
def test_surnames_are_declined(surname: str, female: bool, forms: str) -> None:
    assert decline_surname(surname, female) == tuple(forms.split())


@pytest.mark.parametrize(
    ("father", "son", "daughter"),
    [
        ("Иван", "Иванович", "Ивановна"),
        ("Андрей", "Андреевич", "Андреевна"),
        ("Василий", "Васильевич", "Васильевна"),
        ("Дмитрий", "Дмитриевич", "Дмитриевна"),
        ("Игорь", "Игоревич", "Игоревна"),
        ("Никита", "Никитич", "Никитична"),
        ("Шамиль", "Шамилевич", "Шамилевна"),
    ],
)
def test_patronymics(father: str, son: str, daughter: str) -> None:
    assert (patronymic(father, female=False), patronymic(father, female=True)) == (son, daughter)
