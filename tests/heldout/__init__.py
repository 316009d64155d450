"""A second labelled set to measure de-identification, written without sight of its rules.

Where tests/identifiers.py plants identifiers with the words that announce them, this set has what such a set lacks:
bare names, unannounced numbers, surnames that are words, foreign, Latin, HL7 and broken names, and new kinds. The texts
are hand-written templates in `dev/` and `test/`, filled with random people. Authors of rules may read `dev/` and the
reports made from it; they measure on `test`, whose templates, surnames, streets, settlements and towns are different.

Templates have four marks: `[a|b]` is one of several wordings, `{Больная/Больной}` the form for a woman or a man,
`{slot:case}` a value, `{more}` and `{trap}` sentences from the lists of the part. A slot of a name is `who.form`:
`w`, `m`, `p` another woman, man, person, `dw`, `dm`, `d` a doctor, nobody the patient. After it, `!` says that no word
announces the value, `^` writes it in capitals, `_` in small letters. Names and places of `dev/vocabulary.yaml` and the
forms `sx`, `ix`, `fx`, `latin2`, `file` and `dim` are in dev alone.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.heldout.values import VALUES, Patient, transliterated
from tests.identifiers import CASES, Forms, Identifier, Labelled, decline_noun, decline_surname, patronymic
from tests.identifiers import KINDS as ANNOUNCED_KINDS

PARTS = ("dev", "test")
KINDS = (*ANNOUNCED_KINDS, "certificate", "plate", "handle", "url", "network", "time", "weekday", "age", "number")
SIZES = {"dev": (960, 300), "test": (1000, 330)}  # reports with and without identifiers
DEV_EVERY = 4  # of the words that are split between the parts, every fourth belongs to dev
FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Planted(Identifier):
    """An identifier, and how it is written ("bare", "capitals", "latin", a people's name, ...)."""

    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report(Labelled):
    """A labelled text, and the kind of document it imitates."""

    identifiers: tuple[Planted, ...]
    document: str = ""


class Piece(NamedTuple):
    """A part of a text; its kind is empty if it identifies nobody."""

    text: str
    kind: str = ""
    tags: tuple[str, ...] = ()


class Template(NamedTuple):
    document: str
    manners: frozenset[str]  # lower, typos, ocr
    text: str


# --- vocabulary and templates ---


@cache
def vocabulary() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / "vocabulary.yaml").read_text(encoding="utf-8"))
    return loaded


@cache
def words_of(part: str, words: str) -> tuple[str, ...]:
    """The words of a list that belong to the part."""
    chosen = [word for index, word in enumerate(words.split()) if (index % DEV_EVERY == 0) == (part == "dev")]
    return tuple(word.replace("+", " ") for word in chosen)


@cache
def own_vocabulary(part: str) -> dict[str, Any]:
    """The words that a part has in addition to its share of the common vocabulary."""
    file = FOLDER / part / "vocabulary.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}


def _own_words(words: str) -> tuple[str, ...]:
    return tuple(word.replace("+", " ") for word in words.split())


def surnames_of(part: str, people: str) -> tuple[str, ...]:
    shared: str = vocabulary()["peoples"][people]["surnames"]
    return words_of(part, shared) + _own_words(own_vocabulary(part).get("surnames", {}).get(people, ""))


def places_of(part: str, kind: str) -> tuple[str, ...]:
    return words_of(part, vocabulary().get(kind, "")) + _own_words(own_vocabulary(part).get(kind, ""))


def templates(part: str, name: str) -> tuple[Template, ...]:
    """The whole texts of a file: after "===" their kind of document and the manners of its writer."""
    blocks = (FOLDER / part / f"{name}.txt").read_text(encoding="utf-8").split("=== ")[1:]
    heads_and_texts = [block.split("\n", 1) for block in blocks]
    return tuple(
        Template(head.split()[0], frozenset(head.split()[1:]), text.rstrip("\n")) for head, text in heads_and_texts
    )


def sentences(part: str, name: str) -> tuple[str, ...]:
    return tuple((FOLDER / part / f"{name}.txt").read_text(encoding="utf-8").splitlines())


# --- people ---


