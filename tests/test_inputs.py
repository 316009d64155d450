"""What a method reads of the inputs that methods share, and what becomes stale when one of them changes."""

import importlib
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from dvc.repo import Repo

from anamnesis.errors import InputError
from anamnesis.files import write_json, write_jsonl
from anamnesis.hashes import checked_inputs, digest
from anamnesis.methods.inputs import HELD_OUT_FILES, TRAINING_FILES, inputs_of, needed, own_files
from anamnesis.publishing.repository import Repository
from anamnesis.settings.budget import Budget
from anamnesis.settings.fisher import FisherText
from anamnesis.settings.methods import Method
from anamnesis.settings.penalties import EWC, L2SP, Penalties
from anamnesis.settings.reading import read_experiment
from anamnesis.settings.replay import Replay
from anamnesis.settings.tokens import Tokens
from stages import _plan, _stage
from tests.project import Project

NONE, STATIC = Method(teacher="none"), Method(teacher="static", kl_weight=0.1)
ELASTIC = Method(teacher="none", penalties=Penalties(ewc=EWC(10.0)))
HELD = Method(teacher="none", penalties=Penalties(l2_sp=L2SP(0.1)))
MASKED = Method(teacher="none", tokens=Tokens(keep_share=0.5))
BUDGETED = Method(teacher="none", budget=Budget(every_steps=2, nats=1.0))
REPLAYING = Method(teacher="none", replay=Replay(source="general", share=0.2))
REHEARSING = Method(teacher="none", replay=Replay(source="generated", share=0.2))
EXAMPLES = "data/domains/multitask.jsonl"
MULTITASK = Method(teacher="none", replay=Replay(source="multitask", share=0.2, path=EXAMPLES))
BOTH = Method(teacher="static", kl_weight=0.1, penalties=Penalties(ewc=EWC(10.0)))
GENERAL = FisherText(text="general", documents=10, labels="data", seed=0)
GENERATED = FisherText(text="generated", documents=10, labels="data", seed=0)


def test_a_method_reads_what_its_parts_need() -> None:
    assert inputs_of(NONE) == inputs_of(HELD) == []
    assert inputs_of(STATIC) == ["teacher"]
    assert inputs_of(ELASTIC) == ["fisher"]
    assert inputs_of(MASKED) == ["teacher"]
    assert inputs_of(BUDGETED) == ["monitor"]
    assert inputs_of(REPLAYING) == ["general_text", "held_out_text", "base_text"]
    assert inputs_of(REHEARSING) == ["rehearsal", "held_out_text", "base_text"]
    assert inputs_of(BOTH) == ["teacher", "fisher"]
    assert inputs_of(MULTITASK) == ["held_out_text", "base_text"]
    assert own_files(MULTITASK) == {"examples": Path(EXAMPLES)}
    assert own_files(REPLAYING) == own_files(NONE) == {}


def test_what_an_input_is_made_from_is_needed_with_it() -> None:
    assert needed([NONE, HELD], GENERATED) == set()
    assert needed([NONE, ELASTIC], GENERAL) == {"fisher"}
    assert needed([NONE, BUDGETED], GENERATED) == {"monitor"}
    assert "rehearsal" in needed([NONE, REHEARSING], GENERAL)
    assert "rehearsal" not in needed([NONE, REPLAYING], GENERAL)
    assert needed([NONE, ELASTIC], GENERATED) == {"fisher", "rehearsal"}


def test_a_training_refuses_an_input_that_its_method_did_not_name(tmp_path: Path) -> None:
    paths = {"fisher": tmp_path / "fisher", "teacher": tmp_path / "teacher"}
    for name, path in paths.items():
        path.write_text(name, encoding="utf-8")
    write_json(tmp_path / "inputs.json", {"fisher": digest(paths["fisher"])})
    assert checked_inputs(tmp_path / "inputs.json", paths) == {"fisher": paths["fisher"]}
    paths["teacher"].write_text("another", encoding="utf-8")
    checked_inputs(tmp_path / "inputs.json", paths)
    paths["fisher"].write_text("another", encoding="utf-8")
    with pytest.raises(InputError, match="fisher has changed since the stage `inputs` read it"):
        checked_inputs(tmp_path / "inputs.json", paths)


# ---- In DVC's eyes ---------------------------------------------------------------------------------------------------


METHODS = ["none", "static", "ema", "ewc", "budgeted", "replay", "rehearsal", "multitask"]
INPUTS = [f"inputs@{method}" for method in METHODS]


