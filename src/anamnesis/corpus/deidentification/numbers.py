r"""Identifiers that are mostly digits: telephones, documents, records and slides.

Where the digits alone could be a measurement, an announcing word ("тел.", "паспорт") is required. Every pattern is for
lower-case text, begins at a word or a digit, and has only bounded repetitions. Words between the announcing word and
the number are matched possessively (\w*+), so that no text is slow.
"""

import re
from collections.abc import Iterator

from anamnesis.corpus.deidentification import passports
from anamnesis.corpus.deidentification.findings import Found, has_any
from anamnesis.corpus.deidentification.patterns import BEHIND_NAME, TIME_UNITS, UNITS, pattern

_MARK = r"(?:№\s?№|№|#|n[°ºo]?(?!\w)|номер\w*+|ном\.)"
_PART = r"(?:\d{1,12}[a-zа-яё]{0,2}|[a-zа-яё]{1,3}\d{0,12})"
_NOT_A_DATE = r"(?!\d\d?[./]\d\d?[./]\d)"
# 4567, 4567а, 4567/21, ц-4567-21: letters, digits, parts after a slash or a hyphen.
_CODE = (
    rf"{_NOT_A_DATE}(?:\d\d[-–/](?=[a-zа-яё]{{1,3}}[-–/]))?(?:[a-zа-яё]{{1,4}}[-–/]?)?\d{{1,12}}[a-zа-яё]{{0,2}}"
    rf"(?:\s?[-–]\s?\d{{3,12}}|[-–/\\_]{_PART}){{0,4}}(?!\w)"
)
# A further number of a list has at least three digits, or is followed by a comma or a full stop.
_NEXT = (
    rf"(?:\s?(?:[,;]|и(?!\w)|[-–—]|по(?!\w))\s?(?:№\s?)?(?!\d\d?\.\d){_CODE}"
    r"(?:(?<=\d\d\d)|(?<=\d\d\d\w)|(?<=[-/]\d\d)|(?=\s?(?:[,;.)\n–—-]|и\b|$))))"
)
_CODES = rf"(?:[a-zа-яё]{{1,3}}[\s-]{{1,2}})?{_CODE}{_NEXT}{{0,20}}"
_NOT_A_UNIT = rf"(?! ?(?:%|[×хx*] ?\d|(?:{UNITS}|{TIME_UNITS}|г)(?![\w/])))"

