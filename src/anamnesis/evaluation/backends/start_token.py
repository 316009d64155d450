"""Whole texts after exactly one start token."""

from typing import Any


class OneStartToken:
    """A base class to put before a model class of the harness, which itself adds a start token to a whole text.

    With a tokenizer that adds one too, the model would read two of them, and the second would be scored.
    """

    # Whether special tokens are added where the harness leaves it to the tokenizer (None: they are, if it has any).
    _special: bool | None = None

    def special(self, add_special_tokens: bool | None) -> bool | None:
        return self._special if add_special_tokens is None else add_special_tokens

    def tok_encode(self, string: Any, add_special_tokens: bool | None = None, *args: Any, **kwargs: Any) -> Any:
        encoder: Any = super()
        return encoder.tok_encode(string, self.special(add_special_tokens), *args, **kwargs)

    def loglikelihood_rolling(self, *args: Any, **kwargs: Any) -> list[float]:
        self._special = False
        try:
            model: Any = super()
            answers: list[float] = model.loglikelihood_rolling(*args, **kwargs)
        finally:
            self._special = None
        return answers
