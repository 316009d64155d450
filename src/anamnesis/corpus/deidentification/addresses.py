"""Addresses: finds parts by their type words ("ул.", "кв."), and joins neighbouring parts into one address.

A street, a region or a town with "г." is an address by itself. A house or a village counts only beside another part,
since "д. 5" and "с. 12" can be anything.
"""

import re
from collections.abc import Iterator
from itertools import chain

from anamnesis.corpus.deidentification.address_parts import (
    ADJECTIVE_OF_PLACE,
    COUNTRY,
    SETTLEMENT_TYPE,
    extended,
    is_name_of_place,
)
from anamnesis.corpus.deidentification.findings import Found, has_any
from anamnesis.corpus.deidentification.patterns import BEHIND_PLACEHOLDER, NOT_COUNTED
from anamnesis.corpus.deidentification.vocabulary import ClinicalWords
from anamnesis.corpus.deidentification.words import is_only_place, is_place, may_be_place

_CAPITAL = r"[А-ЯЁ](?:[а-яё]+|[А-ЯЁ]+)(?:-(?:[а-яё]{1,3}-)?[А-ЯЁа-яё]+){0,3}(?!\w)"
_ADJECTIVE = r"[А-ЯЁ][А-ЯЁа-яё-]*(?:[иоы]й|ая|яя|[оыие]е|ИЙ|ЫЙ|ОЙ|АЯ|ЯЯ|ОЕ|ЫЕ|ИЕ|[оО]го|[оое]м|[ое]й|[иы]х)"
_HOUSE_AHEAD = r"(?=[\s,.]{0,4}(?:\d|(?:[дДкК]|дом|Дом|ДОМ|стр|корп|вл)(?:\W|\d)))"
_ORDINAL = r"\d{1,3}(?:-?[а-яА-Я]{1,2})?\s"
_STREET_NAME = (
    rf"(?:(?:{_ORDINAL}(?:лет\s|ЛЕТ\s)?|им\.\s?|имени\s|реки\s|РЕКИ\s|[Аа]кад(?:\.|емика\s)\s?|"
    rf"[Мм]арш(?:\.|ала\s)\s?|[Гг]ен(?:\.|ерала\s)\s?|(?:[Аа]дмирала|[Пп]олковника|[Кк]осмонавта|[Пп]рофессора|"
    rf"[Кк]апитана|[Лл]ейтенанта|[Бб]ратьев|[Дд]октора|[Кк]омиссара)\s|(?:[А-ЯЁ][а-я]?\.\s?){{1,2}}){{0,2}}"
    rf"(?:{_CAPITAL}(?:\s(?:{_CAPITAL}|и\s{_CAPITAL}|лет\s{_CAPITAL})){{1,3}}{_HOUSE_AHEAD}|{_CAPITAL}(?:\sтракт)?))"
)
_STREET = (
    r"(?i:ул(?:\.|ица|ице|ицы|-ца)?|пр-к?т\w?|просп(?:\.|ект\w?)|пер(?:\.|еул(?:\.|ок|ке))|пр-?д|проезд|б-р|"
    r"бул(?:\.|ьвар\w?)|наб(?:\.|ережная)|ш(?:\.|оссе)|туп(?:\.|ик)|аллея|мкр(?:-?н)?|микрорайон|м-н|кв-л|квартал|"
    r"[сд]н[тп]|тракт|жк|пр\.|пл(?:\.|ощадь))\.?"
)
_LETTER = r"(?:\s?[«\"][А-ЯЁа-яё][»\"]|[\s-]?[а-едА-ЕД](?!\w))"
_UNIT = (
    rf"\d{{1,4}}{_LETTER}?(?:\s?[/\\-]\s?\d{{1,4}}{_LETTER}?|[а-дА-Д]-\d{{1,4}}){{0,2}}"
    rf"(?:\s?[ксКС]\d{{1,2}}(?:\s?-\s?\d{{1,4}})?)?(?!\d|-?[йя](?!\w))"
)
_BARE_UNITS = rf"(?:[\s,]{{1,3}}{_UNIT}{NOT_COUNTED}){{1,3}}"
_HOUSE = (
    r"(?<!\w)(?i:д(?:\.|ом)?|к(?:\.|орп(?:\.|ус)?)?|стр(?:\.|оение)?|кв(?:\.|артира)?|вл(?:\.|ад(?:\.|ение))?|"
    r"уч(?:\.|асток)|общ(?:\.|ежитие)|под(?:\.|ъезд)|"
    rf"эт(?:\.|аж)|оф(?:\.|ис)|ком(?:\.|ната|н\.)|лит(?:\.|ера?)|пом\.|а/я)\s?№?\s?(?:{_UNIT}|"
    rf"[А-ДЛ](?!\w)(?:\s?-\s?\d{{1,4}}(?!\d))?)"
)
_TOWN = rf"(?:{_ADJECTIVE}\s{_CAPITAL}|{_CAPITAL})"

