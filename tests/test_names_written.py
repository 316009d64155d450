"""Names in each way of writing that hides them: without a title, in other letters, broken, or words of every day.

All persons are invented, and none is from tests/heldout.
"""

import re

import pytest

from anamnesis.corpus.cleaning import clean
from anamnesis.corpus.deidentification import Deidentifier
from anamnesis.corpus.deidentification.findings import Found
from anamnesis.corpus.deidentification.reading_copy import ReadingCopy

RULES, BOTH = Deidentifier(), Deidentifier(tagger=True)
ENGINES = pytest.mark.parametrize("engine", [RULES, BOTH], ids=["rules", "both"])

# Each row: a kind of writing, and texts in which <…> is a name.
KINDS = {
    "without capitals": (
        "протокол диктует <дубровкин егор> пациентка <цхай> дата вчера",
        "фамилия <сапожок> ; взят утром",
        "больная <жердь> спит",
        "врач <л. в. дубровкина> уведомлен",
        "узел у <дубровкиной а. п.> прежний",
        "на приёме <бревно серафима> узел растёт",
        "больной <турабеков рустам парвиз угли> узловой зоб",
        "от <рустама парвизовича турабекова> заявление",
        "дочь – <таисия жердь>, узел",
        "пациент <захар дубровкин> ждёт",
        "ассистировал(а) <дубровкина>",
    ),
    "capitals": (
        "ПАЦИЕНТ <ЖЕРДЬ>. Узел",
        "ДОКТОР <ЖЕРДЬ>.",
        "Подпись <ЖЕРДЬ ЗОЯ>.",
        "<ЖЕРДИ МИХАИЛА ЗАХАРОВИЧА> МАТЕРИАЛ СКУДНЫЙ.",
    ),
    "a word beside a first name": (
        "<Бревно Вячеслав> живёт далеко.",
        "12 мм. <Алина Жердь>. Мазок из узла.",
        "<Полено Серафиме> сняты швы.",
        "Пунктат <Ларисы Захаровны Жерди>: коллоид.",
        "Направлена <Жердь, Серафима>, узел",
    ),
    "a word alone": (
        "Беспокоит одышка. <Жердь> курит.",
        "Прошу осмотреть <Жердь> в плановом порядке.",
        "Осмотр. <Сапожок>. Пальпируется узел.",
        "<Воробей> согласился на пункцию.",
        "Узел. <Воробей> – на выписку.",
        "Коллоид.\nВыписал(а) <Воробей>",
        "академик <Нос> консультировал",
        "жалоб у <Худой> нет",
    ),
    "a word in a person's place": (
        "<Сугроб> плачет, просит снять повязку.",
        "Вчера <Телега> отказалась от перевязки.",
        "Выписали <Чайника>, швы сняты.",
        "Держите <Сахара> на диете.",
        "У <Тетрадь> голос сохранён.",
        "К <Линейке> на перевязку.",
        "По словам <Бубна>, узел рос год.",
        "Мазки <Форточки> пересмотрены.",
        "Звонила <Форточка>, спрашивала про диету.",
        "Постовая <Варежка> сделала укол.",
        "Ординатор <Сугроб> не записал дозу.",
        "Кальций <Бузины> в норме.",
        "<Худой> в прошлом году лечился тирозолом.",
        "<ТЕЛЕГА> ВЫПИСАНА, ШВЫ СНЯТЫ",
        "<БУБЕН>: ТТГ 12, доза прежняя",
        "ПАЛАТА 2: <БУБЕН>, <ТЕТРАДЬ>, <БУЗИНА> — УЗИ УТРОМ",
        "Бригада: <Бубен>, <Форточка>.",
    ),
    "a word without capitals in a person's place": (
        "у <бубна> сахар 16, позвоните",
        "со слов <бузины>, узел растёт",
        "лежит <телега> в седьмой палате",
        "кто вёл <бубна>? протокола нет",
        "видела вашу <бузину>, узел мягкий",
        "стёкла <бубна> потеряли",
        "узел <югая> вырос",
        "пришла <пак>, принесла снимки",
        "вызвали <югая>, узел",
        "осматривал <бубен>, узел мягкий",
        "фамилия <форточка>, пол ж",
    ),
    "Korean and western": (
        "<Тен> после радиойода, голос сохранён.",
        "<Ли> на консультации.",
        "<Ан> и <Тен> из одной палаты.",
        "Капельница <Чхве> отменена.",
        "<ван Клингер> жалуется на слабость.",
        "<O'Дубров> на тирозоле.",
        "<Klinger> refused biopsy, узел прежний",
    ),
    "a surname alone": (
        "Узел <Турабекова> без роста.",
        "Коллоид общий. <Дубровкина>",
        "Перевязки у <Клингера>.",
        "<Щеглов> и <Клингер> на процедуры, <Дубровкина> на рентген.",
        "В архиве: <Турабеков Б З> 1998; <Дубровкина СХ>, 2003.",
        "Кабинет, <Дубровкин П.>",
        "Осмотрен <Карташкин>, узел",
    ),
    "signs between a surname and its initials": (
        "Автор: <Дубровкин,Е.З.> Объект закрыт",
        "Пациент <Жердь. Е. З.> Правая доля",
        "Подпись: <Клингер, Е.>\nУзел",
        "врач <Дубровкина Е-З>, узел",
        "проверено <е.-з. дубровкина>.",
        "Бланк: <Дубровкин Е. Захарович>\nУзел",
    ),
    "double surnames and lists": (
        "ДОКТОР <ЛУГОВО-ЗУБКОВА>.",
        "Вызвали <лугово-зубкова серафима>, узел",
        "Свидетели: <Клингер>, <Жердь>.",
        "Журнал: <Клингер> / <Жердь>",
        "<Жердь> (<Клингер>, узел)",
        "<Жердь> (до 2016 – <Клингер>), узел",
        "Сменила фамилию с <Клингер> на <Дубровкину>.",
        "деж. врач (<Жердь>) вызван",
        "Зав. отделением <Жердь>",
    ),
    "fields": (
        "<surname><Жердь></surname> узел",
        '"<Жердь","Зоя","Захаровна>","12"',
        "Пациент/<Жердь/Зоя/Захаровна>",
        "пациент=<Жердь> действие=просмотр",
        "Файл: <ЖердьЗояЗахаровна>, узел",
    ),
    "Latin letters": (
        "Referral for <K. Dubrovkina>, узел",
        "Contact: <Yu. Tskhai>. Узел",
        "Дела: <DUBROVKINA NADEJDA ZAKHAROVNA>.",
        "Имя <Turabekov^Kamol^Ravshan ogli>.",
        "Имя <turabekov^kamol>.",
        "в паспорте <zoya dubrovkina>. Узел",
        "Узел у <Turabekova Zebo Rahmat-qizi>",
    ),
    "broken": (
        "Больной <Дубров-\nкин Егор>, узел",
        "На бланке <Дуб<wbr>ровкин Егор>. Узел",
        "<<b>Дубровкин</b> Егор>: узел".replace("<<b>", "<b><"),
        "<tr><td><Дубровкин</td><td>Егор></td><td>узел</td></tr>",
        "<Дубров\u00adкин Егор>, узел",
        "Дела: <Дубровкин_Егор>; узел",
        "На обложке <Д У Б Р О В К И Н>. Узел",
        "На обложке <Д у б р о в к и н а>. Узел",
        "узел у <д у б р о в к и н а> прежний",
        "Фамилия: <Дуб ровкин Егор Захарович>. Узел",
        "Фамилия: <Сера фима Жердь>. Узел",
        "Больной <Дубровкин, Егор, Захарович>, узел",
        "Больной <Дубровкин&nbsp;Егор>, узел",
    ),
    "other occurrences": (
        "Осмотрена <Серафима Захаровна Жердь>. Материал передан. Узел <Жерди> прежний.",
        "<Хубечев Рустам>: узел. Стекло <Khubechev> выдано.",
    ),
}


