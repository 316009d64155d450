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
    r"\d\d[a-z]{2}\d{5}(?!\w)|(?=(?:[a-z]{0,4}\d){5})(?=\d{0,8}[a-z])[a-z\d]{8,10}(?!\w)"
)
DIGITS = (
    rf"\d\d?(?:\s?\d\d)?[\s,-]{{0,2}}(?:{_NUMBER_SIGN}\s?)?\d{{5,7}}(?!\w)|\d{{7,14}}(?!\w)|"
    r"\d\d(?:\s?\d\d)?\s\d{3}\s?\d{3}(?!\w)|\d{2,3}\s\d{3}\s\d{3,4}(?!\w)"
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
    pattern("passport", r"код\w?\sподр\w*+\.?[\s:№]{0,3}(?P<value>\d{3}\s?[-–]\s?\d{3})(?!\d)", "подр"),
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
        rf"(?=[\s,;.]{{1,3}}{_NUMBER_SIGN}(?:\sпасп\w*+\.?)?[\s:.№]{{0,3}}(?:\d{{3}}\s?\d{{3}}|\[))",
        "сер",
    ),
    pattern(
        "passport",
        rf"(?<!\w)(?:сери[яи]|сер\.)(?:\sпасп\w*+\.?)?[\s:=–—-]{{1,3}}(?:\d\d[\s-]?\d\d|\[паспорт\])"
        rf"[\s,;.]{{1,3}}{_NUMBER_SIGN}(?:\sпасп\w*+\.?)?[\s:.№]{{0,3}}(?P<value>\d{{3}}\s?\d{{3}})(?!\d)",
        "сер",
    ),
    pattern("passport", r"<\w{0,12}ser\w{0,6}>(?P<value>\d\d[\s-]?\d\d)<", "ser"),
    pattern("passport", r"<(?:\w{0,4}doc\w{0,4}|\w{0,4}pas\w{0,6})num\w{0,6}>(?P<value>\d{3}\s?\d{3})<", "num"),
    # Ten digits in any groups, announced; and as no other number is written: 73 56; № 427509, 17 No. 1488503.
    pattern(
        "passport",
        rf"{_PASSPORT}(?:(?!тел|снилс|полис|моб|инн(?!\w)|карт|омс)[^\d\n]){{0,48}}?(?P<value>\d(?:[\s/-]{{0,2}}\d){{9}})(?![\s-]?\d)",
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
