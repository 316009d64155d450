"""Results on the shelf, verified by a second run, and reviewed in a pull request."""

import json
import platform
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from anamnesis.analysis.summary import details as analysis_details
from anamnesis.costs import COSTS, Cost, write_cost
from anamnesis.errors import InputError
from anamnesis.machine import describe_machine
from anamnesis.publishing.across import across
from anamnesis.publishing.across import page as across_page
from anamnesis.publishing.prediction import Agreement, agreement, half_width
from anamnesis.publishing.repository import Repository
from anamnesis.publishing.rerunning import run_again
from anamnesis.publishing.results import Estimate, Results, answer, load_results, read_results
from anamnesis.publishing.reviewing import MARKER, MOST_ROWS, review
from anamnesis.publishing.shelf import BEGIN, END, SHELF, find_entry, lock_without_code, shelve, size, table
from anamnesis.publishing.verifying import page, verify
from tests.checkout import ROOT, edit_text
from tests.experiment import MAKEFILE, make_experiment
from tests.project import Project
from tests.results import experiment as experiment_results

SEEDS = (0.72, 0.73, 0.74)
QUESTION = "Does ema forget less?"
PAIR = ("none", "ema", "exam_acc")


def estimate(*by_seed: float, cases: int = 300) -> Estimate:
    return Estimate(fmean(by_seed), by_seed, cases)


def results(
    estimates: Mapping[tuple[str, str], Estimate], verdicts: Mapping[tuple[str, str, str], str] | None = None
) -> Results:
    verdicts = verdicts or {}
    return Results(estimates, verdicts, dict.fromkeys(verdicts, (0.1, 0.0, 0.2)), {}, {}, {})


# ---- What another run may give -----------------------------------------------------------------------------------


def test_the_prediction_interval_is_students_for_two_means_of_the_same_spread() -> None:
    # The 97.5 % point of Student's t at 2 degrees of freedom is 4.302653, the spread of the seeds 0.01.
    assert half_width(estimate(*SEEDS), 3) == pytest.approx(4.302653 * 0.01 * sqrt(1 / 3 + 1 / 3))
    assert half_width(estimate(*SEEDS), 6) == pytest.approx(4.302653 * 0.01 * sqrt(1 / 3 + 1 / 6))


@pytest.mark.parametrize(("known", "new"), [(3, 3), (5, 2)])
def test_19_of_20_runs_with_other_seeds_lie_inside(known: int, new: int) -> None:
    draw = random.Random(0).gauss
    inside = 0
    for _ in range(2000):
        first, second = (estimate(*(draw(0.7, 0.02) for _ in range(seeds))) for seeds in (known, new))
        inside += agreement(first, second) in (Agreement.WITHIN, Agreement.ROUNDED)
    assert 0.935 < inside / 2000 < 0.965


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (estimate(*SEEDS), estimate(*SEEDS), Agreement.IDENTICAL),
        (estimate(*SEEDS), estimate(0.73002, 0.73002, 0.73002), Agreement.ROUNDED),
        (estimate(*SEEDS), estimate(0.75, 0.76, 0.77), Agreement.WITHIN),
        (estimate(*SEEDS), estimate(0.76, 0.77, 0.78), Agreement.DIFFERENT),
        (estimate(*SEEDS), estimate(0.69, 0.69, 0.69), Agreement.DIFFERENT),
        (estimate(0.73), estimate(0.73), Agreement.IDENTICAL),
        (estimate(0.73), estimate(0.74), Agreement.UNKNOWN),
        (estimate(0.73, 0.73, 0.73), estimate(*SEEDS, 0.75), Agreement.UNKNOWN),
        (Estimate(0.96, (), 300), Estimate(0.95, (), 300), Agreement.UNKNOWN),
        (estimate(*SEEDS), estimate(*SEEDS, cases=600), Agreement.OTHER_CASES),
        (estimate(*SEEDS), None, Agreement.MISSING),
        (None, estimate(*SEEDS), Agreement.MISSING),
    ],
)
def test_agreement(first: Estimate | None, second: Estimate | None, expected: Agreement) -> None:
    assert agreement(first, second) is expected


# ---- verify ------------------------------------------------------------------------------------------------------


def runs(changed: int, of: int = 10) -> tuple[Results, Results]:
    """Two runs with `of` numbers, of which `changed` differ beyond their intervals."""
    first = {("none", f"measure_{number}"): estimate(*SEEDS) for number in range(of)}
    far = dict(list(first.items())[:changed])
    return results(first), results(first | dict.fromkeys(far, estimate(0.9, 0.91, 0.92)))