@dataclass(frozen=True)
class Person:
    people: str
    female: bool
    surname: Forms
    first: Forms
    middle: Forms  # empty words if this people has no patronymics
    descent: bool = False  # "Гасан оглы" in place of a patronymic

    def named(self, form: str, case: int) -> str:
        surname, first, middle = self.surname[case], self.first[case], self.middle[case]
        initials = first[0], middle[:1]
        return " ".join(form.format(s=surname, f=first, p=middle, i=initials[0], o=initials[1]).split())


_SURNAME_INITIALS = ("{s} {i}.{o}.", "{s} {i}.{o}.", "{s} {i}. {o}.", "{s} {i}.", "{s} {i}{o}", "{s} {i} {o}")
_INITIALS_SURNAME = ("{i}.{o}. {s}", "{i}.{o}. {s}", "{i}. {o}. {s}", "{i}.{o}.{s}", "{i}. {s}")
FORMS: dict[str, tuple[str, ...]] = {
    "fio": ("{s} {f} {p}",),
    "iof": ("{f} {p} {s}",),
    "fi": ("{s} {f}",),
    "if": ("{f} {s}",),
    "io": ("{f} {p}",),
    "f": ("{s}",),
    "i": ("{f}",),
    "o": ("{p}",),
    "si": _SURNAME_INITIALS,
    "is": _INITIALS_SURNAME,
    "sx": (
        "{s} {i}.{o}",
        "{s}{i}.{o}.",
        "{s},{i}.{o}.",
        "{s}, {i}. {o}.",
        "{s} {i}.,{o}.",
        "{s} {i} .{o} .",
        "{s}. {i}. {o}.",
        "{s} {i}-{o}",
        "{s}_{i}{o}",
    ),
    "ix": (
        "{i}.{o}.{s}",
        "{i} {o} {s}",
        "{i}{o} {s}",
        "{i}.{o} {s}",
        "{i}. {o} {s}",
        "{i}.,{o}. {s}",
        "{i}.-{o}. {s}",
        "{i} . {o} . {s}",
        "{i}.{s}",
    ),
    "fx": (
        "{s} {f} {o}.",
        "{s} {i}. {p}",
        "{f} {o}. {s}",
        "{s}, {f} {p}",
        "{s}, {f}",
        "{s} ({f} {p})",
        "{s};{f};{p}",
        "{s}|{f}|{p}",
        "{s}_{f}_{p}",
        "{s}/{f}/{p}",
        "{s} , {f} , {p}",
        "{s}{f}{p}",
        "{f}, {p}, {s}",
    ),
}
_WITHOUT_PATRONYMIC = {"io": ("{f} {s}",), "o": ("{s}",), "si": ("{s} {i}.", "{s} {i}"), "is": ("{i}. {s}",)}
_WITHOUT_PATRONYMIC |= {"sx": ("{s}{i}.", "{s}, {i}."), "ix": ("{i}.{s}", "{i} {s}"), "fx": ("{s}, {f}", "{s}_{f}")}
LATIN_FORMS = ("{f} {s}", "{s} {f}", "{s} {f} {p}", "{s}, {f}", "{s} {i}.{o}.", "{i}. {s}", "{f} {p} {s}")
MORE_LATIN_FORMS = (
    "{s} {i}.{o}.", "{i}.{o}. {s}", "{s} {f} {o}.", "{f} {o}. {s}", "{s} {i}", "{s}, {f} {p}", "{s}, {i}.", "{i}.{s}",
    "{s}",
)  # fmt: skip
FILE_FORMS = ("{s}_{f}", "{s}-{i}-{o}", "{s}_{i}_{o}", "{s}{i}{o}", "{s}.{f}", "{f}_{s}", "{s}_{f}_{p}", "{s}")
HL7_FORMS = ("{s}^{f}^{p}", "{s}^{f}^{p}", "{s}^{f}")


def patronymic_of(father: str, female: bool) -> str:
    irregular = vocabulary()["patronymics"]
    return irregular[father][female] if father in irregular else patronymic(father, female)


def surname_forms(surname: str, female: bool) -> Forms:
    """Declines soft adjectives too, which tests/identifiers.py does not have: Тихий, Горячий."""
    if not surname.endswith(("гий", "кий", "хий", "чий")) or surname.endswith(("ский", "цкий")):
        return decline_surname(surname, female)
    vowel = "е" if surname.endswith("чий") else "о"
    endings = (
        f"ая {vowel}й {vowel}й ую {vowel}й {vowel}й" if female else f"ий {vowel}го {vowel}му {vowel}го им {vowel}м"
    )
    return tuple(surname[:-2] + ending for ending in endings.split())


