"""Documents beyond those of numbers.py: foreign passports and identity cards, birth certificates, car plates, INN."""

import re

from anamnesis.corpus.deidentification.patterns import pattern

_NUMBER_SIGN = r"(?:№|n[°ºo]?(?=[\s\d.])|#|номер|ном\.)"
_FILLER = (
    rf"(?:[\s:.,()=–—-]|{_NUMBER_SIGN}|сер(?:ия|ии|\.)?(?!\w)|рф(?!\w)|гр(?!\w)|(?:граждан|республик|казахстан|узбекистан|"
    r"таджикистан|кыргыз|киргиз|беларус|белорус|украин|армени|азербайджан|молдов|грузи|иностр|заграничн|действ|инд|пациент|"
    r"больн|личн|национальн|биометрич|рожден)\w{0,12}+){0,12}"
)
# Letters and digits of a document: at least five digits.
_LETTERS_NUMBER = (
    rf"[a-zа-яё]{{1,3}}[\s-]?(?:{_NUMBER_SIGN}\s?)?\d{{5,9}}[a-zа-яё]{{0,2}}\d{{0,2}}(?!\w)|"
    r"\d\d[a-z]{2}\d{5}(?!\w)"
)
_DIGITS = rf"\d\d?(?:\s?\d\d)?[\s-]?(?:{_NUMBER_SIGN}\s?)?\d{{5,7}}(?!\w)|\d{{7,14}}(?!\w)"
_PASSPORT = r"(?<!\w)(?:(?:загран)?паспорт\w{0,4}+|загран\w{0,12}+|passport|пасп)"
_IDENTITY = (
    r"(?<!\w)(?:уд(?:ост(?:оверени[еяю])?)?\.?\s(?:личности|лич\.)|удост(?:оверени[еяю])?|id[\s-]?карт\w|"
    r"айди[\s-]?карт\w|id[\s-]?card|вид(?:\w)?\sна\sжит\w{0,10}+|внж|рвп|военн\w{2,3}\sбилет\w?|в/б|воен\.\s?бил\w{0,3}\.?|"
    r"водит\w{0,8}\.?\s(?:удост\w{0,9}+|права)|в/у|миграц\w{0,9}\sкарт\w|патент\w?|пенсионн\w{2,3}\sудост\w{0,9}+)"
)
_NUMBERED = (
    r"(?<!\w)(?:инн|иин|бин|жшн|пинфл|пнфл|jshshir|огрн(?:ип)?|идн\w?|идентификационн\w{2,3}\s(?:номер|код)\w?|"
    r"идентиф\.?\s?(?:номер|№|код)|личн(?:ый|ого|\.)\s(?:номер|№)\w?|персональн\w{2,3}\s(?:номер|код)\w?|"
    r"national\sid|id\sno)"
)
_BIRTH_SERIES = r"[ivxlc1іхуу]{1,5}\s?[-–—]\s?[а-яё]{2}"
_FIVE_DIGITS = re.compile(r"\d(?:[\s-]?\d){4}")
_PLATE_DIGITS = re.compile(r"[a-zа-я]\s?\d{3}\s?[a-zа-я]{2}")

