"""Every benchmark runs at its smallest size and prints its table."""

import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from anamnesis.corpus.cleaning import clean
from anamnesis.corpus.deidentification.tagger_network import Network
from anamnesis.files import write_jsonl
from anamnesis.modeling.loading import save_base
from anamnesis.settings.sections import read_yaml
from benchmarks import sections as of_sections
from benchmarks._models import KEEP_FREED_MEMORY, RETURN_FREED_MEMORY
from benchmarks.deidentification import ENGINES, cleaned
from benchmarks.mmlu import SUBJECTS
from benchmarks.reruns import CHANGES, METHODS, Change, Rerun, of_stages
from benchmarks.step import Measured
from tests.conftest import ROOT, random_qwen2
from tests.heldout import heldout_reports


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A benchmark expects a process of its own: it restarts with other variables, and switches logging off."""
    for name, value in {**KEEP_FREED_MEMORY, **RETURN_FREED_MEMORY}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KINETO_LOG_LEVEL", "99")
    verbosity = transformers_logging.get_verbosity()
    harness = logging.getLogger("lm_eval").level
    yield
    logging.disable(logging.NOTSET)
    logging.getLogger("lm_eval").setLevel(harness)
    transformers_logging.set_verbosity(verbosity)
    transformers_logging.enable_progress_bar()


def run(name: str, *options: str) -> str:
    """What `python -m benchmarks.<name>` prints, run in this process: most of its time goes into imports."""
    command = import_module(f"benchmarks.{name}").main
    assert isinstance(command, click.Command)
    result = CliRunner().invoke(command, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def row(output: str, first: str) -> list[str]:
    """The cells after the first one, in the table row whose first cell is `first`."""
    (line,) = [line for line in output.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def assert_positive(cells: Sequence[str]) -> None:
    for cell in cells:
        assert float(cell.replace(",", "").removesuffix("%")) > 0, cells


SMALL_STEP = ("--setting", "vocabulary 4 k", "--rounds", "1", "--batch", "1", "--length", "16")


@pytest.mark.usefixtures("_alone")
def test_step() -> None:
    output = run("step", *SMALL_STEP)
    for name in ("none", "static", "static, cached", "ema", "naive loop, static", "naive loop, ema"):
        assert_positive(row(output, name)[:2])


def test_sections() -> None:
    """The table of made-up times; test_end_to_end.py runs the benchmark in a finished project."""
    trainer: Any = None
    sections = {
        "none": of_sections.Section(trainer, flops=100.0, watching=0.0),
        "budgeted": of_sections.Section(trainer, 150.0, watching=0.5),
    }
    results = {
        "none": Measured([1.0, 2.0, 4.0], peak=2_000_000, resident=1_000_000),
        "budgeted": Measured([1.0, 2.5, 3.5], peak=3_000_000, resident=1_500_000),
    }
    # With half a second of watching, 1.5, 3.0 and 4.0 s: 1.5, 1.5 and 1.0 times those of the rounds.
    assert list(of_sections.rows(sections, results)) == [
        ["none", "2000", "1.00", "1.00", "1.00", "2.0", "+0.00"],
        ["budgeted", "3000", "1.50", "1.50", "1.00", "3.0", "+0.50"],
    ]


@pytest.mark.skipif(find_spec("trl") is None, reason="needs TRL, of the extra `benchmark`")
@pytest.mark.usefixtures("_alone")
def test_step_of_trl() -> None:
    assert_positive(row(run("step", *SMALL_STEP), "TRL GKD, static")[:2])


@pytest.fixture
def ran(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> Path:
    """What a benchmark on real reports reads of a run."""
    save_base(random_qwen2(tokenizer), tokenizer, tmp_path / "models/base")
    report = {"description": "Клетки.", "category": "II", "conclusion": "Узел."}
    write_jsonl(tmp_path / "data/prepared/corpus/train.jsonl", [report] * 2)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("_alone")
def test_peers(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)
    command = import_module("benchmarks.peers").main
    result = CliRunner().invoke(command, ["--project", str(ran), "--rounds", "1", "--batch", "2"])
    assert "TRL is not installed: pip install -e '.[benchmark]'." in str(result.exception)


@pytest.mark.skipif(find_spec("trl") is None, reason="needs TRL, of the extra `benchmark`")
@pytest.mark.usefixtures("_alone")
def test_peers_of_trl(ran: Path) -> None:
    output = run("peers", "--project", str(ran), "--rounds", "1", "--batch", "2")
    losses = [float(row(output, name)[0]) for name in ("none", "TRL SFT")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert_positive(row(output, "TRL GKD")[1:])


@pytest.mark.usefixtures("_alone")
def test_real_size(tmp_path: Path) -> None:
    small = ["--layers", "1", "--vocabulary", "512", "--length", "16", "--threads", "1"]
    output = run("real_size", *small, "--folder", str(tmp_path))
    for phase in ("step: teacher's forward", "step: backward", "step: optimizer, average"):
        assert len(row(output, phase)) == 2
    # Between two steps, memory holds weights and averages, and the calculation covers them all.
    calculated = float(row(output, "**between steps**")[0])
    measured = next(line for line in output.splitlines() if line.startswith("| measured |"))
    assert float(measured.split("|")[2]) == pytest.approx(calculated, rel=0.05)


@pytest.mark.usefixtures("_alone")
def test_gpu() -> None:
    """On a CPU: the parts that need no CUDA."""
    small = ["--device", "cpu", "--layers", "1", "--vocabulary", "512", "--batches", "1", "--length", "16"]
    output = run("gpu", *small, "--subjects", "1", "--questions", "1", "--mmlu-batch", "1")
    for arm in ("none", "cached", "ema"):
        assert_positive(row(output, arm)[:3])
    assert "MMLU 5-shot: 1 x 1 questions" in output


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("task", ["mmlu", "mmlu_continuation"])
def test_mmlu(tmp_path: Path, task: str) -> None:
    for subject in SUBJECTS:
        for split, rows in (("dev", 5), ("test", 1)):
            lines = [f"Which number is {number} ({subject})?,1,2,3,4,{'ABCD'[number % 4]}" for number in range(rows)]
            (tmp_path / split).mkdir(exist_ok=True)
            (tmp_path / split / f"{subject}_{split}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    output = run(
        "mmlu", "--mmlu", str(tmp_path), "--task", task, "--subjects", "2", "--questions", "1", "--batch-size", "2"
    )
    assert_positive(row(output, "all"))
    assert "Identical predictions: 2 of 2" in output


def test_statistics() -> None:
    output = run("statistics", "--experiments", "2", "--seeds", "3")
    assert output.count("| bits per byte, 200 texts |") == 3
    assert_positive(row(output, "smallest detectable"))


def test_corpus(tmp_path: Path) -> None:
    """On its own, since it starts processes."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.corpus", "--reports", "100,200", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for size in ("100", "200"):
        assert_positive(row(done.stdout, size)[1:4])