def test_a_run_holds_if_nine_numbers_of_ten_agree() -> None:
    assert verify(*runs(changed=0)).share == 1
    assert verify(*runs(changed=1)).share == 0.9
    assert verify(*runs(changed=1)).holds
    assert not verify(*runs(changed=2)).holds


@pytest.mark.parametrize(
    "second",
    [{("base", "exam_acc"): Estimate(0.95, (), 300)}, {}, {("base", "exam_acc"): Estimate(0.96, (), 600)}],
)
def test_a_number_that_cannot_be_judged_does_not_agree(second: Mapping[tuple[str, str], Estimate]) -> None:
    same = {("none", "exam_acc"): estimate(*SEEDS)}
    verification = verify(results({("base", "exam_acc"): Estimate(0.96, (), 300), **same}), results({**second, **same}))
    assert verification.share == 0.5
    assert not verification.holds


def test_arms_of_one_run_alone_are_named_and_not_compared() -> None:
    """A second run may repeat a pair of arms, but must have one."""
    pair = {("none", "exam_acc"): estimate(*SEEDS), ("ema", "exam_acc"): estimate(*SEEDS)}
    three = results({**pair, ("static", "exam_acc"): estimate(*SEEDS)})
    verification = verify(three, results(pair))
    assert verification.share == 1
    assert verification.left_out == ["static"]
    assert "- in one run only, and not compared: `static`\n" in page("default", verification)
    assert verify(results(pair), three).left_out == ["static"]
    with pytest.raises(InputError, match="no arm in common: the shelved one has `none`, `ema`, the other `static`"):
        verify(results(pair), results({("static", "exam_acc"): estimate(*SEEDS)}))


def test_the_base_on_another_processor_is_shown_and_does_not_count() -> None:
    same = {("none", "exam_acc"): estimate(*SEEDS)}

    def measured(value: float, processor: str) -> Results:
        numbers = {("base", "exam_acc"): Estimate(value, (), 300), **same}
        return replace(results(numbers), provenance={"split": "test", "summarized on": processor})

    here, there = measured(0.96, "Intel"), measured(0.95, "AMD")
    assert verify(here, measured(0.95, "Intel")).share == 0.5
    assert verify(here, there).share == 1
    text = page("default", verify(here, there))
    assert "- processors: Intel, and AMD again\n" in text
    assert "different, on another processor" in text


@pytest.mark.parametrize(
    ("before", "after", "said", "holds"),
    [
        ("better", "better", "holds", True),
        ("better", "worse", "turned", False),
        ("worse", "better", "turned", False),
        ("better", "not distinguishable", "changed", True),
        ("equivalent", "worse", "changed", True),
        ("better", None, "missing", True),
    ],
)
def test_only_from_better_to_worse_or_back_has_a_verdict_turned(
    before: str, after: str | None, said: str, holds: bool
) -> None:
    numbers = {("ema", "exam_acc"): estimate(*SEEDS)}
    verification = verify(results(numbers, {PAIR: before}), results(numbers, {PAIR: after} if after else {}))
    assert verification.verdict(PAIR) == said
    assert verification.holds == holds
    assert verification.turned == ([] if said != "turned" else [PAIR])


def test_runs_on_different_splits_are_refused_before_any_number_is_compared() -> None:
    numbers = {("ema", "exam_acc"): estimate(*SEEDS)}
    test, validation = (
        Results(numbers, {}, {}, {}, {}, {"split": split, "seeds": [0]}) for split in ("test", "validation")
    )
    assert verify(test, test).holds
    with pytest.raises(InputError) as refused:
        verify(test, validation)
    assert str(refused.value) == (
        "the shelved run was measured on the test split and the other on the validation split: set `split: test` in "
        "params.yaml and run `make repro`, or name another run's metrics by METRICS=folder."
    )


def test_the_page_says_per_number_and_per_verdict_how_it_agrees() -> None:
    first, second = runs(changed=1, of=2)
    text = page(
        "default", verify(results(first.estimates, {PAIR: "better"}), results(second.estimates, {PAIR: "worse"}))
    )
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "# default: does not hold"
    assert "- numbers: 50% agree; 1 different, 1 identical" in lines
    assert "- turned: `ema` against `none`, exam_acc" in lines
    assert (
        "| `ema` | `none` | exam_acc | better +0.100 [+0.000, +0.200] | worse +0.100 [+0.000, +0.200] | turned |"
        in lines
    )
    assert "| `none` | measure_0 | 0.7300 | 0.9100 | ± 0.0351 | different |" in lines
    assert "| `none` | measure_1 | 0.7300 | 0.7300 | ± 0.0351 | identical |" in lines


