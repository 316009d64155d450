"""A release holds what was measured and no text of a report, and a changed byte in it is found."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from click.testing import CliRunner, Result
from dvc.repo import Repo
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from anamnesis.analysis.plots import CAPTIONS
from anamnesis.analysis.report import Context, Example, report
from anamnesis.analysis.summary import details
from anamnesis.exporting.record import RECORD, digests, made_from
from anamnesis.files import read_json, write_json, write_jsonl
from anamnesis.publishing.repository import Repository
from anamnesis.releasing import release as releasing
from anamnesis.releasing.checking import PROVENANCE, SUMS, VERDICT, check, sums_page
from anamnesis.releasing.contents import EXAMPLES
from anamnesis.releasing.leaks import IN_A_ROW, leaks
from anamnesis.settings.reading import read_experiment
from commands import release as command
from tests.checkout import commit, edit_text
from tests.conftest import ROOT
from tests.results import experiment
from tests.test_verdict import DOMAIN, EXAM

# By tests/test_verdict.py, `static` passes, `none` fails, and of `ema` too little is known.
RUN, NAME = "static-0", "fna-v1"
SECRET = "Пунктирован плотный узел левой доли, клетки фолликулярного эпителия лежат пластами, коллоида мало"
TEXTS = {
    "train": (SECRET, "Картина коллоидного узла с кистозной дегенерацией, контроль через шесть месяцев"),
    "validation": ("Скудный пунктат: кровь, единичные онкоциты, коллоида в присланном материале не видно", "Неясно"),
    "test": ("Много лимфоцитов среди крупных онкоцитов, фон из густого коллоида и макрофагов", "Тиреоидит"),
}
EXPORTED = {
    "README.md",
    "chat_template.jinja",
    "config.json",
    RECORD,
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}
AROUND = {
    "README.md",
    SUMS,
    PROVENANCE,
    VERDICT,
    "dvc.lock",
    "metrics/summary.json",
    "params.yaml",
    "profiles/tiny.yaml",
    "reports/capabilities.png",
    "reports/corpus.md",
    "reports/corpus.png",
    "reports/curves.png",
    "reports/report.md",
    "reports/tradeoff.png",
}


# ---- A finished experiment with exports ----------------------------------------------------------------------------


def record_export(project: Path, run: str) -> None:
    """Write export.json as `make export` does."""
    folder, values = project / "exports" / run, read_experiment(project).values
    account, results = (read_json(project / file) for file in ("data/prepared/account.json", "metrics/details.json"))
    base, adapter = project / "models/base/model.safetensors", project / "models/adapters" / run
    record = {
        "name": run,
        "form": "merged",
        "method": run[:-2],
        "model": run[:-2],
        "seed": 0,
        "dtype": "float16",
        "hub": {"name": "Qwen/Qwen2-1.5B", "revision": "8a16abf"},
        "made_from": asdict(made_from(base, adapter, values, account, results)),
        "files": digests(folder),
        "commit": "c0ffee",
        "packages": {"torch": "2.13.0"},
    }
    write_json(folder / RECORD, record)


def export(project: Path, run: str, tokenizer: PreTrainedTokenizerBase) -> None:
    folder = project / "exports" / run
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder)
    for name in ("config.json", "generation_config.json"):
        write_json(folder / name, {"model_type": "qwen2"})
    (folder / "chat_template.jinja").write_text("{{- messages[0]['content'] -}}")
    (folder / "README.md").write_text(f"# {run}\n")
    save_file({"weight": np.arange(8, dtype=np.float16)}, folder / "model.safetensors")
    record_export(project, run)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerBase) -> Path:
    """A checkout whose experiment was measured on the test split, and exported."""
    root = tmp_path_factory.mktemp("finished")
    for name in ("dvc.yaml", "requirements.lock", ".gitignore"):
        shutil.copy(ROOT / name, root)
    for name in ("profiles", "data/base", "data/facts"):
        shutil.copytree(ROOT / name, root / name)
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (root / "params.yaml").write_text(params.replace("\nsplit: validation\n", "\nsplit: test\n"), encoding="utf-8")
    (root / "dvc.lock").write_text("schema: '2.0'\n")
    (root / "src").mkdir()
    (root / "src/code.py").write_text("A = 1\n")
    commit(root, "start")
    found = experiment(EXAM, DOMAIN)
    limits = read_experiment(root).values["verdict"]
    write_json(root / "metrics/details.json", {"limits": limits, **details(found, {"split": "test"})})
    write_json(root / "metrics/summary.json", {"static": {"exam_acc": 0.85}})
    (root / "reports").mkdir()
    for name in ("capabilities", "tradeoff", "curves", "corpus"):
        (root / f"reports/{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (root / "reports/corpus.md").write_text("# The corpus\n\n3 reports.\n")
    captions = {name: name for name in CAPTIONS}
    examples = [Example(f"II. {SECRET}.", {"static": SECRET})]
    (root / "reports/report.md").write_text(report(found, Context({}, {"split": "test"}, captions, examples)))
    for part, (description, conclusion) in TEXTS.items():
        rows = [{"report": 1, "patient": 1, "description": description, "conclusion": conclusion, "category": "II"}]
        write_jsonl(root / f"data/prepared/corpus/{part}.jsonl", rows)
    write_json(root / "data/prepared/corpus/categories.json", {"label": "bethesda", "names": ["II"], "critical": []})
    write_json(root / "data/prepared/account.json", {"rows_in": 3})
    write_json(root / "data/prepared/domains/index.json", [])
    (root / "models/base").mkdir(parents=True)
    (root / "models/base/model.safetensors").write_bytes(b"base")
    for run in ("none-0", "static-0", "ema-0"):
        write_json(root / f"models/adapters/{run}/adapter_config.json", {"run": run})
        export(root, run, tokenizer)
    return root


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(finished, tmp_path / "project")
    monkeypatch.setattr(command, "ROOT", folder)
    monkeypatch.setattr(Repository, "stale_stages", lambda _: [])
    return folder


def release(run: str = RUN, name: str = NAME, *more: str) -> Result:
    return CliRunner().invoke(command.main, ["--run", run, "--name", name, *more])


def checked(folder: Path) -> Result:
    return CliRunner().invoke(command.main, ["--check", str(folder)])


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(project: Path, said: str, run: str = RUN, name: str = NAME, *more: str) -> str:
    """The sentence with which a release is refused; nothing is left of it."""
    before = files_of(project / "releases")
    done = release(run, name, *more)
    assert done.exit_code == 1, done.output
    assert said in done.output
    assert files_of(project / "releases") == before
    return done.output


# ---- What is in a release ----------------------------------------------------------------------------------------


def test_a_release_has_the_export_and_all_that_belongs_to_it(project: Path) -> None:
    done = release()
    assert done.exit_code == 0, done.output
    assert [path.name for path in (project / "releases").iterdir()] == [NAME]
    folder = project / "releases" / NAME
    assert files_of(folder).keys() == AROUND | {f"{RUN}/{name}" for name in EXPORTED}
    assert files_of(folder / RUN) == files_of(project / "exports" / RUN)
    for name in ("params.yaml", "profiles/tiny.yaml", "dvc.lock", "reports/corpus.md", "metrics/summary.json"):
        assert (folder / name).read_bytes() == (project / name).read_bytes()
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert "static: PASS\n  forgetting" in page
    verdict = read_json(folder / VERDICT)
    assert (verdict["arm"], verdict["verdict"], verdict["split"]) == ("static", "PASS", "test")
    assert all(reason in page for reason in verdict["reasons"])
    assert "PASS for `static` on the test split" in done.output
    assert hashlib.sha256((folder / SUMS).read_bytes()).hexdigest() in done.output
    assert f"dvc add releases/{NAME} && dvc push releases/{NAME}.dvc" in done.output
    assert f"gto register {NAME} --version v1.0.0" in done.output
    again = subprocess.run(["sha256sum", "--strict", "-c", SUMS], cwd=folder, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count(": OK\n") == len(AROUND) + len(EXPORTED) - 1


def test_the_report_goes_along_without_the_conclusions_that_it_shows(project: Path) -> None:
    assert release().exit_code == 0
    whole = (project / "reports/report.md").read_text(encoding="utf-8")
    kept = (project / "releases" / NAME / "reports/report.md").read_text(encoding="utf-8")
    assert SECRET in whole
    assert SECRET not in kept
    removed = EXAMPLES.findall(whole)
    assert len(removed) == 1
    assert removed[0].count("\n## ") == 0
    assert kept == whole.replace(removed[0], "")
    assert "## Training curves" in kept


def test_the_provenance_is_an_in_toto_statement_of_slsa(project: Path) -> None:
    assert release().exit_code == 0
    folder = project / "releases" / NAME
    said = read_json(folder / PROVENANCE)
    assert said.keys() == {"_type", "subject", "predicateType", "predicate"}
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://slsa.dev/provenance/v1"
    subjects = {one["name"]: one["digest"] for one in said["subject"]}
    assert subjects == {
        name: {"sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files_of(folder).items()
        if name not in (PROVENANCE, SUMS)
    }
    predicate = said["predicate"]
    assert predicate.keys() == {"buildDefinition", "runDetails"}
    definition = predicate["buildDefinition"]
    assert definition.keys() == {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}
    assert definition["externalParameters"] == {"run": RUN, "parameters": read_experiment(project).values}
    assert definition["internalParameters"]["export"]["commit"] == "c0ffee"
    assert predicate["runDetails"]["builder"]["id"]
    needed = {one["name"]: one for one in definition["resolvedDependencies"]}
    assert all(one.keys() & {"uri", "digest"} for one in needed.values())
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True).stdout.strip()
    assert needed["code"]["digest"] == {"gitCommit": head}
    assert needed["base"]["uri"] == "pkg:huggingface/Qwen/Qwen2-1.5B@8a16abf"
    assert needed["base"]["digest"] == {"sha256": hashlib.sha256(b"base").hexdigest()}
    for part in TEXTS:
        file = f"data/prepared/corpus/{part}.jsonl"
        assert needed[file]["digest"] == {"sha256": hashlib.sha256((project / file).read_bytes()).hexdigest()}
    assert needed["torch"]["uri"].startswith("pkg:pypi/torch@2")
    assert needed["lm_eval"]["uri"].startswith("pkg:pypi/lm-eval@")


def test_the_same_experiment_gives_the_same_release(project: Path) -> None:
    assert release().exit_code == 0
    first = files_of(project / "releases" / NAME)
    assert release(RUN, NAME, "--replace").exit_code == 0
    assert files_of(project / "releases" / NAME) == first


# ---- Checking ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release by itself, away from the project."""
    root = shutil.copytree(finished, tmp_path_factory.mktemp("made") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "ROOT", root)
        patch.setattr(Repository, "stale_stages", lambda _: [])
        assert release().exit_code == 0
    return root / "releases" / NAME


