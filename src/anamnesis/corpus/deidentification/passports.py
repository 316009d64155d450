"""Passports and birth certificates: Russian ones, foreign ones, and their series and numbers apart."""

import re

from anamnesis.corpus.deidentification.patterns import pattern

SERIES = r"(?:сер(?:ия|ии|\.)[\s:]{0,3})?"
_OR_IDENTITY = r"(?<!\w)(?:паспорт\w*+|загран\w*+|пасп|удост\w*+(?:\sличн\w*+)?|свид\w*+\.?\s(?:о|об)\s?рожд\w*+|пас)"
_NUMBER_SIGN = r"(?:№|n[°ºo]?(?=[\s\d.])|#|номер|ном\.)"
# Words between the announcing word and the number, such as a country; not those that announce another number.
FILLER = (
    rf"(?:[\s:.,()=–—-]|{_NUMBER_SIGN}|сер(?:ия|ии|\.)?(?!\w)|рф(?!\w)|гр(?!\w)|кнр(?!\w)|сша(?!\w)|"
    r"(?!(?:тел|снилс|полис|инн|карт|адрес|код|дата|вес(?!\w)|рост|дат|тел|паспорт|зол|стекл|узел|узл|размер)\w*)"
    r"(?:[а-яё]{3,24}+|[a-z]{4,16}+)(?=[\s:.,()=–—-])){0,12}"
)
# Letters and digits of a document: at least five digits.
LETTERS_NUMBER = (
    rf"[a-zа-яё]{{1,3}}[\s-]?(?:{_NUMBER_SIGN}\s?)?\d{{5,9}}[a-zа-яё]{{0,2}}\d{{0,2}}(?!\w)|"
    r"\d\d[a-zа-яё]{2}\d{5}(?!\w)|(?=(?:[a-z]{0,4}\d){5})(?=\d{0,8}[a-z])[a-z\d]{8,10}(?!\w)"
)
DIGITS = (
    rf"\d\d?(?:\s?\d\d)?[\s,-]{{0,2}}(?:{_NUMBER_SIGN}\s?)?\d{{5,7}}(?!\w)|\d{{7,14}}(?!\w)|"
    r"\d\d(?:\s?\d\d)?\s\d{3}\s?\d{3}(?!\w)|\d{2,3}\s\d{3}\s\d{3,4}(?!\w)"
)
_SPOKEN = (
    r"(?:ноль|один|два|две|три|четыре|пять|шесть|семь|восемь|девять|десять|(?:один|две|три|четыр|пят|шест|сем|восем|"
    r"девят)"
    r"надцать|двадцать|тридцать|сорок|пятьдесят|шестьдесят|семьдесят|восемьдесят|девяносто|сто|двести|триста|четыреста|"
    r"(?:пять|шесть|семь|восемь|девять)сот)"
)
_DICTATED = rf"(?:{_SPOKEN}[\s,-]{{1,2}})"
# The authority that issued it: with a district, a town or a number, it tells where a person lives.
_DISTRICT = r"[А-ЯЁ][а-яё]{2,20}(?:-[А-ЯЁ][а-яё]{2,20})?(?:[сц]ким|[сц]кой|[сц]кого|ым|ой)"
_AUTHORITY = (
    r"(?:[Оо]тдел\w{0,5}\s(?:№\s?\d{1,3}\s)?(?:МРО\s)?)?(?:О?УФМС|ФМС|УМВД|О?МВД|ГУ(?="
    r"\sМВД|ВД)|ГУВД|Г?УВД|Р?ОВД|РУВД|ГРОВД|ГОВД|ОВМ|УВМ|УВМД|ПВС|ОМ|ОП|МП|ТП|ЗАГС\w{0,3}|МРЭО|ГИБДД|"
    r"[Мм]инистерств\w{1,2}\s(?:внутренних\sдел|юстиции)|[Оо]тдел\w{0,5}\s(?:внутренних\sдел|милиции|полиции|"
    r"(?:по\s)?вопрос\w{1,2}\sмиграции|вн\.\s?дел)|[Пп]аспортн\w{2,3}\sстол\w{0,2})"
)
_PLACE_OF_AUTHORITY = (
    rf"(?:\s?№\s?\d{{1,4}}|\s{_AUTHORITY}(?!\w)|(?:\sпо)?"
    rf"\s(?:России|РФ|РК|РБ|РУз|КР|СПб|СССР|УССР|БССР|РСФСР|области|района|края)(?!\w)|"
    r"\s(?:обл\.|р-на)|(?:\s(?:по|в|гор\.|г\.|города|району?|р-ну|области|краю|респ\.|Республик[еи])){0,4}\s"
    r"[А-ЯЁ][а-яё]{2,20}(?:-[А-ЯЁа-яё]{2,20}){0,2}|(?:\s(?:ПО|В|ГОР\.|Г\.)){0,2}\s[А-ЯЁ]{3,20}(?!\w))"
)
_PASSPORT = r"(?<!\w)(?:(?:загран)?паспорт\w{0,4}+|загран\w{0,12}+|з/п(?=\s\d\d\s)|passports?|pass\.|пасп)"
_BIRTH_SERIES = r"[ivxlc1іхуу]{1,5}\s?[-–—]\s?[а-яё]{2}"
FIVE_DIGITS = re.compile(r"\d(?:[\s-]?\d){4}")
_NINE = re.compile(r"(?<!\w)[A-Z\d]{9}(?!\w)")