_COUNTRY_OF = (
    r"(?i:беларус|казахстан|узбекистан|таджикистан|молдов|армени|коре|абхази|южн|кыргыз|азербайдж|груз|туркмен|польш|"
    r"итал|индия|индии)"
)
_STRONG = (
    rf"(?<!\w){_STREET}(?!(?<=[А-ЯЁ])[А-ЯЁ])\s{{0,2}}(?:{_STREET_NAME}|[«\"]{_CAPITAL}(?:\s{_CAPITAL})?[»\"]|"
    rf"1905\sгода|"
    rf"(?<=[Уу]л\.|л\.\s)[а-яё]{{3,20}}(?=[\s,]{{1,2}}(?:д|дом)?\.?\s?\d)|\d{{1,3}}(?=\D|$))"
    rf"(?:{_BARE_UNITS})?"
    rf"|(?<!\w)\d{{1,2}}-?[яй]\sлиния(?:\sВ\.?\s?О\.?)?(?:{_BARE_UNITS})?"
    rf"|(?<!\d)\d{{6}}[\s,]{{1,3}}{_TOWN},\s?{_CAPITAL}(?:\s{_CAPITAL}){{0,2}}{_BARE_UNITS}"
    r"|(?<!\w)[А-ЯЁ][А-ЯЁа-яё-]{1,30}[сцСЦ][кК][а-яА-Я]{2,3}\s(?i:обл(?:\.|асть|асти|\b)|кра[йея](?!\w)|"
    r"р-о?н[аеу]?(?!\w)|район\w?(?!\w)|а\.?о\.?(?!\w)|округ\w?(?!\w)|г\.?\s?о\.?(?!\w)|гор(?:одской|\.)\sокруг|"
    r"муниц\w*\.?\s(?:район|округ))|(?<!\w)(?:ХМАО(?:\s?[-–]\s?Югра)?|ЯНАО)(?!\w)|"
    r"(?<!\w)[А-ЯЁ][а-яё]{3,15}ая\s[Рр]есп(?:\.|ублика)?(?!\w)"
    rf"|(?<!\w)(?i:р-о?н|г\.\s?о\.)\s{_CAPITAL}"
    rf"|(?<!\w)(?i:респ(?:\.|ублик[аи]))\s?(?!{_COUNTRY_OF}){_CAPITAL}(?:-{_CAPITAL})?"
    rf"|(?<![\w*\]¤])(?:(?<![\d*\]¤] )|(?<=\d{{6}} )|(?=[Гг]ор))"
    r"(?i:г(?:\.\s?|ор\.\s?|ород[аеу]?\s|(?<=[,:вВ]\sг)\s|(?<=из\sг)\s"
    rf"|\s(?=[А-ЯЁ][\w\s-]{{2,25}},))){_TOWN}"
    rf"|(?<!\w)(?i:(?:раб\.\s?)?пос(?:\.|[её]л(?:ок|ка|ке))|пгт|п\.г\.т|п/ст|[сп]/п|п/о|рп|(?-i:р\.\s?п)|"
    rf"дер(?:\.|евн[яеи])|ст-ца|станиц[аыеу]|хутор[ае]?|аул[ае]?|сел[оаеу])\.?\s?{_TOWN}"
)
_STREET_BEHIND = (
    rf"(?<!\w)(?![А-ЯЁа-яё-]{{0,12}}(?i:кишечн|пищевар|дыхат|респират|моче|урогенит|пирамид))"
    rf"(?:{_ORDINAL}\s?)?{_STREET_NAME}\s(?:(?i:ул(?:\.|ица|ице)|пр-к?т\w?|просп(?:\.|ект\w?)|"
    rf"пер(?:\.|еул\w*)|пр-?д|проезд\w?|б-р|бульвар\w?|наб(?:\.|ережная)|ш(?:\.|оссе)|туп(?:\.|ик)|аллея|тракт|"
    rf"мкр\.?|микрорайон|линия)(?!\w)|(?<=[йЙя]\s)пр\.{_HOUSE_AHEAD})\.?"
    rf"(?!\s{{0,2}}(?:[А-ЯЁ][а-яё]|\d{{1,3}}(?:-[а-я]{{1,2}}|\sлет)\s))(?:{_BARE_UNITS})?"
)
_WEAK = (
    rf"(?<!\w)(?:с|д|п|х|ст|(?<=,\s)[СДПХ])\.\s?{_TOWN}|(?<!\w)[сдпх]\s{_TOWN}(?=,\s?(?:ул|пер|пр|д)[.\sи])|{_HOUSE}"
)
_FLAT = rf"(?<!\w)(?i:кв(?:\.|артира)?)\s?№?\s?{_UNIT}"
# A type word after the name ("Ленинский пр-т") is searched for at every capital letter, so only if the text has one.
_PARTS = re.compile(rf"(?P<strong>{_STRONG})|(?P<flat>{_FLAT})|(?P<weak>{_WEAK})")
_PARTS_OF_ALL = re.compile(rf"(?P<strong>{_STREET_BEHIND}|{_STRONG})|(?P<flat>{_FLAT})|(?P<weak>{_WEAK})")
_STREET_BEHIND_HINT = re.compile(r"[а-яё0-9]\s(?:ул|пр|пер|б-р|бул|наб|ш[.о]|туп|алл|тракт|мкр|микр|линия)")
_HEADING = (
    r"(?i:адрес|прожив|пропис|зарегистр|место|тел(?!ьм)|паспорт|полис|снилс|дата|диагноз|врач|пациент|больн|фио|"
    r"возраст|карта|жалоб|эл|пол(?!е|я|и)|моб|конт|узел|заключ|описан|материал|направ|пункт|анамнез|номер|стекл|"
    r"стёкл|препарат|цит|иссл|уз[ил]|размер|форма|код|приказ|отдел|контроль|тироксин|количеств|диаметр|классиф|"
    r"рекоменд|гост|исо(?!\w)|воз(?!\w)|система|анализ|кальцит|тирео|окраск|ист(?:ория|\.))"
)
_GAP = re.compile(rf"[\s,;.]{{0,5}}(?:(?:(?!{_HEADING}){_CAPITAL}|{_UNIT}|\d{{6}}|В\.?\s?О)[\s,.]{{1,3}}){{0,3}}")
_INDEX_OR_TOWN = re.compile(
    rf"(?:(?<!\w)(?:Россия|РФ),?\s)?(?:(?<!\d)\d{{6}}[\s,]{{1,3}})?(?:(?:{_TOWN}|РФ|СПб)\s?,\s?){{0,3}}$"
)
_STREET_FIRST = re.compile(rf"{_STREET}\s")
_TOWN_OF_STREET = re.compile(rf"(?<![\w-])(?<!\.\s){_CAPITAL}\s$")
_DIGIT = re.compile(r"\d")
_TAIL = re.compile(rf"(?:[\s,;]{{1,3}}(?:{_HOUSE}|{_UNIT}{NOT_COUNTED}|\d{{6}}(?!\d))){{1,5}}")
# What may still follow the number of a house: 98б, 180-55, 162/2.
_HOUSE_END = re.compile(r"\d{0,3}(?:\s?[«\"]?[а-е][»\"]?(?!\w))?(?:\s?[/\\-]\s?\d{1,4}[а-е]?(?!\w)){0,2}")
_NOT_A_TOWN = re.compile(_HEADING)
# After an announcing word: postal code, type words, capitalized names and numbers in any order, up to a full stop, a
# line end or a lower-case word that is no type word.
_TYPE = (
    r"(?i:обл(?:асть|асти)?|край|края|кр|респ(?:ублик[аи])?|р-о?н[ае]?|район[ае]?|г\.?\s?о|го|городской|"
    r"муницип\w{0,9}|округ[ае]?|а\.?о|хмао|янао|г|гор|город[ае]?|с|сел[оае]|д|дер|деревн[яеи]|пос|посел\w{1,3}|"
    r"посёл\w{1,3}|п|пгт|п\.г\.т|раб|р\.?п|ст|ст-ц[аы]|станиц[аые]|х|хутор[ае]?|аул[ае]?|"
    r"[сп]/п|п/ст|п/о|в/ч|а/я|[сд]н[тп]|кп|жк|тер(?:ритория)?|в\.?\s?о|линия|лет|им(?:ени)?|ул(?:иц[аые]|-ца)?|"
    r"пр(?:-к?т|-д|осп|оспект[ае]?|оезд)?|пер(?:еул(?:ок|ке))?|б-р|бул(?:ьвар)?|наб(?:ережная)?|ш(?:оссе)?|"
    r"туп(?:ик)?|аллея|тракт|пл(?:ощадь)?|мкр(?:-?н)?|мк-н|м-о?н|микр(?:орайон)?|кв-л|"
    r"квартал|д(?:ом)?|к(?:орп(?:ус)?)?|стр(?:оение)?|кв(?:артира)?|вл(?:ад(?:ение)?)?|под(?:ъезд)?|эт(?:аж)?|"
    r"оф(?:ис)?|ком(?:н(?:ата)?)?|лит(?:ера?)?|пом|уч(?:асток)?|общ(?:ежитие)?|военный|городок|генерала|академика|"
    r"маршала)(?!\w)\.?"
)
_NAME_OF_PART = (
    rf"(?:(?<=\d{{6}}\s)|(?<!\d\s))(?!{_HEADING}){_CAPITAL}(?!\s?:)"
    r"|1905\sгода|\d{1,2}\s(?i:мая|марта|января|октября|ноября|июля)(?!\w)"
)
_ITEM = (
    rf"(?:\d{{6}}(?!\d)|\d{{1,3}}-?(?:й|я|е|го|ая|ый|ой)(?!\w)|{_TYPE}|{_NAME_OF_PART}|[А-ЯЁ]\.|№|{_UNIT}{NOT_COUNTED}|"
    r"[«\"][А-ЯЁа-яё][А-ЯЁа-яё\s-]{0,20}[»\"]|\([А-ЯЁ][а-яё]{2,15}\))"
)
_ANNOUNCED = re.compile(
    r"(?<!\w)(?i:(?:адр(?:ес[а-я]*|\.)|место\sжит(?:-ва|[а-я]*)|м/ж|прож(?:ив[а-я]*|\.)|прописан[а-я]*|"
    r"жит(?:ел[а-я]{1,7}|\.)|прописка|регистрация|место\sрегистрации|"
    r"(?:прибыл[аи]?|приехал[аи]?|родом)(?=\sиз\s)|зарегистрирован[а-я]*(?=[\s:]{1,2}(?:по|в\s|:)))"
    r"(?:[\s:.,–—-]|по\s|адресу|фактическ[а-я]{2,3}|регистрации|проживания|прописки|места|жит[а-я]{5,8}|"
    r"пациент[а-я]{0,2}|больно[а-я]{1,2}|в\s|из\s){1,8})"
    rf"(?<!\w)(?!(?i:по|в|из|на)\s)(?=\d{{6}}[\s,]|\d{{1,2}}-(?:я|й|го)\s|(?i:рф|россия)[\s,]|[А-ЯЁ]|"
    rf"{_TYPE}\s{{0,2}}[А-ЯЁ\d«\"])"
    rf"(?P<value>{_ITEM}(?:(?:\s?(?:,|;(?=\s?[дк]))\s{{0,2}}|[ \t]{{0,2}}(?:-\s?)?){_ITEM}){{0,30}}+)"
)
_ANNOUNCING = re.compile(r"(?<!\w)(?:адр|место\s|м/ж|прож|пропис|жит|регистрац|зарегистр|прибыл|приехал|родом)")
# In a text without capitals, of parts with their type words: a street with a house; a region with a town or village; a
# town or village in brackets or behind who comes from there.
_WORD = r"[а-яё][а-яё-]{2,24}"
_ADJECTIVE_IN_LOWER = r"[а-яё-]{2,20}(?:[иоы]й|ая|яя|[оыи]е|[оеи]го|[оеы]м|[ое]й|[иы]х|[оеё]е|ую)"
_REGION_IN_LOWER = (
    r"(?:(?:респ(?:\.|ублик[аеи])\s[а-яё-]{4,20}|[а-яё-]{3,24}ая\sресп(?:\.|ублика)|"
    r"(?!(?:дет|город|медицин|муж|жен)с)[а-яё-]{2,24}(?<!че)(?<!чи)[сц]к(?:ая|ий|ой|ого|ом|ую)\s(?:обл(?:\.|"
    r"аст[ьи])?|кра[йяе]|р-о?н[ае]?|район[ае]?|"
    r"м\.?\s?р-о?н|(?:гор(?:одской|\.)?\s|муниципальн\w{2,3}\s)?(?:округ[ае]?|район)|м\.?о\.?|г\.?\s?о\.?|"
    r"а\.?о\.?))(?!\w)\.?|"
    r"(?:р-о?н|район)\s[а-яё-]{2,20}ский|хмао|янао)"
)
# A single letter needs its full stop, except "г пенза".
_SETTLEMENT_TYPE = (
    r"(?:(?:г|гор|с|д|дер|п|пос|х|ст|мест|раб\.\s?пос|дачн\w{2}\sпос|р\.?\s?п|п\.\s?г\.\s?т|ж/д\sст)\.\s{0,2}|"
    r"(?:г|город[ае]?|сел[оае]|деревн[яеи]|пос[её]л(?:ок|ка|ке)|пгт|ст-ц[аые]|станиц[аыеу]|хутор[ае]?|"
    r"аул[ае]?|кишлак[ае]?|"
    r"снт|днт|п/ст|с/п|слобод[аые]|улус|местечко|разъезд|починок|выселк[аи]|арбан|наслег|рп|пос|дер)\.?\s)"
)
_SETTLEMENT_NAME = rf"(?:(?:{_ADJECTIVE_IN_LOWER}|[а-яё]{{3,14}}|[а-яё]{{2,8}}\.)\s)?{_WORD}(?:\s\d)?"
_SETTLEMENT_IN_LOWER = rf"{_SETTLEMENT_TYPE}{_SETTLEMENT_NAME}"
# Some types are also short for something else (перелом, стадия): they need a house with its word.
_SURE_STREET_TYPE = (
    r"(?:ул(?:\.|иц[аеы]|-ца)?|пр-к?т|просп(?:\.|ект[ае]?)|переул(?:\.|ок|ке)|пр-д|проезд[ае]?|б-р|бул(?:\.|ьвар[ае]?)|"
    r"наб(?:\.|ережн(?:ая|ой))|шоссе|алле[яеи]|мкр(?:-?н)?|микрорайон[ае]?|м-н|кв-л|квартал[ае]?)(?!\w)\.?"
)
_STREET_TYPE = (
    rf"(?:{_SURE_STREET_TYPE}|(?:пер\.|ш\.|туп(?:\.|ик[ае]?)|тракт|спуск|взвоз|просек[аи]?|пл(?:\.|ощадь))(?!\w))"
)
_STREET_WORDS = rf"(?:\d{{1,3}}(?:-?[а-я]{{1,3}})?\s)?(?:(?:{_WORD}|[а-яё]{{1,4}}\.)\s?){{0,2}}{_WORD}"
_NOT_A_HOUSE = r"(?!\d|[.,]\d|\s?(?:[смк]?м|м[лкг]|лет|год|г\.|%|[×х])(?!\w))"
_SURE_HOUSE = r"(?:,\s?|\s)(?:д|дом|вл|стр|уч)(?:\.\s?|\s)?\d{1,4}(?!\d)"
_HOUSE_IN_LOWER = rf"(?:{_SURE_HOUSE}|(?:,\s?|\s)(?:(?:корп|к)\.\s?)?\d{{1,4}}{_NOT_A_HOUSE})"
_STREET_IN_LOWER = (
    rf"(?<!\w)(?:{_SURE_STREET_TYPE}\s?(?:{_STREET_WORDS}|\d{{1,2}}-?[яй](?:\s{_WORD})?){_HOUSE_IN_LOWER}|"
    rf"{_STREET_TYPE}\s?{_STREET_WORDS}{_SURE_HOUSE}|"
    rf"(?:\d{{1,3}}(?:-?[а-я]{{1,2}})?\s)?(?:{_ADJECTIVE_IN_LOWER}|{_WORD}\s{_WORD}|{_WORD})\s"
    rf"(?:{_STREET_TYPE}{_SURE_HOUSE}|{_SURE_STREET_TYPE},\s?\d{{1,4}}{_NOT_A_HOUSE})|"
    rf"\d{{1,2}}(?:-?[йяго]{{1,2}})?\s(?:мкр(?:-?н)?|микрорайон|квартал|кв-л)(?!\w)\.?,?\s(?:д(?:ом)?\.?\s?)?\d{{1,4}})"
)
_STREETS_IN_LOWER = re.compile(_STREET_IN_LOWER)
_PLACES_BEFORE = re.compile(
    rf"(?<!\w)(?:(?:россия|рф),?\s)?(?:\d{{6}}(?:,\s?|\s))?(?:(?:{_REGION_IN_LOWER}|"
    rf"{_SETTLEMENT_IN_LOWER})(?:,\s{{0,2}}|\s)){{0,4}}\Z"
)
_REGION_AND_SETTLEMENT = re.compile(
    rf"(?<!\w)(?:\d{{6}}(?:,\s?|\s))?{_REGION_IN_LOWER}(?:,\s?|\s)(?:{_REGION_IN_LOWER}(?:,\s?|"
    rf"\s))?{_SETTLEMENT_IN_LOWER}"
)
_FROM = (
    r"(?:приезж(?:ий|ая|его|ей|ие)|прибыв\w{2,3}|иногородн\w{2,3}|родом|урожен(?:ец|ка|ки|ца)|"
    r"жител\w{1,7}|прожив\w{2,6}|"
    r"прож\.|жив[её]т|жил[аи]?|прописан\w{0,2}|зарегистрирован\w{0,2}|адрес\w{0,2}|прибыл[аи]?|приехал[аи]?|"
    r"переехал[аи]?|переведен\w?|"
    r"переведён\w?|доставлен\w?|направлен\w?|поступил[аи]?|родил(?:ась|ся)|место\s(?:жительства|рождения|регистрации)|"
    r"фап|амбулатори\w|участков\w{2,3}|больниц\w|school|семья)"
)
# The brackets and words that make a lone town or village certain.
_LONE_SETTLEMENT = re.compile(
    rf"(?:(?P<bracket>\(\s?(?:из\s|родом\sиз\s|жит\w*\.?\s)?)|(?<!\w){_FROM}[\s:(,–—-]{{1,3}}(?:(?:из|в|по|на)\s)?)"
    rf"(?P<value>{_SETTLEMENT_IN_LOWER})(?(bracket)(?=\s?[,)]))"
)
# Anywhere, with the whole type word, or with its letter and a preposition, if the name may be a place.
_SETTLEMENT_ANYWHERE = re.compile(
    r"(?<![\w.])(?P<value>(?:(?:село|сел[ае]|деревн[яеи]|пос[её]л(?:ок|ка|ке)|пгт|ст-ц[аые]|станиц[аые]|"
    r"хутор[ае]?|аул[ае]?|"
    r"кишлак[ае]?|город[ае]?)\s{1,2}|(?:дер|пос|гор|(?<!\d\s)(?<!\d)г|(?<=из\s)[сдпх]|(?<=\sв\s)[сдх])\.\s{0,2})"
    rf"(?:{_ADJECTIVE_IN_LOWER}\s)?{_WORD})"
)
_HAS_SETTLEMENT = re.compile(
    r"(?<!\w)(?:[гсдпх]\.|г\s|гор|сел[оае]|дер|пос|пгт|р\.?\s?п|ст-ц|ст\.|станиц|хут|аул|киш|слоб|улус|снт|"
    r"днт|п/ст|с/п|разъезд)"
)
_HAS_STREET = re.compile(rf"(?<!\w){_STREET_TYPE}")
# Foreign addresses, and Russian ones in Latin letters.
_LATIN_STREET = (
    r"(?:\d{1,5}[A-Za-z]?(?:[-/]\d{1,4})?,?\s(?:[NSEW]\.?\s)?(?:[A-Z][A-Za-z'.-]{1,20}\s|\d{1,3}(?:st|nd|rd|th)\s){1,3}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Boulevard|Blvd|Square|Sq|Court|Ct|Terrace|Crescent|Close|"
    r"Way|Place)(?!\w)\.?|"
    r"[A-ZÄÖÜ][A-Za-zäöüß-]{2,24}(?:stra(?:ß|ss)e|str\.|weg|gasse|platz|allee|gata|straat)\s\d{1,4}[a-z]?|"
    r"(?:\d{1,4},?\s)?(?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Cc]alle|[Vv]ia|[Uu]l(?:itsa|ica|\.)?|"
    r"[Pp]r(?:ospe[ck]t|-?[kt]t?)\.?|[Pp]er\.|"
    r"[Nn]ab\.|[Ss]h\.)\s(?:(?:de|du|des|la|della|del|"
    r"[A-Z]\.)\s){0,2}[A-Z][A-Za-zéèà'-]{2,24}(?:\s[A-Z][a-z]+)?(?:,?\s(?:d(?:om)?\.?\s?)?\d{1,4}[a-z]?)?)"
)
_LATIN_TOWN_FIRST = (
    r"[A-Z][a-z]{2,20},\s(?:[A-Z][A-Za-z.'-]{1,20}\s){1,3}(?:Street|St|Str|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Sq)(?!\w)\.?,?\s"
    r"\d{1,4}[a-z]?(?:[/-]\d{1,4})?"
)
_LATIN_TAIL = (
    r"(?:,?\s(?:[Aa]pt|[Ff]lat|[Ss]uite|[Uu]nit|[Kk]v|[Kk]orp|[Kk]|[Dd]|[Ss]tr|#)\.?\s?\d{1,4}[a-z]?){0,3}"
    r"(?:,\s(?:\d{4,6}\s)?[A-Z][a-zäöüéß.-]+(?:\s[A-Z][a-z]+){0,2}){0,3}(?:,?\s(?:[A-Z]{1,2}\d[\dA-Z]?\s?\d[A-Z]{2}|(?:[A-Z]{2}\s)?\d{5,6}(?:-\d{4})?)(?!\w))?"
    r"(?:,\s(?:USA|UK|[A-Z][a-z]+))?"
)
_LATIN = re.compile(
    rf"(?<!\w)(?:(?:\d{{6}},?\s)?(?:[Gg]\.\s?)?[A-Z][a-z]{{2,20}},\s)?(?:{_LATIN_STREET}|{_LATIN_TOWN_FIRST}){_LATIN_TAIL}"
)
_HAS_LATIN = re.compile(
    r"(?<![a-z])(?:st(?:reet)?|ave(?:nue)?|r(?:oa)?d|lane|ln|drive|boulevard|blvd|sq(?:uare)?|court|ct|"
    r"terrace|crescent|close|way|place|"
    r"rue|calle|via|ul(?:itsa|ica)?|prospe[ck]t|pr-?k?t|per|nab|sh)(?![a-z])|stra(?:ß|ss)e|str\.|weg|gasse|"
    r"platz|allee|gata|straat"
)
_MAIL = re.compile(r"(?:[\s,;]{1,3}(?:до\sвостребования|а/я\s?№?\s?\d{1,6}|в/ч\s?№?\s?\d{3,6})){1,2}")
_LAST_WORD = re.compile(r"[а-яё-]{3,}(?=(?:\s\d)?\Z)")
_NEUTER = re.compile(r".{2,}(?:[оеь]е|[оеё]во|[иы]но)")
# Every address has one of these hints, and lies within _MARGIN characters of one.
_MARGIN = 150
_HINT = re.compile(
    r"(?<!\w)(?:г(?:\.|ор|\s)|ул|пр[-.]|про[сез]|пер[.е]|б-р|бул[.ь]|наб|ш[.о]|туп|алл|мкр|микрор|м-н|кв-|квар|"
    r"[сд]н[тп]|тракт|жк|[сп]/п|п/|хмао|янао|пос[.её]|пгт|рп|р\.|дер[.е]|ст-|станиц|хут|аул|сел|респ|пл\.)|\sобл|р-н|"
    r"район|\sкра|\sокр|\sа\.?о|линия|(?<!\d)\d{6}[\s,]|кв\.?\s?\d"
)


