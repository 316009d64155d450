"""`make sweep`: what is refused, what is run again after a kill, and what is said of the points."""

import csv
import fcntl
import json
import os
import pty
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from anamnesis.analysis.measures import all_measures
from anamnesis.analysis.scores import Categories, Scores
from anamnesis.errors import InputError
from anamnesis.settings.methods import Method
from anamnesis.settings.reading import Experiment
from anamnesis.settings.sections import SettingsError, read_yaml, section
from anamnesis.settings.verdict import Verdict
from anamnesis.sweeping.checking import checked, write_settings, write_shared_settings
from anamnesis.sweeping.choosing import name_of_section, pasteable, recommend, sentences
from anamnesis.sweeping.figures import window
from anamnesis.sweeping.finishing import about, finish
from anamnesis.sweeping.front import front_of, hypervolume, nondominated
from anamnesis.sweeping.grid import Plan, Sweep, plan, read_settings, read_sweep
from anamnesis.sweeping.hours import announcement
from anamnesis.sweeping.outcomes import Change, Layout, Measured, Outcomes, outcome_of, outcomes
from anamnesis.sweeping.own_files import own_files
from anamnesis.sweeping.page import Finished
from anamnesis.sweeping.progress import Progress
from anamnesis.sweeping.queue import NO_MESSAGE, READY, Queue, Shared, States, Task, message_in
from anamnesis.sweeping.razor import fit, razor_of
from anamnesis.sweeping.running import LOST, NO_WORKER, Runner
from anamnesis.sweeping.snapshot import code_digest, files_of, make_snapshot
from anamnesis.sweeping.store import Store
from commands import sweep as command
from tests import toy_sweep
from tests.checkout import commit, edit_text
from tests.conftest import ROOT
from tests.results import LIMITS

LAYOUT = Layout(Path("data/scores"), Path("metrics"))
SEEDS = (0, 1, 2)
CATEGORIES = ("II", "IV", "V")


# ---- The points ----------------------------------------------------------------------------------------------------


def points_of(root: Path, methods: Mapping[str, Any], code: str = "code", **more: Any) -> Plan:
    sweep = Sweep(**{"profile": "tiny", "seeds": [0, 1], "methods": methods, **more})
    return plan(sweep, *read_settings(root, sweep), code)


def test_every_combination_is_one_point(settings_only: Path) -> None:
    planned = points_of(
        settings_only, {"ema": {"kl_weight": [0.1, 0.3], "decay": [0.9, 0.98]}, "none": [{"pace.rate": [0.5]}, {}]}
    )
    assert [one.label for one in planned.points] == [
        "ema kl_weight=0.1 decay=0.9",
        "ema kl_weight=0.1 decay=0.98",
        "ema kl_weight=0.3 decay=0.9",
        "ema kl_weight=0.3 decay=0.98",
        "none rate=0.5",
        "none",
    ]
    first = planned.points[0]
    assert (first.science["ema"]["kl_weight"], first.science["ema"]["decay"]) == (0.1, 0.9)
    assert first.science["methods"] == ["ema"]
    assert first.science["seeds"] == [0, 1]
    assert planned.points[4].science["none"]["pace"] == {"rate": 0.5}


def test_a_point_that_is_named_twice_is_run_once(settings_only: Path) -> None:
    planned = points_of(settings_only, {"none": {"pace.rate": [1, 0.5, 1.0]}})
    assert [one.label for one in planned.points] == ["none rate=1", "none rate=0.5"]
    assert planned.repeated == ["none rate=1"]


def test_all_points_with_a_mistake_are_named_at_once(settings_only: Path) -> None:
    with pytest.raises(InputError) as refused:
        points_of(
            settings_only,
            {
                "ewc": {"penalties.ewc.wieght": [1.0]},
                "static": {"kl_weight": [0.1, -1.0]},
                "none": {"teacher.x": [1]},
                "nine": {},
            },
        )
    said = str(refused.value)
    assert "nothing was started, because 4 points cannot be run" in said
    assert "ewc wieght=1: params.yaml: unknown key `ewc.penalties.ewc.wieght`; did you mean `weight`?" in said
    assert "static kl_weight=-1: params.yaml: `static.kl_weight` is -1.0" in said
    assert "none x=1: `teacher.x`: `teacher` is a value and has no keys: set `teacher` itself." in said
    assert "nine: params.yaml: unknown key `nine`; did you mean `none`?" in said
    assert "static kl_weight=0.1" not in said


def test_points_that_the_check_refuses_are_named_before_anything_starts(settings_only: Path) -> None:
    planned = points_of(settings_only, {"bitfit": {"tuner.first_layer": [0, 9]}, "prefix": {"tuner.tokens": [9000]}})

    def no_bitfit(experiment: Experiment) -> None:
        if experiment.methods.keys() == {"bitfit"}:
            raise InputError("there is no file x.")

    with pytest.raises(InputError) as refused:
        checked(planned.points, settings_only, no_bitfit)
    said = str(refused.value)
    assert "bitfit first_layer=0: there is no file x." in said
    assert "bitfit first_layer=9: params.yaml: the tuner of `bitfit` has first_layer 9" in said
    assert "prefix tokens=9000: profiles/tiny.yaml: `optimization.max_length` does not fit" in said


