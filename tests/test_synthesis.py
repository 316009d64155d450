"""The synthetic corpus: reproducible, clinically consistent, and neither trivial nor hopeless to classify."""

import hashlib
import os
import random
import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from anamnesis.corpus.scrutiny import bag_of_words_macro_f1, telling_words
from anamnesis.corpus.similarity import Index, bands, triples
from anamnesis.errors import InputError
from anamnesis.settings.synthesis import Synthesis
from anamnesis.synthesis import reports, synthesize
from anamnesis.synthesis.tables import FOLDER, load_tables
from anamnesis.synthesis.wording import plural, say

Rows = list[dict[str, str]]

SETTINGS = Synthesis(
    reports=4000,
    seed=7,
    class_shares={"I": 0.102, "II": 0.681, "III": 0.051, "IV": 0.100, "V": 0.031, "VI": 0.035},
    hard_case_share=0.15,
    standard_share=0.9,
    typo_rate=0.01,
)
CATEGORIES = list(SETTINGS.class_shares)

# Words that would give away the category, or the diagnosis behind it, in a description.
LEAK = re.compile(
    r"bethesda|бетесд|бетезд|\brак|карцин|доброкач|злокач|атипи|подозр|неоплаз|опухол|аденом|метаст|тиреоидит|"
    r"лимфом|\bзоб|неинформ|медулляр|анаплаз|анапласт|неопредел|категори|\b[ivхx]+\b",
    re.IGNORECASE,
)
# The word by which each conclusion is recognized: it must occur in its own category and in no other.
# Category VI has none of them but names a malignancy outright; V names one too, as a suspicion.
VERDICTS = {
    "I": re.compile(r"неинформатив", re.IGNORECASE),
    "II": re.compile(r"доброкачествен", re.IGNORECASE),
    "III": re.compile(r"неопредел[её]нного значения", re.IGNORECASE),
    "IV": re.compile(r"фолликулярн\w+ (неоплази|опухол)", re.IGNORECASE),
    "V": re.compile(r"подозр", re.IGNORECASE),
}
MALIGNANT = re.compile(r"злокачествен|рак\b|рака\b|раку\b|карцином|лимфом|метастаз", re.IGNORECASE)
# A diagnosis or remark in a conclusion, and what the description must then have mentioned.
GROUNDS = {
    r"лимфоцитарн\w+ тиреоидит": r"лимф",
    r"(подостр|гранулематозн)\w+ тиреоидит": r"эпителиоидн",
    r"кист": r"макрофаг|сидерофаг",
    r"онкоцит|оксифильн": r"онкоцит|Гюртле",
    r"лимфом|лимфоидн": r"лимф",
    r"микрофолликул": r"микрофолликул",
    r"медуллярн": r"соли с перцем|крапчат|зернист",
    r"папиллярн\w+ (рак|карцином)": r"бледн|просветл|порошковид|пылевид|овальн|нежный",
    r"анапластическ|недифференц": r"полиморф|гиперхром|причудлив|груб|неровными контурами",
    r"метастаз": r"слиз",
    r"артефакт|сохранност": r"артефакт|раздавлен|деформир|пересуш|сохранность|раздавливан|высыхан|фиксация",
    r"примесь крови": r"кров|эритроцит|геморраг",
    r"псаммом": r"псаммом|известков",
    r"[оО]тмечен амилоид|внимание амилоид": r"амилоид",
}


def _patients_split(rows: Rows) -> tuple[Rows, Rows]:
    patients = sorted({row["patient_id"] for row in rows})
    random.Random(0).shuffle(patients)
    train = set(patients[: int(0.7 * len(patients))])
    return [r for r in rows if r["patient_id"] in train], [r for r in rows if r["patient_id"] not in train]


def _texts(rows: Rows) -> list[tuple[str, str]]:
    return [(row["description"], row["category"]) for row in rows]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@pytest.fixture(scope="module")
def rows() -> Rows:
    return synthesize(SETTINGS)


@pytest.fixture(scope="module")
def clean_rows() -> Rows:
    """Without typos, so that the words of a description can be searched."""
    return synthesize(replace(SETTINGS, typo_rate=0.0))


# --- the frame ---


