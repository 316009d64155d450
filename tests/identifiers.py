"""Labelled synthetic reports to measure de-identification, written without knowledge of its rules.

Precision and recall mean something only on texts that the rules are not tuned to, and hospitals cannot lend theirs. So
the reports come from the synthetic corpus, and random people are planted where exports have them: in a letterhead, in
the middle of the text, in a signature. Cytological words and numbers that only look like identifiers are planted too.

Templates have three marks: `[a|b]` is one of several wordings, `<a/b>` a form for a woman or a man, `{slot:case}` a
value. The templates of a place are its common wordings; the variation inside an identifier is in the slot.
"""

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain

from anamnesis.settings.synthesis import Synthesis
from anamnesis.synthesis import synthesize

KINDS = ("name", "doctor", "date", "address", "phone", "snils", "policy", "passport", "email", "record", "slide")


@dataclass(frozen=True)
class Identifier:
    """A labelled span of a text, without the announcing words ("паспорт", "тел.", "врач")."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Labelled:
    text: str
    identifiers: tuple[Identifier, ...]


# --- people: stored in the nominative; its ending determines the other cases ---

CASES = ("nom", "gen", "dat", "acc", "ins", "pre")
Forms = tuple[str, ...]  # a word in the six cases


def _words(text: str) -> tuple[str, ...]:
    """A long list, written in a few lines."""
    return tuple(text.split())


_VOWELS = "аеёиоуыэюя"
_VELARS_AND_HUSHES = "гкхжшчщ"
_HUSHES = "жшчщц"
_STRESSED_ENDING = ("Ткач", "Пугач")  # Ткачом, but Абрамовичем
_OBLIQUE_STEMS = {"Лев": "Льв", "Павел": "Павл", "Пётр": "Петр"}


def _forms(stem: str, endings: str) -> Forms:
    """One form per ending, "-" for a bare stem."""
    return tuple(stem + ending.strip("-") for ending in endings.split())


def decline_noun(word: str, female: bool) -> Forms:
    """Declines first names, and surnames that are declined like nouns."""
    last = word[-1]
    if word in _OBLIQUE_STEMS:
        return (word, *_forms(_OBLIQUE_STEMS[word], "а у а ом е"))
    if word.endswith("ия"):
        return _forms(word[:-1], "я и и ю ей и")
    if last == "я":
        return _forms(word[:-1], "я и е ю ей е")
    if last == "а":
        genitive = "и" if word[-2] in _VELARS_AND_HUSHES else "ы"
        instrumental = "ей" if word[-2] in _HUSHES else "ой"
        return _forms(word[:-1], f"а {genitive} е у {instrumental} е")
    if female and last == "ь":
        return _forms(word[:-1], "ь и и ь ью и")
    if female or last in _VOWELS:
        return (word,) * 6
    if word.endswith("ий"):
        return _forms(word[:-1], "й я ю я ем и")
    if last in "йь":
        return _forms(word[:-1], f"{last} я ю я ем е")
    return _forms(word, "- а у а ем е" if last in _HUSHES and word not in _STRESSED_ENDING else "- а у а ом е")


def decline_surname(surname: str, female: bool) -> Forms:
    """The six cases of a surname given in the masculine nominative; both parts of a double surname change."""
    if "-" in surname:
        parts = [decline_surname(part, female) for part in surname.split("-")]
        return tuple(map("-".join, zip(*parts, strict=True)))
    if surname.endswith(("ов", "ев", "ёв", "ин", "ын")):
        return _forms(surname, "а ой ой у ой ой" if female else "- а у а ым е")
    if len(surname) > 3 and surname.endswith(("ский", "цкий", "ый", "ой")):
        stem, vowel = surname[:-2], "и" if surname[-3] in _VELARS_AND_HUSHES else "ы"
        return _forms(stem, "ая ой ой ую ой ой" if female else f"{surname[-2:]} ого ому ого {vowel}м ом")
    if surname.endswith(("ых", "их")) or (female and surname[-1] not in _VOWELS):
        return (surname,) * 6
    return decline_noun(surname, female)


_PATRONYMICS = {
    "Лев": ("Львович", "Львовна"),
    "Павел": ("Павлович", "Павловна"),
    "Пётр": ("Петрович", "Петровна"),
    "Яков": ("Яковлевич", "Яковлевна"),
    "Михаил": ("Михайлович", "Михайловна"),
    "Никита": ("Никитич", "Никитична"),
    "Мустафа": ("Мустафаевич", "Мустафаевна"),
    "Дмитрий": ("Дмитриевич", "Дмитриевна"),
    "Георгий": ("Георгиевич", "Георгиевна"),
}


def patronymic(father: str, female: bool) -> str:
    """The patronymic of a father's name, in the nominative."""
    if father in _PATRONYMICS:
        return _PATRONYMICS[father][female]
    if father.endswith("ий"):
        stem = father[:-2] + "ье"
    elif father[-1] in "йь":
        stem = father[:-1] + "е"
    else:
        stem = father + ("е" if father[-1] in _VOWELS else "о")
    return stem + ("вна" if female else "вич")


@dataclass(frozen=True)
class _People:
    """Surnames with matching first names: nobody is called Фарида Кикнадзе."""

    share: float
    surnames: tuple[str, ...]
    women: tuple[str, ...]
    men: tuple[str, ...]
    # Words that may follow the father's name in place of a patronymic ("Гасан оглы"), for a man and for a woman.
    descent: tuple[str, str] | None = None


_SLAVIC_WOMEN = _words("""
    Анна Мария Елена Ольга Татьяна Наталья Ирина Светлана Людмила Галина Валентина Нина Тамара Любовь Надежда Вера
    Екатерина Александра Юлия Марина Лариса Лидия Зинаида Раиса Антонина Клавдия Евгения Оксана Алла Римма Инна Яна
    Дарья Ксения Полина Вероника Виктория Анастасия Маргарита Жанна Зоя Софья Алёна Эльвира Нинель Олеся Кира Таисия
    Пелагея Фёкла""")
_SLAVIC_MEN = _words("""
    Иван Пётр Сергей Андрей Алексей Александр Дмитрий Михаил Николай Владимир Виктор Юрий Василий Григорий Анатолий
    Геннадий Евгений Виталий Валерий Аркадий Георгий Борис Олег Игорь Павел Лев Константин Вячеслав Станислав Артём
    Семён Фёдор Степан Никита Роман Максим Денис Антон Яков Леонид Эдуард Вадим Кирилл Тимофей Прохор Захар""")

