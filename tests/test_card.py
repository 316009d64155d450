"""The data card: its figure shows the account's numbers, and it says what could not be measured."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anamnesis.corpus.card import Part, account_of, card, picture
from anamnesis.corpus.intake import Account
from anamnesis.corpus.refusals import Notice
from anamnesis.corpus.scrutiny import Leakage
from anamnesis.files import read_json, write_json

PARTS = {
    "train": Part({"II": 3, "VI": 1}, np.array([100, 200, 300, 400]), np.array([10, 20, 30, 40])),
    "validation": Part({"II": 1}, np.array([150]), np.array([15])),
    "test": Part({"II": 1, "V": 1}, np.array([120, 180]), np.array([12, 18])),
}
LEAKS = {
    "split": Leakage(compared=2, highest=0.35, median=0.25, above=0.0, histogram=[0, 0, 1, 1, 0, 0, 0, 0, 0, 0]),
    "naive": Leakage(compared=2, highest=0.95, median=0.55, above=0.5, histogram=[0, 1, 0, 0, 0, 0, 0, 0, 0, 1]),
}


def account(bag_of_words: float, **read_as: Any) -> dict[str, Any]:
    names = Counter(rules=3, tagger=1, both=5)
    read = Account(engine="rules_and_tagger", rows_in=7, names_by=names, **read_as)
    clusters = np.arange(7)
    return account_of(read, PARTS, 7, clusters, clusters, 0.8, LEAKS, bag_of_words, ["слово"])


def test_bars_are_the_shares_of_each_part_and_of_the_compared_reports() -> None:
    shares, _, similarity = picture(account(0.5), PARTS).axes
    heights = {
        str(bars.get_label()): [bar.get_height() for bar in bars]
        for axes in (shares, similarity)
        for bars in axes.containers
    }
    assert heights["train"] == pytest.approx([3 / 4, 0, 1 / 4])
    assert heights["validation"] == pytest.approx([1, 0, 0])
    assert heights["test"] == pytest.approx([1 / 2, 1 / 2, 0])
    assert heights["this split"] == pytest.approx([0, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 0])
    assert heights["random split"] == pytest.approx([0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0.5])
    assert [label.get_text() for label in shares.get_xticklabels()] == ["II", "V", "VI"]


def test_card_gives_both_splits_and_the_shortcut() -> None:
    text = card(account(0.857), "corpus.png", {})
    assert "| highest similarity | 0.350 | 0.950 |" in text
    assert "| share at 0.8 or above | 0.0% | 50.0% |" in text
    assert "reaches a macro-F1 of 0.857 on the test part. Words that alone predict a category, " in text


def test_card_counts_how_the_files_are_written_in_a_fixed_order() -> None:
    noticed = Counter({Notice.DITTO_MARKS: 3, Notice.LOCK_FILES: 1, Notice.HIDDEN_ROWS: 0})
    text = card(account(0.5, noticed=noticed), "corpus.png", {})
    assert "## How the files are written" in text
    assert text.index("| `lock_files` | lock files (~$…)") < text.index("| `ditto_marks` | cells that say")
    assert "hidden_rows" not in text
    assert "## How the files are written" not in card(account(0.5), "corpus.png", {})


def test_card_shows_what_a_person_found_where_a_sample_can_be_drawn() -> None:
    assert "## Identifiers left\n\nRead by one.\n" in card(account(0.5), "corpus.png", {}, "Read by one.")
    assert "## Identifiers left" not in card(account(0.5), "corpus.png", {})


def test_card_says_which_engine_ran_and_what_each_found() -> None:
    numbers = account(0.5)
    assert numbers["names"] == {"engine": "rules_and_tagger", "rules": 3, "tagger": 1, "both": 5}
    assert (
        "The rules and the tagger ran (`corpus.deidentification.engine: rules_and_tagger`). Of 9 names, the "
        "rules alone found 3, the tagger alone 1, both 5." in card(numbers, "corpus.png", {})
    )
    numbers["names"]["engine"] = None
    assert "the tagger" not in card(numbers, "corpus.png", {})


def test_an_account_without_a_classifier_is_json_and_the_card_says_why(tmp_path: Path) -> None:
    write_json(tmp_path / "account.json", account(float("nan")))
    numbers = read_json(tmp_path / "account.json")
    assert numbers["shortcuts"]["bag_of_words_macro_f1"] is None
    assert "could not be trained: the training part has a single category" in card(numbers, "corpus.png", {})