class Pipeline:
    """A checkout whose stages are all up to date, though only `needs` and `inputs` ever ran: the rest is made up."""

    def __init__(self, folder: Path, methods: Sequence[str] = METHODS) -> None:
        self.project = Project(folder)
        self.repository = Repository(folder)
        self.change("params.yaml", {"methods": list(methods)})
        self.write_examples("first")
        self.outputs = self.repository.outputs_by_stage()
        for stage in self.outputs:
            self.make_up(stage, "first")
        for stage in ("needs", *(f"inputs@{method}" for method in methods)):
            self.command(stage)
        self.commit()
        self.project.commit("all stages are up to date")
        assert self.stale() == set()

    def change(self, file: str, changes: dict[str, Any]) -> None:
        self.project.change(file, changes)

    def write_examples(self, completion: str) -> None:
        write_jsonl(self.project.folder / EXAMPLES, [{"prompt": "", "completion": completion}])

    def make_up(self, stage: str, content: str) -> None:
        """Outputs as if the stage had run: folders hold one file, and that of the domains those of one domain."""
        for output in self.outputs[stage]:
            path = self.project.folder / output.path
            files = [path if path.suffix else path / "index.json"]
            if stage == "domains":
                files += [path / "symptoms" / name for name in {*TRAINING_FILES, *HELD_OUT_FILES}]
            for file in files:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"{stage}: {content}", encoding="utf-8")

    def command(self, stage: str) -> None:
        """In this process, which has the libraries loaded."""
        name, _, method = stage.partition("@")
        main = importlib.import_module(f"stages.{name}").main
        with chdir(self.project.folder), patch.object(_stage, "ROOT", self.project.folder):
            main(["--method", method] if method else [], standalone_mode=False)

    def commit(self, *stages: str) -> None:
        """Their outputs are up to date; without any, those of all stages."""
        with chdir(self.project.folder), Repo() as repo, repo.lock:
            # `repo.commit` of one stage after another reads all of dvc.yaml each time.
            chosen = [one for one in repo.index.stages if not stages or one.addressing in stages]
            for one in chosen:
                one.save()
                one.commit()
            chosen[0].dvcfile.dump_stages(chosen, update_pipeline=False)

    def run(self, *stages: str) -> None:
        """As `dvc repro` does: those that are stale. None of them may be so because of another."""
        stale = self.stale()
        ran = [stage for stage in stages if stage in stale]
        for stage in ran:
            self.command(stage)
        if ran:
            self.commit(*ran)

    def pretend(self, stage: str, content: str) -> None:
        """The stage runs and writes `content`."""
        self.make_up(stage, content)
        self.commit(stage)

    def restore(self) -> None:
        """Back to where all stages are up to date."""
        self.project.run("git", "checkout", "--quiet", "--force", "HEAD")
        self.write_examples("first")
        with chdir(self.project.folder), Repo() as repo:
            repo.checkout(force=True)

    def stale(self) -> set[str]:
        return set(self.repository.stale_stages()) - {"check", "summarize"}

    def planned(self, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        """What `make repro` says that it will run."""
        monkeypatch.setattr(_plan, "ROOT", self.project.folder)
        with chdir(self.project.folder):
            return _plan.planned_stages(read_experiment(self.project.folder)) - {"check", "summarize"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline(tmp_path_factory.mktemp("pipeline") / "project")


@pytest.fixture
def pipeline(made: Pipeline) -> Pipeline:
    made.restore()
    return made


def branch(method: str) -> set[str]:
    return {f"{stage}@{method}-0" for stage in ("train", "evaluate_general", "evaluate_domain")}


def test_another_fisher_information_makes_the_ewc_branch_stale(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.change("params.yaml", {"fisher.documents": 20})
    assert pipeline.stale() == {"needs", "fisher"}
    assert pipeline.planned(monkeypatch) == {"needs", "fisher", "inputs@ewc", *branch("ewc")}
    pipeline.run("needs")
    assert pipeline.stale() == {"fisher"}
    pipeline.pretend("fisher", "of 20 documents")
    assert pipeline.stale() == set(INPUTS)
    pipeline.run(*INPUTS)
    assert pipeline.stale() == {"train@ewc-0"}


def test_the_decay_of_ema_makes_the_ema_branch_stale(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.change("params.yaml", {"ema.decay": 0.5})
    assert pipeline.stale() == {"needs", "inputs@ema", "train@ema-0"}
    assert pipeline.planned(monkeypatch) == {"needs", "inputs@ema", *branch("ema")}
    pipeline.run("needs", "inputs@ema")
    assert pipeline.stale() == {"train@ema-0"}


def test_other_states_of_the_teacher_make_the_static_branch_stale(pipeline: Pipeline) -> None:
    pipeline.pretend("teacher", "of other reports")
    assert pipeline.stale() == set(INPUTS)
    pipeline.run(*INPUTS)
    assert pipeline.stale() == {"train@static-0"}


def test_another_monitor_makes_the_branches_with_a_budget_stale(pipeline: Pipeline) -> None:
    pipeline.change("profiles/tiny.yaml", {"monitor.seed": 9})
    assert pipeline.stale() == {"monitor"}
    pipeline.pretend("monitor", "of another seed")
    assert pipeline.stale() == set(INPUTS)
    pipeline.run(*INPUTS)
    assert pipeline.stale() == {"train@budgeted-0"}


def test_other_examples_make_the_branch_that_learns_from_them_stale(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.write_examples("second")
    # The stage `domains` depends on their folder, and writes what it wrote before.
    assert pipeline.stale() == {"domains", *INPUTS}
    assert pipeline.planned(monkeypatch) == {"domains", *INPUTS, *branch("multitask")}
    pipeline.commit("domains")
    pipeline.run(*INPUTS)
    assert pipeline.stale() == {"train@multitask-0"}


def test_a_new_method_makes_only_its_own_stages_stale(pipeline: Pipeline) -> None:
    pipeline.change("params.yaml", {"mine": {"teacher": "none", "penalties": {"l2_sp": {"weight": 1.0}}}})
    assert pipeline.stale() == {"needs"}
    pipeline.change("params.yaml", {"methods": [*METHODS, "mine"]})
    assert pipeline.stale() == {"needs", "teacher", "inputs@mine", *branch("mine")}
    pipeline.run("needs")
    pipeline.commit("teacher")
    assert pipeline.stale() == {"inputs@mine", *branch("mine")}


def test_a_method_that_begins_to_need_an_input_makes_it_stale(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the last method with ewc to none, and back."""
    pipeline.change("params.yaml", {"ewc.penalties": {"l2_sp": {"weight": 1.0}}})
    assert {"fisher", "inputs@ewc"} <= pipeline.planned(monkeypatch)
    assert not branch("none") & pipeline.planned(monkeypatch)
    pipeline.run("needs")
    assert pipeline.stale() == {"fisher", "inputs@ewc", "train@ewc-0"}
    pipeline.change("params.yaml", {"none.penalties": {"ewc": {"weight": 1.0}}})
    pipeline.run("needs")
    assert pipeline.stale() == {"inputs@ewc", "train@ewc-0", "inputs@none", "train@none-0"}


def test_text_that_the_base_writes_matters_to_those_that_read_it(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.change("profiles/tiny.yaml", {"rehearsal_text.seed": 9})
    assert pipeline.stale() == {"rehearsal"}
    # The monitor's texts must not be among them.
    watched = {"monitor", "inputs@budgeted", *branch("budgeted")}
    expected = {"rehearsal", "inputs@rehearsal", *branch("rehearsal"), *watched}
    assert pipeline.planned(monkeypatch) == expected
    pipeline.change("params.yaml", {"fisher.text": "generated", "fisher.documents": 6})
    assert pipeline.planned(monkeypatch) == {*expected, "needs", "fisher", "inputs@ewc", *branch("ewc")}
    pipeline.pretend("rehearsal", "of another seed")
    pipeline.run(*INPUTS)
    assert {"train@rehearsal-0"} == {name for name in pipeline.stale() if name.startswith("train")}


def test_text_that_is_not_replayed_matters_to_a_replay_alone(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.change("profiles/tiny.yaml", {"base_text.seed": 9})
    trained = {name for name in pipeline.planned(monkeypatch) if name.startswith("train")}
    assert {"train@replay-0", "train@rehearsal-0"} <= trained
    assert not trained & {"train@none-0", "train@static-0", "train@ema-0"}


def test_another_file_of_a_domain_makes_the_chains_branch_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(tmp_path / "project", ["none", "chain"])
    both = {"inputs@none", "inputs@chain"}
    pipeline.change("params.yaml", {"domains.symptoms.path": "data/domains/other.jsonl"})
    assert pipeline.stale() == {"needs", "domains"}
    expected = {"needs", "domains", "inputs@chain", *branch("chain"), "evaluate_base_domain"}
    assert pipeline.planned(monkeypatch) == expected
    pipeline.run("needs")
    assert pipeline.stale() == {"domains"}
    pipeline.pretend("domains", "of another file")
    assert pipeline.stale() == {*both, "evaluate_base_domain"}
    pipeline.run(*both)
    assert pipeline.stale() == {"train@chain-0", "evaluate_domain@chain-0", "evaluate_base_domain"}


def test_domains_are_prepared_only_if_a_method_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline(tmp_path / "project", ["none"])
    assert pipeline.project.json("data/prepared/needs/domains.json") == []
    pipeline.command("domains")
    assert pipeline.project.json("data/prepared/domains/index.json") == []
    pipeline.restore()
    pipeline.change("params.yaml", {"domains.symptoms.seed": 1})
    assert pipeline.planned(monkeypatch) == {"needs", "domains"}
    pipeline.change("params.yaml", {"none.domains": ["symptoms", "corpus"]})
    pipeline.run("needs")
    assert pipeline.project.json("data/prepared/needs/domains.json") == ["symptoms"]
    assert "domains" in pipeline.stale()