# A person's town: behind a placeholder or between marks of punctuation, or after "из".
_PLACE_NAME = rf"(?:(?:{_ADJECTIVE}\s)?{_CAPITAL})"
_PLACE_ENDING = re.compile(r".+(?:[сцз]к[ае]?|[оеё]в[оае]|[иы]н[оае]|бург[ае]?|град[ае]?|пол[ьяе]|горс?к[ае]?)")
_ENDS = r"(?=\s?[.,;)|<\"»\n]|\s?$)"
_BEHIND_PERSON = r"(?:(?<=¤)|(?<=¤\))|(?<=¤[»\"]))"
_TOWN_OF_PERSON = re.compile(
    rf"{_BEHIND_PERSON}(?:[,;]\s|\s?\(|\|\s?)(?:из\s)?(?P<value>{_PLACE_NAME}){_ENDS}|"
    rf"(?<!\w)(?i:иногородн\w{{2,3}}|родом|прожив\w{{2,8}}|урожен\w{{2,4}}|жител\w{{1,7}}),\s(?P<there>{_PLACE_NAME}){_ENDS}"
)
_FROM_TOWN = re.compile(
    rf"(?<!\w)из\s(?P<value>(?:[а-яё-]{{2,20}}(?:[иоы]й|ая|яя|[оыи]е|[оеи]го|[ое]й|[иы]х)\s)?[а-яё-]{{3,24}})(?![\w-])|"
    rf"(?<!\w)из\s(?P<district>{ADJECTIVE_OF_PLACE}\s(?:район|р-о?н|кра|обл|округ)\w{{0,3}})"
)
_VILLAGE_BEHIND_PERSON = re.compile(
    rf"(?:{BEHIND_PLACEHOLDER}|(?<=[а-я]\][)»\"]))[\s,.;(|]{{1,3}}(?:из\s)?(?P<value>(?:[сдпх]|ст|р\.?\s?п|пос|дер)\.\s?(?:{_ADJECTIVE_IN_LOWER}\s)?"
    rf"(?P<name>[а-яё-]{{3,24}})){_ENDS}"
)
_VILLAGE_OF_PERSON = re.compile(
    rf"(?:(?<=[,;|(:>])\s?|(?<=[.)¤\]]\s)|(?m:^))(?P<value>(?:[сдпх]|ст|р\.?\s?п|пос|дер)\.\s?(?P<name>{_PLACE_NAME})){_ENDS}"
)
_STATION = re.compile(rf"(?<!\w)(?i:ж/?д\s?(?:ст|станци[яи]|разъезд|рзд))\.?\s?{_CAPITAL}")
# A village without a full stop behind its type, with a house or a street: с Ивановка, дом 10.
_VILLAGE_AND_HOUSE = re.compile(
    rf"(?<![\w.]){SETTLEMENT_TYPE}(?<=\s)(?P<name>[а-яё-]{{3,24}})[,\s]{{1,3}}(?:дом(?!\w)|д\.|ул(?:ица)?(?!\w)\.?|пер\.)\s?[а-яё\d]"
)
_DISTRICT = re.compile(
    rf"(?<![\w-])(?:{ADJECTIVE_OF_PLACE}\s(?:р-о?на?|район[ае]?|край|края|обл(?:\.|асть|асти)|окр(?:\.|уг[ае]?))(?![а-яё])|"
    r"р-о?н\s[а-яё-]{2,20}ский(?!\w))"
)
_DISTRICTS = ("р-н", "р-он", "район", "край", "края", " обл", " окр")
_ABROAD = re.compile(rf"(?<!\w)(?i:{COUNTRY})(?:,\s[А-ЯЁ][а-яё-]+(?:\s[А-ЯЁ][а-яё-]+)?){{1,3}},\s\d{{1,4}}(?!\w)")
# A field of a message: address="Балаково".
_FIELD = re.compile(
    r"(?<![\w-])(?<!ip )(?<!mac )(?:home_|postal_)?(?:addr(?:ess)?|adres|адрес|city|город|town|street)[\"']?\s?[:=]\s?"
    r"\"(?P<value>[^\"\n<>\[\]@]{3,150})\""
)
_HOUSES = (" дом ", ",дом ", " д.", ",д.", " ул", ",ул", " пер.", ",пер.")
_IS_COUNTRY = re.compile(COUNTRY)
_COUNTRIES = (
    "рф,", "россия,", "беларусь,", "белоруссия,", "украина,", "молдавия,", "молдова,", "приднестровье,", "стан,",
    "туркмения,", "киргизия,", "армения,", "азербайджан,", "грузия,", "абхазия,", "осетия,", "латвия,", "литва,",
    "эстония,", "монголия,", "китай,", "кнр,", "вьетнам,", "корея,", "индия,", "турция,", "сирия,", "египет,",
    "израиль,", "германия,", "польша,", "финляндия,", "сша,", "италия,", "испания,", "франция,", "болгария,", "сербия,",
)  # fmt: skip
_STAYS = ("иногородн", "родом", "прожив", "урожен", "жител")
_HAS_FIELD = re.compile(r"(?:addr|adres|адрес|city|город|town|street)\w{0,5}[\"']?\s?[:=]\s?\"")


