"""400 identifiers are planted in an export, plain, coded and in wrong encodings, and more in categories; after the
whole pipeline they occur nowhere but in the export. A person in the name of a file, folder or column stops it unnamed.
"""

import csv
import json
import random
import re
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import pytest

from anamnesis.settings.sections import read_yaml, section
from anamnesis.settings.synthesis import Synthesis
from anamnesis.synthesis import synthesize
from tests.conftest import ROOT
from tests.project import Project
from tests.test_coding import CODED, WRONG, in_base64, read_as
from tests.test_other_identifiers import REPLACED

SURNAMES = (
    ("Веретенников", "Жаворонков", "Рукавишников", "Свешников", "Толмачёв", "Ярмольник", "Щеглов", "Хвостов", "Бурков"),
    ("Мухамедзянов", "Тер-Григорян", "Кикнадзе", "Остапенко", "Дзюба", "Нургалиев", "Пак", "Штейнберг", "Залесский"),
)  # fmt: skip
STREETS = ("Бирюлёвская", "Вавилова", "Гастелло", "Дубининская", "Есенина", "Зелёная", "Калараша", "Лескова")
TEXT_FILES = {".json", ".jsonl", ".csv", ".tsv", ".md", ".yaml", ".yml", ".txt", ".log", ".lock", ".dvc", ".html", ""}
CANARIES, REPORTS = 400, 480
HEADER = ["patient_id", "description", "conclusion", "category"]


def removed(before: str, after: str) -> list[str]:
    """What placeholders replace, but for what is so short that it could occur elsewhere by chance."""
    match = re.fullmatch("(.+)".join(map(re.escape, re.split(r"\[[^\]]+\]", after))), before)
    return [part for part in match.groups() if sum(map(str.isalnum, part)) >= 7] if match else []


# The kinds in turn, since there are more rows than canaries.
OTHERS = [
    (pair[0], identifiers)
    for pairs in zip_longest(*REPLACED.values())
    for pair in pairs
    if pair is not None and (identifiers := removed(*pair))
]


def hidden(text: str, number: int) -> str:
    """Three in five texts as they are; the others coded, or read in a wrong encoding, if these have its letters."""
    if text.encode("cp1251", "ignore").decode("cp1251") != text:
        return text
    if number % 5 == 1:
        return list(CODED.values())[number % len(CODED)](text)
    if number % 5 == 2:
        really, wrongly = WRONG[number % len(WRONG)]
        return read_as(text.encode(really, "ignore").decode(really), really, wrongly)
    return text


def personal_category(number: int, surname: str, category: str) -> str:
    """A category with a name: plain, coded, in a wrong encoding, or the row's own patient."""
    return (
        f"{category} {surname}ой М.П.",
        in_base64(f"{surname}ой Марии Петровне"),
        read_as(f"{surname}а Мария", "cp1251", "koi8_r"),
        f"узел {surname}ой",
    )[number // 4 % 4]


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
    for number, report in enumerate(synthesize(replace(parameters, reports=REPORTS, seed=5))):
        surname, first = SURNAMES[0][number % 9], ("Вера", "Анна", "Инна")[number % 3]
        patient = f"{surname}а {first} {number}"
        description, conclusion, category = report["description"], report["conclusion"], report["category"]
        if number < CANARIES:
            if number % 2:
                sentence, identifiers = OTHERS[number // 2 % len(OTHERS)]
                sentence = f"{sentence}."
            else:
                sentence, identifier = canary(number // 2, rng)
                identifiers = [identifier]
            plain = (f"{sentence} {description}" if number % 3 else f"{description} {sentence}").replace("×", "x")
            description = hidden(plain, number)
            secret += [*identifiers, patient]
            if description != plain:
                secret.append(description[:40])
        elif number % 4 == 0:
            category = personal_category(number, surname, category)
            secret += [category, f"{surname}ой", patient]
        rows.append([patient, description, conclusion, category])
    return rows, secret


def test_no_planted_identifier_is_seen_again(
    planted: tuple[list[list[str]], list[str]], first_stages: Project, tmp_path: Path
) -> None:
    rows, secret = planted
    assert len(set(secret)) > 2 * CANARIES
    project = first_stages.copy(tmp_path / "project")
    export = project.folder / "data/raw/export.jsonl"
    export.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(dict(zip(HEADER, row, strict=True)), ensure_ascii=False) for row in rows)
    export.write_text("\n".join(lines), encoding="utf-8")
    # Categories as they are written: those with a name must be refused.
    verbatim = {"corpus.category_system": "verbatim", "corpus.categories": None}
    project.change("params.yaml", {"corpus.path": "data/raw/export.jsonl", **verbatim})
    # The project's own files hold examples of identifiers. What the stages wrote before is of the synthetic corpus.
    shipped = {file: file.read_bytes() for file in project.folder.rglob("*") if file.is_file()}
    written = {"the console": project.run("dvc", "repro")}
    for file in project.folder.rglob("*"):
        below = file.relative_to(project.folder).parts
        if file.is_file() and file.suffix in TEXT_FILES and below[:2] != ("data", "raw") and below[0] != ".git":
            content = file.read_bytes()
            if file.stat().st_size < 2**26 and content not in (export.read_bytes(), shipped.get(file)):
                written[str(file.relative_to(project.folder))] = content.decode("utf-8", errors="replace")
    for place in ("data/prepared/corpus/train.jsonl", "data/prepared/account.json", "reports/corpus.md", "dvc.lock"):
        assert place in written
    assert any(place.startswith("models/adapters") for place in written)
    found = {place: sum(text in content for text in secret) for place, content in written.items()}
    assert {place: count for place, count in found.items() if count} == {}
    # The search itself works: it finds in the export all that is not coded there.
    text = export.read_text(encoding="utf-8")
    assert sum(one in text for one in secret) > 1.5 * CANARIES
    account = project.json("data/prepared/account.json")
    assert account["refused"] == {"category_identifies": (REPORTS - CANARIES) // 4}
    assert project.json("data/prepared/corpus/categories.json")["names"] == ["I", "II", "III", "IV", "V", "VI"]
    assert sum(account["identifiers"].values()) >= CANARIES
    assert set(account["identifiers"]) >= {"name", "doctor", *REPLACED}


def test_a_person_in_a_name_around_the_text_is_not_shown(
    planted: tuple[list[list[str]], list[str]], tmp_path: Path
) -> None:
    """Of a file, its folder, a column, and a link to nowhere."""
    project = Project(tmp_path)
    rows = planted[0]
    described = "узлы Веретенниковой М.П."
    places = {
        "data/raw/Веретенникова_Мария_Петровна.csv": HEADER,
        "data/raw/Веретенникова МП/export.csv": HEADER,
        "data/raw/export.csv": [described if name == "description" else name for name in HEADER],
        "data/raw/folder": HEADER,
    }
    for place, header in places.items():
        export = project.folder / place
        export.parent.mkdir(parents=True, exist_ok=True)
        if not export.suffix:
            export.mkdir()
            (export / "Веретенникова М.П..csv").symlink_to(tmp_path / "Веретенникова")
            export /= "export.csv"
        with export.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        changed = {"corpus.path": place, "corpus.columns.description": header[1]}
        project.change("params.yaml", changed)
        printed = project.run("python", "-m", "stages.corpus", fails=True)
        assert re.search(r"corpus\.(path|columns\.description): |file 1 of .* is a link to a file that is not", printed)
        assert "еретенников" not in printed