_PEOPLES: tuple[_People, ...] = (
    _People(
        0.5,
        _words("""
            Иванов Петров Сидоров Кузнецов Смирнов Попов Васильев Соколов Михайлов Новиков Фёдоров Морозов Волков
            Алексеев Лебедев Семёнов Егоров Павлов Козлов Степанов Николаев Орлов Андреев Макаров Никитин Захаров Зайцев
            Соловьёв Борисов Яковлев Григорьев Романов Воробьёв Сергеев Кузьмин Фролов Александров Дмитриев Королёв
            Гусев Киселёв Ильин Максимов Поляков Сорокин Виноградов Ковалёв Белов Медведев Антонов Тарасов Жуков Баранов
            Филиппов Комаров Давыдов Беляев Герасимов Богданов Осипов Сидоркин Матвеев Титов Марков Миронов Крылов
            Куликов Карпов Власов Мельников Денисов Гаврилов Тихонов Казаков Афанасьев Данилов Савельев Тимофеев Фомин
            Чернов Абрамов Мартынов Ефимов Федотов Щербаков Назаров Калинин Исаев Чернышёв Быков Маслов Родионов
            Коновалов Лазарев Воронин Климов Филатов Пономарёв Голубев Кудрявцев Прохоров Наумов Потапов Журавлёв
            Овчинников Трофимов Леонов Соболев Ермаков Колесников Гончаров Емельянов Никифоров Грачёв Котов Гришин
            Ефремов Архипов Громов Рубцов Комков Узлов Клочков Краснощёков Синицын Птицын Куницын Лисицын Голицын
            Крупский Вознесенский Покровский Троицкий Соколовский Преображенский Введенский Раевский Заболоцкий Речицкий
            Толстой Донской Трубецкой Мостовой Береговой Луговой Холодный Белый Бедный Чёрный
            Черных Белых Седых Долгих Сухих Косых Крутых Дурново Живаго Благово
            Римский-Корсаков Кузьмин-Караваев Голенищев-Кутузов Петров-Водкин Сухово-Кобылин"""),
        _SLAVIC_WOMEN,
        _SLAVIC_MEN,
    ),
    _People(
        0.14,
        _words("""
            Шевченко Бондаренко Коваленко Ткаченко Кравченко Олейник Лысенко Савченко Руденко Петренко Мороз Мельник
            Гончарук Романюк Савчук Ковальчук Ткач Пугач Бойко Бабич Абрамович Мицкевич Лукашевич Гриневич Хоменко
            Дорошенко Сковорода Майборода Галушка Гмыря Скорина Палий Гай Бондарь Лебедь Гоголь Кулик Дрозд
            Заблоцкий Вишневецкий Яровой Степовой"""),
        _SLAVIC_WOMEN,
        _SLAVIC_MEN,
    ),
    _People(
        0.15,
        _words("""
            Мусин Хабибуллин Гарифуллин Сафин Шарипов Галиев Гайнутдинов Мухаметзянов Нургалиев Валиуллин Зарипов
            Ахметов Гильмутдинов Фаттахов Сабиров Хасанов Хайруллин Юнусов Ибрагимов Каюмов Латыпов Тухватуллин Яруллин
            Ямалетдинов Биккулов Кутлугужин Шаймарданов Габдрахманов"""),
        _words("""
            Гульнара Розалия Фарида Лилия Гузель Айгуль Алсу Наиля Рамиля Венера Резеда Ляйсан Миляуша Эльмира
            Гульназ Рашида Дина Альбина Чулпан"""),
        _words("""
            Рустам Ильдар Марат Ринат Айрат Рашид Фарид Тимур Азат Ильдус Хамит Наиль Радик Рафаэль Шамиль Булат
            Мансур Ильгиз"""),
    ),
    _People(
        0.05,
        _words("Саркисян Мкртчян Петросян Григорян Арутюнян Акопян Оганесян Саакян Хачатурян Бабаян Погосян"),
        _words("Ануш Асмик Гаяне Карине Сусанна Нарине Лусине Армине Рузанна"),
        _words("Ашот Армен Тигран Гагик Вардан Самвел Карен Рубен Арам"),
    ),
    _People(
        0.04,
        _words("Гоцеридзе Кикнадзе Мачавариани Джапаридзе Ломидзе Гогитидзе Бочоришвили Гулия Чиладзе Окуджава"),
        _words("Нино Этери Манана Натела Тинатин Лали Медея Ламара"),
        _words("Автандил Зураб Давид Тенгиз Отар Вахтанг Реваз Нугзар"),
    ),
    _People(
        0.06,
        _words("""
            Каримов Рахимов Юсупов Алиев Мамедов Гасанов Магомедов Абдуллаев Турсунов Исмаилов Назарбаев Ташматов
            Гаджиев Рзаев"""),
        _words("Дилноза Феруза Патимат Севда Зухра Нигора Лейла Айшат Гюльнара Мадина"),
        _words("Вагиф Гасан Шерзод Бахтиёр Магомед Мустафа Эльдар Фархад Акрам"),
        ("оглы угли", "кызы кизи"),
    ),
    _People(
        0.03,
        _words("Ким Пак Цой Ли Хван Тен Югай Огай Нам Хегай Чжан"),
        _SLAVIC_WOMEN,
        _SLAVIC_MEN,
    ),
    _People(
        0.03,
        _words("Шмидт Вебер Гринберг Миллер Штейн Розенталь Кох Гофман Шварц Бауэр Вайс Рейнгардт Фишер Кауфман"),
        (*_SLAVIC_WOMEN, "Эмма", "Эльза", "Роза"),
        (*_SLAVIC_MEN, "Генрих", "Карл"),
    ),
)

_INITIALS = (
    (30, "{s} {i}.{o}."),
    (24, "{s} {i}. {o}."),
    (2, "{s}\u00a0{i}.\u00a0{o}."),  # a word processor's non-breaking spaces
    (5, "{s} {i}{o}"),
    (3, "{s} {i} {o}"),
    (4, "{s} {i}."),
    (12, "{i}.{o}. {s}"),
    (8, "{i}. {o}. {s}"),
    (5, "{i}.{o}.{s}"),
    (2, "{i}. {s}"),
)
_IN_FULL = ((30, "{s} {f} {p}"), (6, "{f} {p} {s}"), (4, "{s} {f}"))
_CALLING = ((1, "{f} {p}"),)
_SURNAME = ((1, "{s}"),)
_MANNERS: dict[str, tuple[tuple[int, str], ...]] = {
    "patient": (*_INITIALS, *((2 * share, form) for share, form in _IN_FULL)),
    "full": _IN_FULL,
    "calling": _CALLING,
    "surname": _SURNAME,
    "relative": (*_INITIALS, *((2 * share, form) for share, form in _IN_FULL), (40, "{f} {p}")),
    "doctor": (*_INITIALS, (12, "{s}"), (12, "{s} {f} {p}"), (3, "{f} {p}")),
}


@dataclass(frozen=True)
class _Person:
    female: bool
    surname: Forms
    first: Forms
    patronymic: Forms

    def written(self, manner: str, case: int, rng: random.Random) -> str:
        shares, forms = zip(*_MANNERS[manner], strict=True)
        first, middle = self.first[case], self.patronymic[case]
        form: str = rng.choices(forms, shares)[0]
        return form.format(s=self.surname[case], f=first, p=middle, i=first[0], o=middle[0])


def _person(female: bool, rng: random.Random) -> _Person:
    people = rng.choices(_PEOPLES, [people.share for people in _PEOPLES])[0]
    surname = rng.choice(people.surnames)
    regular = [name for name in people.surnames if name.endswith(("ов", "ев", "ёв", "ин"))]
    if female and surname in regular and rng.random() < 0.05:
        surname = "-".join(rng.sample(regular, 2))
    father = rng.choice(people.men)
    if people.descent and rng.random() < 0.4:
        middle: Forms = (f"{father} {rng.choice(people.descent[female].split())}",) * 6
    else:
        middle = decline_noun(patronymic(father, female), female)
    first = decline_noun(rng.choice(people.women if female else people.men), female)
    return _Person(female, decline_surname(surname, female), first, middle)


# --- numbers ---


def _digits(count: int, rng: random.Random) -> str:
    return "".join(rng.choices("0123456789", k=count))


def snils_check(nine: str) -> str:
    """The two check digits for the nine digits of a SNILS, which distinguish it from other numbers."""
    return f"{sum(int(digit) * weight for digit, weight in zip(nine, range(9, 0, -1), strict=True)) % 101 % 100:02d}"


