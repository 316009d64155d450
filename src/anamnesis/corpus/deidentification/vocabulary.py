"""Words that announce the name of a staff member or a patient, and words that look like names but are none."""

import re
from functools import lru_cache
from pathlib import Path

import yaml

from anamnesis.corpus.deidentification.words import normal_forms, stem

# Abbreviations with dots that are not initials; М.П. is the place of a seal, И.О. an acting head.
SEAL_OR_ACTING = {"мп", "ио", "фи"}
NOT_INITIALS = {"тк", "те", "тд", "тп", "тч", "гр", "др", "ио", "нэ", "сп", "зд", "дм", "км", "мн", "лд", "щж"}

# Case endings of a post: хирурга, but neither хирургии nor хирургической.
_OF_POST = "(?:[аеуи]|ом|ов|ам|ами|ах)?"
# Posts and actions of staff.
STAFF = (
    rf"врач\w{{0,4}}|\w{{0,12}}цитолог{_OF_POST}|цитоморфолог{_OF_POST}|\w{{0,5}}патолог(?:а|у|ом)?|"
    rf"патоморфолог{_OF_POST}|гистолог(?:а|у|ом)?|\w{{0,10}}эндокринолог{_OF_POST}|"
    rf"\w{{0,10}}хирург{_OF_POST}|онколог{_OF_POST}|терапевт\w{{0,3}}|гинеколог{_OF_POST}|кардиолог{_OF_POST}|"
    rf"постов(?:ая|ой|ую)|стаж[её]р\w{{0,2}}|осматривал[аи]?|радиолог{_OF_POST}|рентгенолог{_OF_POST}|\w{{0,8}}лаборант\w{{0,3}}|биолог\w{{0,3}}|"
    r"м(?:ед)?\.?[\s/]?сест\w{1,5}|м/с|фельдшер\w{0,3}|санитар\w{1,3}|доктор\w{0,3}|д-р\w{0,2}|проф(?:ессор\w{0,3})?|"
    r"доцент\w{0,3}|доц|академик|ассистент\w{0,3}|ординатор\w{0,3}|интерн\w{0,2}|[кд]\.?\s?м\.?\s?н|зав|"
    r"завед(?!ен)\w{2,10}|зам|нач|начальник\w{0,2}|руковод\w{4,7}|исп|исполн\w{3,6}|пунктиров(?:ал[аи]?|ано)|"
    r"направи(?:л[аи]?|вш\w{2,3})|выполни(?:л[аи]?|вш\w{2,3})|прове(?:ла|ли|л)|провёл|производил[аи]?|"
    r"произв[её]л[аи]?|(?:про|пере)смотр(?:ел[аи]?)?|провери(?:л[аи]?)|"
    r"утверди(?:л[аи]?)|подпис\w{1,5}|подп|консультант\w{0,2}|консультировал[аи]?|оператор\w{0,2}|специалист\w{0,2}|"
    r"узист\w{0,2}|ответств\w{4,8}|взял[аи]?|забрал[аи]?|принял[аи]?(?=\s?:)|окрасил[аи]?|описал[аи]?|сдал[аи]?|"
    r"регистратор\w{0,2}|dr|doctor|physician|pathologist|cytologist|endocrinologist|surgeon|заключение\sдал[аи]?|согласовано|утверждаю|читал[аи]?|микроскопировал[аи]?|"
    r"лечащ(?:ий|ая|его|ему|им)|рецензент\w{0,2}|составил[аи]?|одобрен[оа]?|оперировал[аи]?|анестези(?:ст|олог)\w{0,3}|"
    r"невролог\w?|гериатр\w?|вр(?=\.)|смотрел[аи]?|наркоз\sдавал[аи]?|лечил(?:ся|ась)\sу|вызвали|контроль\sкачества|"
    r"выписал[аи]?|ассистировал[аи]?|назначил[аи]?|дежурил[аи]?|диктует|диктовал[аи]?|"
    r"принял(?=\(а\))|вернул(?=\(а\))|записал[аи]?|вёл|вела|оформил[аи]?|заполнил[аи]?|напечатал[аи]?|приготовил[аи]?|осмотрел[аи]?|выполнен[оа](?=\s?:)|(?:reported|signed|performed|read|dictated|referred|reviewed|verified|interpreted|collected)\sby|signed(?=\s?:)|attending|technician|radiologist|sonographer|consultant|nurse|выдал[аи]?|главврач\w?|коллег\w{1,2}"
)
# Patients and their relatives.
PATIENT = (
    r"пациент\w{0,4}|пац|больн(?:ой|ая|ого|ому|ую|ым|ые|ых)|б-н\w{2}|б-(?:ая|ой)|обследуем\w{2,3}|ф\.\s?и\.\s?о\.?|"
    r"фио|фамилию\s(?:с\s[\w-]{2,30}\s)?на|фамили(?:я|ю|ей)|имя|отчество|гр-?(?:н|ка|на)|гражд\w{3,6}|мат(?:ь|ери|ерью)|мам[аыеуо]й?|от(?:ец|ца|цу|цом|це)|"
    r"пап[аыеуо]й?|муж(?:а|у|ем|е)?|жен(?:а|ы|е|у|ой)|супруг\w{0,2}|сын(?:а|у|ом|е)?|доч(?:ь|ери|ерью)|дочк\w{1,2}|"
    r"сестр(?:а|ы|е|у|ой)|брат(?:а|у|ом|е)?|родственни\w{1,4}|бабушк(?:а|и|е|у|ой|ою)|дедушк(?:а|и|е|у|ой|ою)|т[её]т[яиеюё]й?|"
    r"дяд[яиеюё]й?|дед(?:а|у|ом)?|внук\w{0,2}|внучк(?:а|и|е|у|ой)|опекун\w{0,2}|представител\w{1,3}|сопровожда\w{1,8}|племянни\w{1,4}|"
    r"невестк(?:а|и|е|у|ой)|зят\w{1,2}|свекров\w{1,3}|т[её]щ\w{1,2}|ребен\w{2,3}|ребён\w{2,3}|девочк\w{1,2}|мальчик\w{0,2}|"
    r"девушк\w{1,2}|получател\w{1,2}|застрахован\w{2,4}|владел\w{2,3}|контактное\sлицо|доверенн\w{2,3}\sлицо|"
    r"господин\w?|госпож\w{1,2}|заявител\w{1,3}|зовут|звать|клиент\w{0,3}|рожениц\w{1,2}|новорожд\w{4,6}|"
    r"на\s(?:приёме|приеме|бланке|обложке|конверте|этикетке)|в\s(?:загран)?паспорте|опознан[аы]?\sкак|"
    r"по\sпросьбе|"
    r"patient|surname|name|fio|mrs?|ms"
)
# Of these, the next word is a name unless it says what the person has or does; fields even have names that are words.
DIRECT = re.compile(
    r"пациент(?:ка|ки|ке|ку|кой|а|у|ом)?|больн(?:ой|ая|ого|ому|ую)|фамилия|имя|отчество|фио|ф\.\s?и\.\s?о\.?|fio|зовут|диктует|"
    r"на\s(?:приёме|приеме|бланке|обложке|конверте|этикетке)|врач(?:а|у|ом)?|доктор(?:а|у|ом)?|хирург(?:а|у|ом)?|"
    r"цитолог(?:а|у|ом)?|\w{0,8}лаборант(?:а|у|ом)?|эндокринолог(?:а|у|ом)?|терапевт(?:а|у|ом)?|узист|фельдшер|медсестра|"
    r"лечащ(?:ий|ая|его|ему|им)|рецензент|составил[аи]?|оперировал[аи]?|анестезист(?:ка)?|смотрел[аи]?|"
    r"наркоз\sдавал[аи]?|лечил(?:ся|ась)\sу|вызвали|осматривал[аи]?|"
    r"м/с|выписал[аи]?|ассистировал[аи]?|назначил[аи]?|принял|подпис\w{1,2}|опознан[аы]?\sкак|surname|patient|name"
)
FIELD = re.compile(r"фамилия|имя|фио|ф\.\s?и\.\s?о\.?|fio|surname|диктует")
# General words behind "пациентка" that the dictionary has in the nominative.
NO_NAME_BEHIND = frozenset(
    (
        *("женщина", "мужчина", "человек", "ребенок", "ребёнок", "девочка", "мальчик", "девушка", "юноша", "подросток"),
        *(
            "пенсионер",
            "пенсионерка",
            "инвалид",
            "студент",
            "студентка",
            "хозяин",
            "диабетик",
            "гипертоник",
            "аллергик",
        ),
        *("астматик", "курильщик", "житель", "жительница", "участник", "ветеран", "иностранец", "гражданин", "правша"),
        *(
            "врач",
            "деж",
            "дежурный",
            "бригаду",
            "скорую",
            "врача",
            "возраст",
            "пол",
            "рост",
            "вес",
            "дата",
            "год",
            "номер",
            "адрес",
            "телефон",
            "паспорт",
            "полис",
            "карта",
        ),
        *("отделение", "палата", "участок", "категория", "стационара", "поликлиники", "диспансера", "центра"),
    )
)
# Announcing words that end with a full stop.
ABBREVIATIONS = {"вр", "dr", "mr", "mrs", "ms", "пац", "исп", "зав", "проф", "доц", "гр", "подп", "нач", "зам"}
# Allowed between the announcing word and a surname without initials: a qualification, a department, a category.
QUALIFICATIONS = (
    "КЛД",
    "УЗД",
    "УЗИ",
    "ЦКЛ",
    "КДЛ",
    "ЦДЛ",
    "ЦЛ",
    "ЛОР",
    "ПАО",
    "ОМС",
    "ГКБ",
    "ЦРБ",
    "КМН",
    "ДМН",
    "МЗ",
    "РФ",
    "ФГБУ",
    "ГБУЗ",
)

