"""Names of patients, relatives and staff: the findings of all rules, each with its kind.

A single word is rarely certain to be a name: Вера, Лев and Мороз are also common words. Most rules require two signs:
initials, a patronymic, a first name beside a surname, a word that announces a person. One sign is enough for a surname
that the dictionary has as nothing else, and for a word that is in a person's place in its sentence. Every word that is
found is also found elsewhere in the text, in any grammatical case.
"""

import re
from collections.abc import Iterator, Sequence

from anamnesis.corpus.deidentification import latin
from anamnesis.corpus.deidentification.announced import find_announced
from anamnesis.corpus.deidentification.bare_names import find_bare
from anamnesis.corpus.deidentification.broken import find_broken
from anamnesis.corpus.deidentification.findings import Found
from anamnesis.corpus.deidentification.full_names import find_full_names
from anamnesis.corpus.deidentification.initials import find_initialled
from anamnesis.corpus.deidentification.lower_case import find_lower_case
from anamnesis.corpus.deidentification.persons import find_persons
from anamnesis.corpus.deidentification.tokens import Announcement, Span, Token, between, is_heading
from anamnesis.corpus.deidentification.vocabulary import PATIENT, STAFF, ClinicalWords
from anamnesis.corpus.deidentification.words import ends_like_surname, is_korean, is_place, reading, stem
from anamnesis.corpus.deidentification.writing import SENTENCE_ENDS, UP, WORD

_TOKEN = re.compile(rf"{WORD}|[{UP}]")
_ANNOUNCED = re.compile(rf"(?<![\w\[])(?:(?P<doctor>{STAFF})|(?P<name>{PATIENT}))(?![\w\]])")
_ENUMERATED = re.compile(r"[ ,;/и&]{1,4}")
# The rest of a line after a signature.
_SIGNATURE_END = re.compile(r"[\s./)_\]]*$")
_PATIENT_BEHIND = re.compile(
    r"[\s,(]{1,3}(?:\d{1,3}\s?(?:лет|год|г(?!\w))|\d{4}\s?г(?:ода?)?[\s./]{0,2}р|\d\d\.\d\d\.\d{2,4}\s?г?\.?\s?р|"
    r"д\.?\s?р|рожд)"
)
_STAFF_BEHIND = re.compile(rf"[\s,/()_–—-]{{1,4}}(?:{STAFF})(?!\w)")
_AND, _AND_BEFORE = re.compile(r"\s(?:и|&)\s"), re.compile(r"\s(?:и|&)\s$")
# Less joins a name with a word than "и" does: Чхеидзе / Здоровая; Карп (Шубин, ...); Нойман, Рождественская.
_LOOSE, _LOOSE_BEFORE = re.compile(r"\s?/\s|,\s|\s\(|;\s"), re.compile(r"(?:\s?/\s|,\s|\s\()$")
_PARTICLES = re.compile(r"(?<!\w)(?:(?:[Дд]е|[Вв]ан|[Фф]он|[Дд]ер|[Дд]ен|[Дд]а|[Дд]и|[Лл]а|[Ээ]ль|[Аа]ль)\s){1,2}$")
_PAUSE = re.compile(r"\s?(?:[.,;)/(\n¤]|$)")


def find_names(text: str, lower: str, clinical: ClinicalWords, own: Sequence[Span] = ()) -> Iterator[Found]:
    """Names with their kinds: a doctor is announced by a post or an action of staff.

    Args:
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
        *find_initialled(text, clinical),
        *find_lower_case(text, lower, clinical, announced),
        *find_broken(text, clinical),
        *find_full_names(text, tokens),
        *find_bare(text, tokens),
        *find_announced(text, lower, tokens, announced),
        *find_persons(text, lower, tokens, clinical),
    ]
    if ruled:
        ruled.extend(_elsewhere(tokens, ruled))
        ruled.extend(_coordinated(text, tokens, _united(ruled)))
        ruled.extend(_in_a_list(text, tokens, _united(ruled)))
    spans = [_with_particle(text, *span) for span in _united(ruled)]
    if spans:
        yield from _with_kinds(text, lower, spans, announced)


def _elsewhere(tokens: list[Token], spans: list[Span]) -> Iterator[Span]:
    """Other occurrences of the words of the spans, in any grammatical case and either script: words with the same stem.

    A word of every day is one of them only if it has a capital.
    """
    stems, rough_stems, everyday = set[str](), set[str](), set[str]()
    starts = [token.start for token in tokens]
    covered = set[int]()
    for start, end in spans:
        for at in between(starts, start, end):
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
                not part.known
                or part.likely_given
                or is_korean(token.word)
                or (part.listed and (part.nominal or ends_like_surname(token.word)))
            )
            and not is_heading(token.word)
        ):
            after, before = _AND.match(text, token.end), _AND_BEFORE.search(text, max(0, token.start - 4), token.start)
            if (after and after.end() in starts) or (before and before.start() in ends):
                yield token.start, token.end


def _in_a_list(text: str, tokens: list[Token], spans: list[Span]) -> Iterator[Span]:
    """A capitalized surname that is also a word, in a list with names and followed by a pause.

    Between two names, it may be any listed word: "Дьячкова, Ни, Майер".
    """
    starts, ends = {start for start, _ in spans}, {end for _, end in spans}
    for token in tokens:
        part = token.reading
        if not part.listed or not token.word.istitle() or token.clinical or token.announces or is_place(token.word):
            continue
        after = _LOOSE.match(text, token.end)
        before = _LOOSE_BEFORE.search(text, max(0, token.start - 3), token.start)
        behind_name = before is not None and before.start() in ends
        before_name = after is not None and after.end() in starts
        pause = _PAUSE.match(text, token.end) is not None
        pair = after is not None and after[0].strip() in ("/", "(")
        surname = part.everyday or ends_like_surname(token.word) or token.word.lower().endswith(("ых", "их"))
        if (behind_name and (before_name or (surname and pause))) or (before_name and surname and pair):
            yield token.start, token.end


def _with_particle(text: str, start: int, end: int) -> Span:
    """The span with the particles before a foreign surname: ван Дейк."""
    before = _PARTICLES.search(text, max(0, start - 12), start)
    return (before.start() if before else start), end


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
            kind = "" if SENTENCE_ENDS.search(gap + text[start : start + 3]) and len(gap) > 30 else announcement[2]
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
