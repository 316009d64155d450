"""De-identification by property (idempotent, never raising, linear) and by tables of what is replaced and kept.

All persons and numbers are invented. tests/identifiers.py has the held-out labelled set; nothing here is from it.
"""

import re
import time
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from anamnesis.corpus.cleaning import clean
from anamnesis.corpus.coding import decoded
from anamnesis.corpus.deidentification import PLACEHOLDERS, Deidentifier, deidentify, find
from anamnesis.corpus.deidentification.numbers import is_snils
from tests.conftest import ROOT

REPLACED = [
    ("Пациентка: Гусарова Мария Петровна, 56 лет", "Пациентка: [ИМЯ], 56 лет"),
    ("ФИО: ГУСАРОВА МАРИЯ ПЕТРОВНА", "ФИО: [ИМЯ]"),
    ("Ф.И.О. М.П.Гусарова", "Ф.И.О. [ИМЯ]"),
    ("ГусароваМ. П. осмотрена", "[ИМЯ] осмотрена"),
    ("Гусарова М . П . осмотрена", "[ИМЯ] осмотрена"),
    ("У Гусаровой Марии Петровны узел", "У [ИМЯ] узел"),
    ("гусарова мария петровна, узел", "[ИМЯ], узел"),
    ("Больной Донец осмотрен", "Больной [ИМЯ] осмотрен"),
    ("Пациент Римский-Корсаков Н.А.", "Пациент [ИМЯ]"),
    ("Гасанова Айгюн Рауф кызы, узел", "[ИМЯ], узел"),
    ("Пац. Нгуен Тхи Хоа", "Пац. [ИМЯ]"),
    ("Со слов дочери Ольги, узел давно", "Со слов дочери [ИМЯ], узел давно"),
    ("Врач-цитолог: Сорока", "Врач-цитолог: [ВРАЧ]"),
    ("Врач КЛД А.С. Петрова", "Врач КЛД [ВРАЧ]"),
    ("Исп. О'Нил А.Б.", "Исп. [ВРАЧ]"),
    ("зав. отделением Петров П.П. просмотрено", "зав. отделением [ВРАЧ] просмотрено"),
    ("Пунктировал Ким, направил эндокринолог Петренко", "Пунктировал [ВРАЧ], направил эндокринолог [ВРАЧ]"),
    ("Заключение: зоб. Петрова А.С., врач-цитолог", "Заключение: зоб. [ВРАЧ], врач-цитолог"),
    ("взято 12.03.2021, 1/III-21 и 05 мая 1970", "взято [ДАТА], [ДАТА] и [ДАТА]"),
    ("«07» марта 2020 г., 2021-12-31, май 1970, 03.2021", "[ДАТА], [ДАТА], [ДАТА], [ДАТА]"),
    ("жен., 1965 г.р.", "жен., [ДАТА]"),
    ("зоб с 2007 года, операция в 2015, УЗИ 2019 г.: узел", "зоб с [ДАТА], операция в [ДАТА], УЗИ [ДАТА]: узел"),
    ("ТАБ в 2011 и 2013 гг.", "ТАБ в [ДАТА]"),
    ("Bethesda III, 2019 г., контроль осенью 2020 года", "Bethesda III, [ДАТА], контроль [ДАТА]"),
    ("родилась в 1961 г. Узел", "родилась в [ДАТА] Узел"),
    ("забор 12,03,21, ответ 14_03_2021, 17\\03\\2021", "забор [ДАТА], ответ [ДАТА], [ДАТА]"),
    ("2016 г. 5 марта и 12.май.2017, 10/18/2018", "[ДАТА] и [ДАТА], [ДАТА]"),
    ("в марте-апреле 2019 г., май-2018, IV.2015, 03.19 г.", "в [ДАТА], [ДАТА], [ДАТА], [ДАТА]"),
    ("Адрес: 248000, г. Калуга, ул. Ленина, д. 5, кв. 12, тел. нет", "Адрес: [АДРЕС], тел. нет"),
    ("Калужская обл., Боровский р-н, д. Комлево, д. 12. Узел", "[АДРЕС]. Узел"),
    ("Москва, Ленинский пр-т, 12-34", "[АДРЕС]"),
    ("Россия, 615522 Кировский р-н, с. Красное, д. 142-а, кв. 2", "[АДРЕС]"),
    ('прож. в г. Верхняя Пышма, ул. 8 Марта 5"Б"-17. Узел', "прож. в [АДРЕС]. Узел"),
    ("жит. с. Усть-Кут", "жит. [АДРЕС]"),
    ("Прописан: Ржев, Мира 5-12, тел. нет", "Прописан: [АДРЕС], тел. нет"),
    ("ул. генерала Карбышева 7 литер А-13, 197068", "[АДРЕС]"),
    ("ХМАО-Югра, раб. пос. Покровское, СНТ «Ромашка», уч. 16", "[АДРЕС]"),
    ("2-я Песчаная ул., д. 3, стр. 2, кв. 8. Узел в Одинцовский округ", "[АДРЕС]. Узел в [АДРЕС]"),
    ("Место жительства: Химки; Классификация", "Место жительства: [АДРЕС]; Классификация"),
    ("тел. 5-12-34, моб. 8 (916) 123-45-67", "тел. [ТЕЛЕФОН], моб. [ТЕЛЕФОН]"),
    ("+7 916 123 45 67 или 89161234567", "[ТЕЛЕФОН] или [ТЕЛЕФОН]"),
    ("СНИЛС 112-233-445 95", "СНИЛС [СНИЛС]"),
    ("СНИЛС: 112 233 445 95, С.Н.И.Л.С. 112_233_445_95", "СНИЛС: [СНИЛС], С.Н.И.Л.С. [СНИЛС]"),
    (
        "Страховой номер индивидуального лицевого счёта: 112.233.445.95",
        "Страховой номер индивидуального лицевого счёта: [СНИЛС]",
    ),
    ("Паспортные данные: серия 45 10 № 123456", "Паспортные данные: [ПАСПОРТ]"),
    ("полис ОМС 7755 5208 3100 0123", "полис ОМС [ПОЛИС]"),
    ("Полис серия АА № 123456", "Полис [ПОЛИС]"),
    ("паспорт 45 10 № 123456", "паспорт [ПАСПОРТ]"),
    ("почта: a.b-c@clinic.spb.ru", "почта: [ПОЧТА]"),
    ("и/б № 1234/21, м/к 45678, амб. карта № 99", "и/б № [КАРТА], м/к [КАРТА], амб. карта № [КАРТА]"),
    ("И.Б. № 123-ст, и\\б 2021-004512, № амб. карты: А-1234", "И.Б. № [КАРТА], и\\б [КАРТА], № амб. карты: [КАРТА]"),
    ("история № 1495 958, м.к. № ПК 86776", "история № [КАРТА], м.к. № [КАРТА]"),
    (
        "Карта пациента, получающего помощь в амбулаторных условиях, № 34",
        "Карта пациента, получающего помощь в амбулаторных условиях, № [КАРТА]",
    ),
    ("онкокарта № 17287 А, из истории болезни 66940 / 16", "онкокарта № [КАРТА], из истории болезни [КАРТА]"),
    ("номер биоматериала: 41757-22, № биопсии 24-Ц-9786", "номер биоматериала: [СТЕКЛО], № биопсии [СТЕКЛО]"),
    ("Врач УЗД Коваль", "Врач УЗД [ВРАЧ]"),
    ("стёкла №№ 4567-4570, 4572; препарат 4567а", "стёкла №№ [СТЕКЛО]; препарат [СТЕКЛО]"),
    ("цит. № 4567-70/21, исследование № 123", "цит. № [СТЕКЛО], исследование № [СТЕКЛО]"),
]