_POLICY = r"(?<!\w)(?:полис\w*+|[од]мс|енп|страх\w*+)"
_PHONE = (
    r"(?<!\w)(?:тел\w{0,8}+|моб\w*+|сот\w{0,5}+|факс\w*+|конт(?:\.|акт\w{0,4}+)|т(?=[.:])|"
    r"viber|whatsapp|ватсап\w?|вайбер|звонить|зв\.)"
)
_WHOSE_PHONE = (
    r"(?:[\s:.,№()/–—-]|(?:дом|раб|моб|тел|сот|лич|номер|пациент|больн|родств|лаб|регистратур)\w*+|"
    r"матери|отца|мужа|жены|дочери|сына|для|связи|справок){0,12}"
)
_DIGITS_OF_PHONE = r"\+?\(?\d(?:[\s().–—-]{0,3}\d){4,14}"
_EXTENSION = r"(?:,?\s?\(?доб\w*+\.?\s?\d{1,5}\)?)?"
_RECORD = (
    r"(?<!\w)(?:и\s?[/\\-]\s?б(?!\w)|и\.\s?б(?!\w)|иб(?![а-яё])|истори\w{1,2}\s(?:бол\w*+|родов)|ист\.?\s?бол\w*+|"
    r"истори[яи](?=\s?(?:№|#|n\s))|(?:[а-яё]{1,9}\.?)?карт(?:[аыеу]|ой|оч\w{2,3})(?!\w)|амб|[амк]\s?[/.]\s?к(?!\w)|"
    r"мед\.\s?к(?!\w)|эмк|мк(?=\s?[№#:])|мк(?:сб|аб)|случа\w{1,2}|эпизод\w?|"
    r"(?:код|id|ид|№|номер)\s(?:пациент\w*+|больно\w++|случа\w)|пациент\w?\s?(?=[№#])|мед\.?\s?док\w*+|талон\w?|id|"
    r"mrn|уч[её]тн\w++)"
)
_RECORD_FILLER = (
    r"(?:[\s:.,()–—№#=/]|[nк](?!\w)|(?:номер|амб|стац|больн|пациент|мед|рег|карт|диспанс|наблюд|получ|помощ|услов|"
    r"беремен|реб[её]н)\w*+|форм\w*+\s?№?\s?\d{2,3}(?:-\d)?/у|"
    r"в(?=\s(?:амб|стац|услов|дневн))|дневн\w*+|иб|болезни|каб){1,30}"
)
# Less usual writings too: ПК 86776, 66940 / 16, 17287 А, 17800.20, 1506 069.
_RECORD_CODE = (
    rf"(?:(?!(?:от|на|из|по|до|за|не|кв|ул|дом|лет|при|под|для)\s)[a-zа-яё]{{2,3}}\s(?=\d{{3}}))?{_CODE}"
    r"(?:\s/\s\d{2,4}(?!\d)|\s[абгд](?=[.,;)\n]|$|\sот)|(?<=\d\d\d)\.\d\d(?!\d|\.\d)|\s\d{3}(?!\d|[./-]\d))?"
)
_SLIDE = (
    r"(?<!\w)(?:ст[её]к[оеё]?л\w{0,4}+|ст-[лкае]\w{0,2}+|(?:микро|стекло)?препарат\w{0,3}+|преп|игх|"
    r"маз(?:ок|к[аиоу]\w{0,2}+)|цит\w{0,12}+|иссл\w{0,10}+|анализ\w{0,3}+|ан|протокол\w{0,2}+|обр(?:аз\w{0,5}+)?|"
    r"проб\w|блок\w{0,2}+|контейнер\w?|пробирк\w|(?:био)?материал\w?|"
    r"гист\w{0,10}+|лаб\w{0,12}+|рег\w{0,15}+|вход\w{0,8}+|заключени\w|штрих-?код\w?|направлени\w|напр|заявк\w|"
    r"заказ\w?|биопт\w{0,4}+|биопси\w|пунктат\w?|код\w?|шифр\w?|barcode|кассет\w)"
)
_SLIDE_WITHOUT_MARK = (
    r"(?<!\w)(?:ст[её]кл\w{0,3}+|ст[её]кол|ст-л[ао]|(?:микро)?препарат\w{0,3}+|преп\.|маз(?:ок|к[аиоу]\w{0,2}+)|"
    r"цит(?:ологи\w{1,2}|\.)|блок\w{0,3}|образ(?:ец|ц[аеуы]|цов|цам)|иссл\w{0,10}+\.?|протокол\w?|"
    r"гист(?:ологи\w{1,2}|\.)|штрих-?код\w?|код\s(?:образца|материала|пробы)|кассет\w|пробирк\w|контейнер\w?|"
    r"(?:био)?материал\w?|биопта[тм]\w?|биопси\w|пунктат\w?|(?:лаб|рег)\w*+\.?(?:\sномер)?|проб[аыуе]|анализ\w?)"
)


# Words of what has a number that identifies no person.
_PLACE = (
    r"(?:(?:поликлин|больниц|отдел|каб|аптек|роддом|корпус|филиал|палат|школ|сад|участ|диспансер|центр|форм|"
    r"приложени|узе?л|приказ)\w*|(?:таб|приказ\w*|отд|корп|уч|кв|ф|гкб|гб|црб|окб|ркб|мсч|ккб|бсмп|дом|д?гп|мз|"
    r"рф)(?!\w))"
)
# Стекло № 1, мазки № 1, 2: the first and second of this report.
_ORDINALS = r"\d(?:\s?(?:[,;и–-])\s?\d){0,9}(?![\w/-]|\s?[,;и–-]\s?\d)"

# What follows a count, a dose or a result.
_NOT_MEASURED = (
    rf"(?!\d|\s?(?:[×хx*^°%‰=]|(?:{UNITS}|{TIME_UNITS}|е)(?!\w)|тыс|млн|копи|г[./\s]|"
    r"в\s(?:мл|мкл|литр|мм|поле)|на\s(?:мл|мкл)|/\s?(?:м|л|д|с)|руб|ккал|кал(?!\w)|шаг|"
    r"гц|вт|дж|пкс|px|dpi|бэр|бк|мкк?и))(?![.,]\d)"
)

_PRESSURE = re.compile(r"(?<!\w)(?:с?ад|дад|давлен\w*)[^.;\n]{0,40}\Z")

