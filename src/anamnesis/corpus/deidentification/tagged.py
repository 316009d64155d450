"""What the tagger has marked, without the words that are certainly no name."""

import re
from collections.abc import Iterator, Sequence

from anamnesis.corpus.deidentification.bare_names import describes_the_next
from anamnesis.corpus.deidentification.full_names import follows
from anamnesis.corpus.deidentification.tokens import Span, Token, between, is_heading
from anamnesis.corpus.deidentification.vocabulary import QUALIFICATIONS, follows_a_medicine, is_thing, names_a_thing
from anamnesis.corpus.deidentification.words import is_misspelt, is_short_form
from anamnesis.corpus.deidentification.writing import INITIALS_BEFORE, INITIALS_BEHIND, INSIDE_SENTENCE, LIKE_MEDICINES

# Печ. не увеличена
_ABBREVIATED = re.compile(r"(?<!\w\w\w\w\w)\.\s[а-яё]")


def find_tagged(text: str, tokens: list[Token], tagged: Sequence[Span]) -> Iterator[Span]:
    """What remains of the tagger's spans without the words that are certainly no name.

    The tagger learnt from news, where medicines and first words of complaints are rare: it takes them for persons.
    """
    starts = [token.start for token in tokens]
    for start, end in tagged:
        inside = [tokens[at] for at in between(starts, start, end)]
        while inside and _no_name(inside[0]):
            inside.pop(0)
        # After a first name comes a surname, even if the dictionary knows it as a word only: Эрик Пула.
        while inside and _no_name(inside[-1]) and not (len(inside) > 1 and follows(inside[-2], inside[-1])):
            inside.pop()
        if inside and _convincing(text, inside):
            last = inside[-1]
            initials = INITIALS_BEHIND.match(text, last.end)
            before = INITIALS_BEFORE.search(text, max(0, inside[0].start - 8), inside[0].start)
            yield before.start() if before else inside[0].start, initials.end() if initials else last.end


def _no_name(token: Token) -> bool:
    part = token.reading
    return (
        token.clinical
        or is_thing(token.word)
        or is_short_form(token.word)
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
    if INITIALS_BEHIND.match(text, token.end) or INITIALS_BEFORE.search(text, max(0, token.start - 8), token.start):
        return part.of_name or part.listed
    if describes_the_next(text, token) or _ABBREVIATED.match(text, token.end) or follows_a_medicine(text, token.start):
        return False
    if len(token.word) < 3 or token.abbreviated or names_a_thing(text, token.start):
        return False
    if not part.known and part.given == 0:
        # Medicines end like surnames in -ин.
        surname = part.likely_surname and not LIKE_MEDICINES.search(token.word)
        return part.listed or (surname and not is_misspelt(token.word))
    if part.surname + part.given > 0.5 and part.common < 0.3 and not part.everyday:
        return True
    return (
        (part.listed or part.given > 0)
        and token.word.istitle()
        and INSIDE_SENTENCE.search(text, max(0, token.start - 3), token.start) is not None
    )
