"""Names of patients, relatives and staff, recognized by their context.

A single word is rarely certain to be a name: Вера, Лев and Мороз are also common words, and a line in capitals tells
nothing. So each rule requires two signs: initials, a patronymic, a first name beside a surname, or a word that
announces a person. Only surnames that the dictionary knows as nothing else are names by themselves. A surname found
once is also found in its other grammatical cases.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from anamnesis.corpus.deidentification.findings import Found
from anamnesis.corpus.deidentification.vocabulary import (
    ABBREVIATIONS,
    EPONYM_BEFORE,
    EPONYMS,
    HEADING,
    NOT_INITIALS,
    PATIENT,
    QUALIFICATIONS,
    SEAL_OR_ACTING,
    STAFF,
)
from anamnesis.corpus.deidentification.words import KINSHIP, Reading, reading

_UP = "A-ZА-ЯЁІЇЄҐЎҚҒҲӘӨҮҰҢҺ"
_LOW = "a-zà-ÿа-яёіїєґўқғҳәөүұңһ"
_PLAIN = rf"(?:[{_UP}](?:['’ʼ][{_UP}])?[{_LOW}]+|[{_UP}](?:['’ʼ])?[{_UP}]+)"
_WORD = rf"{_PLAIN}(?:['’ʼ][{_LOW}]+|\s?[-–]\s?(?=[{_UP}]){_PLAIN}|-[{_LOW}]+){{0,3}}"
_PARTICLE = r"(?:(?:[Дд]е|[Вв]ан|[Фф]он|[Дд]ер|[Ээ]ль|[Аа]ль|[Аа]бу|[Тт]ер|[Лл]а|[Бб]ен)[\s-]){0,2}"
_TOKEN = re.compile(rf"{_WORD}|[{_UP}]")
_DOTTED = rf"[{_UP}]\s?\.\s?[{_UP}](?:\s?\.|(?!\w))(?!\s?\.?\s?[Нн](?!\w))"
_SURNAME_FIRST = re.compile(
    rf"(?<!\w)(?P<surname>{_PARTICLE}{_WORD})(?:(?<=[{_LOW}])|(?!\w)\s{{0,3}}|\s?,\s?(?=[^,]{{3,7}}(?:[,;\n]|$)))"
    rf"(?P<initials>{_DOTTED}|[{_UP}]\.|[{_UP}]\s[{_UP}]\.?(?!\w)|(?<=\s)[{_UP}]{{2}}(?!\w))"
)
# In capitals, the end of the surname is not visible: ИВАНОВА.Б.
_GLUED = re.compile(rf"(?<!\w)(?P<surname>[{_UP}]{{3,30}}(?:-[{_UP}]{{3,30}})?)[{_UP}]\.\s?[{_UP}]\.")
_NEXT_WORD = re.compile(rf"\s{{0,3}}(?P<word>{_WORD})")
_INITIALS_BEHIND = re.compile(rf"\s{{0,3}}(?:{_DOTTED}|[{_UP}]\.|[{_UP}]\s[{_UP}](?!\w)|(?<=\s)[{_UP}]{{2}}(?!\w))")
_INITIALS_FIRST = re.compile(
    rf"(?<![\w.])(?P<initials>[{_UP}]\s?\.\s?[{_UP}]\s?\.?\s{{0,3}}|[{_UP}]\.\s{{0,2}}|"
    rf"[{_UP}]{{2}}\s)(?P<surname>{_PARTICLE}{_WORD})"
)
_LOWER_CASE = re.compile(
    r"(?<!\w)(?:(?P<surname>[а-яё]{3,20}(?:-[а-яё]{3,20})?)\s(?P<initials>[а-яё]\.\s?[а-яё]\.)|"
    r"(?P<full>(?:[а-яё]{2,20}\s){1,2}[а-яё]{3,16}(?:(?:[оеё]в|ь)ич|[оеё]вн|[ьи]ничн)(?:а|у|ем|ом|е|ы|ой)?(?!\w)))"
)
_ANNOUNCED = re.compile(rf"(?<![\w\[])(?:(?P<doctor>{STAFF})|(?P<name>{PATIENT}))(?![\w\]])")
_IS_ANNOUNCING = re.compile(rf"(?:{STAFF}|{PATIENT})(?:-.*)?")
_QUALIFICATION = re.compile(
    rf"(?:[\s.,:_/()№–—\"«»-]|[а-яё]{{1,20}}(?=[\s.,:])|(?:{'|'.join(QUALIFICATIONS)})(?!\w)|\d{{1,3}}(?!\d)){{0,24}}"
)
_NEAR = re.compile(rf"(?:[\s.:,_/()–—\"«»-]|(?:{'|'.join(QUALIFICATIONS)})(?!\w)){{0,60}}")
_ENUMERATED = re.compile(r"[ ,;/и&]{1,4}")
_SENTENCE_ENDS = re.compile(r"[!?]|\.\s+(?=[А-ЯЁ][а-яё]{2})|;")
# The rest of a line after a signature.
_SIGNATURE_END = re.compile(r"[\s./)_\]]*$")
_PATIENT_BEHIND = re.compile(
    r"[\s,(]{1,3}(?:\d{1,3}\s?(?:лет|год|г(?!\w))|\d{4}\s?г(?:ода?)?[\s./]{0,2}р|\d\d\.\d\d\.\d{2,4}\s?г?\.?\s?р|"
    r"д\.?\s?р|рожд)"
)
_STAFF_BEHIND = re.compile(rf"[\s,/()_–—-]{{1,4}}(?:{STAFF})(?!\w)")

_BORN = re.compile(
    r"(?<!\d)(?:\d\d\.\d\d\.(?:19|20)\d\d|(?:19|20)\d\d\s?г[./]?\s?р|(?i:д\.?\s?р(?!\w)|дата\sрожд)|"
    r"(?<=,\s)\d{1,3}\s(?:лет|год|года)(?!\w))"
)
_BEFORE_BORN = re.compile(rf"\s{{0,2}}[{_UP}]?\.?\s?[{_UP}]?\.?[\s,(]{{1,3}}")
_ENDS = re.compile(r"\s?(?:[,.;:(/)\n\d]|$|[А-ЯЁ])")


Span = tuple[int, int]
# Start and end of the word, and the kind of person that it announces.
Announcement = tuple[int, int, str]


@dataclass(frozen=True)
class Token:
    start: int
    end: int
    word: str
    reading: Reading

    @property
    def announces(self) -> bool:
        return _announces(self.word)


@lru_cache(maxsize=200_000)
def _announces(word: str) -> bool:
    return _IS_ANNOUNCING.fullmatch(word.lower()) is not None


def find_names(text: str, lower: str) -> Iterator[Found]:
    """Names with their kinds: a doctor is announced by a post or an action of staff."""
    tokens = [
        Token(match.start(), match.end(), match[0], reading(match[0]))
        for match in _TOKEN.finditer(text)
        if match.end() - match.start() > 1
    ]
    announced = [(match.start(), match.end(), match.lastgroup or "") for match in _ANNOUNCED.finditer(lower)]
    spans = [
        *_initialled(text),
        *_lower_case(text),
        *_full(text, tokens),
        *_alone(text, tokens),
        *_after_announcement(text, lower, tokens, announced),
        *_before_birth(text, tokens),
    ]
    if spans:
        spans.extend(_elsewhere(tokens, spans))
        yield from _with_kinds(text, lower, _united(spans), announced)


def _initialled(text: str) -> Iterator[Span]:
    """A surname with initials, in both orders. One initial, or two without dots, require a likely surname."""
    for glued in _GLUED.finditer(text):
        if reading(glued["surname"]).likely_surname:
            yield glued.span()
    taken = set[int]()
    for regex in (_SURNAME_FIRST, _INITIALS_FIRST):
        position = 0
        while match := regex.search(text, position):
            position = match.end()
            initials, surname = match["initials"], match["surname"]
            at = match.start("initials")
            letters = [letter for letter in initials if letter.isalpha()]
            if at in taken or not _plausible(surname, len(letters), initials.count(".")):
                position = max(match.start() + 1, match.start("initials" if regex is _SURNAME_FIRST else "surname"))
                continue
            if "".join(letters).lower() in SEAL_OR_ACTING and not reading(surname.split()[-1]).of_name:
                position = match.end("initials")
                continue
            if regex is _SURNAME_FIRST and _belong_to_the_next(text, match):
                position = at
                continue
            if regex is _INITIALS_FIRST and EPONYM_BEFORE.search(text, max(0, at - 20), at):
                continue
            taken.add(at)
            yield match.span()


def _belong_to_the_next(text: str, match: re.Match[str]) -> bool:
    """Whether initials between two words belong to the second: "Врач КЛД А.А. Петрова"."""
    following = _NEXT_WORD.match(text, match.end())
    if not following or reading(match["surname"]).likely_surname or match["initials"].count(".") < 2:
        return False
    return reading(following["word"]).likely_surname or (
        len(match["surname"]) < 5 and match["surname"].isupper() and following["word"].istitle()
    )


def _plausible(surname: str, letters: int, dots: int) -> bool:
    if _announces(surname):
        return False
    part = reading(surname.split()[-1])
    if letters == 2 and dots:
        return True
    return part.likely_surname and part.common < 0.5 and not EPONYMS.match(surname) and (part.known or dots > 0)


def _lower_case(text: str) -> Iterator[Span]:
    """Names typed without capitals."""
    for match in _LOWER_CASE.finditer(text):
        if match["full"]:
            words = match["full"].split()
            if reading(words[-1]).patronymic > 0.5 and reading(words[-2]).given > 0:
                surname = len(words) == 3 and reading(words[0]).likely_surname
                yield (match.start() if surname else match.end() - len(" ".join(words[-2:])), match.end())
        else:
            letters = "".join(letter for letter in match["initials"] if letter.isalpha())
            if reading(match["surname"]).plain_surname and letters not in NOT_INITIALS:
                yield match.span()


def _adjoin(text: str, left: Token, right: Token) -> bool:
    gap = text[left.end : right.start]
    return len(gap) <= 4 and (gap.isspace() or (gap.strip() in (",", "") and gap[-1:].isspace()))


def _close(text: str, left: Token, right: Token) -> bool:
    return right.start - left.end <= 4 and text[left.end : right.start].isspace()


def _full(text: str, tokens: list[Token]) -> Iterator[Span]:
    """A patronymic with the names beside it, or a first name beside a surname."""
    for index, token in enumerate(tokens):
        first = last = index
        kinship = KINSHIP.match(text, token.end + 1) if text[token.end : token.end + 1] in (" ", "-") else None
        if (token.reading.patronymic > 0.5 or kinship) and not token.announces:
            if index and _close(text, tokens[index - 1], token) and _fits(tokens[index - 1], given=True):
                first = index - 1
                if first and _adjoin(text, tokens[first - 1], tokens[first]) and _fits(tokens[first - 1]):
                    first -= 1
            follower = tokens[index + 1] if index + 1 < len(tokens) else None
            if first >= index - 1 and follower and _close(text, token, follower):
                ends = not follower.reading.known or _ENDS.match(text, follower.end) is not None
                likely = follower.reading.likely_surname or (follower.word.istitle() and ends)
                last += likely and not follower.announces and not HEADING.match(follower.word)
            if first < index or token.reading.known or kinship:
                yield tokens[first].start, max(tokens[last].end, kinship.end() if kinship else 0)
        elif token.reading.given > 0.2 and index + 1 < len(tokens) and _close(text, token, tokens[index + 1]):
            follower = tokens[index + 1]
            if follower.reading.likely_surname and follower.reading.common < 0.5 and not EPONYMS.match(follower.word):
                yield token.start, follower.end
        elif token.reading.likely_surname and token.reading.common < 0.5 and not EPONYMS.match(token.word):
            follower = tokens[index + 1] if index + 1 < len(tokens) else None
            if follower and _close(text, token, follower) and follower.reading.given > 0.05 and not follower.announces:
                yield token.start, follower.end


def _fits(token: Token, given: bool = False) -> bool:
    """Whether a word beside a patronymic (or a first name) may belong to the same name."""
    if token.announces or (not given and EPONYMS.match(token.word)):
        return False
    return token.reading.of_name or (
        len(token.word) > 2 and not token.word.lower().endswith(("но", "ть", "на", "ния", "ние"))
    )


def _alone(text: str, tokens: list[Token]) -> Iterator[Span]:
    """Surnames that the dictionary knows as nothing else, unless they name a disease or a method."""
    for token in tokens:
        if (
            token.reading.plain_surname
            and len(token.word) > 3
            and not EPONYMS.match(token.word)
            and not EPONYM_BEFORE.search(text, max(0, token.start - 24), token.start)
        ):
            yield token.start, token.end


def _after_announcement(text: str, lower: str, tokens: list[Token], announced: list[Announcement]) -> Iterator[Span]:
    """One to four capitalized words after "пациент", "врач-цитолог:", "дочь"; nearer words need fewer signs."""
    index = 0
    for position, (start, end, kind) in enumerate(announced):
        # The full stop of an abbreviation does not end a sentence.
        end += text.startswith(".", end) and lower[start:end] in ABBREVIATIONS
        while index < len(tokens) and tokens[index].start < end:
            index += 1
        if index == len(tokens):
            return
        # A qualification comes between: "врач УЗД Петров".
        while index + 1 < len(tokens) and tokens[index].word in QUALIFICATIONS:
            index += 1
        token, limit = tokens[index], announced[position + 1][0] if position + 1 < len(announced) else len(text)
        if token.start >= limit or token.start - end > 80 or token.announces:
            continue
        gap = text[end : token.start]
        near = _NEAR.fullmatch(gap) is not None
        if not near:
            if kind == "name" or not _QUALIFICATION.fullmatch(gap):
                continue
            if _SENTENCE_ENDS.search(text, end, token.start + 3):
                continue
        sure = near and (
            ":" in gap or "_" in gap or gap.strip() in QUALIFICATIONS or lower[start:end] in ("исп.", "фио")
        )
        last = index - 1
        while last + 1 < len(tokens) and last - index < 3:
            following = tokens[last + 1]
            if last >= index and not _close(text, tokens[last], following):
                break
            # After a post and a full stop, a new sentence begins, unless its first word is certainly a surname.
            if (
                last < index
                and ". " in gap
                and not (following.reading.known and following.reading.likely_surname)
                and not _INITIALS_BEHIND.match(text, following.end)
            ):
                break
            if following.announces or not _acceptable(text, following, near, sure or last >= index, gap):
                break
            last += 1
        if last >= index:
            initials = _INITIALS_BEHIND.match(text, tokens[last].end)
            yield token.start, initials.end() if initials else tokens[last].end


def _before_birth(text: str, tokens: list[Token]) -> Iterator[Span]:
    """One to three capitalized words directly before a date of birth or an age."""
    starts = [token.start for token in tokens]
    for match in _BORN.finditer(text):
        last = bisect_left(starts, match.start()) - 1
        if last < 0 or not _BEFORE_BORN.fullmatch(text, tokens[last].end, match.start()):
            continue
        first = last + 1
        while first and last - first < 2 and (first > last or _close(text, tokens[first - 1], tokens[first])):
            word = tokens[first - 1]
            if word.announces or HEADING.match(word.word) or (word.word.isupper() and not word.reading.of_name):
                break
            first -= 1
        words = tokens[first : last + 1]
        if any(word.reading.likely_surname or (len(words) > 1 and word.reading.of_name) for word in words):
            yield tokens[first].start, tokens[last].end


def _acceptable(text: str, token: Token, near: bool, sure: bool, gap: str) -> bool:
    part = token.reading
    capitals = token.word.isupper()
    if text[token.end : token.end + 1] == ":" or HEADING.match(token.word):
        return False
    abbreviation = capitals and len(token.word) < 5 and not (part.known and part.of_name)
    if near and not abbreviation and _INITIALS_BEHIND.match(text, token.end):
        return True
    if EPONYMS.match(token.word):
        return False
    if not near:
        return part.likely_surname and part.common < 0.5 and (part.known or not capitals)
    if abbreviation:
        return False
    if part.known:
        if part.of_name and part.common < 0.9 and (part.common < 0.5 or "." not in gap):
            return True
        return (sure and _ENDS.match(text, token.end) is not None) or (not capitals and gap.isspace())
    return (part.likely_surname and "(" not in gap) or sure or (not capitals and not {".", "("} & set(gap))


def _elsewhere(tokens: list[Token], spans: list[Span]) -> Iterator[Span]:
    """Other occurrences of the surnames of the spans, in any grammatical case: words with the same stem."""
    stems = set[str]()
    starts = [token.start for token in tokens]
    covered = set[int]()
    for start, end in spans:
        for at in _between(starts, start, end):
            token = tokens[at]
            covered.add(at)
            if token.reading.likely_surname or not token.reading.known:
                stems.add(_stem(token.word))
    for at, token in enumerate(tokens):
        if at not in covered and len(token.word) > 3 and not EPONYMS.match(token.word) and _stem(token.word) in stems:
            yield token.start, token.end


def _between(starts: list[int], start: int, end: int) -> range:
    return range(bisect_left(starts, start), bisect_left(starts, end))


def _stem(word: str) -> str:
    """The word without its case ending."""
    return re.sub(r"(?<=..)(?:ого|ому|ыми|ой|ою|ым|ом|ем|им|ая|ую|ий|ый|их|ых|[аеуыиюя])$", "", word.lower())


def _united(spans: list[Span]) -> list[Span]:
    united: list[Span] = []
    for start, end in sorted(spans):
        if united and start < united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def _with_kinds(text: str, lower: str, spans: list[Span], announced: list[Announcement]) -> Iterator[Found]:
    """The kind is that of the nearest announcing word in the same sentence, or that of the neighbour in an enumeration,
    or a doctor in the place of a signature."""
    before, next_announced = "", 0
    announcement = (0, -1, "")
    previous_end = 0
    for start, end in spans:
        while next_announced < len(announced) and announced[next_announced][1] <= start:
            announcement = announced[next_announced]
            next_announced += 1
        kind = ""
        if previous_end <= announcement[1] and start - announcement[1] <= 90:
            gap = text[announcement[1] : start]
            kind = "" if _SENTENCE_ENDS.search(gap + text[start : start + 3]) and len(gap) > 30 else announcement[2]
        if _PATIENT_BEHIND.match(lower, end):
            kind = "name"
        if not kind and before and _ENUMERATED.fullmatch(text, previous_end, start):
            kind = before
        if not kind and _STAFF_BEHIND.match(lower, end):
            kind = "doctor"
        if not kind and len(text) - end < 8 and "." in text[start : end + 1] and _SIGNATURE_END.match(text, end):
            kind = "doctor"
        before, previous_end = kind or "name", end
        yield Found(start, end, before)
