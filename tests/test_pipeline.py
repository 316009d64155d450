"""dvc.yaml tested as code: it declares what a stage reads, and what it declares exists."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import dvc.api
import networkx
import pytest
import yaml
from dvc.repo import Repo

from anamnesis.methods.inputs import READ_BY
from anamnesis.settings.experiment import PLAIN, SCALE, SCIENCE
from anamnesis.settings.replay import FOLDER
from anamnesis.settings.sections import read_yaml
from stages import _paths
from stages._stage import Parameters
from stages.teacher import CODE
from tests.conftest import ROOT

PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES: dict[str, Any] = PIPELINE["stages"]
PARAMS = read_yaml(ROOT / "params.yaml")


@pytest.fixture(scope="module")
def repo() -> Repo:
    with Repo(str(ROOT)) as repo:
        yield repo


# ---- Code --------------------------------------------------------------------------------------------------------


def path_of(module: str) -> Path | None:
    """The file of a first-party module."""
    for root in (ROOT / "src", ROOT):
        for path in (root / f"{module.replace('.', '/')}.py", root / module.replace(".", "/") / "__init__.py"):
            if path.is_file():
                return path
    return None


@cache
def imported_by(path: Path) -> frozenset[Path]:
    """First-party files that one file imports, including each package on the way."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    if path.name in ("harness.py", "definitions.py"):
        # The harness imports what its task files name.
        for task in (path.parent / "tasks").rglob("*yaml"):
            modules |= set(re.findall(r"!function ([\w.]+)\.\w+", task.read_text(encoding="utf-8")))
    files = {path_of(".".join(module.split(".")[: i + 1])) for module in modules for i in range(module.count(".") + 1)}
    return frozenset(file for file in files if file is not None)


def all_imported_by(path: Path) -> set[Path]:
    reached, todo = set(), [path]
    while todo:
        file = todo.pop()
        if file not in reached:
            reached.add(file)
            todo += imported_by(file)
    return reached


def is_only_a_docstring(path: Path) -> bool:
    return all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text(encoding="utf-8")).body)


def command_module(stage: str) -> Path:
    module = re.sub(r"^(python|\$\{launch\}) -m ", "", STAGES[stage]["cmd"]).split()[0]
    path = path_of(module)
    assert path is not None, module
    return path


@pytest.mark.parametrize("stage", STAGES)
def test_every_module_a_stage_imports_is_a_dependency(stage: str) -> None:
    declared = [ROOT / dep for dep in STAGES[stage]["deps"]]
    for file in all_imported_by(command_module(stage)):
        covered = any(file == dep or dep in file.parents for dep in declared)
        assert covered or is_only_a_docstring(file), f"{stage} imports {file.relative_to(ROOT)}"


@pytest.mark.parametrize("stage", STAGES)
def test_every_code_dependency_is_imported_or_below_an_imported_package(stage: str) -> None:
    """One dependency too many makes a stage stale for no reason."""
    imported = all_imported_by(command_module(stage))
    for dep in STAGES[stage]["deps"]:
        if dep.startswith(("src/", "stages/")):
            path = ROOT / dep
            assert path in imported or any(path in file.parents for file in imported), f"{stage} does not need {dep}"


