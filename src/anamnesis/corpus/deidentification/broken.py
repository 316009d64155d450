"""Names that systems and scans take apart or join: fields, file names, spaced letters, cut words."""

import re
from collections.abc import Iterator

from anamnesis.corpus.deidentification import latin
from anamnesis.corpus.deidentification.bare_names import like_a_term
from anamnesis.corpus.deidentification.tokens import Span, announces, is_heading
from anamnesis.corpus.deidentification.vocabulary import NO_NAME_BEHIND, ClinicalWords
from anamnesis.corpus.deidentification.words import KINSHIP, may_be_name, reading
from anamnesis.corpus.deidentification.writing import LOW, PLAIN, UP, WORD

# Fields of HL7: ИВАНОВ^ИВАН^ИВАНОВИЧ.
_CARETS = re.compile(
    rf"(?<![\w^])(?:{WORD}|[{UP}]\.?)(?:\^{{1,2}}(?:{WORD}|[{UP}]\.?)){{1,5}}(?!\w)(?:[\s-]{KINSHIP.pattern})?"
)
_LOWER_CARETS = re.compile(
    rf"(?<![\w^])[{LOW}]{{2,25}}(?:\^{{1,2}}[{LOW}]{{1,25}}){{1,3}}(?!\w)(?:[\s-]{KINSHIP.pattern})?"
)
_SEPARATED = re.compile(
    rf"(?<![\w-])(?P<first>{PLAIN}(?:-{PLAIN})?)(?:(?P<sign>[\"']?\s?[;|/,]\s?[\"']?)(?P<second>{PLAIN})(?P=sign)(?P<third>{PLAIN})|"
    rf"\s\((?P<given>{PLAIN})\s(?P<inner>{PLAIN}))(?P<kinship>[\s-]{KINSHIP.pattern})?(?!\w)\)?"
)
_FIELD_OF_NAME = re.compile(
    r"(?<!\w)(?i:(?:last|first|middle|family|given|sur)[_-]?name|family|given|surname|patronymic|nurse|doctor|patient|"
    r"physician|performer|fio|vrach)[\"']?\s?[=:]\s?[\"']"
    rf"(?P<value>{WORD}(?:\s{WORD}){{0,2}})(?=[\"'])"
)
# Also <Surname>Петрова</Surname> and пациент=Петрова.
_IN_TAGS = re.compile(
    rf"<(?i:(?:last|first|middle|family|given|sur)_?name|family|patronymic|фамилия|имя|отчество|фио)>\s?(?P<value>{WORD}"
    rf"(?:\s{WORD}){{0,2}})(?!\w)|(?<!\w)(?i:пациент|врач|фио|patient|doctor|user|пользователь)=(?P<name>{WORD})(?=[\s;&|]|$)"
)
_IN_FILE_NAME = re.compile(
    rf"(?<![\w.@/])(?:(?P<joined>[{UP}][{LOW}]{{2,20}}(?:[._](?:[{UP}][{LOW}]{{0,20}}|[{UP}]{{2}}|[{LOW}]{{4,5}})){{1,3}})|"
    rf"(?P<surname>[{UP}][{LOW}]{{2,20}})[{UP}]{{2}})(?![\w@]*@)(?![^\W_])"
)
_JOINED = re.compile(rf"(?<!\w)(?:[{UP}][{LOW}]{{1,25}}){{2}}(?P<patronymic>[{UP}][{LOW}]{{4,25}})(?!\w)")
# Also П е т р о в а.
_SPACED = re.compile(
    rf"(?<![\w-])(?:[{UP}](?:[ \u00a0][{UP}]){{3,19}}|[{UP}{LOW}](?:[ \u00a0][{LOW}]){{4,19}})(?![\w-])"
)
_CUT = re.compile(
    rf"(?<![\w-])(?=(?:(?P<ahead>[{UP}][{LOW}]{{2,20}})\s)?(?P<first>[{UP}][{LOW}]{{1,15}})\s(?P<second>[{LOW}]{{2,15}})(?!\w)"
    rf"(?:\s(?P<beside>[{UP}][{LOW}]{{1,20}})(?!\w))?)"
)


def find_broken(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    yield from _spaced(text, clinical)
    yield from _cut(text, clinical)
    yield from _carets(text, clinical)
    yield from _separated(text)
    yield from _joined(text)
    yield from _in_fields(text)
    yield from _in_file_names(text, clinical)


def _spaced(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """A name whose letters are apart: П Е Т Р О В А."""
    for match in _SPACED.finditer(text):
        word, start = re.sub(r"\s", "", match[0]), match.start()
        if word.islower() and reading(word[1:]).listed and not reading(word).listed:
            # A preposition: у п е т р о в о й.
            word, start = word[1:], start + 2
        part = reading(word)
        certain = part.listed or part.given > 0 or part.surname + part.patronymic > 0.2
        certain = certain or (word.isupper() and not part.known)
        if certain and (word not in clinical or part.everyday) and not announces(word) and not is_heading(word.title()):
            yield start, match.end()


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


def _carets(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """The fields of a name in HL7."""
    if "^" not in text:
        return
    for regex in (_CARETS, _LOWER_CARETS):
        for match in regex.finditer(text):
            words = [word for word in re.split(r"\^+", match[0]) if len(word) > 2]
            if any(word not in clinical and may_be_name(word) for word in words):
                yield match.span()


def _separated(text: str) -> Iterator[Span]:
    """A whole name with signs between its words: Петрова;Анна;Львовна, Петрова (Анна Львовна)."""
    position = 0
    while match := _SEPARATED.search(text, position):
        position = match.end("first")
        words = [reading(word) for word in match.group("second", "third", "given", "inner") if word]
        patronymic = match["kinship"] or any(word.patronymic > 0.5 for word in words)
        if patronymic and not announces(match["first"]):
            position = match.end()
            yield match.span()


def _joined(text: str) -> Iterator[Span]:
    """A whole name without spaces: ПетроваАннаЛьвовна."""
    for match in _JOINED.finditer(text):
        if reading(match["patronymic"]).patronymic > 0.5:
            yield match.span()


def _in_fields(text: str) -> Iterator[Span]:
    """The values of fields for names: lastName="Петрова", "given": "Анна"."""
    for match in _FIELD_OF_NAME.finditer(text):
        yield match.span("value")
    for match in _IN_TAGS.finditer(text):
        value = match["value"] or match["name"]
        if match["value"] or not (announces(value) or value.lower() in NO_NAME_BEHIND):
            yield match.span("value" if match["value"] else "name")


def _in_file_names(text: str, clinical: ClinicalWords) -> Iterator[Span]:
    """Names joined as in names of files and accounts: Petrova.Anna, Petrova_A_L, ПетроваАЛ."""
    for match in _IN_FILE_NAME.finditer(text):
        words = [word for word in re.split("[._]", match["joined"] or match["surname"]) if len(word) > 2]
        excluded = any(word in clinical and not reading(word).everyday for word in words)
        if words and not excluded and any(map(latin.may_be_joined, words)):
            yield match.span()