def find_addresses(text: str, lower: str, clinical: ClinicalWords) -> Iterator[Found]:
    """Whole addresses, from the postal code or the first part to the flat."""
    end_of_last = 0
    for start, end in sorted(chain(_parts(text, lower), _of_persons(text, lower, clinical))):
        if end > end_of_last:
            start, end_of_last = extended(text, lower, start, end)
            yield Found(start, end_of_last, "address")
    if _HAS_LATIN.search(lower):
        yield from (Found(*match.span(), "address") for match in _LATIN.finditer(text))
    if '"' in lower and _HAS_FIELD.search(lower):
        yield from (Found(*match.span("value"), "address") for match in _FIELD.finditer(lower))


def _parts(text: str, lower: str) -> Iterator[tuple[int, int]]:
    """Parts that are an address by themselves."""
    if _ANNOUNCING.search(lower):
        for match in _ANNOUNCED.finditer(text):
            if not _NOT_A_TOWN.match(text, match.start("value")):
                yield match.span("value")
    if _HAS_SETTLEMENT.search(lower):
        yield from _settlements(lower)
        yield from (match.span() for match in _STATION.finditer(text))
    if has_any(lower, _HOUSES):
        for match in _VILLAGE_AND_HOUSE.finditer(lower):
            if is_name_of_place(text, match.start("name"), match["name"]):
                yield match.start(), match.end("name")
    if _HAS_STREET.search(lower):
        yield from _streets(lower)
    if has_any(lower, _DISTRICTS):
        yield from (match.span() for match in _DISTRICT.finditer(lower))
    if has_any(lower, _COUNTRIES):
        yield from (match.span() for match in _ABROAD.finditer(text))
    hints = [match.start() for match in _HINT.finditer(lower)]
    if hints:
        yield from _by_parts(text, lower, max(0, hints[0] - _MARGIN), min(len(text), hints[-1] + _MARGIN))


