"""The network of the tagger of identifiers: what it sees of a word, its layers, and its file.

A bidirectional LSTM reads the words of a text. Of each word it sees the letters (through a convolution), the form
(capitals, number of digits), the vector of Navec, and what the dictionary and the lists say about names.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from navec import Navec
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from anamnesis.corpus.deidentification.findings import PLACEHOLDERS
from anamnesis.corpus.deidentification.resources import natasha_file
from anamnesis.corpus.deidentification.words import reading

# Words, numbers, single marks, and the ends of lines. A placeholder is one word.
WORD = re.compile(rf"{'|'.join(map(re.escape, PLACEHOLDERS.values()))}|[^\W\d_]+|\d+|\n|[^\w\s]|_")
PLACEHOLDER_WORDS = frozenset(PLACEHOLDERS.values())
_ALPHABET = "абвгдежзийклмнопрстуфхцчшщъыьэюяabcdefghijklmnopqrstuvwxyz0123456789.,:;-–—/\\()[]@_+№#*%\"'«»|^=<>\n"
# 0 is padding, 1 any other character.
_CHARACTERS = {character: number for number, character in enumerate(_ALPHABET, 2)}
# The first and the last characters of a longer word are seen.
_SEEN = 12
_LONGEST_NUMBER = 14
# Numbers of forms: 0 is padding; 1 to 4 Cyrillic and 5 to 8 Latin letters; then single letters, marks, placeholders,
# and numbers by their digits.
_LATIN, _SINGLE, _MARK, _PLACEHOLDER, _NUMBER = 4, 9, 13, 14, 15
_FORMS = _NUMBER + _LONGEST_NUMBER
_NAMES, _VECTOR = 6, 300
Words = list[tuple[int, int]]


@dataclass(frozen=True)
class _Seen:
    """What the network sees of a word by itself."""

    characters: tuple[int, ...]
    form: int
    names: tuple[float, ...]
    vector: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Texts of the network, padded to the longest of them."""

    characters: Int[Tensor, "text word 12"]
    forms: Int[Tensor, "text word"]
    vectors: Float[Tensor, "text word 300"]
    names: Float[Tensor, "text word 7"]
    lengths: Int[Tensor, " text"]


def words_of(text: str) -> Words:
    """Where the words of a text stand."""
    return [match.span() for match in WORD.finditer(text)]


def batch_of(texts: Sequence[str], words: Sequence[Words], hidden: Sequence[np.ndarray] | None = None) -> Batch:
    """What the network sees of texts that have at least one word each.

    Args:
        hidden: for each text, whether a word's vector and its reading as a name are hidden, for training.
    """
    longest = max(map(len, words))
    characters = np.zeros((len(texts), longest, _SEEN), np.int64)
    forms = np.zeros((len(texts), longest), np.int64)
    vectors = np.zeros((len(texts), longest, _VECTOR), np.float32)
    names = np.zeros((len(texts), longest, _NAMES + 1), np.float32)
    for at, (text, spans) in enumerate(zip(texts, words, strict=True)):
        before = -1
        for number, (start, end) in enumerate(spans):
            seen = _seen(text[start:end])
            characters[at, number] = seen.characters
            forms[at, number] = seen.form
            names[at, number, _NAMES] = start == before
            before = end
            if hidden is None or not hidden[at][number]:
                vectors[at, number] = seen.vector
                names[at, number, :_NAMES] = seen.names
    arrays = (characters, forms, vectors, names, np.array([len(spans) for spans in words]))
    return Batch(*map(torch.from_numpy, arrays))


@lru_cache(maxsize=30_000)
def _seen(word: str) -> _Seen:
    lower = word.lower().replace("ё", "е")
    numbers = [_CHARACTERS.get(character, 1) for character in lower]
    if len(numbers) > _SEEN:
        numbers = numbers[: _SEEN // 2] + numbers[-_SEEN // 2 :]
    vector, names = np.zeros(_VECTOR, np.float16), (0.0,) * _NAMES
    if word.isalpha():
        vectors = _navec()
        if lower in vectors:
            vector = vectors[lower].astype(np.float16)
        if len(word) > 1 and "а" <= lower[0] <= "я":
            part = reading(word)
            names = (part.surname, part.given, part.patronymic, part.common, float(part.known), float(part.listed))
    return _Seen(tuple(numbers + [0] * (_SEEN - len(numbers))), _form(word), names, vector)


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


class Network(nn.Module):
    """Logits of the tags of every word: none, and the beginning and the inside of each kind.

    Args:
        kinds: number of kinds of identifiers.
        dropout: share of what is dropped between the layers while training.
    """

    def __init__(self, kinds: int, dropout: float = 0.35) -> None:
        super().__init__()
        letters, filters, form, vector, hidden = 24, 64, 16, 64, 128
        self.letters = nn.Embedding(len(_ALPHABET) + 2, letters, padding_idx=0)
        self.convolution = nn.Conv1d(letters, filters, 3, padding=1)
        self.forms = nn.Embedding(_FORMS, form)
        self.vector = nn.Linear(_VECTOR, vector)
        width = filters + form + vector + _NAMES + 1
        self.reader = nn.LSTM(width, hidden, num_layers=2, bidirectional=True, batch_first=True, dropout=dropout)
        self.tags = nn.Linear(2 * hidden, 1 + 2 * kinds)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> Float[Tensor, "text word tag"]:
        texts, words, _ = batch.characters.shape
        letters = self.convolution(self.letters(batch.characters.view(texts * words, -1)).transpose(1, 2))
        seen = (
            letters.relu().amax(2).view(texts, words, -1),
            self.forms(batch.forms),
            self.vector(batch.vectors).tanh(),
            batch.names,
        )
        packed = pack_padded_sequence(
            self.dropout(torch.cat(seen, -1)), batch.lengths, batch_first=True, enforce_sorted=False
        )
        read, _ = pad_packed_sequence(self.reader(packed)[0], batch_first=True)
        return self.tags(self.dropout(read))


@dataclass(frozen=True)
class Networks:
    """Networks whose probabilities are averaged, and how they were made."""

    members: tuple[Network, ...]
    kinds: tuple[str, ...]
    made: dict[str, str]

    @classmethod
    def load(cls, path: Path) -> "Networks":
        with safe_open(path, "pt") as file:
            made = json.loads(file.metadata()["made"])
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        kinds = tuple(made["kinds"].split(","))
        members = []
        for number in range(int(made["members"])):
            member, prefix = Network(len(kinds)), f"{number}."
            member.load_state_dict(
                {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            )
            members.append(member.eval())
        return cls(tuple(members), kinds, made)

    def save(self, path: Path) -> None:
        """In half precision, which is as good and half as large."""
        tensors = {
            f"{number}.{name}": tensor.half().contiguous()
            for number, member in enumerate(self.members)
            for name, tensor in member.state_dict().items()
        }
        made = {**self.made, "kinds": ",".join(self.kinds), "members": str(len(self.members))}
        save_file(tensors, path, {"made": json.dumps(made, ensure_ascii=False)})

    @torch.inference_mode()
    def probabilities(self, batch: Batch) -> Float[np.ndarray, "text word tag"]:
        total = torch.stack([member(batch).softmax(-1) for member in self.members]).mean(0)
        return total.numpy()