PATTERNS = [
    pattern(
        "passport",
        rf"{_PASSPORT}{_FILLER}(?P<value>(?!от\s|до\s|по\s|на\s|рф\s){_LETTERS_NUMBER}|{_DIGITS})",
        "пасп", "загран", "passp",
        gate=_FIVE_DIGITS,
    ),
    # The series of a Russian birth certificate: Roman numerals and two letters.
    pattern(
        "passport",
        rf"(?<!\w)(?:сер(?:ия|\.)\s?)?{_BIRTH_SERIES}\s?[,-]?\s?(?:{_NUMBER_SIGN}\s{{0,2}})?\d{{6}}(?!\w)",
        "-", "–", "—",
        gate=_FIVE_DIGITS,
    ),
    pattern(
        "passport",
        rf"(?<!\w)свид(?:етельств\w|\.|-во)?\s?(?:о|об)\s?(?:рожд|смерт|брак|установл|усынов)\w{{0,10}}+{_FILLER}"
        rf"(?P<value>(?:[ivxlc1]{{1,5}}[\s-])?{_LETTERS_NUMBER}|{_DIGITS})",
        "свид",
        gate=_FIVE_DIGITS,
    ),
    pattern(
        "document",
        rf"{_IDENTITY}{_FILLER}(?P<value>(?!от\s|до\s|по\s|на\s){_LETTERS_NUMBER}|{_DIGITS})",
        "уд", "id", "айди", "вид", "внж", "рвп", "военн", "в/б", "воен", "водит", "в/у", "мигр", "патент", "пенс",
        gate=_FIVE_DIGITS,
    ),
    pattern(
        "document",
        rf"{_NUMBERED}{_FILLER}(?P<value>\d(?:[\s-]?\d){{6,14}}(?!\w)|(?=[a-zа-яё]{{0,3}}\d)[a-zа-яё0-9]{{9,16}}(?!\w))",
        "инн", "иин", "бин", "жшн", "фл", "jsh", "огрн", "иденти", "личн", "персон", "national", "id", "идн",
        gate=_FIVE_DIGITS,
    ),
    # A personal number of Belarus: seven digits, a letter, three digits, two letters, a digit.
    pattern("document", r"(?<!\w)[1-6]\d{6}[a-zа-я]\d{3}[a-zа-я]{2}\d(?!\w)", gate=_FIVE_DIGITS),
    pattern(
        "plate",
        r"(?<!\w)(?:гос\.?\s?(?:рег\.?\s?)?(?:номер\w{0,2}|№|знак\w?)|госномер\w{0,2}|грз|г\.?/?н(?=[\s:№])|"
        r"г\.?р\.?з\.?|"
        r"(?:номер|№)\s(?:машин|авто|а/м|тс)\w{0,9}|автомобил\w{1,3}|авто(?=[\s:])|а/м|машин[аыеу])"
        r"(?:[\s:.,№()–—-]|гос|номер\w{0,2}|знак\w?|марк\w){1,8}(?:[a-zа-яё-]{2,12}[\s,]{1,2}){0,2}"
        r"(?P<value>[авекмнорстухabekmhopctyx]\s?\d{3}\s?[авекмнорстухabekmhopctyx]{2}(?:\s?\d{2,3}(?!\d))?"
        r"(?:\s?rus)?(?!\w))",
        "гос", "г/н", "г.н", "гн", "грз", "г.р", "машин", "авто", "а/м", "тс",
        gate=_PLATE_DIGITS,
    ),
    pattern("plate", r"(?<!\w)[авекмнорстух]\d{3}(?!мм|см|мс)[авекмнорстух]{2}\d{2,3}(?!\w)", gate=_PLATE_DIGITS),
    # A vehicle's identification number: 17 letters and digits without I, O and Q (ISO 3779).
    pattern(
        "plate",
        r"(?<!\w)(?=\d{0,16}[a-z])(?=[a-z]{0,16}\d)(?=\w*\d{4}(?!\w))[a-hj-npr-z0-9]{17}(?!\w)",
        gate=re.compile(r"[a-z\d]{13}\d{4}(?!\w)"),
    ),
]  # fmt: skip

_PLATE_LETTER = "[АВЕКМНОРСТУХABEKMHOPCTYX]"
_CAPITAL_PLATE = re.compile(rf"{_PLATE_LETTER}\s?\d{{3}}\s?{_PLATE_LETTER}")
# Only in capitals, where nothing announces them.
CAPITAL_PATTERNS = [
    pattern(
        "plate", rf"(?<!\w){_PLATE_LETTER}\d{{3}}{_PLATE_LETTER}{{2}}\s?\d{{2,3}}(?:\s?RUS)?(?!\w)", gate=_CAPITAL_PLATE
    ),
    pattern(
        "plate",
        rf"(?<!\w){_PLATE_LETTER}\s\d{{3}}\s{_PLATE_LETTER}{{2}}\s\d{{2,3}}(?:\s?RUS)?(?!\w)",
        gate=_CAPITAL_PLATE,
    ),
    # Two letters and seven digits (Uzbekistan, Belarus, Armenia, Azerbaijan), a letter and eight (Kazakhstan).
    pattern(
        "passport",
        r"(?<!\w)(?:[A-ZА-Я]{2}\s?(?:№\s?)?\d{7}|[A-ZА-Я]\s?(?:№\s?)?\d{8}|AZE\s?\d{8})(?!\w)",
        gate=_FIVE_DIGITS,
    ),
]
