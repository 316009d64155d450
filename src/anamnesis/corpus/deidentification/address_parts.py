"""Extends a part of an address by the parts beside it, in lower-case text: countries, regions, towns, streets, houses.

A part has a type word ("ул. Лесная", "Лесная ул.", "кв. 5"), is in quotation marks or brackets, or is a place by the
dictionary. Marks of punctuation or spaces separate parts; a line end does not.
"""

import re

from anamnesis.corpus.deidentification.patterns import NOT_COUNTED
from anamnesis.corpus.deidentification.words import is_place, may_be_place

COUNTRY = (
    r"(?:(?:росси(?:я|йская\sфедерация)|рф|беларусь|белоруссия|украина|молдавия|молдова|приднестровье|казахстан|"
    r"узбекистан|таджикистан|туркменистан|туркмения|кыргызстан|киргизия|армения|азербайджан|грузия|абхазия|"
    r"южная\sосетия|латвия|литва|эстония|монголия|китай|кнр|вьетнам|корея|северная\sкорея|южная\sкорея|индия|"
    r"турция|сирия|египет|израиль|германия|польша|финляндия|сша|италия|испания|франция|болгария|сербия)(?!\w)|"
    r"респ(?:\.|ублика)\s(?:беларусь|казахстан|узбекистан|таджикистан|молдова|армения|корея|абхазия|южная\sосетия|"
    r"кыргызстан|азербайджан|грузия)(?!\w))"
)
_WORD = r"[а-яё][а-яё-]{1,24}(?!\w)"
_ADJECTIVE = r"[а-яё-]{2,20}(?:[иоы]й|ая|яя|[оыи]е|[оеи]го|[оеы]м|[ое]й|[иы]х)"
_QUOTED = r"[«\"“][а-яё0-9][а-яё0-9\s.-]{1,30}[»\"”]"
_REGION_TYPE = (
    r"(?:обл(?:аст[ьи])?(?!\w)\.?|кра[йяе](?!\w)|р-о?н[ае]?(?!\w)|район[ае]?(?!\w)|(?:г\.?\s?о|а\.?\s?о|м\.?\s?о)(?!\w)\.?|"
    r"(?:(?:гор(?:одской|\.)|муницип\w{0,9}\.?|авт\w{0,8}\.?|м\.)\s?)?(?:окр(?:уг[ае]?|\.)|р-о?н[ае]?|район[ае]?)(?!\w)|"
    r"сельсовет[ае]?|сельское\sпоселение|с/с(?!\w)|с/п(?!\w))"
)
# Words of a region that also are words of anatomy or of speech: плоская область, детский район.
ADJECTIVE_OF_PLACE = (
    r"(?!(?:плос|детс|городс|сельс|медицинс|женс|мужс|близ|низ|уз|рез|редк|клиничес|людс|морс|светс|сонс|взрос))"
    r"[а-яё-]{3,24}(?<!че)(?<!чи)(?<!че-)[сц]к(?:ая|ий|ой|ого|ом|ую|ому)"
)
REGION = (
    rf"(?:{ADJECTIVE_OF_PLACE}\s{_REGION_TYPE}|(?:р-о?н|район|обл(?:\.|асть)|г\.\s?о\.|округ)\s(?!\w{{1,3}}\.){_WORD}|"
    rf"респ(?:\.|ублик[аеи])\s{_WORD}|{ADJECTIVE_OF_PLACE}\sресп(?:\.|ублика)|хмао(?:\s?[-–]\s?югра)?|янао)"
)
SETTLEMENT_TYPE = (
    r"(?:(?:город(?:[ае]|ок)?|гор|сел[оаеу]|деревн[яеи]|дер|(?:раб\.?\s)?пос(?:[её]л(?:ок|ка|ке))?|пгт|п\.\s?г\.\s?т|"
    r"р\.?\s?п|хут(?:ор[ае]?)?|станиц[аыеу]|ст-ц[аые]|станци[яи]|ж/?д\s?(?:ст|станци[яи]|разъезд|рзд)(?!\w)|п/ст|"
    r"аул[ае]?|кишлак[ае]?|улус|слобод[аы]|разъезд|местечко|починок|выселки|[сг]/п|п/о|[гсдпх]|ст)(?!\w)\.?\s{0,2})"
)
STREET_TYPE = (
    r"(?:(?:ул(?:иц[аеы]|-ца)?|у(?=\.)|пр-к?т\w?|просп(?:ект\w?)?|пр-?д|пр(?=\.)|проезд[ае]?|пер(?:еул(?:ок|ке))?|б-р|"
    r"бульв?(?:ар[ае]?)?|наб(?:ережн(?:ая|ой))?|ш(?=\.)|шоссе|туп(?:ик[ае]?)?|аллея|алл?(?=\.)|тракт|пл(?:ощадь)?|"
    r"лини[яи]|мкр(?:-?н)?|мк-н|микрорайон[ае]?|микр|м-н|кв-л|квартал[ае]?|спуск|взвоз|просек[аи]|жк|[сд]н[тп]|сдт|"
    r"гск|тер(?:ритория)?|в/г|военный\sгородок|городок|промзона|дачный\sпос[её]лок)(?!\w)\.?)"
)
# More than one word only before the number of a house: ул. Героев Советского Союза, 5.
_STREET_NAME = (
    rf"(?:(?:\d{{1,3}}(?:-?[а-я]{{1,2}})?\s)?(?:[а-яё]{{1,3}}\.\s?){{0,2}}{_WORD}(?:\s{_WORD}){{0,3}}"
    rf"(?=[\s,]{{1,3}}(?:\d|(?:д|дом|вл|к|корп|стр)(?:\W|\d)))|(?:[а-яё]{{1,3}}\.\s?){{0,2}}{_WORD})"
)
_UNIT = r"\d{1,4}(?:\s?[«\"]?[а-ед](?!\w)[»\"]?)?(?:\s?[/\\-]\s?\d{1,4}(?:[а-ед](?!\w))?){0,2}(?!\w|[.,]\d|-[а-я])"
_HOUSE = (
    r"(?:(?:д(?:\.|ом)?|домовл(?:\.|адение)|кв(?:\.|артира)?|к(?:\.|орп(?:\.|ус)?)?|стр(?:\.|оение)?|вл(?:\.|ад(?:\.|ение))?|"
    r"уч(?:\.|асток)|общ(?:\.|ежитие)|под(?:\.|ъезд)|эт(?:\.|аж)|оф(?:\.|ис)|ком(?:\.|ната|н\.|н)?|лит(?:\.|ера?)|пом\.|"
    rf"а/я|в/ч)\s?(?:№\s?)?(?:{_UNIT}{NOT_COUNTED}|(?<!\w)[а-дл](?!\w)(?:\s?-\s?\d{{1,4}})?))"
)
_IN_BRACKETS = r"\((?:общежитие|общ\.?|част\w{0,4}\.?\s(?:дом|сектор)|ч/д|дача|барак)\)"
_GAP = r"(?:[ \t]{0,2}[,;][ \t]{0,2}|[ \t]{1,2}|(?<=[.»\"”)]))"
_STREET = (
    rf"(?:{STREET_TYPE}\s{{0,2}}(?:{_QUOTED}|№?\s?\d{{1,3}}(?![\w.]|-[а-я])|{_STREET_NAME})|"
    rf"\d{{1,3}}-?(?:й|я|ая|ый|ой|е)\s(?:{_WORD}\s)?{STREET_TYPE}|"
    rf"(?:{_WORD}\s){{1,3}}{STREET_TYPE}(?=[\s,]{{1,3}}(?:\d|(?:д|дом)(?:\W|\d)))|"
    rf"{_QUOTED}(?=[\s,]{{1,3}}(?:д|дом|кв|уч|\d)))"
)
_PLACE = rf"{SETTLEMENT_TYPE}(?P<settlement>(?:{_ADJECTIVE}\s)?{_WORD}(?:[\s-]\d{{1,2}}(?![\w/.,]))?)"
_TOWN = rf"(?P<town>(?:{_ADJECTIVE}\s)?{_WORD})"
_BEHIND = re.compile(
    rf"{_GAP}(?:(?P<numbered>{_IN_BRACKETS}|{_HOUSE}|{_STREET})|{REGION}|{COUNTRY}|\d{{6}}(?!\d)|{_PLACE}|"
    rf"(?P<bare>{_UNIT}{NOT_COUNTED})|{_TOWN}(?=\s?[,;.|)\n\"»]|$))"
)
_BEFORE = re.compile(
    rf"(?<![\w-])(?:\d{{6}}|{REGION}|{COUNTRY}|{_STREET}|{_PLACE}|{_TOWN}(?=\s?,))\.?[ \t]{{0,2}}[,;]?[ \t]{{0,2}}\Z"
)
# A number may follow a street, a number or a village, but hardly a town: "г. Калуга, 45 лет".
_NUMBERED = re.compile(rf"\d|(?<!\w){STREET_TYPE}|(?<!\w)(?!г){SETTLEMENT_TYPE}{_WORD}(?:\s{_WORD})?\Z")
_TYPE_AT_END = re.compile(rf"(?<!\w)(?:{SETTLEMENT_TYPE}|{STREET_TYPE})\Z")
_LIKE_PLACE = re.compile(r".{2,}(?:[иы]й|ая|яя|[оыи]е|[оеё]во|[иы]но)")
# No address has more parts, or a longer part.
_PARTS, _LENGTH = 12, 60


