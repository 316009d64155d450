"""Tables that people edit: what is read, and the message about each mistake in the file itself."""

import random
from pathlib import Path

import pytest
import yaml
from pydantic.dataclasses import dataclass
from ruamel.yaml import YAML

import anamnesis
from anamnesis.errors import InputError
from anamnesis.settings.sections import STRICT
from anamnesis.tables import Odds, Share, Texts, check_known, check_sum, draw, read_table, refusal

TABLES = sorted(
    path
    for room in ("synthesis", "knowledge", "evaluation")
    for path in (Path(anamnesis.__file__).parent / room).glob("*.yaml")
)


@dataclass(frozen=True, config=STRICT)
class Table:
    share: Share
    words: dict[str, Texts]
    odds: Odds


RIGHT = 'share: 0.5\nwords:\n  нет:\n  - "да"\n  - "4"\nodds:\n  редко: 0.25\n  часто: 0.75\n'


def _read(folder: Path, text: str) -> Table:
    path = folder / "table.yaml"
    path.write_text(text, encoding="utf-8")
    return read_table(path, Table)


def test_a_table_is_read_in_its_order(tmp_path: Path) -> None:
    table = _read(tmp_path, RIGHT)
    assert table == Table(share=0.5, words={"нет": ("да", "4")}, odds={"редко": 0.25, "часто": 0.75})
    assert list(table.odds) == ["редко", "часто"]


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").encode())
    assert read_table(path, Table) == _read(tmp_path, RIGHT)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("share: 0.5", "share: 1.5", r"line 1: `share`: 1.5 is wrong: input should be less than or equal to 1"),
        ("share: 0.5", "share: 0", r"line 1: `share`: 0 is wrong: input should be greater than 0"),
        ("share: 0.5", "share: .nan", r"line 1: `share`: nan is wrong: input should be a finite number"),
        ("share: 0.5", "share: '0.5'", r"line 1: `share`: 0\.5 is not a number: write it as 0\.35"),
        ("share: 0.5", "share: yes", r"line 1: `share`: True is not a number"),
        ("share: 0.5", "shares: 0.5", r"line 1: `share`: this key is missing: add it"),
        ("words:", "also: 1\nwords:", r"line 2: `also`: this key is not known here"),
        ('"да"', "yes", r"line 4: `words\.нет`, item 1: this is not read as text: put it in double quotes"),
        ('"4"', "4", r"line 5: `words\.нет`, item 2: this is not read as text"),
        ('"4"', '""', r"line 5: `words\.нет`, item 2: this text is empty"),
        ("  нет:", "  no:", r"line 3: the key `no` is not read as text: put it in double quotes"),
        ("  нет:", "  4:", r"line 3: the key `4` is not read as text"),
        ("  часто:", "  редко:", r"line 8: the key `редко` is there twice: remove or rename one"),
        ("  часто: 0.75", "\tчасто: 0.75", r"line 8: .*check the indentation \(spaces, no tabs\)"),
        ('"да"', "картина: узел", r"line 4: `words\.нет`, item 1: this is not read as text"),
        ("0.75", "0.76", r"line 6: `odds`: the probabilities must sum to 1 at most; they sum to 1\.01"),
        ('  - "да"\n  - "4"\n', "", r"line 3: `words\.нет`: this must be a list: begin each entry with a dash"),
        ('  - "да"\n  - "4"\n', "  - []\n", r"line 4: `words\.нет`, item 1: this is not read as text"),
        (RIGHT, "", r"line 1: this must be a group of keys"),
        (RIGHT, "- 1\n", r"line 1: this must be a group of keys"),
    ],
)
def test_a_mistake_is_one_sentence_with_line_and_key(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in RIGHT
    with pytest.raises(InputError, match=sentence) as refused:
        _read(tmp_path, RIGHT.replace(old, new, 1))
    message = str(refused.value)
    assert message.startswith(f"{tmp_path.name}/table.yaml, line ")
    assert message.endswith(".")
    assert "\n" not in message


def test_a_missing_file_and_another_encoding_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"table\.yaml: the table is missing"):
        read_table(tmp_path / "table.yaml", Table)
    (tmp_path / "table.yaml").write_bytes("нет: 1".encode("cp1251"))
    with pytest.raises(InputError, match=r"table\.yaml: byte 0 is not UTF-8"):
        read_table(tmp_path / "table.yaml", Table)


def test_checks_between_tables_name_the_entry(tmp_path: Path) -> None:
    _read(tmp_path, RIGHT)
    path = tmp_path / "table.yaml"
    check_known(path, ("odds", "редко"), ["редко", "часто"])
    with pytest.raises(
        InputError, match=r"line 7: `odds\.редко`: `редко` is not defined; the closest name is `редкое`\."
    ):
        check_known(path, ("odds", "редко"), ["редкое", "часто"])
    check_sum(path, ("odds",), {"a": 0.1, "b": 0.2, "c": 0.7})
    with pytest.raises(InputError, match=r"line 6: `odds`: the shares of a, b must sum to 1; they sum to 0\.3\."):
        check_sum(path, ("odds",), {"a": 0.1, "b": 0.2})
    assert str(refusal(path, ("words", "нет", 1), "why")).endswith("table.yaml, line 5: `words.нет`, item 2: why.")


def test_findings_are_drawn_with_their_probabilities() -> None:
    rng = random.Random(0)
    drawn = [dict(draw({"фон": {"чистый": 0.2, "кровь": 0.3}, "ядра": {"мелкие": 1.0}}, rng)) for _ in range(4000)]
    assert all(found["ядра"] == "мелкие" for found in drawn)
    share = {name: sum(found.get("фон") == name for found in drawn) / len(drawn) for name in ("чистый", "кровь", None)}
    assert share == {
        "чистый": pytest.approx(0.2, abs=0.03),
        "кровь": pytest.approx(0.3, abs=0.03),
        None: pytest.approx(0.5, abs=0.03),
    }


@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_version_of_yaml_reads_the_same(path: Path) -> None:
    """YAML 1.1 reads a bare `no` as false, YAML 1.2 as text; a table holds neither."""
    text = path.read_text(encoding="utf-8")
    assert YAML(typ="safe", pure=True).load(text) == yaml.safe_load(text)
