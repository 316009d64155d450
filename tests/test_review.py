"""The sample that a person reads: its size, its page, and the record that belongs to one corpus and its rules."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from scipy.stats import binom

from anamnesis.corpus.intake import take_in
from anamnesis.corpus.preparing import prepare_corpus
from anamnesis.corpus.review import Review, read_review, rows_needed, summary, upper_bound, write_review
from anamnesis.corpus.review_page import draw, marked, page
from anamnesis.corpus.staging import Staging
from anamnesis.errors import InputError
from anamnesis.settings.corpus import Corpus
from tests.exports import ROWS, SECRET, csv, jsonl, settings
from tests.project import Project
from tests.test_corpus_stage import COLUMNS

# ---- Statistics ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("leaks", "read"), [(0, 1), (0, 299), (1, 300), (7, 40), (39, 40)])
def test_the_bound_is_the_share_at_which_so_few_leaks_have_a_chance_of_five_in_a_hundred(leaks: int, read: int) -> None:
    assert binom.cdf(leaks, read, upper_bound(leaks, read)) == pytest.approx(0.05)


def test_leaks_in_all_reports_bound_nothing() -> None:
    assert upper_bound(5, 5) == 1.0


@pytest.mark.parametrize(
    ("per_thousand", "leaks", "rows"),
    [(10, 0, 299), (10, 1, 473), (10, 2, 628), (1, 0, 2995), (20, 0, 149), (500, 0, 5)],
)
def test_rows_needed_are_the_smallest_number(per_thousand: float, leaks: int, rows: int) -> None:
    share = per_thousand / 1000
    assert rows_needed(share, leaks) == rows
    assert upper_bound(leaks, rows) <= share < upper_bound(leaks, rows - 1)


def test_a_sample_that_nobody_can_read_is_refused() -> None:
    with pytest.raises(InputError, match=r"PER_THOUSAND=0\.001 needs more than 100000 rows"):
        rows_needed(1e-6)


def test_the_outcome_in_words() -> None:
    assert summary(None) == "Nobody has read a sample of these reports (`make sample`)."
    assert summary(Review("f", 27_000, 299, 0)) == (
        "A person read 299 of 27000 reports, chosen at random, after de-identification. None has an identifier left. "
        "With 95 % confidence, at most 10.0 reports in 1,000 have one."
    )
    assert "1 has an identifier left. With 95 % confidence, at most 15.7 reports" in summary(Review("f", 999, 300, 1))
    assert summary(Review("f", 40, 40, 2)).endswith("2 have an identifier left. These are all reports.")


def test_a_record_belongs_to_one_corpus(tmp_path: Path) -> None:
    review = Review("abc", 400, 300, 1)
    write_review(tmp_path, review)
    assert read_review(tmp_path, "abc") == review
    assert read_review(tmp_path, "abd") is None


# ---- The fingerprint -----------------------------------------------------------------------------------------------


def corpus(folder: Path, text: str = "", **changes: object) -> Corpus:
    rows = [{**row, "Описание": f"{row['Описание']} Пациент {SECRET} И.{text}"} for row in ROWS]
    one = settings(jsonl(folder / "corpus.jsonl", rows), boilerplate_share=None, near_duplicate_similarity=1.0)
    return replace(one, deidentification=replace(one.deidentification, enabled=True), **changes)  # type: ignore[arg-type]


def fingerprint(of: Corpus, folder: Path) -> str:
    with Staging(folder / "staging.jsonl") as staging:
        return take_in(of, staging, folder / "quarantine.jsonl").fingerprint


def test_the_fingerprint_changes_with_the_export_and_the_rules_and_not_with_the_split(tmp_path: Path) -> None:
    first = fingerprint(corpus(tmp_path), tmp_path)
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert fingerprint(corpus(tmp_path, seed=5, test_share=0.3), tmp_path) == first
    assert fingerprint(corpus(tmp_path, text=" Ещё."), tmp_path) != first
    plain = corpus(tmp_path)
    without = replace(plain, deidentification=replace(plain.deidentification, enabled=False))
    assert fingerprint(without, tmp_path) != first


# ---- The page ------------------------------------------------------------------------------------------------------


def test_what_changes_is_marked_on_both_sides_and_escaped() -> None:
    before, after = marked("Врач <b>Иванов И.И.</b> & узел 3 мм.", "Врач <b>[ВРАЧ]</b> & узел 3 мм.")
    assert before == "Врач &lt;b&gt;<mark>Иванов И.И.</mark>&lt;/b&gt; &amp; узел 3 мм."
    assert after == "Врач &lt;b&gt;<mark>[ВРАЧ]</mark>&lt;/b&gt; &amp; узел 3 мм."


def test_equal_texts_have_no_mark() -> None:
    assert marked("Узел  3 мм.", "Узел  3 мм.") == ("Узел  3 мм.", "Узел  3 мм.")


@pytest.mark.parametrize(
    ("old", "new", "marks"),
    [
        (
            "Тел. 5-55 и ул. Мира, узел",
            "Тел. [ТЕЛЕФОН] и [АДРЕС], узел",
            (["5-55", "ул. Мира"], ["[ТЕЛЕФОН]", "[АДРЕС]"]),
        ),
        ("Осмотр 01.02.2020.", "Осмотр 11.05.2020.", (["01", "02"], ["11", "05"])),
        ("Узел. Шаблон больницы.", "Узел.", (["Шаблон больницы."], [])),
    ],
)
def test_marks_are_where_the_texts_differ(old: str, new: str, marks: tuple[list[str], list[str]]) -> None:
    found = tuple(re.findall(r"<mark>(.*?)</mark>", text) for text in marked(old, new))
    assert found == marks


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_is_one_file_without_scripts_that_loads_nothing(tmp_path: Path) -> None:
    hostile = " <script>alert(1)</script> &lt;img src=x onerror=alert(1)&gt; </p><a href='http://x.ru'>x</a>"
    one = corpus(tmp_path, text=hostile)
    numbers = prepare_corpus(one, tmp_path / "parts", tmp_path / "quarantine.jsonl").numbers
    parts = [tmp_path / "parts" / f"{part}.jsonl" for part in ("train", "validation", "test")]
    pairs = draw(one, parts, 10, numbers["fingerprint"])
    html = page(pairs, 60)
    tags = Tags()
    tags.feed(html)
    known = "html head meta title style body h1 p strong em table tr th td article label input div mark hr code span"
    assert {tag for tag, _ in tags.tags} == set(known.split())
    assert not [attrs for _, attrs in tags.tags if attrs.keys() & {"src", "href", "onerror", "style", "srcset"}]
    (style,) = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in html
    assert sum(tag == "article" for tag, _ in tags.tags) == len(pairs) == 10
    # The name is on the left and not on the right.
    for article in re.findall(r"<article>(.*?)</article>", html, flags=re.DOTALL):
        left, right = article.split('<div class="after">')
        assert f"<mark>Пациент {SECRET} И.</mark>" in left or f"<mark>{SECRET} И.</mark>" in left
        assert f"Пациент {SECRET}" not in right
        assert "<mark>[ИМЯ]</mark>" in right


def test_the_sample_is_of_the_prepared_reports_and_new_with_new_rules(tmp_path: Path) -> None:
    one = corpus(tmp_path)
    prepare_corpus(one, tmp_path / "parts", tmp_path / "quarantine.jsonl")
    parts = [tmp_path / "parts" / f"{part}.jsonl" for part in ("train", "validation", "test")]
    after = {row["report"]: row for part in parts for row in map(json.loads, part.open(encoding="utf-8"))}
    pairs = draw(one, parts, 20, "a")
    assert len({pair.number for pair in pairs}) == 20
    for pair in pairs:
        assert pair.description == after[pair.number]["description"]
        assert pair.before.description.startswith(f"Узел {pair.number - 1} мм;")
    assert [pair.number for pair in draw(one, parts, 20, "a")] == [pair.number for pair in pairs]
    assert [pair.number for pair in draw(one, parts, 20, "b")] != [pair.number for pair in pairs]
    assert len(draw(one, parts, 1000, "a")) == len(after) == 60


def test_another_export_than_the_prepared_one_is_refused(tmp_path: Path) -> None:
    one = corpus(tmp_path)
    prepare_corpus(one, tmp_path / "parts", tmp_path / "quarantine.jsonl")
    jsonl(tmp_path / "corpus.jsonl", ROWS[:30])
    parts = [tmp_path / "parts" / f"{part}.jsonl" for part in ("train", "validation", "test")]
    with pytest.raises(InputError, match="is not the export that the reports in data/prepared were made from"):
        draw(one, parts, 60, "a")


# ---- The command ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"))
    (project.folder / "data/raw").mkdir(parents=True)
    rows = [{**row, "Описание": f"{row['Описание']} Пациент {SECRET} И.И."} for row in ROWS]
    (project.folder / "data/raw/export.csv").write_text(csv(rows), encoding="utf-8")
    project.change("params.yaml", {"corpus.path": "data/raw/export.csv", **COLUMNS})
    return project


def card(project: Project) -> str:
    return (project.folder / "reports/corpus.md").read_text(encoding="utf-8")


def test_a_sample_is_drawn_read_recorded_and_shown_until_the_rules_change(project: Project) -> None:
    sample = ("python", "-m", "commands.sample")
    assert "run `dvc repro corpus` first" in project.run(*sample, fails=True)
    project.run("dvc", "repro", "corpus")
    assert "Nobody has read a sample of these reports" in card(project)
    record = (*sample, "--read", "40", "--leaks", "0")
    assert "no sample of these reports was drawn" in project.run(*record, fails=True)

    said = project.run(*sample, "--per-thousand", "60")
    assert "data/sample/page.html: 49 of 60 reports, before and after." in said
    assert "at most 59.3 reports in 1,000 have one" in said
    html = (project.folder / "data/sample/page.html").read_text(encoding="utf-8")
    assert html.count("<article>") == 49
    assert SECRET in html
    assert SECRET not in said

    assert "READ=50 is more than the 49 reports" in project.run(*sample, "--read", "50", "--leaks", "0", fails=True)
    assert "LEAKS=5 is more than READ=4" in project.run(*sample, "--read", "4", "--leaks", "5", fails=True)
    assert "give READ and LEAKS together" in project.run(*sample, "--read", "4", fails=True)
    bound = "A person read 40 of 60 reports, chosen at random, after de-identification. None has an identifier left. "
    bound += "With 95 % confidence, at most 72.2 reports in 1,000 have one."
    assert bound in project.run(*record)

    # The record makes no other stage stale: the reports are the same.
    output = project.run("dvc", "repro", "corpus")
    assert "Running stage 'corpus'" in output
    assert bound in card(project)
    assert project.run("git", "status", "--short", "data") == ""

    project.change("params.yaml", {"corpus.deidentification.enabled": False})
    assert "the reports are of another export, code or parameters" in project.run(*sample, fails=True)
    project.run("dvc", "repro", "corpus")
    assert "Nobody has read a sample of these reports" in card(project)


def test_make_passes_the_numbers_on(project: Project) -> None:
    command = ("make", "--dry-run", "sample", "LEAKS=0", "READ=299", "PER_THOUSAND=5")
    assert 'commands.sample --per-thousand "$PER_THOUSAND" --read "$READ" --leaks "$LEAKS"' in project.run(*command)