# What is counted or measured has its name, a comparison or a limit before the number.
_MEASURED_BEFORE = re.compile(
    r"(?:[<>~≈±×*]\s?|(?<![a-z])=\s?|(?<=10)\^|(?<!\w)(?:(?:тромбо|лейко|эритр|ретик|клет|копи[йя]|титр|хгч|"
    r"hcg|[nп]?т?-?про-?bnp|bnp|ферритин|кфк|"
    r"алт|аст|лдг|ггт|вэб|цмв|днк|рнк|вирус|нагрузк|инсулин|пролакт|эстрад|тестост|прогест|кортиз|тиреоглоб|"
    r"колич|число(?!\w)|всего|объ[её]м|ат(?!\w)|антител|тпо(?!\w)|кальцитон|рэа(?!\w)|пса(?!\w)|доз|вит|"
    r"калори|шаг|цена|стоим|сумм|увелич|активн|"
    r"до(?!\w)|более|менее|около|свыше|выше|ниже|норм|по\s(?=\d)|iso|исо|гост|ту(?!\w)|приказ|фз(?!\w)|"
    r"санпин|формы?(?!\w)|окпо|оквэд|октмо|окато)\w*)[^.;\n\d]{0,16})\Z"
)

# By priority: the first of two patterns that match determines the kind.
PATTERNS = [
    pattern(
        "snils",
        r"(?<!\w)(?:с\.?\s?н\.?\s?и\.?\s?л\.?\s?с|стр(?:ах\w*+)?\.?\s?(?:номер|№|n(?!\w)|св-во|свид\w*+)|пфр|"
        r"сс(?!\w)|лицев\w++\sсч[её]т\w*+)(?:[\s:.,;()–—№#=/-]|n(?!\w)|"
        r"(?:номер|пфр|рф|инд|лиц|сч[её]т|пациент|больн|при|налич|свид|обяз|пенс|страх|снилс)\w*+){0,30}"
        r"(?P<value>\d{3}[\s._/–—-]{0,3}\d{3}[\s._/–—-]{0,3}\d{3}[\s._/–—-]{0,3}\d\d)(?!\d)",
        "снилс", "с.", "стр", "пфр", "сс", "лицев", "с н",
    ),
    *passports.ANNOUNCED,
    # Since 2011 one number of 16 digits (law 326-ФЗ); before, a series and a number of the insurer's choice.
    pattern("policy", r"(?<!\d)\d{4}[\s-]?\d{4}[\s-]?\d{4}[\s-]?\d{4}(?:[\s-]\d{4})?(?!\d)"),
    pattern("policy", r"(?<![\d.,-])\d{6}\s?(?:№|n|номер)\s?\d{6,8}(?!\d)", "№", "n", "номер"),
    pattern(
        "policy",
        rf"{_POLICY}(?:[\s:.,()#№–—-]|(?:обязат|добров|мед|страх|стар|нов|образц|временн|един)\w*+|[од]мс|номер|"
        rf"ном\.|n\b|енп){{0,16}}?(?P<value>(?![од]мс|енп|нет(?!\w)|"
        rf"не\s){passports.SERIES}(?:[a-zа-яё]{{1,3}}[\s-]{{0,2}}|\d{{1,6}}[a-zа-яё]{{0,3}}[\s,/–-]{{1,3}}){{0,3}}"
        r"(?:(?:№|n|номер|ном\.)[\s:.]{0,2})?(?:\d[\s-]?){5,17}(?<=\d))(?!\d)",
        "полис", "мс", "енп", "страх",
    ),
    pattern(
        "phone",
        rf"{_PHONE}{_WHOSE_PHONE}(?P<value>{_DIGITS_OF_PHONE}{_EXTENSION}(?:\s?[,;/]\s?{_DIGITS_OF_PHONE}){{0,3}})"
        rf"(?!\d)",
        "т.", "т:", "тел", "моб", "сот", "факс", "viber", "whatsapp", "ватсап", "вайбер", "зв", "конт",
    ),
    pattern(
        "record",
        rf"{_RECORD}{_RECORD_FILLER}(?P<value>{_RECORD_CODE}){_NOT_A_UNIT}",
        "/б", "/ б", "\\б", "\\ б", "и-б", "и.б", "и. б", "иб", "истори", "ист", "карт", "амб",
        "/к", "/ к", ".к", ". к", "мк",
        "случа", "эпизод",
        "пациент", "больно", "мед", "талон", "id", "mrn", "учетн", "учётн",
    ),
    pattern(
        "record",
        rf"(?<!\w){_MARK}\s?(?:(?:амб|мед|стац|ст|дисп|контр)\w*+\.?\s?){{0,2}}(?:[а-яё]{{0,9}}карт(?:ы|очки)|"
        rf"и\s?[/\\.]?\s?б(?!\w)|ист\w*+|[амк]\s?[/.]\s?к(?!\w)|эмк)(?:[\s:.=–—№-]|"
        rf"(?:бол|пациент|амб|стац)\w*+){{1,8}}(?P<value>{_RECORD_CODE}){_NOT_A_UNIT}",
        "карт", "б", "ист", "к", "эмк",
    ),
    pattern(
        "slide",
        rf"{_SLIDE}(?:[\s.:,(–—-]|(?!{_PLACE})[а-яё]{{1,20}}+(?=[\s.,-])){{0,12}}{_MARK}[\s:.]{{0,3}}"
        rf"(?P<value>(?!{_ORDINALS}){_CODES})",
        "№", "#", "n", "ном",
    ),
    pattern(
        "slide",
        rf"(?<!\w)(?:{_MARK}|id|ид)\s?(?:[а-яё]{{3,20}}\s)?{_SLIDE}[\s:.=№(–—-]{{1,6}}"
        rf"(?P<value>(?!{_ORDINALS}){_CODES}){_NOT_A_UNIT}",
        "№", "#", "n", "ном", "id", "ид",
    ),
    # Without a number sign: at least three digits, so that "стекло 2" is kept.
    pattern(
        "slide",
        rf"{_SLIDE_WITHOUT_MARK}[\s:(–—-]{{1,3}}(?!(?:19|20)\d\d\s?г)"
        rf"(?P<value>(?=[a-zа-яё]{{0,4}}[-–/]?(?:\d{{3}}|\d\d[-/a-zа-я])){_CODES}){_NOT_A_UNIT}",
        "ст", "преп", "маз", "цит", "блок", "образ", "иссл", "прот", "гист", "код", "лаб", "рег", "проб", "анализ",
    ),
    # +7, 8 or 7 and ten digits in any grouping; other countries after a plus; a local number in the usual groups.
    pattern("phone", rf"(?<![\d.,/])(?:\+\s?7|[78])(?:[\s().–—-]{{0,3}}\d){{10}}(?!\d){_EXTENSION}"),
    pattern("phone", r"\+\s?\d{1,3}(?:[\s().–—-]{0,2}\d){7,12}(?!\d)", "+"),
    pattern("phone", r"\(\s?\d{3,5}\s?\)\s?\d{1,3}[\s-]?\d\d[\s-]?\d\d(?!\d)", "("),
    pattern("snils", r"(?<![\d-])\d{3}[\s-]\d{3}[\s-]\d{3}\s?[\s-]\s?\d\d(?!\d)"),
    *passports.BARE,
    pattern("phone", r"(?<![\d./-])9\d\d[\s-]?\d{3}[\s-]?\d\d[\s-]?\d\d(?![\d-])"),
    pattern("phone", r"(?<![\d./-])\d{3}[-–]\d\d[-–]\d\d(?![\d-])"),
    # Only a number sign, unless the number is of an institution, a room, an order or a pack of tablets.
    pattern(
        "slide",
        rf"(?:№\s?№?|(?<!\w)номер(?:а|у|ом|ов)?[\s:])\s?"
        rf"(?P<value>(?=[a-zа-яё]{{0,3}}[\s-]?(?:\d{{4}}|\d{{2,12}}[-/]\d|\d{{3}}[а-яa-z])){_CODES}){_NOT_A_UNIT}",
        "№", "номер",
    ),
    # Ц-4567/21, 4567-70/21: no number sign, but nothing else is written like this.
    pattern("slide", rf"(?<![\w.,/-])[а-яёa-z]{{1,3}}[-–]?\d{{3,7}}[/-]\d{{2,4}}(?![\w/]){_NOT_A_UNIT}"),
    pattern(
        "slide",
        rf"(?<![\w/×-])(?<!\d[.,])\d{{4,7}}(?:[-–]\d{{1,7}})?/\d{{2,4}}(?![\w/]|[,.]\d){_NOT_A_UNIT}",
        unless=_PRESSURE,
    ),
    pattern("slide", r"(?<![\w/×-])(?<!\d[.,])(?:[а-яёa-z]{1,3}[-–]\d{1,7}|\d{3})/20[0-4]\d(?![\w/]|,\d)"),
    # The year first; a blood pressure or a dose has no such second number: 2021/35827, 139/07.
    pattern(
        "slide",
        rf"(?<![\w/×-])(?<!\d[.,])(?:(?:19|20)\d\d/\d{{4,7}}|(?!\d00)(?:[3-9]\d\d/[0-4]\d|\d{{3}}/0\d))(?![\w/]|[.,]\d)"
        rf"{_NOT_A_UNIT}",
    ),
    # Five digits and more with a letter that is no unit: 58403а.
    pattern("slide", rf"(?<![\w.,/×-])\d{{5,6}}[абвд](?![\w/-]|[.,]\d){_NEXT}{{0,20}}"),
    # Numbers in a row with the same first digits: 56826, 56827.
    pattern(
        "slide",
        r"(?<![\w.,/×*-])(?P<value>(?P<first>\d{3})(?!00)\d\d(?:,\s?(?P=first)\d\d){1,9})(?![\w/]|[.,]\d)",
        ",",
        unless=_MEASURED_BEFORE,
    ),
    pattern(
        "record",
        r"(?<!\w)(?:опись|реестр|архив|журнал)[\s:№]{1,3}(?P<value>[а-яa-z]-\d{3,7})(?!\w)",
        "опись", "реестр", "архив", "журнал",
    ),
    # What follows a name: a number of three digits and more, with letters and parts, unless it is measured.
    pattern(
        "record",
        rf"{BEHIND_NAME}\s?(?:[,;:|/–—-]|\()?\s{{0,2}}(?:№\s?)?(?!(?:[78]\d|[12]\d\d|300)/[3-9]\d(?!\d)|"
        rf"\d{{3}}/1[0-4]\d(?!\d)|[a-zа-яё]{{1,4}}[\s-]?\d{{1,2}}(?!\d))"
        rf"(?P<value>(?=[a-zа-яё]{{0,3}}[-/]?\d{{1,6}}[-/]?\d\d)[a-zа-яё]{{0,3}}[-/]?\d{{2,12}}[a-zа-яё]?"
        rf"(?:[-/]{_PART}){{0,3}})(?![\w/]|[.,-]\d){_NOT_A_UNIT}{_NOT_MEASURED}(?=\s?(?:[.,;:)|<\]–—]|$))",
        "имя]", "врач]", "имя*", "врач*",
    ),
    # No word announces the rest. Six digits and more; five between marks of punctuation; a series and a number; letters
    # before five digits and more, unless they name a variant or a standard (rs1801133, ISO 15189).
    pattern("number", rf"(?<![^\W_])(?<![/×*^-])(?<!\d[.,])\d{{8,30}}(?:[-/]\d{{1,6}})?(?![^\W_]){_NOT_MEASURED}"),
    pattern(
        "number",
        rf"(?<![^\W_])(?<![/×*^-])(?<!\d[.,])(?<!\d\s)(?![1-9]\d{{0,2}}0{{3,8}}(?!\d))\d{{6,7}}(?:[-/]\d{{1,6}})?"
        rf"(?![^\W_]){_NOT_MEASURED}",
    ),
    # Five digits are a number only between marks of punctuation, in a cell or a field, or behind a name.
    pattern(
        "number",
        rf"(?:(?<=[,;(.]\s)|(?<=[;(|>\t])|(?<=[^\d],)|(?m:^)|{BEHIND_NAME}\s)(?!\d{{2,3}}00(?!\d))(?P<value>\d{{5}})"
        r"(?=\s?(?:[,;.)|<\t\n](?!\d)|$))",
    ),
    # The patient's field of a message; a list in which names follow numbers; a number between a name and a date.
    pattern("number", r"(?<=\|)\d{4,12}(?=\^)", "^"),
    pattern(
        "slide",
        r"(?:(?m:^)|(?<=[;:|.]\s)|(?<=[;|]))(?P<value>\d{5}(?:,\s?\d{5}){0,4}|\d\d-\d{3}|[а-яa-z]-\d{3,5})"
        r"(?=\s?[|]?\s?(?:\[имя|\[врач))",
        "]",
    ),
    pattern(
        "slide",
        r"(?:(?<=имя\])|(?<=дата\]))\s?\|?\s?(?P<value>\d{5}(?:,\s?\d{5}){0,4})(?=\s?(?:[|;]|\[дата))",
        "]",
    ),
    pattern("record", r"(?<!\w)(?:выписк|справк|эпикриз|больничн)\w*+(?:\sлист)?\s?(?:№|n(?!\w)|номер)\s?"
    r"(?P<value>[а-яa-z]{0,2}-?\d{2,8}(?:[-/]\d{1,6})?)(?![\w/])", "№", "n", "номер"),
    # The year of an archive may follow.
    pattern("number", r"(?<![\w.,/×*^-])\d{5,30}(?=\s(?:19[5-9]|20[0-4])\d\s?(?:[;.,)\n]|$|г))"),
    pattern(
        "number",
        rf"(?<![\w/×*-])(?<!\d[.,])(?:\d{{2,4}}\s\d{{6,9}}|\d{{4}}\s\d{{3}}\s\d{{3,4}}|"
        rf"(?!\d{{1,6}}00-\d{{2,6}}00(?!\d))"
        rf"(?:(?=[\d-]{{9}})\d{{2,6}}-\d{{4,8}}|\d{{1,6}}-\d{{5,8}})|"
        rf"(?=[\d-]{{9}})(?=(?:\d{{1,3}}-){{0,2}}\d{{4}})\d{{2,6}}-\d{{1,4}}-\d{{3,8}})(?![\w-]|"
        rf"[.,/]\d){_NOT_MEASURED}",
    ),
    # More digits before the hyphen than a size has: 534890-68.
    pattern("number", rf"(?<![\w/×*-])(?<!\d[.,])(?!\d{{1,6}}00?-)\d{{5,8}}-\d{{1,4}}(?![\w-]|[.,/]\d){_NOT_MEASURED}"),
    pattern(
        "number",
        r"(?<![\w.,/×*-])(?!(?:(?:m|м)[-–]?[89]\d{4}(?!\d)|(?:rs|iso|исо|гост|nm|np|chr|cd|ca|са|ув|зав)\W?\d))[a-zа-яё]{1,4}[-–]?\d{5,12}"
        r"(?:[-–]\d{1,6})?(?![\w/]|[.,]\d)|(?<![\w.,/×*-])[a-zа-яё]{1,3}\d{1,4}-\d{4,8}(?![\w/]|[.,]\d)|"
        r"(?<![\w.,/×*-])(?:19|20)\d\d[/-]\d{1,6}[/-]\d{3,8}(?![\w/]|[.,]\d)",
    ),
]  # fmt: skip

