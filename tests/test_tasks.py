"""Tasks of lm-evaluation-harness by name: what is asked, what becomes of it, and what is refused."""

import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lm_eval.tasks
import pytest
from click.testing import CliRunner
from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM

import stages.check
from anamnesis.errors import InputError
from anamnesis.evaluation import definitions
from anamnesis.evaluation.cases import estimates
from anamnesis.evaluation.definitions import check_names, check_tasks, load
from anamnesis.evaluation.harness import language_model
from anamnesis.evaluation.questions import ask
from anamnesis.settings.evaluation import Task
from tests.conftest import ROOT
from tests.test_evaluation import Scripted, evaluation, general, mmlu_folder, small_exam
from tests.test_settings import change, task

__all__ = ["mmlu_folder"]

ROWS = """
from datasets import Dataset, DatasetDict

TEXTS = ["узел", "контроль через 6 мес.", "нет", "картина коллоидного узла"]

def rows(**_):
    test = [{"text": text, "choices": ["да", "нет", "может быть"], "answer": i % 3} for i, text in enumerate(TEXTS)]
    return DatasetDict(test=Dataset.from_list(test), dev=Dataset.from_list(test[::-1]))

def halves(doc, results):
    return {"half": 0.5, "whole": results[0] == doc["text"], "parts": [True, False]}

def doubles(doc, results):
    return {"twice": 2.0}

def mixed(doc, results):
    return {"length": float(len(doc["text"])), "whole": True}

def most(items):
    return max(items)
"""
COMMON = """
custom_dataset: !function rows.rows
test_split: test
fewshot_split: dev
doc_to_text: "{{text}}?"
metadata:
  version: 1.0
"""
CHOICE = COMMON + "output_type: multiple_choice\ndoc_to_choice: choices\ndoc_to_target: answer\n"
GENERATE = COMMON + (
    'output_type: generate_until\ndoc_to_target: text\ngeneration_kwargs:\n  until: ["\\n"]\n  max_gen_toks: 4\n'
)
DEFINITIONS = {
    # The metrics of multiple choice that the harness takes by itself: acc and acc_norm.
    "choice": CHOICE,
    "normed": CHOICE + "metric_list:\n  - metric: acc_norm\n  - metric: acc\n  - metric: mcc\n",
    "likely": COMMON + "output_type: loglikelihood\ndoc_to_target: text\n",
    "rolling": COMMON.replace('"{{text}}?"', '""') + "output_type: loglikelihood_rolling\ndoc_to_target: text\n",
    "generate": GENERATE
    + "process_results: !function rows.halves\nmetric_list:\n"
    + "".join(
        f"  - {{metric: {name}, aggregation: {how}, higher_is_better: {better}}}\n"
        for name, how, better in (
            ("whole", "mean", "true"),
            ("parts", "!function rows.most", "true"),
            ("half", "mean", "false"),
        )
    ),
    "filtered": GENERATE
    + "metric_list:\n  - {metric: exact_match, aggregation: mean, higher_is_better: true}\nfilter_list:\n"
    + "".join(
        f"  - name: {name}\n    filter:\n      - {{function: regex, regex_pattern: '{pattern}'}}\n"
        "      - {function: take_first}\n"
        for name, pattern in (("strict-match", "(нет)"), ("flexible-extract", "(.*)"))
    ),
    "corpus_only": CHOICE + "metric_list:\n  - metric: mcc\n  - metric: f1\n",
    "twice": GENERATE
    + "process_results: !function rows.doubles\n"
    + "metric_list:\n  - {metric: twice, aggregation: mean, higher_is_better: true}\n",
    "mixed": GENERATE
    + "process_results: !function rows.mixed\nmetric_list:\n"
    + "".join(f"  - {{metric: {name}, aggregation: mean, higher_is_better: true}}\n" for name in ("length", "whole")),
    "unsafe": CHOICE + "unsafe_code: true\n",
    "pictures": CHOICE + "doc_to_image: text\n",
    "absent": CHOICE.replace("custom_dataset: !function rows.rows", "dataset_path: json") + "dataset_kwargs:\n"
    "  data_files: nowhere.json\n",
    "long_answers": GENERATE.replace("max_gen_toks: 4", "max_gen_toks: 4096"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "rows.py").write_text(ROWS, encoding="utf-8")
    for name, text in DEFINITIONS.items():
        (folder / f"{name}.yaml").write_text(f"task: {name}\n{text}", encoding="utf-8")
    group = "group: both\ntask:\n  - normed\n  - likely\n"
    (folder / "both.yaml").write_text(group, encoding="utf-8")
    return folder


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    return small_exam(tmp_path).exam


def knows(_: str, answer: str) -> float:
    return -1.0 if answer == " нет" else -3.0


def test_each_question_of_a_multiple_choice_task_is_a_case(folder: Path, exam: Path) -> None:
    answered = ask(Scripted(knows), "choice", Task(0, None, str(folder)), exam)
    assert answered is not None
    # The second answer is right for the second of four questions.
    assert estimates(answered.cases) == {"choice_acc": 0.25, "choice_acc_norm": 0.25}
    values = [(case.case, case.value) for case in answered.cases if case.measure == "choice_acc"]
    assert values == [("choice:0", 0), ("choice:1", 1), ("choice:2", 0), ("choice:3", 0)]
    described = {"title": "choice acc_norm", "kind": "accuracy", "better": "higher"}
    assert answered.summary["measures"]["choice_acc_norm"] == described
    assert (answered.summary["questions"], answered.summary["shots"]) == (4, 0)
    assert answered.summary["subjects"] == {"choice": {"choice_acc": 0.25, "choice_acc_norm": 0.25, "questions": 4}}


def test_only_metrics_of_single_questions_are_kept_the_first_one_first(folder: Path, exam: Path) -> None:
    answered = ask(Scripted(knows), "normed", Task(0, None, str(folder)), exam)
    assert answered is not None
    assert list(answered.summary["measures"]) == ["normed_acc_norm", "normed_acc"]


def test_likelihoods_are_asked(folder: Path, exam: Path) -> None:
    answered = ask(Scripted(knows), "likely", Task(0, None, str(folder)), exam)
    assert answered is not None
    assert estimates(answered.cases) == {"likely_acc": 0}


def test_bits_per_byte_of_a_task_are_bits_by_bytes(folder: Path, exam: Path) -> None:
    model = Scripted(lambda _, text: -float(len(text)) * math.log(2))
    answered = ask(model, "rolling", Task(0, None, str(folder)), exam)
    assert answered is not None
    texts = [case.weight for case in answered.cases]
    letters = sum(map(len, ("узел", "контроль через 6 мес.", "нет", "картина коллоидного узла")))
    assert estimates(answered.cases) == {"rolling_bits_per_byte": pytest.approx(letters / sum(texts))}
    described = {"title": "rolling bits_per_byte", "kind": "bits_per_byte", "better": "lower"}
    assert answered.summary["measures"] == {"rolling_bits_per_byte": described}


def test_generated_answers_are_scored_by_the_task(folder: Path, exam: Path) -> None:
    model = Scripted(knows, lambda prompt: prompt.rpartition("\n")[2].removesuffix("?"))
    answered = ask(model, "generate", Task(1, 3, str(folder)), exam)
    assert answered is not None
    assert estimates(answered.cases) == {"generate_whole": 1, "generate_half": 0.5}
    assert {key: one["better"] for key, one in answered.summary["measures"].items()} == {
        "generate_whole": "higher",
        "generate_half": "lower",
    }
    assert [prompt.count("?") for prompt, _ in model.generations] == [2, 2, 2]
    assert answered.summary["shots"] == 1


def test_each_way_of_reading_answers_is_a_measure(folder: Path, exam: Path) -> None:
    answered = ask(Scripted(knows, lambda _: "нет"), "filtered", Task(0, None, str(folder)), exam)
    assert answered is not None
    assert list(answered.summary["measures"]) == [
        "filtered_exact_match_strict_match",
        "filtered_exact_match_flexible_extract",
    ]
    assert estimates(answered.cases) == dict.fromkeys(answered.summary["measures"], 0.25)
    assert answered.summary["questions"] == 4
    names = [(case.measure, case.case) for case in answered.cases]
    assert len(set(names)) == len(names) == 8


def test_a_group_has_the_metrics_that_its_tasks_share(folder: Path, exam: Path) -> None:
    answered = ask(Scripted(knows), "both", Task(0, 3, str(folder)), exam)
    assert answered is not None
    assert list(answered.summary["measures"]) == ["both_acc"]
    assert [case.case for case in answered.cases] == [f"{task}:{i}" for task in ("normed", "likely") for i in range(3)]
    assert answered.summary["subjects"].keys() == {"likely", "normed"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chioce", r"there is no task `chioce` in .*tasks; did you mean `choice`"),
        ("corpus_only", "no metric of it is a number for each question"),
        ("unsafe", "unsafe runs code that the model writes"),
        ("pictures", "pictures asks about images or sounds"),
        ("absent", "`evaluation.tasks.absent` cannot be loaded"),
        ("long_answers", "answers have up to 4096 tokens and the model takes 512"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(folder: Path, exam: Path, name: str, said: str) -> None:
    model = Scripted(knows)
    model.max_length = 512
    with pytest.raises(InputError, match=said) as refused:
        ask(model, name, Task(0, None, str(folder)), exam)
    assert "evaluation.tasks" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not model.asked
    assert not model.generations


def test_a_metric_that_is_no_share_is_left_out_with_a_warning(
    folder: Path, exam: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answered = ask(Scripted(knows, lambda _: "нет"), "mixed", Task(0, None, str(folder)), exam)
    assert answered is not None
    assert list(answered.summary["measures"]) == ["mixed_whole"]
    assert estimates(answered.cases) == {"mixed_whole": 1}
    assert answered.summary["subjects"] == {"mixed": {"mixed_whole": 1, "questions": 4}}
    (said,) = [one.getMessage() for one in caplog.records if one.name == "anamnesis.evaluation.questions"]
    assert re.fullmatch(r"`mixed_length` of question mixed:\d is \d+, and only .*: this measure is left out.", said)
    with pytest.raises(InputError, match=r"`twice_twice` of question twice:\d is 2, .*: remove `twice` from `eval"):
        ask(Scripted(knows, lambda _: "нет"), "twice", Task(0, None, str(folder)), exam)


@pytest.mark.parametrize("name", ["choice", "normed", "likely", "rolling", "generate", "filtered", "both"])
def test_what_a_task_measures_is_known_before_it_is_asked(folder: Path, exam: Path, name: str) -> None:
    task = Task(0, None, str(folder))
    answered = ask(Scripted(knows, lambda _: "нет"), name, task, exam)
    assert answered is not None
    assert load(name, task, exam).measures == list(answered.summary["measures"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chioce", "did you mean `choice`"),
        ("corpus_only", "no metric of it is a number for each question"),
        ("unsafe", "unsafe runs code that the model writes"),
        ("pictures", "pictures asks about images or sounds"),
        ("absent", "`evaluation.tasks.absent` cannot be loaded"),
    ],
)
def test_the_check_loads_every_task(folder: Path, tmp_path: Path, name: str, said: str) -> None:
    """Without a model, and before there is an exam on the facts."""
    asked = {"facts": Task(0, None, None), name: Task(0, None, str(folder))}
    with pytest.raises(InputError, match=said):
        check_tasks(evaluation(tasks=asked), None, tmp_path / "exam.jsonl")


def test_the_stage_check_compares_the_capability_with_the_tasks_of_the_profile(
    settings_only: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages.check, "ROOT", settings_only)
    monkeypatch.chdir(ROOT)
    shutil.copy(ROOT / "dvc.yaml", settings_only)
    for capability, said in {"choice_acc_norm": "", "choice_acc_nrom": "set it to `choice_acc_norm`"}.items():
        change(settings_only / "params.yaml", "verdict.capability", capability)
        change(settings_only / "profiles/tiny.yaml", "evaluation.tasks.choice", task(folder=str(folder)))
        done = CliRunner().invoke(stages.check.main)
        assert (done.exit_code, said in done.output) == (1 if said else 0, True), done.output


def test_the_check_reads_mmlu(mmlu_folder: Path, tmp_path: Path) -> None:
    settings = evaluation(tasks={"mmlu": Task(5, None, str(mmlu_folder))})
    check_tasks(settings, "mmlu_acc", tmp_path / "exam.jsonl")
    (mmlu_folder / "test" / "virology_test.csv").unlink()
    load.cache_clear()
    with pytest.raises(InputError, match=r"there is no file .*virology_test\.csv"):
        check_tasks(settings, "mmlu_acc", tmp_path / "exam.jsonl")


def test_the_check_compares_the_capability_with_what_the_tasks_measure(folder: Path, tmp_path: Path) -> None:
    asked = {name: Task(0, None, str(folder)) for name in ("choice", "filtered")} | {"facts": Task(0, None, None)}
    settings = evaluation(tasks=asked)
    for known in (None, "choice_acc_norm", "filtered_exact_match_strict_match", "exam_acc", "base_text_kl_nats"):
        check_tasks(settings, known, tmp_path / "exam.jsonl")
    for wrong, near in {
        "choice_acc_nrom": "`choice_acc_norm` or `choice_acc`",
        "filtered_exact_match": "`filtered_exact_match_strict_match` or `filtered_exact_match_flexible_extract`",
        "zz": "`exam_acc` or `choice_acc` or `choice_acc_norm` or `filtered",
    }.items():
        with pytest.raises(InputError, match=f"is '{wrong}', which no task measures: set it to .*{near}"):
            check_tasks(settings, wrong, tmp_path / "exam.jsonl")


@pytest.fixture
def few_tasks(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[list[int]]:
    """The harness with the tasks of the folder only, as the whole index takes seconds; how often it was built."""
    built: list[int] = []

    def index() -> Any:
        built.append(1)
        return lm_eval.tasks.TaskManager(include_path=str(folder), include_defaults=False)

    monkeypatch.setattr(definitions, "TaskManager", index)
    definitions._whole_index.cache_clear()
    yield built
    definitions._whole_index.cache_clear()


def test_the_index_of_all_tasks_is_built_once_and_only_if_needed(few_tasks: list[int], exam: Path) -> None:
    check_names({"facts": Task(0, None, None), "mmlu": Task(5, None, None)})
    assert not few_tasks
    check_names({"choice": Task(0, None, None), "likely": Task(0, None, None)})
    for _ in range(2):
        assert ask(Scripted(knows), "choice", Task(0, None, None), exam) is not None
    assert few_tasks == [1]
    with pytest.raises(InputError, match="there is no task `fact` in lm-evaluation-harness; did you mean `facts`"):
        check_names({"fact": Task(0, None, None)})


def test_a_task_is_loaded_once_for_all_arms(folder: Path, exam: Path) -> None:
    task = Task(1, None, str(folder))
    assert load("choice", task, exam) is load("choice", task, exam)
    first, second = (ask(Scripted(knows), "choice", task, exam) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.cases == second.cases
    assert first.measured.questions["choice"][0]["prompt_hash"] == second.measured.questions["choice"][0]["prompt_hash"]


def test_both_backends_answer_the_same(
    base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, folder: Path, exam: Path
) -> None:
    for name in ("choice", "likely", "rolling", "generate", "filtered"):
        backends: tuple[Any, Any] = ("shared_prefix", "hf")
        ours, theirs = (
            ask(language_model(base, tokenizer, 3, backend), name, Task(2, None, str(folder)), exam)
            for backend in backends
        )
        assert ours is not None
        assert theirs is not None
        assert [case.case for case in ours.cases] == [case.case for case in theirs.cases]
        assert [case.value for case in ours.cases] == pytest.approx([case.value for case in theirs.cases], rel=1e-5)


def test_tasks_are_measured_beside_the_others(folder: Path, tmp_path: Path) -> None:
    tasks = {"choice": Task(0, None, str(folder)), "facts": Task(0, None, None)}
    metrics, log, cases = general(Scripted(knows), evaluation(tasks=tasks), small_exam(tmp_path))
    assert metrics["choice_acc"] == estimates(cases)["choice_acc"] == 0.25
    assert "exam_acc" in metrics
    assert metrics["tasks"]["facts"]["measures"] == {}
    assert {"choice", "facts_capitals"} < {row["task"] for row in log}
    assert metrics["harness"]["task_versions"]["choice"] == 1.0
