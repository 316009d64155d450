"""Names of patients, relatives and staff, recognized by their context.

A single word is rarely certain to be a name: Вера, Лев and Мороз are also common words, and a line in capitals tells
nothing. So each rule requires two signs: initials, a patronymic, a first name beside a surname, or a word that
announces a person. Only surnames that the dictionary knows as nothing else are names by themselves. A surname found
once is also found in its other grammatical cases. What the tagger has marked is treated like a finding of a rule.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from anamnesis.corpus.deidentification import latin
from anamnesis.corpus.deidentification.bare_names import describes_the_next, find_bare, is_done_by_persons, like_a_term
from anamnesis.corpus.deidentification.findings import BOTH, RULES, TAGGER, Found
from anamnesis.corpus.deidentification.tokens import Announcement, Span, Token, announces, is_heading
from anamnesis.corpus.deidentification.vocabulary import (
    ABBREVIATIONS,
    DIRECT,
    FIELD,
    NO_NAME_BEHIND,
    NOT_INITIALS,
    PATIENT,
    QUALIFICATIONS,
    SEAL_OR_ACTING,
    STAFF,
    TREATMENT,
    ClinicalWords,
    is_thing,
    names_a_thing,
)
from anamnesis.corpus.deidentification.words import (
    KINSHIP,
    agree,
    ends_like_surname,
    is_korean,
    is_misspelt,
    is_oblique,
    is_place,
    reading,
    stem,
)

_UP = "A-ZÀ-ÖØ-ÞŞĞİƏА-ЯЁІЇЄҐЎҚҒҲӘӨҮҰҢҺ"
_LOW = "a-zß-öø-ÿşğıəа-яёіїєґўқғҳәөүұңһ"
_PLAIN = rf"(?:[{_UP}](?:['’ʼ][{_UP}])?[{_LOW}]+|[{_UP}](?:['’ʼ])?[{_UP}]+)"
_WORD = rf"{_PLAIN}(?:['’ʼ][{_LOW}]+|(?:\s?[-–]|[-–]\s)(?=[{_UP}]){_PLAIN}|-[{_LOW}]+){{0,3}}"
_PARTICLE = r"(?:(?:[Дд]е|[Вв]ан|[Фф]он|[Дд]ер|[Ээ]ль|[Аа]ль|[Аа]бу|[Тт]ер|[Лл]а|[Бб]ен)[\s-]){0,2}"
_TOKEN = re.compile(rf"{_WORD}|[{_UP}]")
# Latin initials have two letters for one Russian letter: Yu., Sh.
_INITIAL = rf"(?:Y[aueo]|[SCZK]h|Ts|Shch|[{_UP}])"
# Also А.,Б. and А.-Б.
_DOTTED = rf"{_INITIAL}\s?\.(?:\s?|[,-]){_INITIAL}(?:\s?\.|(?!\w))(?!\s?\.?\s?[Нн](?!\w))"
_SURNAME_FIRST = re.compile(
    rf"(?<!\w)(?P<surname>{_PARTICLE}{_WORD})(?:(?<=[{_LOW}])|(?!\w)\s{{0,3}}|\s?,\s?(?=[^,]{{3,7}}(?:[,;\n]|$))|"
    rf"[.,]\s?(?=[{_UP}]\.\s?[{_UP}]\.))"
    rf"(?P<initials>{_DOTTED}|{_INITIAL}\.|[{_UP}][\s-][{_UP}]\.?(?!\w|-)|(?<=\s)[{_UP}]{{2}}(?!\w)|"
    rf"(?<=\s)[{_UP}](?=\s?(?:[,;\n]|\d{{4}}|$)))"
)
# In capitals, the end of the surname is not visible: ИВАНОВА.Б.
_GLUED = re.compile(rf"(?<!\w)(?P<surname>[{_UP}]{{3,30}}(?:-[{_UP}]{{3,30}})?)[{_UP}]\.\s?[{_UP}]\.")
_RUSSIAN = re.compile(r"[а-яё]{3}")
_LIKE_MEDICINES = re.compile(r"(?i)ин(?:[аеу]|ом)?$")
_INSIDE_SENTENCE = re.compile(r"[а-яёa-z,:–—-]\s{1,2}$")
_INITIALS_BEFORE = re.compile(rf"(?<![\w.])(?:[{_UP}]\s?\.\s?){{1,2}}$")
_NEXT_WORD = re.compile(rf"\s{{0,3}}(?P<word>{_WORD})")
_INITIALS_BEHIND = re.compile(rf"\s{{0,3}}(?:{_DOTTED}|[{_UP}]\.|[{_UP}]\s[{_UP}](?!\w)|(?<=\s)[{_UP}]{{2}}(?!\w))")
_INITIALS_FIRST = re.compile(
    rf"(?<![\w.])(?P<initials>{_INITIAL}\s?\.(?:\s?|[,-]){_INITIAL}(?:\s?\.\s{{0,3}}|\s{{1,3}})|[{_UP}][\s-][{_UP}]\s|{_INITIAL}\.\s{{0,2}}|"
    rf"[{_UP}]{{2}}\s)(?P<surname>{_PARTICLE}{_WORD})"
)
# Two capitals behind a word that are hardly initials: a disease, pressure, a part of the body.
_NO_INITIALS = frozenset(("сд", "ад", "аг", "гб", "щж", "пж", "лж", "од", "кт", "уз", "тт", "св", "os", "od", "iu"))
_LOWER_CASE = re.compile(
    r"(?<!\w)(?:(?P<surname>[а-яё]{2,20}(?:-[а-яё]{3,20})?)\s(?P<initials>[а-яё]\.(?:\s?[а-яё]\.)?)|"
    r"(?<!\w\.)(?<!\w\.\s)(?P<before>[а-яё]\.\s?[а-яё]\.)\s{0,2}(?P<behind>[а-яё]{2,20}(?:-[а-яё]{3,20})?)(?!\w)|"
    r"(?P<full>(?:[а-яё]{2,20}\s){1,2}[а-яё]{3,16}(?:(?:[оеё]в|ь)ич|[оеё]вн|[ьи]ничн)(?:а|у|ем|ом|е|ы|ой)?(?!\w)))"
)
_LOWER_NEXT = re.compile(r"\s([а-яё]{3,20}(?:-[а-яё]{3,20})?)(?!\w)")
_LOWER_BARE = re.compile(
    r"(?<![\w@.-])[а-яё]{3,18}(?:[оеё]в(?:а|у|ой|ым)?|швили|дзе|енко|янц?|[сц]к(?:ая|ую)|штейн(?:а|у|ом)?|[иы]н(?:ой|у)|"
    r"(?:[оеё]в|ь)ич(?:а|у|ем)?|(?:[оеё]вн|[ьи]ничн)(?:а|ы|е|у|ой))(?![\w@-])"
)
_LOWER_PAIR = re.compile(r"(?<![\w.@-])(?=([а-яё]{3,20})[ \n]([а-яё]{3,20}(?:-[а-яё]{3,20})?)(?![\w@-]))", re.I)
_LOWER_AFTER = re.compile(
    r"(?:(?:\((?:а|ла|лась)\))?[\s:–—-]{1,3}(?:(?:узи|узд|кдл|клд)\s)?)((?:(?<=\s)|(?<=[:–—-]))[а-яё]{2,20}(?:-[а-яё]{3,20})?)"
    r"((?:\s[а-яё]{2,20}){0,2})(?![\w-])"
)
_KINSHIP_BEHIND = re.compile(rf"(?:\s{{1,4}}|-){KINSHIP.pattern}")
_LOWER_LATIN = re.compile(r"(?<![\w@.])[a-z]{3,20}(?:\s[a-z]{3,20}){1,2}(?![\w@])(?!\.\w)")
_LOWER_DESCENT = re.compile(
    rf"(?<!\w)(?P<before>(?:[{_LOW}]{{2,20}}\s){{1,2}}[{_LOW}]{{2,20}})[\s-]{KINSHIP.pattern}(?:\s(?P<behind>[{_LOW}]{{3,20}}))?(?!\w)"
)
# Fields of HL7: ИВАНОВ^ИВАН^ИВАНОВИЧ.
_CARETS = re.compile(
    rf"(?<![\w^])(?:{_WORD}|[{_UP}]\.?)(?:\^{{1,2}}(?:{_WORD}|[{_UP}]\.?)){{1,5}}(?!\w)(?:[\s-]{KINSHIP.pattern})?"
)
_LOWER_CARETS = re.compile(
    rf"(?<![\w^])[{_LOW}]{{2,25}}(?:\^{{1,2}}[{_LOW}]{{1,25}}){{1,3}}(?!\w)(?:[\s-]{KINSHIP.pattern})?"
)
_SEPARATED = re.compile(
    rf"(?<![\w-])(?P<first>{_PLAIN}(?:-{_PLAIN})?)(?:\s?(?P<sign>[;|/,])\s?(?P<second>{_PLAIN})\s?(?P=sign)\s?(?P<third>{_PLAIN})|"
    rf"\s\((?P<given>{_PLAIN})\s(?P<inner>{_PLAIN}))(?P<kinship>[\s-]{KINSHIP.pattern})?(?!\w)\)?"
)
_FIELD_OF_NAME = re.compile(
    r"(?<!\w)(?i:(?:last|first|middle|family|given|sur)[_-]?name|family|given|surname|patronymic|nurse|doctor|patient|"
    r"physician|performer|fio|vrach)[\"']?\s?[=:]\s?[\"']"
    rf"(?P<value>{_WORD}(?:\s{_WORD}){{0,2}})(?=[\"'])"
)
_IN_FILE_NAME = re.compile(
    rf"(?<![\w.@/])(?:(?P<joined>[{_UP}][{_LOW}]{{2,20}}(?:[._](?:[{_UP}][{_LOW}]{{0,20}}|[{_LOW}]{{4,5}})){{1,3}})|"
    rf"(?P<surname>[{_UP}][{_LOW}]{{2,20}})[{_UP}]{{2}})(?![\w@]*@)(?![^\W_])"
)
_CAPITALIZED_LATIN = "(?:[A-Z][a-z]{2,20}|[A-Z]{3,20})"
_LATIN_INITIALLED = re.compile(
    rf"(?<![\w.@])(?:(?P<given>{_CAPITALIZED_LATIN})\s[A-Z][a-z]?\.\s(?P<surname>{_CAPITALIZED_LATIN})(?!\w)|"
    rf"(?P<alone>{_CAPITALIZED_LATIN})(?:,\s?[A-Z][a-z]?\.|\s[A-Z](?=\s?(?:[,;<\n]|$))))"
)
_SPACED = re.compile(rf"(?<![\w-])[{_UP}](?:[ \u00a0][{_UP}]){{3,19}}(?![\w-])")
_CUT = re.compile(
    rf"(?<![\w-])(?=(?:(?P<ahead>[{_UP}][{_LOW}]{{2,20}})\s)?(?P<first>[{_UP}][{_LOW}]{{1,15}})\s(?P<second>[{_LOW}]{{2,15}})(?!\w)"
    rf"(?:\s(?P<beside>[{_UP}][{_LOW}]{{1,20}})(?!\w))?)"
)
_ANNOUNCED = re.compile(rf"(?<![\w\[])(?:(?P<doctor>{STAFF})|(?P<name>{PATIENT}))(?![\w\]])")
_QUALIFICATION = re.compile(
    rf"(?:[\s.,:_/()№–—\"«»-]|[а-яё]{{1,20}}(?=[\s.,:])|(?:{'|'.join(QUALIFICATIONS)})(?!\w)|\d{{1,3}}(?!\d)){{0,24}}"
)
_COLON = re.compile(r"\s?:")
_FEMININE = re.compile(r"\((?:а|ла|лась)\)")
_NEAR = re.compile(rf"(?:[\s.:,_/()–—\"«»=-]|(?:{'|'.join(QUALIFICATIONS)})(?!\w)){{0,60}}")
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
_ENDS = re.compile(r"\s?(?:[,.;:?!(/)\n\d]|$|[А-ЯЁ])")
_AND, _AND_BEFORE = re.compile(r"\s(?:и|&)\s"), re.compile(r"\s(?:и|&)\s$")
_GOES_ON = re.compile(r"\.?\s[а-яё]")
_IS_LAST = re.compile(r"\s{0,2}(?:[.;,)\n¤]|$)")


def find_names(
    text: str, lower: str, clinical: ClinicalWords, tagged: Sequence[Span] = (), own: Sequence[Span] = ()
) -> Iterator[Found]:
    """Names with their kinds: a doctor is announced by a post or an action of staff.

    Args:
        tagged: what the tagger takes for names.
        own: where the names of the row's own patient are.
    """
    tokens = [
        Token(match.start(), match.end(), match[0], reading(match[0]), match[0] in clinical)
        for match in _TOKEN.finditer(text)
        if match.end() - match.start() > 1
    ]
    announced = [(match.start(), match.end(), match.lastgroup or "") for match in _ANNOUNCED.finditer(lower)]
    ruled = [
        *own,
        *_initialled(text, clinical),
        *_lower_case(text),
        *_lower_bare(text, clinical),
        *_lower_pairs(text, clinical),
        *_lower_latin(text, clinical),
        *_lower_descents(text, clinical),
        *_spaced(text, clinical),
        *_cut(text, clinical),
        *_lower_after_announcement(text, lower, clinical, announced),
        *_carets(text, clinical),
        *_separated(text),
        *_in_fields(text),
        *_in_file_names(text, clinical),
        *_latin_initialled(text, clinical),
        *_full(text, tokens),
        *_pairs(text, tokens),
        *_alone(text, tokens),
        *find_bare(text, tokens),
        *_after_announcement(text, lower, tokens, announced),
        *_before_birth(text, tokens),
    ]
    if ruled:
        ruled.extend(_elsewhere(tokens, ruled))
        ruled.extend(_coordinated(text, tokens, _united(ruled)))
    likely = list(_likely(text, tokens, tagged)) if tagged else []
    if likely:
        likely.extend(_elsewhere(tokens, likely))
    spans = _united([*ruled, *likely])
    if spans:
        yield from _with_kinds(text, lower, spans, announced, _united(ruled), _united(likely))


def _likely(text: str, tokens: list[Token], tagged: Sequence[Span]) -> Iterator[Span]:
    """What remains of the tagger's spans without the words that are certainly no name.

    The tagger learnt from news, where medicines and first words of complaints are rare: it takes them for persons.
    """
    starts = [token.start for token in tokens]
    for start, end in tagged:
        inside = [tokens[at] for at in _between(starts, start, end)]
        while inside and _no_name(inside[0]):
            inside.pop(0)
        # After a first name comes a surname, even if the dictionary knows it as a word only: Эрик Пула.
        while inside and _no_name(inside[-1]) and not (len(inside) > 1 and _follows(inside[-2], inside[-1])):
            inside.pop()
        if inside and _convincing(text, inside):
            last = inside[-1]
            initials = _INITIALS_BEHIND.match(text, last.end)
            before = _INITIALS_BEFORE.search(text, max(0, inside[0].start - 8), inside[0].start)
            yield before.start() if before else inside[0].start, initials.end() if initials else last.end


def _no_name(token: Token) -> bool:
    part = token.reading
    return (
        token.clinical
        or is_thing(token.word)
        or token.announces
        or is_heading(token.word)
        or token.word in QUALIFICATIONS
        or (part.known and not part.listed and part.surname + part.given + part.patronymic == 0)
    )


def _convincing(text: str, inside: list[Token]) -> bool:
    """Whether there is a further sign of a name beside the tagger's opinion."""
    readings = [token.reading for token in inside]
    if len(inside) > 1:
        return any(part.likely_surname or part.likely_given or part.patronymic or part.listed for part in readings) or (
            not any(token.reading.known or token.abbreviated for token in inside)
        )
    (token,) = inside
    part = token.reading
    if _INITIALS_BEHIND.match(text, token.end) or _INITIALS_BEFORE.search(text, max(0, token.start - 8), token.start):
        return part.of_name or part.listed
    if describes_the_next(text, token):
        return False
    if len(token.word) < 3 or token.abbreviated or names_a_thing(text, token.start):
        return False
    if not part.known and part.given == 0:
        # Medicines end like surnames in -ин.
        surname = part.likely_surname and not _LIKE_MEDICINES.search(token.word)
        return part.listed or (surname and not is_misspelt(token.word))
    if part.surname + part.given > 0.5 and part.common < 0.3 and not part.everyday:
        return True
    return (
        (part.listed or part.given > 0)
        and token.word.istitle()
        and _INSIDE_SENTENCE.search(text, max(0, token.start - 3), token.start) is not None
    )


