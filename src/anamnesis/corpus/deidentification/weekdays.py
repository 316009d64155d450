"""Weekdays near a date that an earlier reading found: with a time, a cell or a word between them, or shortened."""

from anamnesis.corpus.deidentification.dates import WEEKDAYS
from anamnesis.corpus.deidentification.patterns import pattern

_SHORTENED = (
    r"пон(?:едельн|-к|ед-?к)?|вт(?:ор(?:н|-к)|-к)|ср-да|чет(?:в?-г)?|четв-г|пятн?-ца|п-ца|суб(?:-та)?|вос(?:кр?)?|воскр-е|"
    r"воскресени(?:ем?|я|ю)|(?:понедельничн|вторничн|четвергов|пятничн|субботн|воскресн)(?:ый|ая|ое|ого|ой|ому|ым|ую|ом)|"
    r"(?:понедельник|вторник|четверг)(?:е|и|ам|ов)|сред(?:ы|ам)|пятниц(?:ы|ам)|суббот(?:ы|ам)"
)
_WEEKDAY = rf"(?:{_SHORTENED}|{WEEKDAYS})(?![^\W_])"
# "ср. размер", "вс. показатели" are no weekdays.
_NOT_AN_ADJECTIVE = r"(?!\.\s?[а-яё]{3})"
_MARKS = r"[\s_;|/,:()\[\]«»\"–—-]"
_TIME = rf"(?:(?:в\s)?\[время\]{_MARKS}{{1,3}})?"
_WORDS = (
    r"(?:(?:в|во|на|к|с|до|от|дата|число|это|был[ао]?|утр(?:о|ом)|день|дн[её]м|вечер(?:ом)?|ночь|ночью|день\sнедели|"
    r"the|on|at)[\s:,–—-]{1,3}){0,3}"
)

PATTERNS = [
    pattern(
        "date",
        rf"(?<![^\W_])(?P<value>{_WEEKDAY}\.?)(?={_MARKS}{{0,3}}{_TIME}{_WORDS}{_TIME}[(«\[]?\[дата\])",
        "[дата]",
    ),
    pattern(
        "date",
        rf"(?<=\[дата\])(?:\s?г(?:ода)?(?!\w)\.?)?{_MARKS}{{0,3}}{_TIME}{_WORDS}[(«\[]?"
        rf"(?P<value>{_WEEKDAY}){_NOT_AN_ADJECTIVE}",
        "[дата]",
    ),
]  # fmt: skip
