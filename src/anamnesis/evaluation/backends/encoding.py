"""Tokenize prompts that have lines in common, each line once."""

import re
from array import array
from collections.abc import Callable

from transformers import PreTrainedTokenizerBase

# After a newline and before a letter or a digit.
LINE_START = re.compile(r"(?<=\n)(?=[^\W_])")
SAMPLE = "Вопрос (1).\n\nA. 12 мм; it's\n7 \t\r\nB:  da\n \nЧто? \nAnswer: A"


class LineEncoder:
    """Token ids of a text, identical to those of `encode`, with a cache of lines.

    The worked examples of a few-shot prompt are repeated with every question, a question with each of its choices, and
    all of them with the next adapter. A tokenizer that first splits the text into words (byte-level BPE: Qwen, Llama 3,
    GPT-2) never merges across a newline that is followed by a letter, so lines can be encoded separately. Whether the
    tokenizer is of this kind is tested once; otherwise whole texts are cached.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, encode: Callable[[str, bool | None], list[int]]) -> None:
        """`encode` takes a text and whether to add special tokens (None: the tokenizer's default)."""
        self._encode = encode
        self._known: dict[tuple[str, bool | None], array[int]] = {}
        self._by_line = _splits_at_lines(tokenizer) and self._join(SAMPLE, None) == encode(SAMPLE, None)

    def __call__(self, text: str, special: bool | None) -> list[int]:
        return self._join(text, special) if self._by_line else self._lookup(text, special).tolist()

    def _join(self, text: str, special: bool | None) -> list[int]:
        first, *others = LINE_START.split(text)
        tokens = self._lookup(first, special).tolist()
        for line in others:
            tokens.extend(self._lookup(line, False))
        return tokens

    def _lookup(self, text: str, special: bool | None) -> "array[int]":
        known = self._known.get((text, special))
        if known is None:
            known = self._known[text, special] = array("i", self._encode(text, special))
        return known


def _splits_at_lines(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a word begins at every line start of the sample, and no added token can extend over a line start."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or backend.pre_tokenizer is None:
        return False
    starts = {start for _, (start, _) in backend.pre_tokenizer.pre_tokenize_str(SAMPLE)}
    lines = {match.start() for match in LINE_START.finditer(SAMPLE)}
    added = tokenizer.get_added_vocab()
    return lines <= starts and not any("\n" in token or token[:1].isalnum() for token in added)