def _follows(given: Token, word: Token) -> bool:
    """Whether a capitalized word after a first name is a surname for that reason alone."""
    return (
        given.reading.plain_given
        and word.word.istitle()
        and not (given.clinical or word.clinical or word.announces)
        and not is_heading(word.word)
    )


def _precedes(word: Token, given: Token) -> bool:
    """Whether a word before a first name is a surname for the reason alone that it is in the same case: Сахар Ирина."""
    return (
        given.reading.given >= 0.5
        and given.reading.common < 0.1
        and word.reading.nominal
        and (word.word.istitle() or not word.abbreviated)
        and word.word.istitle() == given.word.istitle()
        and not (word.announces or given.announces or is_heading(word.word))
        and not is_place(word.word)
        and agree(word.word, given.word)
    )


def _initialled(text: str, clinical: ClinicalWords) -> Iterator[Span]:
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
            letters = [letter for letter in initials if letter.isupper()]
            if at in taken or not _plausible(
                surname, "".join(letters), initials.count("."), _is_parted(text, match), clinical
            ):
                position = max(match.start() + 1, match.start("initials" if regex is _SURNAME_FIRST else "surname"))
                continue
            if "".join(letters).lower() in SEAL_OR_ACTING and not reading(surname.split()[-1]).of_name:
                position = match.end("initials")
                continue
            if regex is _SURNAME_FIRST and _belong_to_the_next(text, match):
                position = at
                continue
            if regex is _INITIALS_FIRST and names_a_thing(text, at):
                continue
            taken.add(at)
            yield match.span()