def test_the_rank_alone_is_set_in_a_copy_of_the_common_tuner(settings_only: Path) -> None:
    (point,) = points_of(settings_only, {"none": {"tuner.r": [4]}}).points
    assert point.science["none"]["tuner"] == {**point.science["tuner"], "r": 4}


def test_shares_are_no_points_but_stay_in_the_section_to_paste(settings_only: Path) -> None:
    (point,) = points_of(settings_only, {"none": {}}).points
    assert point.science["none"]["shares"] == []
    assert point.section["shares"] == [0.25, 0.5, 0.75, 0.9]


def test_the_test_split_is_refused(settings_only: Path, tmp_path: Path) -> None:
    edit_text(settings_only / "params.yaml", "split: validation", "split: test")
    with pytest.raises(SettingsError, match="a sweep chooses: put it back to validation"):
        points_of(settings_only, {"none": {}})
    (tmp_path / "mine.yaml").write_text("sweep: {profile: tiny, seeds: [0], methods: {none: {}}, split: test}")
    with pytest.raises(SettingsError, match=r"`sweep\.split`: a sweep chooses, so it is always on validation"):
        read_sweep(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sweep: {profile: tiny, seeds: [0], methods: {none: {pace.rate: 3}}}", "is 3: input should be a list"),
        ("sweep: {profile: tiny, seeds: [0, 0], methods: {none: {}}}", "seeds names a seed twice"),
        ("sweep: {profile: tiny, seed: [0], methods: {none: {}}}", "unknown key `sweep.seed`; did you mean `seeds`?"),
        ("sweeps: {}", "unknown key `sweeps`; did you mean `sweep`?"),
        ("sweep: 3", "`sweep` is 3: input should be a mapping of keys to values"),
    ],
)
def test_a_mistake_in_the_file_is_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SettingsError) as refused:
        read_sweep(tmp_path / "mine.yaml")
    assert said in str(refused.value)


def test_profile_values_are_checked_and_the_same_for_all_points(settings_only: Path) -> None:
    planned = points_of(settings_only, {"none": {}, "ewc": {}}, scale={"optimization.max_steps": 7})
    assert [one.scale["optimization"]["max_steps"] for one in planned.points] == [7, 7]
    with pytest.raises(SettingsError, match=r"`sweep\.scale`: unknown key `optimisation`; did you mean"):
        points_of(settings_only, {"none": {}}, scale={"optimisation.max_steps": 7})
    wrong = points_of(settings_only, {"none": {}}, scale={"optimization.max_step": 7})
    with pytest.raises(InputError, match=r"none: profiles/tiny\.yaml: unknown key `optimization\.max_step`"):
        checked(wrong.points, settings_only, lambda _: None)


@pytest.mark.parametrize("scale", [{"evaluation.tasks.mmlu.shots": 5}, {"evaluation.tasks": 3}, {"model": None}])
def test_profile_values_of_a_wrong_form_are_refused_with_their_points(
    scale: dict[str, Any], settings_only: Path
) -> None:
    sweep = Sweep(profile="tiny", seeds=[0], methods={"none": {}}, scale=scale)
    science, profile = read_settings(settings_only, sweep)
    made = [science["corpus"]["path"], "data/base"]
    assert own_files(settings_only, science, profile, ["none"], made).read == []
    with pytest.raises(InputError, match=r"none: profiles/tiny\.yaml: .*(`evaluation\.tasks|`model`)"):
        checked(plan(sweep, science, profile, "code").points, settings_only, lambda _: None)


def test_another_profile_brings_its_values_of_params(settings_only: Path) -> None:
    (point,) = points_of(settings_only, {"static": {}}, profile="smollm2-135m").points
    assert point.science["static"]["kl_weight"] == 0.3
    assert point.science["verdict"]["capability"] == "base_text_kl_nats"


def test_an_identity_is_that_of_what_the_results_depend_on(settings_only: Path) -> None:
    def identity(**changes: Any) -> str:
        (point,) = points_of(settings_only, {"ema": {"decay": [0.9]}}, **changes).points
        return point.identity

    before = identity()
    assert identity(seeds=[0]) != before
    assert identity(code="other") != before
    assert identity(scale={"optimization.max_steps": 7}) != before
    file = settings_only / "params.yaml"
    edit_text(file, "max_forgetting: 0.1", "max_forgetting: 0.2")
    edit_text(file, "mix: 0.5", "mix: 0.4")
    assert identity() == before
    edit_text(file, "  warmup_ratio: 0.1\n", "  warmup_ratio: 0.2\n")
    assert identity() != before


POINTS_OF_SHIPPED = {"tiny": 18, "smollm2-135m": 9, "tuners": 18}


@pytest.mark.parametrize("name", sorted(file.stem for file in (ROOT / "sweeps").glob("*.yaml")))
def test_the_shipped_sweeps_can_be_run(name: str) -> None:
    sweep, points = read_sweep(ROOT / "sweeps" / f"{name}.yaml"), POINTS_OF_SHIPPED[name]
    planned = plan(sweep, *read_settings(ROOT, sweep), "code")
    assert len(planned.points) == points
    assert not planned.repeated
    assert len(checked(planned.points, ROOT, lambda _: None)) == points


