"""Words of every day in the place of a person: Тумба плачет, выписали Сугроба, ПАЛАТА 5: СУГРОБ, ТУМБА.

Almost any noun is somebody's surname, so no list has them all. Their place in the sentence shows them: who speaks,
cries or signs, and whom one discharges or calls, is a person, whatever the noun means.
"""

import re
from collections.abc import Iterator, Sequence

from anamnesis.corpus.deidentification import latin
from anamnesis.corpus.deidentification.bare_names import BEGINS, INSIDE, PERSONAL, is_needless
from anamnesis.corpus.deidentification.tokens import Span, Token, announces, is_heading
from anamnesis.corpus.deidentification.vocabulary import NO_NAME_BEHIND, ClinicalWords, is_thing, names_a_thing
from anamnesis.corpus.deidentification.words import (
    cases,
    is_animate_object,
    is_function_word,
    is_korean,
    is_lifeless,
    is_place,
    reading,
)

# What nothing but a person does.
_SPEAKS = (
    r"(?:жалуется|утвержда(?:ет|л[аи]?)|плач(?:ет|ут)|плакал[аи]?|забыл[аи]?|прос(?:ит|ил[аи]?)|сказал[аи]?|говорит|говорил[аи]?|"
    r"отказал(?:ся|ась)|отказывается|кур(?:ит|ил[аи]?)|пь[её]т|ест|спит|спал[аи]?|боится|хочет|хотел[аи]?|женат|замужем|подписал[аи]?|"
    r"описал[аи]?|записал[аи]?|записывает|осмотрел[аи]?|осматривает|назначил[аи]?|дежурит|дежурил[аи]?|оперирует|оперировал[аи]?|"
    r"ассистировал[аи]?|консультировал[аи]?|спрашива\w{2,3}|звонил[аи]?|позвонил[аи]?|приехал[аи]?|прин[её]с(?:ла)?|прив[её]з(?:ла)?|"
    r"перепутал[аи]?|обещал[аи]?|спросил[аи]?|родила|сбежал[аи]?|беременна|женился|готовится\sк|смотрела?\sповторно|выполнила?(?=[,.]|$)|"
    r"(?:на|в)\s(?:диете|больничном|очереди|консультации)|против\s(?:операци|пункци|лечен|госпит)\w+|"
    r"на\s\d{2,3}(?:[.,]\d)?\sмкг|из\s(?:\w+\s)?палаты|с\s(?:мужем|женой|мамой|матерью|дочерью|сыном)\s\w+)(?!\w)"
)
_SPEAKING = re.compile(rf"\s(?:(?:не|уже|сегодня|вчера|снова|сам[аи]?|опять)\s){{0,2}}{_SPEAKS}", re.I)
_DISCHARGED = re.compile(
    r"\s(?:не\s)?(?:выписан|госпитализирован|осмотрен|переведен|вызван|уведомлен|опознан)а?(?!\w)", re.I
)
# With whom one speaks, and about whom; to whom one goes.
_AT = re.compile(
    r"(?<!\w)(?:у|для|со\sслов|по\sсловам|по\sданным|вместе\sс|передай(?:те)?|доложено|принадлежит|покажи(?:те)?|показать|"
    r"спроси(?:те)?\sу|позвони(?:те)?|отправь(?:те)?|скажи(?:те)?|"
    r"дозвон\w+\sдо|напомни(?:те|ть)?|спасибо|"
    # What is examined of a person.
    r"маз(?:ок|ки)|ст[её]кла|снимки|сканы|анализы?|результаты?|гистологи[яю]|документы)\s$",
    re.I,
)
_WITH, _SPOKEN = (
    re.compile(r"(?<!\w)[Сс]о?\s$"),
    re.compile(r"\s(?:поговори|созвони|говори|обсуди|беседов|согласова)\w+"),
)
_TO, _ON = re.compile(r"(?<!\w)[Кк]о?\s$"), re.compile(r"\sна\s(?:узи|пере|при[её]м|конс|пункц|осмотр)", re.I)
_DONE_TO_PERSONS = re.compile(
    r"(?<!\w)(?:выпи(?:са|ш)\w{1,4}|отпусти\w{1,4}|выслуша\w{1,4}|наблюда(?:ем|ли?|ть)|(?:про)?пунктирова\w{1,3}|привез(?:ли|ите)|"
    r"позов\w{2,4}|благодар\w{2,3}|проводи(?:те|ли?)|разбуди\w{1,3}|вызва(?:ли?|ть)|вызовите|приглас\w{2,4}|осмотре(?:ли?|ть)|"
    r"консультир\w{2,5}|(?:про)?оперирова(?:ли?|ть)|госпитализ\w{3,7}|перев(?:ели|едите)|предупреди\w{1,3}|уведоми\w{1,3}|"
    r"спроси(?:те|ли)|жд[её]м|встретили|держите|уговор\w{2,4}|готов(?:им|ьте))\s$",
    re.I,
)
# A person is the subject behind these verbs: what they do is done to nothing.
_COMES_BEFORE = re.compile(
    r"(?<!\w)(?:(?:по|пере)?звонил[аи]?|плачет|плакал[аи]?|дежурит|сказал[аи]?|велел[аи]?|просил[аи]?\s\w{3,14}ть|температурит|"
    r"оперирует|ассистирует|жалуется|отказал(?:ся|ась)|приехал[аи]?|пропустил[аи]?\sвизит|забыл[аи]?\s\w{3,10}|сделал[аи]?\s(?:укол|узи|перевязку|пункцию|инъекцию)|спит|курит)\s$",
    re.I,
)
_ABSTRACT = re.compile(r".*(?:ия|ие|ье|ость|ство|ура|ика|[рв]ка|ация|изм|аж|мент|тор|лог|ика|ёж)")
_ROLL = re.compile(
    r"(?i:палата\s(?:№\s?)?\d{1,3}|бригада|на\s(?:завтра|сегодня|выписку|пункцию|операцию)|в\sочереди|дежурят)"
    r"\s?:\s(?P<list>[А-ЯЁ][А-ЯЁа-яё-]{1,20}(?:,\s[А-ЯЁ][А-ЯЁа-яё-]{1,20}){1,12})(?=\s?[.;\n–—]|\s?$)"
)
_RESULT = re.compile(r":\s(?:ТТГ|Т[34]|ПТГ|ТГ|САХАР|ГЛЮКОЗА|КАЛЬЦИЙ|КАЛИЙ|НАТРИЙ)(?!\w)")
# Names without capitals.
_LOWER = r"(?P<name>[а-яё]{2,18})"
_ASKED = (
    r"(?:сахар|глюкоза|ттг|т[34]|калий|кальций|натрий|давление|температура|пульс|голос|сняли|взяли|нет|рецидив|узел|"
    r"от[её]к)(?!\w)"
)
_LOWER_PLACES = tuple(
    re.compile(rf"(?<![\w-]){place}")
    for place in (
        rf"(?:у|для)\s{_LOWER}(?=\s{_ASKED})",
        rf"(?:со\sслов|по\sсловам|спроси(?:те)?\sу|позвони(?:те)?|передай(?:те)?|отправь(?:те)?|скажи(?:те)?)\s{_LOWER}(?![\w-])",
        rf"(?:приш(?:[её]л|ла)|звонил[аи]?|приехал[аи]?|вчера\sбыл[аи]?|жд[её]т|плачет|дежурит)\s{_LOWER}(?=,|\.|\s?$)",
        rf"лежит\s{_LOWER}(?=\sв\s(?:[\w-]+\s)?(?:палате|реанимации|коридоре|отделении))",
        rf"кто\s(?:в[её]л|вела|смотрел|принимал|лечил|оперировал|видел|осматривал)\s{_LOWER}(?=\s?\?)",
        rf"где\s(?:выписка|карта|гистология|заключение|ст[её]кла)\s{_LOWER}(?=\s?(?:\?|$))",
        rf"вид(?:ел|ела|ели)\s(?:вашу|вашего|твою|твоего)\s{_LOWER}(?=[,.]|\s?$)",
        rf"(?:анализ|гистологи[яю]|карт[ау]|ст[её]кла|мазки|снимки|выписк[ау]|узел)\s{_LOWER}"
        r"(?=\s(?:где|потер|отда|забра|не\sнаш|не\sгот|вырос|раст[её]т|ищ|у\sкого))",
    )
)
_LOWER_BEGINS = re.compile(rf"(?:^|\n){_LOWER}(?=\s(?:не\s)?(?:приш[её]л|пришла|{_SPEAKS})(?!\w))")
_LATIN_ACTION = re.compile(
    r"\s(?:arrived|came\s(?:for|in|to|late)|called|refuse[sd]|complain(?:s|ed)|denie[sd]|wants|ask(?:s|ed)|signed|was\sseen|missed|"
    r"agreed|states|stated|takes|lives|smokes)(?!\w)"
)
_LATIN_THINGS = frozenset(
    (
        *("results", "report", "slides", "biopsy", "sample", "samples", "blood", "she", "he", "they", "who", "nobody"),
        *("family", "mother", "father"),
    )
)
_KOREAN_BEHIND = re.compile(
    r"\s(?:(?:после|на|в|из|без|с|у|до|от)\s|[–—-]\s|и\s[А-ЯЁ]|(?:вчера|сегодня|завтра)(?!\w))|,\s\d{1,3}\s(?:лет|год)"
)