def _snils(rng: random.Random) -> str:
    nine = str(rng.randint(1, 9)) + _digits(8, rng)
    a, b, c, check = nine[:3], nine[3:6], nine[6:], snils_check(nine)
    return rng.choices(
        (
            f"{a}-{b}-{c} {check}",
            f"{a}-{b}-{c}-{check}",
            f"{a}-{b}-{c}{check}",
            f"{nine}{check}",
            f"{a} {b} {c} {check}",
        ),
        (10, 2, 3, 4, 2),
    )[0]


def _policy(rng: random.Random) -> str:
    """A unified number of 16 digits with a Luhn check digit, or the series and number of an old paper policy."""
    fifteen = str(rng.randint(1, 9)) + _digits(14, rng)
    doubled = "".join(str(int(digit) * (2 - at % 2)) for at, digit in enumerate(fifteen))
    number = fifteen + str(-sum(map(int, doubled)) % 10)
    series, old = f"{rng.randint(1, 89):02d}", _digits(rng.choice((6, 7)), rng)
    return rng.choices(
        (number, " ".join(re.findall("....", number)), f"{series} № {old}", f"{series}-{rng.randint(10, 99)} № {old}"),
        (9, 4, 4, 2),
    )[0]


def _passport(rng: random.Random) -> str:
    region, year, number = f"{rng.randint(1, 98):02d}", f"{rng.randint(0, 23):02d}", _digits(6, rng)
    forms = (
        f"{region}{year} {number}",
        f"{region} {year} {number}",
        f"{region} {year} № {number}",
        f"{region}{year} № {number}",
        f"{region}{year} номер {number}",
        f"{region}{year}{number}",
    )
    return rng.choices(forms, (8, 6, 5, 4, 4, 1))[0]


def _mobile(rng: random.Random) -> str:
    code, a, b, c = f"9{_digits(2, rng)}", _digits(3, rng), _digits(2, rng), _digits(2, rng)
    return rng.choice(
        (
            f"+7 ({code}) {a}-{b}-{c}",
            f"+7({code}){a}-{b}-{c}",
            f"+7 {code} {a}-{b}-{c}",
            f"+7 {code} {a} {b} {c}",
            f"+7{code}{a}{b}{c}",
            f"+7-{code}-{a}-{b}-{c}",
            f"8 ({code}) {a}-{b}-{c}",
            f"8({code}){a}{b}{c}",
            f"8-{code}-{a}{b}{c}",
            f"8-{code}-{a}-{b}-{c}",
            f"8 {code} {a} {b} {c}",
            f"8{code}{a}{b}{c}",
            f"8{code}{a}{b}{c}",
        )
    )


def _phone(rng: random.Random) -> str:
    """Any telephone number; short ones are recognizable only by the word before them."""
    if rng.random() < 0.6:
        return _mobile(rng)
    code = rng.choice(("843", "846", "495", "499", "812", "347", "383", "343", "8452", "8352", "84371"))
    first = str(rng.randint(2, 7))
    local = first + _digits(9 - len(code), rng)
    pairs = re.sub(r"(?<=\d)(?=(\d\d){1,2}$)", "-", local)
    seven = f"{rng.randint(2, 7)}{_digits(2, rng)}-{_digits(2, rng)}-{_digits(2, rng)}"
    return rng.choice(
        (f"8 ({code}) {pairs}", f"8({code}){pairs}", f"8-{code}-{pairs}", f"({code}) {pairs}", pairs, seven)
    )


_LATIN = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        _words("a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh sch - y - e yu ya"),
        strict=True,
    )
)


def _email(person: _Person, born: date, rng: random.Random) -> str:
    surname, first, middle = (
        "".join(_LATIN.get(letter, "-") for letter in word.lower()).replace("-", "")
        for word in (person.surname[0], person.first[0], person.patronymic[0].split()[0])
    )
    user = rng.choice(
        (
            f"{surname}.{first[0]}{middle[0]}",
            f"{first[0]}.{surname}",
            f"{first}{born.year}",
            f"{surname}_{first[0]}{middle[0]}",
            f"{surname}{born.year % 100:02d}",
            f"{first}-{surname}",
            f"{first}.{surname}{rng.randint(1, 99)}",
        )
    )
    domains = "mail.ru yandex.ru gmail.com bk.ru inbox.ru list.ru rambler.ru ya.ru"
    return f"{user}@{rng.choice(domains.split())}"


def _record(year: int, rng: random.Random) -> str:
    number = rng.randint(100, 99999)
    return rng.choice(
        (
            f"{number}/{year % 100:02d}",
            f"{number}/{year}",
            f"{number}-{year % 100:02d}",
            f"{rng.randint(1000, 99999)}",
            f"{rng.randint(10000, 999999)}",
            f"{rng.choice('АБВКМС')}-{number}",
            f"{year}-{number:06d}",
            f"{number:06d}",
        )
    )


def _slide(year: int, rng: random.Random) -> str:
    number = rng.randint(100, 29999)
    return rng.choice(
        (
            f"{number}",
            f"{number}/{year % 100:02d}",
            f"{number}-{year % 100:02d}",
            f"{number}{rng.choice('абв')}",
            f"{number}-Ц",
            f"Ц-{number}",
            f"{number}/{year}",
        )
    )


def _slides(rng: random.Random) -> str:
    first, more = rng.randint(100, 29000), rng.randint(1, 3)
    numbers = [str(first + step) for step in range(more + 1)]
    short = f"{numbers[0]}-{numbers[-1][-2:]}"  # 1234-36
    return rng.choice(
        (
            f"{numbers[0]}-{numbers[-1]}",
            f"{numbers[0]}–{numbers[-1]}",
            short,
            ", ".join(numbers),
            " и ".join(numbers[:2]),
        )
    )


# --- dates ---

_MONTHS = _words("январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь")


def _month(month: int) -> tuple[str, str, str]:
    """A month in the nominative, the genitive ("12 марта") and the prepositional ("в марте")."""
    word = _MONTHS[month - 1]
    stem = word.rstrip("йь")
    return word, stem + ("а" if stem == word else "я"), stem + "е"


def _day(day: date, rng: random.Random) -> str:
    month = _month(day.month)[1]
    forms = (
        f"{day:%d.%m.%Y}",
        f"{day:%d.%m.%y}",
        f"{day:%d/%m/%Y}",
        f"{day:%d-%m-%Y}",
        f"{day:%Y-%m-%d}",
        f"{day.day}.{day.month}.{day.year}",
        f"{day.day} {month} {day.year}",
        f"{day:%d} {month} {day.year}",
        f"«{day:%d}» {month} {day.year}",
    )
    return rng.choices(forms, (40, 14, 5, 5, 6, 3, 13, 3, 2))[0]


# --- addresses ---

