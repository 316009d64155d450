"""Names that nothing announces and no first name accompanies: their place in the sentence tells that they are names.

A capital inside a sentence, a sentence that is one word, and an action of a person are such places. The less certain
the word is a surname, the more its place has to say: Назимова is one anywhere, Скрипка only where no noun would be.
"""

import re
from collections.abc import Iterator, Sequence

from anamnesis.corpus.deidentification.tokens import Span, Token, is_heading
from anamnesis.corpus.deidentification.vocabulary import QUALIFICATIONS, follows_a_medicine, is_thing, names_a_thing
from anamnesis.corpus.deidentification.words import (
    cases,
    ends_like_surname,
    governs,
    is_korean,
    is_misspelt,
    is_noun_beside,
    is_oblique,
    is_place,
    is_verb,
)

# A preposition with a capital begins the sentence: У Сухого.
INSIDE = re.compile(r"(?:[а-яёa-z,–—]|(?<!\w)[УКСОВ])\s{1,2}$")
BEGINS = re.compile(r"(?:^|[.!?;:|]\s*|\n\s*|\]\s*|¤\s*|(?<!\d)\d\d?[.:]\d\d\s)$")
_ENDS = re.compile(r"\s{0,2}(?:\.(?=\s*(?:[А-ЯЁA-Z\d¤]|$))|[!?;|\n]|$)")
# Behind an abbreviation, the sentence goes on: Свид. о рождении.
_ABBREVIATION = re.compile(r"\.\s?[а-яё\d]")
_PAUSE = re.compile(r"\s{0,2}(?:\.(?!\s*[а-яё])|[,;:!?)(/|\n¤]|\d{4}|\d\d?[./]\d|$|[-–—]\s|[А-ЯЁ])")
IN_A_YEAR = r"(?:в\s(?:(?:19|20)\d\d(?:-?м)?|прошлом|этом|том)\s(?:г\.\s|году\s)?)?"
# What a person does, and what is done to a person, behind the subject.
PERSONAL = re.compile(
    rf"\s{{1,3}}{IN_A_YEAR}(?:(?:не|уже|сегодня|вчера|ранее|сам[аи]?|был[аи]?|также|снова|повторно|давно|очень)\s){{0,2}}"
    r"(?:курит|жалуется|жаловал\w{1,4}|отмеча(?:ет|л[аи]?)|предъявля\w{2,4}|обратил(?:ся|ась)|поступ\w{2,5}|явил\w{1,4}|"
    r"осмотрен[аы]?|выписан[аы]?|госпитализирован[аы]?|направлен[аы]?|принима(?:ет|л[аи]?)|получ(?:ает|ал[аи]?|ил[аи]?)|"
    r"отказал(?:ся|ась)|отказывается|приш(?:[её]л|ла)|прид[её]т|приходил[аи]?|приед\w{2,3}|приех\w{2,4}|жив[её]т|прожива\w{2,4}|"
    r"работа(?:ет|л[аи]?)|родил(?:ся|ась)|наблюда(?:ется|лся|лась)|лечи(?:тся|лся|лась)|позвони\w{1,4}|звони\w{1,3}|"
    r"прос(?:ит|ил[аи]?)|сказал[аи]?|сообщи\w{1,3}|сообща\w{2,3}|хочет|хотел[аи]?|прооперирован[аы]?|оперирован[аы]?|"
    r"консультирован[аы]?|записан[аы]?|вызван[аы]?|болеет|болел[аи]?|заболел[аи]?|перевед[её]н[аы]?|умер(?:ла)?|скончал\w{2,3}|"
    r"жд[её]т|ждал[аи]?|боится|помнит|уш(?:[её]л|ла)|вернул\w{1,4}|вернётся|вернется|пь[её]т|пил[аи]?|спит|спал[аи]?|ест|"
    r"предупрежд[её]н[аы]?|уведомл[её]н[аы]?|согласен|согласна|подписал[аи]?|прибыл[аи]?|убыл[аи]?|уехал[аи]?|опознан[аы]?|"
    r"доставлен[аы]?|прив[её]з(?:ла|ли)?|привел[аи]?|прив[её]л|сдал[аи]?|сда[её]т|забрал[аи]?|взял[аи]?|осматривал\w{0,3}|"
    r"консультировал[аи]?|назначил[аи]?|выписал[аи]?|вёл|вела|дежурил[аи]?|ассистировал[аи]?|диктует|пишет|писал[аи]?|"
    r"спрашива\w{2,3}|уточня\w{2,3}|интересу\w{2,4}|перенес(?:ла)?|перен[её]с|похудел[аи]?|поправил\w{2,3}|беремен\w{1,2}|"
    r"с\sжалобами|замужем|женат|разведен[аы]?|здоров[аы]?|бодр[аы]?|в\sсознании|контактен|контактна|ориентирован[аы]?|"
    r"(?!(?:\w*дцать|пять|девять|десять)(?!\w))\w{2,12}[аеия]ть(?:ся)?|\w{0,5}йти)(?!\w)"
)
_NEXT = re.compile(r"\s(?:не\s|уже\s|сам[аи]?\s)?([а-яё]{3,16})(?!\w)")
# A heading of a line, or the first of a list of persons.
_INTRODUCES = re.compile(
    r"\s?(?:[–—:]\s?|\s-\s|,\s?(?=\d\d|[А-ЯЁ]\w)|\s(?=\d\d?[./]\d\d?[./]|(?:19|20)\d\d|"
    r"(?i:(?:янв|фев|мар|апр|ма[йя]|июн|июл|авг|сен|окт|ноя|дек)[а-яё]{0,5})\.?\s\d))"
)
# Another name of the person follows: Зуб (до 2016 – Суханова), нога (была старкова).
_FORMERLY = re.compile(
    r"\s(?:\((?:до\s(?:(?:19|20)\d\d|брака|замуж)|девич|была?\s[а-яёА-ЯЁ]|ранее\s|урожд|бывш|после\sзамуж)|до\sзамуж|до\sбрака)"
)
# Words that a person is greeted or asked with: Злата, ответьте.
_GREETING = re.compile(
    r",\s(?:привет|здравствуй|добр(?:ый|ое)|спасибо|ответь|подскаж|напиши|позвони|посмотри|помоги|скажи|передай|прошу|пожалуйста|срочно|отдай)"
)
# The score of a scale: Ранкин 1.
_SCORED = re.compile(r"\s\d{1,3}(?=[,;]\s|\.(?!\d)|$)")
# What seasons, instruments and feelings do: Зима прошла.
_HAPPENS = re.compile(
    r"\s(?:не\s)?(?:провоциру|прош[её]?л|вызыва(?!л)|привод|вош[её]?л|попа[ла]|наступ|длит|явля|быва|начал(?:ся|ась)|стих|окреп|дышит|"
    r"сохран|усил|исчез|появ|переш[её]?л|вышл[ао](?!\w))"
)
# What no part of the body does: Зуб позвонил.
_HUMAN = re.compile(
    rf"\s{{1,3}}{IN_A_YEAR}(?:не\s)?"
    r"(?:курит|лечил(?:ся|ась)|жалуется|жаловал\w{1,4}|предъявля\w{2,4}|обратил(?:ся|ась)|отказал(?:ся|ась)|приш(?:[её]л|ла)|"
    r"прид[её]т|приед\w{2,3}|приех\w{2,4}|жив[её]т|прожива\w{2,4}|работал?[аи]?|родил(?:ся|ась)|позвони\w{1,4}|звони\w{1,3}|"
    r"просит|просил[аи]?|сказал[аи]?|сообщи\w{1,3}|хочет|выписан[аы]?|госпитализирован[аы]?|вызван[аы]?|вызвать|замужем|женат|"
    r"консультиру\w{2}|консультировал[аи]?|осмотрел[аи]?|назначил[аи]?|выписал[аи]?|дежурил[аи]?|уведомл[её]н[аы]?|пь[её]т|спит|"
    r"перезвонить|напомнить|сообщить|подписал[аи]?|опознан[аы]?|жд[её]т)(?!\w)"
)
_PERSON_BEFORE = re.compile(r"(?<!\w)(?:у|для|от|к|ко)\s$")
# A verb behind an oblique case, which begins a sentence: Дыней не оспаривается, Чону сняты швы.
_VERB = re.compile(r"\s(?:не\s)?[а-яё]{2,14}(?:ется|ится|ются|ятся|ать|ить|еть|ыть|ён|ен|ан|на|но|ны|то|ты)(?!\w)")
# Words that the dictionary lacks are often medicines, diseases and examinations.
_LIKE_A_TERM = re.compile(
    r".*(?:ия|ии|ию|ией|ит|ита|итом|ите|оз|оза|озом|озе|ома|омы|ому|омой|оме|ние|ния|нии|нию|нием|ость|ости|остью|"
    r"ый|ое|ые|ной|ного|ному|ным|ных|ными|ность|ция|ции|скоп\w{1,3}|граф\w{1,3}|грамм\w{0,3}|метр\w{0,3}|"
    r"ол|ола|олом|ил|ила|илом|ин|ина|ином|ид|ида|он|она|оном|ен|ат|ата|ам|ант|ал|ала|фен|зол|кс|рт|лонг|мед|вит|цит\w?|"
    r"ает|яет|ует|ится|ется|ались|алась|ался|ила|ола|ать|ить|еть|ировано|ирован\w?|тся|ться|льн\w{1,3}|"
    r"(?:цит|фаг|бласт|трофобласт|гормон|маркер|антиген|антител|глобулин|рецептор)(?:ов|ы|ам|ами|ах|а|у|ом|е)?|"
    r"\w{2,}(?:оз|ит|ом)(?:ов|ы|ам|ами|ах)|\w*(?:тирео|фолликул|лимфоц|коллоид)\w*|(?:макро|микро|псевдо|гипер|гипо|интер|пери|анти|поли|моно|пост|ультра|эндо|экзо|мульти|лимфо)\w{4,}|\w{3,}(?:оидн|ичн|альн|ивн|озн|ённ|енн|анн)(?:а|о|ы|ый|ая|ое|ые)|"
    r"патия|патии|терапи\w|аз[аыу]|тек[аиу]?|мици\w+|прил\w?|дипин\w?|сартан\w?|статин\w?|гель|мазь|крем|спрей|свечи)"
)


