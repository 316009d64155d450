"""Near duplicates are found, and nothing of one part of the split occurs in another."""

import json
from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from anamnesis.corpus.intake import Account, categories_of, take_in
from anamnesis.corpus.preparing import Prepared, prepare_corpus
from anamnesis.corpus.refusals import CorpusError
from anamnesis.corpus.scrutiny import bag_of_words_macro_f1, leakage, telling_words
from anamnesis.corpus.similarity import BANDS, Index, bands, jaccard, triples
from anamnesis.corpus.splitting import PARTS, groups_of, naive_split, split
from anamnesis.corpus.staging import Staging
from tests.exports import CATEGORIES, ROWS, jsonl, settings, taken

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
    """100 pairs differ in one word (similarity 0.9) and 100 in ten; the result is compared with an exact search."""
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
    """Of three texts, the first two are not similar enough, but the third is similar to both."""
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
    # An independent method: the lowest name spreads along shared patients and clusters until nothing changes.
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


PATIENTS, VISITS, PAIRS = 300, 3, 60


def sorted_export() -> list[dict[str, Any]]:
    """Sorted by category and patient: 300 patients with three reports each and two spellings of the name. The first
    report of each of the first 60 patients has a near duplicate of one of the last 60 patients."""
    random = np.random.default_rng(4)
    rows = [
        {
            "Пациент": f"Иванова А.Б. {patient}" if visit else f"ИВАНОВА А. Б. {patient}",
            "Описание": random_text(random),
            "Заключение": f"Картина узла {patient} {visit}.",
            "Категория": CATEGORIES[patient // 60],
        }
        for patient in range(PATIENTS)
        for visit in range(VISITS)
    ]
    for pair in range(PAIRS):
        one, other = rows[VISITS * pair], rows[-1 - VISITS * pair]
        other["Описание"] = with_changes(one["Описание"], 1, random)
    return rows


Parts = dict[str, list[dict[str, Any]]]
Written = tuple[Parts, Prepared]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The written parts and the numbers of a sorted export."""
    return prepared_from(sorted_export(), tmp_path_factory.mktemp("sorted"))


def prepared_from(rows: list[dict[str, Any]], folder: Path, **changes: Any) -> Written:
    export = jsonl(folder / "corpus.jsonl", rows)
    prepared = prepare_corpus(settings(export, **changes), folder / "out", folder / "quarantine.jsonl")
    parts = {}
    for name in PARTS:
        lines = (folder / "out" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        parts[name] = [json.loads(line) for line in lines]
    return parts, prepared


def part_of_each(parts: Parts) -> list[str]:
    """The part of every row, in the order of the export."""
    of = {report["report"]: name for name, part in parts.items() for report in part}
    return [of[number] for number in sorted(of)]


def test_a_report_is_written_as_it_is_in_the_export(written: Written) -> None:
    rows = sorted_export()
    reports = [report for part in written[0].values() for report in part]
    assert sorted(report["report"] for report in reports) == list(range(1, len(rows) + 1))
    for report in reports:
        row = rows[report["report"] - 1]
        assert (report["description"], report["conclusion"], report["category"]) == (
            row["Описание"],
            row["Заключение"],
            row["Категория"],
        )


def test_no_patient_is_in_two_parts(written: Written) -> None:
    parts = part_of_each(written[0])
    assert all(len(set(parts[VISITS * patient :][:VISITS])) == 1 for patient in range(PATIENTS))
    assert written[1].numbers["patients"] == PATIENTS


def test_no_near_duplicates_are_in_two_parts(written: Written) -> None:
    """The patients of a pair differ: only the texts keep it together."""
    parts = part_of_each(written[0])
    assert [parts[VISITS * pair] for pair in range(PAIRS)] == [parts[-1 - VISITS * pair] for pair in range(PAIRS)]
    assert {parts[VISITS * pair] for pair in range(PAIRS)} == set(PARTS)
    assert written[1].numbers["near_duplicates"] == {"similarity": 0.8, "reports": 2 * PAIRS, "clusters": PAIRS}
    leakage_of = written[1].numbers["leakage"]
    assert leakage_of["split"]["above"] == 0 < leakage_of["naive"]["above"]


def test_the_first_reports_of_a_part_are_a_random_sample_of_it(written: Written) -> None:
    """A limit in the evaluation takes the first reports of a part. They must have the categories of the whole part,
    come from the whole export, and not belong to just a few patients, even if the export is sorted."""
    for part in written[0].values():
        first = part[: len(part) // 3]
        for category in CATEGORIES[:5]:
            share, expected = (
                sum(report["category"] == category for report in reports) / len(reports) for reports in (first, part)
            )
            assert share == pytest.approx(expected, abs=0.12)
        rows = [report["report"] for report in part]
        assert abs(np.corrcoef(rows, np.arange(len(rows)))[0, 1]) < 0.25
        neighbours = sum(one["patient"] == other["patient"] for one, other in pairwise(part))
        assert neighbours < 0.1 * len(part)


def test_the_parts_have_their_shares_of_every_category(written: Written) -> None:
    parts, prepared = written
    for name, share in (("train", 0.7), ("validation", 0.1), ("test", 0.2)):
        assert len(parts[name]) == prepared.numbers[name] == pytest.approx(share * PATIENTS * VISITS, abs=9)
        counts = Counter(report["category"] for report in parts[name])
        assert counts == prepared.numbers["by_category"][name]
        assert [counts[category] for category in CATEGORIES[:5]] == pytest.approx([share * 180] * 5, abs=9)


def test_the_seed_decides_about_the_split(written: Written, tmp_path: Path) -> None:
    for seed, same in ((0, True), (1, False)):
        (tmp_path / str(seed)).mkdir()
        parts, _ = prepared_from(sorted_export(), tmp_path / str(seed), seed=seed)
        assert (parts == written[0]) == same
        assert (part_of_each(parts) == part_of_each(written[0])) == same


@pytest.mark.parametrize("change", [lambda part: part[1:], lambda part: np.append(part, part[0])])
def test_a_row_lost_or_doubled_stops_the_stage_before_anything_is_written(
    change: Callable[[np.ndarray], np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(*arguments: Any) -> dict[str, np.ndarray]:
        parts = split(*arguments)
        return {**parts, "test": change(parts["test"])}

    monkeypatch.setattr("anamnesis.corpus.preparing.split", careless)
    with pytest.raises(RuntimeError, match="rows are lost or doubled"):
        prepared_from(ROWS, tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_every_place_of_a_row_counts_once_in_the_account() -> None:
    account = Account(rows_in=10, duplicates=2, refused=Counter(not_json=2, formula=1))
    account.check([3, 1, 1])
    for parts in ([3, 1], [3, 1, 2], [3, 1, 1, 2], [3, 1, 1, 3]):
        with pytest.raises(RuntimeError, match="rows are lost or doubled"):
            account.check(parts)


def test_a_duplicate_is_neither_refused_nor_too_much(tmp_path: Path) -> None:
    got = taken(settings(jsonl(tmp_path / "corpus.jsonl", ROWS * 2), max_refused_share=0.0), tmp_path / "scratch")
    assert (got.account.rows_in, got.account.duplicates, got.account.quarantined) == (120, 60, 0)
    assert got.refused == []
    assert len(got.reports) == 60


def test_the_largest_share_of_refused_rows_is_still_accepted(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "corpus.jsonl", [*ROWS, *[{**ROWS[0], "Категория": "VII"}] * 20])
    assert taken(settings(path, max_refused_share=0.25), tmp_path / "scratch").account.quarantined == 20
    with pytest.raises(CorpusError, match=r"^corpus\.max_refused_share: 20 of 80 rows"):
        taken(settings(path, max_refused_share=0.24), tmp_path / "scratch")


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
    """Every description occurs five times, each with one word changed and for a different patient."""
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
    monkeypatch.setattr("anamnesis.corpus.intake.BEGINNING", 700)
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
