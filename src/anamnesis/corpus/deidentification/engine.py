"""Applies the rules and, if wanted, the tagger to texts, and replaces what they find."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from anamnesis.corpus.deidentification.addresses import find_addresses
from anamnesis.corpus.deidentification.dates import find_dates, is_of_birth, shift_date
from anamnesis.corpus.deidentification.findings import BOTH, PLACEHOLDERS, TAGGER, Found
from anamnesis.corpus.deidentification.names import find_names
from anamnesis.corpus.deidentification.numbers import find_numbers
from anamnesis.corpus.deidentification.others import find_others
from anamnesis.corpus.deidentification.own_names import find_own, find_own_code
from anamnesis.corpus.deidentification.reading_copy import ReadingCopy
from anamnesis.corpus.deidentification.tagger import Tagged, tag
from anamnesis.corpus.deidentification.vocabulary import ClinicalWords, clinical_words
from anamnesis.corpus.deidentification.words import is_plain_word
from anamnesis.settings.corpus import Deidentification

# A replacement may uncover a neighbour (the number after a hyphen). So the replaced text is read again until nothing is
# found, and a second run changes nothing. Two readings suffice for all but contrived texts.
_READINGS = 8
_RANKS = {kind: rank for rank, kind in enumerate(PLACEHOLDERS)}
# Our placeholders, and those of RuMedBench: they are no part of a finding and announce none. Other words
# between brackets or stars may be names.
_PLACEHOLDER = re.compile(
    rf"(?:{'|'.join(map(re.escape, PLACEHOLDERS.values()))})|\*(?:ДАТА|ИМЯ|МО|ГОРОД|РЕГИОН|СТРАНА|ДОЛЖНОСТЬ)\*"
)
_LETTERS = re.compile(r"[^\W\d_]+")
_HAS_NUMBER = re.compile(r"[\d@]")
_EDGES = " \t\n\r,;:"


@dataclass(frozen=True)
class Replaced:
    """A text without identifiers; how many there were of each kind, and how many names each engine found."""

    text: str
    kinds: Mapping[str, int]
    names_by: Mapping[str, int]


@dataclass(frozen=True)
class Deidentifier:
    """How texts are de-identified.

    Attributes:
        tagger: whether the statistical tagger reads the texts beside the rules.
        further: the user's own words that are no names, in addition to the packaged ones.
        labels: whether what is read are names of files and columns, and categories of one word: they have no
            surroundings, by which the tagger recognizes identifiers, and are read without it.
    """

    tagger: bool = False
    further: tuple[str, ...] = ()
    labels: bool = False

    @classmethod
    def of(cls, settings: Deidentification) -> "Deidentifier":
        return cls(settings.engine == "rules_and_tagger", tuple(settings.clinical_words))

    def find(self, texts: Sequence[str], patients: Sequence[str] | None = None) -> list[list[Found]]:
        """Identifiers of each text in its order, without overlaps.

        Args:
            patients: what the column of patients says in the row of each text; its names are identifiers.
        """
        copies = [ReadingCopy.of(text) for text in texts]
        found = self._find([copy.text for copy in copies], patients)
        return [copy.in_the_original(spans) for copy, spans in zip(copies, found, strict=True)]

    def _find(self, texts: Sequence[str], patients: Sequence[str] | None) -> list[list[Found]]:
        clinical = clinical_words(self.further)
        found: list[list[Found]] = [[] for _ in texts]
        unread = list(range(len(texts)))
        for _ in range(_READINGS):
            written = [_written(texts[at], found[at]) for at in unread]
            tagged = tag(written) if self.tagger and not self.labels else [Tagged()] * len(written)
            readings = [
                (at, _read(text, clinical, said, patients[at] if patients else ""))
                for at, text, said in zip(unread, written, tagged, strict=True)
            ]
            unread = [at for at, more in readings if more]
            for at, more in readings:
                found[at] = _united([*found[at], *_in_the_original(more, found[at])]) if more else found[at]
            if not unread:
                break
        return found

    def replace(
        self,
        texts: Sequence[str],
        patients: Sequence[str] | None = None,
        shifts: Sequence[int | None] | None = None,
    ) -> list[Replaced]:
        """Replaces identifiers by placeholders.

        Args:
            patients: what the column of patients says in the row of each text.
            shifts: shifts dates that have a day, a month and a year by so many days instead of replacing them. One
                number per patient keeps the time between two visits. Dates of birth, and dates 90 years ago or
                earlier, are replaced: shifted, they would still tell an age of 90 or more.
        """
        days = shifts or [None] * len(texts)
        return [
            _replaced(text, found, shift)
            for text, found, shift in zip(texts, self.find(texts, patients), days, strict=True)
        ]


_BY_RULES = Deidentifier()


def find(text: str) -> list[Found]:
    """Identifiers that the rules find, in the order of the text, without overlaps."""
    return _BY_RULES.find([text])[0]


def deidentify(text: str, shift_days: int | None = None) -> tuple[str, dict[str, int]]:
    """The text with placeholders for what the rules find, and the number of identifiers of each kind."""
    replaced = _BY_RULES.replace([text], shifts=[shift_days])[0]
    return replaced.text, dict(replaced.kinds)


def _replaced(text: str, found: list[Found], shift_days: int | None) -> Replaced:
    shifted = {}
    if shift_days is not None:
        for finding in found:
            if finding.kind == "date" and not is_of_birth(text, finding.start, finding.end):
                shifted[finding] = shift_date(text[finding.start : finding.end], shift_days)
    names_by = Counter(finding.by for finding in found if finding.kind in ("name", "doctor"))
    return Replaced(_written(text, found, shifted), Counter(finding.kind for finding in found), names_by)


def _written(text: str, found: Iterable[Found], shifted: Mapping[Found, str | None] = MappingProxyType({})) -> str:
    parts, end = [], 0
    for finding in found:
        parts += [text[end : finding.start], shifted.get(finding) or PLACEHOLDERS[finding.kind]]
        end = finding.end
    return "".join([*parts, text[end:]])


def _in_the_original(more: Iterable[Found], found: list[Found]) -> Iterator[Found]:
    """Maps findings in the replaced text to positions in the original; no finding contains a placeholder."""
    gained, behind = 0, iter(found)
    following = next(behind, None)
    for finding in more:
        while following and following.start - gained < finding.start:
            gained += following.end - following.start - len(PLACEHOLDERS[following.kind])
            following = next(behind, None)
        yield replace(finding, start=finding.start + gained, end=finding.end + gained)


def _read(text: str, clinical: ClinicalWords, tagged: Tagged, patient: str) -> list[Found]:
    """One reading by every rule, of a text that the tagger has read."""
    lower = text.lower()
    if len(lower) != len(text):
        # A few letters of other scripts become two in lower case (İ).
        lower = "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)
    if "[" in text or "*" in text:
        text = _PLACEHOLDER.sub(_mask, text)
    own = list(find_own(text, lower, patient, clinical)) if patient else []
    found = list(find_names(text, lower, clinical, own))
    if _HAS_NUMBER.search(lower):
        found += find_numbers(lower)
        found += find_dates(lower)
    found += find_addresses(text, lower, clinical)
    found += find_others(text, lower)
    found = [one for one in found if not tagged.rules_out(text, one)]
    found += (one for one in tagged.found if _may_be_one(one, text[one.start : one.end], clinical))
    if patient:
        found += (Found(start, end, "name") for start, end in own)
        found += (Found(start, end, "record") for start, end in find_own_code(lower, patient))
    return _united(_trimmed(text, found)) if found else []


def _may_be_one(one: Found, written: str, clinical: ClinicalWords) -> bool:
    """Whether a finding of the tagger is no placeholder, and not only words that are certainly no identifier."""
    if "¤" in written:
        return False
    if _HAS_NUMBER.search(written):
        return True
    words = _LETTERS.findall(written)
    if one.kind in ("name", "doctor"):
        words = [word for word in words if not (word.islower() and (len(word) < 3 or is_plain_word(word)))]
        return sum(map(len, words)) > 1 and any(word not in clinical for word in words)
    return not written.isascii() or max(map(len, words), default=0) > 2


def _mask(match: re.Match[str]) -> str:
    """As many ¤ as the placeholder has characters: ¤ is part of no finding, but a pause to some rules.

    The lower-case text keeps the placeholder: it may announce what follows it (`BEHIND_NAME`).
    """
    return "¤" * len(match[0])


def _trimmed(text: str, found: Iterable[Found]) -> list[Found]:
    trimmed = []
    for finding in found:
        old = text[finding.start : finding.end]
        start = finding.start + len(old) - len(old.lstrip(_EDGES))
        end = finding.end - (len(old) - len(old.rstrip(_EDGES)))
        if start < end:
            trimmed.append(replace(finding, start=start, end=end))
    return trimmed


def _united(found: Iterable[Found]) -> list[Found]:
    """Merges overlapping findings into one, of the kind that is best known."""
    united: list[Found] = []
    for finding in sorted(found):
        if united and finding.start < united[-1].end:
            last = united[-1]
            kind = min(last, finding, key=_doubt).kind
            by = last.by if last.by == finding.by else BOTH
            united[-1] = Found(last.start, max(last.end, finding.end), kind, by)
        else:
            united.append(finding)
    return united


def _doubt(one: Found) -> tuple[int, int]:
    """What says less of a finding's kind is higher: rules know it best, unless they see just a number."""
    by_tagger = one.by == TAGGER
    return (1 if by_tagger else 2 if one.kind == "number" else 0), _RANKS[one.kind]