def _of_persons(text: str, lower: str, clinical: ClinicalWords) -> Iterator[tuple[int, int]]:
    """Towns and villages that are a person's by what is beside them."""
    if "¤" in text or has_any(lower, _STAYS):
        for match in _TOWN_OF_PERSON.finditer(text):
            name = match.lastgroup or "value"
            if _is_town(match[name], clinical):
                yield match.span(name)
    if " из " in lower or lower.startswith("из "):
        for match in _FROM_TOWN.finditer(lower):
            start, word = match.start("value"), (match["value"] or "").split(" ")[-1]
            if match["district"] or (is_place(word) if text[start].isupper() else is_only_place(word)):
                yield match.span(match.lastgroup or 0)
    if "]" in lower:
        for match in _VILLAGE_BEHIND_PERSON.finditer(lower):
            if match["name"] not in clinical:
                yield match.span("value")
    if _HAS_SETTLEMENT.search(lower):
        for match in _VILLAGE_OF_PERSON.finditer(text):
            *adjective, last = match["name"].split(" ")
            if last not in clinical and (adjective or may_be_place(last)):
                yield match.span("value")


def _is_town(name: str, clinical: ClinicalWords) -> bool:
    last = name.split(" ")[-1]
    return (is_place(last) and not _IS_COUNTRY.fullmatch(last.lower())) or (
        _PLACE_ENDING.fullmatch(last) is not None and may_be_place(last) and last not in clinical
    )