# The first digits of a region's postal codes, its name, its towns; then its districts and villages.
_TOWNS = (
    ("42", "[РТ|Республика Татарстан|Респ. Татарстан|Татарстан]", "Казань Елабуга Бугульма Зеленодольск Чистополь"),
    ("44", "Самарская [обл.|область]", "Самара Тольятти Сызрань Кинель"),
    ("62", "Свердловская [обл.|область]", "Екатеринбург Ревда Асбест Каменск-Уральский"),
    ("14", "[Московская обл.|МО|Московская область]", "Подольск Коломна Химки Серпухов Орехово-Зуево"),
    ("60", "Нижегородская [обл.|область]", "Арзамас Бор Дзержинск Павлово"),
    ("35", "[Краснодарский край|Краснодарский кр.]", "Краснодар Армавир Ейск Тихорецк"),
    ("34", "Ростовская [обл.|область]", "Ростов-на-Дону Таганрог Шахты Азов"),
    ("45", "Республика [Башкортостан|Башкирия]", "Уфа Стерлитамак Бирск Туймазы"),
    ("63", "Новосибирская [обл.|область]", "Новосибирск Бердск Искитим"),
    ("42", "[Чувашия|Чувашская Республика|ЧР]", "Чебоксары Канаш Алатырь"),
    ("61", "[Пермский край|Пермский кр.]", "Пермь Лысьва Кунгур"),
    ("17", "Тверская [обл.|область]", "Тверь Ржев Торжок Кимры"),
)
_VILLAGES = (
    (
        "42",
        "[РТ|Республика Татарстан|Татарстан]",
        "Арский Балтасинский Тюлячинский",
        "Шурабаш Новый+Кинер Казанбаш Наласа",
    ),
    ("39", "Рязанская [обл.|область]", "Касимовский Шиловский", "Гусево Ерахтур Тимошкино Берёзово"),
    ("44", "Самарская [обл.|область]", "Кинельский Безенчукский", "Красносамарское Покровка Екатериновка"),
    ("34", "Ростовская [обл.|область]", "Азовский Зерноградский", "Кагальник Новая+Поляна Гуляй-Борисовка"),
    ("65", "[Алтайский край|Алтайский кр.]", "Бийский Смоленский", "Малоугренёво Верх-Катунское Точильное"),
    ("41", "Саратовская [обл.|область]", "Энгельсский Марксовский", "Степное Липовка Подлесное Красный+Яр"),
)
_STREETS_OF = (
    """Ленина Гагарина Баумана Пушкина Кирова Чехова Гоголя Мира Победы Строителей Космонавтов Карла+Маркса Калинина
    Декабристов Ибрагимова Маршала+Жукова 8+Марта 50+лет+Октября Куйбышева Чапаева Тургенева Габдуллы+Тукая
    академика+Павлова Л.+Толстого М.+Горького""",
    (
        "Советская Школьная Садовая Набережная Лесная Молодёжная Центральная Новая Заречная Полевая "
        "Большая+Красная 2-я+Речная"
    ),
    "Ленинский Московский Октябрьский Комсомольский Молодёжный Юбилейный Северный 1-й+Садовый",
)
_KINDS_OF_STREETS = (
    "ул. ул. ул. ул. улица пр. пр-т проспект пер. б-р бульвар пл.",
    "ул. ул. ул. улица",
    "пр. пр-т проспект пер. переулок бульвар проезд",
)
_SETTLEMENTS = "с. с. село д. дер. деревня п. пос. посёлок ст-ца х. пгт"


def _house(rng: random.Random, flats: bool) -> list[str]:
    """House, building and flat, all in the same style."""
    number = (
        str(rng.randint(1, 180 if flats else 70))
        + rng.choices(("", rng.choice("абв"), rng.choice("АБВ"), f"/{rng.randint(1, 9)}"), (80, 8, 4, 8))[0]
    )
    house, flat = rng.choices(
        (("д. ", "кв. "), ("д.", "кв."), ("дом ", "квартира "), ("", "кв."), ("", "-")), (9, 6, 2, 3, 3)
    )[0]
    parts = [house + number]
    if flats and house and rng.random() < 0.2:
        parts.append(rng.choice(("корп. ", "к.", "корпус ", "стр. ", "строение ", "корп.")) + str(rng.randint(1, 5)))
    if flats and rng.random() < 0.9:
        apartment = str(rng.randint(1, 240))
        if flat == "-":
            return [f"{number}-{apartment}"]
        parts.append(flat + apartment)
    return parts


def _street(rng: random.Random, bare: bool, village: bool = False) -> str:
    form = rng.choices((0, 1, 2), (6, 4, 0 if village else 2))[0]
    name = rng.choice(_STREETS_OF[form].split()).replace("+", " ")
    if bare and form < 2:
        return name
    kind = rng.choice(("ул. ул. улица пер." if village and not form else _KINDS_OF_STREETS[form]).split())
    if kind in ("ул.", "пр-т", "бульвар", "проспект") and form and rng.random() < 0.3:
        return f"{name} {kind}"
    return kind + ("" if kind.endswith(".") and rng.random() < 0.25 else " ") + name


def _village_address(rng: random.Random) -> str:
    code, region, districts, villages = rng.choice(_VILLAGES)
    parts = [code + _digits(4, rng)] if rng.random() < 0.2 else []
    if rng.random() < 0.6:
        parts.append(_expand(region, rng))
    parts.append(f"{rng.choice(districts.split())} {rng.choice(('р-н', 'район', 'р-он'))}")
    parts.append(f"{rng.choice(_SETTLEMENTS.split())} {rng.choice(villages.split())}".replace("+", " "))
    if rng.random() < 0.85:
        parts += [_street(rng, bare=False, village=True), *_house(rng, flats=rng.random() < 0.2)]
    return ", ".join(parts)


def _address(rng: random.Random) -> str:
    if rng.random() < 0.25:
        return _village_address(rng)
    code, region, towns = rng.choice(_TOWNS)
    town, bare = rng.choice(towns.split()), rng.random() < 0.2
    place = [code + _digits(4, rng)] if rng.random() < 0.2 else []
    if not bare and rng.random() < 0.35:
        place.append(_expand(region, rng))
    place.append(town if bare else rng.choice(("г. ", "г. ", "г.", "гор. ", "город ")) + town)
    if rng.random() < 0.1:
        quarter = rng.choice(("мкр. ", "мкр-н ", "микрорайон "))
        street = [quarter + rng.choice(("Северный", "Горки-2", "Азино-1", "Юго-Запад", "Солнечный"))]
    else:
        street = [_street(rng, bare)]
    street += _house(rng, flats=True)
    if bare:
        return ", ".join(place) + rng.choice((", ", " ")) + " ".join(street)
    return rng.choices((", ", ",", " "), (80, 8, 12))[0].join([*place, *street])


# --- templates ---

_BORN = "[г.р.|г.р.|г. р.|г/р|года рождения|г. рожд.]"
_RECORD = (
    "[История болезни №|и/б №|и/б|ИБ|ИБ №|И.Б. №|амб. карта №|Амбулаторная карта №|м/к|М/к №|МК|№ карты|№ карты:|"
    "Мед. карта №|медкарта №|Номер медицинской карты:|№ и/б]"
)
_SLIDE = (
    "[стекло №|цит. №|Цит. исследование №|препарат|препарат №|исследование №|Цитология №|анализ №|рег. №|Лаб. №|"
    "Цитологическое исследование №|мазок №]"
)
_SLIDES = "[стёкла №№|стёкла №|стекла №№|препараты №|мазки №№|цитологические препараты №№|стекла]"
_TEL = "[тел.|тел.|тел:|т.|телефон|дом. тел.|конт. тел.|Контактный телефон:|тел. для связи]"
_POLICY = "[полис ОМС|полис ОМС:|полис|полис ОМС №|№ полиса|страховой полис|полис обязательного мед. страхования]"
_PASSPORT = "[паспорт|паспорт:|паспорт РФ|паспорт серия|паспорт серии|документ: паспорт серия|уд. личности: паспорт]"
_EMAIL = "[e-mail:|e-mail|эл. почта:|электронная почта|email:|почта:]"
_LIVES = "[проживает:|прож.:|адрес:|адрес|место жительства:|проживает по адресу|адрес регистрации:|дом. адрес:|зарег.:]"