_TAG_BEFORE = re.compile(r"<[^<>]{1,60}>\s?\Z")
# No count or result has so many digits.
_EIGHT_DIGITS = re.compile(r"\d{8}")
_PLACE_BEFORE = re.compile(
    r"(?:(?:поликлин|больниц|отдел|каб|аптек|роддом|корпус|филиал|палат|школ|сад|участ|диспансер|центр|форм|таб)\w*\.?|"
    r"приказ\w*(?:\sмз)?|отд\.?|корп\.?|уч\.?|кв\.?|ф\.|гкб|гб|црб|окб|ркб|мсч|ккб|бсмп|дом|д?гп|мз|рф)\s?\Z"
)
_FIVE_DIGITS = re.compile(r"\d(?:[\s().№–—/-]{0,3}\d){4}")


def find_numbers(lower: str) -> Iterator[Found]:
    """Identifiers in the lower-case text. It must have the length of the original, so that positions agree."""
    five_digits = _FIVE_DIGITS.search(lower) is not None
    taken: dict[int, int] = {}
    for one in PATTERNS:
        if not (has_any(lower, one.hints) if one.hints else five_digits):
            continue
        for match in one.regex.finditer(lower):
            start, end = match.span(one.group)
            if taken.get(start, -1) >= end:
                continue
            if lower.startswith(("№", "номер"), match.start()) and _PLACE_BEFORE.search(
                lower, max(0, match.start() - 20), match.start()
            ):
                continue
            if one.kind == "number" and _is_measured(lower, start, end):
                continue
            if one.is_excluded(lower, start):
                continue
            taken[start] = end
            kind = one.kind
            if one.group == 0 and is_snils(lower[start:end]):
                kind = "snils"
            yield Found(start, end, kind)


def _is_measured(lower: str, start: int, end: int) -> bool:
    """Whether a short number follows what is counted or measured; ">" may also end a tag."""
    return (
        _EIGHT_DIGITS.search(lower, start, end) is None
        and _MEASURED_BEFORE.search(lower, max(0, start - 40), start) is not None
        and not _TAG_BEFORE.search(lower, max(0, start - 62), start)
    )


def is_snils(digits: str) -> bool:
    """Whether the last two of eleven digits are the check number of the first nine (Russian Pension Fund: the sum of
    the digits weighted 9..1, modulo 101, with 100 written as 00)."""
    if len(digits) != 11 or not digits.isdecimal():
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits[:9], range(9, 0, -1), strict=True))
    return total % 101 % 100 == int(digits[9:])
