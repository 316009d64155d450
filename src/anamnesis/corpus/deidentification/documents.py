"""Documents beyond those of numbers.py: foreign passports and identity cards, birth certificates, car plates, INN."""

import re

from anamnesis.corpus.deidentification.patterns import pattern

_NUMBER_SIGN = r"(?:№|n[°ºo]?(?=[\s\d.])|#|номер|ном\.)"
# Words between the announcing word and the number, such as a country; not those that announce another number.
_FILLER = (
    rf"(?:[\s:.,()=–—-]|{_NUMBER_SIGN}|сер(?:ия|ии|\.)?(?!\w)|рф(?!\w)|гр(?!\w)|кнр(?!\w)|сша(?!\w)|"
    r"(?!(?:тел|снилс|полис|инн|карт|адрес|код|дата|вес(?!\w)|рост|дат|тел|паспорт|зол|стекл|узел|узл|размер)\w*)"
    r"(?:[а-яё]{3,24}+|[a-z]{4,16}+)(?=[\s:.,()=–—-])){0,12}"
)
# Letters and digits of a document: at least five digits.
_LETTERS_NUMBER = (
    rf"[a-zа-яё]{{1,3}}[\s-]?(?:{_NUMBER_SIGN}\s?)?\d{{5,9}}[a-zа-яё]{{0,2}}\d{{0,2}}(?!\w)|"
    r"\d\d[a-z]{2}\d{5}(?!\w)|(?=(?:[a-z]{0,4}\d){5})(?=\d{0,8}[a-z])[a-z\d]{8,10}(?!\w)"
)
_DIGITS = (
    rf"\d\d?(?:\s?\d\d)?[\s,-]{{0,2}}(?:{_NUMBER_SIGN}\s?)?\d{{5,7}}(?!\w)|\d{{7,14}}(?!\w)|"
    r"\d\d(?:\s?\d\d)?\s\d{3}\s?\d{3}(?!\w)|\d{2,3}\s\d{3}\s\d{3,4}(?!\w)"
)
_PASSPORT = r"(?<!\w)(?:(?:загран)?паспорт\w{0,4}+|загран\w{0,12}+|з/п(?=\s\d\d\s)|passports?|pass\.|пасп)"
_IDENTITY = (
    r"(?<!\w)(?:уд(?:ост(?:оверени[еяюий]{1,2})?)?\.?\s(?:личности|лич\.)|удост(?:оверени[еяюий]{1,2})?|"
    r"уд-(?:ни)?[еяю]|"
    r"id[\s-]?карт\w{1,2}|айди[\s-]?карт\w{1,2}|(?:id|identity)[\s-]?card|вид\w{0,2}\sна\sжит\w{0,10}+|внж|рвп|"
    r"(?:residence|work)\spermit|военн\w{2,3}\sбилет\w{0,2}|в/б|воен\.\s?бил\w{0,3}\.?|военник\w?|"
    r"водит\w{0,8}\.?\s(?:удост\w{0,9}+|уд\.|прав\w{0,2})|driv\w{3,5}\slicen[cs]e|в/у|ву(?=\s\d)|"
    r"прав[аи](?=\s(?:№\s?)?\d\d\s?\d\d\s)|миграц\w{0,9}\sкарт\w{1,2}|патент\w?|пенсионн\w{2,3}\sудост\w{0,9}+|"
    r"справк\w\sо\sосвобожд\w{0,6}+|свид\w{0,10}\.?\sо\s(?:предоставл|временн|рассмотр)\w{0,8}+)"
)
_NUMBERED = (
    r"(?<!\w)(?:инн|иин|бин|жшн|пинфл|пнфл|jshshir|огрн(?:ип)?|идн\w?|идентификационн\w{2,3}\s(?:номер|код)\w?|"
    r"идентиф\.?\s?(?:номер|№|код)|личн(?:ый|ого|\.)\s(?:номер|№)\w?|персональн\w{2,3}\s(?:номер|код)\w?|"
    r"national\sid|id\sno)"
)
_BIRTH_SERIES = r"[ivxlc1іхуу]{1,5}\s?[-–—]\s?[а-яё]{2}"
_FIVE_DIGITS = re.compile(r"\d(?:[\s-]?\d){4}")
_NINE = re.compile(r"(?<!\w)[A-Z\d]{9}(?!\w)")
_PLATE_LETTER = "[авекмнорстухabekmhopctyx]"
_PLATE = (
    r"(?<!\w)(?:гос\.?\s?(?:рег\w{0,12}\.?\s?)?(?:номер\w{0,2}|№|знак\w?)|госномер\w{0,2}|грз|"
    r"г\.?/?н(?=[\s:№])|г\.?р\.?з\.?|"
    r"(?:номер|№)\s(?:машин|авто|а/м|тс|мотоц|прицеп|такси)\w{0,9}|номерн\w{2}\sзнак\w?|автомоб\w{2,5}+|"
    r"авто(?=[\s:])|а/м|"
    r"машин[аыеу]|тс(?=[\s:])|транспорт\w{0,8}+|прицеп\w{0,3}+|мотоцикл\w{0,3}+|такси|license\splate|plate)"
    r"(?:[\s:.,№()–—-]|гос|рег|номер\w{0,2}|знак\w?|марк\w){1,8}(?:[a-zа-яё-]{2,12}[\s,]{1,2}){0,2}"
)
_PLATE_HINTS = (
    "гос", "г/н", "г.н", "гн", "грз", "г.р", "машин", "авто", "а/м", "тс", "знак", "трансп", "прицеп", "мотоц", "такси",
    "plate",
)  # fmt: skip
# Cars, trailers, motorcycles, transit and police; then plates of the neighbouring countries.
_ANNOUNCED_PLATE = (
    rf"{_PLATE_LETTER}[\s-]?\d{{3}}[\s-]?{_PLATE_LETTER}{{2}}(?:[\s|/-]{{0,2}}\d{{2,3}}(?!\d))?(?:\s?rus)?|"
    r"[a-zа-я]{2}\s?\d{4}(?:\s?\d{2,3}|\s?[a-zа-я]{2})?|\d{4}\s?[a-zа-я]{2}[\s-]?\d{1,3}|[a-zа-я]\s?\d{4}\s?\d{2,3}|"
    r"[a-zа-я]{2}\s?\d{3}(?:\s?[a-zа-я])?\s?\d{2,3}|\d{3}\s?[a-zа-я]{2,3}\s?\d{2}|"
    r"\d\d\s?[a-zа-я]\s?\d{3}\s?[a-zа-я]{2}|"
    r"\d\d[\s-]?[a-z]{2}[\s-]?\d{3}"
)
_WHOLE_PLATE = re.compile(r"(?<!\w)[a-zа-я]\d{3}[a-zа-я]{2}")
_PLATE_DIGITS = re.compile(r"[a-zа-я][\s-]?\d{3,4}|\d{3,4}\s?[a-zа-я]{2}|\d\d[\s-]?[a-z]{2}[\s-]?\d")