def _settlements(lower: str) -> Iterator[tuple[int, int]]:
    """Towns and villages with their type words, without a street."""
    for match in _REGION_AND_SETTLEMENT.finditer(lower):
        yield match.start(), _end_of_address(lower, match.end())
    for match in chain(_LONE_SETTLEMENT.finditer(lower), _SETTLEMENT_ANYWHERE.finditer(lower)):
        end = _end_of_settlement(match["value"])
        if end:
            yield match.start("value"), _end_of_address(lower, match.start("value") + end)


def _end_of_settlement(value: str) -> int:
    """The end of the type and the name; 0 if neither the last word nor the one before it may be a name."""
    for words in (value, value.rpartition(" ")[0]):
        name = _LAST_WORD.search(words)
        if name and (may_be_place(name[0]) or _NEUTER.fullmatch(name[0])):
            return len(words)
    return 0


def _streets(lower: str) -> Iterator[tuple[int, int]]:
    """Streets with a house, with the region and the town before them."""
    for match in _STREETS_IN_LOWER.finditer(lower):
        before = _PLACES_BEFORE.search(lower, max(0, match.start() - 150), match.start())
        start = before.start() if before else match.start()
        yield start, _end_of_address(lower, match.end())


def _end_of_address(lower: str, end: int) -> int:
    """Behind the house, the flat and the post office box that follow."""
    for tail in (_HOUSE_END, _TAIL, _MAIL):
        if after := tail.match(lower, end):
            end = after.end()
    return end


