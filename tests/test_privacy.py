"""200 identifiers are planted in an export; after the whole pipeline they occur nowhere but in the export."""

import csv
import random
from dataclasses import replace
from pathlib import Path

import pytest

from anamnesis.settings.sections import read_yaml, section
from anamnesis.settings.synthesis import Synthesis
from anamnesis.synthesis import synthesize
from tests.conftest import ROOT
from tests.project import Project

SURNAMES = (
    ("Веретенников", "Жаворонков", "Рукавишников", "Свешников", "Толмачёв", "Ярмольник", "Щеглов", "Хвостов", "Бурков"),
    ("Мухамедзянов", "Тер-Григорян", "Кикнадзе", "Остапенко", "Дзюба", "Нургалиев", "Пак", "Штейнберг", "Залесский"),
)  # fmt: skip
STREETS = ("Бирюлёвская", "Вавилова", "Гастелло", "Дубининская", "Есенина", "Зелёная", "Калараша", "Лескова")
TEXT_FILES = {".json", ".jsonl", ".csv", ".tsv", ".md", ".yaml", ".yml", ".txt", ".log", ".lock", ".dvc", ""}
CANARIES = 200


def canary(number: int, rng: random.Random) -> tuple[str, str]:
    """A sentence with an identifier, and the identifier, which must not occur in any output."""
    surname = rng.choice(SURNAMES[number % 2])
    initials = f"{rng.choice('АБВГДЕ')}.{rng.choice('ИКЛМНП')}."
    digits = "".join(rng.choices("123456789", k=20))
    day = f"{rng.randint(1, 28):02}.{rng.randint(1, 12):02}.{rng.randint(1931, 1999)}"
    street, house = rng.choice(STREETS), rng.randint(11, 99)
    address = f"ул. {street}, д. {house}, кв. {rng.randint(101, 199)}"
    phone = f"+7 (9{digits[:2]}) {digits[2:5]}-{digits[5:7]}-{digits[7:9]}"
    snils = f"{digits[:3]}-{digits[3:6]}-{digits[6:9]} {digits[9:11]}"
    email = f"user{digits[:6]}@hospital-mail.ru"
    return (
        (f"Пациент {surname} {initials}", f"{surname} {initials}"),
        (f"Врач-цитолог: {surname} {initials}", f"{surname} {initials}"),
        (f"Дата рождения: {day}.", day),
        (f"Проживает: г. Казань, {address}.", address),
        (f"Тел.: {phone}.", phone),
        (f"СНИЛС {snils}.", snils),
        (f"Полис ОМС {digits[:16]}.", digits[:16]),
        (f"Паспорт {digits[:4]} {digits[4:10]}.", f"{digits[:4]} {digits[4:10]}"),
        (f"E-mail: {email}.", email),
        (f"История болезни № {digits[:5]}/21.", f"{digits[:5]}/21"),
    )[number % 10]


@pytest.fixture(scope="module")
def planted() -> tuple[list[list[str]], list[str]]:
    """The rows of an export with patients' names, and the texts that must not appear outside it."""
    rng = random.Random(0)
    parameters = section(read_yaml(ROOT / "params.yaml"), "synthesis", Synthesis)
    rows, secret = [], []
    for number, report in enumerate(synthesize(replace(parameters, reports=240, seed=5))):
        surname, first = SURNAMES[0][number % 9], ("Вера", "Анна", "Инна")[number % 3]
        patient = f"{surname}а {first} {number}"
        description, conclusion = report["description"], report["conclusion"]
        if number < CANARIES:
            sentence, identifier = canary(number, rng)
            secret += [identifier, patient]
            description, conclusion = (
                (description, f"{conclusion} {sentence}")
                if number % 3 == 1
                else (f"{sentence} {description}", conclusion)
            )
        rows.append([patient, description, conclusion, report["category"]])
    return rows, secret


def test_no_planted_identifier_is_seen_again(planted: tuple[list[list[str]], list[str]], tmp_path: Path) -> None:
    rows, secret = planted
    assert len(secret) == 2 * CANARIES == 2 * len(set(secret[::2]))
    project = Project(tmp_path)
    export = project.folder / "data/raw/export.csv"
    export.parent.mkdir(parents=True, exist_ok=True)
    with export.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["patient_id", "description", "conclusion", "category"], *rows])
    project.change("params.yaml", {"corpus.path": "data/raw/export.csv"})
    written = {"the console": project.run("dvc", "repro")}
    for file in project.folder.rglob("*"):
        below = file.relative_to(project.folder).parts
        if file.is_file() and file.suffix in TEXT_FILES and below[:2] != ("data", "raw") and below[0] != ".git":
            content = file.read_bytes()
            if file.stat().st_size < 2**26 and export.read_bytes() != content:
                written[str(file.relative_to(project.folder))] = content.decode("utf-8", errors="replace")
    for place in ("data/prepared/corpus/train.jsonl", "data/prepared/account.json", "reports/corpus.md", "dvc.lock"):
        assert place in written
    assert any(place.startswith("models/adapters") for place in written)
    found = {place: sum(text in content for text in secret) for place, content in written.items()}
    assert {place: count for place, count in found.items() if count} == {}
    # The search itself works: it finds everything in the export.
    text = export.read_text(encoding="utf-8")
    assert all(one in text for one in secret)
    replaced = project.json("data/prepared/account.json")["identifiers"]
    assert sum(replaced.values()) >= CANARIES