def find_persons(text: str, lower: str, tokens: Sequence[Token], clinical: ClinicalWords) -> Iterator[Span]:
    inside: list[Token] = []
    for token in tokens:
        if token.latin:
            if _is_latin_person(text, token):
                yield token.start, token.end
        elif token.word.isupper():
            if _is_capital_person(text, token):
                yield token.start, token.end
        elif _may_be_person(token) and not names_a_thing(text, token.start):
            if _begins_as_person(text, token):
                yield token.start, token.end
            elif _is_person_inside(text, token):
                inside.append(token)
    # A text that has capitals at other words too shows nothing by them.
    if inside and not any(is_needless(text, other) for other in tokens if other not in inside):
        yield from ((token.start, token.end) for token in inside)
    yield from _rolls(text, clinical)
    yield from _without_capitals(text, lower, clinical)


def _is_latin_person(text: str, token: Token) -> bool:
    return (
        token.word.istitle()
        and not (token.announces or token.word.lower() in _LATIN_THINGS)
        and not latin.is_species(token.word)
        and _LATIN_ACTION.match(text, token.end) is not None
        and BEGINS.search(text, max(0, token.start - 7), token.start) is not None
    )


def _is_capital_person(text: str, token: Token) -> bool:
    """Whether a word in capitals is a person: СУГРОБ ВЫПИСАНА, СУГРОБ: ТТГ 4."""
    part = token.reading
    if token.clinical or not _is_noun(token) or not BEGINS.search(text, max(0, token.start - 7), token.start):
        return False
    if part.everyday and _RESULT.match(text, token.end):
        return True
    return (_SPEAKING.match(text, token.end) or (_DISCHARGED.match(text, token.end))) is not None and (
        part.everyday or (is_lifeless(token.word) and not _ABSTRACT.fullmatch(token.word.lower()))
    )