# Surnames of men that the dictionary has as a genitive plural only: Щеглов, Платов.
_OF_MEN = re.compile(r"(?:[оеё]в|[иы]н)$")


# A quantity of a medicine follows: Рингер 200 мл.
_DOSED = re.compile(r"\s\d+(?:[.,]\d+)?\s?(?:мл|мг|мкг|ед|таб|капс|кап|фл|амп)(?!\w)")
_DESCRIBING = re.compile(r"(?:\w+-)?\w+(?:[сц]к|н)(?:ая|ий|ое|ой|ую|ого|ым|ом|ие|их)")
# Миланская или Йокогамская система
_EITHER = re.compile(r"\s(?:и|или)\s[А-ЯЁ][а-яё-]+(?:ая|ий|ое|ый|ой)\s[а-яё]{4}")
_DESCRIBED = re.compile(r"\s(?:(?:и|или)\s[А-ЯЁа-яё-]+\s)?([а-яё]{4,20})(?!\w)")


def describes_the_next(text: str, token: Token) -> bool:
    """Whether the word is the adjective of the noun behind it: Парижская система."""
    if not _DESCRIBING.fullmatch(token.word.lower()) or token.reading.plain_surname:
        return False
    described = _DESCRIBED.match(text, token.end)
    return described is not None and is_noun_beside(described[1], token.word)


