"""Dates spelt out ("пятого марта две тысячи двадцатого года"), and times of day."""

import re

from anamnesis.corpus.deidentification.dates import WEEKDAYS
from anamnesis.corpus.deidentification.patterns import (
    BEHIND_PLACEHOLDER,
    EXAMINATION,
    MEASURED,
    NOT_MEASURED,
    VISIT,
    pattern,
)

_MONTH = r"(?:января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря)"
_IN_MONTH = r"(?:январ|феврал|март|апрел|ма|июн|июл|август|сентябр|октябр|ноябр|декабр)(?:ь|й|я|е|а|ю)?"
# Endings of an ordinal: пятого, пятое, пятым, пятом.
_HARD, _SOFT = r"(?:ого|ое|ый|ой|ом|ым|ому)", r"(?:ьего|ье|ий|ьем|ьим|ьему)"
_UNIT = (
    rf"(?:перв{_HARD}|втор{_HARD}|трет{_SOFT}|четв[её]рт{_HARD}|пят{_HARD}|шест{_HARD}|седьм{_HARD}|восьм{_HARD}|"
    rf"девят{_HARD})"
)
_TEEN = (
    rf"(?:(?:десят|одиннадцат|двенадцат|тринадцат|четырнадцат|пятнадцат|шестнадцат|семнадцат|восемнадцат|"
    rf"девятнадцат){_HARD})"
)
_DAY = rf"(?:{_UNIT}|{_TEEN}|(?:двадцат|тридцат){_HARD}|двадцать\s{_UNIT}|тридцать\sперв{_HARD})"
_TENS = r"(?:двадцать|тридцать|сорок|пятьдесят|шестьдесят|семьдесят|восемьдесят|девяносто)"
_ROUND_TENS = rf"(?:(?:двадцат|тридцат|сороков|пятидесят|шестидесят|семидесят|восьмидесят|девяност){_HARD})"
_SHORT_YEAR = rf"(?:{_TENS}\s{_UNIT}|{_ROUND_TENS}|{_TEEN}|{_UNIT})"
_LONG_YEAR = (
    rf"(?:(?:две\sтысячи|(?:одна\s)?тысяча\sдевятьсот)\s{_SHORT_YEAR}|двухтысячн{_HARD}|тысяча\sдевятисот{_HARD})"
)
# A year without the word for year ("в девяносто восьмом"), a decade, and days from the tenth on.
_OLD_TENS = r"(?:тридцать|сорок|пятьдесят|шестьдесят|семьдесят|восемьдесят|девяносто)"
ROUND_YEAR = (
    rf"(?:{_OLD_TENS}\s{_UNIT}|(?:тридцат|сороков|пятидесят|шестидесят|семидесят|восьмидесят|девяност)(?:ом|ого|ому))"
)
DECADES = r"(?:нулев|двухтысячн|пятидесят|шестидесят|семидесят|восьмидесят|девяност)ых"
TEEN_DAY = (
    r"(?:(?:(?:одиннадцат|двенадцат|тринадцат|четырнадцат|пятнадцат|шестнадцат|семнадцат|восемнадцат|девятнадцат|"
    r"двадцат|тридцат)(?:ое|ому))|двадцать\s(?:перв|втор|четв[её]рт|пят|шест|седьм|восьм|девят)(?:ое|ому))"
)
TENTH_OR_LATER = rf"(?:{_TEEN}|(?:двадцат|тридцат){_HARD}|двадцать\s{_UNIT}|тридцать\sперв{_HARD})"
_OF_BIRTH = r"(?:\sрожд\w*+)?"
_YEAR_WORD = rf"(?:\s?(?:год[ау]?(?!\w)|г(?!\w)\.?){_OF_BIRTH})"
_DIGIT_YEAR = r"(?:19|20)\d\d(?!\d)(?:\s?г(?:ода?)?(?!\w)\.?)?"
# Not "двадцатого года жизни".
_NOT_OF_LIFE = r"(?!\s(?:жизни|обучени|наблюд|терапи|лечени|после|приём|прием|болезни))"

