"""The text of a report as the model reads and writes it, the same in training and evaluation.

    Описание: <description>
    Заключение: Bethesda IV. <conclusion>

The category precedes the free text, so that its probability given the description is trained, and not its probability
given a conclusion already written.
"""

from collections.abc import Callable, Sequence

from anamnesis.errors import InputError
from anamnesis.settings.rendering import Headings


def prompt(description: str, headings: Headings) -> str:
    """The input of the model."""
    return f"{headings.description}: {description}\n{headings.category}"


def completion(category: str, conclusion: str) -> str:
    """The continuation that the model learns."""
    return f" {category}. {conclusion}".rstrip()


def parse_completion(text: str, categories: Sequence[str]) -> tuple[str | None, str]:
    """The category at the start of a generated completion, None if there is none, and the text after it."""
    text = text.strip()
    for category in sorted(categories, key=len, reverse=True):
        rest = text.removeprefix(category)
        if rest != text and not rest[:1].isalnum():
            return category, rest.removeprefix(".").strip()
    return None, text


def terminated(categories: Sequence[str], encode: Callable[[str], list[int]]) -> list[str]:
    """The continuations whose probabilities are compared to choose a category: " IV", or " IV." if necessary.

    If the tokens of one category begin those of another (I and II), the shorter is never less probable. The full stop
    that follows the category in every report makes them comparable.

    Raises:
        InputError: one category begins another even with the full stop.
    """
    for end in ("", "."):
        choices = [f" {category}{end}" for category in categories]
        tokens = [tuple(encode(choice)) for choice in choices]
        if not any(a != b and b[: len(a)] == a for a in tokens for b in tokens):
            return choices
    raise InputError(
        "corpus.categories: one category with its full stop begins another (as K29. begins K29.1.), so that their "
        "probabilities cannot be compared; rename one."
    )
