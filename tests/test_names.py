"""Names as people write them, found by rules or by the tagger, and words of reports that are no names.

All persons are invented. tests/identifiers.py has the held-out labelled set; nothing here is from it.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from anamnesis.corpus.cleaning import clean
from anamnesis.corpus.deidentification import PLACEHOLDERS, Deidentifier
from anamnesis.corpus.deidentification.latin import rough
from anamnesis.corpus.deidentification.vocabulary import clinical_words

RULES, BOTH = Deidentifier(), Deidentifier(tagger=True)
COMPLAINTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "rumedbench"

REPLACED = [
    # A first name and a surname, in either order; surnames that are words or first names.
    ("Осмотрена Анна Гусарова, узел", "Осмотрена [ИМЯ], узел"),
    ("Гусарова Анна, узел", "[ИМЯ], узел"),
    ("Узел у Соловей Татьяны", "Узел у [ИМЯ]"),
    ("Юрий Гусь и Коваль Вера", "[ИМЯ] и [ИМЯ]"),
    ("Роман Мороз, Мороз Роман", "[ИМЯ], [ИМЯ]"),
    ("Роман Анна, узел", "[ИМЯ], узел"),
    ("Анна Белых: узел", "[ИМЯ]: узел"),
    ("Пётр Зима без жалоб", "[ИМЯ] без жалоб"),
    # Capitals, and none.
    ("ГУСАРОВА АННА, узел", "[ИМЯ], узел"),
    ("УЗЕЛ 12 ММ. АННА ГУСАРОВА", "УЗЕЛ 12 ММ. [ИМЯ]"),
    ("анна гусарова жалоб нет", "[ИМЯ] жалоб нет"),
    ("гусарова анна, узел", "[ИМЯ], узел"),
    ("врач жуков, узел", "врач [ВРАЧ], узел"),
    ("пациентка ситникова мария, узел", "пациентка [ИМЯ], узел"),
    ("дочь марина привела", "дочь [ИМЯ] привела"),
    # Latin letters.
    ("Узел у Gusarova Anna", "Узел у [ИМЯ]"),
    ("Yuliya Shcherbakova, узел", "[ИМЯ], узел"),
    ("Осмотрен John Smith", "Осмотрен [ИМЯ]"),
    ("Dr. Smith направил", "Dr. [ВРАЧ] направил"),
    # Fields of HL7.
    ("ГУСАРОВА^АННА^ПЕТРОВНА, узел", "[ИМЯ], узел"),
    ("Гусарова^А^П", "[ИМЯ]"),
    # Turkic patronymics.
    ("Каримов Алишер Рустам ўғли", "[ИМЯ]"),
    ("Каримова Лола Рустам қизи", "[ИМЯ]"),
    ("Гасанов Рауф Рашид оғли", "[ИМЯ]"),
    ("Гасанов Рауф Рашид угли", "[ИМЯ]"),
    ("Гасанова Айгюн Рауф гызы", "[ИМЯ]"),
    ("Мамедов Али Тофик оглы", "[ИМЯ]"),
    ("Нурланов Азамат Бакыт уулу", "[ИМЯ]"),
    ("Анна Ильинична пришла", "[ИМЯ] пришла"),
    ("Шевченко Ірина, узел", "[ИМЯ], узел"),
    # Line ends written as two characters.
    (r"Гусарова\nАнна Петровна\nУзел", r"[ИМЯ]\nУзел"),
]

# Only the tagger sees these.
TAGGED = [
    ("Препарат привезла Голуб, узел давно", "Препарат привезла [ВРАЧ], узел давно"),
]

WHOLE = [
    "Эндокринологом рекомендован Йодомарин",
    "ЖКТ. Оказывает",
    "История болезни: 45-летняя",
    "У матери Зоб",
    "Больная Отмечает",
    "Болезнь Грейвса. Грейвс. Тиреоидит Хашимото. Клетки Гюртле. Базедов. Бетесда.",
    "Принимает Эутирокс, Тирозол. Йодбаланс. Рекомендован Релвар Эллипта, Флемоксин Солютаб.",
    "Мазок. Цитология. Одышка. Стул. Киста левой доли. Железа. Направлена эндокринологом. Онкоцитов много.",
    "Больной приступов не отмечает. Врач рекомендовал диету. Пациентка жалоб не предъявляет.",
    "Bethesda II, Diff-Quik, May-Grunwald Giemsa, Logiq Voluson. АСТ, АЛТ - 20/29. Перед ЭКО.",
]

SURNAMES = ("Гусарова", "Белых", "Коваль", "Ким", "Ахметова", "Петренко", "Мороз")


@pytest.mark.parametrize("engine", [RULES, BOTH], ids=["rules", "both"])
@pytest.mark.parametrize(("text", "expected"), REPLACED)
def test_a_name_is_replaced(engine: Deidentifier, text: str, expected: str) -> None:
    replaced = engine.replace([text])[0]
    assert replaced.text == expected
    assert replaced.kinds == {
        kind: expected.count(placeholder) for kind, placeholder in PLACEHOLDERS.items() if placeholder in expected
    }


@pytest.mark.parametrize(("text", "expected"), TAGGED)
def test_the_tagger_finds_what_the_rules_do_not(text: str, expected: str) -> None:
    assert RULES.replace([text])[0].text == text
    replaced = BOTH.replace([text])[0]
    assert (replaced.text, replaced.names_by) == (expected, {"tagger": 1})


@pytest.mark.parametrize("engine", [RULES, BOTH], ids=["rules", "both"])
@pytest.mark.parametrize("text", WHOLE)
def test_words_of_reports_stay(engine: Deidentifier, text: str) -> None:
    assert engine.replace([text])[0].text == text


def test_names_are_counted_by_the_engines_that_found_them() -> None:
    texts = ["Привезла Голуб, узел", "Грушу записать на УЗИ", "Осмотрена Анна Гусарова. Узел", "Узел 12 мм"]
    assert [found.names_by for found in BOTH.replace(texts)] == [{"tagger": 1}, {"rules": 1}, {"both": 1}, {}]


def test_tags_within_a_name_hide_nothing() -> None:
    for written in ("Гуса<b>ров</b>а Анна", "<b>Гусарова</b> <i>Анна</i>", "Гусарова<br/>Анна", "Гусарова&nbsp;Анна"):
        assert RULES.replace([clean(f"Узел. {written}, коллоид")[0]])[0].text == "Узел. [ИМЯ], коллоид"


@pytest.mark.parametrize(
    ("patient", "text", "expected"),
    [
        ("Морозова Вера Ивановна", "Узел. МОРОЗОВОЙ и вере морозовой", "Узел. [ИМЯ] и [ИМЯ]"),
        ("БЕЛЫХ^АННА", "Белых клеток нет, белых кластеров нет", "[ИМЯ] клеток нет, белых кластеров нет"),
        ("Сидорова А.П.", "узел сидоровой; Sidorova", "узел [ИМЯ]; [ИМЯ]"),
        ("Нгуен Ван Тхи", "узел у нгуена", "узел у [ИМЯ]"),
        ("Дзюба О.", "Материал дзюбе выдан", "Материал [ИМЯ] выдан"),
        ("P-001234", "Проба p-001234, узел", "Проба [КАРТА], узел"),
        ("patient-0012", "The patient, узел 12 мм", "The patient, узел 12 мм"),
        ("К-12", "К-12, 12 мм", "К-12, 12 мм"),
        ("", "Узел 12 мм", "Узел 12 мм"),
    ],
)
def test_the_names_of_the_own_patient_are_found_anywhere(patient: str, text: str, expected: str) -> None:
    assert RULES.replace([text], [patient])[0].text == expected


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(SURNAMES),
    st.sampled_from(["{} узел", "Узел. {}, коллоид", "по словам {} давно", "коллоид {}"]),
    st.sampled_from([str.upper, str.lower, str.title]),
)
def test_a_surname_beside_a_first_name_is_found_in_every_writing_if_it_is_the_patients(
    surname: str, sentence: str, write: type[str]
) -> None:
    written = write(f"{surname} Анна")
    assert BOTH.replace([sentence.format(written)], [f"{surname} Анна"])[0].text == sentence.format("[ИМЯ]")


def test_a_clinician_can_extend_the_list() -> None:
    text = "Пациентка Тирексина, узел"
    assert RULES.replace([text])[0].text == "Пациентка [ИМЯ], узел"
    assert Deidentifier(further=("тирексин*",)).replace([text])[0].text == text
    assert Deidentifier(further=("тирексина",)).replace([text])[0].text == text


def test_the_list_has_words_in_any_case_and_writing() -> None:
    words = clinical_words(("Новалайн", "кромб*"))
    for word in ("новалайном", "НОВАЛАЙН", "кромбеля", "Йодомарина", "Грейвсом", "Хашимото", "узлы"):
        assert word in words, word
    for word in ("Петрова", "Лора", "Лев", "кром"):
        assert word not in words, word


def test_a_second_reading_by_both_finds_nothing() -> None:
    once = [replaced.text for replaced in BOTH.replace([text for text, _ in REPLACED + TAGGED])]
    assert [replaced.text for replaced in BOTH.replace(once)] == once


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_no_text_makes_the_tagger_fail(texts: list[str]) -> None:
    for text, found in zip(texts, BOTH.find(texts), strict=True):
        ends = [0]
        for one in found:
            assert ends[-1] <= one.start < one.end <= len(text)
            ends.append(one.end)


@pytest.mark.parametrize(
    "writings",
    [
        ("Юлия", "Yuliya", "Iuliia", "Julia"),
        ("Дмитрий", "Dmitry", "Dmitriy", "Dmitrii"),
        ("Щербаков", "Shcherbakov"),
        ("Чехов", "Chekhov"),
        ("Ольга", "Olga"),
        ("Ксения", "Ksenia", "Xenia"),
    ],
)
def test_transliterations_of_a_name_are_one_word(writings: tuple[str, ...]) -> None:
    assert len({rough(word) for word in writings}) == 1


@pytest.mark.parametrize("text", ["Пациентка [ПЕТРОВА], узел", "[ГУСАРОВА] М.П., узел", "Больная *ИВАНОВА*, узел"])
def test_a_name_between_brackets_or_stars_is_no_placeholder(text: str) -> None:
    for engine in (RULES, BOTH):
        assert "[ИМЯ]" in engine.replace([text])[0].text
        assert not re.search("ПЕТРОВА|ГУСАРОВА|ИВАНОВА", engine.replace([text])[0].text)


@pytest.mark.skipif(not COMPLAINTS.exists(), reason="RuMedBench is not beside the checkout")
@pytest.mark.parametrize("file", ["RuMedTop3/dev_v1", "RuMedTop3/test_v1", "RuMedSymptomRec/dev_v1"])
def test_few_words_of_published_complaints_are_taken_for_names(file: str) -> None:
    lines = (COMPLAINTS / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["symptoms"] for line in lines]
    tokens = sum(len(re.findall(r"\w+", text)) for text in texts)
    names = sum(found.kind in ("name", "doctor") for spans in BOTH.find(texts) for found in spans)
    assert names <= 0.5 * tokens / 1000