_HEADS = (
    "[ФИО|Ф.И.О.|Ф.И.О. пациента|Пациент|ФИО пациента|Ф. И. О.]: {patient}",
    "<Пациентка/Пациент>[: | ]{patient}",
    "<Больная/Больной> {patient}",
    "ФИО: {surname}",
    "<Гр-ка/Гр.> {patient}",
    "{full}",
    "ФИО: {lower}",
    "Направлен на цитологическое исследование материал <больной/больного> {patient:gen}",
    "Справка выдана {patient:dat}",
    f"{{patient}}, {{birth}} {_BORN}",
    f"<Пациентка/Пациент> {{patient}}, {{year}} {_BORN}",
    "{full} [д.р.|дата рожд.|род.] {birth}",
    "{patient} {birth}, [пол: <ж/м>|пол <женский/мужской>|<Ж/М>|{age}]",
    "[Дата рождения|Д.р.|Дата рожд.]: {birth}",
    "Год рождения: {year}",
    "Дата [исследования|взятия материала|забора|поступления материала|выдачи заключения|пункции|регистрации]: {date}",
    "Дата и время поступления: {date} {time}",
    "Протокол цитологического исследования от {date}",
    f"{_LIVES} {{address}}",
    f"{_LIVES} {{address}}, {_TEL} {{phone}}",
    f"{_TEL} {{phone}}",
    "[Моб.|Сот.|моб. тел.:|сот. тел.] {mobile}",
    "СНИЛС[ |: | № ]{snils}",
    "[Страховой номер (СНИЛС)|СНИЛС пациента]: {snils}",
    "СНИЛС {snils}; полис ОМС {policy}",
    f"{_POLICY} {{policy}}",
    "[ЕНП|полис серия]: {policy}",
    f"{_PASSPORT} {{passport}}",
    f"{_PASSPORT} {{passport}}, выдан {{past}}",
    f"{_EMAIL} {{email}}",
    f"{_TEL} {{phone}}, {_EMAIL} {{email}}",
    f"{_RECORD} {{record}}",
    f"{_RECORD} {{record}}, [отделение эндокринологии|поликлиника|хирургическое отд.|амбулаторно]",
    f"{_SLIDE} {{slide}}",
    f"{_SLIDE} {{slide}} от {{date}}",
    f"{_SLIDES} {{slides}}",
    "[Направивший врач|Лечащий врач|Врач|Направил|Кем направлен|Пунктировал]: {doctor}",
    f"{{full}}, {{birth}} {_BORN}, {_RECORD} {{record}}",
    f"ФИО: {{full}}; [дата рождения|д/р]: {{birth}}; СНИЛС: {{snils}}; {_POLICY} {{policy}}",
    f"<Больная/Больной> {{patient}}, {{year}} {_BORN}, {_LIVES} {{address}}, {_TEL} {{phone}}",
    f"{{full}}, {{birth}} {_BORN}, {_PASSPORT} {{passport}}, СНИЛС {{snils}}",
    f"Пациент: {{patient}}[, | ]{_RECORD} {{record}} {_SLIDE} {{slide}} [Дата|дата]: {{date}}",
)
_SENTENCES = (
    (
        f"<Пациентка/Пациент> {{patient}}, {{year}} {_BORN}, <направлена/направлен> [эндокринологом|на "
        f"пункцию узла|на ТАБ]."
    ),
    "<Пациентка/Пациент> {surname} [повторно <направлена/направлен> на пункцию|жалоб не предъявляет|состоит на учёте].",
    "<Больная/Больной> {surname} наблюдается у эндокринолога {age_of}.",
    "У <пациентки/пациента> {patient:gen} [пальпируется узел|узел выявлен при осмотре|по УЗИ узел прежних размеров].",
    "Материал <пациентки/пациента> {patient:gen} [доставлен повторно|получен вне очереди|пересмотрен].",
    (
        "<Пациентке/Пациенту> {patient:dat} [рекомендована повторная явка|даны рекомендации|выполнена ТАБ "
        "под контролем УЗИ]."
    ),
    "<Пациентку/Пациента> {patient:acc} [осмотрели повторно|пригласить на повторную пункцию|направить к онкологу].",
    "С <больной/больным> {patient:ins} проведена беседа, согласие на пункцию получено.",
    "Согласие на пункцию подписано <пациенткой/пациентом> {patient:ins}.",
    "О <больной/больном> {patient:pre} сообщено в онкодиспансер.",
    "{calling} [жалоб не предъявляет|от повторной пункции <отказалась/отказался>|пункцию <перенесла/перенёс> хорошо].",
    "[Со слов|По словам] {calling:gen}, узел обнаружен [случайно|при диспансеризации].",
    "Сопровождает дочь {relative_f}, [моб.|тел.] {mobile}.",
    "Со слов мужа {relative_m:gen}, узел растёт в течение года.",
    "[Сын|Брат|Отец|Муж] – {relative_m}, [контактное лицо|тел. {mobile}|моб. {mobile}].",
    "[Мать|Сестра|Бабушка] – {relative_f}, [оперирована по поводу зоба|наблюдается с тиреоидитом].",
    "Результат сообщить [дочери|матери|сестре] {relative_f:dat} по тел. {phone}.",
    "[На приёме с|Осмотр в присутствии] [сестры|матери|дочери] {relative_f:gen}.",
    "[УЗИ|ТАБ|Пункция|Осмотр|Сцинтиграфия|Предыдущее исследование] от {date}[: узел прежних размеров|: без динамики|].",
    "[Предыдущая|Последняя|Первичная] пункция выполнена {past}.",
    "[УЗИ|ТАБ|Консультация онколога] ({month}): [без динамики|рост узла|узел впервые].",
    "Узел выявлен в {month_in} [г.|года].",
    "[Гемитиреоидэктомия|Операция на щитовидной железе|Лучевая терапия] в {past_year} [г.|году].",
    "Наблюдается с {past_year} [г.|года] по поводу узлового зоба.",
    "Материал взят {date}, доставлен [в тот же день|{date}].",
    "<Родилась/Родился> {birth}.",
    f"{_LIVES} {{address}}.",
    "[Результат отправить почтой|Ответ выслать]: {address}.",
    "<Иногородняя/Иногородний> ({address}).",
    "[Результат|Ответ] сообщить по [тел.|телефону] {phone}.",
    f"[Связь с <пациенткой/пациентом>|Контакты|Звонить после 18 ч]: {_TEL} {{phone}}.",
    "Перезвонить <пациентке/пациенту> на {mobile}.",
    "Ответ [выслать|продублировать|направить] на {email}.",
    f"Для выдачи заключения: {_EMAIL} {{email}}.",
    "[Данные для выписки|Для счёта|Страховые данные]: СНИЛС {snils}.",
    "<Застрахована/Застрахован> по ОМС, СНИЛС {snils}.",
    f"[Случай оплачен по ОМС|Страховые данные], {_POLICY} {{policy}}.",
    f"[Личность <пациентки/пациента> подтверждена|Договор на платные услуги], {_PASSPORT} {{passport}}.",
    f"[Материал стационара|Данные из архива|Выписка приложена], {_RECORD} {{record}}.",
    "Сведения взяты из [истории болезни|амбулаторной карты|медицинской карты] № {record}.",
    f"[Пересмотрены|Для сравнения подняты из архива] {_SLIDES} {{slides}}.",
    "[Пересмотр стёкол|Пересмотр препаратов] № {slides}[| от {past}].",
    f"[Ранее|Прежнее исследование –] {_SLIDE} {{slide}} от {{past}}.",
    "В препарате № {slide} [эпителий отсутствует|коллоид, единичные тиреоциты|только кровь].",
    "[Пункцию выполнил|ТАБ выполнил|Направил|Материал взял] [хирург|эндокринолог|врач УЗИ|онколог|врач] {doctor_m}.",
    "[Пункцию выполнила|УЗИ выполнила|Направила] [эндокринолог|врач УЗД|доктор] {doctor_f}.",
    "<Направлена/Направлен> [эндокринологом|онкологом|врачом|хирургом] {doctor:ins}.",
    "По направлению [врача|эндокринолога|доцента|проф.] {doctor:gen}.",
    (
        "[Препараты просмотрены совместно|Случай обсуждён|Консультативно просмотрено] с [зав. отделением|"
        "проф.|к.м.н.] {doctor:ins}."
    ),
    "Препараты переданы [врачу|патологоанатому|зав. лабораторией] {doctor:dat} [для пересмотра|{date}].",
    "Лечащий врач {doctor}, [тел.|т.|раб. тел.] {phone}.",
)
_TAILS = (
    f" ({_SLIDES} {{slides}})",
    f", {_SLIDE} {{slide}}",
    f" ({_RECORD} {{record}})",
    " (пункция от {date})",
    " (по УЗИ от {date})",
    " (УЗИ – {month})",
    " (по данным {past_year} г.)",
    " ([врач|пунктировал|хирург] {doctor})",
    " (материал <пациентки/пациента> {patient:gen})",
)
_SIGNS = (
    "[Врач-цитолог|Врач цитолог|Цитолог|Врач|Врач КЛД|Врач-лаборант]: {doctor}",
    (
        "[Врач-цитолог|Цитолог высшей категории|врач|Цитолог|Врач-цитолог высшей категории|Врач клин. лаб. "
        "диагностики] {doctor}"
    ),
    "[Исп.|Исп.:|Исполнитель:|Исследование выполнил(а):] {doctor}",
    "Заключение подписала [д.м.н.|к.м.н.|врач-цитолог|проф.] {doctor_f}",
    "Заключение [подписал|выдал|оформил] [д.м.н.|к.м.н.|врач-цитолог|доц.] {doctor_m}",
    "[Зав. отделением|Зав. лабораторией|Зав. КДЛ|Зав. цитологической лабораторией:|И.о. заведующего] {doctor}",
    "[Лаборант|Лаборант:|Фельдшер-лаборант|Мед. лабораторный техник] {doctor}",
    "[Пунктировал|Пунктировал:|Пунктировала:|Окраска:|Материал принял(а):] {doctor}",
    "[Врач-цитолог|Врач]: {doctor}, [лаборант|фельдшер-лаборант|консультант]: {doctor}",
    "Врач-цитолог [________|____________|_____] /{doctor}/",
    "[Подпись врача|Подпись] [________|______] {doctor}",
    "[Врач|Врач-цитолог|Цитолог]: {doctor}[, | / |. ]{date}",
    "{date}[, | ][врач|цитолог|врач-цитолог] {doctor}",
    "[Дата выдачи|Дата|Дата заключения]: {date}",
    "Зав. отделением {doctor}, тел. [отделения|лаборатории] {phone}",
    "[Тел. лаборатории|Справки по тел.|Контакты:] {phone}",
    "Копия выдана на руки <пациентке/пациенту> {patient:dat} {date}",
    "Заключение [направлено|продублировано] на {email}",
    "[Ответ получен|Заключение на руки]: {patient}",
    "С результатом <ознакомлена/ознакомлен> {patient}",
)