def like_a_term(word: str) -> bool:
    """Whether a word that the dictionary lacks ends like a term of medicine or a misspelt common word."""
    return "'" not in word and _LIKE_A_TERM.fullmatch(word.lower()) is not None


def find_bare(text: str, tokens: Sequence[Token]) -> Iterator[Span]:
    """Surnames by their place. A text that has capitals inside its sentences anyway shows nothing by them."""
    orderly: bool | None = None
    for token in tokens:
        if token.clinical and token.reading.everyday and token.word.istitle() and _is_person_anyway(text, token):
            yield token.start, token.end
        if token.reading.listed and not token.announces and _FORMERLY.match(text, token.end):
            yield token.start, token.end
        if not _may_be_bare(text, token):
            continue
        inside = INSIDE.search(text, max(0, token.start - 3), token.start) is not None
        begins = not inside and BEGINS.search(text, max(0, token.start - 7), token.start) is not None
        if _is_surname(text, token, inside) or (begins and _stands_for_a_person(text, token)):
            yield token.start, token.end
        elif inside and _out_of_place(token) and not is_thing(token.word) and not _is_thing_here(text, token):
            if orderly is None:
                orderly = not any(is_needless(text, other) for other in tokens)
            if orderly:
                yield token.start, token.end


def _is_person_anyway(text: str, token: Token) -> bool:
    """Whether even a part of the body is a person here: Нога курит, жалоб у Сухой нет."""
    if BEGINS.search(text, max(0, token.start - 3), token.start):
        return is_done_by_persons(text, token.end)
    return _PERSON_BEFORE.search(text, max(0, token.start - 5), token.start) is not None


