"""What fills the slots of the held-out templates, apart from names: invented numbers, dates, addresses and links.

A writer returns the text and how it is written. Where a kind has check digits they are right in half of the numbers:
people mistype them, and rules that need them would otherwise look better than they are.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from tests.identifiers import CASES, decline_noun, snils_check

Written = tuple[str, ...]  # the text, then how it is written


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass
class Patient:
    """What the values of one report have in common."""

    rng: random.Random
    visit: date
    age: int
    first: str
    surname: str
    places: dict[str, tuple[str, ...]]
    last_age: int = 0

    def past(self, rng: random.Random) -> date:
        return self.visit - timedelta(days=rng.randint(30, 2500))

    def born(self) -> date:
        return self.visit - timedelta(days=self.age * 365 + self.age // 4 + 100)


class Value(NamedTuple):
    """A kind ("" for what identifies nobody), and what writes it."""

    kind: str
    write: Callable[[Patient, str], Written]  # of the patient and the slot's argument


def digits(count: int, rng: random.Random) -> str:
    return str(rng.randint(1, 9)) + "".join(rng.choices("0123456789", k=count - 1))


def grouped(text: str, sizes: tuple[int, ...], separator: str) -> str:
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return separator.join(text[start : start + size] for start, size in zip(starts, sizes, strict=True))


# --- Latin script ---

_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяқўіґҳғ"
_SCHEMES = tuple(
    dict(zip(_CYRILLIC, letters.split(), strict=True))
    for letters in (
        "a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya q o i g h g",
        "a b v g d e yo j z i j k l m n o p r s t u f h c ch sh sch - y - e yu ya q o i g h g",
        "a b v g d e e zh z i i k l m n o p r s t u f kh ts ch sh shch ie y - e iu ia k o i g h g",
    )
)


def transliterated(text: str, rng: random.Random) -> str:
    """In one of the usual schemes: Zaytsev, Zaicev, Zaitsev."""
    scheme = rng.choice(_SCHEMES)
    letters = [scheme.get(letter.lower(), letter).replace("-", "") if letter != "-" else "-" for letter in text]
    return "".join(
        latin.capitalize() if letter.isupper() else latin for letter, latin in zip(text, letters, strict=True)
    )


# --- dates, times, ages ---

_MONTHS = _words("января февраля марта апреля мая июня июля августа сентября октября ноября декабря")
_MONTHS_NOMINATIVE = _words("январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь")
_MONTHS_IN = _words("январе феврале марте апреле мае июне июле августе сентябре октябре ноябре декабре")
_MONTHS_SHORT = _words("янв фев мар апр мая июн июл авг сен окт ноя дек")
_ROMAN = _words("I II III IV V VI VII VIII IX X XI XII")
_ENGLISH = _words("January February March April May June July August September October November December")
_WEEKDAYS = {
    "nom": _words("понедельник вторник среда четверг пятница суббота воскресенье"),
    "acc": _words("понедельник вторник среду четверг пятницу субботу воскресенье"),
    "gen": _words("понедельника вторника среды четверга пятницы субботы воскресенья"),
    "dat": _words("понедельнику вторнику среде четвергу пятнице субботе воскресенью"),
    "ins": _words("понедельником вторником средой четвергом пятницей субботой воскресеньем"),
}
_WEEKDAYS_SHORT = tuple(
    map(
        _words,
        (
            "пн вт ср чт пт сб вс",
            "Пн Вт Ср Чт Пт Сб Вс",
            "ПН ВТ СР ЧТ ПТ СБ ВС",
            "пон втор сред четв пятн суб воскр",
            "пнд втр срд чтв птн сбт вск",
        ),
    )
)
_WEEKDAYS_ENGLISH = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_ORDINALS = _words("""
    первого второго третьего четвёртого пятого шестого седьмого восьмого девятого десятого одиннадцатого
    двенадцатого тринадцатого четырнадцатого пятнадцатого шестнадцатого семнадцатого восемнадцатого
    девятнадцатого""")
_TENS_ORDINAL = dict(
    zip(
        range(20, 100, 10),
        _words("""
    двадцатого тридцатого сорокового пятидесятого шестидесятого семидесятого восьмидесятого девяностого"""),
        strict=True,
    )
)
_TENS = dict(
    zip(
        range(20, 100, 10),
        _words("двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто"),
        strict=True,
    )
)
_AGES_IN_WORDS = {
    90: "девяноста",
    92: "девяноста двух",
    93: "девяноста трёх",
    94: "девяноста четырёх",
    95: "девяноста пяти",
    97: "девяноста семи",
    98: "девяноста восьми",
    100: "ста",
    102: "ста двух",
}


def _ordinal(number: int) -> str:
    """The genitive of an ordinal number below a hundred."""
    if number < 20:
        return _ORDINALS[number - 1]
    tens = number - number % 10
    return _TENS_ORDINAL[tens] if number == tens else f"{_TENS[tens]} {_ORDINALS[number % 10 - 1]}"


def _year_in_words(year: int) -> str:
    if year == 2000:
        return "двухтысячного"
    return f"{'две тысячи' if year > 2000 else 'тысяча девятьсот'} {_ordinal(year % 100)}"


def _date(day: date, rng: random.Random) -> Written:
    month = _MONTHS[day.month - 1]
    forms = (
        (f"{day:%d.%m.%Y}", "digits", 30),
        (f"{day:%d.%m.%y}", "digits", 10),
        (f"{day:%d/%m/%Y}", "digits", 5),
        (f"{day:%d-%m-%Y}", "digits", 4),
        (f"{day:%Y-%m-%d}", "digits", 6),
        (f"{day:%Y.%m.%d}", "digits", 2),
        (f"{day:%d. %m. %Y}", "digits", 2),
        (f"{day:%d,%m,%Y}", "digits", 2),
        (f"{day:%d %m %Y}", "digits", 1),
        (f"{day.day}.{_ROMAN[day.month - 1]}.{day.year}", "roman", 2),
        (f"{day.day} {month} {day.year}", "month_word", 10),
        (f"{day.day}-го {month} {day.year}", "month_word", 2),
        (f"{day:%d} {_MONTHS_SHORT[day.month - 1]} {day.year}", "month_word", 4),
        (f"«{day.day}» {month} {day.year}", "month_word", 2),
    )
    text, way, _ = rng.choices(forms, [share for *_, share in forms])[0]
    return text, way


def _date_in_words(day: date) -> Written:
    return f"{_ordinal(day.day)} {_MONTHS[day.month - 1]} {_year_in_words(day.year)}", "words"


def _english_date(day: date, rng: random.Random) -> Written:
    month, short = _ENGLISH[day.month - 1], _ENGLISH[day.month - 1][:3]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(0 if 10 < day.day < 14 else day.day % 10, "th")
    forms = (
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month} {day.year}",
        f"{day.day:02d} {short} {day.year}",
        f"{day.day:02d}-{short.upper()}-{day.year}",
        f"{short}. {day.day}, {day.year}",
        f"{day.day}{ending} {month} {day.year}",
        f"{month} {day.day}{ending}, {day.year}",
    )
    return rng.choice(forms), "english"


def _weekday(case: str, day: date, rng: random.Random) -> Written:
    if case != "acc" and rng.random() < 0.3:
        return rng.choice((_words("пн вт ср чт пт сб вс"), ["Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс"]))[
            day.weekday()
        ], "short"
    return _WEEKDAYS[case or "nom"][day.weekday()], "whole"


def _time(rng: random.Random) -> Written:
    hour, minute = rng.randint(7, 22), rng.randint(0, 59)
    forms = (
        (f"{hour:02d}:{minute:02d}", 12),
        (f"{hour}:{minute:02d}", 4),
        (f"{hour}.{minute:02d}", 2),
        (f"{hour}-{minute:02d}", 2),
        (f"{hour:02d}:{minute:02d}:{rng.randint(0, 59):02d}", 2),
        (f"{hour} ч {minute:02d} мин", 2),
        (f"{hour} час. {minute:02d} мин.", 1),
        (f"{hour}ч{minute:02d}м", 1),
    )
    return (rng.choices([form for form, _ in forms], [share for _, share in forms])[0],)


def _aged(patient: Patient) -> Written:
    patient.last_age = patient.age
    return (str(patient.age),)


def _very_old(patient: Patient, rng: random.Random) -> Written:
    patient.last_age = rng.randint(90, 104)
    return str(patient.last_age), "digits"


def _years(patient: Patient) -> Written:
    ones = patient.last_age % 10 if patient.last_age % 100 // 10 != 1 else 0
    return ("год" if ones == 1 else "года" if ones in (2, 3, 4) else "лет",)


# --- numbers of documents ---


def _snils(rng: random.Random) -> Written:
    nine, right = digits(9, rng), rng.random() < 0.5
    check = snils_check(nine) if right else f"{(int(snils_check(nine)) + rng.randint(1, 98)) % 100:02d}"
    a, b, c = grouped(nine, (3, 3, 3), " ").split()
    forms = (f"{a}-{b}-{c} {check}", f"{a}-{b}-{c}-{check}", f"{nine}{check}", f"{a} {b} {c} {check}")
    return rng.choices(forms, (6, 2, 3, 2))[0], "checked" if right else "unchecked"


def luhn(number: str) -> str:
    """The check digit of a policy or a card."""
    doubled = "".join(str(int(digit) * (2 - at % 2)) for at, digit in enumerate(reversed(number)))
    return str(-sum(map(int, doubled)) % 10)


def _sixteen(rng: random.Random) -> tuple[str, str]:
    number, right = digits(15, rng), rng.random() < 0.5
    check = int(luhn(number)) + (0 if right else rng.randint(1, 9))
    return f"{number}{check % 10}", "checked" if right else "unchecked"


def _policy(rng: random.Random) -> Written:
    number, way = _sixteen(rng)
    old = f"{digits(6, rng)} № {digits(rng.choice((6, 8)), rng)}", "old"
    return rng.choices(((number, way), (grouped(number, (4, 4, 4, 4), " "), way), old), (5, 3, 2))[0]


def _passport(rng: random.Random) -> Written:
    series, number = digits(4, rng), digits(6, rng)
    forms = (
        f"{series} {number}",
        f"{series[:2]} {series[2:]} {number}",
        f"{series} № {number}",
        f"{series} номер {number}",
        f"{series[:2]}-{series[2:]} {number}",
        f"{series}{number}",
    )
    return rng.choice(forms), "russian"


def _foreign_passport(rng: random.Random) -> Written:
    forms = (
        f"{rng.randint(50, 79)} {digits(7, rng)}",
        f"{rng.randint(50, 79)} № {digits(7, rng)}",
        f"{rng.choice(('AA', 'FA', 'AB', 'KA'))}{digits(7, rng)}",
        f"{rng.choice(('AC', 'AN', 'ID'))} {digits(7, rng)}",
        f"N{digits(8, rng)}",
        f"MP{digits(7, rng)}",
        f"{rng.choice(('КВ', 'ЕС', 'МТ'))} {digits(6, rng)}",
        f"C{digits(2, rng)}X{digits(2, rng)}T{digits(2, rng)}",
        f"AZE {digits(8, rng)}",
        f"P{digits(8, rng)}",
    )
    return rng.choice(forms), "foreign"


def _certificate(rng: random.Random) -> Written:
    roman, letters = rng.choice(("I", "II", "III", "IV", "V")), "".join(rng.choices("АБВГДЕИКЛМНРСТ", k=2))
    separator = rng.choice((" № ", " №", " ", " N "))
    return (f"{roman}-{letters}{separator}{digits(6, rng)}",)


_PLATE_LETTERS, _PLATE_LATIN = "АВЕКМНОРСТУХ", "ABEKMHOPCTYX"


def _plate(rng: random.Random) -> Written:
    letters = rng.choices(range(12), k=3)
    alphabet = _PLATE_LETTERS if rng.random() < 0.8 else _PLATE_LATIN
    a, b, c = (alphabet[letter] for letter in letters)
    number, region = f"{rng.randint(1, 999):03d}", str(rng.choice((16, 58, 63, 73, 77, 102, 116, 152, 174, 716)))
    forms = (f"{a}{number}{b}{c}{region}", f"{a}{number}{b}{c} {region}", f"{a} {number} {b}{c} {region}")
    text = rng.choice((*forms, f"{forms[1]} RUS", forms[0].lower()))
    return text, "cyrillic" if alphabet == _PLATE_LETTERS else "latin"


def _record(patient: Patient, rng: random.Random) -> Written:
    number, year = digits(rng.randint(3, 6), rng), patient.visit.year
    forms = (
        number,
        f"{number}/{year % 100:02d}",
        f"{number}-{year}",
        f"{rng.choice('АБВКМНСТ')}-{number}",
        f"{rng.choice('ABKM')}{number}",
        f"{year}/{number}",
        f"{digits(2, rng)}-{number}",
        f"{number}/{rng.choice(('ЭО', 'ХО', 'ДС'))}",
    )
    return (rng.choice(forms),)


def _slide(patient: Patient, rng: random.Random) -> Written:
    number, year = rng.randint(1000, 89999), patient.visit.year
    forms = (
        f"{number}",
        f"{number}/{year % 100:02d}",
        f"{number}-{number + rng.randint(1, 4)}",
        f"{number}, {number + 1}",
        f"Ц{number}",
        f"Ц-{number}-{year % 100:02d}",
        f"{number}{rng.choice('абв')}",
        f"{year}-{number}",
        f"C{year % 100:02d}-{number}",
    )
    return (rng.choice(forms),)


def _number(patient: Patient, rng: random.Random) -> Written:
    """A number of at least six digits that may be a policy, a card, a sample, anything."""
    eleven, sixteen = digits(9, rng), _sixteen(rng)[0]
    year = patient.visit.year
    forms = (
        (digits(6, rng), "run", 5),
        (digits(7, rng), "run", 5),
        (digits(8, rng), "run", 4),
        (digits(9, rng), "run", 3),
        (digits(10, rng), "run", 4),
        (digits(12, rng), "run", 3),
        (digits(14, rng), "run", 2),
        (digits(20, rng), "run", 1),
        (eleven + snils_check(eleven), "run", 2),
        (sixteen, "run", 3),
        (f"{digits(4, rng)} {digits(6, rng)}", "grouped", 2),
        (grouped(eleven, (3, 3, 3), "-") + " " + snils_check(eleven), "grouped", 1),
        (grouped(sixteen, (4, 4, 4, 4), " "), "grouped", 1),
        (f"{digits(5, rng)}/{year % 100:02d}", "slashed", 2),
        (f"{digits(6, rng)}-{digits(2, rng)}", "slashed", 2),
        (f"{year}-{digits(6, rng)}", "slashed", 2),
        (f"{rng.choice('АВКМНСТ')}{digits(6, rng)}", "lettered", 2),
    )
    text, way, _ = rng.choices(forms, [share for *_, share in forms])[0]
    return text, way


# --- contacts and links ---


def _phone(rng: random.Random) -> Written:
    mobile, landline = f"9{digits(9, rng)}", f"{rng.choice(('8412', '8422', '8482', '4742'))}{digits(6, rng)}"
    a, b, c, d = grouped(mobile, (3, 3, 2, 2), " ").split()
    russian = (
        f"+7 {a} {b}-{c}-{d}",
        f"+7({a}){b}-{c}-{d}",
        f"+7{mobile}",
        f"8{mobile}",
        f"8-{a}-{b}-{c}-{d}",
        f"8 ({a}) {b} {c} {d}",
        f"8 {a} {b}{c}{d}",
        f"{a}-{b}-{c}-{d}",
        f"+7.{a}.{b}.{c}.{d}",
        f"8 ({landline[:4]}) {grouped(landline[4:], (2, 2, 2), '-')}",
        f"({landline[:4]}) {landline[4:]}",
    )
    e, f = digits(3, rng), digits(4, rng)
    foreign = (
        f"+998 90 {e}-{f[:2]}-{f[2:]}",
        f"+99291{e}{f}",
        f"+380 67 {e} {f[:2]} {f[2:]}",
        f"+994 50 {e} {f[:2]} {f[2:]}",
        f"+49 171 {e}{f}",
        f"+374 91 {digits(6, rng)}",
        f"+7 701 {e} {f}",
    )
    if rng.random() < 0.15:
        return rng.choice(foreign), "foreign"
    return rng.choice(russian), "russian"


def _user(patient: Patient, rng: random.Random) -> str:
    surname, first = (re.sub("[^a-z]", "", transliterated(w, rng).lower()) for w in (patient.surname, patient.first))
    year = patient.born().year
    forms = (f"{surname}.{first[0]}", f"{first}_{surname}", f"{first[0]}{surname}{year % 100:02d}", f"{first}{year}")
    return rng.choice((*forms, f"{surname}{rng.randint(1, 99)}", f"{first}.{surname}"))


_MAIL = ("mail.ru", "yandex.ru", "gmail.com", "bk.ru", "list.ru", "inbox.ru", "outlook.com", "ukr.net", "rambler.ru")


def _email(patient: Patient, rng: random.Random) -> Written:
    return f"{_user(patient, rng)}@{rng.choice(_MAIL)}", "plain"


def _disguised_email(patient: Patient, rng: random.Random) -> Written:
    user, domain = _user(patient, rng), rng.choice(_MAIL)
    host, zone = domain.split(".")
    forms = (
        f"{user} собака {host} точка {zone}",
        f"{user} (собака) {domain}",
        f"{user}(at){domain}",
        f"{user} [at] {host} [dot] {zone}",
        f"{user} at {host} dot {zone}",
        f"{user} @ {domain}",
        f"{user}@ {host} . {zone}",
        f"{user}_собачка_{domain}",
        f"{user}[собака]{host}.{zone}",
    )
    return rng.choice(forms), "disguised"


def _handle(patient: Patient, rng: random.Random) -> Written:
    user = _user(patient, rng).replace(".", "_")
    return rng.choice((f"@{user}", f"@{user}", f"@{user}_{rng.randint(1, 99)}", f"@{user.upper()}")), "handle"


def _url(patient: Patient, rng: random.Random) -> Written:
    user, number = _user(patient, rng), digits(rng.randint(5, 9), rng)
    forms = (
        f"https://vk.com/id{number}",
        f"vk.com/{user}",
        f"https://ok.ru/profile/{number}",
        f"t.me/{user}",
        f"https://wa.me/79{digits(9, rng)}",
        f"http://lk.primer-lab.ru/results?id={number}",
        f"https://pacs.primer-clinic.ru/viewer/{number}/series/{rng.randint(1, 9)}",
        f"www.primer-med.ru/patients/{user}",
        f"https://meet.primer.ru/{user}-{number}#room",
        f"https://disk.primer.ru/d/{user}%20{number}.pdf",
    )
    return rng.choice(forms), "url"


def _ip(rng: random.Random) -> Written:
    four = f"{rng.choice(('10', '192.168', '172.16', '95.24'))}"
    while four.count(".") < 3:
        four += f".{rng.randint(1, 254)}"
    six = "2001:db8:" + ":".join(f"{rng.randrange(1, 65536):x}" for _ in range(6))
    return rng.choices(((four, "ipv4"), (f"{four}:{rng.randint(1024, 9999)}", "ipv4"), (six, "ipv6")), (7, 2, 1))[0]


def _mac(rng: random.Random) -> Written:
    pairs = [f"{rng.randrange(256):02x}" for _ in range(6)]
    return rng.choice((":".join(pairs).upper(), ":".join(pairs), "-".join(pairs).upper())), "mac"


def _uid(rng: random.Random) -> Written:
    root = rng.choice(("1.2.840.113619.2.55.3", "1.3.12.2.1107.5.2", "1.2.643.5.1.13", "2.25"))
    return f"{root}.{digits(rng.randint(8, 12), rng)}.{rng.randint(1, 999)}.{digits(10, rng)}", "uid"


def _uuid(rng: random.Random) -> Written:
    hexadecimal = f"{rng.getrandbits(128):032x}"
    return grouped(hexadecimal, (8, 4, 4, 4, 12), "-"), "uuid"


# --- addresses ---


def _street(patient: Patient, rng: random.Random) -> str:
    street = rng.choice(patient.places["streets"])
    if street.endswith("ая") and rng.random() < 0.25:
        return f"{street} {rng.choice(('ул.', 'улица'))}"
    return f"{rng.choice(('ул. ', 'ул.', 'улица ', 'ул '))}{street}"


def _house(rng: random.Random) -> str:
    number = f"{rng.randint(1, 190)}{rng.choice(('', '', '', 'а', 'Б', '/2', '/14'))}"
    flat, building = rng.randint(1, 260), rng.randint(1, 6)
    forms = (
        f"д. {number}, кв. {flat}",
        f"д.{number} кв.{flat}",
        f"дом {number}, квартира {flat}",
        f"{number}-{flat}",
        f"д. {number}, корп. {building}, кв. {flat}",
        f"{number}, стр. {building}",
        f"д. {number}",
        f"дом {number}",
    )
    return rng.choice(forms)


def _village(patient: Patient, rng: random.Random) -> str:
    kind = rng.choice(("с. ", "с.", "село ", "дер. ", "д. ", "деревня ", "пос. ", "п. ", "хутор ", "ст-ца "))
    return kind + rng.choice(patient.places["settlements"])


def _address(patient: Patient, rng: random.Random) -> Written:
    places, street = patient.places, f"{_street(patient, rng)}, {_house(rng)}"
    postal = f"{digits(6, rng)}, " if rng.random() < 0.2 else ""
    region = f"{rng.choice(places['regions'])}, " if rng.random() < 0.5 else ""
    if rng.random() < 0.4:
        district = f"{rng.choice(places['districts'])} {rng.choice(('р-н', 'район'))}, " if rng.random() < 0.6 else ""
        return f"{postal}{region}{district}{_village(patient, rng)}, {street}", "village"
    town = rng.choice(("г. ", "г.", "город ", "гор. ", "г ")) + rng.choice(places["towns"])
    return f"{postal}{region}{town}, {street}", "town"


def _village_in_genitive(patient: Patient, rng: random.Random) -> Written:
    kind = rng.choice(("села", "деревни", "посёлка", "станицы", "хутора"))
    return f"{kind} {rng.choice(patient.places['settlements'])}", "settlement"


def _street_and_house(patient: Patient, rng: random.Random) -> Written:
    return f"{_street(patient, rng)}, {_house(rng)}", "street"


# --- more ways of writing, of the reports of dev alone ---


def _more_dates(day: date, rng: random.Random) -> Written:
    month, short, roman = _MONTHS[day.month - 1], _MONTHS_SHORT[day.month - 1], _ROMAN[day.month - 1]
    forms = (
        (f"{day.day}.{day.month}.{day:%y}", "digits"),
        (f"{day:%d/%m/%y}", "digits"),
        (f"{day:%d. %m. %y}", "digits"),
        (f"{day:%d .%m.%Y}", "digits"),
        (f"{day:%d.%m .%Y}", "digits"),
        (f"{day:%d,%m,%y}", "digits"),
        (f"{day:%d_%m_%Y}", "digits"),
        (f"{day:%d%m%Y}", "compact"),
        (f"{day:%Y%m%d}", "compact"),
        (f"{day:%d%m%y}", "compact"),
        (f"{day.day}/{roman}/{day:%y}", "roman"),
        (f"{day.day}.{roman}-{day.year}", "roman"),
        (f"{day.day}/{roman}-{day:%y}", "roman"),
        (f"{day.day} {roman} {day.year}", "roman"),
        (f"{day.day}-{short}-{day.year}", "month_word"),
        (f"{day:%d}.{short}.{day.year}", "month_word"),
        (f"{day.day} {short}. {day.year}", "month_word"),
        (f"{day.day}{month}{day.year}", "month_word"),
        (f'"{day:%d}" {month} {day.year}', "month_word"),
        (f"{day.day}-ое {month} {day.year}", "month_word"),
        (f"{day.day} {month}, {day.year}", "month_word"),
        (f"{month.upper()} {day.day}, {day.year}", "month_word"),
        (f"{day.year} год, {day.day} {month}", "month_word"),
        (f"{day.year}, {month}, {day.day}", "month_word"),
    )
    return rng.choice(forms)


def _day_and_month(day: date, rng: random.Random) -> Written:
    month, short = _MONTHS[day.month - 1], _MONTHS_SHORT[day.month - 1]
    forms = (
        f"{day.day} {month}",
        f"{day.day}-го {month}",
        f"{day.day}-е {month}",
        f"{day.day} {short}",
        f"{day:%d}-{short}",
        f"{day:%d.%m}",
        f"{day:%d/%m}",
        f"{day.day}.{_ROMAN[day.month - 1]}",
        f"{_ordinal(day.day)} {month}",
    )
    return rng.choice(forms), "day"


def _month_and_year(day: date, case: str, rng: random.Random) -> Written:
    month, short = (_MONTHS if case == "gen" else _MONTHS_NOMINATIVE)[day.month - 1], _MONTHS_SHORT[day.month - 1]
    forms = (
        f"{month} {day.year}",
        f"{month}, {day.year}",
        f"{month}-{day.year}",
        f"{short}. {day.year}",
        f"{short} {day:%y}",
        f"{day:%m.%Y}",
        f"{day:%m/%Y}",
        f"{day:%m-%Y}",
        f"{_ROMAN[day.month - 1]}.{day.year}",
        f"{day.year}, {month}",
        f"{day:%Y-%m}",
    )
    return rng.choice(forms), "month"


def _interval(first: date, rng: random.Random) -> Written:
    """Two dates of one month in one expression."""
    first = first.replace(day=min(first.day, 20))
    last = first + timedelta(days=rng.randint(1, 8))
    month = _MONTHS[last.month - 1]
    forms = (
        f"{first:%d}-{last:%d.%m.%Y}",
        f"{first:%d}–{last:%d.%m.%y}",
        f"{first:%d} - {last:%d.%m.%Y}",
        f"{first:%d.%m}-{last:%d.%m.%Y}",
        f"{first:%d.%m} – {last:%d.%m.%y}",
        f"{first:%d.%m.%Y}-{last:%d.%m.%Y}",
        f"{first:%d.%m.%y}—{last:%d.%m.%y}",
        f"{first.day}-{last.day} {month}",
        f"{first.day}–{last.day} {month} {last.year}",
        f"{first.day} - {last.day} {month} {last.year}",
        f"{first:%d/%m}-{last:%d/%m/%Y}",
    )
    return rng.choice(forms), "interval"


def _more_english_dates(day: date, rng: random.Random) -> Written:
    month, short = _ENGLISH[day.month - 1], _ENGLISH[day.month - 1][:3]
    forms = (
        f"{day.day} {short} {day:%y}",
        f"{day:%d}.{short}.{day.year}",
        f"{day.year}-{short}-{day:%d}",
        f"{day:%m/%d/%Y}",
        f"{short.upper()} {day.day} {day.year}",
        f"{month} {day.day}",
        f"{day.day} {month}, {day.year}",
        f"{day.day}{short.upper()}{day.year}",
    )
    return rng.choice(forms), "english"


def _english_month(day: date, rng: random.Random) -> Written:
    month = _ENGLISH[day.month - 1]
    return f"{rng.choice((month, month[:3], month.upper()))} {day.year}", "english"


def _short_weekday(day: date, rng: random.Random) -> Written:
    return rng.choice(_WEEKDAYS_SHORT)[day.weekday()], "short"


def _english_weekday(day: date, rng: random.Random) -> Written:
    word = _WEEKDAYS_ENGLISH[day.weekday()]
    return rng.choice((word, word.upper(), word.lower(), word[:3], word[:3].upper())), "english"


def _counted(number: int, one: str, few: str, many: str) -> str:
    if number % 100 // 10 == 1 or number % 10 in (0, 5, 6, 7, 8, 9):
        return f"{number} {many}"
    return f"{number} {one if number % 10 == 1 else few}"


def _more_times(rng: random.Random) -> Written:
    """Times that a preposition or a word like "взят" must announce."""
    hour, minute = rng.randint(7, 22), rng.randint(10, 59)
    hours = _counted(hour, "час", "часа", "часов")
    forms = (
        f"{hour} ч",
        f"{hour}ч",
        hours,
        f"{hours} {_counted(minute, 'минуту', 'минуты', 'минут')}",
        f"{hour} час {minute} мин",
        f"{hour} ч. {minute}'",
        f"{hour} ч. {minute}",
        f"{hour}ч.{minute}мин.",
        f"{hour} ч {minute} м",
        f"{hour}-{minute}",
        f"{hour}.{minute}",
        f"{hour}:{minute}:{rng.randint(10, 59)}",
        f"{hour} : {minute}",
        f"{hour}⁰⁰",
        f"{hour}-00",
    )
    return rng.choice(forms), "more"


def _time_in_digits(rng: random.Random) -> Written:
    hour, minute = rng.randint(7, 22), rng.choice((0, 5, 10, 15, 30, 40, 45, 50))
    return rng.choice((f"{hour}:{minute:02d}", f"{hour:02d}:{minute:02d}", f"{hour}.{minute:02d}")), "digits"


def _english_time(rng: random.Random) -> Written:
    hour, minute, half = rng.randint(1, 12), rng.randint(0, 59), rng.choice(("am", "pm", "a.m.", "p.m.", "AM", "PM"))
    return rng.choice((f"{hour}:{minute:02d} {half}", f"{hour} {half}", f"{hour}:{minute:02d}{half}")), "english"


def _more_passports(rng: random.Random) -> Written:
    a, b, number = digits(2, rng), digits(2, rng), digits(6, rng)
    forms = (
        f"{a}{b} №{number}",
        f"{a} {b} № {number}",
        f"{a}{b} N {number}",
        f"{a}{b} N{number}",
        f"{a}{b}-{number}",
        f"{a}{b}/{number}",
        f"{a}{b}, {number}",
        f"{a}{b}; № {number}",
        f"{a}{b};№{number}",
        f"{a} {b}/{number}",
        f"{a}-{b} №{number}",
        f"{a}.{b} {number}",
        f"{a} {b} {number[:3]} {number[3:]}",
        f"{a}{b} {number[:3]}{number[3:4]} {number[4:]}",
        f"{a[0]} {a[1]}{b} {number}",
        f"{a} {b} n {number}",
    )
    return rng.choice(forms), "russian"


def _passport_series(rng: random.Random) -> Written:
    series = digits(4, rng)
    return rng.choice((series, series, f"{series[:2]} {series[2:]}", f"{series[:2]}-{series[2:]}")), "series"


def _passport_number(rng: random.Random) -> Written:
    number = digits(6, rng)
    return rng.choice((number, number, number, f"{number[:3]} {number[3:]}")), "digits"


def _more_foreign_passports(rng: random.Random) -> Written:
    two = rng.choice(("AA", "AB", "AC", "AD", "FA", "FB", "KH", "HB", "BA", "AN", "AT", "BM", "PE", "ID", "АВ", "СН"))
    forms = (
        f"{two}{digits(7, rng)}",
        f"{two} {digits(7, rng)}",
        f"{two} № {digits(7, rng)}",
        f"{two} №{digits(6, rng)}",
        f"{two}-{digits(7, rng)}",
        f"{two.lower()}{digits(7, rng)}",
        f"{rng.choice('CEGKLNPUA')}{digits(rng.choice((7, 8)), rng)}",
        f"{rng.choice('CEGKLNPUA')} {digits(8, rng)}",
        f"{rng.choice('CEGKLNPUA')} № {digits(8, rng)}",
        f"{digits(2, rng)}{rng.choice(('AA', 'BC', 'KB'))}{digits(5, rng)}",
        f"{digits(9, rng)}",
        f"{digits(2, rng)} {digits(7, rng)}",
        f"{digits(2, rng)}N{digits(7, rng)}",
        f"{digits(2, rng)} No. {digits(7, rng)}",
    )
    return rng.choice(forms), "foreign"


def _more_streets(patient: Patient, rng: random.Random) -> str:
    street = rng.choice(patient.places["streets"])
    kinds: tuple[str, ...] = ("ул", "ул.", "у.", "улица", "наб.", "набережная", "пл.", "площадь", "аллея", "линия")
    if not street.endswith("ая"):
        kinds += _words(
            "пр-т пр. просп. проспект пр-кт пер. переулок пр-д проезд б-р бульв. бульвар ш. шоссе туп. тупик"
        )
    kind = rng.choice(kinds)
    return f"{kind}{rng.choice((' ', '')) if kind.endswith('.') else ' '}{street}"


def _more_houses(rng: random.Random) -> str:
    house, flat = rng.randint(1, 190), rng.randint(1, 260)
    forms = (
        f"{house}-{flat}",
        f"{house} - {flat}",
        f"д {house} кв {flat}",
        f"д.{house}-{flat}",
        f"{house} кв.{flat}",
        f"дом {house} кв. {flat}",
        f"{house}, {flat}",
        f"д. {house}, стр. {rng.randint(1, 4)}, кв. {flat}",
        f"д. {house} к. {rng.randint(1, 4)} кв. {flat}",
        f"{house}/{rng.randint(1, 9)}, кв. {flat}",
        f"д. {house}{rng.choice('абв')}, ком. {flat}",
        f"дом № {house}",
        f"{house}{rng.choice('абвАБВ')}",
        f"вл. {house}",
        f"{house} (общежитие), комн. {flat}",
    )
    return rng.choice(forms)


def _more_villages(patient: Patient, rng: random.Random) -> str:
    kinds = ("с.", "с", "село", "д.", "дер.", "п.", "пос.", "посёлок", "пгт", "пгт.", "рп", "р.п.", "х.", "ст.", "аул")
    return f"{rng.choice((*kinds, 'н.п.', 'станция', 'ж/д ст.'))} {rng.choice(patient.places['settlements'])}"


def _quarter(patient: Patient, rng: random.Random) -> str:
    street, number = rng.choice(patient.places["streets"]), rng.randint(1, 30)
    forms = (
        f"мкр. {street}",
        f"мкр {number}",
        f"{number} мкр-н",
        f"{number}-й микрорайон",
        f"микрорайон {number}",
        f"квартал {number}",
        f"кв-л {number}",
        f"м-н {street}",
        f"ЖК «{street}»",
        f"СНТ «{street}»",
        f"общ. № {number}",
        f"военный городок {number}",
    )
    return rng.choice(forms)


def _more_addresses(patient: Patient, rng: random.Random) -> Written:
    places, house = patient.places, _more_houses(rng)
    region, district = rng.choice(places["regions"]), rng.choice(places["districts"])
    town = rng.choice(("г.", "г. ", "г ", "гор. ", "город ", "")) + rng.choice(places["towns"])
    street, village, comma = (
        _more_streets(patient, rng),
        _more_villages(patient, rng),
        rng.choice((", ", ", ", " ", ",")),
    )
    district = f"{district} {rng.choice(('р-н', 'район', 'р-он'))}"
    forms: tuple[tuple[tuple[str, ...], str], ...] = (
        ((town, street, house), "town"),
        ((town, _quarter(patient, rng), house), "quarter"),
        ((region, town, _quarter(patient, rng), house), "quarter"),
        ((_quarter(patient, rng), house), "quarter"),
        (("г. " + rng.choice(places["towns"]), _quarter(patient, rng), house), "quarter"),
        ((town, street, house), "town"),
        ((region, town, street, house), "town"),
        ((digits(6, rng), town, street, house), "town"),
        (("РФ", region, town, street, house), "town"),
        ((region, district, village, street, house), "village"),
        ((region, district, village), "village"),
        ((district, village, street, house), "village"),
        ((district, village), "village"),
        ((region, village), "village"),
        ((village, street, house), "village"),
        ((village, rng.choice(("д. ", "дом ", "")) + str(rng.randint(1, 90))), "village"),
        ((street, house), "street"),
    )
    parts, way = rng.choice(forms)
    text = comma.join(parts)
    return (text.lower() if rng.random() < 0.15 else text), way


def _nouns(case: str, name: str) -> str:
    """A place's name in a case; names of two words and adjectives stay as they are."""
    return name if " " in name or "-" in name else decline_noun(name, name.endswith("ь"))[CASES.index(case or "nom")]