def _is_noun(token: Token) -> bool:
    part = token.reading
    return (
        part.known
        and (part.noun or part.everyday)
        and len(token.word) > 2
        and not (token.announces or is_thing(token.word))
        and (part.everyday or not (is_heading(token.word) or is_place(token.word)))
        and token.word.lower() not in NO_NAME_BEHIND
    )


def _may_be_person(token: Token) -> bool:
    if not token.word.istitle():
        return False
    if is_korean(token.word):
        return not token.clinical
    return _is_noun(token) and (not token.clinical or token.reading.everyday)


def _begins_as_person(text: str, token: Token) -> bool:
    """Whether the first word of a sentence does what only persons do."""
    if (
        token.clinical
        or not BEGINS.search(text, max(0, token.start - 7), token.start)
        or "nomn" not in cases(token.word)
    ):
        return False
    if is_korean(token.word):
        function = is_function_word(token.word) and token.word != "Ли"
        return not function and _KOREAN_BEHIND.match(text, token.end) is not None
    if not _SPEAKING.match(text, token.end):
        return False
    return token.reading.everyday or (is_lifeless(token.word) and not _ABSTRACT.fullmatch(token.word.lower()))


def _is_person_inside(text: str, token: Token) -> bool:
    """Whether a capitalized noun inside a sentence is in the place of a person."""
    if not INSIDE.search(text, max(0, token.start - 3), token.start):
        return False
    if is_korean(token.word):
        return not is_function_word(token.word)
    before = text[max(0, token.start - 32) : token.start]
    if token.clinical:
        return _DONE_TO_PERSONS.search(before) is not None and is_animate_object(token.word)
    if _AT.search(before) or (_WITH.search(before) and _SPOKEN.match(text, token.end)):
        return True
    if _TO.search(before) and _ON.match(text, token.end):
        return True
    if _DONE_TO_PERSONS.search(before):
        return is_animate_object(token.word)
    subject = "nomn" in cases(token.word)
    return subject and any(
        (_COMES_BEFORE.search(before), PERSONAL.match(text, token.end), _SPEAKING.match(text, token.end))
    )


def _rolls(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """The persons of a room or a shift, of whom one at least has a surname that a list has."""
    for match in _ROLL.finditer(text):
        words = list(re.finditer(r"[\w-]+", match["list"]))
        readings = [reading(word[0]) for word in words]
        if not any(part.listed or part.plain_surname for part in readings):
            continue
        if all(
            (part.noun or part.listed or not part.known) and word[0] not in clinical
            for word, part in zip(words, readings, strict=True)
        ):
            start = match.start("list")
            yield from ((start + word.start(), start + word.end()) for word in words)


def _without_capitals(text: str, lower: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Surnames that are words, or short Korean ones, without a capital where only a person is: кто вёл сугроба?"""
    for place in (*_LOWER_PLACES, _LOWER_BEGINS):
        for match in place.finditer(lower):
            word = text[match.start("name") : match.end("name")]
            if (
                word.islower()
                and _is_lower_person(word)
                and word not in clinical
                and not announces(word)
                and word not in NO_NAME_BEHIND
            ):
                yield match.span("name")


def _is_lower_person(word: str) -> bool:
    part = reading(word)
    return part.everyday or is_korean(word) or part.plain_surname or (part.listed and (part.noun or not part.known))