UNTOUCHED = [
    "Узел 12×8 мм, 1,2 см, 10.12 мм, 5-10-15 мм, игла 23G, 3 стекла, 6 групп по 10 клеток, 15 %.",
    "Bethesda IV, TI-RADS 4a, EU-TIRADS 5, МКБ-10: E04.1, Ki-67 5 %, BRAF V600E, ×400.",
    "ТТГ 2,35 мкМЕ/мл, АТ к ТПО 1234,5, АД 120/80 мм рт. ст., контроль через 6 месяцев.",
    "Клетки Гюртле, Ашкенази, тиреоидит Хашимото, по Романовскому-Гимзе, по Паппенгейму, зоб де Кервена.",
    "Болезнь Базедова, система Бетесда. Хашимото. Базедова болезнь. НМИЦ им. Н.Н. Блохина.",
    "КЛЕТКИ ГЮРТЛЕ, ПО РОМАНОВСКОМУ, ТИРЕОИДИТ ХАШИМОТО.",
    "Роза ветров. Вера в успех. Лев. доля без особенностей. Мороз и жару переносит. Белых клеток нет.",
    "Стекло 1: коллоид. Узел № 1 10 мм. В препарате 2 кластера. ГКБ № 40, приказ № 1130н.",
    "Дата: *ДАТА*, пациент *ИМЯ*, тел. *ТЕЛЕФОН*.",
    "Классификация ВОЗ 2022, Bethesda 2017 г., TBSRTC (2023), рекомендации РФ 2020 года, приказ от 2016 г.",
    "Направлена эндокринологом. Онкоцитов много. Отделение хирургии Форма № 203/у. Карта не заведена. Шифр 2.5.",
    "Материал: пунктат. Узел № 2. Приказ МЗ № 174н. Стекло № 1: кровь. Мазки № 1, 2. Код A08.22.004. ГОСТ 52379-2005.",
    "Номер карты: нет данных. СНИЛС отсутствует. Адрес не указан. Полис: нет. Кальцитонин 2000 пг/мл, в 2010 клеток.",
    "Пунктировал врач УЗИ. Больная жалоб не предъявляет. Рекомендована консультация эндокринолога.",
]