def person(part: str, female: bool, rng: random.Random) -> Person:
    peoples = vocabulary()["peoples"]
    name = rng.choices(list(peoples), [people["share"] for people in peoples.values()])[0]
    people = peoples[name]
    surname = surname_forms(rng.choice(surnames_of(part, name)), female)
    first = decline_noun(rng.choice(people["women" if female else "men"].split()), female)
    father = rng.choice(people.get("fathers", people["men"]).split())
    descent = rng.random() < people.get("descent_share", 0)
    if name == "western":
        middle: Forms = ("",) * 6
    elif descent:
        child = rng.choice(people["descent"][female].split())
        middle = (f"{father}{rng.choice((' ', ' ', ' ', '-'))}{child}",) * 6
    else:
        middle = decline_noun(patronymic_of(father, female), female)
    return Person(name, female, surname, first, middle, descent)


def broken(name: str, rng: random.Random) -> tuple[str, str, str]:
    """How exports and scans break a name: the way, the text before the name, and the name."""
    cut = rng.randint(2, max(2, name.find(" ") - 2))
    ways = {
        "tag": ("<b>", name.replace(" ", "</b> ", 1)),
        "break_tag": ("", name.replace(" ", rng.choice(("<br>", "<br/>", "</td><td>", "</span> <span>")))),
        "tag_inside": ("", name[:cut] + rng.choice(("<wbr>", "<b></b>", "</i>")) + name[cut:]),
        "hyphenation": ("", f"{name[:cut]}-\n{name[cut:]}"),
        "literal_newline": ("", name.replace(" ", rng.choice(("\\n", "\\r\\n", "\\t")))),
        "entity": ("", name.replace(" ", "&nbsp;")),
        "lines": ("", name.replace(" ", "\n")),
        "spaced": ("", " ".join(name.split(" ")[0].upper())),
        "cut_word": ("", f"{name[:cut]} {name[cut:]}"),
        "soft_hyphen": ("", f"{name[:cut]}\u00ad{name[cut:]}"),
        "underscores": ("", name.replace(" ", "_")),
        "commas": ("", name.replace(" ", ", ")),
    }
    way = rng.choice(list(ways))
    return way, *ways[way]


# --- slots ---

_SLOT = re.compile(
    r"\{(?P<woman>[^{}/]*)/(?P<man>[^{}/]*)\}"
    r"|\{(?:(?P<who>d?[wmp]?)\.)?(?P<slot>[a-z][a-z0-9]*)(?P<before>[!^_]*)(?::(?P<argument>[\w-]+))?(?P<after>[!^_]*)\}"
)
_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_NAME_SLOTS = (*FORMS, "latin", "hl7", "broken", "latin2", "file", "dim")
_STYLES = {"!": "bare", "^": "capitals", "_": "lower"}


def families_in(template: str) -> list[str]:
    """The slots that plant an identifier, and the styles of names: what is counted to keep the set even."""
    families = []
    for match in _SLOT.finditer(template):
        slot = match["slot"]
        if slot in _NAME_SLOTS:
            families += [slot, *(_STYLES[style] for style in match["before"] + match["after"])]
        elif slot and VALUES[slot].kind:
            families.append(slot)
    return families


def _families_of(identifier: Planted) -> tuple[str, ...]:
    return identifier.tags if identifier.kind in ("name", "doctor") else identifier.tags[:1]


def _kind(who: str, slot: str) -> str:
    if slot in _NAME_SLOTS:
        return "doctor" if who.startswith("d") else "name"
    return VALUES[slot].kind