# Headings and usual first words of a sentence.
HEADING = re.compile(
    r"(?i:жалоб|диагноз|дата|анамнез|уз[еил]|заключ|описан|материал|адрес|тел|паспорт|снилс|полис|возраст|пол$|карта|"
    r"место|цит|иссл|препарат|ст[её]к|коллоид|обращ|направ|отдел|поликлин|больниц|лаборатор|опер|осмотр|контр|повтор|"
    r"первич|результат|пункц|тапб|тиаб|через|после|кров|анализ|прот|окраск|микро|приё?е?м$|явка|"
    r"bethesda|ti-rads|рожд(?![её]ств)|цитограмм|щитовид|выдан|приказ|форма$|шифр|количеств|факт$|страхов|штрих|увелич|кальцит|"
    r"тирео|тирок|рекоменд|классиф|номер|стацион|категор|группа|исход)"
)

# Words before an eponym: of a disease, a method, a stain.
EPONYM_BEFORE = re.compile(
    r"(?:(?<!\w)(?:по|им\.?|имени|болезн\w*|б-н\w+|синдром\w*|с-м\w*|клет\w+|кл\.|зоб\w*|тиреоидит\w*|метод\w*|"
    r"окр(?:\.|аш?с?\w+)|тел(?:ец|ьц)\w*|симптом\w*|проб(?:[аыеу]|ой|ам|ах|ами)?|шкал\w+|индекс\w*|критери\w+|классификаци\w+|операци\w+|"
    r"триад\w+|раствор\w*|аллерги\w+(?:\sна)?\s?:?|крас(?:к[аиуе]|кой|ител\w+)|реакци\w+|опухол\w+|[аи]п+ликатор\w*|признак\w*|"
    r"тип\w*|\w*плази[яюией]+|зон(?:[аыеу]|ой)?|формул\w+|ткан\w+|аденом\w+|карцином\w+|рак(?:[ауеи]|ом|ов)?|лимфом\w*|феномен\w*|эффект\w*|пятн(?:[оауе]|ом|ам|ами|ах)|упражнени\w+|"
    r"санатори\w+|камер\w+|грыж\w+|форма|вариант\w*|кист\w+|эпонихи\w*|гимнастик\w+|массаж\w*|дуг\w+|"
    # Parts of the body.
    r"мышц\w+|связк\w+|бугор\w*|дол[яеию]|желез\w*|проток\w*|угол|угл\w{1,2}|треугольник\w*|ямк\w+|"
    r"щел[ьи]|канал\w*|сплетени\w+|нерв\w*|пространств\w*|лини[яию]|бляшк\w+|сосоч\w+|извилин\w+|клапан\w*|"
    # Instruments, dressings and what is done with them.
    r"ламп\w+|зонд\w*|катетер\w*|шприц[\w-]*|игл\w+|дренаж\w*|шов|шв\w{1,2}|разрез\w*|лоскут\w*|положени\w+|поз[аеыу]|"
    r"зажим\w*|крючк?\w*|ножниц\w*|корсет\w*|воротник\w*|повязк\w+|шин[аеуы]|доступ\w*|при[её]м\w*|манёвр\w*|маневр\w*|"
    r"прибор\w*|аппарат\w*|анализатор\w*|томограф\w*|датчик\w*|реагент\w*|систем\w+|микроскоп\w*|"
    # Medicines and food.
    r"мазь|мази|мазью|паст[аыуе]|капл[иь]\w*|бальзам\w*|настойк\w+|микстур\w+|жидкост\w+|порош\w+|сироп\w*|вод[аыуе]|чай|"
    r"диет[аыуе]|стол[а]?|отвар\w*|крем\w*|гель|линимент\w*|"
    # Examinations, microbes and other diseases.
    r"тест\w*|опросник\w*|анализ\s[а-я]+\sпо|число|коэффициент\w*|уравнени\w+|закон\w*|правил\w+|р-ц\w+|вирус\w*|"
    r"бактери\w+|палоч\w+|невус\w*|струм\w+|саркома|саркомы|меланом\w+|паралич\w*|невралги\w+|контрактур\w+|"
    r"язв[аыу]|перелом\w*|псориаз\w*|отёк\w*|отек\w*|стоп[аыу]|очаг\w*|узелк\w+|цирроз\w*|анеми\w+|шкал\w+)"
    # The second person of an eponym: Вольфа – Чайкоффа, Вебера и Ринне.
    r"(?:\s[А-ЯЁ]\w{2,14}\s?(?:[–—]|\sи\s))?|"
    # The maker of an instrument and its model: прибор Сименс Адвия Центавр.
    r"(?<!\w)(?:прибор|аппарат|анализатор|томограф|датчик|микроскоп|сканер|реагент|систем)\w*(?:\s(?-i:[А-ЯЁA-Z])\w{2,14}){1,2}|\w[-–])\s?[«\"]?(?:[А-ЯЁ]\.\s?){0,2}$",
    re.I,
)