# Numbers as written without a word that announces them, by kind; # is any digit.
UNANNOUNCED = {
    "passport": ["#### ######", "## ## ######", "## ## № ######", "#### № ######", "####№######"],
    "policy": ["################", "#### #### #### ####", "####-####-####-####"],
    "snils": ["1##-###-### ##", "1## ### ### ##", "1##-###-###-##"],
    "phone": [
        "9#########",
        "9## ###-##-##",
        "9##-###-##-##",
        "8 (9##) ###-##-##",
        "+7 9## ### ## ##",
        "+375 ## ###-##-##",
        "(###) ###-##-##",
        "(####) ##-##-##",
        "###-##-##",
    ],
    # No measurement has eight digits in a row; a round number counts something.
    "number": ["3######1", "1#######1", "1##########1", "1##################1"],
    "email": ["ivan##@mail.ru"],
    "slide": ["Ц-4###/2#"],
}

# Parts of identifiers, to be joined in any order.
JOINTS = """Иванов|И.О.|А.|Петровна|врач|Врач: |пациент |тел. |паспорт |12.03.2021|12.03|1234|4567/21|№ |стекло № |+7
|123-45-67|(495)|г. |Москва|ул. |Ленина|д. 5|кв. 12|,|.|-|/| |12 марта |г.р.|@mail.ru|ivan|полис |112-233-445 95|и/б
|карта |ИВАНОВА |[ИМЯ]|*ДАТА*|Хашимото|оглы|дочь |10 мм|III|[|в 2010|
|г.|Адрес: |прож. в |мкр |Верхняя |кв. 5"Б"|ВОЗ|от |12,03,21|№ карты |УЗД|марте
|@ivan|собака |точка ru|https://|14:35|в 14 ч |в среду |пятого |марта |две тысячи |92 года|95-летняя|А123ВС77|IV-АБ
|1.2.3.4.5.6.7
|прибыла |14.06|в 9.47|кабинет, |13-57|10 ч 26 мин|девяноста лет
|с. Комлево|(д. |псковская область, |улица зелёная|473/06
|ИНН |тг: |192.168.0.1|654321|March 5|[90+]|лет"""
PIECES = st.sampled_from(JOINTS.split("|"))


@pytest.mark.parametrize(("text", "expected"), REPLACED)
def test_only_the_identifier_is_replaced(text: str, expected: str) -> None:
    replaced, counts = deidentify(text)
    assert replaced == expected
    assert counts == {
        kind: expected.count(placeholder) for kind, placeholder in PLACEHOLDERS.items() if placeholder in expected
    }