def test_imports_run_one_way() -> None:
    rooms = {
        "corpus": {"torch", "transformers", "anamnesis.training", "anamnesis.evaluation", "anamnesis.modeling"},
        "analysis": {"torch", "anamnesis.training", "anamnesis.evaluation", "anamnesis.modeling"},
        "knowledge": {"torch", "transformers", "anamnesis.training", "anamnesis.corpus"},
        "publishing": {"torch", "anamnesis.training", "anamnesis.evaluation", "anamnesis.modeling"},
        "sweeping": {"torch", "anamnesis.training", "anamnesis.evaluation", "anamnesis.modeling"},
        "exporting": {"anamnesis.training", "anamnesis.analysis", "anamnesis.publishing"},
        "releasing": {"torch", "transformers", "anamnesis.training", "anamnesis.evaluation", "anamnesis.modeling"},
    }
    for room, forbidden in rooms.items():
        for file in (ROOT / "src" / "anamnesis" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
                for name in names:
                    assert not any(name == f or name.startswith(f + ".") for f in forbidden), f"{file}: {name}"
    for file in (ROOT / "src").rglob("*.py"):
        assert "stages" not in {p.parts[0] for p in (f.relative_to(ROOT) for f in imported_by(file))}, file


def test_tasks_of_the_harness_are_dependencies_of_the_evaluations() -> None:
    for stage in STAGES:
        if stage.startswith("evaluate"):
            assert "src/anamnesis/evaluation" in STAGES[stage]["deps"]


# ---- Data --------------------------------------------------------------------------------------------------------


def test_adapter_and_base_are_dependencies_of_every_evaluation() -> None:
    """Without them, an evaluation keeps the scores of an adapter that is gone."""
    for stage in ("evaluate_general", "evaluate_domain"):
        assert "models/adapters/${item.method}-${item.seed}" in STAGES[stage]["deps"]
    assert read_yaml(ROOT / "profiles/tiny.yaml")["model"]["source"] in STAGES["base"]["deps"]
    for stage in (
        "base_text",
        "teacher",
        "rehearsal",
        "fisher",
        "monitor",
        "train",
        *(name for name in STAGES if name.startswith("evaluate")),
    ):
        assert "models/base" in STAGES[stage]["deps"]


def test_only_measurements_on_reports_read_those_of_the_training_part() -> None:
    """A run may retrieve them; and every model, the base as well, is asked what it knows of them."""
    for path in (_paths.TRAINING_REPORTS, _paths.CANARIES):
        reading = [name for name, stage in STAGES.items() if str(path) in stage["deps"]]
        assert [name for name in reading if name.startswith("evaluate")] == ["evaluate_base_domain", "evaluate_domain"]


def test_what_methods_share_reaches_the_trainings_only_through_their_inputs() -> None:
    """The stage `inputs` depends on all of it, and `train` on what it wrote for the method."""
    deps = {name: {Path(dep) for dep in stage["deps"]} for name, stage in STAGES.items()}
    for path in (*_paths.SHARED_INPUTS.values(), Path(FOLDER)):
        assert deps["inputs"] & {path, path.parent}, path
        assert not deps["train"] & {path, path.parent}, path
    assert _paths.INPUTS / "${item.method}.json" in deps["train"]
    assert _paths.DOMAINS in deps["inputs"]
    assert not any(_paths.DOMAINS in {dep, *dep.parents} for name in ("train", "evaluate_domain") for dep in deps[name])
    assert _paths.INPUTS / "${item.method}.held_out.json" in deps["evaluate_domain"]
    assert READ_BY.keys() <= _paths.SHARED_INPUTS.keys()


def test_what_is_kept_of_the_teacher_is_named_by_the_code_that_it_depends_on() -> None:
    """The stage's dependencies but the settings, what all stages share, and two files that decide where and whether."""
    rooms = {Path("src/anamnesis") / room for room in ("methods", "modeling", "training")}
    code = {Path(dep) for dep in STAGES["teacher"]["deps"] if rooms & set(Path(dep).parents)}
    elsewhere = {Path("src/anamnesis/methods/keeping.py"), Path("src/anamnesis/training/checkpoints.py")}
    assert elsewhere < code
    assert set(CODE) == code - elsewhere | {Path("src/anamnesis/rendering.py")}


def test_only_measurements_on_reports_depend_on_the_split_and_read_no_other_part() -> None:
    for name, stage in STAGES.items():
        on_reports = name in ("evaluate_domain", "evaluate_base_domain")
        assert ("split" in stage["params"]) == (on_reports or name == "check")
        parts = [dep for dep in stage["deps"] if dep.startswith("data/prepared/corpus/") and dep.endswith(".jsonl")]
        assert ("data/prepared/corpus/${split}.jsonl" in parts) == on_reports
        # The best point of a training is chosen on a few reports of the validation split.
        own = {"validation.jsonl"} if name == "monitor" else {"${split}.jsonl", "train.jsonl", "canaries.jsonl"}
        assert {dep.removeprefix("data/prepared/corpus/") for dep in parts} <= own
    assert PARAMS["split"] == "validation"


def test_the_paths_that_the_stages_use_are_those_of_the_map() -> None:
    """Every path in `_paths`, except scratch, is an output or a dependency in dvc.yaml, or a folder that holds one."""
    declared: set[Path] = set()
    for stage in STAGES.values():
        for entry in [*stage["deps"], *stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]:
            declared.add(Path(next(iter(entry)) if isinstance(entry, dict) else entry))
    named = {name: path for name, path in vars(_paths).items() if isinstance(path, Path) and name != "SCRATCH"}
    assert len(named) > 12
    for name, path in named.items():
        assert any(path == other or path in other.parents for other in declared), name
    for file in (ROOT / "stages").glob("*.py"):
        if file.name != "_paths.py":
            assert not re.search(r"[\"'](data|models|metrics)/", file.read_text(encoding="utf-8")), file.name


def test_every_stage_says_what_it_does_and_none_switches_the_run_cache_off() -> None:
    for name, stage in STAGES.items():
        assert stage["desc"].endswith("."), name
        assert not stage.get("always_changed"), name
        for out in stage.get("outs", []):
            assert not (isinstance(out, dict) and any(o.get("persist") for o in out.values())), name


def test_patient_text_stays_under_data() -> None:
    """Outputs kept in Git hold numbers and pictures; what may hold a report's text is under data/ or models/."""
    for name, stage in STAGES.items():
        for out in [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]:
            path, options = next(iter(out.items())) if isinstance(out, dict) else (out, {})
            in_git = options.get("cache") is False
            assert path.startswith(("metrics/", "reports/")) == in_git, f"{name}: {path}"
            assert in_git or path.startswith(("data/", "models/")), f"{name}: {path}"


# ---- Parameters --------------------------------------------------------------------------------------------------


def declared_keys(stage: str) -> tuple[set[str], set[str]]:
    """Keys of params.yaml and of the profile that a stage declares; the whole file is `*`."""
    science, scale = set(), set()
    for entry in STAGES[stage]["params"]:
        if isinstance(entry, str):
            science |= set(PARAMS["methods"]) if entry == "${item.method}" else {entry}
        elif "params.yaml" in entry:
            assert entry["params.yaml"] is None
            science.add("*")
        else:
            scale |= set(entry["profiles/${profile}.yaml"])
    return science, scale


def test_every_declared_key_exists() -> None:
    for stage in STAGES:
        science, scale = declared_keys(stage)
        for key in science - {"*"}:
            values: Any = PARAMS
            for part in key.split("."):
                values = values[part]
        for key in scale:
            name, _, part = key.partition(".")
            assert name in SCALE, stage
            assert not part or part in SCALE[name].__dataclass_fields__, stage


def test_every_existing_key_is_declared_by_a_stage_that_uses_it() -> None:
    """`check` does not count: it reads keys only to refuse them. The keys in PLAIN are used by dvc.yaml itself."""
    users = [declared_keys(stage) for stage in STAGES if stage != "check"]
    science = {key.split(".")[0] for keys, _ in users for key in keys}
    scale = {key.split(".")[0] for _, keys in users for key in keys}
    # Of the sections that describe methods, those in `methods` are the experiment's.
    described = {name for name, content in PARAMS.items() if isinstance(content, dict) and "teacher" in content}
    assert set(PARAMS["methods"]) <= described
    # `summarize` declares the whole file; one of these sections is its own, the other is that of `make export`.
    assert "*" in science
    assert PARAMS.keys() - described <= science | set(PLAIN) | {"verdict", "export"}
    assert PARAMS.keys() == {*PLAIN, *SCIENCE, *described}
    assert scale == SCALE.keys()


def test_only_training_and_evaluation_are_launched_in_several_processes() -> None:
    for name, stage in STAGES.items():
        launched = stage["cmd"].startswith("${launch} -m")
        assert launched == name.startswith(("train", "evaluate")), name


@pytest.mark.parametrize("stage", [s for s in STAGES if s not in ("check", "needs", "summarize")])
def test_a_stage_asks_for_exactly_the_sections_it_declares(stage: str) -> None:
    code = [command_module(stage), ROOT / "stages" / "_evaluate.py"]
    asked = set()
    for file in code if stage.startswith("evaluate") else code[:1]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
            if called in ("section", "value"):
                argument = node.args[0]
                asked |= {argument.value} if isinstance(argument, ast.Constant) else set(PARAMS["methods"])
    science, scale = declared_keys(stage)
    assert asked == science | scale


def test_a_stage_gets_what_dvc_shows_as_its_parameters() -> None:
    for stage in ("corpus", "teacher", "inputs@ema", "train@ema-0", "evaluate_domain@none-1", "summarize"):
        assert Parameters(stage).values == dvc.api.params_show(stages=stage, repo=str(ROOT)), stage


# ---- What DVC makes of it ----------------------------------------------------------------------------------------


def test_the_parameter_ema_decay_makes_exactly_the_ema_branch_stale(repo: Repo) -> None:
    users = {
        stage.addressing
        for stage in repo.index.stages
        for dep in stage.deps
        if getattr(dep, "params", None) and str(dep.fs_path).endswith("params.yaml") and "ema" in dep.params
    }
    assert users == {"inputs@ema", *(f"train@ema-{seed}" for seed in PARAMS["seeds"])}
    downstream = {stage.addressing for user in users for stage in _downstream(repo, user)}
    expected = {
        f"{stage}@ema-{seed}" for stage in ("train", "evaluate_general", "evaluate_domain") for seed in PARAMS["seeds"]
    }
    assert downstream == expected | {"inputs@ema", "summarize"}


def _downstream(repo: Repo, name: str) -> list[Any]:
    graph = repo.index.graph
    (node,) = [stage for stage in graph if stage.addressing == name]
    return [node, *networkx.ancestors(graph, node)]


def test_the_summary_is_the_one_metric(repo: Repo) -> None:
    metrics = [out.def_path for stage in repo.index.stages for out in stage.outs if out.metric]
    assert metrics == ["metrics/summary.json"]


def test_lock_file_has_pins_and_no_addresses() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").split()
    assert "torch==2.13.0" in lines
    for line in lines:
        assert line.count("==") == 1, line
        assert "/" not in line, line
        assert "@" not in line, line


PAGES = ("data/domains/README.md", "data/review/README.md")


def test_git_ignores_whatever_is_put_under_data() -> None:
    for path in (
        "data/hospital.csv", "data/raw/reports.jsonl", "data/new/folder/x.xlsx", "data/evaluated/x.jsonl",
        "data/domains/task.jsonl", "data/domains/RuMedTop3/x.jsonl",
        "data/review/0123.json", "data/sample/page.html",
    ):  # fmt: skip
        assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT).returncode == 0, path
    for path in ("data/facts/countries.csv", "data/base/model.safetensors", *PAGES):
        assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT).returncode == 1


def test_nothing_private_or_large_is_tracked() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        if name.startswith(("data/", "models/")):
            shipped = name.startswith(("data/facts/", "data/base/")) or name in PAGES
            assert shipped or Path(name).name == ".gitignore", name
        largest = 5_000_000 if name == "data/base/model.safetensors" else 1_000_000
        assert (ROOT / name).stat().st_size < largest if (ROOT / name).exists() else True, name
    shipped = sum(file.stat().st_size for file in (ROOT / "data/base").iterdir())
    assert shipped < 5_000_000