@lru_cache(maxsize=100_000)
def is_thing(word: str) -> bool:
    """Whether the word is a disease, a method, an instrument or a medicine that may have a person's name."""
    return EPONYM_BEFORE.search(f"{word} ") is not None


def names_a_thing(text: str, start: int) -> bool:
    """Whether the word that starts here names a disease, a method, an instrument or a medicine."""
    return EPONYM_BEFORE.search(text, max(0, start - 40), start) is not None


# A word that has been prescribed or taken is a medicine.
TREATMENT = re.compile(r"(?:назнач|рекоменд|принима|получа|препарат|табл|капсул|лечен|терапи|доз[аеуы])", re.I)


_WORD_BEFORE = re.compile(r"(?<![\w-])([А-ЯЁ][а-яё-]{3,20})\s$")


class ClinicalWords:
    """Words of `clinical.yaml`, and of the user, that are no names even if they look like one."""

    def __init__(self, words: tuple[str, ...]) -> None:
        plain = [word.lower().replace("ё", "е") for word in words]
        self._beginnings = tuple(word[:-1] for word in plain if word.endswith("*"))
        self._words = frozenset(word for word in plain if not word.endswith("*"))
        self._stems = frozenset(map(stem, self._words))
        self._known = lru_cache(maxsize=200_000)(self._has)

    def __contains__(self, word: str) -> bool:
        return self._known(word.lower().replace("ё", "е"))

    def _has(self, word: str) -> bool:
        return (
            word.startswith(self._beginnings)
            or word in self._words
            or (len(ending := stem(word)) > 3 and ending in self._stems)
            or not self._words.isdisjoint(form.replace("ё", "е") for form in normal_forms(word))
        )


@lru_cache(maxsize=1)
def _groups() -> dict[str, tuple[str, ...]]:
    groups = yaml.safe_load((Path(__file__).parent / "clinical.yaml").read_text(encoding="utf-8"))
    return {name: tuple(map(str, words)) for name, words in groups.items()}


def _packaged() -> tuple[str, ...]:
    return tuple(word for words in _groups().values() for word in words)


@lru_cache(maxsize=1)
def _medicines() -> ClinicalWords:
    return ClinicalWords(_groups()["medicines"])


def follows_a_medicine(text: str, start: int) -> bool:
    """Whether the word that starts here is the maker or the variant of a medicine: Эутирокс Мерк."""
    before = _WORD_BEFORE.search(text, max(0, start - 24), start)
    return before is not None and before[1] in _medicines()


@lru_cache(maxsize=8)
def clinical_words(further: tuple[str, ...] = ()) -> ClinicalWords:
    """The packaged list and `further` words, which are written in the same way."""
    return ClinicalWords(_packaged() + further)