@pytest.mark.parametrize("sentence", ["{}", "Узел 12 мм. {}, коллоид.", "Фон чистый; {} Контроль через 6 мес."])
@pytest.mark.parametrize(("kind", "writing"), [(kind, one) for kind, many in UNANNOUNCED.items() for one in many])
@hypothesis_settings(max_examples=20)
@given(digits=st.text("0123456789", min_size=20, max_size=20))
def test_a_number_that_no_word_announces_is_replaced(kind: str, writing: str, sentence: str, digits: str) -> None:
    """Exports hold bare numbers: in separate cells, in footers, with the announcing word in another column."""
    drawn = iter(digits)
    number = "".join(next(drawn) if letter == "#" else letter for letter in writing)
    assert deidentify(sentence.format(number)) == (sentence.format(PLACEHOLDERS[kind]), {kind: 1})


@given(st.text("0123456789", min_size=9, max_size=9))
def test_eleven_digits_with_a_check_number_are_a_snils(nine: str) -> None:
    check = sum(int(digit) * weight for digit, weight in zip(nine, range(9, 0, -1), strict=True)) % 101 % 100
    assert deidentify(f"Узел 12 мм. {nine}{check:02}") == ("Узел 12 мм. [СНИЛС]", {"snils": 1})


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_only_looks_like_an_identifier_stays(text: str) -> None:
    assert deidentify(text) == (text, {})


def test_lines_that_were_joined_lose_no_identifier() -> None:
    report = "Гусарова М.П., 1965 г.р.\nПаспорт 4510 123456\nУзел 12 мм.\nВрач-цитолог: Петров П.П."
    joined, counts = deidentify(report.replace("\n", " "))
    assert joined == deidentify(report)[0].replace("\n", " ")
    assert counts == {"name": 1, "date": 1, "passport": 1, "doctor": 1}


def test_a_surname_is_found_in_its_other_cases() -> None:
    replaced, _ = deidentify("Нурланбекова А.С. Узел 12 мм. Материал Нурланбековой скудный.")
    assert "Нурланбеков" not in replaced


@given(st.lists(PIECES, max_size=12))
def test_a_second_reading_finds_nothing(pieces: list[str]) -> None:
    once, _ = deidentify(" ".join(pieces))
    assert deidentify(once) == (once, {})


@given(st.text() | st.lists(PIECES | st.text(max_size=3)).map("".join), st.none() | st.integers(-(10**6), 10**6))
def test_no_text_raises_and_findings_are_in_order_and_apart(text: str, shift_days: int | None) -> None:
    deidentify(text, shift_days)
    ends = [0]
    for found in find(text):
        assert ends[-1] <= found.start < found.end <= len(text)
        assert found.kind in PLACEHOLDERS
        ends.append(found.end)


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "1 ",
        "12.",
        " ",
        "А",
        "А.",
        "А.А.А. ",
        "Иванов ",
        "ИВАНОВ",
        "№ 1, ",
        "а-",
        "страх",
        "ул. ",
        "д. 5, ",
        "a@",
        "врач: ",
        "Адрес: Калуга ",
        "Калуга-",
        "жит. с. ",
        "карта № амб. ",
        "с 2010 и 2011, ",
        "снилс номер ",
        "№ биопсии ",
        "марте-",
        "a.",
        "a собака ",
        "точка a",
        "ab.ru",
        "www.a.",
        "http://",
        "a:",
        "1.2.",
        "00-",
        "паспорт серия ",
        "ИНН номер ",
        "IV-АБ ",
        "двадцать ",
        "в две тысячи ",
        "пятого марта ",
        "в среду ",
        "14:3",
        "время а ",
        "авто лада ",
        "95 ",
        "1-23-4",
        "псковская область, ",
        "г. пенза, ",
        "ул. ленина ",
        "приезжая (с. ",
        "в 12-3",
        "прибыла 12.1",
        "паспорт слово ",
        "девяносто пять ",
        "адрес 1.2.3",
        "a_собака_",
        "12 Baker ",
        "госномер а12 ",
    ],
)
def test_time_grows_with_the_length_only(unit: str) -> None:
    text = (unit * 20_000)[:20_000]
    start = time.process_time()
    find(text)
    # It takes about 0.1 s; a pattern that backtracks would take minutes.
    assert time.process_time() - start < 3


def test_full_dates_are_shifted_in_their_own_writing() -> None:
    text = "12.03.2021, 1/III-21, 5 мая 1970 г., «07» Марта 2020, 2021-12-31, 05/11/20, 31.02.2021, 03.2021"
    shifted, counts = deidentify(text, shift_days=30)
    assert shifted == ("11.04.2021, 31/III-21, 4 июня 1970 г., «06» Апреля 2020, 2022-01-30, 05/12/20, [ДАТА], [ДАТА]")
    assert counts == {"date": 8}


