"""A statistical tagger of all kinds of identifiers beside the rules.

It learnt from the invented texts of tests/written and tests/heldout that are open to authors of rules
(`benchmarks/tagger.py` trains it). The rules know how identifiers are written; the tagger knows where in a
text they stand.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from anamnesis.corpus.deidentification.findings import TAGGER, Found
from anamnesis.corpus.deidentification.tagger_network import KINDS, PLACEHOLDER_WORDS, Network, Words, words_of

# The probabilities of several networks are averaged: one of them alone takes more words for identifiers.
WEIGHTS = tuple(Path(__file__).with_name(f"tagger-{seed}.safetensors") for seed in range(2))
# Chosen on authors on whom the network was not trained (see LOG.md): from what probability on a word belongs to an
# identifier, and below which one the tagger overrules a rule about the kinds that rules often mistake.
LEAST_PROBABILITY = 0.5
CERTAINLY_NONE = 0.02
MISTAKEN = frozenset(("name", "doctor"))
# Texts of about the same length are computed together, up to so many words with the padding.
_MOST_WORDS, _MOST_TEXTS = 4096, 32


@dataclass(frozen=True)
class Tagged:
    """What the tagger says of a text.

    Attributes:
        found: the identifiers that it sees.
        words: where the words stand.
        probabilities: of each word, that it is part of an identifier.
    """

    found: tuple[Found, ...] = ()
    words: tuple[tuple[int, int], ...] = ()
    probabilities: tuple[float, ...] = ()

    @classmethod
    def of(cls, text: str, words: Words, probabilities: np.ndarray, least: float = LEAST_PROBABILITY) -> "Tagged":
        """See `findings` for the arguments."""
        found = findings(text, words, probabilities, least)
        return cls(tuple(found), tuple(words), tuple((1 - probabilities[:, 0]).tolist()))

    def rules_out(self, text: str, one: Found, certainly_none: float = CERTAINLY_NONE) -> bool:
        """Whether a rule's finding is of a kind that rules often mistake, and the tagger is sure that it is none.

        Capitals tell a surname that is also a word: they are believed.
        """
        if one.kind not in MISTAKEN or not self.words or text[one.start : one.end].isupper():
            return False
        first = bisect_right(self.words, (one.start, one.start))
        first -= first > 0 and self.words[first - 1][1] > one.start
        last = bisect_left(self.words, (one.end, one.end))
        return max(self.probabilities[first:last], default=1.0) < certainly_none


def tag(texts: Sequence[str]) -> list[Tagged]:
    """What the tagger says of each text.

    One thread: the result does not depend on the number of cores, and parallel processes do not compete for them.
    """
    tagged = [Tagged()] * len(texts)
    with threadpool_limits(1):
        for at, words, probabilities in tag_probabilities(_networks(), texts):
            tagged[at] = Tagged.of(texts[at], words, probabilities)
    return tagged


def tag_probabilities(networks: Sequence[Network], texts: Sequence[str]) -> Iterator[tuple[int, Words, np.ndarray]]:
    """Of each text that has words: its number, its words, and the probabilities of their tags."""
    words = [words_of(text) for text in texts]
    unread = sorted((at for at in range(len(texts)) if words[at]), key=lambda at: len(words[at]))
    while unread:
        together = max(1, min(_MOST_TEXTS, _MOST_WORDS // len(words[unread[-1]])))
        chosen, unread = unread[-together:], unread[:-together]
        read = [texts[at] for at in chosen], [words[at] for at in chosen]
        said = np.mean([network.probabilities(*read) for network in networks], axis=0)
        for at, probabilities in zip(chosen, said, strict=True):
            yield at, words[at], probabilities[: len(words[at])]


def findings(text: str, words: Words, probabilities: np.ndarray, least: float = LEAST_PROBABILITY) -> list[Found]:
    """Joins words that are identifiers to findings.

    Args:
        probabilities: of the tags of each word: none, then the beginning and the inside of each kind.
        least: a word is one if it is more probably some identifier than this.
    """
    by_kind = probabilities[:, 1:].reshape(len(words), len(KINDS), 2)
    begins = by_kind[:, :, 0].sum(1) > by_kind[:, :, 1].sum(1)
    best = by_kind.sum(2).argmax(1)
    found: list[Found] = []
    inside = False
    for number, (start, end) in enumerate(words):
        if probabilities[number, 0] >= 1 - least or text[start:end] in PLACEHOLDER_WORDS:
            inside = False
            continue
        if inside and not begins[number]:
            found[-1] = Found(found[-1].start, end, found[-1].kind, TAGGER)
        else:
            found.append(Found(start, end, KINDS[best[number]], TAGGER))
        inside = True
    return [one for one in found if any(map(str.isalnum, text[one.start : one.end]))]


@lru_cache(maxsize=1)
def _networks() -> list[Network]:
    return [Network.load(path) for path in WEIGHTS]
