"""The network of the tagger: what it sees of a word, its layers, and its file.

A bidirectional LSTM reads the words of a text. Of each word it sees the letters (through a convolution), the form
(capitals, number of digits), the vector of Navec, and what the dictionary and the lists say about names. It is trained
with torch (`benchmarks/tagger.py`) and computed here with NumPy, as the corpus needs nothing else of torch.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float16, Int
from navec import Navec
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.special import softmax

from anamnesis.corpus.deidentification.findings import PLACEHOLDERS
from anamnesis.corpus.deidentification.resources import natasha_file
from anamnesis.corpus.deidentification.words import reading

# Words, numbers, single marks, and the ends of lines. A placeholder is one word.
WORD = re.compile(rf"{'|'.join(map(re.escape, PLACEHOLDERS.values()))}|[^\W\d_]+|\d+|\n|[^\w\s]|_")
PLACEHOLDER_WORDS = frozenset(PLACEHOLDERS.values())
ALPHABET = "абвгдежзийклмнопрстуфхцчшщъыьэюяabcdefghijklmnopqrstuvwxyz0123456789.,:;-–—/\\()[]@_+№#*%\"'«»|^=<>\n"
# 0 is padding, 1 any other character.
_CHARACTERS = {character: number for number, character in enumerate(ALPHABET, 2)}
# The first and the last characters of a longer word are seen.
SEEN = 12
_LONGEST_NUMBER = 14
# Numbers of forms: 0 is padding; 1 to 4 Cyrillic and 5 to 8 Latin letters; then single letters, marks, placeholders,
# and numbers by their digits.
_LATIN, _SINGLE, _MARK, _PLACEHOLDER, _NUMBER = 4, 9, 13, 14, 15
FORMS = _NUMBER + _LONGEST_NUMBER
# The kinds of identifiers whose tags it gives, in their order.
KINDS = tuple(PLACEHOLDERS)
# How many numbers say what is known of a word as a name, and what Navec says of it.
NAMES, VECTOR = 6, 300
_REMEMBERED = 30_000
# Behind the name of a matrix of 8 bits in the file.
_SCALE = ".scale"
Words = list[tuple[int, int]]


@dataclass(frozen=True)
class Seen:
    """What the network sees of a word by itself; a word without a vector has zeros."""

    characters: tuple[int, ...]
    form: int
    names: tuple[float, ...]
    vector: Float16[np.ndarray, " 300"]


def words_of(text: str) -> Words:
    """Where the words of a text stand."""
    return [match.span() for match in WORD.finditer(text)]


def glued(words: Words) -> list[bool]:
    """For each word, whether no space is before it."""
    return [False, *(end == start for (_, end), (start, _) in pairwise(words))]


def seen(word: str) -> Seen:
    lower = word.lower().replace("ё", "е")
    numbers = [_CHARACTERS.get(character, 1) for character in lower]
    if len(numbers) > SEEN:
        numbers = numbers[: SEEN // 2] + numbers[-SEEN // 2 :]
    vector, names = np.zeros(VECTOR, np.float16), (0.0,) * NAMES
    if word.isalpha():
        vectors = _navec()
        if lower in vectors:
            vector = vectors[lower].astype(np.float16)
        if len(word) > 1 and "а" <= lower[0] <= "я":
            part = reading(word)
            names = (part.surname, part.given, part.patronymic, part.common, float(part.known), float(part.listed))
    return Seen(tuple(numbers + [0] * (SEEN - len(numbers))), _form(word), names, vector)


def _form(word: str) -> int:
    if word in PLACEHOLDER_WORDS:
        return _PLACEHOLDER
    if word.isdecimal():
        return _NUMBER + min(len(word), _LONGEST_NUMBER) - 1
    if not word.isalpha():
        return _MARK
    latin = word[0].lower() < "а"
    if len(word) == 1:
        return _SINGLE + 2 * latin + word.isupper()
    return 1 + _LATIN * latin + (0 if word.islower() else 1 if word.istitle() else 2 if word.isupper() else 3)


@lru_cache(maxsize=1)
def _navec() -> Navec:
    return Navec.load(str(natasha_file("emb/navec_news_v1_1B_250K_300d_100q.tar")))


class Network:
    """A trained network.

    Attributes:
        weights: the tensors of torch's layers by their names there (`benchmarks/tagger.py`).
        made: how it was trained.
    """

    def __init__(self, weights: dict[str, np.ndarray], made: dict[str, str]) -> None:
        self.weights, self.made = weights, made
        self._layers = [[_Direction(weights, layer, backwards) for backwards in (False, True)] for layer in range(2)]
        self._word = lru_cache(maxsize=_REMEMBERED)(self._read_word)

    @classmethod
    def load(cls, path: Path) -> "Network":
        with safe_open(path, "np") as file:
            made = json.loads(file.metadata()["made"])
            stored = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
        scales = {name: stored.pop(name + _SCALE) for name in list(stored) if name + _SCALE in stored}
        weights = {name: tensor * scales.get(name, np.float32(1)) for name, tensor in stored.items()}
        return cls(weights, made)

    def save(self, path: Path) -> None:
        """Matrices in 8 bits, with a scale for each of their rows; biases in half precision."""
        stored: dict[str, np.ndarray] = {}
        for name, tensor in self.weights.items():
            if tensor.ndim == 1:
                stored[name] = tensor.astype(np.float16)
                continue
            largest = np.abs(tensor).max(axis=tuple(range(1, tensor.ndim)), keepdims=True)
            scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
            stored[name], stored[name + _SCALE] = np.round(tensor / scale).astype(np.int8), scale
        save_file(stored, path, {"made": json.dumps(self.made)})

    def probabilities(self, texts: Sequence[str], words: Sequence[Words]) -> Float[np.ndarray, "text word tag"]:
        """Of the tags of each word: none, then the beginning and the inside of each kind.

        Args:
            words: where the words of each text stand, at least one. Behind the last word of a shorter text, the result
                says nothing.
        """
        lengths = np.array([len(spans) for spans in words])
        # Word by word of all texts, as the LSTM takes them.
        read = np.zeros((lengths.max(), len(texts), self._width), np.float32)
        for at, (text, spans) in enumerate(zip(texts, words, strict=True)):
            for number, ((start, end), joined) in enumerate(zip(spans, glued(spans), strict=True)):
                read[number, at, :-1] = self._word(text[start:end])
                read[number, at, -1] = joined
        for layer in self._layers:
            read = np.concatenate([direction.read(read, lengths) for direction in layer], axis=-1)
        tags = softmax(read @ self.weights["tags.weight"].T + self.weights["tags.bias"], axis=-1)
        return tags.swapaxes(0, 1)

    @property
    def _width(self) -> int:
        return self.weights["reader.weight_ih_l0"].shape[1]

    def _read_word(self, word: str) -> Float[np.ndarray, " seen"]:
        """The word by itself, as the LSTM sees it."""
        weights, one = self.weights, seen(word)
        letters = np.pad(weights["letters.weight"][list(one.characters)], ((1, 1), (0, 0)))
        kernel = weights["convolution.weight"]
        filtered = sum(letters[at : at + SEEN] @ kernel[:, :, at].T for at in range(kernel.shape[2]))
        return np.concatenate(
            (
                np.maximum(filtered + weights["convolution.bias"], 0).max(axis=0),
                weights["forms.weight"][one.form],
                np.tanh(weights["vector.weight"] @ one.vector + weights["vector.bias"]),
                np.array(one.names, np.float32),
            )
        )


class _Direction:
    """One direction of one layer of the LSTM.

    torch's gates are input, forget, cell, output. All but the cell's take sigmoid(x) = (1 + tanh(x / 2)) / 2; their
    weights are halved, so that one tanh, which NumPy computes fast, serves all four.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], layer: int, backwards: bool) -> None:
        name = f"l{layer}_reverse" if backwards else f"l{layer}"
        self.backwards, self.hidden = backwards, weights[f"reader.weight_hh_{name}"].shape[1]
        halves = np.repeat(np.array([0.5, 0.5, 1, 0.5], np.float32), self.hidden)
        self.into, self.within = (
            np.ascontiguousarray(weights[f"reader.weight_{part}_{name}"].T * halves) for part in ("ih", "hh")
        )
        self.bias = halves * (weights[f"reader.bias_ih_{name}"] + weights[f"reader.bias_hh_{name}"])

    def read(
        self, words: Float[np.ndarray, "word text seen"], lengths: Int[np.ndarray, " text"]
    ) -> Float[np.ndarray, "word text hidden"]:
        gates = words @ self.into + self.bias
        state = cell = np.zeros((words.shape[1], self.hidden), np.float32)
        states = np.zeros((*words.shape[:2], self.hidden), np.float32)
        for at in reversed(range(len(words))) if self.backwards else range(len(words)):
            now = gates[at]
            now += state @ self.within
            taken, forgotten, new, given = np.split(np.tanh(now, out=now), 4, axis=1)
            half = np.float32(0.5) * (at < lengths)[:, None]
            cell = half * ((1 + forgotten) * cell + (1 + taken) * new)
            states[at] = state = half * ((1 + given) * np.tanh(cell))
        return states
