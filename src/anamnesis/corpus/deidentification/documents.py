"""Documents beyond those of numbers.py and passports.py: identity cards, personal numbers, car plates."""

import re

from anamnesis.corpus.deidentification.passports import DIGITS, FILLER, FIVE_DIGITS, LETTERS_NUMBER
from anamnesis.corpus.deidentification.patterns import pattern

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
        "document",
        rf"{_IDENTITY}{FILLER}(?P<value>(?!от\s|до\s|по\s|на\s){LETTERS_NUMBER}|{DIGITS})",
        "уд", "id", "айди", "вид", "внж", "рвп", "военн", "в/б", "воен", "водит", "в/у", "ву", "прав", "мигр", "патент",
        "пенс", "permit", "licen",
        gate=FIVE_DIGITS,
    ),
    pattern(
        "document",
        rf"{_NUMBERED}{FILLER}(?P<value>\d(?:[\s-]?\d){{6,14}}(?!\w)|"
        rf"(?=[a-zа-яё]{{0,3}}\d)[a-zа-яё0-9]{{9,16}}(?!\w))",
        "инн", "иин", "бин", "жшн", "фл", "jsh", "огрн", "иденти", "личн", "персон", "national", "id", "идн",
        gate=FIVE_DIGITS,
    ),
    # A personal number of Belarus: seven digits, a letter, three digits, two letters, a digit.
    pattern("document", r"(?<!\w)[1-6]\d{6}[a-zа-я]\d{3}[a-zа-я]{2}\d(?!\w)", gate=FIVE_DIGITS),
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
]