class Case:
    """One report's patient and the habits of its writer."""

    def __init__(self, part: str, old: bool, rng: random.Random) -> None:
        self._part, self._rng = part, rng
        self.female = rng.random() < 0.6
        self._person = person(part, self.female, rng)
        visit = date(2004, 1, 5) + timedelta(days=rng.randrange(20 * 365))
        age = rng.randint(90, 104) if old else rng.randint(3, 88)
        places = {kind: places_of(part, kind) for kind in _PLACES}
        self._patient = Patient(rng, visit, age, self._person.first[0], self._person.surname[0], places)
        self._yo = rng.random() < 0.5

    def _who(self, who: str) -> Person:
        if not who:
            return self._person
        female = {"w": True, "m": False}.get(who[-1], self._rng.random() < 0.6)
        return person(self._part, female, self._rng)

    def _name(self, who: str, form: str, styles: str, case: int) -> list[Piece]:
        rng, named = self._rng, self._who(who)
        kind = _kind(who, form)
        tags = [form, named.people, *(_STYLES[style] for style in styles), *(["inflected"] if case else [])]
        if named.descent and form in ("fio", "iof", "io", "o"):
            tags.append("descent")
        before = ""
        if form == "latin":
            text = transliterated(named.named(rng.choice(LATIN_FORMS), 0), rng).rstrip(" ,")
            text = text.upper() if rng.random() < 0.25 else text
        elif form == "latin2":
            text = transliterated(named.named(rng.choice(MORE_LATIN_FORMS), 0).replace("..", "."), rng).rstrip(" ,")
            text = text.upper() if rng.random() < 0.3 else text
        elif form == "file":
            text = re.sub(r"[ -]", "_", named.named(rng.choice(FILE_FORMS), 0)).strip("_")
            text = transliterated(text, rng) if rng.random() < 0.5 else text
        elif form == "dim":
            words = own_vocabulary(self._part)["diminutives"][named.female]
            text = decline_noun(rng.choice(words.split()), named.female)[case]
        elif form == "hl7":
            text = named.named(rng.choice(HL7_FORMS), 0).rstrip("^")
            text = transliterated(text, rng) if rng.random() < 0.3 else text
            text = text.upper() if rng.random() < 0.6 else text
        elif form == "broken":
            way, before, text = broken(named.named(rng.choice(FORMS["fio"] + FORMS["fi"] + FORMS["if"]), 0), rng)
            tags.append(way)
        else:
            forms = FORMS[form] if named.middle[0] else _WITHOUT_PATRONYMIC.get(form, FORMS[form])
            text = named.named(rng.choice(forms), case)
        text = text.upper() if "^" in styles else text.lower() if "_" in styles else text
        return [Piece(before), Piece(text, kind, tuple(tags))]

    def _value(self, match: re.Match[str]) -> list[Piece]:
        if match["slot"] is None:
            return [Piece(match["woman"] if self.female else match["man"])]
        slot, argument = match["slot"], match["argument"] or ""
        styles = match["before"] + match["after"]
        if slot in _NAME_SLOTS:
            return self._name(match["who"] or "", slot, styles, CASES.index(argument or "nom"))
        value = VALUES[slot]
        text, *ways = value.write(self._patient, argument)
        text = text.upper() if "^" in styles else text.lower() if "_" in styles else text
        tags = (slot, *ways, *(_STYLES[style] for style in styles))
        return [Piece(text, value.kind, tags if value.kind else ())]

    def fill(self, template: str) -> list[Piece]:
        pieces: list[Piece] = []
        at = 0
        for match in _SLOT.finditer(template):
            pieces += [Piece(template[at : match.start()]), *self._value(match)]
            at = match.end()
        pieces.append(Piece(template[at:]))
        return pieces if self._yo else [piece._replace(text=_without_yo(piece.text)) for piece in pieces]


_PLACES = ("streets", "settlements", "towns", "regions", "districts", "foreign")


def _without_yo(text: str) -> str:
    return text.replace("ё", "е").replace("Ё", "Е")


# --- reports ---


def _typos(text: str, rng: random.Random) -> str:
    """Swapped letters in some long words."""

    def swapped(match: re.Match[str]) -> str:
        word = match[0]
        at = rng.randint(1, len(word) - 3)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :] if rng.random() < 0.08 else word

    return re.sub(r"[а-яё]{5,}", swapped, text)


_MISREAD = {"о": "0", "з": "3", "б": "6", "и": "н", "п": "н", "ш": "щ", "е": "с", "в": "о"}


def _misread(text: str, rng: random.Random) -> str:
    """Letters that a scan confuses, in about one of forty of these letters."""
    return "".join(_MISREAD[letter] if letter in _MISREAD and rng.random() < 0.025 else letter for letter in text)


