"""Near duplicates are found, and nothing known in one part is met again in another."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from anamnesis.corpus.intake import categories_of, take_in
from anamnesis.corpus.preparing import prepare_corpus
from anamnesis.corpus.refusals import CorpusError
from anamnesis.corpus.scrutiny import bag_of_words_macro_f1, leakage, telling_words
from anamnesis.corpus.similarity import BANDS, Index, bands, jaccard, triples
from anamnesis.corpus.splitting import PARTS, groups_of, naive_split, split
from anamnesis.corpus.staging import Staging
from tests.exports import ROWS, jsonl, settings

WORDS = ("узел", "фон", "клетки", "группы", "коллоид", "ядра", "макрофаги", "кровь", "пласты", "борозды")


def index_of(texts: list[str]) -> Index:
    index = Index()
    for text in texts:
        index.add(triples(text), bands(triples(text)))
    return index


def random_text(random: np.random.Generator, words: int = 60) -> str:
    return " ".join(f"{random.choice(WORDS)}{random.integers(50)}" for _ in range(words))


def with_changes(text: str, changes: int, random: np.random.Generator) -> str:
    words = text.split()
    for place in random.choice(len(words), changes, replace=False):
        words[place] = f"другое{random.integers(10**6)}"
    return " ".join(words)


# ---- Similarity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [
        ("а б в г", "а б в г", 1.0),
        ("А, Б — в; г.", "а б в г", 1.0),
        ("а б в г", "а б в д", 1 / 3),
        ("а б в", "г д е", 0.0),
        ("ёж", "еж", 1.0),
        ("а б", "а б", 1.0),
        ("а б", "а в", 0.0),
    ],
)
def test_similarity_is_the_share_of_common_word_triples(one: str, other: str, similarity: float) -> None:
    assert jaccard(triples(one), triples(other)) == pytest.approx(similarity)


@given(st.text())
def test_every_text_is_wholly_similar_to_itself(text: str) -> None:
    assert jaccard(triples(text), triples(text)) == 1
    assert len(bands(triples(text))) == BANDS


def test_near_duplicates_are_found_and_others_are_not() -> None:
    """Of 100 pairs one word apart (similarity 0.9) and 100 pairs of 10 words apart, against all pairs by hand."""
    random = np.random.default_rng(0)
    texts = []
    for changes in [1] * 100 + [10] * 100:
        texts.append(random_text(random))
        texts.append(with_changes(texts[-1], changes, random))
    index = index_of(texts)
    clusters = index.clusters(0.8)
    pairs = [(a, b) for a, b in combinations(range(len(texts)), 2) if clusters[a] == clusters[b]]
    exact = [
        (a, b) for a, b in combinations(range(len(texts)), 2) if jaccard(index.triples(a), index.triples(b)) >= 0.8
    ]
    assert pairs == exact
    assert len(pairs) == 100


def test_a_chain_of_near_duplicates_is_one_cluster() -> None:
    random = np.random.default_rng(1)
    chain = [random_text(random)]
    for _ in range(9):
        chain.append(with_changes(chain[-1], 1, random))
    assert len(set(index_of(chain).clusters(0.8))) == 1
    assert jaccard(triples(chain[0]), triples(chain[-1])) < 0.8


def test_a_report_links_every_cluster_that_it_is_near() -> None:
    """Of three texts the first two are too far apart, and the third is near both."""
    random = np.random.default_rng(3)
    for _ in range(30):
        middle = random_text(random)
        first, second = (" ".join([*words[:2], *words[2:]]) for words in ([f"а{middle}".split(), f"{middle}я".split()]))
        changed_first = with_changes(first, 1, random)
        clusters = index_of([changed_first, second, middle]).clusters(0.8)
        near = [jaccard(triples(one), triples(middle)) >= 0.8 for one in (changed_first, second)]
        assert [clusters[0] == clusters[2], clusters[1] == clusters[2]] == near


def test_the_same_words_are_one_cluster_behind_any_number_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anamnesis.corpus.similarity.LEADERS", 0)
    assert list(index_of(["а б в г", "д е ж з", "А б, в г."]).clusters(0.8)) == [0, 1, 0]


def test_the_nearest_report_is_found_exactly() -> None:
    random = np.random.default_rng(2)
    texts = [random_text(random, 12) for _ in range(60)]
    index = index_of(texts)
    held_out, others = np.arange(20), np.arange(20, 60)
    expected = [max(jaccard(index.triples(a), index.triples(b)) for b in others) for a in held_out]
    assert index.nearest(held_out, others) == pytest.approx(expected)


# ---- The split -----------------------------------------------------------------------------------------------------

SMALL = st.integers(0, 30)


@given(st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=60))
def test_groups_are_the_chains_of_patients_and_clusters(of: list[tuple[int, int]]) -> None:
    patients, clusters = np.array(of).T
    clusters = np.minimum(clusters, len(of) - 1)
    groups = groups_of(patients.astype(np.int64), clusters.astype(np.int64))
    # By hand: names are passed on along shared patients and clusters until nothing changes.
    names = list(range(len(of)))
    for _ in of:
        for a, b in combinations(range(len(of)), 2):
            if patients[a] == patients[b] or clusters[a] == clusters[b]:
                names[a] = names[b] = min(names[a], names[b])
    assert [groups[a] == groups[b] for a, b in combinations(range(len(of)), 2)] == [
        names[a] == names[b] for a, b in combinations(range(len(of)), 2)
    ]


@hypothesis_settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 2)), min_size=60, max_size=200), st.integers(0, 3))
def test_parts_are_disjoint_and_whole_and_divide_no_group(of: list[tuple[int, int]], seed: int) -> None:
    groups = np.unique([group for group, _ in of], return_inverse=True)[1]
    categories = np.array([category for _, category in of], dtype=np.int16)
    try:
        parts = split(groups, categories, 0.1, 0.2, seed)
    except CorpusError:
        return
    assert tuple(parts) == PARTS
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(of)))
    for one, other in combinations(parts.values(), 2):
        assert not set(groups[one]) & set(groups[other])
    again = split(groups, categories, 0.1, 0.2, seed)
    assert all(np.array_equal(parts[name], again[name]) for name in PARTS)


def test_shares_and_categories_are_as_asked() -> None:
    groups = np.arange(2000) // 2
    categories = np.random.default_rng(0).choice(3, 2000, p=[0.1, 0.7, 0.2]).astype(np.int16)
    parts = split(groups, categories, 0.1, 0.2, seed=0)
    assert [len(part) for part in parts.values()] == pytest.approx([1400, 200, 400], rel=0.03)
    for part in parts.values():
        assert np.bincount(categories[part]) / len(part) == pytest.approx([0.1, 0.7, 0.2], abs=0.03)


def test_a_group_that_would_fill_a_part_is_trained_on() -> None:
    groups = np.array([0] * 100 + list(range(1, 201)))
    parts = split(groups, np.zeros(300, dtype=np.int16), 0.1, 0.2, seed=0)
    assert set(range(100)) <= set(parts["train"])
    assert len(parts["test"]) == pytest.approx(60, abs=10)


@pytest.mark.parametrize("groups", [np.zeros(60, dtype=np.int64), np.arange(60) % 2, np.array([0, 1, 2])])
def test_too_few_groups_are_refused(groups: np.ndarray) -> None:
    with pytest.raises(CorpusError, match=r"too few for corpus\.validation_share"):
        split(groups, np.zeros(len(groups), dtype=np.int16), 0.1, 0.2, seed=0)


# ---- A whole corpus ------------------------------------------------------------------------------------------------


def staged(tmp_path: Path, rows: list[dict[str, Any]], **changes: Any) -> tuple[Staging, Any]:
    staging = Staging(tmp_path / "staging.jsonl")
    take_in(settings(jsonl(tmp_path / "corpus.jsonl", rows), **changes), staging, tmp_path / "quarantine.jsonl")
    return staging, settings(tmp_path / "corpus.jsonl", **changes)


def test_one_patient_in_all_rows_is_refused(tmp_path: Path) -> None:
    rows = [{**row, "Пациент": "п1"} for row in ROWS]
    with pytest.raises(CorpusError, match=r"0 groups of reports .* check corpus\.columns\.patient\.$"):
        prepare_corpus(settings(jsonl(tmp_path / "corpus.jsonl", rows)), tmp_path / "out", tmp_path / "q.jsonl")


def test_one_category_alone_is_refused(tmp_path: Path) -> None:
    staging, corpus = staged(tmp_path, [{**row, "Категория": "II"} for row in ROWS])
    with pytest.raises(CorpusError, match=r"all usable reports .* have one category"):
        categories_of(corpus, staging)


def test_categories_can_be_taken_from_the_corpus(tmp_path: Path) -> None:
    rows = [{**row, "Категория": f"K{i % 5}"} for i, row in enumerate(ROWS)]
    staging, corpus = staged(tmp_path, rows, category_system="verbatim", categories=None, critical_categories=["K1"])
    assert categories_of(corpus, staging) == ["K0", "K1", "K2", "K3", "K4"]
    unknown = settings(tmp_path, category_system="verbatim", categories=None, critical_categories=["K9"])
    with pytest.raises(CorpusError, match=r"critical_categories names \['K9'\]"):
        categories_of(unknown, staging)


def test_a_column_of_names_is_not_taken_for_categories(tmp_path: Path) -> None:
    rows = [{**row, "Категория": f"Канарейкина {i // 3}"} for i, row in enumerate(ROWS)]
    changes: dict[str, Any] = {"category_system": "verbatim", "categories": None, "critical_categories": []}
    staging, corpus = staged(tmp_path, rows, **changes)
    with pytest.raises(CorpusError, match="like names") as caught:
        categories_of(corpus, staging)
    assert "Канарейкина" not in str(caught.value)


def test_too_many_categories_stop_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anamnesis.corpus.staging.MOST_CATEGORIES", 10)
    rows = [{**row, "Категория": f"K{i}"} for i, row in enumerate(ROWS)]
    with pytest.raises(CorpusError, match="more than 10 categories"):
        staged(tmp_path, rows, category_system="verbatim", categories=None, critical_categories=[])


def test_a_report_is_kept_once_whoever_it_is_said_to_be_of(tmp_path: Path) -> None:
    staging, _ = staged(tmp_path, [*ROWS, {**ROWS[0], "Пациент": "другой"}])
    assert len(staging) == 60


def test_a_random_split_leaks_what_ours_does_not(tmp_path: Path) -> None:
    """Every description stands in the export five times with one word changed, under five names of patients."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(60):
        text = random_text(random)
        for copy in range(5):
            words = with_changes(text, 1, random)
            rows.append({**ROWS[number], "Описание": words, "Пациент": f"{number} {copy}"})
    staging, _ = staged(tmp_path, rows)
    groups = groups_of(staging.patients, staging.index.clusters(0.8))
    parts = split(groups, staging.category_numbers, 0.1, 0.2, seed=0)
    naive = naive_split(len(staging), {name: len(part) for name, part in parts.items()}, seed=0)
    ours, theirs = leakage(staging.index, parts, 0.8), leakage(staging.index, naive, 0.8)
    assert ours.above == 0
    assert ours.highest < 0.8
    assert theirs.above > 0.5
    assert sum(ours.histogram) == ours.compared == len(parts["test"])