def test_same_seed_same_rows_other_seed_other_rows(rows: Rows) -> None:
    assert synthesize(SETTINGS) == rows
    other = synthesize(replace(SETTINGS, seed=8))
    assert len({row["description"] for row in rows} & {row["description"] for row in other}) < 0.01 * len(rows)


def test_rows_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import hashlib; from types import SimpleNamespace; "
        "from anamnesis.synthesis import synthesize; "
        "rows = synthesize(SimpleNamespace(reports=200, seed=1, hard_case_share=0.2, typo_rate=0.05, "
        "standard_share=0.5, "
        "class_shares={'I': 0.5, 'VI': 0.5})); print(hashlib.sha256(repr(rows).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_class_counts_are_the_shares(rows: Rows) -> None:
    assert Counter(row["category"] for row in rows) == {
        "I": 408,
        "II": 2724,
        "III": 204,
        "IV": 400,
        "V": 124,
        "VI": 140,
    }


@pytest.mark.parametrize("reports", [6, 7, 20, 101])
def test_small_corpora_keep_every_category(reports: int) -> None:
    counts = Counter(row["category"] for row in synthesize(replace(SETTINGS, reports=reports)))
    assert sum(counts.values()) == reports
    assert sorted(counts) == CATEGORIES


def test_remainders_go_to_the_largest() -> None:
    shares = {"I": 0.26, "II": 0.27, "III": 0.47, "IV": 0.0, "V": 0.0, "VI": 0.0}
    rows = synthesize(replace(SETTINGS, reports=10, class_shares=shares))
    assert Counter(row["category"] for row in rows) == {"I": 2, "II": 3, "III": 5}


def test_patients_have_one_to_four_reports_of_differing_categories(rows: Rows) -> None:
    by_patient: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_patient[row["patient_id"]].append(row["category"])
    sizes = Counter(map(len, by_patient.values()))
    assert sorted(sizes) == [1, 2, 3, 4]
    # Reports are in random order: sorted by category, hardly any patient would have two categories.
    several = [set(categories) for categories in by_patient.values() if len(categories) > 1]
    assert sum(len(categories) > 1 for categories in several) > 0.4 * len(several)
    assert len({row["report_id"] for row in rows}) == len(rows)


def test_typo_rate_is_the_share_of_changed_words(clean_rows: Rows) -> None:
    rate = 0.1
    changed = total = 0
    for clean, typed in zip(clean_rows, synthesize(replace(SETTINGS, typo_rate=rate)), strict=True):
        assert clean["conclusion"] == typed["conclusion"]
        before, after = clean["description"].split(), typed["description"].split()
        changed += sum(a != b for a, b in zip(before, after, strict=True))
        total += len(before)
    assert changed / total == pytest.approx(rate, rel=0.1)


# --- the text ---


def test_lengths_and_shape_of_the_texts(rows: Rows) -> None:
    lengths = [len(row["description"].split()) for row in rows]
    assert min(lengths) >= 20
    assert max(lengths) <= 65
    assert 35 <= statistics.median(lengths) <= 50
    for row in rows:
        assert 4 <= len(row["conclusion"].split()) <= 25
        for text in (row["description"], row["conclusion"]):
            assert not re.search(r"[\n\t{}\[\]|]|  |\.\.| [,.;:]", text), text
            assert text[0] == text[0].upper()
            assert text[-1] == "."


def test_length_hardly_tells_the_category(rows: Rows) -> None:
    medians = [
        statistics.median(len(row["description"].split()) for row in rows if row["category"] == category)
        for category in CATEGORIES
    ]
    assert max(medians) - min(medians) <= 8


def test_descriptions_never_name_the_category(rows: Rows) -> None:
    leaks = [row["description"] for row in rows if LEAK.search(row["description"])]
    assert leaks == []


def test_conclusions_name_the_diagnosis_but_not_the_category(rows: Rows) -> None:
    for row in rows:
        assert not re.search(r"bethesda|бетесд|бетезд|\b[IVX]+\b", row["conclusion"], re.IGNORECASE)


def test_every_conclusion_has_the_verdict_of_its_category_alone(rows: Rows) -> None:
    for row in rows:
        category, conclusion = row["category"], row["conclusion"]
        verdicts = [name for name, verdict in VERDICTS.items() if verdict.search(conclusion)]
        assert verdicts == ([] if category == "VI" else [category]), row
        assert bool(MALIGNANT.search(conclusion)) == (category in ("V", "VI")), row