@pytest.fixture
def copy(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "ROOT", tmp_path / "nowhere")
    return shutil.copytree(made, tmp_path / "copy")


def test_a_release_is_checked_without_the_project(copy: Path) -> None:
    done = checked(copy)
    assert done.exit_code == 0, done.output
    assert "each as SHA256SUMS and the provenance say" in done.output
    assert "PASS for `static` on the test split" in done.output


@pytest.mark.parametrize("name", sorted(AROUND - {SUMS}) + sorted(f"{RUN}/{name}" for name in EXPORTED))
def test_one_changed_byte_is_found_in_every_file(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    done = checked(copy)
    assert done.exit_code == 1
    assert f"{name}: was changed\n" in done.output


def test_one_changed_byte_is_found_in_the_checksums(copy: Path) -> None:
    content = (copy / SUMS).read_bytes()
    # In a digest, between digest and name, in a name, and at the end of a line.
    for position in (5, 64, 70, content.index(b"\n"), len(content) - 1):
        changed = bytearray(content)
        changed[position] ^= 1
        (copy / SUMS).write_bytes(changed)
        assert checked(copy).exit_code == 1, position


def test_files_that_are_missing_or_were_added_are_named(copy: Path) -> None:
    (copy / "dvc.lock").unlink()
    (copy / RUN / "config.json").unlink()
    (copy / RUN / "config.json").mkdir()
    (copy / "more").mkdir()
    (copy / "more" / "code.py").write_text("")
    os.mkfifo(copy / "pipe")
    found = set(check(copy).problems)
    assert {
        "dvc.lock: is missing",
        f"{RUN}/config.json: is a folder, not a file",
        "more/code.py: was added, SHA256SUMS does not name it",
        "pipe: is no plain file",
    } == found


def test_symbolic_links_are_refused_even_to_the_right_content(copy: Path, made: Path) -> None:
    (copy / "dvc.lock").unlink()
    (copy / "dvc.lock").symlink_to(made / "dvc.lock")
    shutil.rmtree(copy / "reports")
    (copy / "reports").symlink_to(made / "reports")
    problems = check(copy).problems
    assert "dvc.lock: is a symbolic link, and what it leads to can change" in problems
    assert "reports: is a symbolic link, and what it leads to can change" in problems
    (copy / SUMS).rename(copy / "sums")
    (copy / SUMS).symlink_to(copy / "sums")
    assert f"has no file {SUMS}" in checked(copy).output


def seal(folder: Path) -> None:
    """New checksums for what is there."""
    names = [name for name in files_of(folder) if name != SUMS]
    (folder / SUMS).write_text(
        sums_page({name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names})
    )


def test_new_checksums_do_not_hide_a_change_from_the_provenance(copy: Path) -> None:
    (copy / "metrics/summary.json").write_text('{"static": {"exam_acc": 0.99}}\n')
    (copy / "more.txt").write_text("")
    seal(copy)
    assert check(copy).problems == (
        "metrics/summary.json: provenance.json and SHA256SUMS do not name the same content",
        "more.txt: provenance.json and SHA256SUMS do not name the same content",
    )
    said = read_json(copy / PROVENANCE)
    write_json(copy / PROVENANCE, {**said, "predicateType": "https://slsa.dev/provenance/v0.2"})
    seal(copy)
    assert "provenance.json: is not an in-toto statement v1 with SLSA provenance v1" in check(copy).problems
    (copy / PROVENANCE).write_text("[]")
    seal(copy)
    assert check(copy).problems == ("provenance.json: is no in-toto statement",)
    (copy / PROVENANCE).unlink()
    seal(copy)
    assert check(copy).problems == ("provenance.json: there is none, and nothing says from what the release was made",)


@pytest.mark.parametrize("outcome", ["FAIL", "NOT ENOUGH EVIDENCE"])
def test_a_release_whose_verdict_is_not_pass_is_refused_even_if_all_fits(copy: Path, outcome: str) -> None:
    write_json(copy / VERDICT, {**read_json(copy / VERDICT), "verdict": outcome})
    said = read_json(copy / PROVENANCE)
    for one in said["subject"]:
        if one["name"] == VERDICT:
            one["digest"]["sha256"] = hashlib.sha256((copy / VERDICT).read_bytes()).hexdigest()
    write_json(copy / PROVENANCE, said)
    seal(copy)
    assert check(copy).problems == (f"verdict.json: the verdict on `static` is {outcome}, not PASS",)


def test_what_is_no_release_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        done = checked(folder)
        assert done.exit_code == 1
        assert "has no file SHA256SUMS: name the folder of a release" in done.output
    for text in ("", "\n", "no checksums\n", f"{'a' * 64}  x\n{'b' * 64}  x\n"):
        (tmp_path / SUMS).write_text(text)
        assert "is damaged: it must name every file once" in checked(tmp_path).output
    monkeypatch.setattr(command, "ROOT", tmp_path)
    done = CliRunner().invoke(command.main, ["--run", RUN])
    assert "give RUN and NAME" in done.output


# ---- Refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("run", "outcome"), [("none-0", "FAIL"), ("ema-0", "NOT ENOUGH EVIDENCE")])
def test_only_a_model_that_passes_is_released(project: Path, run: str, outcome: str) -> None:
    said = refused(project, f"the verdict on `{run[:-2]}` is {outcome}, and only PASS is released: forgetting", run)
    reasons = read_json(project / "metrics/details.json")["verdicts"][run[:-2]]["reasons"]
    assert all(reason in said for reason in reasons)
    assert not (project / "releases").exists()


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    value = read_json(path)
    change(value)
    write_json(path, value)


def measured_on_validation(project: Path) -> None:
    edit(project / "metrics/details.json", lambda found: found["provenance"].update(split="validation"))


def other_results(project: Path) -> None:
    edit(project / "metrics/details.json", lambda found: found.update(capability="another"))


def other_parameters(project: Path) -> None:
    edit_text(project / "params.yaml", "max_kl_nats: 0.001", "max_kl_nats: 0.002")


def other_adapter(project: Path) -> None:
    write_json(project / "models/adapters" / RUN / "adapter_config.json", {})


def other_base(project: Path) -> None:
    (project / "models/base/model.safetensors").write_bytes(b"other")


def changed_export(project: Path) -> None:
    edit(project / "exports" / RUN / "config.json", lambda config: config.update(model_type="llama"))


def longer_export(project: Path) -> None:
    (project / "exports" / RUN / "modeling.py").write_text("")


def renamed_export(project: Path) -> None:
    shutil.rmtree(project / "exports" / RUN)
    shutil.copytree(project / "exports" / "none-0", project / "exports" / RUN)


def damaged_record(project: Path) -> None:
    (project / "exports" / RUN / RECORD).write_text("{")


def overwritten_record(project: Path) -> None:
    (project / "exports" / RUN / RECORD).write_bytes(b"\xff\xfe")


def older_record(project: Path) -> None:
    edit(project / "exports" / RUN / RECORD, lambda record: record.pop("files"))


REFUSALS: dict[str, tuple[Callable[[Path], object], str]] = {
    "on validation": (measured_on_validation, "of the validation split, on which the model was chosen"),
    "limits": (
        lambda root: edit(root / "metrics/details.json", lambda found: found["limits"].update(max_forgetting=0.9)),
        "`verdict` was changed after the last run",
    ),
    "no results": (lambda root: (root / "metrics/details.json").unlink(), "there is no metrics/details.json"),
    "no report": (
        lambda root: (root / "reports/report.md").unlink(),
        "there is no reports/report.md: run `make repro`",
    ),
    "changed code": (
        lambda root: (root / "src/code.py").write_text("A = 2\n"),
        "the code differs from the last commit (src/code.py): commit it",
    ),
    "new code": (lambda root: (root / "src/more.py").write_text(""), "the last commit (src/more.py)"),
    "changed pipeline": (lambda root: (root / "dvc.yaml").write_text("stages: {}\n"), "the last commit (dvc.yaml)"),
    "damaged index": (lambda root: (root / ".git/index").write_bytes(b"DIRC"), "git status failed in "),
    "no export": (lambda root: shutil.rmtree(root / "exports" / RUN), f"run `make export RUN={RUN}` first"),
    "another's export": (renamed_export, f"exports/{RUN} holds the export of `none-0`"),
    "damaged record": (damaged_record, "export.json, is damaged"),
    "overwritten record": (overwritten_record, "export.json, is damaged"),
    "older record": (older_record, "was made by an older version"),
    "other results": (other_results, f"made with another results: run `make export RUN={RUN}` again"),
    "other parameters": (other_parameters, "made with another parameters"),
    "other adapter": (other_adapter, "made with another adapter"),
    "other base": (other_base, "made with another base"),
    "no adapter": (lambda root: shutil.rmtree(root / "models/adapters" / RUN), f"there is no models/adapters/{RUN}"),
    "changed export": (changed_export, "was changed after it was measured (config.json)"),
    "longer export": (longer_export, "was changed after it was measured (modeling.py)"),
    "no reports": (
        lambda root: (root / "data/prepared/corpus/test.jsonl").unlink(),
        "there is no data/prepared/corpus/test.jsonl, and whether a report's text would go along cannot be checked",
    ),
    "no domains": (
        lambda root: (root / "data/prepared/domains/index.json").unlink(),
        "there is no data/prepared/domains/index.json",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_does_not_belong_together_is_not_released(project: Path, what: str) -> None:
    change, said = REFUSALS[what]
    change(project)
    refused(project, said)
    assert not (project / "releases").exists()


def test_stale_results_are_not_released(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repository, "stale_stages", lambda _: ["train@static-0"])
    refused(project, "of other code or parameters (train@static-0): run `make repro`")


@pytest.mark.parametrize("name", ["", "V1", "fna v1", "../fna", "fna/v1", ".fna", "fna-", "fna.v1", "узел", "a" * 65])
def test_a_name_is_one_for_every_system(project: Path, name: str) -> None:
    refused(project, "give RUN and NAME" if not name else "NAME must be at most 64 lower-case", RUN, name)


def test_a_release_is_not_named_after_a_person(project: Path) -> None:
    for name in ("ivanov-ivan", "gusarova_maria", "static-ivanova"):
        said = refused(project, "NAME may hold the name of a person", RUN, name)
        assert name not in said


def test_the_experiments_own_words_are_no_persons(project: Path) -> None:
    own = read_experiment(project)
    for name in ("ema-0", "ema-v1", "fna-ema", "tiny-ema_teacher-2026", "bethesda-v2"):
        releasing.check_name(name, "ema_teacher-0", own)


def test_an_earlier_release_stays_unless_it_is_replaced_by_a_good_one(project: Path) -> None:
    assert release().exit_code == 0
    folder = project / "releases" / NAME
    (folder / "left-over").write_text("")
    refused(project, f"releases/{NAME} exists: choose another NAME, or replace it with REPLACE=1")
    refused(project, "only PASS is released", "none-0", NAME, "--replace")
    assert release(RUN, NAME, "--replace").exit_code == 0
    assert not (folder / "left-over").exists()
    assert [path.name for path in (project / "releases").iterdir()] == [NAME]


def test_a_file_that_changes_while_it_is_copied_is_not_released(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shutil.copyfile

    def cut(source: Path, target: Path) -> None:
        whole(source, target)
        if target.suffix == ".safetensors":
            target.write_bytes(target.read_bytes()[:-1])

    monkeypatch.setattr(shutil, "copyfile", cut)
    refused(project, f"a file changed while it was copied ({RUN}/model.safetensors: was changed)")


# ---- No text of a report -----------------------------------------------------------------------------------------


def in_markdown(project: Path) -> None:
    words = SECRET.upper().split()
    page = "\n".join(["# The corpus", "", " ".join(words[:5]), "> " + "\n> *".join(words[5:])])
    (project / "reports/corpus.md").write_text(page, encoding="utf-8")


def in_json(project: Path) -> None:
    write = json.dumps({"note": SECRET.replace(" ", "\n")})
    assert "\\u" in write
    (project / "metrics/summary.json").write_text(write)


def in_json_in_json(project: Path) -> None:
    (project / "metrics/summary.json").write_text(json.dumps({"note": json.dumps({"text": SECRET.replace(" ", "\n")})}))


def in_the_card(project: Path) -> None:
    with (project / "exports" / RUN / "README.md").open("a", encoding="utf-8") as page:
        page.write(TEXTS["train"][1])


def in_a_token(project: Path) -> None:
    file = project / "exports" / RUN / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    content = read_json(file)
    # A byte-level tokenizer writes letters as other characters: the words are not in the file as they are.
    coded = "".join(part for part, _ in tokenizer.pre_tokenizer.pre_tokenize_str(TEXTS["validation"][0]))
    content["model"]["vocab"][coded] = len(tokenizer.get_vocab())
    write_json(file, content)
    assert "пунктат" not in file.read_text(encoding="utf-8")


def in_weights(project: Path) -> None:
    weights = {"weight": np.zeros(4, dtype=np.float16)}
    save_file(weights, project / "exports" / RUN / "model.safetensors", metadata={"note": TEXTS["test"][0]})


def in_gguf(project: Path) -> None:
    writer = gguf.GGUFWriter(project / "exports" / RUN / f"{RUN}-f16.gguf", "llama")
    writer.add_description(SECRET)
    writer.add_tensor("weight", np.zeros(4, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


LEAKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "markdown": (in_markdown, "reports/corpus.md (line 3)"),
    "json": (in_json, "metrics/summary.json (line 1)"),
    "json in json": (in_json_in_json, "metrics/summary.json (line 1)"),
    "card": (in_the_card, f"{RUN}/README.md (line 2)"),
    "token": (in_a_token, f"{RUN}/tokenizer.json (token "),
    "weights": (in_weights, f"{RUN}/model.safetensors (line 1)"),
    "gguf": (in_gguf, f"{RUN}/{RUN}-f16.gguf (general.description)"),
}


@pytest.mark.parametrize("where", LEAKS)
def test_a_reports_text_is_not_released_and_not_shown(project: Path, where: str) -> None:
    plant, place = LEAKS[where]
    plant(project)
    record_export(project, RUN)
    said = refused(project, "8 words in a row of a report's description or conclusion would go along, in ")
    assert place in said
    for text in TEXTS.values():
        assert not any(word.casefold() in said.casefold() for field in text for word in field.split() if len(word) > 6)
    assert not (project / "releases").exists()


@pytest.fixture
def reports_file(tmp_path: Path) -> Path:
    texts = [SECRET, "1 2 3 4 5 6 7 8 9 10 мм", "Узел"]
    rows = [{"description": text, "conclusion": TEXTS["train"][1] if text == SECRET else ""} for text in texts]
    write_jsonl(tmp_path / "reports.jsonl", rows)
    return tmp_path / "reports.jsonl"


def test_eight_words_in_a_row_are_a_reports_own_and_seven_are_not(reports_file: Path) -> None:
    words = SECRET.split()
    assert IN_A_ROW == 8
    for start in range(len(words) - IN_A_ROW + 1):
        run = words[start : start + IN_A_ROW]
        assert leaks({"page": " ".join(run)}, [reports_file], [])
        assert not leaks({"page": " ".join(run[:-1])}, [reports_file], [])
        assert not leaks({"page": " ".join([*run[:4], "и", *run[4:-1]])}, [reports_file], [])
    assert leaks({"page": TEXTS["train"][1]}, [reports_file], [])
    # The end of one text and the beginning of another are no run.
    assert not leaks({"page": " ".join(words[-5:] + TEXTS["train"][1].split()[:5])}, [reports_file], [])


def test_every_line_with_a_reports_text_is_named_once(reports_file: Path) -> None:
    page = f"x\n{SECRET}\ny\n\n{SECRET}"
    found = leaks({"a.md": page, "b.md": "x"}, [reports_file], [])
    assert [str(place) for place in found] == ["a.md (line 2)", "a.md (line 5)"]


def test_numbers_alone_are_a_tables(reports_file: Path) -> None:
    assert not leaks({"page": "| 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 |"}, [reports_file], [])


def test_headings_and_categories_are_the_projects_own_words(project: Path) -> None:
    heading = " ".join(SECRET.split()[:9])
    own = read_experiment(project)
    place = {"params.yaml": f"category: {heading}"}
    texts = [project / f"data/prepared/corpus/{part}.jsonl" for part in TEXTS]
    assert leaks(place, texts, [])
    assert not leaks(place, texts, [heading])
    assert leaks({"page": SECRET}, texts, [heading])
    categories = project / "data/prepared/corpus/categories.json"
    write_json(categories, {"label": "bethesda", "names": [heading, "II"], "critical": []})
    known = list(releasing.wording(own, command._files(project, "tiny")))
    assert {heading, "Описание", "Заключение: Bethesda", "Микроскопическое описание", "Врач"} <= set(known)


def test_reports_of_further_domains_are_looked_for_too(project: Path) -> None:
    write_json(project / "data/prepared/domains/index.json", ["breast"])
    text = "Пролиферация протокового эпителия без атипии на фоне жировой ткани и эритроцитов"
    for part in TEXTS:
        write_jsonl(project / f"data/prepared/domains/breast/{part}.jsonl", [{"description": text, "conclusion": ""}])
    write_json(project / "data/prepared/domains/breast/categories.json", {"names": ["II"]})
    (project / "reports/corpus.md").write_text(text, encoding="utf-8")
    refused(project, "reports/corpus.md (line 1)")


# ---- In Git and DVC ----------------------------------------------------------------------------------------------


def test_a_release_can_be_added_to_dvc_and_is_then_no_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages:\n  copy:\n    cmd: cp a b\n    deps: [a]\n    outs: [b]\n")
    (tmp_path / "a").write_text("1")
    commit(tmp_path, "start")
    (tmp_path / "releases" / NAME).mkdir(parents=True)
    (tmp_path / "releases" / NAME / "README.md").write_text("1")
    with Repo.init(str(tmp_path)) as repo:
        repo.reproduce()
        repo.add(str(tmp_path / "releases" / NAME))
    with Repo(str(tmp_path)) as repo:
        assert {stage.addressing for stage in repo.index.stages} == {"copy", f"releases/{NAME}.dvc"}
    git = ["git", "status", "--porcelain", "--untracked-files=all", "--", "releases"]
    status = subprocess.run(git, cwd=tmp_path, capture_output=True, text=True).stdout
    assert status == f"?? releases/{NAME}.dvc\n"
    (tmp_path / "releases" / NAME / "README.md").write_text("2")
    repository = Repository(tmp_path)
    assert repository.stale_stages() == []
    assert list(repository.outputs_by_stage()) == ["copy"]