_HOUR, _MINUTE = r"(?:[01]?\d|2[0-3])", r"[0-5]\d"
_SECONDS = r"(?::[0-5]\d(?:[.,]\d{1,6})?)?"
_HALF_OF_DAY = r"[ap]\.?m\.?(?!\w)|ч(?:ас\w{0,2})?(?!\w)\.?"
_ZONE = rf"(?:\s?(?:z|мск|msk|utc|gmt)(?!\w)|\s?[+-]\d\d:?\d\d(?!\d))?(?:\s?(?:{_HALF_OF_DAY}))?"
_HAS_MONTH = re.compile(rf"\s{_MONTH}")
_HAS_CLOCK = re.compile(r"\d:\d\d")
_CLOCK_LIKE = re.compile(r"(?<!\d)[0-2]?\d\s?[-.–]\s?[0-5]\d(?!\d)")
_HOURS = re.compile(r"\d\s?[чh]")
_HOUR_WORD = r"(?:ч(?:ас(?:а|ов|у|ам)?)?|h(?:ours?|rs?)?)(?![a-zа-яё])\.?,?"
_MINUTE_WORD = r"(?:м(?:ин(?:ут[аыу]?)?)?|min(?:utes?)?)"
_HOUR_MINUTE = (
    rf"(?:{_HOUR}\s?{_HOUR_WORD}\s?{_MINUTE}\s?{_MINUTE_WORD}(?!\w)\.?|{_HOUR}[чh]{_MINUTE}(?:{_MINUTE_WORD})?(?!\w))"
)
_BEFORE_TIME = r"[\s,:(–—-]{1,3}(?:(?:в|на|к|с|до|около|at)\s)?"
_AT_VISIT = rf"(?<!\w)(?:{VISIT}|кабинет\w?(?!\w)|каб\.|вход\w{{0,8}}+|пробирк\w|образец){_BEFORE_TIME}"
_AT_EXAMINATION = rf"(?<!\w){EXAMINATION}{_BEFORE_TIME}"
_SPELT_NUMBER = (
    r"(?:час|один|одного|дв[ауе]х?|тр[иёе]х?|четыр[еёх]{1,2}|пят[ьи]|шест[ьи]|сем[ьи]|вос[еь]м[ьи]|девят[ьи]|десят[ьи]|"
    r"(?:один|две|три|четыр|пят|шест|сем|восем|девят)надцат[ьи]|двадцат[ьи](?:\s(?:один|одного|дв[ае]х?|тр[иёе]х?|"
    r"четыр[еёх]{1,2}|пят[ьи]|шест[ьи]|сем[ьи]|вос[еь]м[ьи]|девят[ьи]))?|тридцат[ьи]|сорока?|пятьдесят|пятидесяти)"
)
# What comes before a length of time, and before a ratio or titre.
_DURATION = re.compile(
    r"(?<!\w)(?:через|за|спустя|течени\w|длит\w*|длил\w*|длин\w*|продолж\w*|кажды\w|после|более|менее|свыше|"
    r"на|дл\.|экспозиц\w*|"
    r"сон|сна|наркоз\w*|всего|итого|занял\w*|прошло|жизни|период\w*|интервал\w*|раз\sв|for)(?!\w)[^.;\n\d]{0,24}\Z"
)
_RATIO = re.compile(
    r"(?<!\w)(?:титр|развед|соотнош|отношен|пропорц|коэфф|ratio|масштаб|увелич|бланк\w*\s1)\w*[^.;\n]{0,24}\Z"
)
_MEASURED_OR_RATIO = re.compile(rf"{_RATIO.pattern}|{MEASURED.pattern}")

_BEHIND_DATE_OR_NAME = r"(?:(?<=дата\])|(?<=имя\])|(?<=врач\]))"

