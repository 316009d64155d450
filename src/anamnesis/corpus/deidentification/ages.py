"""Ages of 90 and more: so few people are that old that the age identifies them (HIPAA, Safe Harbor)."""

import re

from anamnesis.corpus.deidentification.patterns import pattern

_AGE = r"(?<![\d.,×x/№\[-])(?<![№×<>]\s)(?P<value>9\d|1[0-2]\d)(?![\d.,]\d)"
_UNITS = (
    r"(?:\s(?:один|одного|два|двух|три|тр[её]х|четыре|четыр[её]х|пяти?|шести?|семи?|семь|пять|шесть|восемь|восьми|"
    r"девять|девяти))?"
)
_SPELT = rf"(?:девяносто|сто){_UNITS}"
_SPELT_YEARS = r"(?:девяност[оа]|ст[оа])(?:одно|двух|тр[её]х|четыр[её]х|пяти|шести|семи|восьми|девяти)?"
_NINETY = re.compile(r"(?<!\d)(?:9\d|1[0-2]\d)(?!\d)")

PATTERNS = [
    # "92 года", "95 лет", "101 год", "90-летняя", "в 97 л."; "в 95 год" is a year.
    pattern(
        "age",
        rf"{_AGE}\s?(?:(?:полных\s)?лет(?!\w)(?!\s(?:назад|тому))|-?(?:ти|ми|х|и)?[\s-]{{0,2}}летн\w{{2,3}}|г\.?\s?ж(?!\w)|"
        r"(?:(?<=[2-4])\s?|(?<=1)\s?|(?<=[2-4]-х)\s?)года(?!\w)|(?<=[029]1)\s?год(?!\w))",
        "лет", "г",
        gate=_NINETY,
    ),
    pattern(
        "age",
        rf"(?<!\w)(?:возр(?:аст\w{{0,2}}|\.)|age|полных\sлет)[\s:=(–—-]{{1,4}}{_AGE}(?!\s?(?:мм|см|%))",
        "возр", "age", "полных",
        gate=_NINETY,
    ),
    pattern("age", rf"(?:[,(]\s?|(?<!\w)(?:ж|м|жен|муж)\.?,?\s){_AGE}\s?л(?:\.|(?=[,)]|\s?$))", gate=_NINETY),
    pattern("age", rf"{_AGE}\s?-?(?:y/?o(?!\w)|y\.\s?o\.|years?(?!\w)|yr)", "y", gate=_NINETY),
    pattern(
        "age", rf"(?<!\w)(?P<value>{_SPELT})\s(?:год[а]?|лет)(?!\w)(?!\s(?:назад|рожд))", "девяност", "сто"
    ),
    pattern("age", rf"(?<!\w)(?P<value>{_SPELT_YEARS})летн\w{{2,3}}", "летн"),
    # "на 95-м году жизни".
    pattern("age", r"(?<!\w)на\s(?P<value>9[1-9]|1[0-2]\d)\s?-?(?:м|ом)?\sгоду\sжизни", "жизни"),
]  # fmt: skip