PATTERNS = [
    pattern(
        "passport",
        rf"{_PASSPORT}{_FILLER}(?P<value>(?!от\s|до\s|по\s|на\s|рф\s){_LETTERS_NUMBER}|{_DIGITS})",
        "пасп", "загран", "passp",
        gate=_FIVE_DIGITS,
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
        gate=_FIVE_DIGITS,
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
        gate=_FIVE_DIGITS,
    ),
    pattern(
        "passport",
        rf"(?<!\w)(?:свид(?:етельств\w{{1,2}}|\.|-в[оа])?|св(?:-в[оа]|\.))\s?(?:о|об)\s?(?:рожд|смерт|брак|"
rf"установл|усынов)\w{{0,10}}+{_FILLER}"
        rf"(?P<value>(?:[ivxlc1]{{1,5}}[\s-])?{_LETTERS_NUMBER}|{_DIGITS})",
        "св",
        gate=_FIVE_DIGITS,
    ),
    pattern(
        "document",
        rf"{_IDENTITY}{_FILLER}(?P<value>(?!от\s|до\s|по\s|на\s){_LETTERS_NUMBER}|{_DIGITS})",
        "уд", "id", "айди", "вид", "внж", "рвп", "военн", "в/б", "воен", "водит", "в/у", "ву", "прав", "мигр", "патент",
        "пенс", "permit", "licen",
        gate=_FIVE_DIGITS,
    ),
    pattern(
        "document",
        rf"{_NUMBERED}{_FILLER}(?P<value>\d(?:[\s-]?\d){{6,14}}(?!\w)|"
rf"(?=[a-zа-яё]{{0,3}}\d)[a-zа-яё0-9]{{9,16}}(?!\w))",
        "инн", "иин", "бин", "жшн", "фл", "jsh", "огрн", "иденти", "личн", "персон", "national", "id", "идн",
        gate=_FIVE_DIGITS,
    ),
    # A personal number of Belarus: seven digits, a letter, three digits, two letters, a digit.
    pattern("document", r"(?<!\w)[1-6]\d{6}[a-zа-я]\d{3}[a-zа-я]{2}\d(?!\w)", gate=_FIVE_DIGITS),
    pattern("plate", rf"{_PLATE}(?P<value>{_ANNOUNCED_PLATE})(?![\w/])", *_PLATE_HINTS, gate=_PLATE_DIGITS),
    # No measurement has letters and digits without a space: а123вс77, y123bx116.
    pattern(
        "plate",
        rf"(?<!\w){_PLATE_LETTER}\d{{3}}(?:{_PLATE_LETTER}{{2}}[|/-]?\d{{2,3}}|"
rf"{_PLATE_LETTER}{{2}}\s\d{{2,3}}\s?(?:rus|рус))(?!\w)",
        gate=_WHOLE_PLATE,
    ),
    # A vehicle's identification number: 17 letters and digits without I, O and Q (ISO 3779).
    pattern(
        "plate",
        r"(?<!\w)(?=\d{0,16}[a-z])(?=[a-z]{0,16}\d)(?=\w*\d{4}(?!\w))[a-hj-npr-z0-9]{17}(?!\w)",
        gate=re.compile(r"[a-z\d]{13}\d{4}(?!\w)"),
    ),
]  # fmt: skip