def test_conclusions_rest_on_what_the_description_says(clean_rows: Rows) -> None:
    for row in clean_rows:
        for claim, ground in GROUNDS.items():
            if re.search(claim, row["conclusion"], re.IGNORECASE):
                assert re.search(ground, row["description"], re.IGNORECASE), (claim, row)


def test_only_nondiagnostic_aspirates_have_fewer_than_six_groups(clean_rows: Rows) -> None:
    """The adequacy criterion: six groups of ten cells."""
    counted = 0
    for row in clean_rows:
        stated = re.search(r"(\d+) групп|групп \w+(?: \w+)? равно (\d+)", row["description"])
        if stated:
            counted += 1
            number = int(stated.group(1) or stated.group(2))
            small = re.search(r"(?<!не )менее 10|по \d–\d клеток|нет 10|по \d сохранных", row["description"])
            assert (row["category"] == "I") == (number < 6 or bool(small)), row
    assert counted > 500


def test_definite_pseudoinclusions_separate_malignant_from_suspicious(clean_rows: Rows) -> None:
    definite = re.compile(
        r"(многочисленные|частые|единичные|отдельные|немногочисленные) "
        r"(внутриядерные|в/ядерные|ч[её]ткие|типичные) (псевдо)?включения|"
        r"(много|количество) ядер с псевдовключениями|псевдовключений (много|немного)",
        re.IGNORECASE,
    )
    found = Counter(row["category"] for row in clean_rows if definite.search(row["description"]))
    assert list(found) == ["VI"]
    assert found["VI"] > 30


def test_a_repeated_visit_punctures_the_same_place(clean_rows: Rows) -> None:
    site = re.compile(r"(?:(верхн|средн|нижн)\w+ (?:трети|полюс\w*) )?(?:(лев|пр)\w*\.? дол|перешейк)")
    same = {True: [0, 0], False: [0, 0]}
    for before, after in pairwise(clean_rows):
        if before["patient_id"] == after["patient_id"]:
            first, second = (site.search(row["description"]) for row in (before, after))
            assert first
            assert second
            tally = same[before["category"] in ("I", "III")]
            tally[0] += first.groups() == second.groups()
            tally[1] += 1
    assert same[True][0] / same[True][1] > 0.5
    assert same[False][0] / same[False][1] < 0.3


# --- the tables ---


def test_the_written_corpus_is_pinned() -> None:
    """The same reports for the same seed, on every machine: a change here changes the default corpus."""
    text = repr(synthesize(replace(SETTINGS, reports=300)))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "33518e9e852a1d6c"


def test_every_finding_and_conclusion_has_a_use_and_several_wordings() -> None:
    tables = load_tables()
    findings = tables.findings.findings
    used = {
        (aspect, it)
        for picture in tables.pictures.values()
        for aspect in picture.findings
        for it in picture.findings[aspect]
    }
    assert used == {(aspect, finding) for aspect in findings for finding in findings[aspect]}
    assert {(aspect, it) for aspect, of_aspect in tables.conclusions.remarks.items() for it in of_aspect} <= used
    assert set(tables.findings.group_counts) <= set(findings["клеточность"])
    headlines = tables.conclusions.headlines
    for wordings in [*(w for of_aspect in findings.values() for w in of_aspect.values()), *headlines.values()]:
        assert len(set(wordings)) >= 4


def test_every_choice_and_every_synonym_can_be_drawn() -> None:
    synonyms = {"мазках": ("мазках", "препаратах")}
    wordings = ("[клеток [мало|немного]|клетки в {мазках}]", "{число} клеток")
    rng = random.Random(0)
    said = {say(wordings, rng, synonyms, {"число": "5"}) for _ in range(200)}
    assert said == {"клеток мало", "клеток немного", "клетки в мазках", "клетки в препаратах", "5 клеток"}
    assert {say(wordings, rng, synonyms, standard_share=1.0) for _ in range(50)} == {"клеток мало"}


def _edited(folder: Path, table: str, old: str, new: str) -> Path:
    """A copy of all tables, with the first `old` in one of them replaced."""
    for path in FOLDER.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if path.name == table:
            assert old in text
            text = text.replace(old, new, 1)
        (folder / path.name).write_text(text, encoding="utf-8")
    return folder