# Text that looks like an identifier but is not. Bare towns, hospitals and glass numbers like "стекло 2" are left out:
# whether they identify anyone is a matter of opinion.
_TITLES = (
    "ПРОТОКОЛ ЦИТОЛОГИЧЕСКОГО ИССЛЕДОВАНИЯ",
    "Результат цитологического исследования",
    "ЦИТОЛОГИЧЕСКОЕ ИССЛЕДОВАНИЕ ПУНКТАТА ЩИТОВИДНОЙ ЖЕЛЕЗЫ",
    "Форма № 203/у",
    "Централизованная цитологическая лаборатория",
    "Код МКБ-10: [E04.1|E04.2|D34|E06.3]",
    "Код услуги: A08.22.004",
    "<Пациентка/Пациент>, {age}",
)
_NEGATIVES = (
    "[Клетки Гюртле|Клетки Ашкенази|Клетки Гюртле–Ашкенази] [единичные|не найдены|в {int:2-9} группах].",
    "Исключить [тиреоидит Хашимото|тиреоидит де Кервена|зоб Риделя|болезнь Грейвса].",
    "Дифференцировать с [тиреоидитом Хашимото|тиреоидитом де Кервена|зобом Риделя|болезнью Базедова].",
    "В анамнезе [тиреоидит де Кервена|зоб Базедова|зоб Хашимото], ремиссия [{int:2-4} года|{int:5-9} лет].",
    "[Окраска по Романовскому-Гимзе|Окраска по Паппенгейму|Окраска по Май-Грюнвальду|Окраска по Папаниколау].",
    "[Окрашено по Лейшману|Докраска по Перлсу|Окраска азур-эозином по Романовскому], {int:2-4} мазка.",
    "[Гигантские клетки Пирогова–Лангханса не найдены|Клетки типа Ланганса единичные|Тельца Шаумана не найдены].",
    "Bethesda [II|III|IV|V].",
    "[EU-TIRADS 4|TI-RADS 4a|TI-RADS 3|ACR TI-RADS 5], [{int:5-38} мм|{dec:1-3} см].",
    "[Классификация ВОЗ 2022|Терминология Bethesda 2017|По системе Bethesda (2023)].",
    (
        "[ТТГ {dec:1-6} мМЕ/л|ТТГ – {dec:1-6} мкМЕ/мл|Т4 св. {dec:9-19} пмоль/л|Кальцитонин {dec:1-9}|"
        "Тиреоглобулин {int:11-200} нг/мл]."
    ),
    "Кальцитонин {dec:1-9} пг/мл, ТТГ {dec:1-6}, АТ-ТПО {int:5-640} МЕ/мл.",
    "[Узел № {int:1-3}, {int:8-40}×{int:5-30}×{int:5-30} мм|Узел {int:8-40}х{int:5-30} мм|Объём железы {dec:9-39} мл].",
    "Игла {int:21-27}G, {int:2-4} пассажа[|, аспирация {int:5-20} мл].",
    (
        "[Группы по {int:6-14}–{int:15-30} клеток|Просмотрено {int:50-300} полей зрения|Группы в "
        "{int:2-3}–{int:4-6} полях зрения]."
    ),
    "[Онкоциты до {int:5-45} %|Лимфоциты {int:40-70} %, макрофаги {int:5-25} %|Фон: эритроциты 1:{int:2-9}].",
    "[Доставлено {int:2-4} стекла|Просмотрено {int:5-9} мазков|{int:2-4} стекла высушены на воздухе].",
    "[Контроль УЗИ через {int:5-12} месяцев|Повторить ТАБ через 3–6 мес|Явка через {int:5-8} недель].",
    "[Узел растёт {int:2-4} месяца|Наблюдается {int:5-15} лет|Пункция вторая за {int:2-4} года].",
    (
        "[Рубцов не видно|Рубцов и спаек не отмечено]. [Узлов два|Узлов несколько], [пунктирован больший|"
        "пунктирован один]."
    ),
    "[Комков коллоида нет|Клочков ткани не получено|Сосочков не найдено|Мазков мало|Островков эпителия {int:2-9}].",
    "[Белых кровяных клеток мало|Мелких групп немного|Чёрных глыбок пигмента нет|Сухих мазков два].",
    "[Толстой капсулы не видно|Бедный клеточный состав|Долгих болей в шее не отмечает|Косых срезов нет].",
    (
        "[Мороз {int:5-30} °С при доставке|Белый налёт на одном стекле|Холодный узел по сцинтиграфии|Горячий "
        "узел исключён]."
    ),
    "<Пациентка/Пациент> {age_of}, <направлена/направлен> [эндокринологом|онкологом поликлиники|на дообследование].",
    "[Больная эутиреоидна|Больной осмотрен эндокринологом|Пациент наблюдается амбулаторно|Гражданство РФ].",
    (
        "[ФИО врача в направлении не указано|Подпись врача неразборчива|Дата взятия материала не указана|№ "
        "карты не указан]."
    ),
    "[Телефон в направлении не указан|Паспортные данные не заполнены|Полис не предъявлен|Адрес не заполнен|СНИЛС нет].",
    "[Материал принят в {time}|Фиксация {int:10-30} мин|Доставка в течение {int:2-5} ч].",
    "[Код МКБ-10 E04.{int:0-9}|Услуга A08.22.004|Оформлено по форме № 203/у|Приказ МЗ № 174н].",
    "[Сестринский осмотр без особенностей|Дежурный врач предупреждён|Врач УЗИ отмечает кальцинаты до {int:1-4} мм].",
    "[Увеличение ×{int:100-400}|Микроскоп, объектив ×40|Центрифугирование {int:800-1500} об/мин, {int:5-10} мин].",
    "[Ядра «сиротки Энни»|Игла Чиба|Проба Вальсальвы не проводилась|Индекс Ki-67 не определялся].",
)
_BLANK_SIGNS = (
    "Врач-цитолог: ____________",
    "Подпись врача (неразборчиво)",
    "Врач-цитолог, подпись, печать",
    "Лаборант: подпись",
)
_LAYOUTS = (
    ("", " "),
    ("", "\n"),
    ("", "\nЗаключение: "),
    ("Описание: ", "\nЗаключение: "),
    ("Цитологическое описание: ", " Цитологическое заключение: "),
    ("ЦИТОГРАММА: ", "\nЗАКЛЮЧЕНИЕ: "),
)