@pytest.mark.parametrize("engine", list(ENGINES))
def test_deidentification(engine: str) -> None:
    missing = [module for module in ENGINES[engine][0] if find_spec(module) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}, of the extra `benchmark`")
    output = run("deidentification", "--reports", "20", "--engines", engine)
    assert_positive(row(output, "all"))


def test_tagger(tmp_path: Path) -> None:
    options = ("--reports", "40", "--out", str(tmp_path))
    output = run("tagger", "--epochs", "1", *options)
    assert_positive(row(output, "rules")[2:4])
    assert [Network.load(file).made["seed"] for file in sorted(tmp_path.iterdir())] == ["0", "1"]
    # The weights are measured as they are kept.
    assert output.endswith(run("tagger", "--measure", *options))


def test_deidentification_of_the_second_labelled_set() -> None:
    """Cleaning moves the labels with the texts; the tags have their own table."""
    raw, cleaned = (
        run("deidentification", "--labelled", "dev", "--engines", "rules", "--tags", *option)
        for option in (["--raw"], [])
    )
    assert row(raw, "all")[0] == row(cleaned, "all")[0]
    assert int(row(raw, "broken")[0]) >= 20
    assert row(raw, "broken")[1] <= row(cleaned, "broken")[1]


def test_cleaned_labels() -> None:
    """Each label covers the same letters and digits after cleaning, except what a hyphen at a line end joins."""
    for report in heldout_reports("dev"):
        moved = cleaned(report)
        assert len(moved.identifiers) == len(report.identifiers)
        for before, after in zip(report.identifiers, moved.identifiers, strict=True):
            assert moved.text[after.start : after.end] == clean(report.text[before.start : before.end])[0]


def test_reruns() -> None:
    """How its table is made; the whole takes half an hour."""
    ran = of_stages(
        [
            "needs",
            "fisher",
            "inputs@ema",
            "inputs@ewc",
            "train@ewc-0",
            "evaluate_general@ewc-0",
            "evaluate_domain@ema-0",
        ]
    )
    assert ran == Rerun(shared=["fisher"], trained=["ewc"], measured=["ema"])
    assert ran.is_that_of(Change("fisher.documents", 8, ("ewc",), ("ema",)), ["ema", "ewc"])
    assert not ran.is_that_of(Change("fisher.documents", 8, ("ewc",)), ["ema", "ewc"])
    assert not ran.is_that_of(Change("fisher.documents", 8, None, ("ema",)), ["ema", "ewc"])
    for change in CHANGES:
        value = read_yaml(ROOT / change.file)
        for part in change.key.split("."):
            value = value[part]
        assert value != change.value, change.key
        assert set(change.trained or ()) <= set(METHODS)


def test_every_benchmark_has_its_test_and_its_line_in_the_readme() -> None:
    listed = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for file in (ROOT / "benchmarks").glob("[!_]*.py"):
        assert f"test_{file.stem}" in globals(), file
        assert f"python -m benchmarks.{file.stem}" in listed, file
