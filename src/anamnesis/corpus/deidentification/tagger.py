"""A statistical tagger of persons' names beside the rules: Slovnet's, a small convolutional network with a CRF, trained
on Russian news (https://github.com/natasha/slovnet). Its weights come with the package `natasha`; it needs no network.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from navec import Navec
from slovnet import NER
from threadpoolctl import threadpool_limits

from anamnesis.corpus.deidentification.resources import natasha_file
from anamnesis.corpus.deidentification.words import LETTER, reading

Span = tuple[int, int]
# Texts of about the same length are computed together. More at once is slower: the time goes into memory.
_AT_ONCE = 8
_WORD = re.compile(rf"{LETTER}{{2,}}")


def tag(texts: Sequence[str]) -> list[list[Span]]:
    """Where the tagger sees a person, for each text.

    One thread: the result does not depend on the number of cores, and parallel processes do not compete for them.
    """
    spans: list[list[Span]] = [[] for _ in texts]
    order = sorted((at for at, text in enumerate(texts) if not text.isspace() and text), key=lambda at: len(texts[at]))
    with threadpool_limits(1):
        for at, marked in zip(order, _tagger().map([_capitalized(texts[at]) for at in order]), strict=True):
            spans[at] = [(span.start, span.stop) for span in marked.spans if span.type == "PER"]
    return spans


@lru_cache(maxsize=1)
def _tagger() -> NER:
    tagger = NER.load(str(natasha_file("model/slovnet_ner_news_v1.tar")), batch_size=_AT_ONCE)
    return tagger.navec(Navec.load(str(natasha_file("emb/navec_news_v1_1B_250K_300d_100q.tar"))))


def _capitalized(text: str) -> str:
    """The text with names written as in news: the tagger hardly sees a name without capitals, or in capitals only."""
    return _WORD.sub(lambda match: _as_in_news(match[0]), text)


@lru_cache(maxsize=200_000)
def _as_in_news(word: str) -> str:
    if word.istitle():
        return word
    part = reading(word)
    capitals = word.isupper() and len(word) > 3
    name = part.plain_surname or part.plain_given or part.patronymic > 0.5 or (capitals and not part.known)
    if name or capitals:
        changed = word.capitalize() if name else word.lower()
        return changed if len(changed) == len(word) else word
    return word
