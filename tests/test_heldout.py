"""The held-out set must be right, varied, split without overlap, and the same everywhere."""

import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise, product
from pathlib import Path

import pytest

from tests.heldout import (
    KINDS,
    PARTS,
    SIZES,
    Planted,
    Report,
    heldout_reports,
    patronymic_of,
    places_of,
    sentences,
    surname_forms,
    surnames_of,
    templates,
    vocabulary,
    words_of,
)
from tests.heldout.values import luhn
from tests.identifiers import decline_noun, snils_check

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("name", "doctor")
DATE = (
    r"\d{1,4}([.,/ -]|\. )(\d\d?|[IVX]+)([.,/ -]|\. )\d{2,4}|\d{8}|\d\d\.\d\d|(19|20)\d\d"
    r"|«?\d{1,2}»?(-го)? [а-я]+( \d{4})?|[а-яё]+( [а-яё]+)* (тысяч[аи] [а-яё]+|двухтысячного)( [а-яё]+)*|[а-я]+ \d{4}"
    r"|\d{1,2}(st|nd|rd|th)?[ -][A-Za-z]+[ -]\d{4}|[A-Za-z]+\.? \d{1,2}(st|nd|rd|th)?, \d{4}"
)
MORE_DATES = (
    r"\d\d?( ?[.,/_-] ?)\d\d?( ?[.,/_-] ?)\d{2,4}|\d{6}|\d\d?[./](\d\d|[IVX]+)|\d\d?[./ ][IVX]+[-/ .]\d{2,4}"
    r'|["«]?\d\d?["»]?(-(го|е|ое))?[ .-]?[а-я]+\.?[,. -]{0,2}(\d{4})?|([а-яё]+ )?[а-яё]+[ое]го [а-я]+'
    r"|[а-я]+ \d\d?, \d{4}|\d{4}( год)?, (\d\d? [а-я]+|[а-я]+(, \d\d?)?)"
    r"|[а-я]{3,8}(\. |, |-| )\d{2,4}|\d\d[./-]\d{4}|\d{4}-\d\d|[IVX]+\.\d{4}"
    r"|\d\d?([./]\d\d([./]\d{2,4})?)? ?[–—-] ?\d\d?([./]\d\d[./]\d{2,4}| [а-я]+( \d{4})?)"
    r"|\d\d?[ .]?[a-z]{3,9}[ .,]{0,2}\d{2,4}|\d{4}-[a-z]{3}-\d\d|[a-z]{3,9}( \d\d?)? \d{4}|[a-z]{3,9} \d\d?"
)
SHAPES = {
    "name": r"[^\d@]+",
    "doctor": r"[^\d@]+",
    "date": f"{DATE}|{MORE_DATES}",
    "address": r"[\dА-ЯЁа-яёA-Z].*[\w.)»]",
    "phone": r"(\+\d{1,3}|8)?[-\d() .]{5,}\d",
    "snils": r"\d{3}[- ]?\d{3}[- ]?\d{3}[- ]?\d\d",
    "policy": r"\d{16}|\d{4} \d{4} \d{4} \d{4}|\d{6} № \d{6,8}",
    "passport": r"\d\d[ -]?\d\d ?(№ |номер )?\d{6}|\d\d (№ )?\d{7}|[A-ZА-Яa-zа-я]{1,3} ?\d{6,8}|c\d\dx\d\dt\d\d"
    r"|\d\d[ .-]?\d\d([-/ ]|, |[,;]? ?([№N]|[,;] №) ?| )\d{3} ?\d ?\d\d|\d \d{3} \d{6}|\d\d[ -]?\d\d|\d{3} ?\d{3}"
    r"|[A-ZА-Я]{1,2}(-| № ?)\d{6,8}|\d\d[A-Z]{1,2}\d{5,7}|\d{9}|\d\d No\. \d{7}",
    "email": r"[a-z0-9._]+ ?(@|[\[(]?(собака|at)[\])]?|_собачка_) ?[a-z]+ ?(\.|точка|\[?dot\]?) ?[a-z]+",
    "record": r"([А-ЯA-Zа-яa-z]-?)?\d{2,6}([/-](\d{2,6}|[А-Яа-я]{2}))?",
    "slide": r"(Ц-?|C\d\d-)?\d{4,5}([абв]|[/-]\d{2,5}|, \d{4,5})?",
    "certificate": r"[IV]+-[А-Я]{2} ?[№N]? ?\d{6}",
    "plate": r"[А-ЯA-Z] ?\d{3} ?[А-ЯA-Z]{2} ?\d{2,3}( RUS)?",
    "handle": r"@\w+",
    "url": r"(https?://|www\.|t\.me|vk\.com)\S+",
    "network": r"[\da-f.:-]{9,}",
    "time": r"\d{1,2}([:.-]\d\d(:\d\d)?|ч\d\dм| ч \d\d мин| час\. \d\d мин\.)"
    r"|\d\d? ?(ч|час(а|ов)?)([. ]? ?\d\d( ?(м|мин|минут[аыу]?)\.?|')?)?"
    r"|\d\d? : \d\d|\d\d?⁰⁰|\d\d?(:\d\d)? ?[ap]\.?m\.?",
    "weekday": r"[а-я]{2,13}|[a-z]+day|[a-z]{3}",
    "age": r"9\d|10[0-4]|девяноста( [а-яё]+)?|ста( двух)?",
    "number": r"[А-Я]?\d[\d/ -]{4,26}\d",
}
# Surnames and streets of the vocabulary that are also words of the texts, where they identify nobody.
WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        белый блюмберга весной горячий груша дали добрый жане здоровой зимой зубов кожа корова кость левая левой левый
        малина мороз мягкая мягкий плотный правая правой правый рабочая рак рака раком рубцов рука руки соль сухая
        сухой узлов узловой узловым шее шеи шея""",
    )
)


@cache
def reports(part: str) -> list[Report]:
    return heldout_reports(part)


def planted(part: str, *kinds: str) -> list[tuple[str, Planted]]:
    found = [(one, i) for one in reports(part) for i in one.identifiers if i.kind in (kinds or KINDS)]
    return [(one.text[i.start : i.end], i) for one, i in found]


def outside(report: Report) -> str:
    """The text with every identifier cut out."""
    bounds = [0, *(bound for i in report.identifiers for bound in (i.start, i.end)), len(report.text)]
    return "\n".join(report.text[start:end] for start, end in zip(bounds[::2], bounds[1::2], strict=True))


def plain(word: str) -> str:
    return word.casefold().replace("ё", "е")


@cache
def surnames(part: str) -> frozenset[str]:
    """All forms of the surnames of a part."""
    lists = [surnames_of(part, people) for people in vocabulary()["peoples"]]
    return frozenset(
        plain(form)
        for words in lists
        for word, female in product(words, (False, True))
        for form in surname_forms(word, female)
    )


def first_names() -> set[str]:
    """All forms of the given names and patronymics."""
    forms: set[str] = set()
    for people in vocabulary()["peoples"].values():
        for words, female in ((people["women"], True), (people["men"], False)):
            forms.update(form for word in words.split() for form in decline_noun(word, female))
        for father, female in product(people.get("fathers", people["men"]).split(), (False, True)):
            forms.update(decline_noun(patronymic_of(father, female), female))
    return set(map(plain, forms))


def places(part: str) -> set[str]:
    lists = (places_of(part, kind) for kind in ("streets", "settlements", "towns", "districts"))
    return {plain(word) for words in lists for word in words}


@pytest.mark.parametrize("part", PARTS)
def test_the_parts_have_their_sizes_and_no_report_twice(part: str) -> None:
    identified, clean = SIZES[part]
    assert len({one.text for one in reports(part)}) == len(reports(part)) == identified + clean
    assert sum(not one.identifiers for one in reports(part)) == clean
    assert {"dev": identified + clean >= 400, "test": identified >= 900 and clean >= 300}[part]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", KINDS)
def test_identifiers_look_like_their_kind(part: str, kind: str) -> None:
    shape = re.compile(SHAPES[kind], re.IGNORECASE | re.DOTALL)
    assert [text for text, _ in planted(part, kind) if not shape.fullmatch(text)] == []


@pytest.mark.parametrize("part", PARTS)
def test_spans_are_whole_ordered_and_apart(part: str) -> None:
    for one in reports(part):
        assert all(left.end <= right.start for left, right in pairwise(one.identifiers))
        for found in one.identifiers:
            text = one.text[found.start : found.end]
            assert text == text.strip() != ""
            assert not one.text[max(0, found.start - 1) : found.start].isalnum(), text
            assert not one.text[found.end : found.end + 1].isalnum(), text


@pytest.mark.parametrize("part", PARTS)
def test_no_word_of_the_vocabulary_is_left_outside_a_span(part: str) -> None:
    names = surnames("dev") | surnames("test") | first_names() | places("dev") | places("test")
    words = {plain(word) for one in reports(part) for word in re.findall(r"[\w-]+", outside(one))}
    assert (words & names) - WORDS == set()


@pytest.mark.parametrize("part", PARTS)
def test_no_date_number_or_link_is_left_outside_a_span(part: str) -> None:
    identifying = re.compile(
        r"\d{6,}|@|https?:|www\.|\d\d?[.:]\d\d[.:]\d\d|\b\d\d:\d\d\b|\b9\d[ -]лет|\b10[0-4] (лет|год)|RUS|№ ?\d{3,}"
    )
    allowed = re.compile(r"3016-3|3024-7|№ 174н|№ 203н|203/у|A08\.22\.004|A08\.22\.003\.001", re.IGNORECASE)
    assert [found for one in reports(part) for found in identifying.findall(allowed.sub("", outside(one)))] == []


def test_the_parts_share_no_template_surname_or_place() -> None:
    for name in ("reports", "clean_reports"):
        assert not {one.text for one in templates("dev", name)} & {one.text for one in templates("test", name)}
    for name in ("sentences", "clean_sentences"):
        assert not set(sentences("dev", name)) & set(sentences("test", name))
    assert surnames("dev") & surnames("test") == set()
    assert places("dev") & places("test") == set()


def test_the_texts_and_the_vocabulary_are_many() -> None:
    texts = [one for part in PARTS for name in ("reports", "clean_reports") for one in templates(part, name)]
    assert len({one.text for one in texts}) == len(texts) >= 250
    peoples = vocabulary()["peoples"].values()
    words = [word for people in peoples for word in people["surnames"].split()]
    assert len(set(words)) >= 600
    assert len({word for people in peoples for sex in ("women", "men") for word in people[sex].split()}) >= 250
    assert len({word for people in peoples for word in people.get("fathers", people["men"]).split()}) >= 150
    assert len(places("dev")) + len(places("test")) >= 150


def test_every_kind_and_every_way_of_writing_a_name_is_frequent() -> None:
    kinds = Counter(found.kind for _, found in planted("test"))
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 60
    ways = Counter(tag for _, found in planted("test", *NAMES) for tag in found.tags)
    peoples = set(vocabulary()["peoples"]) - {"western", "caucasian"}
    forms = {"fio", "iof", "fi", "if", "io", "f", "si", "is", "latin", "hl7", "broken", "descent", "inflected"}
    styles = {"bare", "capitals", "lower"}
    assert {way: ways[way] for way in peoples | forms | styles if ways[way] < 60} == {}
    after_titles = [found for _, found in planted("test", *NAMES) if "f" in found.tags and "bare" not in found.tags]
    assert len(after_titles) >= 60


def test_dev_is_as_varied_as_the_reports_that_measure() -> None:
    for name in ("reports", "clean_reports"):
        assert len(templates("dev", name)) > len(templates("test", name))
    for name in ("sentences", "clean_sentences"):
        assert len(sentences("dev", name)) > len(sentences("test", name))
    kinds = Counter(found.kind for _, found in planted("dev"))
    assert {kind: kinds[kind] for kind in KINDS if kinds[kind] < 35} == {}
    forms = Counter(tag for _, found in planted("dev", *NAMES) for tag in found.tags)
    assert {form: forms[form] for form in ("sx", "ix", "fx", "latin2", "file", "dim") if forms[form] < 35} == {}
    ways = Counter((found.kind, found.tags[1]) for _, found in planted("dev") if len(found.tags) > 1)
    wanted = {
        "date": ("digits", "day", "month", "interval", "roman", "month_word", "words", "english", "compact"),
        "address": ("town_alone", "settlement", "district", "town", "village", "quarter", "foreign"),
        "passport": ("russian", "series", "foreign"),
        "weekday": ("whole", "short", "english"),
        "time": ("digits", "more", "english"),
    }
    pairs = [(kind, way) for kind, written in wanted.items() for way in written]
    assert {pair: ways[pair] for pair in pairs if ways[pair] < 20} == {}


def test_dev_has_words_of_its_own() -> None:
    peoples = vocabulary()["peoples"]
    own = [set(surnames_of("dev", name)) - set(words_of("dev", people["surnames"])) for name, people in peoples.items()]
    assert all(own)
    assert sum(map(len, own)) >= 150
    lists = ("streets", "settlements", "towns", "districts")
    assert sum(len(places_of("dev", kind)) - len(words_of("dev", vocabulary()[kind])) for kind in lists) >= 80
    assert all(places_of("test", kind) == words_of("test", vocabulary()[kind]) for kind in lists)


def test_dates_phones_and_links_are_written_in_many_ways() -> None:
    ways = Counter((found.kind, found.tags[1]) for _, found in planted("test") if len(found.tags) > 1)
    dates = ("digits", "month_word", "words", "english", "compact")
    assert {way: ways["date", way] for way in dates if ways["date", way] < 60} == {}
    for kind, way in (
        ("email", "plain"),
        ("email", "disguised"),
        ("passport", "russian"),
        ("passport", "foreign"),
        ("network", "ipv4"),
        ("network", "mac"),
        ("network", "uid"),
        ("address", "town"),
        ("address", "village"),
        ("address", "settlement"),
        ("age", "words"),
        ("weekday", "english"),
        ("number", "run"),
        ("number", "grouped"),
    ):
        assert ways[kind, way] >= 20, (kind, way)
    bare_phones = sum("bare" in found.tags for _, found in planted("test", "phone"))
    assert 60 <= bare_phones <= len(planted("test", "phone")) - 60


@pytest.mark.parametrize("part", PARTS)
def test_bare_names_and_unannounced_numbers_are_frequent(part: str) -> None:
    kinds = (*NAMES, "number")
    bare = Counter(found.kind for _, found in planted(part, *kinds) if "bare" in found.tags)
    assert bare.total() >= 0.15 * len(planted(part))
    assert bare["number"] >= 60


def test_check_digits_are_right_in_about_half_of_the_numbers() -> None:
    assert luhn("7992739871") == "3"  # the example of ISO/IEC 7812
    right = {"snils": 0, "policy": 0}
    for text, found in [*planted("dev", *right), *planted("test", *right)]:
        digits = re.sub(r"\D", "", text)
        if "old" not in found.tags:
            check = snils_check(digits[:9]) if found.kind == "snils" else luhn(digits[:-1])
            assert ("checked" in found.tags) == digits.endswith(check), text
            right[found.kind] += "checked" in found.tags
    for kind, count in right.items():
        number = sum("old" not in found.tags for part in PARTS for _, found in planted(part, kind))
        assert 0.35 < count / number < 0.65


def test_reports_without_identifiers_are_full_of_what_looks_like_one() -> None:
    text = "\n".join(one.text for one in reports("test") if not one.identifiers)
    for trap in (
        "Хашимото", "Грейвса", "Гюртле", "Шерешевского – Тернера", "Романовскому", "Йодомарин", "Bethesda", "EU-TIRADS",
        "E04.1", "ВОЗ 2022", "У матери Зоб", "Больная Отмечает", "ЖКТ. Оказывает", "История болезни: 45-летняя",
        "Рубцов на шее", "Мороз и жару", "мМЕ/л", "II стадия", "I-131",
    ):  # fmt: skip
        assert trap in text


def test_the_set_is_the_same_in_another_process() -> None:
    code = "import hashlib; from tests.heldout import heldout_reports as r; "
    code += "print(hashlib.sha256(repr(r('dev', 5)).encode()).hexdigest())"
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
    assert heldout_reports("dev", 5) != heldout_reports("dev", 6)


def test_the_readme_has_the_counts() -> None:
    rows = re.findall(r"^\| (\w+) \| ([\d,]+) \| ([\d,]+) \|$", (ROOT / "tests/heldout/README.md").read_text(), re.M)
    told = {kind: (int(dev.replace(",", "")), int(test.replace(",", ""))) for kind, dev, test in rows}
    counts = {part: Counter(found.kind for _, found in planted(part)) for part in PARTS}
    assert told == {kind: (counts["dev"][kind], counts["test"][kind]) for kind in KINDS} | {
        "all": (counts["dev"].total(), counts["test"].total())
    }
