"""Dates spelt out ("пятого марта две тысячи двадцатого года"), and times of day."""

import re

from anamnesis.corpus.deidentification.patterns import pattern

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

PATTERNS = [
    pattern(
        "date",
        rf"(?<!\w)(?:{_DAY}|\d\d?(?:-?го)?)\s{_MONTH}\s(?:{_LONG_YEAR}|{_SHORT_YEAR}(?=\sгода|\s?[,.;)]|\s?$)){_YEAR_WORD}?"
        rf"(?!\w)",
        gate=_HAS_MONTH,
    ),
    pattern("date", rf"(?<!\w){_DAY}\sноль\s{_UNIT}(?:\s(?:{_LONG_YEAR}|{_SHORT_YEAR}){_YEAR_WORD}?)?(?!\w)", "ноль"),
    pattern(
        "date",
        r"(?<!\w)(?:понедельник|вторник|сред[ау]|четверг|пятниц[ау]|суббот[ау]|воскресенье|пн|вт|чт|пт)\.?,?\s"
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
        rf"(?<!\w)(?:тысяча\sдевятьсот|две\sтысячи)(?:\s{_TENS})?(?:\s[а-я]{{3,14}})?\s(?:год|г\.)[ау]?(?!\w){_OF_BIRTH}",
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
    # 14:35, 14:35:20.5, 2:30 pm. A titre is 1:40, a ratio 3:10: with one digit, an hour needs a preposition.
    pattern(
        "time",
        rf"(?<![\d:.,/])(?<!титр\s)(?<!титре\s)(?<!шени[еи]\s)(?<!дени[еи]\s)(?=\d\d:){_HOUR}:{_MINUTE}{_SECONDS}"
        rf"(?![\d:]|[.,]\d|\s?(?:мм|см|кл)(?!\w)){_ZONE}",
        gate=_HAS_CLOCK,
    ),
    pattern("time", rf"(?<![\d:.,/])\d:{_MINUTE}(?::[0-5]\d|\s?(?:{_HALF_OF_DAY}))", gate=_HAS_CLOCK),
    pattern(
        "time",
        rf"(?:(?<!\w)(?:в|с|до|к|около|время|часов)[\s:]{{1,2}}|[\]¤]\s?[-–—]\s?)(?P<value>\d:{_MINUTE})"
        rf"(?=[\s,.;)*–—-]|$)(?!\s?(?:раз|титр))",
        gate=_HAS_CLOCK,
    ),
    # "в 14 ч. 35 мин.", "время 14.35", "14-35 ч."; "за 2 ч 30 мин" is a duration.
    pattern(
        "time",
        rf"(?<!\w)(?:в|к|около|с|до|время[а-я ]{{0,20}}:?)\s"
        rf"(?P<value>{_HOUR}\s?ч(?:ас(?:а|ов)?)?(?![а-яё])\.?\s?{_MINUTE}\s?м(?:ин(?:ут[аы]?)?)?(?!\w)\.?)",
        gate=re.compile(r"\d\s?ч"),
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
        rf"(?=\s(?:до|по)\s{_HOUR}[.-]{_MINUTE}(?!\d|\s?(?:мм|см|кг|г|%)(?!\w)))",
        "с ",
    ),
    pattern("time", rf"\[время\]\s(?:до|по)\s(?P<value>{_HOUR}[.-]{_MINUTE})(?!\d)", "[время]"),
    # Behind a date: 12.03.2021 14-35, 12.03.2021 в 9.05.
    pattern(
        "time",
        rf"(?:(?<=\d\d\.(?:19|20)\d\d)|(?<=\d\d\.\d\d))(?:\s?г(?:ода)?(?!\w)\.?)?,?\s(?:в\s)?"
        rf"(?P<value>{_HOUR}[-.]{_MINUTE})(?!\d|[-.,/]\d|\s?(?:мм|см|мл|г|%|×|х))",
        gate=re.compile(r"\d\d\.\d\d\.\d\d"),
    ),
    pattern(
        "time",
        rf"(?<=\d)t{_HOUR}:?{_MINUTE}(?::?[0-5]\d(?:\.\d{{1,6}})?)?{_ZONE}(?!\d)",
        gate=re.compile(r"\dt\d"),
    ),
]  # fmt: skip