def _home_town(patient: Patient, case: str, rng: random.Random) -> Written:
    return rng.choice(("г. ", "г.", "", "")) + _nouns(case, rng.choice(patient.places["towns"])), "town_alone"


def _home_village(patient: Patient, case: str, rng: random.Random) -> Written:
    kind = rng.choice(("с. ", "с.", "д. ", "дер. ", "пос. ", "п. ", "пгт ", "р.п. ", "х. "))
    return kind + _nouns(case, rng.choice(patient.places["settlements"])), "settlement"


def _home_district(patient: Patient, case: str, rng: random.Random) -> Written:
    district = rng.choice(patient.places["districts"])
    if case == "gen":
        return f"{district[:-2]}ого {rng.choice(('р-на', 'района'))}", "district"
    return f"{district} {rng.choice(('р-н', 'район'))}", "district"


# --- what identifies nobody ---


def _between(argument: str, rng: random.Random) -> Written:
    low, high = map(int, argument.split("-"))
    return (str(rng.randint(low, high)),)


def _decimal(argument: str, rng: random.Random) -> Written:
    return (f"{_between(argument, rng)[0]},{rng.randint(1, 9)}",)


VALUES = {
    "date": Value("date", lambda p, _: _date(p.visit, p.rng)),
    "past": Value("date", lambda p, _: _date(p.past(p.rng), p.rng)),
    "birth": Value("date", lambda p, _: _date(p.born(), p.rng)),
    "datec": Value("date", lambda p, _: (f"{p.past(p.rng):%Y%m%d}", "compact")),
    "datewords": Value("date", lambda p, _: _date_in_words(p.past(p.rng))),
    "birthwords": Value("date", lambda p, _: _date_in_words(p.born())),
    "dateen": Value("date", lambda p, _: _english_date(p.visit, p.rng)),
    "birthen": Value("date", lambda p, _: _english_date(p.born(), p.rng)),
    "year": Value("date", lambda p, _: (str(p.past(p.rng).year), "year")),
    "month": Value(
        "date", lambda p, _: (f"{_MONTHS_NOMINATIVE[p.past(p.rng).month - 1]} {p.past(p.rng).year}", "month")
    ),
    "monthin": Value("date", lambda p, _: (f"{_MONTHS_IN[p.past(p.rng).month - 1]} {p.past(p.rng).year}", "month")),
    "dm": Value(
        "date",
        lambda p, _: (p.rng.choice((f"{p.visit.day} {_MONTHS[p.visit.month - 1]}", f"{p.visit:%d.%m}")), "day"),
    ),
    "weekday": Value("weekday", lambda p, argument: _weekday(argument, p.visit, p.rng)),
    "prep": Value("", lambda p, _: ("во" if p.visit.weekday() == 1 else "в",)),
    "weekdayen": Value("weekday", lambda p, _: (_WEEKDAYS_ENGLISH[p.visit.weekday()], "english")),
    "time": Value("time", lambda p, _: _time(p.rng)),
    "age90": Value("age", lambda p, _: _very_old(p, p.rng)),
    "age90w": Value("age", lambda p, _: (p.rng.choice(list(_AGES_IN_WORDS.values())), "words")),
    "age": Value("", lambda p, _: _aged(p)),
    "years": Value("", lambda p, _: _years(p)),
    "snils": Value("snils", lambda p, _: _snils(p.rng)),
    "policy": Value("policy", lambda p, _: _policy(p.rng)),
    "passport": Value("passport", lambda p, _: _passport(p.rng)),
    "zagran": Value("passport", lambda p, _: _foreign_passport(p.rng)),
    "cert": Value("certificate", lambda p, _: _certificate(p.rng)),
    "plate": Value("plate", lambda p, _: _plate(p.rng)),
    "record": Value("record", lambda p, _: _record(p, p.rng)),
    "slide": Value("slide", lambda p, _: _slide(p, p.rng)),
    "num": Value("number", lambda p, _: _number(p, p.rng)),
    "phone": Value("phone", lambda p, _: _phone(p.rng)),
    "email": Value("email", lambda p, _: _email(p, p.rng)),
    "mask": Value("email", lambda p, _: _disguised_email(p, p.rng)),
    "handle": Value("handle", lambda p, _: _handle(p, p.rng)),
    "url": Value("url", lambda p, _: _url(p, p.rng)),
    "ip": Value("network", lambda p, _: _ip(p.rng)),
    "mac": Value("network", lambda p, _: _mac(p.rng)),
    "uid": Value("network", lambda p, _: _uid(p.rng)),
    "uuid": Value("network", lambda p, _: _uuid(p.rng)),
    "address": Value("address", lambda p, _: _address(p, p.rng)),
    "villageonly": Value("address", lambda p, _: (_village(p, p.rng), "settlement")),
    "village": Value("address", lambda p, _: (_village(p, p.rng), "settlement")),
    "villagegen": Value("address", lambda p, _: _village_in_genitive(p, p.rng)),
    "streetonly": Value("address", lambda p, _: _street_and_house(p, p.rng)),
    "date2": Value("date", lambda p, _: _more_dates(p.visit, p.rng)),
    "past2": Value("date", lambda p, _: _more_dates(p.past(p.rng), p.rng)),
    "birth2": Value("date", lambda p, _: _more_dates(p.born(), p.rng)),
    "dm2": Value("date", lambda p, _: _day_and_month(p.visit, p.rng)),
    "my2": Value("date", lambda p, argument: _month_and_year(p.past(p.rng), argument, p.rng)),
    "span2": Value("date", lambda p, _: _interval(p.visit, p.rng)),
    "dateen2": Value("date", lambda p, _: _more_english_dates(p.visit, p.rng)),
    "myen": Value("date", lambda p, _: _english_month(p.past(p.rng), p.rng)),
    "wd": Value("weekday", lambda p, _: _short_weekday(p.visit, p.rng)),
    "wden": Value("weekday", lambda p, _: _english_weekday(p.visit, p.rng)),
    "time2": Value("time", lambda p, _: _more_times(p.rng)),
    "timed": Value("time", lambda p, _: _time_in_digits(p.rng)),
    "timeen": Value("time", lambda p, _: _english_time(p.rng)),
    "pass2": Value("passport", lambda p, _: _more_passports(p.rng)),
    "pps": Value("passport", lambda p, _: _passport_series(p.rng)),
    "ppn": Value("passport", lambda p, _: _passport_number(p.rng)),
    "zag2": Value("passport", lambda p, _: _more_foreign_passports(p.rng)),
    "addr2": Value("address", lambda p, _: _more_addresses(p, p.rng)),
    "home": Value("address", lambda p, argument: _home_town(p, argument, p.rng)),
    "vil": Value("address", lambda p, argument: _home_village(p, argument, p.rng)),
    "distr": Value("address", lambda p, argument: _home_district(p, argument, p.rng)),
    "abroad": Value("address", lambda p, _: (p.rng.choice(p.places["foreign"]), "foreign")),
    "int": Value("", lambda p, argument: _between(argument, p.rng)),
    "dec": Value("", lambda p, argument: _decimal(argument, p.rng)),
}
