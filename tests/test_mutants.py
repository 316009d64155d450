"""The list of seeded faults matches the code: `make mutants` can apply each fault, and the tests it runs exist."""

from collections import Counter
from pathlib import Path

import click
import pytest

from tests.checkout import ROOT
from tests.mutants import Fault, faulty, load_faults, table

FAULTS = load_faults()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_can_be_applied_and_its_tests_exist(fault: Fault) -> None:
    faulty(fault, ROOT)
    for selected in fault.tests.partition(" -k ")[0].split():
        file, *names = selected.partition("[")[0].split("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert all(f"def {name}(" in text for name in names), selected


def test_there_are_enough_faults_in_every_room() -> None:
    assert [name for name, times in Counter(fault.name for fault in FAULTS).items() if times > 1] == []
    by_room = Counter(fault.room for fault in FAULTS)
    assert by_room.total() >= 60
    rooms = {path.parent.name for path in (ROOT / "src" / "anamnesis").glob("*/__init__.py")}
    assert by_room.keys() >= rooms


def test_a_fault_that_is_nowhere_or_in_two_places_is_refused(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("a = 1\nb = 1\n")
    for old, new in (("= 2", "= 3"), ("= 1", "= 2"), ("a = 1", "a = 1")):
        with pytest.raises(click.ClickException, match=r"could not be applied: x \(code.py has"):
            faulty(Fault("x", "code.py", old, new, "tests/test_x.py"), tmp_path)
    assert faulty(Fault("x", "code.py", "b = 1", "b = 2", "tests/test_x.py"), tmp_path) == "a = 1\nb = 2\n"
    assert table([]).endswith("| all | 0 | 0 |")
