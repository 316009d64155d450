"""The text of a report, the same in training and evaluation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anamnesis.errors import InputError
from anamnesis.rendering import completion, parse_completion, prompt, terminated
from tests.conftest import HEADINGS

CATEGORIES = ["I", "II", "III", "IV", "V", "VI"]


def test_a_report_reads_as_documented() -> None:
    text = prompt("Узел 8 мм.", HEADINGS) + completion("IV", "Неоплазия.")
    assert text == "Описание: Узел 8 мм.\nЗаключение: Bethesda IV. Неоплазия."
    assert completion("K29", "") == " K29."


@given(st.sampled_from(CATEGORIES), st.text(st.characters(categories=["L", "N"]), max_size=20))
def test_a_completion_is_parsed_back(category: str, conclusion: str) -> None:
    assert parse_completion(completion(category, conclusion), CATEGORIES) == (category, conclusion)


@pytest.mark.parametrize("categories", [["K29", "K29.1"], ["K29.1", "K29"]])
@pytest.mark.parametrize("category", ["K29", "K29.1"])
def test_the_longest_category_that_begins_a_completion_is_meant(category: str, categories: list[str]) -> None:
    assert parse_completion(completion(category, "Гастрит. K29"), categories) == (category, "Гастрит. K29")


@pytest.mark.parametrize("text", ["", " VII. Что-то", " Неясно", "II2", " i. x"])
def test_what_names_no_declared_category_is_none(text: str) -> None:
    assert parse_completion(text, CATEGORIES)[0] is None


def test_categories_are_terminated_where_one_begins_another() -> None:
    """With characters as tokens, II begins with I: without a full stop, the shorter one is never less probable."""
    by_character = terminated(CATEGORIES, lambda text: [ord(c) for c in text])
    assert by_character == [" I.", " II.", " III.", " IV.", " V.", " VI."]
    with pytest.raises(InputError, match="begins another"):
        terminated(["K29", "K29.1"], lambda text: [ord(c) for c in text])
    one_token_each = terminated(CATEGORIES, lambda text: [hash(text)])
    assert one_token_each == [" I", " II", " III", " IV", " V", " VI"]