def test_answers_that_turn_round_do_not_hold() -> None:
    """An arm from PASS to FAIL, and the claim from confirmed to contradicted; not enough evidence is no reversal."""

    def run(verdict: str, holds: str) -> Results:
        claim = {"holds": holds, "sentence": "It holds."}
        return read_results(details(verdicts={"ema": {"verdict": verdict, "reasons": []}}, claim=claim), "details.json")

    first = run("PASS", "confirmed")
    assert verify(first, run("PASS", "confirmed")).holds
    assert verify(first, run("NOT ENOUGH EVIDENCE", "not decided")).holds
    assert verify(first, run("FAIL", "confirmed")).reversed == ["`ema`"]
    assert verify(first, run("PASS", "contradicted")).reversed == ["the claim"]
    assert not verify(first, run("FAIL", "confirmed")).holds
    assert "- reversed: `ema`" in page("default", verify(first, run("FAIL", "confirmed")))


def test_what_the_analysis_writes_is_read_back() -> None:
    found = experiment_results({"base": 0.95, "none": 0.7, "ema": 0.8}, {"base": 0.1, "none": 0.7, "ema": 0.7})
    read = read_results(json.dumps(analysis_details(found, {"split": "test"})), "details.json")
    assert read.estimates["ema", "exam_acc"].value == pytest.approx(found.intervals["ema"]["exam_acc"].estimate)
    assert len(read.estimates["ema", "exam_acc"].by_seed) == 3
    assert read.verdicts["none", "ema", "exam_acc"] == found.comparison("none", "ema", found.capability).word
    assert answer(read).startswith("The claim that `ema` has the best balance is ")
    assert verify(read, read).holds
    assert read.main_measures == (read.capability, read.adaptation) == ("exam_acc", "bethesda_macro_f1")


# ---- details.json ------------------------------------------------------------------------------------------------


def details(**changes: object) -> str:
    numbers = {"estimate": 0.73, "std": 0.01, "by_seed": {"0": 0.72, "1": 0.74}, "seeds": 2, "cases": 300}
    difference = {
        **{"first": "none", "second": "ema", "measure": "exam_acc", "verdict": "better"},
        **{"estimate": 0.03, "low": 0.01, "high": 0.05},
    }
    found = {"arms": {"none": {"exam_acc": numbers}}, "differences": [difference], "provenance": {"split": "test"}}
    return json.dumps(found | changes)


def test_details_are_read_as_summarize_writes_them() -> None:
    read = read_results(details(verdicts={"ema": {"verdict": "PASS", "reasons": []}}), "details.json")
    assert read.estimates == {("none", "exam_acc"): Estimate(0.73, (0.72, 0.74), 300)}
    assert read.verdicts == {PAIR: "better"}
    assert read.differences == {PAIR: (0.03, 0.01, 0.05)}
    assert read.arms == {"ema": "PASS"}


def test_the_answer_is_the_claims_or_the_candidates_or_the_comparisons() -> None:
    assert answer(read_results(details(), "x")) == "`ema` against `none`: exam_acc better"
    row = json.loads(details())["differences"][0]
    rows = [row | {"measure": one} for one in ("exam_acc", "base_text_kl_nats", "own_macro_f1", "bethesda_macro_f1")]
    said = "`ema` against `none`: exam_acc better, own_macro_f1 better, bethesda_macro_f1 better"
    assert answer(read_results(details(differences=rows), "x")) == said
    named = details(differences=rows, capability="base_text_kl_nats", adaptation="bethesda_macro_f1")
    said = "`ema` against `none`: base_text_kl_nats better, bethesda_macro_f1 better"
    assert answer(read_results(named, "x")) == said
    candidates = {"ema": {"verdict": "FAIL", "reasons": ["forgets"]}, "static": {"verdict": "PASS", "reasons": []}}
    assert answer(read_results(details(verdicts=candidates), "x")) == "`ema` FAIL; `static` PASS"
    claim = {"sentence": "It is refuted."}
    assert answer(read_results(details(verdicts=candidates, claim=claim), "x")) == "It is refuted."


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"arms": {}, "differences": []}', '{"arms": {"none": {}}}', '{"arms": 1, "differences": []}'],
)
def test_a_file_that_is_not_details_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"details\.json at main is not what the stage `summarize` writes"):
        read_results(text, "details.json at main")


