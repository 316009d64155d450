"""General text and exam of the tiny profile: an exam with a wrong key, or questions seen before, measures nothing."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from anamnesis.errors import InputError
from anamnesis.knowledge import clinical, cytology, wording
from anamnesis.knowledge.clinical import clinical_notes
from anamnesis.knowledge.cytology import cytology_reports
from anamnesis.knowledge.exam import all_questions
from anamnesis.knowledge.facts import LANGUAGES, RELATIONS, Fact, load_facts
from anamnesis.knowledge.text import MIN_TRAINING_WORDINGS, general_text
from anamnesis.knowledge.wording import exam_prompts, read_wordings, training_wordings

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / "data" / "facts"
# Statements of the training text.
ATOMIC_NUMBERS = (
    "Элемент — {entity}. Его атомный номер — {value}.",
    "{entity}: атомный номер — {value}.",
    "Атомный номер элемента {entity} — {value}.",
)
FORBIDDEN_IN_NOTES = re.compile(r"bethesda|бетесда|тиреоцит|коллоид|фолликул|тонкоигольн|\bтаб\b", re.IGNORECASE)
ASPIRATE = re.compile(r"пункц|пунктат|аспират|мазк|мазок|клетк|цитолог", re.IGNORECASE)


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    return load_facts(TABLES)


@pytest.fixture(scope="module")
def texts(facts: list[Fact]) -> tuple[list[str], list[tuple[str, str]]]:
    return general_text(facts, clinical_notes=1500, cytology_reports=300, heldout_share=0.05, seed=7)


@pytest.fixture(scope="module")
def notes() -> list[str]:
    return clinical_notes(1500, seed=7)


def test_facts_cover_every_area_and_occur_once(facts: list[Fact]) -> None:
    areas = Counter(fact.subject_area for fact in facts)
    assert set(areas) == set(read_wordings().subjects)
    assert len(facts) >= 900
    assert min(areas.values()) >= 100
    assert len({(fact.subject_area, fact.entity_en) for fact in facts}) == len(facts)


def test_no_question_answers_itself_and_no_code_is_shared(facts: list[Fact]) -> None:
    for fact in facts:
        if fact.subject_area == "capitals":
            for entity, value in ((fact.entity_ru, fact.value_ru), (fact.entity_en, fact.value_en)):
                assert entity.lower() not in value.lower(), entity
                assert value.lower() not in entity.lower(), entity
    for subject in ("capitals", "calling_codes", "element_symbols", "atomic_numbers"):
        values = Counter(fact.value_ru for fact in facts if fact.subject_area == subject)
        assert max(values.values()) == 1, values.most_common(1)
    numbers = [fact.value_ru for fact in facts if fact.subject_area == "atomic_numbers"]
    assert numbers == [str(number) for number in range(1, 119)]


def test_known_facts_are_read_from_the_right_columns(facts: list[Fact]) -> None:
    table = {(fact.subject_area, fact.entity_en): (fact.value_ru, fact.value_en) for fact in facts}
    assert table["capitals", "France"] == ("Париж", "Paris")
    assert table["regions", "Japan"] == ("Азия", "Asia")
    assert table["currencies", "Japan"] == ("", "Japanese yen")
    assert table["calling_codes", "Italy"] == ("+39", "+39")
    assert table["element_symbols", "Iron"] == ("Fe", "Fe")
    assert table["atomic_numbers", "Iron"] == ("26", "26")


def test_every_subject_has_enough_wordings() -> None:
    """Training keeps three wordings of each fact, and the exam has its own questions."""
    taught = {relation.subject_area: relation.taught for relation in RELATIONS}
    for subject, languages in read_wordings().subjects.items():
        for language, wordings in languages.items():
            assert (len(set(wordings.statements)) >= MIN_TRAINING_WORDINGS) == (language in taught[subject])
            assert (len(set(wordings.questions)) >= 2) == (language in taught[subject])
            assert len(wordings.exam) >= 2
            assert not set(wordings.exam) & set(wordings.questions)


def test_the_written_text_is_pinned(facts: list[Fact]) -> None:
    """The same text for the same seed, on every machine: a change here changes the tiny base."""
    train, heldout = general_text(facts, 100, 100, 0.1, 3)
    written = repr(((train, [text for _, text in heldout]), exam(facts, 40, 3)))
    assert hashlib.sha256(written.encode()).hexdigest()[:16] == "4c4c8b394f118a6c"


def test_text_is_deterministic_and_changes_with_the_seed(facts: list[Fact]) -> None:
    first = general_text(facts, 50, 20, 0.1, seed=1)
    assert first == general_text(facts, 50, 20, 0.1, seed=1)
    assert first != general_text(facts, 50, 20, 0.1, seed=2)


def test_output_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "import hashlib, pathlib\n"
        "from anamnesis.knowledge import exam, facts, text\n"
        f"table = facts.load_facts(pathlib.Path({str(TABLES)!r}))\n"
        "out = (text.general_text(table, 100, 20, 0.1, 3), exam.all_questions(table, 40, 3))\n"
        "print(hashlib.sha256(repr(out).encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "12345")
    }
    assert len(digests) == 1


def test_every_fact_stays_in_training(facts: list[Fact], texts: tuple[list[str], list[tuple[str, str]]]) -> None:
    train = set(texts[0])
    for fact in facts:
        assert len(train.intersection(training_wordings(fact))) >= MIN_TRAINING_WORDINGS == 3


def test_minimum_holds_even_when_most_is_held_out(facts: list[Fact]) -> None:
    train, heldout = general_text(facts, 20, 10, 0.9, seed=5)
    for fact in facts:
        assert len(set(train).intersection(training_wordings(fact))) == MIN_TRAINING_WORDINGS
    assert not set(train) & {text for _, text in heldout}


def test_heldout_is_new_and_has_its_share(texts: tuple[list[str], list[tuple[str, str]]]) -> None:
    train, heldout = texts
    assert not set(train) & {text for _, text in heldout}
    assert len(set(train)) == len(train)
    assert len(heldout) / (len(train) + len(heldout)) == pytest.approx(0.05, abs=0.001)


def test_held_out_text_is_named_by_its_kind(facts: list[Fact], texts: tuple[list[str], list[tuple[str, str]]]) -> None:
    kinds = Counter(kind for kind, _ in texts[1])
    assert (kinds["clinical"], kinds["cytology"]) == (75, 15)
    wordings = {text for fact in facts for text in training_wordings(fact)}
    for kind, text in texts[1]:
        assert (text in wordings) == (kind == "facts")
        assert ("Milan" in text or "Описание" in text) <= (kind == "cytology")


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_impossible_share_is_refused(facts: list[Fact], share: float) -> None:
    with pytest.raises(ValueError, match="heldout_share"):
        general_text(facts, 10, 10, share, seed=1)


def exam(facts: list[Fact], questions_per_subject: int, seed: int) -> list[dict[str, Any]]:
    """The mixed exam."""
    items = all_questions(facts, questions_per_subject, seed)
    return [{key: item[key] for key in ("question", "subject", "choices", "answer")} for item in items if item["mixed"]]


def test_exam_is_deterministic(facts: list[Fact]) -> None:
    assert exam(facts, 30, seed=1) == exam(facts, 30, seed=1)
    assert exam(facts, 30, seed=1) != exam(facts, 30, seed=2)


def test_exam_answers_are_the_tables_and_distractors_wrong(facts: list[Fact]) -> None:
    true: dict[str, set[str]] = {}
    kinds: dict[tuple[str, str], set[str]] = {}
    for fact in facts:
        for language in fact.languages:
            kinds.setdefault((fact.subject_area, language), set()).add(fact.value(language))
            for prompt in exam_prompts(fact, language):
                true.setdefault(prompt, set()).add(fact.value(language))

    items = exam(facts, 100, seed=11)
    assert Counter(item["subject"] for item in items) == {fact.subject_area: 100 for fact in facts}
    for item in items:
        choices = item["choices"]
        assert len(set(choices)) == 4
        assert true[item["question"]] == {choices[item["answer"]]}
        assert [choice in true[item["question"]] for choice in choices].count(True) == 1
        language = "ru" if item["question"].startswith("Вопрос: ") else "en"
        assert item["question"].endswith("\nОтвет:" if language == "ru" else "\nAnswer:")
        assert kinds[item["subject"], language].issuperset(choices)


@pytest.mark.parametrize("per_subject", [7, 100])
def test_exam_answer_places_are_balanced(facts: list[Fact], per_subject: int) -> None:
    items = exam(facts, per_subject, seed=3)
    subjects = {item["subject"] for item in items}
    for chosen in [subjects, *({subject} for subject in subjects)]:
        places = Counter(item["answer"] for item in items if item["subject"] in chosen)
        assert set(places) == {0, 1, 2, 3}
        assert max(places.values()) - min(places.values()) <= 1


def test_exam_asks_every_fact_before_it_repeats_one(facts: list[Fact]) -> None:
    items = exam(facts, 100, seed=3)
    numbers = [item for item in items if item["subject"] == "atomic_numbers"]
    assert len({item["choices"][item["answer"]] for item in numbers}) == 100
    capitals = Counter(item["question"].split(":")[0] for item in items if item["subject"] == "capitals")
    assert capitals == {"Вопрос": 50, "Question": 50}


def test_all_questions_begin_with_the_mixed_exam_and_ask_every_fact_once_in_each_language(facts: list[Fact]) -> None:
    items = all_questions(facts, 100, seed=3)
    assert Counter(item["subject"] for item in items[:600]) == {fact.subject_area: 100 for fact in facts}
    assert [item["mixed"] for item in items] == [True] * 600 + [False] * (len(items) - 600)
    prompts = {
        prompt: (fact.subject_area, fact.entity_en, language)
        for fact in facts
        for language in fact.languages
        for prompt in exam_prompts(fact, language)
    }
    asked = Counter(prompts[item["question"]] for item in items)
    assert set(asked.values()) == {1}
    assert asked.keys() == set(prompts.values())
    assert all(item["language"] == prompts[item["question"]][2] for item in items)
    english = Counter(subject for subject, _, language in asked if language == "en")
    assert english == Counter(fact.subject_area for fact in facts)
    assert english["element_symbols"] == english["atomic_numbers"] == 118


def test_answers_to_all_questions_are_balanced_in_each_language(facts: list[Fact]) -> None:
    items = all_questions(facts, 40, seed=3)
    for language in LANGUAGES:
        for subject in {item["subject"] for item in items if item["language"] == language}:
            of_both = [item for item in items if (item["language"], item["subject"]) == (language, subject)]
            places = Counter(item["answer"] for item in of_both)
            assert max(places.values()) - min(places.values()) <= 1
            for item in of_both:
                assert len(set(item["choices"])) == 4


def test_exam_refuses_more_questions_than_there_are(facts: list[Fact]) -> None:
    with pytest.raises(ValueError, match="'element_symbols' has 118 questions"):
        exam(facts, 119, seed=1)


def test_exam_refuses_a_subject_without_enough_wrong_answers(facts: list[Fact]) -> None:
    regions = [fact for fact in facts if fact.subject_area == "regions" and fact.value_en in ("Asia", "Africa")]
    with pytest.raises(ValueError, match="'regions' has only 1 wrong answers"):
        exam(regions, 1, seed=1)


def test_no_exam_question_occurs_in_any_text(facts: list[Fact], texts: tuple[list[str], list[tuple[str, str]]]) -> None:
    documents = "\n".join(texts[0] + [text for _, text in texts[1]])
    seen = {line for document in texts[0] + [text for _, text in texts[1]] for line in document.split("\n")}
    prompts = {prompt for fact in facts for lang in fact.languages for prompt in exam_prompts(fact, lang)}
    questions = {prompt.split("\n")[0] for prompt in prompts}
    assert any("What is its symbol?" in question for question in questions)
    assert not questions & seen
    assert not [item["question"] for item in exam(facts, 100, seed=2) if item["question"] in documents]


def test_notes_are_distinct_deterministic_and_of_moderate_length(notes: list[str]) -> None:
    assert len(set(notes)) == len(notes) == 1500
    assert notes[:40] == clinical_notes(40, seed=7)
    assert notes[:40] != clinical_notes(40, seed=8)
    assert all(20 <= len(note.split()) <= 60 for note in notes)
    assert not [note for note in notes if "{" in note or "  " in note]


def test_notes_never_report_a_thyroid_aspirate(notes: list[str]) -> None:
    for note in notes:
        assert not FORBIDDEN_IN_NOTES.search(note)
        assert not ("щитовидн" in note.lower() and ASPIRATE.search(note))


def test_notes_have_a_rich_vocabulary_and_many_roman_numerals(notes: list[str]) -> None:
    words = {word.lower() for note in notes for word in re.findall(r"[А-Яа-яЁё]+", note)}
    assert len(words) >= 700
    romans = Counter(re.findall(r" (IV|VI?|I{1,3})\b", " ".join(notes)))
    assert set(romans) == {"I", "II", "III", "IV", "V", "VI"}
    assert min(romans.values()) >= 150
    cytology = (
        "клетки",
        "ядра",
        "цитоплазма",
        "хроматин",
        "скопления",
        "фон",
        "мазок",
        "пунктат",
        "узел",
        "размер",
    )
    assert words.issuperset(cytology)


def _broken(folder: Path, table: str, old: str, new: str) -> Path:
    for name in ("countries.csv", "elements.csv"):
        text = (TABLES / name).read_text(encoding="utf-8")
        if name == table:
            assert text.count(old) == 1
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        ("countries.csv", "capital_ru", "capital", r"countries\.csv, line 1: .*'capital_ru'"),
        ("countries.csv", ",Париж,", ",,", r"countries\.csv, line \d+, column 'capital_ru': it is empty"),
        (
            "countries.csv",
            "FRA,Франция,",
            "FRA,,",
            r"countries\.csv, line \d+, column 'country_ru': the name",
        ),
        (
            "countries.csv",
            "FRA,Франция,",
            "FRA,Япония,",
            r"countries\.csv, line \d+, column 'country_ru': 'Япония'",
        ),
        ("countries.csv", ",Париж,", ",Париж ,", r"countries\.csv, line \d+, column 'capital_ru': stray"),
        ("countries.csv", ",+33", ",33", r"countries\.csv, line \d+, column 'calling_code': '33'"),
        ("countries.csv", ",Paris,", ",Paris,extra,", r"countries\.csv, line \d+: the row needs 9 cells"),
        ("countries.csv", ",+33", ',"+33', r"countries\.csv, line \d+: .*quotes"),
        (
            "elements.csv",
            "Железо,Iron,Fe,26",
            "Железо,Iron,fe,26",
            r"elements\.csv, line 27, column 'symbol': 'fe'",
        ),
        (
            "elements.csv",
            "Железо,Iron,Fe,26",
            "Железо,Iron,Fe,2б",
            r"elements\.csv, line 27, column 'number': '2б'",
        ),
        (
            "elements.csv",
            "Железо,Iron,Fe,26",
            "Железо,Iron,Fe",
            r"elements\.csv, line 27: the row needs 4 cells",
        ),
    ],
)
def test_broken_table_is_refused_with_the_place(tmp_path: Path, table: str, old: str, new: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_facts(_broken(tmp_path, table, old, new))


def test_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"countries\.csv: the table is missing"):
        load_facts(tmp_path)


def test_table_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "countries.csv").write_bytes("Франция".encode("cp1251"))
    with pytest.raises(ValueError, match=r"countries\.csv: byte 0 is not UTF-8"):
        load_facts(tmp_path)


def test_table_saved_with_a_byte_order_mark_is_read(tmp_path: Path, facts: list[Fact]) -> None:
    for name in ("countries.csv", "elements.csv"):
        (tmp_path / name).write_text((TABLES / name).read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert load_facts(tmp_path) == facts


def test_cytology_reports_are_of_another_organ_and_their_category_follows_from_the_findings() -> None:
    reports = cytology_reports(400, seed=3)
    assert reports == cytology_reports(400, seed=3)
    assert len(set(reports)) == 400
    # Some findings are joined by commas, as in most reports, and none is cut or doubled.
    assert all(text.count(".,") == text.count("..") == 0 for text in reports)
    assert sum(". " in text and ", " in text.split(" мм.")[1] for text in reports) / 400 > 0.3
    assert not any(word in report.lower() for report in reports for word in ("щитовид", "тиреоцит", "bethesda"))
    for report in reports:
        description, conclusion = report.lower().split("\nзаключение: milan ")
        category = conclusion.split(".")[0].upper()
        assert category in {"I", "II", "III", "IV", "V", "VI"}
        # Signs of malignancy and of its absence, as the Milan System has them.
        if any(sign in description for sign in ("митозы частые", "хроматин грубый, глыбчатый", "много митозов")):
            assert category in {"V", "VI"}
        if "клеточный материал отсутствует" in description:
            assert category == "I"


READERS = {clinical: clinical.read_notes, cytology: cytology.read_cytology, wording: wording.read_wordings}


@pytest.mark.parametrize(
    ("module", "old", "new", "sentence"),
    [
        (
            clinical,
            "сердцебиение в покое {since}",
            "сердцебиение {sinse}",
            r"`kinds\.cardiology\.complaints`, item 5: nothing is defined for the slot {sinse}",
        ),
        (clinical, "сердцебиение в покое {since}", "сердцебиение {since", r"item 5: write a slot as {name}"),
        (clinical, '    - "4"', "    - 4", r"`fillers\.mm`, item 1: this is not read as text: put it in double quotes"),
        (clinical, "    material:\n", "    cells:\n", r"the key `cells` is there twice"),
        (
            clinical,
            "\nkinds:\n",
            '\nkinds:\n  short:\n    one:\n    - "А."\n    two:\n    - "Б."\n',
            r"`kinds\.short`: a note has at least 3 parts",
        ),
        (
            cytology,
            "empty: 0.6",
            "emty: 0.6",
            r"`categories\.I\.findings\.material\.emty`: `emty` is not defined; the closest name is `empty`",
        ),
        (cytology, "empty: 0.6", "empty: 0.7", r"the probabilities must sum to 1 at most; they sum to 1\.1"),
        (
            cytology,
            "empty: 0.6",
            "empty: 0.5",
            r"`categories\.I\.findings`: the probabilities of at least one aspect must sum to 1",
        ),
        (
            cytology,
            "share: 0.15",
            "share: 0.2",
            r"`categories`: the shares of I, II, III, IV, V, VI must sum to 1; they sum to 1\.05",
        ),
        (
            wording,
            "Её столица — {value}",
            "Её столица — {v}",
            r"`subjects\.capitals\.ru\.statements`, item 1: nothing is defined for the slot {v}: use one of entity",
        ),
        (wording, "Её столица — {value}", "Её столица — Париж", r"item 1: the slot {value} is missing"),
        (
            wording,
            "Есть страна {entity}. Какой город её столица?",
            "Какой город — столица страны {entity}?",
            r"`subjects\.capitals\.ru\.exam`, item 1: the training text asks this question too",
        ),
        (
            wording,
            "  capitals:\n",
            "  capital:\n",
            r"`subjects\.capital`: `capital` is not defined; the closest name is `capitals`",
        ),
        (
            wording,
            "  currencies:\n    en:",
            "  currencies:\n    ru:",
            r"`subjects\.currencies`: `currencies` has no wordings in `en`",
        ),
        (
            wording,
            "  atomic_numbers:\n    ru:\n      statements:\n"
            + "".join(f'        - "{text}"\n' for text in ATOMIC_NUMBERS),
            "  atomic_numbers:\n    ru:\n",
            r"`subjects\.atomic_numbers\.ru`: the training text needs statements and questions",
        ),
        (wording, "    en:\n", "    de:\n", r"de is wrong: input should be 'ru' or 'en'"),
        (wording, "{question}\\nОтвет", "\\nОтвет", r"`prompts\.ru`: the slot {question} is missing"),
    ],
)
def test_a_mistake_in_a_table_of_wordings_is_one_sentence_with_its_place(
    tmp_path: Path, module: ModuleType, old: str, new: str, sentence: str
) -> None:
    text = module.TABLE.read_text(encoding="utf-8")
    assert old in text
    edited = tmp_path / module.TABLE.name
    edited.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=sentence) as refused:
        READERS[module](edited)
    assert re.match(r"[\w-]+/\w+\.yaml, line \d+: .+\.$", str(refused.value))