PATTERNS = [
    # With a time of day between the weekday and the date.
    pattern(
        "date",
        rf"(?<!\w)(?:{WEEKDAYS})(?=\.?[\s,()–—-]{{1,3}}\[время\][\s,()–—-]{{1,3}}\[дата\])",
        "[дата]",
    ),
    pattern(
        "date",
        rf"(?<=\[дата\])[\s,()–—-]{{1,3}}(?:\[время\][\s,()–—-]{{1,3}})?(?P<value>(?:{WEEKDAYS})(?!\w))",
        "[дата]",
    ),
    pattern(
        "date",
        rf"(?<!\w)(?:{_DAY}|\d\d?(?:-?го)?)\s{_MONTH}\s(?:{_LONG_YEAR}|{_SHORT_YEAR}(?=\sгода|\s?[,.;)]|"
        rf"\s?$)){_YEAR_WORD}?"
        rf"(?!\w)",
        gate=_HAS_MONTH,
    ),
    pattern("date", rf"(?<!\w){_DAY}\sноль\s{_UNIT}(?:\s(?:{_LONG_YEAR}|{_SHORT_YEAR}){_YEAR_WORD}?)?(?!\w)", "ноль"),
    pattern(
        "date",
        r"(?<!\w)(?:(?:понедельник|вторник|сред|четверг|пятниц|суббот|воскресень)\w{0,3}|пн|вт|чт|пт)\.?,?\s"
        r"(?P<value>(?:0?[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2]))\.?(?![\d.,]\d|\s?(?:мм|см|%|×|х))",
        gate=re.compile(r"\d\.\d\d"),
    ),
    pattern("date", rf"(?<!\w){_DAY}\s{_MONTH}(?:\s{_DIGIT_YEAR})?(?!\w)", gate=_HAS_MONTH),
    pattern("date", rf"(?<!\w){_DAY}\sчисла(?!\w)(?:\s{_MONTH})?", "числа"),
    pattern(
        "date",
        rf"(?<!\w)(?:{_IN_MONTH}\s(?:месяц\w\s)?)?{_LONG_YEAR}{_YEAR_WORD}?(?!\w){_NOT_OF_LIFE}",
        "ысяч",
    ),
    pattern("date", rf"(?<!\w){_IN_MONTH}\s{_SHORT_YEAR}\sгода?у?(?!\w){_NOT_OF_LIFE}", "год"),
    # "тысяча девятьсот шестьдесят пять": a year in cardinals, before the word for year.
    pattern(
        "date",
        rf"(?<!\w)(?:тысяча\sдевятьсот|две\sтысячи)(?:\s{_TENS})?(?:\s[а-я]{{3,14}})?\s(?:год|"
        rf"г\.)[ау]?(?!\w){_OF_BIRTH}",
        "ысяч",
    ),
    # "шестьдесят пятого года рождения", "в восемьдесят втором году".
    pattern("date", rf"(?<!\w)(?:{_TENS}\s{_UNIT}|{_ROUND_TENS})\s(?:года|г\.)\sрожд\w*+", "рожд"),
    pattern(
        "date",
        rf"(?<!\w)(?:в|с|до|после|от)\s(?P<value>(?:{_TENS}\s{_UNIT}|{_ROUND_TENS})\s(?:году|года|г\.))"
        rf"(?!\w){_NOT_OF_LIFE}",
        "год", "г.",
    ),
    # 6 p.m., 11 AM, 7.20am.
    pattern("time", r"(?<![\d.,:/])(?:0?\d|1[0-2])(?:[:.][0-5]\d)?\s?[ap]\.?\s?m(?!\w)\.?", "am", "pm", ".m", ". m"),
    # 17 : 21; a ratio is below 6 : 10.
    pattern(
        "time",
        rf"(?<![\d:.,/])(?:[6-9]|[01]\d|2[0-3])\s:\s{_MINUTE}(?!\d|\s?[:.,/]\d)",
        " : ",
        unless=_MEASURED_OR_RATIO,
    ),
    # 11 ч. 27', 20 ч. 56.
    pattern(
        "time",
        r"(?<![\d.,/-])(?:[6-9]|1\d|2[0-3])\s?ч(?:ас\w{0,2})?(?!\w)\.?\s?[0-5]\d(?:\s?['’′м](?!\w)\.?|(?=\s?(?:[.,;)\n]|"
        r"$)))(?![.,]\d)",
        gate=_HOURS,
        unless=_DURATION,
    ),
    # "на 16 ч. 16": a length of time has the word for minutes.
    pattern(
        "time",
        r"(?<!\w)на\s(?P<value>(?:[6-9]|1\d|2[0-3])\s?ч\.\s?[0-5]\d)(?=\s?[.,;)\n]|$)(?![.,]\d)",
        gate=_HOURS,
    ),
    # Behind a weekday: "воскресенье, 12.45".
    pattern(
        "time",
        rf"(?<!\w)(?:{WEEKDAYS})(?:(?<=\w{{4}})|(?=[.,]))[.,]{{0,2}}\s(?:в\s)?(?P<value>{_HOUR}[.-]{_MINUTE})(?!\d|[.,/]\d){NOT_MEASURED}"
        rf"(?=\s?[.,;)\]\n])",
        gate=_CLOCK_LIKE,
    ),
    # A range behind a date: "19 мая, 17.10–22.50"; the second of two times: "в 12-31 и в 15:00".
    pattern(
        "time",
        rf"(?<=дата\])[\s,]{{1,3}}(?P<value>{_HOUR}\.{_MINUTE}\s?[–—-]\s?{_HOUR}\.{_MINUTE})(?!\d|[.,/]\d){NOT_MEASURED}",
        "дата]",
        gate=_CLOCK_LIKE,
    ),
    pattern(
        "time",
        rf"(?<!\w)в\s(?P<value>{_HOUR}[-.–]{_MINUTE})(?=\sи\s(?:в\s)?\[время)",
        "[время",
        gate=_CLOCK_LIKE,
    ),
    # A list of events: "удаление доли – 17:00; швы – 17.00".
    pattern(
        "time",
        rf"(?<=\[время\]);\s[а-яё ]{{3,24}}[–—:-]\s(?P<value>{_HOUR}\.{_MINUTE})(?=\s?[.,;)\n]|$)(?![.,]\d)",
        "[время]",
        gate=_CLOCK_LIKE,
    ),
    # "в 16 ч": not "раз в 12 ч" or "2 таб. в 24 ч".
    pattern(
        "time",
        r"(?<!\w)(?:в|к|около|с|at)\s(?P<value>(?:[6-9]|1\d|2[0-3])\s?ч(?:ас(?:ов|а|ам)?)?(?!\w)\.?)"
        r"(?!\s?(?:после|назад|до\s|от\s))",
        gate=_HOURS,
        unless=re.compile(r"(?<!\w)(?:раза?|р\.?|мг|мл|таб\w*\.?|кап\w*\.?|ед\.?|доз\w*)\s(?:в|с|к)\s\Z"),
    ),
    # The end of a range: 18:45-9.00.
    pattern(
        "time",
        rf"(?:(?<=\[время\])|(?<=:[0-5]\d))\s?[–—-]\s?(?P<value>{_HOUR}\.{_MINUTE})(?!\d|[.,/]\d){NOT_MEASURED}",
        gate=_CLOCK_LIKE,
    ),
    # Behind a date or a weekday, or in a field of its own.
    pattern(
        "time",
        rf"{_BEHIND_DATE_OR_NAME}(?:\s?\(?[а-я]{{2,12}}\)?)?\s?[),:;(|–—-]{{0,2}}\s?(?:(?:в|к|с|до)\s)?(?P<value>{_HOUR}\.{_MINUTE})"
        rf"(?!\d|[.,/]\d){NOT_MEASURED}",
        "]",
        gate=_CLOCK_LIKE,
        unless=MEASURED,
    ),
    pattern(
        "time",
        rf"(?<!\w)(?:time|время|начало|конец|окончание|наркоз)[\s:=\"']{{1,4}}(?P<value>{_HOUR}[.-]{_MINUTE})"
        rf"(?![\d.,-]\d|\d){NOT_MEASURED}",
        gate=_CLOCK_LIKE,
    ),
    # Before a name, where a line, a cell or a part of a list begins.
    pattern(
        "time",
        rf"(?:(?m:^)|(?<=[;|])|(?<=[;|]\s)|(?<=\.\s))(?P<value>{_HOUR}\.{_MINUTE})(?=\s?[|;–—-]?\s?(?:\[имя|\[врач|\[адрес))",
        "]",
        gate=_CLOCK_LIKE,
    ),
    # "на 15-00", "в 12-31": no range has its higher number first, and 00 ends none.
    pattern(
        "time",
        rf"(?<!\w)(?:в|на|к)\s(?P<value>{_HOUR}[-–](?:00|3[01]))(?!\d|[.,/–-]\d){NOT_MEASURED}",
        gate=_CLOCK_LIKE,
        unless=_MEASURED_OR_RATIO,
    ),
    pattern(
        "time",
        rf"(?<!\w)(?:с|после|до)\s(?P<value>(?:0?[6-9]|1\d|2[0-3])\.[0-5][05])(?=\s(?:до\s\[?\d?|не(?!\w)|[а-я]{{4,14}}(?:ла?|ли|ть)(?!\w)))"
        rf"{NOT_MEASURED}",
        gate=_CLOCK_LIKE,
        unless=_MEASURED_OR_RATIO,
    ),
    # 14:35, 14:35:20.5, 2:30 pm. A titre is 1:40, a ratio 3:10: with one digit, an hour needs a preposition.
    pattern(
        "time",
        rf"(?<![\d:.,/])(?<!титр\s)(?<!титре\s)(?<!шени[еи]\s)(?<!дени[еи]\s)(?=\d\d:){_HOUR}:{_MINUTE}{_SECONDS}"
        rf"(?!\d|:\d|[.,]\d|\s?(?:мм|см|кл)(?!\w)){_ZONE}",
        gate=_HAS_CLOCK,
    ),
    pattern("time", rf"(?<![\d:.,/])\d:{_MINUTE}(?::[0-5]\d|\s?(?:{_HALF_OF_DAY}))", gate=_HAS_CLOCK),
    pattern(
        "time",
        rf"(?<![\d:.,/])[6-9]:{_MINUTE}(?!\d|:\d|[.,/]\d|\s?(?:мм|см|кл|раз)(?!\w))",
        gate=_HAS_CLOCK,
        unless=_RATIO,
    ),
    pattern(
        "time",
        rf"(?:{_AT_VISIT}|{BEHIND_PLACEHOLDER}[\s,]{{1,2}})(?P<value>\d:{_MINUTE})(?!\d|:\d|[.,/]\d|\s?(?:мм|"
        rf"см|кл|раз)(?!\w))",
        gate=_HAS_CLOCK,
        unless=_RATIO,
    ),
    pattern(
        "time",
        rf"(?:(?<!\w)(?:в|с|до|к|около|время|часов)[\s:]{{1,2}}|[\]¤]\s?[-–—]\s?)(?P<value>\d:{_MINUTE})"
        rf"(?=[\s,.;:)*–—-]|$)(?!:\d|\s?(?:раз|титр))",
        gate=_HAS_CLOCK,
    ),
    # "в 14 ч. 35 мин."; without a preposition a late hour, unless it is a duration: "за 2 ч 30 мин".
    pattern(
        "time",
        rf"(?:(?<!\w)(?:в|к|около|с|до|от|время[а-я ]{{0,20}}:?)\s|{_AT_VISIT}|{BEHIND_PLACEHOLDER}[\s,;]{{1,3}})"
        rf"(?P<value>{_HOUR_MINUTE})",
        gate=_HOURS,
        unless=_DURATION,
    ),
    pattern(
        "time",
        rf"(?<![\d.,/-])(?:(?=[89]|\d\d)(?!0[0-7]){_HOUR_MINUTE}|"
        rf"{_HOUR}\s?{_HOUR_WORD}\s?0\d\s?{_MINUTE_WORD}(?!\w)\.?)",
        gate=_HOURS,
        unless=_DURATION,
    ),
    # Superscript minutes: 14⁰⁰.
    pattern(
        "time",
        rf"(?<![\d.,])(?:{_HOUR}[⁰¹²³⁴⁵⁶⁷⁸⁹]{{2}}|(?<=в\s){_HOUR}(?:ºº|°°))(?!\d)",
        "⁰", "¹", "²", "³", "⁴", "⁵", "º", "°",
    ),
    # "взят в 9.27", "кабинет, 13-57", "приём 12.03.2021 в 9.47": hours and minutes like a number or a range.
    pattern(
        "time",
        rf"{_AT_VISIT}(?P<value>{_HOUR}\s?[-.–]\s?{_MINUTE})(?!\d|[.,/–-]\d){NOT_MEASURED}",
        gate=_CLOCK_LIKE,
    ),
    pattern(
        "time",
        rf"{_AT_EXAMINATION}(?P<value>{_HOUR}\s?[-.–]\s?{_MINUTE})(?!\d|[.,/–-]\d){NOT_MEASURED}",
        gate=_CLOCK_LIKE,
        unless=MEASURED,
    ),
    pattern(
        "time",
        rf"(?<!\w)(?:(?:в|к|около|at)\s|(?:до|после|с|from|until)\s(?=(?:\d\d|[7-9])[.–-]\d\d\s?(?:[.,;:)\n]|"
        rf"$)))(?P<value>{_HOUR}(?:\.{_MINUTE}|[-–]{_MINUTE}(?=\s?(?:[.,;:)\n]|$))))(?!\d|[.,/–-]\d)"
        rf"{NOT_MEASURED}",
        gate=_CLOCK_LIKE,
        unless=_MEASURED_OR_RATIO,
    ),
    pattern(
        "time",
        rf"(?:{BEHIND_PLACEHOLDER}\s?,?\s?(?:(?:в|к|около)\s)?)(?P<value>{_HOUR}[-.–]{_MINUTE})(?!\d|"
        rf"[.,/–-]\d){NOT_MEASURED}",
        "]",
        gate=_CLOCK_LIKE,
        unless=MEASURED,
    ),
    pattern(
        "time",
        rf"(?<!\w)(?:в|к|около|с|до)\s(?P<value>{_SPELT_NUMBER}\s(?:час(?:а|ов|у|"
        rf"ам)?(?!\w)(?:\s{_SPELT_NUMBER}\sминут\w?)?)(?:\s(?:утра|дня|вечера|ночи))|"
        rf"{_SPELT_NUMBER}\sчас\w{{0,2}}\s{_SPELT_NUMBER}\sминут\w?)(?!\w)",
        "час",
    ),
    pattern(
        "time",
        rf"(?<!\w)врем[яе]\w{{0,2}}(?:\s[а-я]{{3,16}}){{0,2}}[\s:–—-]{{1,3}}(?:в\s)?(?P<value>{_HOUR}\s?[-.–]\s?{_MINUTE}"
        rf"(?:\s?ч(?:ас\w{{0,2}})?(?!\w)\.?)?)(?![\d.,-]\d|\s?(?:мм|см|%|мес|лет|дн|сут|нед))",
        "врем",
    ),
    pattern(
        "time",
        rf"(?<![\d.,/-]){_HOUR}[-.]{_MINUTE}\s?(?:час(?:ов|а)?(?!\w)|ч\.)(?!\s?(?:назад|в\s))",
        gate=re.compile(r"\d\s?ч"),
    ),
    # From 08.30 to 15.00; the second one is found when the first is replaced.
    pattern(
        "time",
        rf"(?<!\w)с\s(?P<value>{_HOUR}[.-]{_MINUTE})"
        rf"(?=\s(?:до|по)\s(?:\[время|{_HOUR}[.:-]{_MINUTE}(?!\d|\s?(?:мм|см|кг|г|%)(?!\w))))",
        "с ",
        unless=MEASURED,
    ),
    pattern("time", rf"\[время\]\s(?:до|по)\s(?P<value>{_HOUR}[.-]{_MINUTE})(?!\d)", "[время]", unless=MEASURED),
    # Behind a date: 12.03.2021 14-35, 12.03.2021 в 9.05.
    pattern(
        "time",
        rf"(?:(?<=\d\d\.(?:19|20)\d\d)|(?<=\d\d\.\d\d))(?:\s?г(?:ода)?(?!\w)\.?)?,?\s(?:в\s)?"
        rf"(?P<value>{_HOUR}[-.]{_MINUTE})(?!\d|[-.,/]\d|\s?(?:мм|см|мл|г|%|×|х))",
        gate=re.compile(r"\d\d\.\d\d\.\d\d"),
        unless=MEASURED,
    ),
    pattern(
        "time",
        rf"(?<=\d)t{_HOUR}:?{_MINUTE}(?::?[0-5]\d(?:\.\d{{1,6}})?)?{_ZONE}(?!\d)",
        gate=re.compile(r"\dt\d"),
    ),
]  # fmt: skip