# --- filling the templates ---

Piece = tuple[str, str]  # a text and its kind, "" if it identifies nobody
_SLOT = re.compile(r"\{(\w+)(?::([\w-]+))?\}")
_SLOT_KINDS = {
    **dict.fromkeys(("patient", "full", "surname", "calling", "lower", "relative_f", "relative_m"), "name"),
    **dict.fromkeys(("doctor", "doctor_f", "doctor_m"), "doctor"),
    **dict.fromkeys(("birth", "year", "date", "past", "month", "month_in", "past_year"), "date"),
    **dict.fromkeys(("phone", "mobile"), "phone"),
    **dict.fromkeys(("slide", "slides"), "slide"),
    **{kind: kind for kind in ("address", "snils", "policy", "passport", "email", "record")},
}
# Names, doctors and dates are in nearly every export, the other kinds only in some.
_KIND_SHARES = {kind: {"name": 4, "doctor": 4, "date": 2}.get(kind, 1) for kind in KINDS}
_COUNT_SHARES = {1: 14, 2: 20, 3: 20, 4: 16, 5: 12, 6: 8, 7: 6, 8: 4}
_CLEAN_SHARE = 0.18


def _expand(template: str, rng: random.Random) -> str:
    return re.sub(r"\[([^\[\]]*)\]", lambda match: rng.choice(match[1].split("|")), template)


def _kinds(template: str) -> list[str]:
    return [_SLOT_KINDS[slot[1]] for slot in _SLOT.finditer(template) if slot[1] in _SLOT_KINDS]


def _years(number: int, genitive: bool) -> str:
    one = number % 10 == 1 and number % 100 != 11
    few = number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14)
    if genitive:
        return f"{number} {'года' if one else 'лет'}"
    return f"{number} {'год' if one else 'года' if few else 'лет'}"


