"""Normalizes the many ways of writing a category.

`tbsrtc`: the Bethesda System for Reporting Thyroid Cytopathology, I to VI. The names of its three editions (Cibas &
Ali, Thyroid 2009;19:1159-1165 and 2017;27:1341-1346; Ali et al., Thyroid 2023;33:1039-1044) differ, the numbers do
not: III is AUS or FLUS until 2017 and AUS since 2023, IV is FN or SFN and then FN. `icd10`: codes such as J06.9.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache

from anamnesis.corpus.coding import is_unreadable
from anamnesis.corpus.deidentification import Deidentifier
from anamnesis.corpus.deidentification.own_names import find_own
from anamnesis.corpus.deidentification.vocabulary import clinical_words
from anamnesis.corpus.deidentification.words import stem
from anamnesis.corpus.encodings import hidden_words
from anamnesis.corpus.pseudonyms import same_patient
from anamnesis.corpus.refusals import Refusal

# Roman numerals typed on a Russian keyboard; Latin letters that look like Cyrillic ones.
_ROMAN_LOOKALIKES = str.maketrans({"І": "I", "Ш": "III", "П": "II", "У": "V"})
_ICD_LOOKALIKES = str.maketrans("АВЕКМНОРСТХУІЅЈ", "ABEKMHOPCTXYISJ")

# Name and criterion of each category, after the edition of 2023.
TBSRTC = {
    "I": (
        "nondiagnostic",
        "fewer than six groups of ten well-preserved follicular cells (cyst fluid, blood, artefacts), unless colloid, "
        "inflammation or atypia says more",
    ),
    "II": (
        "benign",
        "an adequate aspirate of follicular nodular disease (colloid, flat sheets, macrofollicles) or of thyroiditis "
        "(lymphocytes among oncocytes; epithelioid and giant cells)",
    ),
    "III": (
        "atypia of undetermined significance",
        "nuclear atypia, or another one (microfollicles or oncocytes in a sparse aspirate, a lymphoid infiltrate), too "
        "little of it for a higher category",
    ),
    "IV": (
        "follicular neoplasm",
        "a cellular aspirate of crowded groups or microfollicles with scant colloid, or of oncocytes almost alone, "
        "without the nuclei of papillary carcinoma",
    ),
    "V": (
        "suspicious for malignancy",
        "some features of papillary or medullary carcinoma or of lymphoma, too few or too weak to be sure; no definite "
        "pseudoinclusions",
    ),
    "VI": (
        "malignant",
        "conclusive features: pale, grooved nuclei with pseudoinclusions and papillae; salt-and-pepper chromatin with "
        "amyloid; necrosis and giant nuclei; a monomorphous lymphoid or a foreign population",
    ),
}

_ARABIC = {"1": "I", "2": "II", "3": "III", "4": "IV", "5": "V", "6": "VI"}
# Longest first. A numeral is no part of a longer word or number; a letter of a subcategory may follow (IIIA, 3b).
_NUMBER = r"(VI|IV|V|III|II|I|[1-6])(?:[.,]0+)?(?:\s?[A-EА-Д])?(?![\w.,-]*\w)"
_SYSTEM = r"(?:THE\s+)?(?:BETHESDA|БЕТ[ЕЭ]С?З?Д[АЕЫ]?|T?BSRTC)(?:\s+SYSTEM)?"
_CATEGORY = r"(?:(?:ДИАГНОСТИЧЕСК\w+\s+)?КАТЕГОРИ[ЯИЮЕ]Й?|CATEGORY)"
_OF_A_CELL = rf"(?:{_CATEGORY}|КАТ\.?|КЛАСС|ГРУППА|CAT\.?|CLASS)"
_BARE = re.compile(rf"^\W*(?:{_SYSTEM}\W*)?(?:\(?20\d\d\)?\W*)?(?:{_OF_A_CELL}\W*)?(?:{_SYSTEM}\W*)?{_NUMBER}")
_TYPED = r"(?:УI|IУ|У|П|Ш)"
_MARKED_NUMBER = rf"(?:VI|IV|V|III|II|I|[1-6]|{_TYPED})(?:[.,]0+)?(?:\s?[A-EА-Д])?(?!\w)(?![.,]\d)"
_RANGE = rf"{_MARKED_NUMBER}(?:\s?[-–—/]\s?{_MARKED_NUMBER})?"
# The system before or after the number, or the word "category" alone.
_MARKED = re.compile(
    rf"(?:{_OF_A_CELL}\W{{0,3}})?(?:ПО\s+)?(?:СИСТЕМЕ\s+)?{_SYSTEM}(?:\W{{0,3}}20\d\d)?\W{{0,3}}"
    rf"(?:{_OF_A_CELL}\W{{0,3}})?{_RANGE}"
    rf"|{_RANGE}\s+{_CATEGORY}\w?\s+(?:ПО\s+)?(?:СИСТЕМЕ\s+)?{_SYSTEM}(?:\W{{0,2}}20\d\d\b)?"
    rf"|{_CATEGORY}\W{{0,3}}{_RANGE}(?:\s+(?:ПО\s+)?(?:СИСТЕМЕ\s+)?{_SYSTEM}"
    rf"(?:\W{{0,2}}20\d\d\b)?)?"
)
# Other categories: of an ultrasound system, of a doctor's qualification.
_ANOTHERS = re.compile(r"(?:TI-?\s?RADS|TIRADS|BI-?RADS|ВРАЧ|ЦИТОЛОГ|ЛАБОРАНТ|ЭНДОКРИНОЛОГ)[^.;]{0,30}$")

# Without any of these there is no marked number; looking for them first is fifty times faster.
_ANNOUNCING = ("BETHESDA", "БЕТ", "BSRTC", "КАТЕГОРИ", "CATEGORY")

# A negated name is not a category: "злокачественные клетки не обнаружены".
_DENIAL = re.compile(
    r"\bне\b(?!\s*(?:информатив|диагност))|\bнет\b|\bбез\b|отсутств|исключ|опроверг|\bno\b|\bnot\b|negative|without",
    re.IGNORECASE,
)

# Names of the categories. Each is removed from the text before the next is searched for, so that a part of a longer
# wording does not count: "подозрение на злокачественное" is V and not VI, "подозрение на фолликулярную опухоль" is IV.
_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (category, re.compile(pattern, re.IGNORECASE))
    for category, pattern in (
        ("I", r"не\s?информатив\w*|не\s?диагностич\w*|неудовлетворительн\w*|non-?\s?diagnostic|unsatisfactory|\bND\b"),
        (
            "III",
            r"атипи\w*(?:\s+клет\w+)?(?:\s*\(?AUS\)?)?\s+неопредел[её]нного\s+значения|"
            r"(?:фолликулярн\w+\s+)?(?:изменени\w*|поражени\w*)\s+неопредел[её]нного\s+значения|"
            r"atypia\s+of\s+undetermined\s+significance|follicular\s+lesion\s+of\s+undetermined\s+significance|"
            r"\bAUS\b|\bFLUS\b|\bАНЗ\b|\bФИНЗ\b",
        ),
        (
            "IV",
            r"(?:подозр\w+\s+(?:на|в\s+отношении)\s+)?(?:фолликулярн|онкоцитарн|гюртлеклеточн)\w+\s+"
            r"(?:неоплази|опухол|новообразовани)\w*|(?:suspicious\s+for\s+(?:a\s+)?)?follicular\s+neoplasm|\bS?FN\b",
        ),
        ("V", r"подозр\w+\s+(?:на|в\s+отношении)\s+\w+(?:\s+\w+)?|suspicious\s+for\s+\w+|\bSFM\b"),
        ("II", r"\bдоброкачествен\w*|\bbenign\b"),
        ("VI", r"\bзлокачествен\w*|\bmalignant\b|\bрак\b|\bкарцином\w*"),
    )
)

# What no category has of a patient's cell by chance.
_OWN_WORDS = re.compile(r"[^\W\d_]{4,}")
_LONG_NUMBER = 5

_ICD = re.compile(r"(?<![A-Z0-9])([A-Z])\s?(\d{2})(?:[.,]?(\d{1,2}))?(?![A-Z0-9])")


def parse_tbsrtc(text: str) -> str | Refusal:
    """The category of a cell that holds only a category: "IV", "4", "4,0", "Bethesda IV", "Доброкачественный"."""
    plain = text.upper()
    found = set()
    # "II/III", "2-3": two categories are a contradiction.
    for part in re.split(r"[/;+]|\s[-–—]\s|(?<=[IV1-6])\s*[-–—,]\s*(?=[IV1-6](?:[^0]|$))|\bИЛИ\b|\bOR\b", plain):
        translated = re.sub(r"^[\W\dIVІШПУ]+$", lambda match: match[0].translate(_ROMAN_LOOKALIKES), part.strip())
        translated = re.sub(r"^(V|IV|I)1$", r"\1I", translated)
        if match := _BARE.match(translated):
            found.add(_ARABIC.get(match[1], match[1]))
        elif mentions := _mentions(part):
            found.update(*map(_numbers, mentions))
    return _one(found | _named(text))


def _named(text: str) -> set[str]:
    found: set[str] = set()
    if _DENIAL.search(text):
        return found
    for category, name in _NAMES:
        text, times = name.subn(" ", text)
        if times:
            found.add(category)
    return found


def find_tbsrtc(text: str) -> str | Refusal:
    """The category that a longer text names together with the system or the word: "… Bethesda IV", "категория III"."""
    return _one(number for mention in _mentions(text) for number in _numbers(mention))


def without_tbsrtc(text: str) -> str:
    """The text without its mentions of a category by number."""
    for match in reversed(_mentions(text)):
        end = match.end() + (text[match.end() : match.end() + 1] in (".", ",", ";"))
        text = text[: match.start()].rstrip(" (,;—–-") + text[end:].removeprefix(")")
    return text


def _mentions(text: str) -> list[re.Match[str]]:
    """Mentions of a category by number. Their positions are valid in the text itself."""
    plain = text.upper() if len(text.upper()) == len(text) else text
    if not any(word in plain for word in _ANNOUNCING):
        return []
    return [
        match for match in _MARKED.finditer(plain.replace("І", "I")) if not _ANOTHERS.search(plain[: match.start()])
    ]


def _numbers(mention: re.Match[str]) -> set[str]:
    """The categories of a mention: one, or the two ends of a range."""
    without_year = re.sub(r"20\d\d", " ", mention[0])
    found = re.findall(rf"(?<!\w)(?:{_TYPED}|VI|IV|V|III|II|I|[1-6])(?=(?:[.,]0+)?\s?[A-EА-Д]?(?!\w))", without_year)
    return {_ARABIC.get(one, one.translate(_ROMAN_LOOKALIKES)) for one in found}


def parse_icd10(text: str) -> str | Refusal:
    """The only ICD-10 code in a cell: a letter, two digits, and after a full stop one or two more."""
    plain = text.upper().translate(_ICD_LOOKALIKES)
    return _one({f"{letter}{two}.{more}" if more else f"{letter}{two}" for letter, two, more in _ICD.findall(plain)})


def _one(found: Iterable[str]) -> str | Refusal:
    categories = set(found)
    if len(categories) > 1:
        return Refusal.CATEGORY_CONTRADICTORY
    return categories.pop() if categories else Refusal.CATEGORY_UNKNOWN


def identifies(category: str, patient: str, deidentifier: Deidentifier) -> bool:
    """Whether a category as written holds an identifier, a word or the number of the row's own patient, or something
    that cannot be read. Categories are shown in reports, metrics and figures, so nobody may be recognized by one."""
    if not _stems(patient).isdisjoint(_stems(category)):
        return True
    number = same_patient(patient)
    if len(number) >= _LONG_NUMBER and re.search(r"\d", number) and number in same_patient(category):
        return True
    if any(find_own(category, category.lower(), patient, clinical_words(deidentifier.further))):
        return True
    return _identifies_anybody(category, replace(deidentifier, labels=" " not in category))


def _stems(text: str) -> set[str]:
    """Words without their endings: Гусь and Гуся."""
    return {stem(word).rstrip("ьй") for word in _OWN_WORDS.findall(text.casefold())}


@lru_cache(maxsize=10_000)
def _identifies_anybody(category: str, deidentifier: Deidentifier) -> bool:
    """An encoding that hides words is wrong: ordinary categories are words."""
    return bool(deidentifier.find([category])[0] or is_unreadable(category) or hidden_words(category))


# The parser of a category cell, by category system.
PARSE: dict[str, Callable[[str], str | Refusal]] = {
    "tbsrtc": parse_tbsrtc,
    "icd10": parse_icd10,
    "verbatim": str,
}