def extended(text: str, lower: str, start: int, end: int) -> tuple[int, int]:
    """The start and the end of the address of which lower[start:end] is a part; `text` has the capitals."""
    if kind := _TYPE_AT_END.search(lower, max(start, end - 20), end):
        end = start + len(lower[start : kind.start()].rstrip(" ,"))
    return _start(text, lower, start), _end(text, lower, start, end)


def _end(text: str, lower: str, start: int, end: int) -> int:
    numbered = _NUMBERED.search(lower, start, end) is not None
    for _ in range(_PARTS):
        match = _BEHIND.match(lower, end)
        after = _end_of_part(text, match) if match else 0
        if match is None or not after or (match["bare"] and not numbered):
            break
        end, numbered = after, numbered or bool(match["numbered"])
    return end


def _start(text: str, lower: str, start: int) -> int:
    for _ in range(_PARTS):
        match = _BEFORE.search(lower, max(0, start - _LENGTH), start)
        if match is None or not _end_of_part(text, match):
            break
        start = match.start()
    return start


def _end_of_part(text: str, match: re.Match[str]) -> int:
    """The end of the part, of two words of which only the first may be a place that of the first; 0 if none may be."""
    name = "settlement" if match["settlement"] else "town"
    if not match[name]:
        return match.end()
    start, words = match.start(name), match[name].split(" ")
    if len(words) > 1 and is_name_of_place(text, start + len(words[0]) + 1, words[1], name == "town"):
        return match.end()
    if not is_name_of_place(text, start, words[0], name == "town"):
        return 0
    return match.end() if len(words) == 1 else start + len(words[0])


def is_name_of_place(text: str, start: int, word: str, by_dictionary: bool = False) -> bool:
    """Whether the word is a place by the dictionary; or, behind the type of a settlement, may be one."""
    if by_dictionary:
        return is_place(word)
    return text[start].isupper() or may_be_place(word) or _LIKE_PLACE.fullmatch(word) is not None
