"""A rule of the tables: a regular expression with a kind, and substrings that make most searches unnecessary."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from anamnesis.corpus.deidentification.findings import Found, has_any

# Behind the placeholder of a name that an earlier reading found, and behind any placeholder, in a lower-case text.
BEHIND_NAME = r"(?:(?<=\[имя\])|(?<=\[врач\])|(?<=\*имя\*)|(?<=\*врач\*))"
BEHIND_PLACEHOLDER = r"(?<=[а-я]\])"
# How far before a match `unless` is searched for.
_CLAUSE = 48


@dataclass(frozen=True)
class Pattern:
    """A kind of writing.

    Attributes:
        group: the group that is the identifier: `value`, or 0 for the whole match.
        hints: substrings, one of which is in every text that the pattern matches.
        gate: matches in every text that the pattern matches; many patterns share one, so it is searched for once.
        unless: what must not come before the identifier; it ends with \\Z.
    """

    kind: str
    regex: re.Pattern[str]
    group: str | int
    hints: tuple[str, ...]
    gate: re.Pattern[str] | None
    unless: re.Pattern[str] | None

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        for match in self.regex.finditer(text):
            start, end = match.span(self.group)
            if not self.is_excluded(text, start):
                yield start, end

    def is_excluded(self, text: str, start: int) -> bool:
        return self.unless is not None and self.unless.search(text, max(0, start - _CLAUSE), start) is not None


def pattern(
    kind: str,
    regex: str,
    *hints: str,
    gate: re.Pattern[str] | None = None,
    unless: re.Pattern[str] | None = None,
) -> Pattern:
    compiled = re.compile(regex)
    return Pattern(kind, compiled, "value" if "value" in compiled.groupindex else 0, hints, gate, unless)


def matches(text: str, patterns: Iterable[Pattern]) -> Iterator[Found]:
    """What any of the patterns finds. A text in lower case must have the length of the original."""
    passed: dict[re.Pattern[str] | None, bool] = {None: True}
    for one in patterns:
        if one.gate not in passed and one.gate is not None:
            passed[one.gate] = one.gate.search(text) is not None
        if passed[one.gate] and (not one.hints or has_any(text, one.hints)):
            for start, end in one.find(text):
                yield Found(start, end, one.kind)


# What follows a number that is measured or counted, and a length of time.
UNITS = (
    r"(?:[смк]?м[23²³]?|мк[лмг]|м[клг]+|нг|пг|мед|мме|м?ме|iu|[мнпк]{0,2}моль|кг|гр|л|дл|балл\w*|раза?|таб\w*|кап\w*|"
    r"доз\w*|шт|уд|ед\w*|кл|клет\w*)"
)
TIME_UNITS = r"(?:лет|-?летн\w*|год\w*|мес\w*|нед\w*|дн\w*|день|сут\w*|час\w*|мин\w*|сек\w*)"
# Behind the number of a house.
NOT_COUNTED = rf"(?! ?(?:(?:{UNITS}|{TIME_UNITS})(?![\w/])|%|[,.]\d|×|х\s?\d|г\.\s?р))"
# A unit, a further size or the end of a range behind a number: it is measured, or counted.
NOT_MEASURED = (
    rf"(?!\s?(?:(?:{UNITS}|{TIME_UNITS}|г/|до|и\sболее|курс\w*|сегмент\w*|степен\w*|группе?|процент\w*)(?![а-яёa-z])|"
    r"[%‰°×*^]|[xх]\s?\d|[/–—-]\s?\d))"
)
# Words of what is measured, in the same sentence.
MEASURED = re.compile(
    r"(?<![а-яёa-z])(?:ттг|т[34]|тсг|анти|ат(?!\w)|ат-|ттпо|тпо|тг(?!\w)|св\.|своб(?!одно(?!\w))|кальцит|кальци|калий|калия|"
    r"натр|фосф|магн|пт[гх]|парат|"
    r"пролакт|кортиз|эстрад|тестост|прогест|лг(?!\w)|фсг|инсулин|глюк|гликир|hba|гемогл|hb|нв(?!\w)|лейк|эритр|тромб|"
    r"соэ|ферритин|витам|вит\.|d3|b12|холестер|лпнп|лпвп|креат|мочев|билир|белок|белк|алт(?!\w)|аст(?!\w)|ггт|щф|"
    r"рэа|са-?\s?1\d|хгч|псa|срб|crp|tsh|ft[34]|tpo|объ[её]м|размер|узел|узл|узлов|очаг|образован|диаметр|толщ|длин|"
    r"ширин|высот|перешеек|дол[яией]|имт|индекс|вес(?!н)|масса|рост(?!ов)|температ(?!урит)|давлен|ад(?!\w)|пульс|чсс|"
    r"увелич|сниз|повыс|повыш|уменьш|вырос|норм|реф|титр|доз|тирокс|л-тирокс|балл|количеств|число(?!\w)|уровен|уровн|"
    r"показател|скорост|фракц|коэфф|отношен|плотност|концентр|уро(?:вен|вн)|пределах|диапазон|ki-?67|tirads|"
    r"rads|bethesda|"
    r"разв[её]д|соотнош)(?:[^;\n!?.]|\.(?!\s)){0,48}\Z"
)

# What happens to a patient on a day and at a time: a number behind these words is hardly measured.
VISIT = (
    r"(?:(?:прибы|приед|приех|прид[её]т|прише|пришл|прих|привез|привёз|привед|достав|поступ|госпитал|направ|"
    r"выпис|осмотр|"
    r"обслед|обрат|явк|явил|явит|яви(?=ться)|при[её]м|принят|принял|взят|забор|забран|забрал|сда[нлмсе]|отправ|передан|"
    r"передал|выдан|выдал|умер|скончал|родил|рожд|консульт|консил|выз[оы]?в|звон(?=[иоя])|звонк|позвони|"
    r"назнач|перен[её]с|"
    r"отлож|заплан|запис|визит|посещ|посет|отпущ|открыт|закрыт|продл|уех|уед|убы|выех|верн[уё]|перев[её]|жд[её]|подпис)"
    r"\w*+|visit|seen|admitted|received|call|discharged|appointment)(?!\w)\.?"
)
# The same, but a result may follow: УЗИ 12.05.
EXAMINATION = (
    r"(?:(?:операц|прооп|пункц|пунктирован|биопс|получен|получил|готов|выполн|провед|проводил|произв|сдела|"
    r"уточн|оплат|внес|"
    r"начал|начат|оконч|законч|заверш)\w*+|дата|число|узи|кт|мрт|экг|таб|тиаб|тапб|фгдс|эгдс|taken|collected)(?!\w)\.?"
)
