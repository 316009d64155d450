"""Dates of birth and of visits, as written by hand or by software, with months as numbers, words or Roman numerals.

A year alone is a date if it belongs to a person ("с 2007 года", "операция 2015"), and is kept if it belongs to a
standard ("ВОЗ 2022", "приказ от 2012 г.").
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import chain

from anamnesis.corpus.deidentification.findings import Found, has_any
from anamnesis.corpus.deidentification.patterns import (
    BEHIND_NAME,
    EXAMINATION,
    MEASURED,
    NOT_MEASURED,
    UNITS,
    VISIT,
    matches,
    pattern,
)

_GENITIVE = (
    "января", "февраля", "марта", "апреля", "мая", "июня",
    "июля", "августа", "сентября", "октября", "ноября", "декабря",
)  # fmt: skip
_ENGLISH = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS = ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье")
_WEEKDAYS_ENGLISH = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# A weekday in the accusative follows a preposition: в среду.
_ON_WEEKDAYS = ("понедельник", "вторник", "среду", "четверг", "пятницу", "субботу", "воскресенье")
_OF_WEEKDAYS = ("понедельника", "вторника", "среды", "четверга", "пятницы", "субботы", "воскресенья")
_TO_WEEKDAYS = ("понедельнику", "вторнику", "среде", "четвергу", "пятнице", "субботе", "воскресенью")
_WITH_WEEKDAYS = ("понедельником", "вторником", "средой", "четвергом", "пятницей", "субботой", "воскресеньем")
_SHORT_WEEKDAYS = ("пн", "вт", "ср", "чт", "пт", "сб", "вс")
_SHORTENED_WEEKDAYS = ("пнд", "втр", "срд", "чтв", "птн", "сбт", "вск")
_LONGER_WEEKDAYS = ("понед", "втор", "сред", "четв", "пятн", "субб", "воскр")
_SHORT_WEEKDAYS_ENGLISH = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGER_WEEKDAYS_ENGLISH = ("mon", "tues", "weds", "thurs", "fri", "sat", "sun")
_ALL_WEEKDAYS = (
    _WEEKDAYS, _ON_WEEKDAYS, _OF_WEEKDAYS, _TO_WEEKDAYS, _WITH_WEEKDAYS, _SHORT_WEEKDAYS, _SHORTENED_WEEKDAYS,
    _LONGER_WEEKDAYS,
    _WEEKDAYS_ENGLISH, _SHORT_WEEKDAYS_ENGLISH, _LONGER_WEEKDAYS_ENGLISH,
)  # fmt: skip
WEEKDAYS = "|".join(sorted(chain.from_iterable(_ALL_WEEKDAYS), key=len, reverse=True))
_MONTH_STEMS = ("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")
_MONTH_HINTS = (*_MONTH_STEMS, "май", "мае")
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
# A year of two digits is 1930 or later: this matters only for the leap years 1900 and 2000.
_FIRST_SHORT_YEAR = 1930

_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?P<month>0?[1-9]|1[0-2])"
_YEAR = r"(?P<year>(?:19|20)\d\d|\d\d)"
_LONG_YEAR = r"(?P<year>(?:19|20)\d\d)"
_ROMAN_MONTH = r"(?P<roman>x(?:ii?)?|ix|iv|v(?:i{1,3})?|i{1,3})"
_MONTH_WORD = (
    rf"(?P<word>{'|'.join(_GENITIVE)}"
    r"|(?:янва|февра|апре|ию|сентя|октя|ноя|дека)(?:б?р|л|н)ь|март|май|август|янв|февр?|мар|апр|июн|июл|авг|сент?|"
    r"окт|ноя(?:бр?)?|дек)(?![^\W\d])"
)
_ANY_MONTH = (
    r"(?:январ\w{1,2}|феврал\w{1,2}|март\w{0,2}|апрел\w{1,2}|ма[йяею]м?|ию[нл]\w{1,2}|август\w{0,2}|(?:сент|окт|но|дек)"
    r"[ая]?бр\w{1,2}|янв|февр?|мар|апр|июн|июл|авг|сент?|окт|нояб?р?|дек)(?!\w)"
)
_MONTH_ENGLISH = rf"(?P<english>{'|'.join(_ENGLISH)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)(?![a-z])"
_ENGLISH_HINTS = tuple(name[:3] for name in _ENGLISH)
_SEPARATOR = r"(?:\s?[.,/\\_:–—-]\s?|\s)"
_OF_BIRTH = r"(?:г\s?[./]\s?р(?!\w)\.?|(?:год\w?\s|г\.\s?)?рожд\w*+\.?)"
# The word for year belongs to the date. So does "г.р.": left over, it would reveal a year of birth.
_TAIL = rf"(?:-?(?:го|м)(?!\w))?(?:\s?{_OF_BIRTH}|\s?(?:г(?!\w)\.?|год[ау]?(?!\w)))?"
_ANY_YEAR = r"(?:19[3-9]|20[0-4])\d"
_HAS_YEAR = re.compile(r"(?<!\d)(?:19[3-9]|20[0-4])\d(?!\d)")
_BEFORE, _AFTER = r"(?<![\d./-])(?<!\d,)", r"(?!\d)(?![.,/-]\d)"

_WITH_COMMAS = re.compile(r"\d,\s?\d\d?,\s?'?\d|\d/\s?\d\d?/\s?'?\d|\d\.\s?\d\d?\.\s?'?\d")
_YEAR_FIRST = re.compile(r"(?:19|20)\d{6}(?!\d)")
_ORDINAL = r"(?:-?(?:о?го|о?е))?"
_DAY_OF_MONTH = re.compile(rf"\d\s?[»\"”]?{_ORDINAL}[\s./-]{{0,3}}(?:{'|'.join(_MONTH_HINTS)})")
_GROUPS_OF_DIGITS = re.compile(r"\d\s?[./\\_–-]\s?\d|\d\s\d|\d,\d\d,\d")

# Every pattern is for lower-case text and comes with substrings, one of which is in every text that it matches; without
# substrings, such a text has two groups of digits.
_Hint = tuple[str, ...] | re.Pattern[str]
_Hinted = tuple[re.Pattern[str], _Hint]
_ROMANS, _BIRTHS = ("i", "v", "x"), ("г.р", "г. р", "г/р", "г .", "г /", "г р", "рожд")
_EIGHT_DIGITS = r"(?P<whole>(?P<day>0[1-9]|[12]\d|3[01])(?P<month>0[1-9]|1[0-2])(?P<year>(?:19|20)\d\d))"
_DAY_DIGITS = r"(?:0[1-9]|[12]\d|3[01])"
_DAY_MONTH = r"(?:0?[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])"
_GRAMS_STAY = r"(?!\s?(?:/|белк|ткан|в сут))"
# Words of what has a date: an act, a document, a stay.
_EVENT = (
    r"(?:от|дат|забор|взят|при[её]м|явк|визит|осмотр|операц|таб|тиаб|тапб|пункц|узи|[а-я]{0,16}эктоми|резекц|биопси|"
    r"обследован|рожд|др|д\.\s?р|консульт|выписан|поступл|поступил|выдан|выявлен|впервые|ранее|повторно|облучени|"
    r"лечени|анамнез|диагноз|осень|весн|зим|лет(?:о|ом)|конц|начал|середин)\w*+\.?"
)
_NOT_A_UNIT = rf"(?! ?(?:(?:{UNITS}|до)(?![\w/])|г/|%|[-–—x×х*]|,\d))"
GENITIVE_MONTHS = "|".join(_GENITIVE)
_MONTH_SHORT = rf"{GENITIVE_MONTHS}|янв|февр?|мар|апр|май|июн|июл|авг|сент?|окт|нояб?р?|дек"
_ANY_DAY, _MONTH_NUMBER = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"


def _hinted(regex: str, *hints: str, gate: re.Pattern[str] = _GROUPS_OF_DIGITS) -> _Hinted:
    return re.compile(regex), hints or gate


# With a day, a month and a year.
_FULL = [
    # 10-20-10-20 are doses.
    _hinted(
        rf"(?<!\d)(?<!\d[.,/]){_DAY}(?P<mark>\s?[./\\_–-]\s?){_MONTH}(?P=mark)'?{_YEAR}"
        rf"(?!\d)(?!(?<=-\d\d)-\d)(?! ?[смк]?м(?![\w/])){_TAIL}",
    ),
    _hinted(rf"(?<!\d){_DAY}{_SEPARATOR}{_MONTH}{_SEPARATOR}{_LONG_YEAR}(?!\d){_TAIL}", "19", "20"),
    # The month first, if the other number cannot be a month.
    _hinted(rf"{_BEFORE}{_MONTH}/(?P<day>1[3-9]|2\d|3[01])/{_LONG_YEAR}(?!\d){_TAIL}"),
    _hinted(rf"(?<!\d){_LONG_YEAR}\s?[./-]\s?{_MONTH}\s?[./-]\s?{_DAY}(?=t?\d\d:|\D|$){_TAIL}"),
    _hinted(
        rf"(?<!\d)(?:[«\"“]\s?)?{_DAY}(?:\s?[»\"”])?{_ORDINAL}[\s./-]{{0,3}}{_MONTH_WORD}[.,/-]?\s{{0,3}}'?{_YEAR}"
        rf"(?!\d|\s?[:.]\d){_TAIL}",
        gate=_DAY_OF_MONTH,
    ),
    _hinted(
        rf"(?<!\d){_LONG_YEAR}(?:\s?г(?!\w)\.?|\s?год[ау]?(?!\w))?,?\s[«\"“]?{_DAY}[»\"”]?\s{_MONTH_WORD}"
        rf"(?!\.?\s(?:19|20)\d\d)",
        *_MONTH_HINTS,
    ),
    _hinted(rf"(?<!\d)[«\"“]\s?{_DAY}\s?[»\"”]\s{{0,3}}\.?{_MONTH}\.?\s{{0,3}}{_YEAR}(?!\d){_TAIL}", "»", '"', "”"),
    _hinted(
        rf"(?:{_BEFORE}|(?<=дата/)){_DAY}\s?[./-]\s?{_ROMAN_MONTH}(?:\s?[./-]\s?|\s(?=\d{{4}}|\d\d\s?г)){_YEAR}(?!\d){_TAIL}",
        *_ROMANS,
    ),
    _hinted(rf"(?<!\d){_DAY}\s{_ROMAN_MONTH}\s{_LONG_YEAR}(?!\d){_TAIL}", *_ROMANS),
    _hinted(
        rf"(?<!\w)(?:д\.?\s?р\.?|рожд\w*+|дата|от)[\s:/]{{1,3}}{_EIGHT_DIGITS}(?!\d)",
        gate=re.compile(r"\d{4}(?:19|20)\d\d(?!\d)"),
    ),
    # августа 6, 2019; 2013, декабря, 22; 2006-Jun-14.
    _hinted(rf"(?<!\w)(?<!\d\s){_MONTH_WORD}\.?\s{_DAY}(?:\s?,\s?|\s){_LONG_YEAR}(?!\d){_TAIL}", *_MONTH_HINTS),
    _hinted(rf"(?<!\d){_LONG_YEAR}(?:,\s?|[\s./-]){_MONTH_WORD}(?:,\s?|[\s./-]){_DAY}(?!\d)", *_MONTH_HINTS),
    _hinted(
        rf"(?<!\d){_LONG_YEAR}[\s./,-]{{1,2}}{_MONTH_ENGLISH}[\s./,-]{{1,2}}{_DAY}(?!\d)",
        *_ENGLISH_HINTS,
    ),
    # 09,03,07: numbers of a list have no zero before them.
    _hinted(
        rf"(?<![\w.,/])(?=0|\d\d?,0|(?<=[\"'])|[\d,]{{6,10}}\s?{_OF_BIRTH}){_DAY},{_MONTH},{_YEAR}(?![\w]|[.,/]\d){_NOT_A_UNIT}{_TAIL}",
        gate=_WITH_COMMAS,
    ),
    # A field of a message, or a cell: |20130526|; 20130526t1015.
    _hinted(
        rf"(?<=[|^~>;\t])(?P<whole>{_LONG_YEAR}(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|"
        rf"3[01]))(?=[|^~<;\t\n]|t\d|$)",
        gate=_YEAR_FIRST,
    ),
    # 05-Mar-2020, 5th of March, 2020; March 5, 2020.
    _hinted(
        rf"(?<![\d.,]){_DAY}(?:st|nd|rd|th)?[\s./-]{{0,2}}(?:of\s|day\sof\s)?{_MONTH_ENGLISH}[\s.,/-]{{0,3}}{_YEAR}"
        rf"(?!\d|\s?[:.]\d)",
        *_ENGLISH_HINTS,
    ),
    _hinted(
        rf"(?<![a-z]){_MONTH_ENGLISH}[\s./-]{{1,2}}{_DAY}(?:st|nd|rd|th)?(?:\s?,\s?|[\s./-]){_LONG_YEAR}(?!\d)",
        *_ENGLISH_HINTS,
    ),
    # Dates only after an announcing word: 12,03,21.
    _hinted(
        rf"(?<!\w)(?:{_EVENT})[\s:]{{1,3}}(?P<whole>{_DAY}(?P<mark>[.,/]\s?){_MONTH}(?P=mark)'?{_YEAR}"
        rf"(?!\d){_NOT_A_UNIT}{_TAIL})",
        gate=_WITH_COMMAS,
    ),
    _hinted(
        rf"(?<!\w)(?:{_EVENT})[\s:]{{1,3}}(?P<whole>{_LONG_YEAR}(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|"
        rf"3[01]))(?!\d)",
        gate=_YEAR_FIRST,
    ),
]  # fmt: skip
_PARTIAL = [
    # A year, month and day in eight digits, which nothing announces.
    _hinted(
        r"(?<![\w.,/-])(?:19[3-9]|20[0-4])\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:t\d{4,6})?(?![\w-]|[.,/]\d)",
        gate=_YEAR_FIRST,
    ),
    # Six or eight digits before a weekday: 27092005 (вт).
    _hinted(
        rf"(?<![\w.,/-])(?:{_DAY_DIGITS}(?:0[1-9]|1[0-2])(?:(?:19|20)\d\d|\d\d)|(?:19|20)\d\d(?:0[1-9]|1[0-2]){_DAY_DIGITS})"
        rf"(?=[\s,(]{{1,3}}(?:{WEEKDAYS})(?!\w))",
        gate=re.compile(r"\d{6}[\s,(]"),
    ),
    _hinted(rf"(?<!\w)\d{{1,2}}(?:\s?-?(?:го|е|му))?\sчисл[аоу](?!\w)(?:\s(?:{'|'.join(_GENITIVE)}|месяца))?", "числ"),
    # The year of an archive: "50595104 2005;".
    _hinted(rf"(?:(?<=\d{{5}}\s)|(?<=\]\s))(?P<whole>{_ANY_YEAR}(?:\s?г(?:ода?)?(?!\w)\.?)?)(?=\s?(?:[;,.)\n]|"
        rf"$))(?![.,]\d)", gate=_HAS_YEAR),
    # The first day of a stay; the last day has a year, or neither has.
    _hinted(
        rf"(?<![\d.,])(?P<whole>{_DAY_MONTH}\.?)\s?(?:[-–—]|по|до)\s?{_DAY_MONTH}\.\d",
        "-", "–", "—", "по", "до",
    ),
    # The days of a stay: 18/04-24/04/2020, 20.03.06—23.03.06, 16-24.01.2012, 1-4 апреля 2012, 12-15 мар.
    _hinted(
        rf"(?<![\d.,/-]){_ANY_DAY}(?:[./]{_MONTH_NUMBER}(?:[./](?:(?:19|20)\d\d|\d\d))?)?\s?[-–—]\s?"
        rf"{_ANY_DAY}[./]{_MONTH_NUMBER}[./](?:(?:19|20)\d\d|\d\d)(?!\d|[./]\d){_NOT_A_UNIT}{_TAIL}",
    ),
    _hinted(
        rf"(?<![\d.,/-]){_ANY_DAY}\s?[-–—]\s?{_ANY_DAY}[\s./-]{{0,2}}(?:{_MONTH_SHORT})(?!\w)"
        rf"(?:[.,]?\s(?:19|20)\d\d(?!\d){_TAIL})?",
        gate=_DAY_OF_MONTH,
    ),
    _hinted(
        rf"\b(?:от|(?:дат|забор|взят|при[её]м|явк|визит|осмотр)\w*+)[\s:]{{1,3}}(?P<whole>{_DAY_MONTH}\.?)"
        rf"(?![\d.]){_NOT_A_UNIT}",
        "от", "дат", "забор", "взят", "прием", "приём", "явк", "визит", "осмотр",
    ),
    _hinted(
        rf"(?<!\d)[«\"“]?\d{{1,2}}[»\"”]?{_ORDINAL}\s{{0,3}}(?:{GENITIVE_MONTHS})(?!\w)(?:\s?г(?!\w)\.?)?",
        gate=_DAY_OF_MONTH,
    ),
    _hinted(rf"(?<![\d.,/]){_ANY_DAY}{_ORDINAL}(?:[./-]|\s{{0,2}})(?:{_MONTH_SHORT})(?!\w)", gate=_DAY_OF_MONTH),
    # мая 01, июн 18; 2015, февраль.
    _hinted(
        rf"(?<!\w)(?<!\d[\s-])(?:{_MONTH_SHORT})\.?\s(?:0[1-9]|[12]\d|3[01])(?![\w]|[.,:]\d){NOT_MEASURED}",
        *_MONTH_HINTS,
    ),
    _hinted(rf"(?<![\d.,]){_ANY_YEAR},?\s{_ANY_MONTH}(?!\s(?:19|20)\d\d)", *_MONTH_HINTS),
    # 13.IX, 19/X; with one digit only behind a preposition or a placeholder: "от 7.II", but "TI-RADS 4.II".
    _hinted(
        rf"(?<![\w.,/×-])(?:{_DAY_DIGITS}|(?:(?<=\sот\s)|(?<=\sна\s)|(?<=\sдо\s)|(?<=\sпо\s)|(?<=\sк\s)|(?<=\sс\s)|"
        rf"(?<=[а-я]\]\s)|(?<=[а-я]\]\)\s)|(?<=[а-я]\],\s))[1-9])[./]{_ROMAN_MONTH}(?!\w|[./-]\w)",
        *_ROMANS,
    ),
    _hinted(rf"(?<!\w)(?:{WEEKDAYS})[.,]{{0,2}}\s(?P<whole>[1-9][./]{_ROMAN_MONTH})(?!\w|[./-]\w)", *_ROMANS),
    _hinted(
        rf"(?<!\w)(?:{_ANY_MONTH}\s?[–—-]\s?)?{_ANY_MONTH}[.,-]?\s{{0,3}}(?:месяц\w?\s)?(?:(?:прошл|эт)\w{{2,3}}\s)?"
        rf"(?:'?(?:19|20)\d\d(?!\d){_TAIL}|'\d\d(?!\d)|\d\d\s?г(?:\.|ода?|\b))",
        *_MONTH_HINTS,
    ),
    _hinted(
        rf"(?<![a-z])(?:{'|'.join(_ENGLISH)}|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?)"
        rf"(?:[\s.,/-]{{1,2}}(?:of\s)?(?:19|20)\d\d(?!\d)|\s\d\d?(?:st|nd|rd|th)(?!\w))|"
        rf"(?<!\d)\d\d?(?:st|nd|rd|th)\s(?:of\s)?(?:{'|'.join(_ENGLISH)})(?![a-z])|"
        rf"(?<![a-z])(?:{'|'.join(one for one in _ENGLISH if one not in ('may', 'march'))})\s\d\d?(?!\d)|"
        rf"(?<![\d.,])\d\d?\s(?:{'|'.join(one for one in _ENGLISH if one != 'may')})(?![a-z])",
        *_ENGLISH_HINTS,
    ),
    _hinted(
        rf"(?<![a-z])(?:{'|'.join(_SHORT_WEEKDAYS_ENGLISH)})[a-z]{{0,6}}\.?,?\s(?P<whole>(?:may|march)\s\d\d?)(?!\w)",
        "may", "march",
    ),
    _hinted(rf"{_BEFORE}(?:0?[1-9]|1[0-2])\s?[./-]\s?(?:19|20)\d\d{_AFTER}{_NOT_A_UNIT}{_TAIL}"),
    _hinted(rf"{_BEFORE}(?:19|20)\d\d[./-](?:0[1-9]|1[0-2]){_AFTER}"),
    _hinted(rf"{_BEFORE}(?:0?[1-9]|1[0-2])\s?[./]\s?\d\d\s?г(?:ода?)?(?![\w/]){_GRAMS_STAY}\.?"),
    _hinted(rf"(?<![\w./-]){_ROMAN_MONTH}\s?[./-]\s?(?:19|20)\d\d{_AFTER}{_TAIL}", *_ROMANS),
    _hinted(
        rf"(?<!\d)(?:(?:19|20)?\d\d(?! ?\n?рожд)|(?:19|20)\d\d(?=\s?рожд\w*+(?!\s?[:\d])))\s?{_OF_BIRTH}",
        *_BIRTHS,
    ),
    _hinted(r"(?<!\d)(?:19|20)\d\d\s?гр(?!\w)\.?", "гр"),
    _hinted(rf"(?<!\w){_OF_BIRTH}[\s:–—-]{{0,4}}(?P<whole>(?:19|20)\d\d(?!\d){_TAIL})", *_BIRTHS),
    _hinted(rf"(?<!\w)родил\w++\s(?:в\s)?(?P<whole>(?:19|20)\d\d(?!\d){_TAIL})", "родил"),
    # "в 98-м году", but not "на 57-м году жизни".
    _hinted(r"(?<!на\s)(?<!\d)\d\d-?(?:го|м|ом)\s(?:г\.|год[ау](?!\w))(?!\s?жизни)", "г.", "год"),
    _hinted(r"(?<!\w)в\s(?P<whole>\d\d\sгоду)(?!\w|\s?жизни)", "году"),
    _hinted(r"(?<![\d.,])(?:0?[1-9]|[12]\d|3[01])\s?[-–—]\s?(?=\d\d?\.\d\d\.\d\d)"),
    _hinted(rf"(?<!\w)с\s(?P<whole>\d\d?)\sпо\s\d\d?\s(?:{GENITIVE_MONTHS})(?!\w)", gate=_DAY_OF_MONTH),
    _hinted(r"(?<!\w)(?:с|до|после)\s(?P<whole>[5-9]\d\s?(?:г\.|года(?!\w)))(?!\s?жизни)", "г.", "год"),
]  # fmt: skip


# A day and a month in numbers, as a decimal number would be written: with what happened on that day, beside a time of
# day, a name or another date.
_CLOCK = r"(?:[01]?\d|2[0-3])[:.-][0-5]\d(?!\d)"
_WEEKDAY_WORD = rf"(?:(?:{WEEKDAYS})\.?,?\s)"
_BEFORE_DAY = (
    r"(?:\s(?:в|на|до|к|с|от|за|по|же|ее|её|его|он|она|ребенок|ребёнок|пациентк?а?|больн\w\w|домой|повторно|"
    r"снова|впервые|"
    rf"амбулаторно|планово|экстренно|следующ\w\w)(?!\w)){{0,3}}[\s,:(–—-]{{1,3}}{_WEEKDAY_WORD}?"
)
_DAY_AND_MONTH = (
    r"(?P<value>(?:0?[1-9]|[12]\d|3[01])[./](?:0[1-9]|1[0-2])\.?(?:\s?г(?!\w)\.?)?)(?!\d|[.,/–-]\d)" + NOT_MEASURED
)
_MEASURING = re.compile(rf"(?:состав|равн|достиг|имел|весил|упал)[^.;\n]{{0,24}}\Z|{MEASURED.pattern}")
_DAYS_AND_MONTHS = [
    pattern(
        "date",
        rf"(?<!\w)(?:сегодня|вчера|завтра|{WEEKDAYS})(?!\w)\.?\)?[\s,(–—-]{{1,3}}{_DAY_AND_MONTH}",
        unless=MEASURED,
    ),
    pattern(
        "date",
        rf"(?<![\w.,/×-]){_DAY_AND_MONTH}(?=\s?[\s,(\[/–—-]\s?(?:во?\s)?(?:{WEEKDAYS})(?!\w))",
        unless=MEASURED,
    ),
    # A fraction has no zero before a number: 24/08.
    pattern(
        "date",
        rf"(?<![\w.,/×*-])(?<![×*] )(?:0[1-9]/(?:0[1-9]|1[0-2])|(?:[12]\d|3[01])/0[1-9])(?![\w/]|[.,–-]\d)"
        rf"{NOT_MEASURED}",
        unless=MEASURED,
    ),
    pattern("date", rf"(?<!\w){VISIT}{_BEFORE_DAY}{_DAY_AND_MONTH}"),
    pattern(
        "date",
        rf"(?<!\w)(?:{EXAMINATION}|[а-яё]{{3,16}}[аеиоуыяё]л(?:а|и|ся|ась|ись)){_BEFORE_DAY}{_DAY_AND_MONTH}",
        unless=_MEASURING,
    ),
    pattern(
        "date",
        rf"(?<!\w)(?:от|на|к|ко|с|со|до|после|за|по|в|on|since|until|"
        rf"from)\s{_WEEKDAY_WORD}?(?P<value>(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.?)"
        rf"(?!\d|[.,/–-]\d){NOT_MEASURED}",
        unless=MEASURED,
    ),
    pattern(
        "date",
        rf"(?<![\d.,/])(?:0?[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])(?=,?\s(?:(?:к|в|около|с|at)\s)?(?:{_CLOCK}|"
        rf"\[время\]))",
        unless=MEASURED,
    ),
    pattern(
        "date",
        rf"(?:{BEHIND_NAME}|(?<=время\])|(?<=дата\]))\s?[,;:(–—-]{{0,1}}\s?(?P<value>(?:0[1-9]|[12]\d|"
        rf"3[01])[./](?:0[1-9]|1[0-2]))\.?"
        rf"(?=\s?(?:[.,;:)\n]|$))(?![.,]\d)",
        "]",
        unless=MEASURED,
    ),
    # A line or a cell of its own begins with it.
    pattern(
        "date",
        rf"(?m:^|(?<=[|>\t]))(?P<value>(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.?)(?=\s?[–—-]\s?[а-яё]|"
        rf"\s?[:<|\t](?!\d)|\s{VISIT})",
    ),
]  # fmt: skip
_HAS_DAY_AND_MONTH = re.compile(r"(?<!\d)[0-3]?\d[./][01]\d(?!\d)")

_ALL = [*_FULL, *_PARTIAL]
_HINTS = {hint for _, hint in _ALL}
_YEARS_WORD = (
    r"(?:(?:-?(?:го|м|й|ый|ом|му|х)(?!\w))?\s?(?:гг?(?![\w/])\.?(?:\s?г\.)?|год(?:[ауые]|ом|ах|ов)?(?!\w))"
    r"|-(?:го|м|й|ый|ом|му|х)(?!\w))"
)
# What happens once or a few times in a life.
_ONCE = (
    r"(?:онмк|инсульт|инфаркт|о?им(?!\w)|перелом|травм|роды|родов|беременност|аборт|выкидыш|привив|вакцин|ковид|covid|"
    r"брак(?!\w)|развод|смерт|умер|служ(?:ил|ба)|последн|предыдущ|прежн|химиотерап|рйт|радиойод|лт(?!\w)|кт(?!\w)|"
    r"мрт|экг|эгдс|фгдс|флюорограф|фг(?!\w)|маммограф|рентген|сцинтиграф|пэт|кесарев|кс(?!\w)|стент|шунтир|аксш|"
    r"протезир|грыжесеч|пластик|удал|рецидив|метастаз|менопауз|менархе|переех|приех|с\sтех\sпор|раз(?!\w)|год(?!\w)|"
    r"санатор|госпитал|стационар|дебют|установл|начал|архив|выпуск)"
)
# A year comes with the word for year, a preposition or an event.
_LONE_YEAR = re.compile(
    rf"(?<![\w.,/×№#+-])(?<![№#×*<>=]\s)(?P<before>(?:(?<!\w)(?:{_EVENT}|{_ONCE}\w*+|в|во|с|со|"
    rf"до|после|около|от|к|ко|между|за|перед|примерно|приблизительно|ориентировочно)[\s:,(–—-]{{1,3}})?)(?P<years>{_ANY_YEAR}(?!\d)(?:{_YEARS_WORD})?(?:(?:\s?(?:[,;–—-]|и|по|до)\s?|"
    rf"\sи\sв\s)(?={_ANY_YEAR}(?!\d)){_ANY_YEAR}(?:{_YEARS_WORD})?){{0,4}})(?![\d/]|[.,-]\d|-?[a-zа-яё])"
    r"(?! ?(?:[×x*%]|[нпфм]?к?г/|[мнп]к?[гл](?!\w)|[смк]?м\d?(?!\w)|ед(?!\w)|мк|клет|раз|кл(?!\w)|"
    r"bethesda|бетесд|tbsrtc|воз\b|руб|шт(?!\w)|тыс|ккал|кал(?!\w)))"
)
# In brackets, or first of an item: "(2014)", "2014: узел", "; 2016 - биопсия".
_OPENS, _CLOSES = re.compile(r"\(\s?\Z"), re.compile(r"\s?\)")
_FIRST, _BEHIND_COLON = re.compile(r"(?:^|[\n;]\s?|[,.]\s)\Z"), re.compile(r":\s\Z")
_BEFORE_ITEM = re.compile(r"\s?[:–—-]\s?[а-яё]{2}")
_COUNTED = re.compile(r"тиреоглоб|антител|клет|копи[йя]|лимфоц|нейтроф|вирус|штук|число|количеств")
_CITED = re.compile(r"соавт|et al|авт\.|журнал|изд(?!\w)|издат|doi|литератур|стр\.|том(?!\w)")
_STANDARD = re.compile(
    r"(?<![а-яёa-z])(?:воз|who|бетесд|bethesda|tbsrtc|[a-z]{0,2}-?t[bi]-?rads|классификац|рекомендац|гайдлайн|редакц|"
    r"издани|ата(?!\w)|ata(?!\w)|eta|верси|критери|стандарт|терминолог|мкб|icd|tnm|ajcc|методич|руководств|консенсус|"
    r"пересмотр[а-я]*\s(?:мкб|класс|систем))"
)
_LAW = re.compile(
    r"(?<![а-яёa-z])(?:приказ|утв|гост|исо(?!\w)|iso|фз(?!\w)|закон(?!ч)|постановл|распоряж|санпин|форм[аые]\s(?:№|n))"
)
_CATEGORY = re.compile(r"(?<!\w)(?:[iv]{1,3}|[1-6])(?!\w)")
_CLAUSE_ENDS = re.compile(r"[;\n!?]|\.\s")


_WEEKDAY = rf"(?P<weekday>{WEEKDAYS})(?!\w)"
_HAS_WEEKDAY = re.compile(
    r"недел|понед|втор|сред|четв|пятн|субб|воскр|(?<!\w)(?:пнд?|втр?|срд?|чтв?|птн?|сбт?|вск?)(?!\w)|day|"
    r"(?<!\w)(?:mon|tues?|weds?|thu|thurs|fri|sat|sun)(?!\w)"
)
# The preposition would tell Tuesday from the others: во вторник.
_BEFORE_DATE = rf"(?:(?:во?|on|ко?|со?|на|до|по)\s)?(?<!\w){_WEEKDAY}\.?(?:\)\s|\s?[,(–—-]?\s?)(?:от\s)?"
_BEHIND_DATE = rf"(?:\s?[,(/–—-]\s?|\s)(?:во?\s|день\sнедели[\s:–—-]{{1,3}})?{_WEEKDAY}\.?\)?"
_WEEKDAY_BEFORE, _WEEKDAY_BEHIND = re.compile(rf"(?<!\w){_BEFORE_DATE}$"), re.compile(_BEHIND_DATE)
_WEEKDAY_AT_START, _WEEKDAY_AT_END = re.compile(_BEFORE_DATE), re.compile(rf"{_BEHIND_DATE}$")
_BETWEEN_DATES = re.compile(r"(?<=[\d.])\s?[–—-]\s?(?=\d)")
_INTO_WEEKDAY = re.compile(rf"(?P<into>(?<!\w)(?:во?|on)\s)?(?<!\w){_WEEKDAY}", re.IGNORECASE)


def find_dates(lower: str) -> Iterator[Found]:
    """Dates in the lower-case text. It must have the length of the original, so that positions agree."""
    yield from with_weekdays(lower, _find(lower))


def _find(lower: str) -> Iterator[Found]:
    hinted = {
        hint: has_any(lower, hint) if isinstance(hint, tuple) else hint.search(lower) is not None for hint in _HINTS
    }
    for regex, hints in _ALL:
        if hinted[hints]:
            whole = "whole" if "whole" in regex.groupindex else 0
            for match in regex.finditer(lower):
                yield Found(match.start(whole), match.end(whole), "date")
    if _HAS_DAY_AND_MONTH.search(lower):
        yield from matches(lower, _DAYS_AND_MONTHS)
    if _HAS_YEAR.search(lower):
        yield from _years(lower)


def with_weekdays(lower: str, dates: Iterable[Found]) -> Iterator[Found]:
    """The dates, each with the weekday beside it: beside a shifted date, it would tell the shift modulo 7."""
    has_weekday = _HAS_WEEKDAY.search(lower) is not None
    for found in dates:
        start, end = found.start, found.end
        if has_weekday and found.kind == "date":
            before = _WEEKDAY_BEFORE.search(lower, max(0, start - 24), start)
            behind = _WEEKDAY_BEHIND.match(lower, end)
            start, end = before.start() if before else start, behind.end() if behind else end
        yield Found(start, end, found.kind)


def _years(lower: str) -> Iterator[Found]:
    """Years of a person's life. A year after the name of a standard belongs to the standard, unless a preposition or a
    category is between them: "Bethesda 2017", but "Bethesda III, 2019 г." and "Bethesda: узел с 2019"."""
    for match in _LONE_YEAR.finditer(lower):
        years, before = match["years"], match["before"]
        start, bare = match.start("years"), not before and years[-1].isdigit()
        if bare and not _is_apart(lower, start, match.end()):
            continue
        clause = _CLAUSE_ENDS.split(lower[max(0, start - 70) : match.start()])[-1]
        if _LAW.search(clause):
            continue
        standard = next(reversed(list(_STANDARD.finditer(clause))), None)
        if (
            standard
            and (bare or not before or "," in before or before.startswith("от"))
            and not _CATEGORY.search(clause, standard.end())
        ):
            continue
        yield Found(start, match.end("years"), "date")


def _is_apart(lower: str, start: int, end: int) -> bool:
    """Whether a year is alone between brackets or begins an item, and belongs to no measurement or citation."""
    before = lower[max(0, start - 48) : start]
    if _CITED.search(before):
        return False
    item = _BEFORE_ITEM.match(lower, end) is not None
    if item and _FIRST.search(before):
        return True
    apart = (item and _BEHIND_COLON.search(before)) or (_OPENS.search(before) and _CLOSES.match(lower, end))
    return bool(apart) and not (MEASURED.search(before) or _COUNTED.search(before))


# A date of birth, by the words before it or behind it.
_BIRTH_BEFORE = re.compile(
    r"(?<!\w)(?:рожд\w*|род(?:ил\w*|\.|ом)?|д\.?\s?р|dr(?=[\"'])|birth\w*|born|dob)(?![а-яё])"
    r"(?:[\s:;=(\"'>|/,.–—-]|пациент\w*|больно\w*|ребен\w*|ребён\w*|date|дата|года?|в(?!\w)|of(?!\w)|on(?!\w)){0,12}\Z"
)
_BIRTH_BEHIND = re.compile(rf"[\s,(]{{0,3}}{_OF_BIRTH}")
_BIRTH_INSIDE = re.compile(_OF_BIRTH)
# So old a person is, at least, whose age identifies (ages.py).
_OLDEST = 90


def is_of_birth(text: str, start: int, end: int) -> bool:
    """Whether the date text[start:end] is announced as a date of birth."""
    return (
        _BIRTH_BEFORE.search(text[max(0, start - 40) : start].lower()) is not None
        or _BIRTH_INSIDE.search(text[start:end].lower()) is not None
        or _BIRTH_BEHIND.match(text[end : end + 20].lower()) is not None
    )


def _year(digits: str) -> int:
    year = int(digits)
    return _FIRST_SHORT_YEAR + (year - _FIRST_SHORT_YEAR) % 100 if len(digits) == 2 else year


def shift_date(text: str, days: int) -> str | None:
    """The date shifted by `days`, with the weekday beside it, in the same writing; None if it lacks a day, month or
    year, does not exist, or lies 90 years ago: shifted, it would still tell the age of a person so old."""
    lower = text.lower()
    if len(lower) != len(text):
        return None
    before = _WEEKDAY_AT_START.match(lower)
    start = before.end() if before else 0
    behind = _WEEKDAY_AT_END.search(lower, start)
    end = behind.start() if behind else len(text)
    shifted = _shifted(text[start:end], lower[start:end], days)
    return shifted and _with_next_weekday(text[:start], days) + shifted + _with_next_weekday(text[end:], days)


def _shifted(text: str, lower: str, days: int) -> str | None:
    """The shifted date, or both shifted dates of a range."""
    if whole := _shifted_date(text, lower, days):
        return whole
    for gap in _BETWEEN_DATES.finditer(lower):
        first = _shifted_date(text[: gap.start()], lower[: gap.start()], days)
        last = _shifted_date(text[gap.end() :], lower[gap.end() :], days)
        if first and last:
            return first + gap[0] + last
    return None


def _shifted_date(text: str, lower: str, days: int) -> str | None:
    match = next((match for pattern, _ in _FULL if (match := pattern.fullmatch(lower))), None)
    if match is None:
        return None
    parts = {name: value for name, value in match.groupdict().items() if name not in ("whole", "mark") and value}
    year = _year(parts["year"])
    if date.today().year - year >= _OLDEST:
        return None
    try:
        moved = date(year, _month(parts), int(parts["day"])) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    for name in sorted(parts, key=match.start, reverse=True):
        start, end = match.span(name)
        text = text[:start] + _written(name, text[start:end], moved) + text[end:]
    return text


def _with_next_weekday(text: str, days: int) -> str:
    """The text beside a date with its weekday shifted: "во вторник, " becomes "в среду, "."""

    def moved(match: re.Match[str]) -> str:
        into, old = match["into"] or "", match["weekday"]
        accusative = into.lower().startswith("в") and old.lower() in _ON_WEEKDAYS
        names = _ON_WEEKDAYS if accusative else next(names for names in _ALL_WEEKDAYS if old.lower() in names)
        new = names[(names.index(old.lower()) + days) % 7]
        if into.lower().startswith("в"):
            into = into[0] + ("о " if new.startswith("вт") else " ")
        return into + _in_case_of(old, new)

    return _INTO_WEEKDAY.sub(moved, text)


def _month(parts: dict[str, str]) -> int:
    if "word" in parts:
        return _MONTH_STEMS.index(parts["word"][:3]) + 1
    if "english" in parts:
        return _ENGLISH_HINTS.index(parts["english"][:3]) + 1
    return _ROMAN.index(parts["roman"]) + 1 if "roman" in parts else int(parts["month"])


def _written(part: str, old: str, moved: date) -> str:
    """A part of the new date, in the width and letter case of the old one."""
    if part == "year":
        return f"{moved.year:04d}"[-len(old) :]
    if part in ("day", "month"):
        number = moved.day if part == "day" else moved.month
        return f"{number:0{len(old)}d}" if old.startswith("0") or len(old) == 2 else str(number)
    return _in_case_of(old, _names(part, old.lower())[moved.month - 1])


def _names(part: str, old: str) -> tuple[str, ...]:
    """Names of the months, of the same sort as the old one."""
    if part == "english":
        return _ENGLISH if old in _ENGLISH else _ENGLISH_HINTS
    return _ROMAN if part == "roman" else _GENITIVE if old in _GENITIVE else _MONTH_STEMS


def _in_case_of(old: str, new: str) -> str:
    return new.upper() if old.isupper() else new.capitalize() if old[:1].isupper() else new