def is_done_by_persons(text: str, end: int) -> bool:
    return _HUMAN.match(text, end) is not None


def _may_be_bare(text: str, token: Token) -> bool:
    return (
        (len(token.word) > 2 or (token.word.istitle() and is_korean(token.word)))
        and not token.clinical
        and not token.latin
        and not token.announces
        and (token.word.istitle() or len(token.word) > 4)
        and token.word not in QUALIFICATIONS
        and not is_heading(token.word)
        and not (not token.reading.known and len(token.word) < 9 and _ABBREVIATION.match(text, token.end))
        and not names_a_thing(text, token.start)
        and not _DOSED.match(text, token.end)
        and not (_SCORED.match(text, token.end) and not token.reading.plain_surname)
        and not (describes_the_next(text, token) and not (token.reading.listed and not _EITHER.match(text, token.end)))
        and not (
            follows_a_medicine(text, token.start)
            and not (token.reading.plain_surname or (token.reading.everyday and "gent" in cases(token.word)))
        )
    )


def _is_surname(text: str, token: Token, inside: bool) -> bool:
    """Whether the word is a surname at any place, or is one rather than a word where it is."""
    part = token.reading
    if not token.word.istitle():
        return not part.known and part.listed and ends_like_surname(token.word)
    if not part.known:
        surname = part.likely_surname and not like_a_term(token.word)
        return part.listed or (surname and (inside or not is_misspelt(token.word)))
    if part.surname <= 0.2 and not (part.listed and _OF_MEN.search(token.word)):
        return False
    return inside or part.common == 0 or _is_subject_or_sentence(text, token)


def _is_subject_or_sentence(text: str, token: Token) -> bool:
    return (PERSONAL.match(text, token.end) or _PAUSE.match(text, token.end)) is not None


def _stands_for_a_person(text: str, token: Token) -> bool:
    """Whether the first word of a sentence can be nothing but a person."""
    part = token.reading
    if not token.word.istitle():
        return False
    if not part.known:
        whole = len(token.word) > 4 and _ENDS.match(text, token.end) is not None
        return not (like_a_term(token.word) or is_misspelt(token.word)) and (
            whole or PERSONAL.match(text, token.end) is not None or _verb_behind(text, token.end)
        )
    if part.likely_given and _GREETING.match(text, token.end):
        return True
    if part.likely_given and (PERSONAL.match(text, token.end) or (part.nominal and _ENDS.match(text, token.end))):
        return True
    if not part.listed or not part.nominal or len(token.word) < 3:
        return False
    if PERSONAL.match(text, token.end) or (_VERB.match(text, token.end) and is_oblique(token.word)):
        return True
    acts = not is_thing(token.word) and not _HAPPENS.match(text, token.end) and _verb_behind(text, token.end)
    if part.everyday and (acts or _INTRODUCES.match(text, token.end)):
        return True
    return part.noun and not is_place(token.word) and _ENDS.match(text, token.end) is not None


def _verb_behind(text: str, end: int) -> bool:
    """Whether an action follows: Соловей согласился."""
    following = _NEXT.match(text, end)
    return following is not None and is_verb(following[1])


def _is_thing_here(text: str, token: Token) -> bool:
    """Whether a common noun that a capital makes look like a name goes on as a noun: Набор реагентов."""
    following = _NEXT.match(text, token.end)
    if following is None or _PERSON_BEFORE.search(text, max(0, token.start - 5), token.start):
        return False
    return token.reading.known and governs(token.word.lower(), following[1])


def _out_of_place(token: Token) -> bool:
    """Whether a capital inside a sentence can be nothing but a name's."""
    part = token.reading
    if not token.word.istitle():
        return False
    if not part.known:
        return not like_a_term(token.word)
    return (part.listed or part.likely_given) and part.nominal and not is_place(token.word)


def is_needless(text: str, token: Token) -> bool:
    """Whether a common word has a capital inside a sentence."""
    part = token.reading
    return (
        part.known
        and token.word.istitle()
        and not part.listed
        and part.surname + part.given + part.patronymic == 0
        and part.common > 0
        and INSIDE.search(text, max(0, token.start - 3), token.start) is not None
    )