def test_lines_come_back_in_any_order(tmp_path: Path) -> None:
    staging, _ = staged(tmp_path, ROWS)
    order = [5, 0, 59]
    assert [json.loads(line)["report"] for line in staging.lines(order)] == [6, 1, 60]


def test_several_processes_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{**row, "Описание": f"{row['Описание']} {i}", "Пациент": f"{i}"} for i, row in enumerate(ROWS * 30)]
    alone, _ = staged(tmp_path, rows)
    monkeypatch.setattr("anamnesis.corpus.intake.LARGE_BYTES", 0)
    (tmp_path / "two").mkdir()
    together, _ = staged(tmp_path / "two", rows)
    everything = range(len(rows))
    assert list(alone.lines(everything)) == list(together.lines(everything))
    assert np.array_equal(alone.index.clusters(0.8), together.index.clusters(0.8))


# ---- Shortcuts -----------------------------------------------------------------------------------------------------


def test_a_word_that_gives_the_category_away_is_counted() -> None:
    texts = [(f"фон {i} {'метка' if i % 2 else 'узел'}", "A" if i % 2 else "B") for i in range(100)]
    assert telling_words(texts) == ["метка", "узел"]
    assert bag_of_words_macro_f1(texts[:60], texts[60:]) == 1
    mixed = [(f"фон {i % 7}", "AB"[i % 2]) for i in range(100)]
    assert telling_words(mixed) == []
    assert bag_of_words_macro_f1(mixed[:60], mixed[60:]) < 0.8
