"""What makes a report look written by a person: idle remarks, abbreviations, е for ё, slips of the keyboard.

A model that reads only clean text learns the wordings instead of the findings, and real reports are not
clean.
"""

import random
import re
from itertools import pairwise

IDLE_REMARKS: tuple[str, ...] = (
    "[анамнез в направлении не указан|клинические данные не приведены]",
    "направление [заполнено не полностью|оформлено полностью]",
    "[препараты|стёкла] [хранятся в архиве|переданы в архив]",
    "исследование [выполнено|проведено] в плановом порядке",
    "[просмотрены|изучены] все [доставленные стёкла|поля зрения]",
    "предыдущие [исследования|заключения] не [представлены|приложены]",
    "[осложнений|жалоб] во время пункции не было",
    "пациент [направлен эндокринологом|наблюдается у эндокринолога]",
    "материал [получен утром|доставлен в день пункции|доставлен без задержки]",
    "[гормоны щитовидной железы в норме|сведений о гормонах нет]",
)

# Long forms and what a hurried cytologist writes instead.
_ABBREVIATIONS: dict[str, tuple[str, ...]] = {
    "щитовидной железы": ("щит. железы", "ЩЖ"),
    "правой доли": ("пр. доли",),
    "левой доли": ("лев. доли",),
    "правой доле": ("пр. доле",),
    "левой доле": ("лев. доле",),
    "под контролем УЗИ": ("под УЗ-контролем", "под к. УЗИ"),
    "количестве": ("кол-ве",),
    "количество": ("кол-во",),
    "фолликулярного эпителия": ("фолл. эпителия",),
    "фолликулярных клеток": ("фолл. клеток",),
    "цитоплазма": ("цит-ма",),
    "внутриядерных": ("в/ядерных",),
    "внутриядерные": ("в/ядерные",),
    "микроскопически": ("мкр.",),
}
_LONG_FORM = re.compile(r"\b(?:" + "|".join(_ABBREVIATIONS) + r")\b")
_WORD = re.compile(r"[А-Яа-яЁё]{4,}")
_KEYBOARD = ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю")
_NEIGHBOURS = {a: b for row in _KEYBOARD for pair in pairwise(row) for a, b in (pair, pair[::-1])}


def abbreviate(text: str, share: float, rng: random.Random) -> str:
    def shorten(match: re.Match[str]) -> str:
        return rng.choice(_ABBREVIATIONS[match[0]]) if rng.random() < share else match[0]

    return _LONG_FORM.sub(shorten, text)


def _slip(word: str, rng: random.Random) -> str:
    """A wrong neighbouring key, a lost, a doubled or a swapped letter, never in the first letter."""
    at = rng.randrange(1, len(word) - 1)
    before, letter, following, after = word[:at], word[at], word[at + 1], word[at + 2 :]
    slips = [before + following + after, before + letter + letter + following + after]
    slips.append(before + _NEIGHBOURS.get(letter, "е") + following + after)
    if letter != following:
        slips.append(before + following + letter + after)
    return rng.choice(slips)


def mistype(text: str, rate: float, rng: random.Random) -> str:
    """Slips in `rate` of all words; short words and numbers stay, for a slip would change what they mean."""
    words = text.split(" ")
    typable = [index for index, word in enumerate(words) if _WORD.search(word)]
    for index in typable:
        if rng.random() < rate * len(words) / len(typable):
            words[index] = _WORD.sub(lambda match: _slip(match[0], rng), words[index], count=1)
    return " ".join(words)