@ENGINES
@pytest.mark.parametrize("marked", [pytest.param(text, id=kind) for kind, texts in KINDS.items() for text in texts])
def test_a_name_is_covered_and_little_else(engine: Deidentifier, marked: str) -> None:
    names = re.split(r"(<(?=[А-ЯЁA-Zа-яёa-z])(?!/?(?:b|tr|td|wbr|surname)>)|(?<![bdr/])>)", marked)
    text, spans, inside = "", [], False
    for piece in names:
        if piece == "<":
            start, inside = len(text), True
        elif piece == ">" and inside:
            spans.append((start, len(text)))
            inside = False
        else:
            text += piece
    found = engine.find([text])[0]
    hidden = {at for one in found for at in range(one.start, one.end)}
    expected = {at for start, end in spans for at in range(start, end)}
    assert expected <= hidden, text
    letters = [text[at] for at in sorted(hidden - expected) if text[at].isalpha()]
    assert letters == [], text


@pytest.mark.parametrize(
    "text",
    [
        "Рубцов на шее нет. Камень: 5 мм.",
        "Свид. о рождении утеряно. Лаб. данные прежние. Мкр.: коллоид. Онкоцитов и тироцитов много.",
        "Страховой номер утерян. Железо, Ферритин, Фолаты. Симптом Грефе. Клетки Лангханса. Гистероскопия. Тендиноз.",
        "Больная худая, бледная. Пациент мужчина. Больная женщина средних лет. Врач скорой помощи. Мать здорова.",
        "E. Coli и H. Pylori не найдены. АСТ, АЛТ в норме. Тип СД 2. Метформин СД 2.",
        "З А К Л Ю Ч Е Н И Е. Д И А Г Н О З. З а к л ю ч е н и е. ЖАЛОБ НЕТ.",
        "Прибор Мицар Омега Люкс. Анализатор Beckman Coulter. Эутирокс Берлин 50 мкг. Аллергия: Тиоцинол.",
        "Эффект Вольфа – Чайкоффа учтён. Болезнь Рейно? Шкала: Ранкин 1, Бартел 95. Живот б/б. Печ. не увел.",
        "Просим прислать Набор реагентов и Масло иммерсионное. Пациент Спокоен. Классификация, стадия N. Узел",
        "Игла вошла в узел. Зима прошла без обострений. Весна провоцирует кашель. Нос дышит свободно. Боль ушла.",
        "Серия тридцать два. Метаплазия Варвика. Зона Цукеркандля.",
        "пришёл ли ответ, неизвестно; лежит лёд на шее; у гребня подвздошной кости болезненность; вызвали смп, ждут",
        "КРОВЬ ВЗЯТА. РАНА ОСМОТРЕНА. СОН: спокойный. ПАЛАТА 4: ШВЫ, ДРЕНАЖ — УТРОМ. Те и Те же клетки. Но после еды.",
        "Стекло лежит в архиве. Отпустили домой. Держите сахар под контролем. Biopsy performed. Results arrived late.",
        "какой-\nнибудь узел, коллоид &nbsp; <b>киста</b> левой доли",
    ],
)
@ENGINES
def test_words_of_reports_stay(engine: Deidentifier, text: str) -> None:
    assert engine.replace([text])[0].text == text