def test_a_point_is_run_with_its_own_files_and_the_shared_stages_with_all_methods(
    settings_only: Path, tmp_path: Path
) -> None:
    planned = points_of(settings_only, {"ewc": {"penalties.ewc.weight": [1.0, 3.0]}, "none": {}})
    write_settings(planned.points[1], tmp_path / "one")
    written = read_yaml(tmp_path / "one" / "params.yaml")
    assert (written["methods"], written["ewc"]["penalties"]["ewc"]["weight"]) == (["ewc"], 3.0)
    assert read_yaml(tmp_path / "one" / "profiles" / "tiny.yaml") == read_yaml(ROOT / "profiles" / "tiny.yaml")
    write_shared_settings(planned.points, tmp_path / "all")
    shared = read_yaml(tmp_path / "all" / "params.yaml")
    assert (shared["methods"], shared["ewc"]["penalties"]["ewc"]["weight"]) == (["ewc", "none"], 1.0)


def test_files_that_git_ignores_are_found(settings_only: Path) -> None:
    root = settings_only
    (root / ".gitignore").write_text("/export.csv\n/data/domains/\n")
    commit(root, "start")
    (root / "export.csv").write_text("a")
    (root / "data" / "domains").mkdir()
    (root / "data" / "domains" / "mine.jsonl").write_text("{}")
    science, scale = read_yaml(root / "params.yaml"), read_yaml(root / "profiles" / "tiny.yaml")
    made = [science["corpus"]["path"]]
    assert own_files(root, science, scale, ["none"], made).read == []
    science["corpus"]["path"] = "export.csv"
    found = own_files(root, science, scale, ["none", "multitask"], made)
    assert science["corpus"]["path"] == str(root / "export.csv")
    assert scale["model"]["source"] == "data/base"
    assert found.copied == ["data/domains/mine.jsonl"]
    assert found.read == [root / "export.csv", root / "data" / "domains" / "mine.jsonl"]


