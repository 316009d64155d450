"""Names in Latin letters: foreign ones, and Russian ones in any of the usual transliterations.

Both scripts are brought to one rough spelling, in which Yuliya, Iuliia, Julia and Юлия are the same word.
"""

import re
from functools import lru_cache

from anamnesis.corpus.deidentification.resources import natasha_words
from anamnesis.corpus.deidentification.words import packaged_names, reading, stem

_LETTERS = str.maketrans(
    dict(zip("абвгдезийклмнопрстуфхыэё", "abvgdeziiklmnoprstufhiee", strict=True))
    | {"ж": "zh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sh", "ю": "iu", "я": "ia", "ъ": "", "ь": ""}
)
_SPELLINGS = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        ("['’ʼ-]", ""),
        ("^ye", "e"),
        ("shch|sch", "sh"),
        ("tz|tc", "ts"),
        ("kh", "h"),
        ("ph", "f"),
        ("th", "t"),
        ("ck", "k"),
        ("x", "ks"),
        ("w", "v"),
        ("c(?!h)", "k"),
        ("[jy]", "i"),
    )
)
# Ж is written as zh, j or g: Nadezhda, Nadejda.
_ZH = re.compile("zh|j")
# Microbes have an initial too: E. Coli, H. Pylori.
_SPECIES = frozenset(
    (
        *("coli", "pylori", "albicans", "aureus", "vaginalis", "trachomatis", "pneumoniae", "hominis", "genitalium"),
        *("faecalis", "epidermidis", "agalactiae", "pyogenes", "aeruginosa", "mirabilis", "vulgaris", "urealyticum"),
        *("parvum", "glabrata", "krusei", "tropicalis", "difficile", "influenzae", "tuberculosis", "burgdorferi"),
    )
)
_DOUBLED = re.compile(r"(.)\1")
_SURNAME = re.compile(
    r".{2,}(?:[oe]va?|ina?|ski|sk(?:i|o)i|skaia|enko|iuk|chuk|ian|ants|dze|shvili|zade|ko|man|berg|son)"
)
_PLAIN_SURNAME = re.compile(r".{3,}(?:[oe]va?|ski|skaia|enko|shvili)")
_PATRONYMIC = re.compile(r".{2,}(?:[oe]vich|[oe]vna|ichna)")
# English and German first names that are not Russian ones in another spelling.
_FIRST = (
    "John James Robert Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew Anthony Mark "
    "Steven Paul Andrew Joshua Kenneth Kevin Brian George Timothy Ronald Edward Jason Jeffrey Ryan Jacob Nicholas "
    "Eric Jonathan Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory Alexander Patrick Frank Raymond Jack "
    "Dennis Jerry Peter Henry Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy "
    "Betty Margaret Sandra Ashley Kimberly Emily Donna Michelle Carol Amanda Dorothy Melissa Deborah Stephanie "
    "Rebecca Sharon Laura Cynthia Kathleen Amy Angela Shirley Anna Brenda Pamela Emma Nicole Helen Samantha "
    "Katherine Christine Rachel Carolyn Janet Catherine Maria Heather Diane Ruth Julie Olivia Joyce Virginia Hans "
    "Klaus Jürgen Wolfgang Heinz Helmut Ursula Monika Ingrid Karl Friedrich Wilhelm Otto Pyotr Fyodor Ahmed Mohammed "
    "Muhammad Ali Hassan Hussein Fatima Aisha Mehmet Mustafa Nguyen Tran"
)


def is_latin(word: str) -> bool:
    """By the first letter; an O with an apostrophe may be of either script: O'Коннор."""
    letter = word[2] if len(word) > 2 and word[1] in "'’ʼ" else word[0]
    return letter.isascii()


@lru_cache(maxsize=100_000)
def rough(word: str) -> str:
    """One spelling of the several of a word, in either script."""
    plain = word.lower()
    if is_latin(plain):
        for pattern, replacement in _SPELLINGS:
            plain = pattern.sub(replacement, plain)
        return _DOUBLED.sub(r"\1", plain)
    return _of_cyrillic(plain)


def _of_cyrillic(lower: str) -> str:
    return _DOUBLED.sub(r"\1", lower.translate(_LETTERS))


@lru_cache(maxsize=1)
def _given_names() -> frozenset[str]:
    russian = (_of_cyrillic(name) for name in natasha_words("first") if len(name) > 1)
    further = (_of_cyrillic(name) for name in packaged_names()["given"] if len(name) > 2)
    return frozenset([*russian, *further, *map(rough, _FIRST.split())])


@lru_cache(maxsize=1)
def _surnames() -> frozenset[str]:
    return frozenset(map(_of_cyrillic, natasha_words("last")))


@lru_cache(maxsize=100_000)
def stem_of_rough(word: str) -> str:
    """The one spelling of both scripts without vowels at the end, where cases differ."""
    return rough(stem(word)).rstrip("aeiou")


def is_species(word: str) -> bool:
    return word.lower() in _SPECIES


@lru_cache(maxsize=100_000)
def is_given(word: str) -> bool:
    return rough(word) in _given_names() or rough(_ZH.sub("zh", word.lower())) in _given_names()


def is_patronymic(word: str) -> bool:
    return _PATRONYMIC.fullmatch(rough(word)) is not None


def is_surname(word: str) -> bool:
    """By its ending, or by a list."""
    plain = rough(word)
    return _SURNAME.fullmatch(plain) is not None or plain in _surnames() or plain.removesuffix("a") in _surnames()


@lru_cache(maxsize=1)
def _everyday_surnames() -> frozenset[str]:
    return frozenset(_of_cyrillic(word) for word in packaged_names()["words"] | packaged_names()["korean"])


def is_everyday(word: str) -> bool:
    """Whether it is a surname that is a word, or one of the short Korean ones: Bublik, Kan."""
    return rough(word) in _everyday_surnames()


def is_plain_surname(word: str) -> bool:
    """A surname even without any other sign of one: by its ending and by a list."""
    plain = rough(word)
    return _PLAIN_SURNAME.fullmatch(plain) is not None and (
        plain in _surnames() or plain.removesuffix("a") in _surnames()
    )


def may_be_joined(word: str) -> bool:
    """Whether a word of either script may be a name beside initials or in the name of a file."""
    if is_latin(word):
        return is_surname(word) or is_given(word) or is_everyday(word)
    part = reading(word)
    return part.likely_surname or part.listed or part.given >= 0.5