def test_the_tagger_of_identifiers_overrules_the_rules_where_it_is_sure() -> None:
    text = "Симптомы Грефе, Мёбиуса, Штелльвага отр."
    assert RULES.replace([text])[0].text != text
    assert BOTH.replace([text])[0].text == text


@pytest.mark.parametrize(
    "text", ["Корова и собака дома. Мороз и жару переносит плохо.", "Связь с Хабаровском. Города: Москва, Казань."]
)
def test_the_rules_know_words_that_the_tagger_of_identifiers_mistakes(text: str) -> None:
    assert RULES.replace([text])[0].text == text
    assert BOTH.replace([text])[0].text != text


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("Дубров\u00ad\nкин", "Дубровкин"),
        ("ДУБРОВ-\nКИН", "ДУБРОВКИН"),
        ("Дуб<wbr>ровкин", "Дубровкин"),
        ("Егор<b>Дубровкин</b>", "Егор Дубровкин"),
        ("Дуб<b>ров</b>кин", "Дубровкин"),
        ("какой-\nнибудь", "какой- нибудь"),
    ],
)
def test_cleaning_joins_the_parts_of_a_word(written: str, cleaned: str) -> None:
    assert clean(written)[0] == cleaned


@pytest.mark.parametrize(
    ("original", "read"),
    [
        ("Ива<b>но</b>ва&nbsp;Анна", "Иванова Анна"),
        ("Иванова</td><td>Анна", "Иванова  Анна"),
        ("Ива\u00adно-\nва_Анна", "Иванова Анна"),
        ("узел < 5 мм, T-\nлимфоциты", "узел < 5 мм, T-\nлимфоциты"),
    ],
)
def test_a_reading_copy_knows_where_its_characters_are(original: str, read: str) -> None:
    copy = ReadingCopy.of(original)
    assert copy.text == read
    word = re.search(r"\w+$", read)
    assert word is not None
    (found,) = copy.in_the_original([Found(word.start(), word.end(), "name")])
    assert original[found.start : found.end] == word[0]