def _is_parted(text: str, match: re.Match[str]) -> bool:
    return match.end("surname") < match.start("initials") and text[match.end("surname")] in ".,"


def _belong_to_the_next(text: str, match: re.Match[str]) -> bool:
    """Whether initials between two words belong to the second: "Врач КЛД А.А. Петрова"."""
    following = _NEXT_WORD.match(text, match.end())
    if not following or reading(match["surname"]).likely_surname or match["initials"].count(".") < 2:
        return False
    return reading(following["word"]).likely_surname or (
        len(match["surname"]) < 5 and match["surname"].isupper() and following["word"].istitle()
    )


def _plausible(surname: str, letters: str, dots: int, parted: bool, clinical: ClinicalWords) -> bool:
    """`parted`: a full stop or a comma is between the surname and its initials."""
    if announces(surname) or is_heading(surname):
        return False
    word = surname.split()[-1]
    part = reading(word)
    if len(letters) == 2 and dots and not parted:
        return True
    if word in clinical:
        return part.everyday and part.nominal and dots == 1 and word.istitle()
    if latin.is_latin(word):
        return dots > 0 and len(word) > 1 and word[0].isupper() and not latin.is_species(word)
    if len(letters) == 2 and not dots and letters.lower() in _NO_INITIALS and not part.likely_surname:
        return False
    likely = part.likely_surname and part.common < 0.5 and len(surname) > 1
    if len(letters) == 1 and not dots:
        return likely and word.istitle() and (part.known or part.listed)
    if likely:
        return dots > 0 or part.known or (part.listed or not _LIKE_MEDICINES.search(word))
    return word.istitle() and part.listed and part.nominal