@pytest.mark.parametrize(
    ("text", "shifted"),
    [
        ("взято в четверг, 12.03.2021", "взято в пятницу, 13.03.2021"),
        ("Во вторник 16.03.2021 г.", "В среду 17.03.2021 г."),
        ("в понедельник, 15 марта 2021 г.", "во вторник, 16 марта 2021 г."),
        ("12.03.2021 (пт), 14.03.2021 г., вс.", "13.03.2021 (сб), 15.03.2021 г., пн."),
        ("СРЕДА 31.03.2021", "ЧЕТВЕРГ 01.04.2021"),
        ("Tuesday, March 16, 2021", "Wednesday, March 17, 2021"),
        ("Wed 31-Mar-2021", "Thu 01-Apr-2021"),
        ("в среду, пятого мая", "[ДАТА]"),
    ],
)
def test_a_weekday_beside_a_date_is_shifted_with_it(text: str, shifted: str) -> None:
    """Beside a shifted date, the old weekday would tell the shift modulo 7."""
    assert deidentify(text, shift_days=1)[0] == shifted
    assert not re.search("недел|вторн|сред|четв|пятн|(?<!\\w)(?:пт|вс)|Tues|Wed", deidentify(text)[0], re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Дата рождения: 12.03.1970, осмотр 12.03.2021", "Дата рождения: [ДАТА], осмотр 13.03.2021"),
        ("Родилась 5 мая 1970 г., явка 05.05.2021", "Родилась [ДАТА], явка 06.05.2021"),
        ("Д.р. 12.03.1970; 14.03.1970 г.р.; 15/03/1970 года рождения", "Д.р. [ДАТА]; [ДАТА]; [ДАТА]"),
        ('"birthdate": "1970-03-12", "visit": "2021-03-12"', '"birthdate": "[ДАТА]", "visit": "2021-03-13"'),
        ("born on March 12, 1970; seen on March 12, 2021", "born on [ДАТА]; seen on March 13, 2021"),
        ("Пациентка, 12.03.1931, осмотр в среду, 10.03.2021", "Пациентка, [ДАТА], осмотр в четверг, 11.03.2021"),
        ("Брак с 01.02.1936 – 03.02.2021", "Брак с [ДАТА]"),
    ],
)
def test_a_date_that_tells_an_age_of_ninety_is_replaced_and_not_shifted(text: str, kept: str) -> None:
    """Dates of birth, and those of 90 years ago: shifted by less than a year, they would still tell the age."""
    assert deidentify(text, shift_days=1)[0] == kept


@given(st.dates(date(1960, 1, 1), date(2025, 1, 1)), st.integers(-3000, 3000))
def test_a_shift_keeps_the_time_between_dates(day: date, shift_days: int) -> None:
    shifted, _ = deidentify(f"УЗИ {day:%d.%m.%Y}", shift_days)
    assert shifted == f"УЗИ {day + timedelta(days=shift_days):%d.%m.%Y}"
    assert deidentify(shifted, -shift_days)[0] == f"УЗИ {day:%d.%m.%Y}"


def test_the_check_number_of_a_snils() -> None:
    assert is_snils("11223344595")
    assert not is_snils("11223344596")
    assert not is_snils("1122334459")


def test_placeholders_differ_and_are_written_alike() -> None:
    assert len(set(PLACEHOLDERS.values())) == len(PLACEHOLDERS) == 20
    assert all(re.fullmatch(r"\[(?:[А-ЯЁ]{3,8}|90\+)\]", placeholder) for placeholder in PLACEHOLDERS.values())


def test_the_documented_examples_are_what_the_stage_makes_of_them() -> None:
    text = (ROOT / "docs/deidentification.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .+ \| `(.+)` \| `(.+)` \|$", text, re.MULTILINE)
    assert len(rows) >= 35
    before = [decoded({"text": before.replace("¦", "|")})[0]["text"] for before, _ in rows]
    after = Deidentifier(tagger=True).replace([clean(text)[0] for text in before])
    assert [one.text.replace("|", "¦") for one in after] == [after for _, after in rows]