def _by_parts(text: str, lower: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Joins neighbouring parts, if one of them suffices for an address or a house comes with a flat."""
    parts = _PARTS_OF_ALL if _STREET_BEHIND_HINT.search(lower, first, last) else _PARTS
    start = end = 0
    strong, kinds = False, set[str]()
    for match in parts.finditer(text, first, last):
        if kinds and _GAP.fullmatch(text, end, match.start()):
            end = match.end()
        else:
            yield from _address(text, start, end, strong or {"flat", "weak"} <= kinds)
            start, end = match.span()
            strong, kinds = False, set()
        strong = strong or match.lastgroup == "strong"
        kinds.add(match.lastgroup or "")
    yield from _address(text, start, end, strong or {"flat", "weak"} <= kinds)


def _address(text: str, start: int, end: int, certain: bool) -> Iterator[tuple[int, int]]:
    """Extends the parts by a postal code and town before them, and by bare numbers of house and flat after them."""
    if not certain:
        return
    before = _INDEX_OR_TOWN.search(text, max(0, start - 70), start)
    if before and not _NOT_A_TOWN.match(text, before.start()):
        start = before.start()
    if (town := _TOWN_OF_STREET.search(text, max(0, start - 40), start)) and not _NOT_A_TOWN.match(text, town.start()):
        start = town.start() if _STREET_FIRST.match(text, start) else start
    after = _TAIL.match(text, end)
    if after and (not text[start:end].lower().startswith("г") or _DIGIT.search(text, start, end)):
        end = after.end()
    yield start, end