MISTAKES = {
    "unknown aspect": (
        "pictures.yaml",
        "    коллоид:",
        "    колоид:",
        r"`колоид` is not defined; the closest name is `коллоид`",
    ),
    "unknown finding": (
        "pictures.yaml",
        "скудный: 0.4",
        "скудныи: 0.4",
        r"`мало клеток\.findings\.коллоид\.скудныи`: `скудныи` is not",
    ),
    "finding of another aspect": ("pictures.yaml", "скудный: 0.4", "пикноз: 0.4", r"`пикноз` is not defined"),
    "probability above 1": (
        "pictures.yaml",
        "плохая: 0.35",
        "плохая: 35",
        r"сохранность\.плохая`: 35 is wrong: input should be less than or equal to 1",
    ),
    "decimal comma": (
        "pictures.yaml",
        "плохая: 0.35",
        "плохая: 0,35",
        r"сохранность\.плохая`: 0,35 is not a number: write it as 0.35",
    ),
    "sum above 1": (
        "pictures.yaml",
        "скудный: 0.4",
        "скудный: 0.8",
        r"`мало клеток\.findings\.коллоид`: the probabilities must sum to 1 at most; they sum to 1\.15",
    ),
    "a silent picture": ("pictures.yaml", "2–4 группы: 0.75", "2–4 группы: 0.7", r"at least one aspect must sum to 1"),
    "shares of a category": (
        "pictures.yaml",
        "share: 0.45",
        "share: 0.4",
        r"мало клеток, только кровь, .* must sum to 1; they sum to 0\.95",
    ),
    "unknown category": ("pictures.yaml", "category: I\n", "category: VII\n", r"`мало клеток\.category`: VII is wrong"),
    "no hard picture": (
        "pictures.yaml",
        "category: III\n  hard: true",
        "category: IV\n  hard: true",
        r"category III has no hard picture",
    ),
    "unknown key": ("pictures.yaml", "  hard: true", "  hardness: true", r"hardness`: this key is not known"),
    "missing key": ("pictures.yaml", "  share: 0.45\n", "", r"`мало клеток\.share`: this key is missing"),
    "picture twice": ("pictures.yaml", "\nтолько кровь:", "\nмало клеток:", r"the key `мало клеток` is there twice"),
    "unpaired bracket": (
        "findings.yaml",
        "[низкая|невысокая]",
        "[низкая|невысокая",
        r"`findings\.клеточность\.низкая`, item 2: write alternatives as",
    ),
    "alternatives without brackets": (
        "findings.yaml",
        "[низкая|невысокая]",
        "низкая|невысокая",
        r"item 2: write alternatives as",
    ),
    "unpaired brace": ("findings.yaml", "{мазках} не {найдено}", "{мазках не {найдено}", r"item 1: write a slot as"),
    "unknown synonym": (
        "findings.yaml",
        "в {мазках} не",
        "в {стеклах} не",
        r"item 1: no list of synonyms is named `стеклах`: .*\(and групп, число\)",
    ),
    "no quotes, braces": (
        "findings.yaml",
        '"{тиреоциты} в {мазках} отсутствуют"',
        "{тиреоциты} в {мазках} отсутствуют",
        r"check the indentation .* and the double quotes",
    ),
    "no quotes, brackets": (
        "findings.yaml",
        '"[материал|пунктат] без {тиреоцитов}"',
        "[материал|пунктат]",
        r"item 6: this is not read as text: put it in double quotes",
    ),
    "an order with a missing aspect": (
        "findings.yaml",
        "[клеточность, сохранность, ",
        "[клеточность, ",
        r"`orders`, item 1: an order names each of",
    ),
    "count of an unknown finding": (
        "findings.yaml",
        "  4–5 групп:\n    least",
        "  4–5 гр:\n    least",
        r"`group_counts\.4–5 гр`: `4–5 гр` is not defined",
    ),
    "count upside down": ("findings.yaml", "    least: 9", "    least: 90", r"`least` \(90\) is above `most` \(20\)"),
    "number without a count": (
        "findings.yaml",
        "клеток [мало|немного]",
        "{групп} клеток",
        r"add `низкая` to `group_counts`",
    ),
    "empty list": (
        "findings.yaml",
        "findings:\n  клеточность:",
        "findings:\n  лишнее:\n    пусто: []\n  клеточность:",
        r"`findings\.лишнее\.пусто`: there are too few entries: at least 1 is needed",
    ),
    "conclusion of an unknown picture": (
        "conclusions.yaml",
        "  только кровь:",
        "  одна кровь:",
        r"`headlines\.одна кровь`: `одна кровь` is not defined",
    ),
    "picture without a conclusion": (
        "pictures.yaml",
        "\nтолько кровь:",
        "\nодна кровь:",
        r"`только кровь` is not defined; .*",
    ),
    "category without advice": ("conclusions.yaml", "  VI:\n", "  V I:\n", r"`advice\.V I`: V I is wrong"),
    "remark on an unknown finding": (
        "conclusions.yaml",
        "    сосочки:",
        "    сосочек:",
        r"`remarks\.строение\.сосочек`: `сосочек` is not",
    ),
    "slot of another table": (
        "conclusions.yaml",
        '- "{материал}',
        '- "{групп}',
        r"no list of synonyms is named `групп`: use a name from wording\.yaml\.$",
    ),
    "slot of another clause": (
        "nodules.yaml",
        "размером {размер}",
        "размером {игла}",
        r"`openings`, item 1: no list of synonyms is named `игла`",
    ),
    "marks in a synonym": (
        "wording.yaml",
        '"фолликулярные клетки"',
        '"[фолликулярные] клетки"',
        r"`тиреоциты`, item 2: a synonym is plain text: remove \[ \]",
    ),
    "text for a list": (
        "noise.yaml",
        '    - "кол-во"',
        '    "кол-во"',
        r"`abbreviations\.количество`: this must be a list: begin each entry with a dash",
    ),
}