def test_a_folder_without_details_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name a metrics folder that the stage `summarize` wrote"):
        load_results(tmp_path)


# ---- The commands, on a toy experiment ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_experiment(tmp_path_factory.mktemp("made") / "experiment")


@pytest.fixture
def experiment(made: Project, tmp_path: Path) -> Project:
    return made.copy(tmp_path / "experiment")


def command(experiment: Project, name: str, *arguments: str, fails: bool = False) -> str:
    return experiment.run("python", "-m", f"commands.{name}", *arguments, fails=fails)


def run_with(experiment: Project, decay: float) -> None:
    experiment.change("params.yaml", {"ema.decay": decay})
    experiment.run("dvc", "repro", "--quiet")


def page_of(experiment: Project) -> str:
    return (experiment.folder / SHELF / "README.md").read_text(encoding="utf-8")


def test_the_lock_file_of_an_entry_leaves_out_code_alone(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  train:\n    cmd: python -m stages.train\n    deps:\n    - path: models/base\n"
        "      md5: 1\n    - path: src/anamnesis/training\n      md5: 2\n    - path: stages/train.py\n      md5: 3\n"
        "    outs:\n    - path: models/adapters/none-0\n      md5: 4\n"
    )
    kept = yaml.safe_load(lock_without_code(tmp_path / "dvc.lock"))["stages"]["train"]
    assert [dep["path"] for dep in kept["deps"]] == ["models/base"]
    assert kept["outs"] == [{"path": "models/adapters/none-0", "md5": 4}]


def test_an_entry_holds_the_experiment_without_texts_and_is_listed(experiment: Project) -> None:
    said = command(experiment, "shelve", "default", "--question", QUESTION)
    folder = experiment.folder / SHELF / "default"
    kept = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert kept == {
        *("params.yaml", "profiles/tiny.yaml", "dvc.lock", "machine.json", "entry.json"),
        *("metrics/summary.json", "metrics/details.json", "metrics/general/none.json", "metrics/general/ema.json"),
        *("reports/report.md", "reports/tradeoff.png"),
    }
    for file in kept - {"machine.json", "entry.json", "reports/report.md"}:
        assert (folder / file).read_bytes() == (experiment.folder / file).read_bytes(), file
    commit = experiment.run("git", "rev-parse", "HEAD").strip()
    entry = experiment.json("results/default/entry.json")
    assert entry["commit"] == experiment.json("results/default/machine.json")["commit"] == commit
    expected = "`ema` against `none`: exam_acc better, bethesda_macro_f1 not distinguishable"
    assert said == (
        "WARNING shelve: the minutes are unknown: no cost in data/costs belongs to the present outputs of train@none, "
        f"train@ema; set MINUTES.\nresults/default ({size(folder) / 1e3:.0f} kB): {expected}\n"
    )
    row = f"| [default](default/reports/report.md) | {QUESTION} | {expected} | `{commit[:10]}` | unknown |"
    header = "| name | question | answer | commit | cost |\n|---|---|---|---|---|"
    assert f"{BEGIN}\n\n{header}\n{row}\n\n{END}" in page_of(experiment)
    # Neither DVC nor another entry is disturbed by it.
    assert "Data and pipelines are up to date" in experiment.run("dvc", "repro")
    shelve(experiment.folder, "again", QUESTION, minutes=6.4)
    assert page_of(experiment).index("| [again]") < page_of(experiment).index(row)
    assert "| 6 min |" in page_of(experiment)


def keep_costs(experiment: Project, *outputs: str, late: float = 0) -> None:
    """Costs of a minute for each training and 30 s for `summarize`, which end when their outputs are written.

    late: seconds from the end to the time of the outputs in `outputs`.
    """
    memory = {"train@none": 0.5, "train@ema": 0.75, "summarize": 0.25}
    made = {
        "train@none": "metrics/general/none.json",
        "train@ema": "metrics/general/ema.json",
        "summarize": "metrics/details.json",
    }
    for stage, output in made.items():
        written = (experiment.folder / output).stat().st_mtime - (late if output in outputs else 0)
        seconds = 30 if stage == "summarize" else 60
        started = datetime.fromtimestamp(written - seconds + 0.1, UTC).isoformat()
        write_cost(Cost(stage, started, seconds, memory[stage], None, "Some CPU"), experiment.folder / COSTS)
    # Of a stage that is gone; it counts for nothing.
    write_cost(Cost("train@dora", "2020-01-01T00:00:00+00:00", 6000, 9.0, None, "Other"), experiment.folder / COSTS)