class _Case:
    """One patient's visit and the habits of its writer."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._patient = _person(rng.random() < 0.8, rng)
        self._visit = date(2006, 1, 9) + timedelta(days=rng.randrange(19 * 365))
        self._age = rng.randint(19, 84)
        self._born = self._visit - timedelta(days=self._age * 365 + self._age // 4 + rng.randint(1, 360))
        self._numero = rng.choices(("№ ", "№", "N ", "№\u00a0"), (7, 3, 1, 1))[0]
        self._yo = rng.random() < 0.5
        self._known: dict[str, str] = {}  # values of the patient, the same throughout the report

    def _once(self, slot: str, draw: Callable[[], str]) -> str:
        if slot not in self._known:
            self._known[slot] = draw()
        return self._known[slot]

    def _past(self) -> date:
        return self._visit - timedelta(days=self._rng.randint(40, 3000))

    def _name(self, slot: str, case: int) -> str:
        rng = self._rng
        manner, _, sex = slot.partition("_")
        if manner == "lower":
            return self._patient.written("full", case, rng).lower()
        if manner in ("patient", "full", "surname", "calling"):
            return self._patient.written(manner, case, rng)
        return _person(sex == "f" if sex else rng.random() < 0.75, rng).written(manner, case, rng)

    def _value(self, slot: str, argument: str) -> str:
        rng, visit = self._rng, self._visit
        if slot in ("int", "dec"):
            low, high = map(int, argument.split("-"))
            number = str(rng.randint(low, high))
            return number if slot == "int" else f"{number},{rng.choice((_digits(1, rng), _digits(2, rng)))}"
        if _SLOT_KINDS.get(slot) in ("name", "doctor"):
            return self._name(slot, CASES.index(argument or "nom"))
        past = self._past()
        values: dict[str, Callable[[], str]] = {
            "birth": lambda: _day(self._born, rng),
            "year": lambda: str(self._born.year),
            "date": lambda: _day(visit, rng),
            "past": lambda: _day(past, rng),
            "past_year": lambda: str(past.year),
            "month": lambda: rng.choice((f"{past:%m.%Y}", f"{_month(past.month)[0]} {past.year}")),
            "month_in": lambda: f"{_month(past.month)[2]} {past.year}",
            "address": lambda: self._once(slot, lambda: _address(rng)),
            "phone": lambda: _phone(rng),
            "mobile": lambda: self._once(slot, lambda: _mobile(rng)),
            "snils": lambda: self._once(slot, lambda: _snils(rng)),
            "policy": lambda: self._once(slot, lambda: _policy(rng)),
            "passport": lambda: self._once(slot, lambda: _passport(rng)),
            "email": lambda: self._once(slot, lambda: _email(self._patient, self._born, rng)),
            "record": lambda: self._once(slot, lambda: _record(visit.year, rng)),
            "slide": lambda: _slide(visit.year, rng),
            "slides": lambda: _slides(rng),
            "age": lambda: _years(self._age, genitive=False),
            "age_of": lambda: _years(self._age, genitive=True),
            "time": lambda: f"{rng.randint(8, 17)}:{rng.randint(0, 59):02d}",
        }
        return values[slot]()

    def _habits(self, text: str) -> str:
        text = re.sub("(№+) ", lambda match: self._numero[0] * len(match[1]) + self._numero[1:], text)
        return text if self._yo else text.replace("ё", "е").replace("Ё", "Е")

    def fill(self, expanded: str) -> list[Piece]:
        """The pieces of a template whose wordings are already chosen."""
        gendered = re.sub(r"<([^/<>]*)/([^/<>]*)>", r"\1" if self._patient.female else r"\2", expanded)
        gendered = gendered.replace("..", ".")  # an abbreviation at the end of a sentence
        pieces: list[Piece] = []
        at = 0
        for slot in _SLOT.finditer(gendered):
            value, kind = self._value(slot[1], slot[2] or ""), _SLOT_KINDS.get(slot[1], "")
            pieces += [(gendered[at : slot.start()], ""), (value, kind)]
            at = slot.end()
            if slot[1] in ("birth", "date", "past") and not gendered.startswith(" г", at):
                odds = 0.7 if value[-5] == " " else 0.15  # with the month as a word, or as a number
                if self._rng.random() < odds:
                    pieces.append((self._rng.choice((" г.", " г.", "г.")), ""))
        pieces.append((gendered[at:], ""))
        return [(self._habits(text), kind) for text, kind in pieces]


def _join(parts: Sequence[list[Piece]], separator: str) -> list[Piece]:
    return list(
        chain.from_iterable([*([(separator, "")] if number else []), *part] for number, part in enumerate(parts))
    )


def _assemble(pieces: Sequence[Piece]) -> Labelled:
    """The text and the positions of its identifiers; a full stop after an initial or an abbreviation is not doubled."""
    text, identifiers = "", []
    for words, kind in pieces:
        written = words[1:] if not kind and words.startswith(".") and text.endswith(".") else words
        if kind:
            identifiers.append(Identifier(len(text), len(text) + len(written), kind))
        text += written
    return Labelled(text, tuple(identifiers))


_PLACES = {"head": _HEADS, "sentence": _SENTENCES, "tail": _TAILS, "sign": _SIGNS}
_PLACE_SHARES = {"head": 4, "sentence": 4, "tail": 1, "sign": 3}
_ROOM = {"head": 4, "sentence": 3, "tail": 1, "sign": 2}


def _draw_templates(wanted: int, rng: random.Random) -> dict[str, list[str]]:
    """Templates with exactly `wanted` identifiers in all; no place has the same kind twice."""
    drawn: dict[str, list[str]] = {place: [] for place in _PLACES}
    told: dict[str, set[str]] = {place: set() for place in _PLACES}
    missing = wanted
    while missing:
        kind = rng.choices(KINDS, [_KIND_SHARES[kind] for kind in KINDS])[0]
        place = rng.choices(list(_PLACES), list(_PLACE_SHARES.values()))[0]
        fitting = [template for template in _PLACES[place] if kind in _kinds(template)]
        if not fitting or len(drawn[place]) == _ROOM[place]:
            continue
        template = _expand(rng.choice(fitting), rng)
        kinds = _kinds(template)
        if len(kinds) <= missing and not told[place] & set(kinds):
            drawn[place].append(template)
            told[place].update(kinds)
            missing -= len(kinds)
    return drawn


def _upper(pieces: list[Piece], names_only: bool) -> list[Piece]:
    return [
        (text if kind == "email" or (names_only and kind != "name") else text.upper(), kind) for text, kind in pieces
    ]


def _rank(template: str) -> int:
    return min(KINDS.index(kind) for kind in _kinds(template))


def _capitalised(pieces: list[Piece]) -> list[Piece]:
    (text, kind), *others = pieces
    return [(text[:1].upper() + text[1:], kind), *others]


def _head(templates: list[str], case: _Case, titled: bool, rng: random.Random) -> list[list[Piece]]:
    """The lines of a letterhead in the usual order: a title, the patient, and the numbers."""
    lines = [case.fill(_expand(rng.choice(_TITLES), rng))] if titled else []
    lines += [_capitalised(case.fill(template)) for template in sorted(templates, key=_rank)]
    caps = rng.random()
    return [_upper(line, names_only=caps >= 0.08) if caps < 0.22 else line for line in lines]


def _body(text: str, plants: list[list[Piece]], tails: list[list[Piece]], rng: random.Random) -> list[Piece]:
    """The sentences of a report with planted ones between them, and bracketed remarks inside some."""
    sentences: list[list[Piece]] = [[(text, "")] for text in re.split(r"(?<=[\w)»%]\.)(?<!под к\.) (?=[А-ЯЁ])", text)]
    for sentence, tail in zip(rng.sample(sentences, len(tails)), tails, strict=True):
        sentence[:] = [(sentence[0][0].removesuffix("."), ""), *tail, (".", "")]
    for plant in plants:
        sentences.insert(rng.randint(0, len(sentences)), plant)
    return _join(sentences, " ")


def _plant(report: dict[str, str], wanted: int, rng: random.Random) -> Labelled:
    case = _Case(rng)
    drawn = _draw_templates(wanted, rng)
    decoys = rng.sample(_NEGATIVES, rng.randint(1, 4) if not wanted else rng.choice((0, 1, 1, 2, 2, 3)))
    plants = [_capitalised(case.fill(_expand(template, rng))) for template in (*drawn["sentence"], *decoys)]
    rng.shuffle(plants)
    tails = [case.fill(template) for template in drawn["tail"]]
    head = _head(drawn["head"], case, rng.random() < 0.35, rng)
    signs = [case.fill(template) for template in drawn["sign"]]
    if not signs and rng.random() < 0.2:
        signs = [[(rng.choice(_BLANK_SIGNS), "")]]
    before, between = rng.choice(_LAYOUTS)
    cut = rng.choices((len(plants), max(0, len(plants) - 1)), (3, 1))[0]
    body = [
        (before, ""),
        *_body(report["description"], plants[:cut], tails, rng),
        (between, ""),
        *_body(report["conclusion"], plants[cut:], [], rng),
    ]
    line = rng.choices(("\n", ". ", "; "), (6, 3, 1))[0]
    parts = [_join(head, line), body] if head else [body]
    text = _join(parts, "\n" if line == "\n" else ". ")
    for sign in signs:
        text += [(rng.choice(("\n", "\n", " ")), ""), *sign, (rng.choice(("", ".")), "")]
    return _assemble(text)


def labelled_reports(number: int, seed: int) -> list[Labelled]:
    """`number` different reports, the same for the same seed. At least 15 % have no identifier."""
    rng = random.Random(seed)
    settings = Synthesis(
        reports=max(number, 6),  # the smallest synthetic corpus has one report of each category
        class_shares={"I": 0.102, "II": 0.681, "III": 0.051, "IV": 0.1, "V": 0.031, "VI": 0.035},
        hard_case_share=0.1,
        standard_share=0.5,
        typo_rate=0.01,
        seed=rng.randrange(2**32),
    )
    clean = set(rng.sample(range(number), math.ceil(_CLEAN_SHARE * number)))
    seen: dict[str, Labelled] = {}
    for index, report in enumerate(synthesize(settings)[:number]):
        wanted = 0 if index in clean else rng.choices(list(_COUNT_SHARES), list(_COUNT_SHARES.values()))[0]
        labelled = _plant(report, wanted, rng)
        while labelled.text in seen:
            labelled = _plant(report, wanted, rng)
        seen[labelled.text] = labelled
    return list(seen.values())