@pytest.mark.parametrize(("table", "old", "new", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_table_is_one_sentence_with_its_place(
    tmp_path: Path, table: str, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        load_tables(_edited(tmp_path, table, old, new))
    message = str(refused.value)
    assert re.match(r"[\w-]+/\w+\.yaml, line \d+: .+\.$", message), message
    assert "\n" not in message


def test_wordings_of_impossible_length_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the limit, the program would keep drawing forever."""
    folder = _edited(tmp_path, "findings.yaml", '"{тиреоцитов} в {мазках} не {найдено}"', '"' + "нет " * 70 + '"')
    monkeypatch.setattr(reports, "load_tables", lambda: load_tables(folder))
    with pytest.raises(InputError, match=r"A description of `(только кровь|жидкость кисты)` never has 20 to 65 words"):
        synthesize(
            replace(SETTINGS, reports=60, standard_share=1.0, class_shares=dict.fromkeys(CATEGORIES, 0.0) | {"I": 1.0})
        )


@pytest.mark.parametrize(
    ("number", "form"),
    [(1, "группа"), (3, "группы"), (5, "групп"), (11, "групп"), (14, "групп"), (22, "группы")],
)
def test_plural(number: int, form: str) -> None:
    assert plural(number, "группа", "группы", "групп") == form


# --- the difficulty ---


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_bag_of_words_is_useful_but_not_enough(seed: int) -> None:
    train, test = _patients_split(synthesize(replace(SETTINGS, seed=seed)))
    assert 0.60 < bag_of_words_macro_f1(_texts(train), _texts(test)) < 0.90


def test_hard_cases_are_harder(rows: Rows) -> None:
    even = replace(SETTINGS, reports=1200, seed=8, class_shares=dict.fromkeys(CATEGORIES, 1 / 6))
    easy, hard = (
        bag_of_words_macro_f1(_texts(rows), _texts(synthesize(replace(even, hard_case_share=share))))
        for share in (0.0, 1.0)
    )
    assert easy - hard > 0.1


def test_no_single_word_gives_a_category_away(rows: Rows) -> None:
    assert telling_words(_texts(rows)) == []


def test_duplicates_are_rare(rows: Rows) -> None:
    assert len({row["description"] for row in rows}) > 0.99 * len(rows)
    index = Index()
    for row in rows:
        index.add(triples(row["description"]), bands(triples(row["description"])))
    clusters = Counter(index.clusters(0.8).tolist())
    assert sum(size for size in clusters.values() if size > 1) < 0.05 * len(rows)