def test_the_code_is_what_is_in_the_working_tree(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("a = 1\n")
    (tmp_path / "notes.md").write_text("one\n")
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    commit(tmp_path, "start")
    before = code_digest(tmp_path, ["src"])
    (tmp_path / "notes.md").write_text("two\n")
    (tmp_path / "src" / "a.pyc").write_text("x")
    assert code_digest(tmp_path, ["src"]) == before
    (tmp_path / "src" / "b.py").write_text("b = 1\n")
    assert code_digest(tmp_path, ["src"]) != before
    assert code_digest(tmp_path, ["src"], [tmp_path / "notes.md"]) != code_digest(tmp_path, ["src"])


def test_the_command_refuses_before_it_starts_anything(tmp_path: Path) -> None:
    file = tmp_path / "refused-sweep-of-a-test.yaml"
    file.write_text("sweep: {profile: tiny, seeds: [0], methods: {none: {pace.rate: [1.0, fast]}}}")
    done = CliRunner().invoke(command.main, [str(file)])
    assert done.exit_code == 1
    assert "none rate=fast: params.yaml: `none.pace.rate` is 'fast': input should be a valid number" in done.output
    file.write_text("sweep: {profile: tiny, seeds: [0], methods: {none: {}}}")
    for limit in ("nan", "inf"):
        done = CliRunner().invoke(command.main, [str(file), "--at-most", limit])
        assert f"AT_MOST is {limit}: give a number" in done.output
    assert not (ROOT / "scratch" / "sweeps" / file.stem).exists()


# ---- Running -------------------------------------------------------------------------------------------------------


def test_a_sweep_that_is_killed_twice_runs_nothing_again_that_is_done(tmp_path: Path) -> None:
    """Once the command alone, whose workers go on; once everything."""
    toy_sweep.make_toy(tmp_path)
    started: list[subprocess.Popen[str]] = []
    heard = toy_sweep.Heard()
    last = toy_sweep.runner(tmp_path, heard)
    queue, store = last.queue, last.store
    try:
        started.append(start_toy(tmp_path, until="finished w1"))
        started[0].kill()
        started.append(start_toy(tmp_path, until="The workers of an earlier `make sweep` are still at it"))
        started[1].kill()
        while "measure2" not in ran_in(tmp_path):
            time.sleep(0.1)
        for process in queue.processes():
            process.kill()
        (tmp_path / "go").touch()
        failures = last.run(toy_sweep.tasks())
        assert failures == {"w-1": "weight is -1, raise it."}
        # Of what was cut off, the finished training is taken from DVC's cache.
        assert [ran_in(tmp_path).count(one) for one in ("begin", "train1", "train2", "measure2")] == [1, 1, 1, 2]
        assert "finished w1" not in heard.lines
        assert "failed w-1: weight is -1, raise it." in heard.lines
        assert (store.of("w2") / "score.txt").read_text() == "2\nmine\n"
        assert (store.of("w2") / "metrics/base.json").read_text() == "2\n"
        assert store.about("w2")["weight"] == 2
        assert "raise it" in store.log_of("w-1").read_text()
        # Nothing of the user's was touched, and nothing is left.
        assert (tmp_path / "checkout" / "curve.txt").read_text() == "0\n"
        assert (tmp_path / "checkout" / "params.yaml").read_text() == "weight: 0\n"
        assert not queue.folder.exists()
        assert queue.processes() == []
    finally:
        for process in started:
            process.kill()
            process.wait()
        queue.remove()


def ran_in(folder: Path) -> list[str]:
    return (folder / "ran.txt").read_text().split()


def start_toy(folder: Path, until: str) -> subprocess.Popen[str]:
    """The toy sweep as a process, after it said this."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [sys.executable, "-m", "tests.toy_sweep", str(folder)]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any(line.startswith(until) for line in process.stdout)
    return process


class ScriptedQueue:
    """Has one state after another; a state without workers ends with `works` False."""

    def __init__(self, *script: tuple[bool, States], ready: bool) -> None:
        self.script, self.ready = list(script), ready
        self.calls: list[str] = []

    def works(self) -> bool:
        return self.script[0][0]

    def states(self) -> States:
        return self.script.pop(0)[1]

    def fetch(self, reference: str, paths: Sequence[Path], to: Path) -> None:
        if reference == "nowhere":
            raise InputError("score.txt is missing.")
        (to / "score.txt").write_text(reference)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.calls.append(name)


def run_scripted(
    folder: Path, names: str, *script: tuple[bool, States], ready: bool = False
) -> tuple[dict[str, str], ScriptedQueue, Store]:
    queue, store = ScriptedQueue(*script, ready=ready), Store(folder)
    tasks = [Task(name, lambda _: None, (), ()) for name in names]
    runner = Runner(
        folder, cast(Queue, queue), store, Shared(lambda _: None, ()), toy_sweep.Heard(), {name: {} for name in names},
        jobs=1, interval=0,
    )  # fmt: skip
    return runner.run(tasks), queue, store


def state(queued: str = "", running: str = "", done: str = "", failed: str = "") -> States:
    return States(frozenset(queued), frozenset(running), dict.fromkeys(done, "here"), dict.fromkeys(failed))


def test_what_a_killed_worker_ran_has_failed_and_the_others_are_run(tmp_path: Path) -> None:
    failures, queue, store = run_scripted(
        tmp_path,
        "abc",
        (True, state(queued="abc")),
        (True, state(queued="bc", running="a")),
        (False, state(queued="bc", running="a")),
        (True, state(queued="c", running="ab")),
        (True, state(running="a", done="bc")),
    )
    assert failures == {"a": LOST}
    assert store.has("b")
    assert store.has("c")
    # What the dead worker had started is ended before others begin.
    assert queue.calls == ["make", "put", "put", "put", "start", "stop", "start", "remove"]


def test_a_queue_that_no_worker_takes_from_ends(tmp_path: Path) -> None:
    failures, queue, _ = run_scripted(tmp_path, "ab", (False, state(queued="ab")), (False, state(queued="ab")))
    assert failures == {"a": NO_WORKER, "b": NO_WORKER}
    assert queue.calls.count("start") == 2


def test_a_point_whose_results_cannot_be_had_does_not_stop_the_others(tmp_path: Path) -> None:
    ended = States(frozenset(), frozenset(), {"a": "nowhere", "b": "here"}, {})
    failures, _, store = run_scripted(tmp_path, "ab", (True, ended))
    assert failures == {"a": "score.txt is missing."}
    assert not store.has("a")
    assert store.has("b")


def test_what_an_earlier_attempt_did_and_cannot_be_had_is_not_queued_again(tmp_path: Path) -> None:
    left = States(frozenset(), frozenset("b"), {"a": "nowhere"}, {})
    failures, queue, store = run_scripted(tmp_path, "ab", (True, left), (True, state(done="b")), ready=True)
    assert failures == {"a": "score.txt is missing."}
    assert store.has("b")
    assert queue.calls == ["start", "remove"]


def test_nothing_is_run_if_all_is_done(tmp_path: Path) -> None:
    run_scripted(tmp_path, "a", (True, state(done="a")))
    failures, queue, _ = run_scripted(tmp_path, "a")
    assert failures == {}
    assert queue.calls == ["remove"]


def test_a_shell_that_the_user_has_opened_in_the_copy_stays(tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    shell = subprocess.Popen(
        ["sh"], cwd=tmp_path, stdin=end, stdout=end, stderr=end, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    stage = subprocess.Popen(["sleep", "60"], cwd=tmp_path)
    try:
        Queue(tmp_path).stop()
        assert [one.pid for one in Queue(tmp_path).processes()] == [shell.pid]
        assert shell.poll() is None
    finally:
        for process in (shell, stage):
            process.kill()
            process.wait()
        os.close(terminal)
        os.close(end)


def test_a_copy_whose_removal_is_cut_off_is_no_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(tmp_path / "queue")
    (queue.folder / READY).parent.mkdir(parents=True)
    (queue.folder / READY).touch()
    assert queue.ready

    def cut_off(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", cut_off)
    with pytest.raises(KeyboardInterrupt):
        queue.remove()
    assert queue.folder.exists()
    assert not queue.ready


def test_a_copy_needs_neither_the_users_signature_nor_their_hooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = toy_sweep.make_toy(tmp_path)
    hook = tmp_path / "hooks" / "pre-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    own = tmp_path / "gitconfig"
    own.write_text(f"[commit]\n gpgSign = true\n[gpg]\n program = false\n[core]\n hooksPath = {hook.parent}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(own))
    make_snapshot(root, tmp_path / "copy")
    assert files_of(tmp_path / "copy") == files_of(root, [":!curve.txt"])


def test_a_result_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def cut_off(folder: Path) -> None:
        (folder / "half.csv").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.save("a", cut_off, {})
    assert not store.has("a")
    store.save("a", lambda folder: (folder / "whole.csv").write_text("y"), {"seconds": 1.5})
    assert store.has("a")
    assert {file.name for file in store.of("a").iterdir()} == {"whole.csv", "point.json"}
    assert store.about("a") == {"seconds": 1.5}


def test_two_commands_on_one_sweep_are_refused(tmp_path: Path) -> None:
    with (
        Store(tmp_path).alone(),
        pytest.raises(InputError, match="another `make sweep` is at work"),
        Store(tmp_path).alone(),
    ):
        pass
    with Store(tmp_path).alone():
        assert (tmp_path / "lock").exists()


def test_only_sentences_about_errors_are_quoted_from_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("report: узел 5 мм\nError: the disk is full.\nERROR: failed to reproduce 'train@none-0'\nузел\n")
    assert message_in(log) == "the disk is full."
    log.write_text("ERROR: failed to reproduce 'train@none-0'\nузел 5 мм\n")
    assert message_in(log) == "ERROR: failed to reproduce 'train@none-0'"
    log.write_text("узел 5 мм\n")
    assert message_in(log) == message_in(None) == NO_MESSAGE


def test_progress_says_a_line_for_each_point_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    labels = {name: f"point {name}" for name in "abcd"}
    progress = Progress(labels, dict.fromkeys(labels, 60.0), {"a": 120.0}, jobs=1)
    # The first took twice as long as expected, and so will the others.
    assert progress.seconds_left() == pytest.approx(360)
    progress.started("b")
    progress.waits()
    progress.finished("b", 120.0)
    progress.failed("c", "no.")
    progress.close()
    assert capsys.readouterr().out.splitlines() == [
        "[2/4] point b: 2.0 min; about 4.0 min left",
        "[3/4] point c failed: no.; about 2.0 min left",
    ]
    unknown = Progress(labels, {}, {}, jobs=2)
    assert unknown.seconds_left() is None
    unknown.finished("a", 60.0)
    assert unknown.seconds_left() == pytest.approx(120)
    unknown.close()


def test_the_hours_come_first(settings_only: Path) -> None:
    points = points_of(settings_only, {"none": {"pace.rate": [0.1, 0.2, 0.3]}}).points
    seconds = {one.name: 3600.0 for one in points}
    said = announcement(points, [], seconds, "guessed", 2)
    assert said == "3 points; 6 trainings ahead, 2 points at a time: about 2 h 00 min (guessed)."
    said = announcement(points, [points[0].name], dict.fromkeys(seconds, 0.0), "", 2)
    assert said.startswith("3 points, 1 of them done; 4 trainings ahead")
    assert said.endswith("is done.")


# ---- What is found -------------------------------------------------------------------------------------------------


def write_point(folder: Path, method: str, shares: Sequence[float], cases: int = 60, split: str = "validation") -> None:
    """The files of a point with made-up scores."""
    for run, arm, scores in (
        ("base", "base", scores_of((0.95, 0.0, 0.0), 1, cases, 0.0)),
        *((f"{method}-{seed}", method, scores_of(shares, 1, cases, 0.0)) for seed in SEEDS),
    ):
        for kind, keys in (("general", ["exam_acc"]), ("domain", ["bethesda", "domain_kl_nats"])):
            file = folder / LAYOUT.scores / kind / f"{run}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("w", encoding="utf-8", newline="") as opened:
                writer = csv.writer(opened)
                writer.writerow(["arm", "measure", "case", "value", "weight", "gold", "predicted"])
                for key in keys:
                    one = scores[key]
                    named = one.categories
                    gold = named.gold if named else [""] * len(one.cases)
                    predicted = named.predicted[0] if named else [""] * len(one.cases)
                    rows = zip(one.cases, one.values[0], one.weights[0], gold, predicted, strict=True)
                    writer.writerows([arm, key, *row] for row in rows)
    for kind, said in (("general", {"tasks": {"facts": {"measures": {}}}}), ("domain", {"split": split})):
        (folder / LAYOUT.metrics / kind).mkdir(parents=True, exist_ok=True)
        (folder / LAYOUT.metrics / kind / "base.json").write_text(json.dumps({"base": said}))


Shares = tuple[str, float, float, float]
# Method, exam, right categories, KL: a front of four, and one that is worse than `ewc`.
POINTS: list[Shares] = [
    ("none", 0.60, 0.80, 2.0),
    ("ewc", 0.90, 0.70, 0.8),
    ("static", 0.80, 0.60, 1.2),
    ("ema", 0.93, 0.40, 0.5),
    ("replay", 0.94, 0.10, 0.2),
]


AXES = tuple(
    next(one for one in all_measures("bethesda", ()) if one.key == key) for key in ("exam_acc", "bethesda_macro_f1")
)
KL = next(one for one in all_measures("bethesda", ()) if one.key == "domain_kl_nats")


def scores_of(shares: Sequence[float], seeds: int, cases: int, spread: float) -> dict[str, Scores]:
    """Made-up scores: shares of right answers in the exam and of right categories, and nats per token.

    The shares of the seeds differ by `spread`. Hard questions are hard for every arm.
    """
    exam, right, kl = shares
    hard = np.linspace(0, 1, cases, endpoint=False)
    shift = spread * (np.arange(seeds) - (seeds - 1) / 2)[:, None]
    gold = np.array(CATEGORIES)[np.arange(cases) % 3]
    # The hardness is spread over the categories.
    is_right = np.roll(hard[(7 * np.arange(cases)) % cases], 1) < right + shift
    named = np.where(is_right, gold, np.array(CATEGORIES)[(np.arange(cases) + 1) % 3])
    ones, names = np.ones((seeds, cases)), tuple(map(str, range(cases)))
    nats = np.broadcast_to(kl * (1 + np.arange(20) / 40), (seeds, 20))
    return {
        "exam_acc": Scores(tuple(range(seeds)), names, (hard < exam + shift).astype(float), ones),
        "bethesda": Scores(tuple(range(seeds)), names, is_right.astype(float), ones, Categories(gold, named)),
        "domain_kl_nats": Scores(tuple(range(seeds)), names[:20], nats, np.ones((seeds, 20))),
    }


def found_of(
    points: Sequence[Shares] = POINTS, seeds: int = 3, cases: int = 300, spread: float | Sequence[float] = 0.0
) -> Outcomes:
    """`spread`: of all points, or of each."""
    base = scores_of((0.95, 0.0, 0.0), 1, cases, 0.0)
    spreads = np.broadcast_to(spread, len(points))
    found = [
        outcome_of(
            Measured(f"{method}-{number}", f"{method} x={number}", method, {}, {}, range(seeds), Path()),
            base,
            scores_of(shares, seeds, cases, float(spreads[number])),
            AXES,
            KL,
        )
        for number, (method, *shares) in enumerate(points)
    ]
    return Outcomes(*AXES, found, over_seeds=seeds > 1)


def test_outcomes_are_changes_against_the_base(tmp_path: Path) -> None:
    measured = []
    for number, (method, *shares) in enumerate(POINTS):
        write_point(tmp_path / str(number), method, shares)
        label = f"{method} x={number}"
        measured.append(Measured(f"{method}-{number}", label, method, {}, {}, SEEDS, tmp_path / str(number)))
    found = outcomes(measured, LAYOUT, "bethesda", LIMITS)
    assert (found.capability.key, found.adaptation.key) == ("exam_acc", "bethesda_macro_f1")
    none = found.points[0]
    assert none.forgetting.estimate == pytest.approx(0.35, abs=0.01)
    assert none.lost_by_seed == pytest.approx([0.35] * 3, abs=0.01)
    assert none.adaptation.estimate > found.points[1].adaptation.estimate > 0
    assert none.forgetting.low < none.forgetting.estimate < none.forgetting.high
    assert none.lost.mean() == pytest.approx(none.forgetting.estimate)
    assert none.gained.mean() == pytest.approx(none.adaptation.estimate)
    assert none.kl_nats is not None
    assert none.kl_nats[0] == pytest.approx(2.0 * np.mean([1 + i / 40 for i in range(20)]))
    by_accuracy = outcomes(measured, LAYOUT, "bethesda", replace(LIMITS, adaptation="bethesda_acc"))
    assert by_accuracy.adaptation.key == "bethesda_acc"
    assert by_accuracy.points[0].adaptation.estimate == pytest.approx(0.8, abs=0.02)
    with pytest.raises(InputError, match="`conclusion_bits_per_byte` was not measured"):
        outcomes(measured, LAYOUT, "bethesda", replace(LIMITS, adaptation="conclusion_bits_per_byte"))


def test_points_measured_on_test_or_on_other_cases_are_refused(tmp_path: Path) -> None:
    write_point(tmp_path / "a", "none", (0.8, 0.5, 1.0))
    write_point(tmp_path / "b", "ema", (0.8, 0.5, 1.0), cases=61)
    write_point(tmp_path / "c", "none", (0.8, 0.5, 1.0), split="test")
    a, b, c = (Measured(n, n, m, {}, {}, SEEDS, tmp_path / n) for n, m in (("a", "none"), ("b", "ema"), ("c", "none")))
    with pytest.raises(InputError, match="b was not asked the same questions as the first point"):
        outcomes([a, b], LAYOUT, "bethesda", LIMITS)
    with pytest.raises(InputError, match="c was measured on the test split"):
        outcomes([a, c], LAYOUT, "bethesda", LIMITS)


def test_hypervolume_of_known_points() -> None:
    reference = (1.0, 0.0)
    assert hypervolume(np.array([0.5]), np.array([0.5]), reference) == pytest.approx(0.25)
    assert hypervolume(np.array([0.2, 0.6]), np.array([0.3, 0.9]), reference) == pytest.approx(0.8 * 0.3 + 0.4 * 0.6)
    # A negative forgetting reaches further; what the reference is not worse than adds nothing.
    assert hypervolume(np.array([-0.5]), np.array([0.5]), reference) == pytest.approx(0.75)
    assert hypervolume(np.array([1.0, 0.5]), np.array([0.9, -0.1]), reference) == 0


def test_hypervolume_depends_on_no_order_and_never_falls_with_a_point() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        lost, gained = rng.uniform(-0.2, 1.2, 8), rng.uniform(-0.2, 1.2, 8)
        whole, order = hypervolume(lost, gained, (1.0, 0.0)), rng.permutation(8)
        assert hypervolume(lost[order], gained[order], (1.0, 0.0)) == pytest.approx(whole)
        without = hypervolume(lost[1:], gained[1:], (1.0, 0.0))
        assert without <= whole + 1e-12
        dominated = not nondominated(lost, gained)[0]
        assert not dominated or without == pytest.approx(whole)
        # Against counting on a grid.
        f, a = np.meshgrid(np.linspace(-0.2, 1, 241), np.linspace(0, 1.2, 241))
        reached = ((lost[:, None, None] <= f) & (gained[:, None, None] >= a)).any(axis=0)
        assert reached.mean() * 1.2 * 1.2 == pytest.approx(whole, abs=0.03)


def test_equal_points_are_both_on_the_front() -> None:
    found = nondominated(np.array([0.1, 0.1, 0.1, 0.2]), np.array([0.5, 0.5, 0.4, 0.5]))
    assert found.tolist() == [True, True, False, False]


def test_the_front_and_what_each_method_reaches() -> None:
    front = front_of(found_of(spread=0.02))
    assert front.on_front == [True, True, False, True, True]
    assert front.in_resamples[0] == 1
    assert front.in_resamples[2] < 0.05
    assert front.volumes[0].method == "ewc"
    # The reference is the point that forgets most, so that it reaches nothing.
    assert front.volumes[-1].method == "none"
    assert front.volumes[-1].volume.estimate == 0
    for one in front.volumes[:-1]:
        assert one.volume.low < one.volume.estimate < one.volume.high
        assert 0 < one.share <= 1
    assert front.whole.estimate >= front.volumes[0].volume.estimate


def test_the_bootstrap_draws_seeds_besides_cases_and_the_same_for_all_points() -> None:
    def width(**more: Any) -> float:
        volume = front_of(found_of(POINTS[:2], **more)).volumes[0].volume
        return volume.high - volume.low

    one = width()
    assert one < 0.7 * width(cases=75)
    assert width(spread=0.05) > 1.2 * one
    assert width(seeds=1) == pytest.approx(one, rel=0.1)
    # Two points that are equal in every case are equal in every resample: neither ever leaves the front.
    twins = front_of(found_of([POINTS[1], POINTS[1], POINTS[0]]))
    assert twins.in_resamples[0] == twins.in_resamples[1] == 1


def test_a_parabola_is_found_and_noise_is_not() -> None:
    x = np.linspace(0, 2, 30)
    coefficients, r_squared = fit(x, 0.1 + 0.2 * x + 0.3 * x**2)
    assert coefficients == pytest.approx([0.1, 0.2, 0.3])
    assert r_squared == pytest.approx(1)
    _, r_squared = fit(x, np.random.default_rng(0).normal(size=30))
    assert 0 <= r_squared < 0.3
    assert fit(x, np.ones(30))[1] == 0


def test_the_interval_of_the_fit_is_over_points_not_runs() -> None:
    """Seeds that repeat each other are no more evidence than one."""
    three, one = razor_of(found_of(seeds=3)), razor_of(found_of(seeds=1))
    assert three is not None
    assert one is not None
    assert (len(three.kl_nats), len(one.kl_nats)) == (15, 5)
    assert three.r_squared.ends == pytest.approx(one.r_squared.ends)
    assert three.r_squared.low < three.r_squared.estimate
    assert three.rises
    assert three.at(np.array([2.475]))[0] == pytest.approx(0.35, abs=0.05)


def test_too_few_points_for_a_fit() -> None:
    assert razor_of(found_of(POINTS[:4])) is None


def test_the_upper_end_of_the_interval_decides_and_then_the_adaptation() -> None:
    found = found_of(spread=0.01)
    ewc = found.points[1]
    between = (ewc.forgetting.estimate + ewc.forgetting.high) / 2
    assert recommend(found, between).chosen is found.points[3]
    advice = recommend(found, ewc.forgetting.high)
    assert advice.chosen is ewc
    said = " ".join(sentences(found, advice))
    assert f"For at most {ewc.forgetting.high:g} of forgetting (exam accuracy) take `ewc x=1`" in said
    assert "adapts more than each of the 2 other points within the limit" in said
    assert "winner's curse" in said
    assert "test split" in said


def test_points_that_cannot_be_told_apart_are_named() -> None:
    points = [("ewc", 0.9, 0.70, 0.8), ("static", 0.9, 0.695, 0.8), ("ema", 0.9, 0.30, 0.8)]
    # Of one pair, each is better with some seed.
    found = found_of(points, spread=[0.02, -0.02, 0.02])
    advice = recommend(found, 1.0)
    assert advice.chosen is found.points[0]
    assert list(advice.alike) == [found.points[1]]
    said = "Of the 2 other points within the limit, 1 cannot be told apart from it in adaptation: `static x=1`."
    assert said in sentences(found, advice)
    pair = found_of(points[:2], spread=[0.02, -0.02])
    said = "It cannot be told apart in adaptation from the other point within the limit, `static x=1`."
    assert said in sentences(pair, recommend(pair, 1.0))


def test_one_seed_excludes_no_other_point() -> None:
    found = found_of(seeds=1)
    advice = recommend(found, 1.0)
    assert len(advice.alike) == 4
    assert "the 4 other points within the limit are not excluded" in " ".join(sentences(found, advice))


def test_no_point_within_the_limit_is_said() -> None:
    found = found_of()
    advice = recommend(found, 0.015)
    assert advice.chosen is None
    said = " ".join(sentences(found, advice))
    assert "no point can be recommended" in said
    assert "although the estimate of 1 is" in said
    assert "`replay x=4` comes nearest" in said


@pytest.mark.parametrize(
    "method",
    [name for name, one in read_yaml(ROOT / "params.yaml").items() if isinstance(one, dict) and "teacher" in one],
)
def test_every_method_can_be_pasted(method: str) -> None:
    science = read_yaml(ROOT / "params.yaml")
    name = name_of_section(method, science)
    assert name == f"{method}_chosen"
    assert name_of_section(method, science | {name: {}}) == f"{method}_chosen_2"
    text = pasteable(name, science[method], ["why"])
    assert text.startswith(f"# why\n{name}:\n")
    read = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8") + text)
    assert section(read, name, Method) == section(science, method, Method)


Finish = Callable[..., Finished]


@pytest.fixture
def finished(settings_only: Path, tmp_path: Path) -> Finish:
    """Finishes a sweep of made-up points, of which the first `done` have results."""

    def run(limit: float, failures: Mapping[str, str] | None = None, done: int = len(POINTS)) -> Finished:
        sweep = Sweep(
            profile="tiny",
            seeds=list(SEEDS),
            methods={method: {} for method, *_ in POINTS} | {"slow": {}},
        )
        science, scale = read_settings(settings_only, sweep)
        points = plan(sweep, science, scale, "code").points
        store = Store(tmp_path / "sweep")
        for point, (method, *shares) in zip(points, POINTS[:done], strict=False):
            fetch = partial(write_point, method=method, shares=shares, cases=300)
            store.save(point.name, fetch, about(point, "0123456789abcdef", []) | {"seconds": 1800.0})
        settings = section(science, "verdict", Verdict)
        return finish("mine", sweep, points, store, LAYOUT, settings, limit, science, failures or {})

    return run


def test_a_finished_sweep_is_written_whole(finished: Finish, tmp_path: Path) -> None:
    of = finished(0.1, {"slow": "the disk is full."})
    folder = tmp_path / "sweep"
    page = (folder / "sweep.md").read_text(encoding="utf-8")
    numbers = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    assert of.advice.chosen is not None
    for text in (
        "take `ewc`",
        "- `slow`: the disk is full.",
        "points: 5 of 6",
        "hours of the points, added up: 2.5",
        "split: validation",
        "R² = ",
        "arXiv:2509.04259",
    ):
        assert text in page
    assert numbers["recommendation"]["chosen"].startswith("ewc-")
    assert len(numbers["points"]) == 5
    assert numbers["failed"] == {"slow": "the disk is full."}
    assert all((folder / picture).stat().st_size > 10_000 for picture in ("front.png", "razor.png"))
    pasted = read_yaml(folder / "recommended.yaml")
    science = read_yaml(ROOT / "params.yaml")
    assert section(pasted, "ewc_chosen", Method) == section(science, "ewc", Method)


def test_without_a_recommendation_and_a_fit_those_of_before_are_removed(finished: Finish, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    folder.mkdir()
    for name in ("recommended.yaml", "razor.png"):
        (folder / name).write_text("of before")
    of = finished(0.001, done=4)
    assert of.pasted is None
    assert of.razor is None
    assert {path.name for path in folder.iterdir()} == {"points", "front.png", "sweep.json", "sweep.md"}
    page = (folder / "sweep.md").read_text(encoding="utf-8")
    assert "```yaml" not in page
    assert "razor.png" not in page


def test_an_interval_far_longer_than_the_points_are_apart_runs_out_of_the_picture() -> None:
    near, far = Change(0.2, 0.1, 0.3), Change(0.4, -9.0, 9.0)
    assert window([near, far]) == pytest.approx((0.1 - 0.02, 0.5 + 0.02))
    assert window([near, far], [0.6]) == pytest.approx((0.0 - 0.04, 0.8 + 0.04))
    assert window([near]) == pytest.approx((0.1 - 0.01, 0.3 + 0.01))
    assert window([Change(0.2, 0.2, 0.2)]) == pytest.approx((0.19, 0.21))