def test_an_entry_says_what_its_stages_took(experiment: Project) -> None:
    keep_costs(experiment)
    entry = shelve(experiment.folder, "default", QUESTION)
    # The three ended within seconds of one another: 1 minute, not 2.5.
    assert entry.minutes is not None
    assert 1.0 <= entry.minutes <= 1.5
    assert f"| {entry.minutes:.0f} min |" in page_of(experiment)
    machine = experiment.json("results/default/machine.json")
    assert machine["minutes"] == entry.minutes
    assert machine["peak_memory_gigabytes"] == 0.75
    assert machine["stages"]["train@none"] == {
        "seconds": 60, "peak_memory_gigabytes": 0.5, "peak_gpu_memory_gigabytes": None,
    }  # fmt: skip
    assert set(machine["stages"]) == {"train@none", "train@ema", "summarize"}
    own = (experiment.folder / "reports/report.md").read_text()
    shelved = (experiment.folder / SHELF / "default/reports/report.md").read_text()
    assert shelved.startswith(f"{own}\n## Where and how long\n\n- commit: `{entry.commit}`\n- processor: Some CPU\n")
    assert f"- minutes: {entry.minutes:.1f}\n- largest memory of a process: 0.75 GB\n" in shelved
    assert "| `train` | 2 | 1.00 | 0.75 |\n| `summarize` | 1 | 0.50 | 0.25 |\n" in shelved
    # What is given counts for more.
    assert shelve(experiment.folder, "elsewhere", QUESTION, minutes=6.4).minutes == 6.4


@pytest.mark.parametrize("late", [2, 3600, -120])
def test_costs_of_another_run_are_not_used(experiment: Project, caplog: pytest.LogCaptureFixture, late: float) -> None:
    """As after DVC or Git restored the outputs of an earlier run, or before this run was measured."""
    keep_costs(experiment, "metrics/general/ema.json", late=late)
    assert shelve(experiment.folder, "default", QUESTION).minutes is None
    assert "no cost in data/costs belongs to the present outputs of train@ema; set MINUTES." in caplog.text
    assert set(experiment.json("results/default/machine.json")["stages"]) == {"train@none", "summarize"}
    assert "- minutes: unknown\n" in (experiment.folder / SHELF / "default/reports/report.md").read_text()


def test_outputs_that_dvc_restores_have_no_cost(experiment: Project) -> None:
    keep_costs(experiment)
    run_with(experiment, decay=0.5)
    run_with(experiment, decay=0.98)
    assert shelve(experiment.folder, "default", QUESTION).minutes is None
    assert set(experiment.json("results/default/machine.json")["stages"]) == {"train@none"}


def test_an_entry_is_replaced_only_when_asked(experiment: Project) -> None:
    shelve(experiment.folder, "default", QUESTION)
    with pytest.raises(InputError, match="results/default exists: choose another NAME"):
        shelve(experiment.folder, "default", QUESTION)
    (experiment.folder / "results/default/reports/old.png").touch()
    shelve(experiment.folder, "default", QUESTION, replace=True)
    assert not (experiment.folder / "results/default/reports/old.png").exists()


@pytest.mark.parametrize("name", ["", "Default", "../default", ".hidden", "a b"])
def test_a_name_that_cannot_be_a_folders_is_refused(made: Project, name: str) -> None:
    with pytest.raises(InputError, match="name the experiment with lower-case letters"):
        shelve(made.folder, name, QUESTION)


@pytest.mark.parametrize("question", ["", " ", "two\nlines"])
def test_a_question_that_is_not_one_line_is_refused(made: Project, question: str) -> None:
    with pytest.raises(InputError, match="QUESTION must be one line"):
        shelve(made.folder, "default", question)


def test_results_that_do_not_belong_to_the_code_are_not_shelved(experiment: Project) -> None:
    experiment.change("params.yaml", {"ema.decay": 0.5})
    with pytest.raises(InputError, match=r"does not belong to this code .* would run train@ema, summarize\."):
        shelve(experiment.folder, "default", QUESTION)
    # Other parameters than the last commit's are fine: the entry keeps them.
    experiment.run("dvc", "repro", "--quiet")
    shelve(experiment.folder, "default", QUESTION)
    # Other code is not: the entry has only its commit.
    with (experiment.folder / "measure.py").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(InputError, match=r"the code differs from the last commit \(measure\.py\)"):
        shelve(experiment.folder, "other", QUESTION)
    assert not (experiment.folder / SHELF / "other").exists()