_MANNERS: dict[str, Callable[[str, random.Random], str]] = {"typos": _typos, "ocr": _misread}


def _written(pieces: Sequence[Piece], manners: frozenset[str], rng: random.Random) -> list[Piece]:
    """The pieces in the writer's manner: errors never reach an identifier, small letters do."""
    for manner, change in _MANNERS.items():
        if manner in manners:
            pieces = [piece if piece.kind else Piece(change(piece.text, rng)) for piece in pieces]
    if "lower" in manners:
        pieces = [piece._replace(text=piece.text.lower(), tags=_lower_tags(piece)) for piece in pieces]
    return list(pieces)


def _lower_tags(piece: Piece) -> tuple[str, ...]:
    is_name = piece.kind in ("name", "doctor") and "lower" not in piece.tags
    return (*piece.tags, "lower") if is_name else piece.tags


def _assembled(pieces: Sequence[Piece], document: str) -> Report:
    """The text and the positions of its identifiers; a full stop after an initial is not doubled."""
    text, identifiers = "", []
    for piece in pieces:
        words = piece.text
        if not piece.kind and words.startswith(".") and text.endswith("."):
            words = words[1:]
        if piece.kind:
            identifiers.append(Planted(len(text), len(text) + len(words), piece.kind, piece.tags))
        text += words
    return Report(text, tuple(identifiers), document)


class _Writer:
    """Writes the reports of a part, and prefers sentences with what is rare so far."""

    def __init__(self, part: str, rng: random.Random) -> None:
        self._part, self._rng = part, rng
        self._reports, self._clean_reports = templates(part, "reports"), templates(part, "clean_reports")
        self._sentences, self._traps = sentences(part, "sentences"), sentences(part, "clean_sentences")
        self._planted: Counter[str] = Counter()

    def _more(self) -> str:
        """Up to three sentences that identify somebody, and up to two that only look so."""
        rng = self._rng
        candidates = rng.sample(self._sentences, 12)
        candidates.sort(key=lambda text: min((self._planted[family] for family in families_in(text)), default=0))
        wanted = rng.choice((0, 1, 2, 2, 3, 3))
        rarest = candidates[: rng.randint(0, wanted)]
        others = rng.sample([text for text in candidates if text not in rarest], wanted - len(rarest))
        chosen = [*rarest, *others, *rng.sample(self._traps, rng.choice((0, 0, 1, 1, 2)))]
        rng.shuffle(chosen)
        return " ".join(chosen)

    def _trap(self, fewest: int, most: int) -> str:
        return " ".join(self._rng.sample(self._traps, self._rng.randint(fewest, most)))

    def report(self, template: Template) -> Report:
        text = re.sub(r" ?\{more\}", lambda _: _spaced(self._more()), template.text)
        return self._filled(text, template)

    def clean_report(self) -> Report:
        template = self._rng.choice(self._clean_reports)
        if self._rng.random() < 0.4:
            return self._filled(self._trap(3, 7), Template("remarks", frozenset(), ""))
        text = re.sub(r" ?\{trap\}", lambda _: _spaced(self._trap(1, 4)), template.text)
        return self._filled(text, template)

    def _filled(self, text: str, template: Template) -> Report:
        rng = self._rng
        text = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), text)
        case = Case(self._part, "{age90" in text and "{age}" not in text, rng)
        report = _assembled(_written(case.fill(text), template.manners, rng), template.document)
        self._planted.update(chain.from_iterable(map(_families_of, report.identifiers)))
        return report

    def all_reports(self) -> list[Report]:
        rng, (identified, clean) = self._rng, SIZES[self._part]
        rounds = -(-identified // len(self._reports))
        queue = list(chain.from_iterable(rng.sample(self._reports, len(self._reports)) for _ in range(rounds)))
        reports = [self.report(template) for template in queue[:identified]]
        texts = {report.text: report for report in reports}
        while len(texts) < identified + clean:
            report = self.clean_report()
            texts[report.text] = report
        shuffled = list(texts.values())
        rng.shuffle(shuffled)
        return shuffled


def _spaced(text: str) -> str:
    return f" {text}" if text else ""


def heldout_reports(part: str, seed: int = 0) -> list[Report]:
    """The reports of "dev" or "test", the same for the same seed."""
    return _Writer(part, random.Random(f"{part} {seed}")).all_reports()