# By the series and the number of a Russian passport, of the kind that their announcing words tell.
ANNOUNCED = [
    # A series of four digits and a number of six; a birth certificate has a series of Roman numerals and two letters.
    pattern(
        "passport",
        rf"{_OR_IDENTITY}(?:[\s:.,;№#–—-]|рф\b|данн\w*+|граждан\w*+|номер|n\b){{0,10}}?"
        rf"(?P<value>{SERIES}(?:[ivxlc1]{{1,5}}-?[а-я]{{2}}|\d\d\s?[-–.]?\s?\d\d|\d\d)"
        r"\s?[,;-]?\s?(?:№|n|номер|ном\.)?[\s:.]{0,3}\d{6,7})(?!\d)",
        "пас", "загран", "удост", "свид",
    ),
    pattern(
        "passport",
        r"(?<!\w)(?:код\w?\sподр\w*+\.?|подр(?:азделени\w{1,2}|\.)|код\w?\sп/п|[кп]/п|к\.\s?п\.)[\s:№–—-]{0,3}"
        r"(?P<value>\d{3}\s?[-–—]?\s?\d{3})(?!\d)",
        "подр", "/п", "к.",
    ),
    pattern("passport", r"\[паспорт\][\s,;]{1,3}код\w?[\s:]{1,3}(?P<value>\d{3}\s?[-–—]\s?\d{3})(?!\d)", "[паспорт]"),
    # "паспорт выдан [дата]: 5293, 963043".
    pattern(
        "passport",
        rf"{_PASSPORT}[^\n;]{{0,60}}?(?:\[(?:дата|паспорт)\]|выдан\w{{0,2}}(?:\s[\d./-]{{6,10}})?)"
        r"[\s:,]{1,3}(?P<value>\d\d[\s.]?\d\d[\s,]{1,3}\d{6})(?!\d)",
        "пасп",
    ),
]  # fmt: skip
# No word announces them.
BARE = [
    pattern("passport", r"(?<![\d.,-])\d\d\s?\d\d\s?(?:№|n|номер)\s?\d{6}(?!\d)", "№", "n", "номер"),
    pattern("passport", r"(?<![\d.,-])\d\d\s?(?:№|n|номер)\s?\d{7}(?!\d)", "№", "n", "номер"),
    pattern("passport", r"(?<![\d.,-])(?:\d\d\s\d\d\s|\d{4}\s)\d{6}(?!\d)"),
]
# Foreign ones, certificates, fields of a message.
PATTERNS = [
    pattern(
        "passport",
        rf"{_PASSPORT}{FILLER}(?P<value>(?!от\s|до\s|по\s|на\s|рф\s){LETTERS_NUMBER}|{DIGITS})",
        "пасп", "загран", "passp",
        gate=FIVE_DIGITS,
    ),
    # A series and a number with words between them are two identifiers.
    pattern(
        "passport",
        rf"(?<!\w)(?:сери[яи]|сер\.)(?:\sпасп\w*+\.?)?[\s:=–—-]{{1,3}}(?P<value>\d\d[\s-]?\d\d)(?!\d)"
        rf"(?=[\s,;.]{{0,3}}{_NUMBER_SIGN}(?:\sпасп\w*+\.?)?[\s:.№]{{0,3}}(?:\d{{3}}[\s.]?\d{{3}}|\[))",
        "сер",
    ),
    pattern(
        "passport",
        rf"(?<!\w)(?:сери[яи]|сер\.)(?:\sпасп\w*+\.?)?[\s:=–—-]{{1,3}}(?:\d\d[\s-]?\d\d|\[паспорт\])"
        rf"[\s,;.]{{0,3}}{_NUMBER_SIGN}(?:\sпасп\w*+\.?)?[\s:.№]{{0,3}}(?P<value>\d{{3}}[\s.]?\d{{3}})(?!\d)",
        "сер",
    ),
    # с. 2504 н. 317789; a number without its series; the last digits.
    pattern(
        "passport",
        r"(?<!\w)с\.?[\s:]{0,2}(?P<value>\d\d[\s-]?\d\d)(?=[\s,;]{1,2}н\.?[\s:]{0,2}(?:\d{3}\s?\d{3}(?!\d)|\[))",
        "н",
    ),
    pattern(
        "passport",
        r"(?<!\w)с\.?[\s:]{0,2}\[паспорт\][\s,;]{1,2}н\.?[\s:]{0,2}(?P<value>\d{3}\s?\d{3})(?!\d)",
        "[паспорт]",
    ),
    pattern(
        "passport",
        rf"{_PASSPORT}(?:(?!тел|снилс|полис|моб|инн(?!\w)|карт|омс)[^\d\n.;]){{0,48}}?(?:№|номер)[\s:]{{0,3}}"
        rf"(?P<value>\d{{3}}\s?\d{{3}})(?!\d)",
        "пасп",
    ),
    pattern(
        "passport",
        rf"(?:последн\w{{1,2}}\s(?:\w{{1,8}}\s)?цифр\w?\s(?:номера\s)?паспорт\w?|{_PASSPORT}"
        rf"[^\d\n.;]{{0,24}}?(?:последн\w{{1,2}}|"
        r"оканч\w++\sна))[\s:–—-]{1,3}(?P<value>(?:…|\.{2,3}|[*x]{1,8})?\s?\d{2,6})(?!\w)",
        "пасп",
    ),
    # A series behind its number, or alone: паспорт № 123456 серия 4506, серия паспорта: 4506.
    pattern(
        "passport",
        rf"(?:\[паспорт\]|{_PASSPORT})[\s,;:]{{1,3}}сери[яи][\s:–—-]{{1,3}}(?P<value>\d\d[\s-]?\d\d)(?![\d-])",
        "сери",
    ),
    pattern("passport", r"(?<!\w)сери[яи]\sпасп\w*+\.?[\s:–—-]{1,3}(?P<value>\d\d[\s-]?\d\d)(?![\d-])", "сери"),
    pattern("passport", r"<\w{0,12}ser\w{0,6}>(?P<value>\d\d[\s-]?\d\d)<", "ser"),
    pattern("passport", r"<(?:\w{0,4}doc\w{0,4}|\w{0,4}pas\w{0,6})num\w{0,6}>(?P<value>\d{3}\s?\d{3})<", "num"),
    # Ten digits in any groups, announced; and as no other number is written: 73 56; № 427509, 17 No. 1488503.
    pattern(
        "passport",
        rf"{_PASSPORT}(?:(?!тел|снилс|полис|моб|инн(?!\w)|карт|омс)[^\d\n]){{0,48}}?(?P<value>\d(?:"
        rf"[\s/-]{{0,2}}\d){{9}})(?![\s-]?\d)",
        "пасп", "passp",
        gate=FIVE_DIGITS,
    ),
    pattern(
        "passport",
        r"(?<![\w.,/-])\d\d(?:[\s-]?\d\d)?[\s;,]{0,2}(?:№|n[oо]?\.?|номер)\s?(?:\d{3}\s\d{3}|\d{6,7})(?![\d-])",
        "№", "n", "номер",
    ),
    pattern("passport", r"(?<![\w.,/-])(?!19|20)\d\d\s?\d\d/\d{6}(?![\w/-])", "/"),
    pattern("passport", r"(?<![\w.,/-])\d\d[\s-]?\d\d\s\d{3}\s?\d{3}(?=[\s,;(]{1,3}выдан)", "выдан"),
    # The series of a Russian birth certificate: Roman numerals and two letters.
    pattern(
        "passport",
        rf"(?<!\w)(?:сер(?:ия|\.)\s?)?{_BIRTH_SERIES}\s?[,-]?\s?(?:{_NUMBER_SIGN}\s{{0,2}})?\d{{6}}(?!\w)",
        "-", "–", "—",
        gate=FIVE_DIGITS,
    ),
    pattern(
        "passport",
        rf"(?<!\w)(?:свид(?:етельств\w{{1,2}}|\.|-в[оа])?|св(?:-в[оа]|\.))\s?(?:о|об)\s?(?:рожд|смерт|брак|"
        rf"установл|усынов)\w{{0,10}}+{FILLER}"
        rf"(?P<value>(?:[ivxlc1]{{1,5}}[\s-])?{LETTERS_NUMBER}|{DIGITS})",
        "св",
        gate=FIVE_DIGITS,
    ),
]  # fmt: skip
# Without digits: in words, as dictated, and the authority that issued it.
DICTATED = [
    pattern(
        "passport",
        rf"{_PASSPORT}[^\d\n.;]{{0,32}}?[\s:–—-]{{1,3}}(?:сери\w\s)?(?P<value>{_DICTATED}{{3}}(?:(?:номер"
        rf"\s)?{_DICTATED}){{0,12}}{_SPOKEN})(?!\w)",
        "пасп",
    ),
    # Two words may also be the number of something else: серия тридцать два.
    pattern(
        "passport",
        rf"(?<!\w)сери[яи][\s:–—-]{{1,3}}(?P<value>{_DICTATED}{{2,4}}{_SPOKEN}|{_DICTATED}{_SPOKEN}(?=[\s,;]{{1,3}}номер))(?!\w)",
        "сери",
    ),
    pattern(
        "passport",
        rf"\[паспорт\][\s,;]{{1,3}}номер[\s:–—-]{{1,3}}(?P<value>{_DICTATED}{{1,8}}{_SPOKEN})(?!\w)",
        "[паспорт]",
    ),
]  # fmt: skip
AUTHORITIES = [
    pattern(
        "passport",
        rf"(?<!\w)(?i:выдан\w{{0,2}}|кем)(?:\s(?i:кем|выдан\w{{0,2}}))?[\s:–—-]{{1,3}}(?P<value>(?:{_DISTRICT}"
        rf"\s){{1,2}}{_AUTHORITY}(?!\w)"
        rf"{_PLACE_OF_AUTHORITY}{{0,8}}|{_AUTHORITY}(?!\w){_PLACE_OF_AUTHORITY}{{1,8}})",
        "ыдан", "ЫДАН", "кем", "Кем",
    ),
]  # fmt: skip
# Only in capitals, where nothing announces them.
CAPITAL_PATTERNS = [
    # Two letters and seven digits (Uzbekistan, Belarus, Armenia, Azerbaijan), a letter and eight (Kazakhstan).
    pattern(
        "passport",
        r"(?<!\w)(?:[A-ZА-Я]{2}\s?(?:№\s?)?\d{7}|[A-ZА-Я]\s?(?:№\s?)?\d{8}|AZE\s?\d{8})(?!\w)",
        gate=FIVE_DIGITS,
    ),
    # Nine letters and digits, mostly digits (Germany, France).
    pattern(
        "passport",
        r"(?<!\w)(?=(?:[A-Z]{0,3}\d){5})(?=\d{0,6}[A-Z]\d{0,6}[A-Z])(?!\d\d[A-Z]{3}\d)[A-Z\d]{9}(?!\w)",
        gate=_NINE,
    ),
]  # fmt: skip