def test_numbers_changed_by_hand_are_not_shelved(experiment: Project) -> None:
    edit_text(experiment.folder / "metrics/details.json", "not distinguishable", "better")
    with pytest.raises(InputError, match=r"does not belong to this code .* would run summarize\."):
        shelve(experiment.folder, "default", QUESTION)


def test_verify_says_by_its_exit_code_whether_the_answer_holds(experiment: Project) -> None:
    shelve(experiment.folder, "default", QUESTION)
    # Within the interval of the exam, and the verdict stays.
    run_with(experiment, decay=0.97)
    said = experiment.run("make", "--silent", "--old-file=.venv/.installed", "verify", "NAME=default")
    assert said.startswith("# default: holds\n\n- numbers: 100% agree; 3 identical, 2 within\n")
    # A second entry, in which the verdict turned.
    run_with(experiment, decay=0.5)
    shelve(experiment.folder, "half", QUESTION)
    said = command(experiment, "verify", "default", "--metrics", "results/half/metrics", fails=True)
    assert said.startswith("# default: does not hold\n")
    assert "- turned: `ema` against `none`, exam_acc\n" in said
    with pytest.raises(InputError, match=r"there is no such entry in results/; there are: default, half\."):
        find_entry(experiment.folder, "absent")


def test_verify_runs_the_shelved_parameters_on_the_shelved_code(experiment: Project) -> None:
    (experiment.folder / "Makefile").write_text(MAKEFILE)
    experiment.commit("makefile")
    run_with(experiment, decay=0.5)
    shelve(experiment.folder, "half", QUESTION)
    experiment.run("git", "checkout", "--quiet", "params.yaml", "dvc.lock", "metrics", "reports")
    (experiment.folder / "measure.py").write_text("raise SystemExit('broken later')")
    experiment.commit("later")
    said = command(experiment, "verify", "half", "--run")
    assert "Running stage 'train@ema':" in said
    assert "# half: holds\n\n- numbers: 100% agree; 5 identical\n" in said
    assert experiment.run("git", "status", "--porcelain") == ""


def test_an_entry_whose_commit_is_gone_cannot_be_run_again(experiment: Project) -> None:
    shelve(experiment.folder, "default", QUESTION)
    path = experiment.folder / SHELF / "default" / "entry.json"
    path.write_text(re.sub(r'"commit": "\w+"', f'"commit": "{"0" * 40}"', path.read_text(encoding="utf-8")))
    with pytest.raises(InputError, match=r"made with commit 0000000000, which this repository does not have"):
        run_again(experiment.folder, "default")


# ---- The review of a pull request --------------------------------------------------------------------------------


def test_rehearsal_of_a_pull_request(experiment: Project) -> None:
    experiment.run("git", "checkout", "--quiet", "-b", "slower-teacher")
    experiment.change("params.yaml", {"ema.decay": 0.5})
    # The parameter alone: the results are the old ones.
    experiment.commit("another decay")
    said = experiment.run("make", "--silent", "--old-file=.venv/.installed", "review", "BASE=main", fails=True)
    assert said.startswith(f"{MARKER}\n\n## Results: stale\n")
    assert "\n\n- `train@ema`\n- `summarize`\n\n" in said
    assert "| params.yaml | `ema.decay` | `0.98` | `0.5` |" in said
    assert "exam_acc" not in said
    # With its results.
    experiment.run("dvc", "repro", "--quiet")
    experiment.commit("its results")
    said = experiment.run("make", "--silent", "--old-file=.venv/.installed", "review", "BASE=main")
    assert said.startswith(f"{MARKER}\n\n## Results: fresh\n")
    assert "| `ema` against `none`, exam_acc | better | worse |" in said
    assert "1 of 2 comparisons differ in their verdict from `main`; 0 are new, 0 are gone." in said
    assert "| `ema` | exam_acc | 0.7600 ± 0.0351 | 0.2800 | -0.4800 |  |" in said
    assert "1 other number changed within its interval, 3 did not change, 0 are new, 0 are gone." in said
    assert said.count("| `ema` | ") == 1
    assert "| params.yaml | `ema.decay` | `0.98` | `0.5` |" in said
    assert "![trade-off](reports/tradeoff.png)" in said


