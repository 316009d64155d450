"""Damaged exports of every format: either the rows add up, or one sentence says what is wrong."""

import gzip
import io
import json
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from anamnesis.corpus.refusals import CorpusError
from tests.exports import ROWS, SECRET, csv, settings, taken

FEW = ROWS[:8]


@cache
def whole() -> dict[str, bytes]:
    """A small valid export of every format, by file name."""
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in FEW).encode()
    sheet, table = io.BytesIO(), io.BytesIO()
    pd.DataFrame(FEW).to_excel(sheet, index=False)
    pd.DataFrame(FEW).to_parquet(table)
    return {
        "a.csv": csv(FEW).encode(),
        "b.csv": csv(FEW, ";", "\r\n").encode("cp1251"),
        "c.tsv": csv(FEW, "\t").encode("utf-16"),
        "d.jsonl": lines,
        "e.json": json.dumps(FEW).encode(),
        "f.json": json.dumps({"reports": FEW}, ensure_ascii=False).encode(),
        "g.jsonl.gz": gzip.compress(lines, mtime=0),
        "h.xlsx": sheet.getvalue(),
        "i.parquet": table.getvalue(),
        "j.html": f"<html>{pd.DataFrame(FEW).to_html(index=False)}</html>".encode(),
    }


# Damage to files: bytes are removed, inserted (including those with a meaning in a format), doubled, or overwritten.
PLACE = st.floats(0, 1)
PIECES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(
        [
            b'"',
            b"\n",
            b"\r",
            b";",
            b",",
            b"\t",
            b"\0",
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b"\\",
            b"\xff\xfe",
            b"<![",
            b"<td rowspan=9>",
        ]
    ),
    st.sampled_from([b"NaN", b"null", b"1e999", b'"\\ud800"', b"=cmd|' /C calc'!A0", "Секретова".encode("cp1251")]),
)
DAMAGE = st.one_of(
    st.tuples(st.just("cut"), PLACE, st.integers(1, 400)),
    st.tuples(st.just("insert"), PLACE, PIECES),
    st.tuples(st.just("overwrite"), PLACE, PIECES),
    st.tuples(st.just("double"), PLACE, st.integers(1, 400)),
    st.tuples(st.just("end"), PLACE, st.none()),
)


def damaged(content: bytes, damages: list[tuple[str, float, bytes | int | None]]) -> bytes:
    for kind, place, what in damages:
        at = int(place * len(content))
        if kind == "cut":
            assert isinstance(what, int)
            content = content[:at] + content[at + what :]
        elif kind == "double":
            assert isinstance(what, int)
            content = content[: at + what] + content[at:]
        elif kind == "end":
            content = content[:at]
        else:
            assert isinstance(what, bytes)
            content = content[:at] + what + content[at + (len(what) if kind == "overwrite" else 0) :]
    return content


def take_in_or_refuse(path: Path, scratch: Path) -> None:
    try:
        taken(settings(path), scratch)
    except CorpusError as error:
        message = str(error)
        assert SECRET not in message
        assert "\n" not in message
        assert message.endswith(".")


@pytest.mark.parametrize("name", list(whole()))
def test_an_undamaged_file_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(whole()[name])
    assert taken(settings(tmp_path / name), tmp_path / "scratch").account.rows_in == len(FEW)


@pytest.mark.parametrize("name", list(whole()))
def test_a_damaged_file_never_ends_in_a_traceback(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("fuzz")

    @hypothesis_settings(
        max_examples=1000, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(DAMAGE, min_size=1, max_size=4))
    def run(damages: list[tuple[str, float, bytes | int | None]]) -> None:
        (folder / name).write_bytes(damaged(whole()[name], damages))
        take_in_or_refuse(folder / name, folder / "scratch")

    run()


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.lists(st.integers(), max_size=2)
)


def test_any_json_objects_are_accounted_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / "any.jsonl"

    @hypothesis_settings(
        max_examples=1000, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(FEW[0], CELLS)), max_size=6))
    def run(rows: list[dict[str, object]]) -> None:
        path.write_text("\n".join(map(json.dumps, [FEW[0], *rows])), encoding="utf-8")
        take_in_or_refuse(path, folder / "scratch")

    run()