def _lower_case(text: str) -> Iterator[Span]:
    """Names typed without capitals: with a patronymic, or with initials on either side."""
    position = 0
    while match := _LOWER_CASE.search(text, position):
        position = match.end()
        if match["full"]:
            words = match["full"].split()
            if reading(words[-1]).patronymic > 0.5 and reading(words[-2]).given > 0:
                part = reading(words[0])
                surname = len(words) == 3 and (part.likely_surname or part.listed or part.noun)
                surname = surname and not (announces(words[0]) or words[0] in NO_NAME_BEHIND)
                start = match.start() if surname else match.end() - len(" ".join(words[-2:]))
                behind = None if surname else _LOWER_NEXT.match(text, match.end())
                yield start, behind.end() if behind and _is_lower_surname(behind[1], 2) else match.end()
        elif match["before"]:
            part = reading(match["behind"])
            if _are_initials(match["before"]) and (part.likely_surname or (part.listed and part.noun)):
                yield match.span()
        elif announces(match["surname"]):
            position = match.start("initials")
        elif _are_initials(match["initials"]) and _is_lower_surname(match["surname"], match["initials"].count(".")):
            yield match.span()


def _lower_bare(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Words without capitals that the dictionary lacks, and that end like no word but a surname."""
    for match in _LOWER_BARE.finditer(text):
        part = reading(match[0])
        if part.patronymic > 0.5 and part.common < 0.1:
            yield match.span()
            continue
        listed = part.listed or (len(match[0]) > 8 and match[0].endswith(("евой", "евым")))
        if (part.plain_surname or (not part.known and listed)) and match[0] not in clinical:
            yield match.span()


def _are_initials(written: str) -> bool:
    return "".join(letter for letter in written if letter.isalpha()) not in NOT_INITIALS


def _is_lower_surname(word: str, initials: int) -> bool:
    part = reading(word)
    if initials == 1:
        return part.likely_surname and part.listed and part.common == 0
    return (part.likely_surname and part.common < 0.5) or (part.listed and part.noun)


def _lower_pairs(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """A first name beside a surname, at least one of them without a capital."""
    for match in _LOWER_PAIR.finditer(text):
        if match[1][0].isupper() and match[2][0].isupper():
            continue
        if any(word in clinical and not reading(word).everyday for word in match.groups()):
            continue
        if match[1][0].isupper() != match[2][0].isupper() and any(reading(w).common > 0.5 for w in match.groups()):
            continue
        if _certain_pair(match[1], match[2]) or _certain_pair(match[2], match[1]):
            yield match.start(1), match.end(2)


def _lower_latin(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Two or three Latin words without capitals: a first name, and a surname or a patronymic."""
    for match in _LOWER_LATIN.finditer(text):
        words = match[0].split()
        if not ENGLISH_STOP_WORDS.isdisjoint(words):
            continue
        surnames = [word for word in words if latin.is_surname(word) or latin.is_patronymic(word)]
        given = [word for word in words if latin.is_given(word) and [word] != surnames]
        if given and surnames and not any(word in clinical for word in words):
            yield match.span()


def _lower_descents(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Turkic names without capitals: ходжаев рустам парвиз угли."""
    for match in _LOWER_DESCENT.finditer(text) if KINSHIP.search(text) else ():
        start = match.start()
        words = match["before"].split()
        while len(words) > 1 and (words[0] in clinical or announces(words[0]) or not _of_name(words[0])):
            start += len(words.pop(0)) + 1
        if _of_name(words[-1]) and words[-1] not in clinical:
            behind = match["behind"]
            end = match.end() if behind and _of_name(behind) and behind not in clinical else match.start("behind") - 1
            yield start, end if behind else match.end()


def _of_name(word: str) -> bool:
    part = reading(word)
    return part.of_name or part.listed


def _spaced(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """A name whose letters are apart: П Е Т Р О В А."""
    for match in _SPACED.finditer(text):
        word = re.sub(r"\s", "", match[0])
        part = reading(word)
        certain = part.listed or part.given > 0 or part.surname + part.patronymic > 0.2 or not part.known
        if certain and (word not in clinical or part.everyday) and not announces(word) and not is_heading(word.title()):
            yield match.span()


def _cut(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """A name that a space cuts in two: Пет рова Анна, Ан на Петрова."""
    for match in _CUT.finditer(text):
        first, second, joined = match["first"], match["second"], match["first"] + match["second"]
        known = [reading(part).known for part in (first, second)]
        if announces(first) or (all(known) and len(second) > 3 and not reading(joined).plain_given):
            continue
        for beside, start, end in (
            (match["beside"], match.start("first"), match.end("beside")),
            (match["ahead"], match.start(), match.end("second")),
        ):
            if beside and not announces(beside) and _belong_together(joined, beside, all(known), clinical):
                yield start, end


def _belong_together(joined: str, beside: str, known: bool, clinical: ClinicalWords) -> bool:
    """Whether the two halves of a word are a name beside this one; `known`: they are words themselves."""
    if any(word in clinical and not reading(word).everyday for word in (joined, beside)) or announces(joined):
        return False
    whole, other = reading(joined), reading(beside)
    if whole.plain_given or whole.patronymic > 0.5:
        return other.of_name or other.listed
    if whole.likely_surname or whole.listed:
        return other.likely_given or other.patronymic > 0.5
    return not whole.known and not known and other.plain_given and not like_a_term(joined)


def _certain_pair(first: str, second: str) -> bool:
    """Whether two words are a first name and a surname even without capitals."""
    given, surname = reading(first), reading(second)
    if surname.plain_surname:
        return given.likely_given
    if surname.listed and ends_like_surname(second):
        return given.plain_given
    if given.given >= 0.5 and given.common == 0 and not announces(second):
        return surname.everyday or (surname.listed and surname.nominal) or (surname.likely_surname or not surname.known)
    return given.plain_given and surname.likely_surname and (surname.known or surname.listed)


def _lower_after_announcement(
    text: str, lower: str, clinical: ClinicalWords, announced: list[Announcement]
) -> Iterator[Span]:
    """Names typed without capitals after "врач", "пациентка"."""
    for start, end, _ in announced:
        end += text.startswith(".", end) and lower[start:end] in ABBREVIATIONS
        match = _LOWER_AFTER.match(text, end)
        if not match or announces(match[1]) or match[1] in NO_NAME_BEHIND or _COLON.match(text, match.end(1)):
            continue
        following = match[2].split()
        direct = DIRECT.fullmatch(lower, start, end) is not None
        field = direct and FIELD.fullmatch(lower, start, end) is not None
        if match[1] in clinical and not field:
            continue
        pair = bool(following) and _pair_behind(match[1], following[0], clinical)
        if not (pair or _lower_name(match[1], direct, field)):
            continue
        last = match.end(1)
        for before, word in pairwise([match[1], *following]):
            part = reading(word)
            certain = (
                part.plain_surname
                or part.plain_given
                or part.patronymic > 0.5
                or _pair_behind(before, word, clinical)
                or (direct and not part.known and not like_a_term(word))
                or (direct and part.given >= 0.5)
                or (direct and reading(before).likely_given and part.listed and part.nominal)
                or (direct and reading(before).likely_surname and part.likely_given)
            )
            if (word in clinical and not part.everyday) or announces(word) or not certain:
                break
            last = text.index(word, last) + len(word)
        yield match.start(1), last


def _pair_behind(first: str, second: str, clinical: ClinicalWords) -> bool:
    """Whether the two words behind an announcing word are a first name and a surname, in either order."""
    for given, surname in ((reading(first), reading(second)), (reading(second), reading(first))):
        if given.likely_given and surname.everyday and surname.nominal and not announces(second):
            return True
    return second not in clinical and _certain_pair(first, second)


def _lower_name(word: str, direct: bool, field: bool) -> bool:
    """Whether a word without a capital is a name behind a word that announces one."""
    part = reading(word)
    if part.plain_surname or (part.given >= 0.9 and part.common == 0):
        return True
    if part.likely_surname and ends_like_surname(word) and (part.known or part.listed):
        return True
    if not direct:
        return False
    if not part.known:
        return part.listed or not (like_a_term(word) or is_misspelt(word))
    if part.likely_given or (part.likely_surname and part.common < 0.8):
        return True
    if field and part.listed and ends_like_surname(word):
        return True
    return part.listed and (part.noun or (part.nominal and (field or word.endswith("х")))) and not is_oblique(word)


def _carets(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """The fields of a name in HL7."""
    if "^" not in text:
        return
    for regex in (_CARETS, _LOWER_CARETS):
        for match in regex.finditer(text):
            words = [word for word in re.split(r"\^+", match[0]) if len(word) > 2]
            if any(word not in clinical and _of_name(word) for word in words):
                yield match.span()


def _separated(text: str) -> Iterator[Span]:
    """A whole name with signs between its words: Петрова;Анна;Львовна, Петрова (Анна Львовна)."""
    for match in _SEPARATED.finditer(text):
        words = [reading(word) for word in match.group("second", "third", "given", "inner") if word]
        patronymic = match["kinship"] or any(word.patronymic > 0.5 for word in words)
        if patronymic and not announces(match["first"]):
            yield match.span()


def _in_fields(text: str) -> Iterator[Span]:
    """The values of fields for names: lastName="Петрова", "given": "Анна"."""
    for match in _FIELD_OF_NAME.finditer(text):
        yield match.span("value")


def _in_file_names(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Names joined as in names of files and accounts: Petrova.Anna, Petrova_A_L, ПетроваАЛ."""
    for match in _IN_FILE_NAME.finditer(text):
        words = [word for word in re.split("[._]", match["joined"] or match["surname"]) if len(word) > 2]
        if words and not any(word in clinical for word in words) and any(map(_may_be_joined, words)):
            yield match.span()


def _may_be_joined(word: str) -> bool:
    if latin.is_latin(word):
        return latin.is_surname(word) or latin.is_given(word) or latin.is_everyday(word)
    part = reading(word)
    return part.likely_surname or part.listed or part.given >= 0.5


def _latin_initialled(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Latin names with one initial: ANNA L. PETROVA; Petrova, A."""
    for match in _LATIN_INITIALLED.finditer(text):
        words = [word for word in (match["given"], match["surname"], match["alone"]) if word]
        if not any(word in clinical or latin.is_species(word) for word in words) and any(map(_may_be_joined, words)):
            yield match.span()


def _adjoin(text: str, left: Token, right: Token) -> bool:
    gap = text[left.end : right.start]
    return len(gap) <= 4 and (gap.isspace() or (gap.strip() in (",", "") and gap[-1:].isspace()))


def _close(text: str, left: Token, right: Token) -> bool:
    return right.start - left.end <= 4 and text[left.end : right.start].isspace()


def _full(text: str, tokens: list[Token]) -> Iterator[Span]:
    """A patronymic with the names beside it."""
    for index, token in enumerate(tokens):
        first = last = index
        kinship = _KINSHIP_BEHIND.match(text, token.end)
        end = kinship.end() if kinship else token.end
        if not (_is_patronymic(token) or kinship) or token.announces:
            continue
        if index and _adjoin(text, tokens[index - 1], token) and _fits(tokens[index - 1], given=True):
            first = index - 1
            if first and _adjoin(text, tokens[first - 1], tokens[first]) and _fits(tokens[first - 1]):
                first -= 1
        behind = index + 1
        while behind < len(tokens) and tokens[behind].start < end:
            behind += 1
        follower = tokens[behind] if behind < len(tokens) else None
        if follower and text[end : follower.start].isspace() and follower.start - end <= 4:
            surname_before = first == index - 2 and _sure_of_surname(tokens[first])
            if not surname_before and _is_surname_behind(text, follower):
                first, last = max(first, index - 1), behind
        if first < index or token.reading.known or kinship:
            yield tokens[first].start, tokens[last].end if last > index else end


def _is_patronymic(token: Token) -> bool:
    _, hyphen, kinship = token.word.rpartition("-")
    if hyphen and KINSHIP.fullmatch(kinship):
        return True
    return token.reading.patronymic > 0.5 or (token.latin and latin.is_patronymic(token.word))


def _sure_of_surname(token: Token) -> bool:
    part = token.reading
    return part.likely_surname or part.listed or (token.latin and latin.is_surname(token.word))


def _is_surname_behind(text: str, follower: Token) -> bool:
    """Whether the word behind a patronymic is the surname."""
    part = follower.reading
    if follower.announces or is_heading(follower.word):
        return False
    if follower.latin and latin.is_surname(follower.word):
        return True
    if part.likely_surname or (part.nominal and follower.word.istitle() and not follower.clinical):
        return True
    return follower.word.istitle() and (not part.known or part.everyday or _ENDS.match(text, follower.end) is not None)


def _pairs(text: str, tokens: list[Token]) -> Iterator[Span]:
    """A first name beside a surname, in either order."""
    # Two capitalized Latin words in a Russian report are a name, unless they are on the list of clinical words.
    russian = _RUSSIAN.search(text) is not None
    for index, (left, right) in enumerate(pairwise(tokens)):
        if is_thing(left.word) and not right.reading.plain_given:
            continue
        if left.latin and right.latin and _adjoin(text, left, right):
            belong = _latin_pair(left, right, russian, text[left.end : right.start])
        elif _close(text, left, right):
            belong = _pair(left, right) or _pair(right, left) or _follows(left, right)
            if not belong and _precedes(left, right):
                after = tokens[index + 2] if index + 2 < len(tokens) else None
                belong = not (after and _close(text, right, after) and _sure_of_surname(after))
        else:
            belong = (
                _adjoin(text, left, right)
                and not (left.abbreviated or right.abbreviated)
                and (_pair(left, right) or _pair(right, left))
            )
        if belong:
            yield left.start, right.end


def _pair(given: Token, surname: Token) -> bool:
    """Whether the first word may be a first name, and the second the surname that belongs to it.

    The more certain the one, the less is asked of the other: Анна Гусь, Вера Петрова, Роман Мороз.
    """
    if any(word.announces or is_heading(word.word) for word in (given, surname)):
        return False
    first, family = given.reading, surname.reading
    likely = family.likely_surname and family.common < 0.5
    if given.clinical or surname.clinical:
        like_surname = family.likely_surname or (family.listed and ends_like_surname(surname.word))
        like_surname = like_surname or family.everyday or family.given >= 0.5 or is_korean(surname.word)
        likely_given = first.plain_given or (family.everyday and first.likely_given and surname.word.istitle())
        return like_surname and likely_given and not (given.clinical and surname.clinical and first.given < 0.9)
    if first.plain_given:
        # A first name beside a first name that is also a surname: Роман Анна.
        unknown = not family.known and not surname.abbreviated
        listed = family.listed and (not family.known or not family.common or agree(surname.word, given.word))
        return likely or listed or family.likely_given or unknown
    if likely and not first.known and given.word.istitle() and surname.word.istitle() and not given.latin:
        return not like_a_term(given.word)
    if first.likely_given:
        return likely or (family.listed and given.word.istitle() and surname.word.istitle())
    return likely and first.given > 0.05


def _latin_pair(left: Token, right: Token, russian: bool, gap: str) -> bool:
    if left.clinical or right.clinical or left.announces or right.announces or min(len(left.word), len(right.word)) < 2:
        return False
    if russian and all(token.word.istitle() for token in (left, right)):
        return True
    if "," in gap and left.word.isupper() and right.word.isupper() and min(len(left.word), len(right.word)) > 3:
        return latin.is_given(left.word) or latin.is_given(right.word)
    for given, surname in ((left.word, right.word), (right.word, left.word)):
        if latin.is_given(given) and (latin.is_surname(surname) or latin.is_patronymic(surname) or surname.istitle()):
            return True
        if latin.is_surname(surname) and (latin.is_patronymic(given) or latin.is_plain_surname(surname)):
            return True
    return False


def _fits(token: Token, given: bool = False) -> bool:
    """Whether a word beside a patronymic (or a first name) may belong to the same name."""
    part = token.reading
    if token.announces or (not given and token.clinical and not (part.likely_surname or part.everyday)):
        return False
    return part.of_name or (len(token.word) > 2 and not token.word.lower().endswith(("но", "ть", "на", "ния", "ние")))


def _alone(text: str, tokens: list[Token]) -> Iterator[Span]:
    """Surnames and first names that are hardly anything else, unless they name a disease, a method or a medicine."""
    for token in tokens:
        if (
            _certain(text, token)
            and len(token.word) > 3
            and not token.clinical
            and not names_a_thing(text, token.start)
        ):
            yield token.start, token.end


def _certain(text: str, token: Token) -> bool:
    """Whether the word is a name even without any other sign of one."""
    if token.latin:
        return latin.is_plain_surname(token.word)
    part = token.reading
    if part.plain_surname or (part.known and part.given >= 0.9 and part.common == 0):
        return True
    if not part.listed or not ends_like_surname(token.word):
        return False
    # The genitive of a word may be a surname; its capital says nothing at the beginning of a sentence: Платов много.
    inside = _INSIDE_SENTENCE.search(text, max(0, token.start - 3), token.start) is not None
    return part.surname > 0.2 and (part.common <= 0.1 or (inside and part.surname > 0.4 and part.common < 0.6))


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
        gap = _FEMININE.sub("", text[end : token.start])
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
            if (
                word.announces
                or word.clinical
                or is_heading(word.word)
                or (word.word.isupper() and not word.reading.of_name)
            ):
                break
            first -= 1
        words = tokens[first : last + 1]
        if any(word.reading.likely_surname or (len(words) > 1 and word.reading.of_name) for word in words):
            yield tokens[first].start, tokens[last].end


def _acceptable(text: str, token: Token, near: bool, sure: bool, gap: str) -> bool:
    part = token.reading
    capitals = token.word.isupper()
    if text[token.end : token.end + 1] == ":" or is_heading(token.word):
        return False
    abbreviation = capitals and len(token.word) < 5 and not (part.known and (part.of_name or part.everyday))
    abbreviation = abbreviation and not (part.listed and part.noun and _IS_LAST.match(text, token.end))
    if near and not abbreviation and _INITIALS_BEHIND.match(text, token.end):
        return True
    if near and part.everyday and part.nominal and not is_oblique(token.word) and _IS_LAST.match(text, token.end):
        # A word that ends the sentence behind "ДОКТОР", "Выписал(а)": Зуб.
        return not token.clinical or not (capitals or {".", ":"} & set(gap))
    if token.clinical:
        return near and part.everyday and token.word.istitle() and is_done_by_persons(text, token.end)
    if not part.known and len(token.word) < 5 and _GOES_ON.match(text, token.end):
        return part.listed and text[token.end] != "."
    if not near:
        return part.likely_surname and part.common < 0.5 and (part.known or not capitals) and not TREATMENT.search(gap)
    if abbreviation:
        return False
    if part.known:
        if part.of_name and part.common < 0.9 and (part.common < 0.5 or "." not in gap):
            return True
        if part.noun and not is_place(token.word) and _IS_LAST.match(text, token.end):
            return True
        return (sure and _ENDS.match(text, token.end) is not None) or (not capitals and gap.isspace() and part.listed)
    if like_a_term(token.word) and _GOES_ON.match(text, token.end):
        return False
    return (part.likely_surname and "(" not in gap) or sure or (not capitals and not {".", "("} & set(gap))


def _elsewhere(tokens: list[Token], spans: list[Span]) -> Iterator[Span]:
    """Other occurrences of the words of the spans, in any grammatical case and either script: words with the same stem.

    A word of every day is one of them only if it has a capital.
    """
    stems, rough_stems, everyday = set[str](), set[str](), set[str]()
    starts = [token.start for token in tokens]
    covered = set[int]()
    for start, end in spans:
        for at in _between(starts, start, end):
            token = tokens[at]
            covered.add(at)
            if token.latin or token.reading.likely_surname or not token.reading.known:
                stems.add(stem(token.word))
                rough_stems.add(latin.stem_of_rough(token.word))
            elif token.reading.listed or token.reading.likely_given:
                everyday.add(stem(token.word))
    for at, token in enumerate(tokens):
        if at in covered or len(token.word) < 4 or token.clinical or token.announces:
            continue
        if token.latin:
            found = latin.stem_of_rough(token.word) in rough_stems
        else:
            same = stem(token.word)
            found = same in stems or (token.word.istitle() and same in everyday)
        if found:
            yield token.start, token.end


def _coordinated(text: str, tokens: list[Token], spans: list[Span]) -> Iterator[Span]:
    """A capitalized word that "и" joins with a name: Вера и Дурова."""
    starts, ends = {start for start, _ in spans}, {end for _, end in spans}
    for token in tokens:
        part = token.reading
        if (
            token.word.istitle()
            and not (token.clinical or token.announces)
            and (
                not part.known or part.likely_given or (part.listed and (part.nominal or ends_like_surname(token.word)))
            )
            and not is_heading(token.word)
        ):
            after, before = _AND.match(text, token.end), _AND_BEFORE.search(text, max(0, token.start - 4), token.start)
            if (after and after.end() in starts) or (before and before.start() in ends):
                yield token.start, token.end


def _between(starts: list[int], start: int, end: int) -> range:
    return range(bisect_left(starts, start), bisect_left(starts, end))


def _united(spans: list[Span]) -> list[Span]:
    united: list[Span] = []
    for start, end in sorted(spans):
        if united and start < united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def _with_kinds(
    text: str, lower: str, spans: list[Span], announced: list[Announcement], ruled: list[Span], tagged: list[Span]
) -> Iterator[Found]:
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
        yield Found(start, end, before, _by(start, end, ruled, tagged))


def _by(start: int, end: int, ruled: list[Span], tagged: list[Span]) -> str:
    """Which of the engines found it, or a part of it."""
    by_rules, by_tagger = (_touched(spans, start, end) for spans in (ruled, tagged))
    return BOTH if by_rules and by_tagger else RULES if by_rules else TAGGER


def _touched(spans: list[Span], start: int, end: int) -> bool:
    """Whether one of the sorted spans, which are apart, overlaps this one."""
    at = bisect_left(spans, (end,)) - 1
    return at >= 0 and spans[at][1] > start
