"""A damaged checkpoint is passed over for the one before it, and resuming from that one changes no bit."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anamnesis.training.checkpoints import SEAL, damage, last_checkpoint
from tests.conftest import OPTIMIZATION
from tests.test_training import EMA, Kill, KilledError, identical, train, weights  # noqa: F401

SAVING = replace(OPTIMIZATION, max_steps=6, save_every_steps=2)


@pytest.fixture
def killed(train: Any, tmp_path: Path) -> Path:  # noqa: F811
    """The scratch folder of a training that was killed after two checkpoints."""
    with pytest.raises(KilledError):
        train(EMA, SAVING, callbacks=[Kill(5)])
    assert sorted(path.name for path in (tmp_path / "scratch").iterdir()) == ["checkpoint-2", "checkpoint-4"]
    return tmp_path / "scratch"


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def a_bit_flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_every_damage_to_every_file_is_noticed(killed: Path, tmp_path: Path) -> None:
    whole = killed / "checkpoint-4"
    assert damage(whole) is None
    files = [file.relative_to(whole) for file in whole.rglob("*") if file.is_file()]
    assert {"optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", SEAL} <= {f.name for f in files}
    for number, name in enumerate(files):
        for harm in (emptied, cut, a_bit_flipped, Path.unlink):
            copy = tmp_path / f"copy-{number}-{harm.__name__}"
            shutil.copytree(whole, copy)
            harm(copy / name)
            assert damage(copy) is not None, (name, harm)


@pytest.mark.parametrize("harm", [emptied, cut, Path.unlink])
def test_training_resumes_from_the_one_before_bit_for_bit(
    train: Any,  # noqa: F811
    killed: Path,
    tmp_path: Path,
    harm: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    harm(killed / "checkpoint-4" / "optimizer.pt")
    copy = shutil.copytree(killed, tmp_path / "copy")
    with caplog.at_level(logging.WARNING, logger="train"):
        assert last_checkpoint(copy) == str(copy / "checkpoint-2")
    what = "missing" if harm is Path.unlink else "damaged"
    assert [r.getMessage() for r in caplog.records] == [
        f"passing over checkpoint-4 (optimizer.pt is {what}): training resumes from checkpoint-2"
    ]
    assert not (copy / "checkpoint-4").exists()

    resumed = train(EMA, SAVING)
    assert resumed.state.global_step == 6
    shutil.rmtree(killed)
    assert identical(weights(train(EMA, SAVING)), weights(resumed))


def test_with_no_whole_checkpoint_training_starts_anew(
    train: Any,  # noqa: F811
    killed: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in (2, 4):
        cut(killed / f"checkpoint-{number}" / SEAL)
    with caplog.at_level(logging.WARNING, logger="train"):
        again = train(EMA, SAVING)
    told = [record.getMessage() for record in caplog.records if record.name == "train"]
    assert told == [
        f"passing over checkpoint-4 ({SEAL} cannot be read), checkpoint-2 ({SEAL} cannot be read): "
        "training starts from the beginning"
    ]
    shutil.rmtree(killed)
    assert identical(weights(train(EMA, SAVING)), weights(again))


def test_the_newest_is_the_one_of_most_steps_and_two_are_kept(train: Any, tmp_path: Path) -> None:  # noqa: F811
    train(EMA, replace(SAVING, max_steps=14))
    scratch = tmp_path / "scratch"
    assert sorted(path.name for path in scratch.iterdir()) == ["checkpoint-10", "checkpoint-12"]
    (scratch / "checkpoint-12").rename(scratch / "checkpoint-8")
    assert last_checkpoint(scratch) == str(scratch / "checkpoint-10")