def test_a_branch_that_changes_nothing(made: Project) -> None:
    said = review(made.folder, "main", "https://example.org/raw/abc/").page
    assert "0 of 2 comparisons differ in their verdict" in said
    assert "### Numbers\n\n0 numbers changed within their intervals, 5 did not change, 0 are new, 0 are gone." in said
    assert "### Parameters\n\nNone changed." in said
    assert "![trade-off](https://example.org/raw/abc/reports/tradeoff.png)" in said


def test_a_base_without_details_and_one_that_is_unknown(experiment: Project) -> None:
    experiment.run("git", "rm", "--quiet", "--cached", "metrics/details.json")
    author = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    experiment.run("git", *author, "commit", "--quiet", "--message", "as it once was")
    said = review(experiment.folder, "main").page
    assert "`main` has no metrics/details.json: there is nothing to compare with." in said
    assert "0 numbers changed within their intervals, 0 did not change, 5 are new, 0 are gone." in said
    with pytest.raises(InputError, match="Git knows no revision `absent`"):
        review(experiment.folder, "absent")


def test_all_stale_stages_are_named_in_a_clone_that_lacks_their_inputs(experiment: Project, tmp_path: Path) -> None:
    """There, `dvc repro --allow-missing --dry` gives up at the first."""
    experiment.run("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    assert Repository(tmp_path / "clone").stale_stages() == []
    parameters = tmp_path / "clone" / "params.yaml"
    edit_text(parameters, "0.72", "0.71")
    edit_text(parameters, "0.98", "0.5")
    for numbers in (tmp_path / "clone" / "metrics" / "general").iterdir():
        numbers.unlink()
    assert Repository(tmp_path / "clone").stale_stages() == ["train@none", "train@ema", "summarize"]


def test_the_code_of_this_pipeline_is_what_its_stages_read_and_none_writes() -> None:
    code = Repository(ROOT).code()
    assert {"dvc.yaml", "requirements.lock", "stages/train.py", "src/anamnesis/training", "data/facts"} <= set(code)
    assert [path for path in code if not (ROOT / path).exists()] == []


def test_the_machine_is_described() -> None:
    machine = describe_machine(ROOT / "requirements.lock")
    assert machine["processor"]
    assert 1 <= machine["cores"] <= machine["threads"]
    assert machine["memory_gigabytes"] > 0.5
    assert machine["python"].count(".") == 2
    assert machine["system"].endswith(platform.machine())
    pinned = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").split())
    assert machine["packages"].keys() == pinned.keys()
    assert machine["packages"]["dvc"] == pinned["dvc"]


def test_the_table_of_this_shelf_is_the_generated_one() -> None:
    page = (ROOT / SHELF / "README.md").read_text(encoding="utf-8")
    assert page.partition(BEGIN)[2].partition(END)[0].strip() == table(ROOT)


# ---- The workflows -----------------------------------------------------------------------------------------------

WORKFLOWS = {path.stem: path for path in (ROOT / ".github" / "workflows").glob("*.yml")}


def steps(workflow: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("name", ["tests", "results"])
def test_a_workflow_calls_the_makefile_and_names_no_host_or_secret(name: str) -> None:
    text = WORKFLOWS[name].read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert "secrets." not in text
    assert "index-url" not in text
    # Text that a pull request can choose reaches a shell only through the environment.
    assert not [step for step in steps(workflow) if "${{" in step.get("run", "")]
    targets = {line.partition(":")[0] for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()}
    called = [word for step in steps(workflow) for word in step.get("run", "").split("make --silent ")[1:]]
    called += [step["run"].removeprefix("make ") for step in steps(workflow) if step.get("run", "").startswith("make ")]
    assert called
    assert {word.split()[0] for word in called} <= targets | {".venv/.installed"}


def test_only_the_job_that_runs_no_code_of_the_pull_request_may_write() -> None:
    workflow = yaml.safe_load(WORKFLOWS["results"].read_text(encoding="utf-8"))
    review, comment = workflow["jobs"]["review"], workflow["jobs"]["comment"]
    assert workflow["permissions"] == {}
    assert review["permissions"] == {"contents": "read"}
    assert comment["permissions"] == {"pull-requests": "write"}
    assert not [step for step in comment["steps"] if "uses" in step]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in comment["if"]
    assert WORKFLOWS["results"].read_text(encoding="utf-8").count(MARKER) == 2
    assert MOST_ROWS * 2 * 200 < 65_536


# ---- across --------------------------------------------------------------------------------------------------------


def shelved(difference: float, matched: float | None = None, split: str = "test") -> Results:
    key = ("none", "static", "exam_acc")
    found = results({}, {key: "better"})
    return replace(
        found,
        differences={key: (difference, 0.0, 0.2)},
        provenance={"split": split},
        matched={} if matched is None else {"static": matched},
    )


def test_across_experiments_the_mean_has_students_interval_over_them() -> None:
    found = across({"one": shelved(0.08, 0.02), "two": shelved(0.06, 0.01), "three": shelved(0.10, 0.0)}, ["exam_acc"])
    # The 97.5 % point of Student's t at 2 degrees of freedom is 4.302653, the spread of the three 0.02.
    half = 4.302653 * 0.02 / sqrt(3)
    difference, matched = found
    assert difference.mean == pytest.approx(0.08)
    assert (difference.low, difference.high) == pytest.approx((0.08 - half, 0.08 + half))
    assert (matched.measure, matched.differences) == ("capability at equal adaptation", (0.02, 0.01, 0.0))
    said = across_page(["one", "two", "three"], found)
    assert "| `static` − `none` | exam_acc | +0.080 | +0.060 | +0.100 | +0.080 [" in said


def test_across_leaves_out_what_one_experiment_lacks() -> None:
    (difference,) = across({"one": shelved(0.08, 0.02), "two": shelved(0.06)}, ["exam_acc"])
    assert difference.measure == "exam_acc"


def test_across_is_about_the_capability_and_the_adaptation_of_the_first_experiment() -> None:
    def judged_by(capability: str | None) -> Results:
        keys = [("none", "static", measure) for measure in ("exam_acc", "base_text_kl_nats", "own_macro_f1")]
        one = replace(shelved(0.1, 0.02), differences=dict.fromkeys(keys, (0.1, 0.0, 0.2)))
        return replace(one, verdicts=dict.fromkeys(keys, "better"), capability=capability, adaptation="own_macro_f1")

    def measures(*capabilities: str | None) -> list[str]:
        return [one.measure for one in across({str(i): judged_by(one) for i, one in enumerate(capabilities)})]

    kl = "base_text_kl_nats"
    assert measures(kl, kl) == [kl, "own_macro_f1", f"{kl} at equal adaptation"]
    assert measures(None, None) == ["exam_acc", "own_macro_f1", "capability at equal adaptation"]
    assert measures(kl, None) == [kl, "own_macro_f1", "capability at equal adaptation"]
    # What is kept of one capability is not averaged with what is kept of another.
    assert measures(kl, "exam_acc") == [kl, "own_macro_f1"]


@pytest.mark.parametrize(
    ("experiments", "said"),
    [
        ({"one": shelved(0.1)}, "at least two entries"),
        (
            {"one": shelved(0.1), "two": shelved(0.1, split="validation")},
            "different splits (one: test, two: validation)",
        ),
        ({"one": shelved(0.1), "two": results({}, {})}, "different splits"),
        ({"one": shelved(0.1), "two": replace(shelved(0.1), differences={})}, "no comparison on exam_acc in common"),
    ],
)
def test_experiments_that_cannot_be_put_together_are_refused(experiments: dict[str, Results], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        across(experiments, ["exam_acc"])


def test_the_readme_states_what_the_five_bases_find_together() -> None:
    names = ["default", *(f"base-{seed}" for seed in (1, 2, 3, 4))]
    found = across({name: load_results(ROOT / SHELF / name / "metrics") for name in names}, ["exam_acc"])
    by_name = {(one.first, one.second, one.measure): one for one in found}
    kept = by_name["none", "static", "exam_acc"]
    adapted = across({name: load_results(ROOT / SHELF / name / "metrics") for name in names}, ["bethesda_macro_f1"])
    (gain,) = (one for one in adapted if (one.first, one.second, one.measure[:8]) == ("none", "static", "bethesda"))
    matched = by_name["none", "static", "capability at equal adaptation"]
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"keeps exam accuracy {kept.mean:.3f} higher" in readme
    assert f"interval of {kept.low:.3f} to {kept.high:.3f} over five bases" in readme
    less = f"adapts less: its macro-F1 is {-gain.mean:.3f} lower ({-gain.high:.3f} to {-gain.low:.3f})"
    assert less in readme
    said = f"the difference is {matched.mean:.3f} ({matched.low:.3f} to {matched.high:.3f})"
    assert said.replace("-", "−") in readme