_CAPITAL_LETTER = "[АВЕКМНОРСТУХABEKMHOPCTYX]"
_CAPITAL_PLATE = re.compile(rf"{_CAPITAL_LETTER}[\s-]?\d{{3}}[\s-]?{_CAPITAL_LETTER}")
# Only in capitals, where nothing announces them.
CAPITAL_PATTERNS = [
    pattern(
        "plate",
        rf"(?<!\w){_CAPITAL_LETTER}[\s-]?\d{{3}}[\s-]?{_CAPITAL_LETTER}{{2}}[\s|/-]{{0,2}}\d{{2,3}}(?:\s?(?:RUS|РУС))?(?!\w)",
        gate=_CAPITAL_PLATE,
    ),
    # Two letters and seven digits (Uzbekistan, Belarus, Armenia, Azerbaijan), a letter and eight (Kazakhstan).
    pattern(
        "passport",
        r"(?<!\w)(?:[A-ZА-Я]{2}\s?(?:№\s?)?\d{7}|[A-ZА-Я]\s?(?:№\s?)?\d{8}|AZE\s?\d{8})(?!\w)",
        gate=_FIVE_DIGITS,
    ),
    # Nine letters and digits, mostly digits (Germany, France).
    pattern(
        "passport",
        r"(?<!\w)(?=(?:[A-Z]{0,3}\d){5})(?=\d{0,6}[A-Z]\d{0,6}[A-Z])(?!\d\d[A-Z]{3}\d)[A-Z\d]{9}(?!\w)",
        gate=_NINE,
    ),
]
