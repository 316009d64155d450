"""The tasks of `evaluation.tasks`: where each is defined, what is measured by it, and why some cannot be asked.

The exams on the facts are defined in tasks/facts. MMLU is defined by lm-evaluation-harness, by letters and by the text
of the answers, and its questions come from the hub or from a folder. Any other name is that of a task, group or tag of
the harness, or of one that a YAML file in the task's folder defines.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import lm_eval
import yaml
from lm_eval.api.registry import get_aggregation
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager

from anamnesis.errors import InputError
from anamnesis.settings.evaluation import EXAMS, FACTS, GENERAL_MEASURES, MMLU, Evaluation, Task

TASKS = Path(__file__).parent / "tasks"
HARNESS = Path(lm_eval.__file__).parent / "tasks"
HARNESS_MMLU = {"mmlu": HARNESS / "mmlu" / "default", "mmlu_continuation": HARNESS / "mmlu" / "continuation"}

# What the harness gives for a task or group: its tasks by name under `tasks`.
Loaded = Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """A number that a task gives for each question, and that is averaged over questions.

    A metric of the kind bits_per_byte is instead the sum of bits by the sum of bytes.
    """

    name: str
    kind: Literal["accuracy", "bits_per_byte"]
    better: Literal["higher", "lower"]


ACC = Metric("acc", "accuracy", "higher")


@dataclass(frozen=True)
class Asked:
    """A task that is ready to be asked, with its metrics; the first one is the first that its definition names."""

    name: str
    loaded: Loaded
    metrics: tuple[Metric, ...]

    @property
    def generating(self) -> list[ConfigurableTask]:
        """The tasks that the model answers by writing."""
        return [leaf for leaf in self.loaded["tasks"].values() if leaf.OUTPUT_TYPE == "generate_until"]

    @property
    def measures(self) -> list[str]:
        """All that is measured by asking the task, by the definitions of its tasks."""
        return list(
            dict.fromkeys(
                self.measure(metric, filters, chosen)
                for metric in self.metrics
                for filters in map(_filters, self.loaded["tasks"].values())
                for chosen in filters
            )
        )

    def measure(self, metric: Metric, filters: Iterable[str], chosen: str) -> str:
        """The measure of a metric. Where a task reads answers in several ways, the `chosen` filter is in its name."""
        if self.name in EXAMS:
            return EXAMS[self.name]
        key = f"{self.name}_{metric.name}"
        return key if len(list(filters)) == 1 else f"{key}_{chosen.replace('-', '_')}"


def check_names(tasks: Mapping[str, Task]) -> None:
    """Refuse tasks that do not exist. The harness's index of all its tasks is built only if one of them is asked.

    Raises:
        InputError: with the nearest names.
    """
    for name, task in tasks.items():
        if name not in EXAMS and name not in (known := _index(task).all_tasks):
            near = get_close_matches(name, sorted({*known, *EXAMS}), n=3)
            hint = f"did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else "name another one."
            raise InputError(
                f"`evaluation.tasks`: there is no task `{name}` in {task.folder or 'lm-evaluation-harness'}; {hint}"
            )


def check_tasks(evaluation: Evaluation, capability: str | None, exam: Path) -> None:
    """Load the tasks and compare the capability with what they measure; the exams on the facts need no check.

    Args:
        evaluation: its settings.
        capability: `verdict.capability`.
        exam: the file with the questions of the exams on the facts; it may be absent.

    Raises:
        InputError: a task cannot be asked, or none measures the capability.
    """
    check_names(evaluation.tasks)
    asked = [load(name, task, exam) for name, task in evaluation.tasks.items() if name not in FACTS]
    measures = [*evaluation.measures, *(measure for one in asked for measure in one.measures)]
    if capability is not None and capability not in measures:
        near = get_close_matches(capability, measures, n=3) or [key for key in measures if key not in GENERAL_MEASURES]
        raise InputError(
            f"params.yaml: `verdict.capability` is {capability!r}, which no task measures: set it to "
            f"{' or '.join(f'`{one}`' for one in near)}, or to null."
        )


@cache
def load(name: str, task: Task, exam: Path) -> Asked:
    """Load a task and its questions; the next arm finds it loaded.

    Args:
        name: of the task.
        task: its settings.
        exam: the file with the questions of the exams on the facts.

    Raises:
        InputError: there is no such task, its questions cannot be loaded, or it cannot be asked here.
    """
    check_names({name: task})
    if name in EXAMS:
        with task_folders(name, task.folder) as folders:
            return Asked(name, load_task(name, task_manager(folders, {"exam": str(exam)})), (ACC,))
    loaded = load_task(name, _index(task))
    for leaf in loaded["tasks"].values():
        _check_can_be_asked(name, leaf)
    return Asked(name, loaded, _metrics(name, list(loaded["tasks"].values())))


def task_manager(folders: Iterable[Path], metadata: Mapping[str, Any]) -> TaskManager:
    """The index of the tasks in `folders`; `metadata` is passed to the functions that build the documents."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    return TaskManager(
        include_path=[str(folder) for folder in folders], include_defaults=False, metadata=dict(metadata)
    )


def load_task(name: str, manager: TaskManager) -> Loaded:
    """Load a task, its definition from the index and its questions.

    Raises:
        InputError: it cannot be loaded.
    """
    try:
        loaded: Loaded = manager.load([name])
    except InputError:
        raise
    except (OSError, ImportError, RuntimeError, ValueError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(
            f"`evaluation.tasks.{name}` cannot be loaded ({said}): check the network, install what the task needs, "
            f"give a `folder` with its files, or remove the task."
        ) from error
    return loaded


@contextmanager
def task_folders(name: str, folder: str | None) -> Iterator[list[Path]]:
    """The folders with the definition of an exam on the facts, or of MMLU.

    A folder of CSV files is used with the harness's own definition of MMLU: each of its 57 tasks is included, and only
    the documents are replaced.
    """
    if name in FACTS:
        yield [TASKS / "facts"]
    elif folder is None:
        yield [HARNESS_MMLU[name]]
    elif not Path(folder).is_dir():
        raise InputError(f"`evaluation.tasks.{name}.folder` is {folder!r}: set it to an existing folder, or to null.")
    else:
        with TemporaryDirectory() as scratch:
            for definition in sorted(HARNESS_MMLU[name].glob("mmlu_*.yaml")):
                subject = definition.stem.removeprefix("mmlu_")
                task = {
                    "include": str(definition),
                    "task": f"mmlu_{subject}{name.removeprefix('mmlu')}",
                    "metadata": {"version": 1.0, "folder": str(Path(folder).resolve()), "subject": subject},
                }
                text = yaml.safe_dump(task) + "custom_dataset: !function anamnesis.evaluation.documents.mmlu\n"
                (Path(scratch) / definition.name).write_text(text, encoding="utf-8")
            yield [HARNESS_MMLU[name], Path(scratch)]


def subject_of(exam: str, leaf: str) -> str:
    """The subject of an exam that one of its tasks asks; other tasks keep their names."""
    if exam in MMLU:
        return leaf.removeprefix("mmlu_").removesuffix(exam.removeprefix("mmlu"))
    return leaf.removeprefix(f"{exam}_") if exam in FACTS else leaf


def _index(task: Task) -> TaskManager:
    return _whole_index() if task.folder is None else task_manager([Path(task.folder)], {})


@cache
def _whole_index() -> TaskManager:
    """All tasks of the harness; it takes 13 s to build."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    return TaskManager()


def _check_can_be_asked(name: str, leaf: Any) -> None:
    reasons = {
        "is not defined in YAML": not isinstance(leaf, ConfigurableTask),
        "asks about images or sounds": getattr(leaf, "MULTIMODAL", False),
        "runs code that the model writes": getattr(leaf, "UNSAFE_CODE", False),
    }
    for reason, holds in reasons.items():
        if holds:
            raise InputError(
                f"`evaluation.tasks.{name}`: {leaf.task_name} {reason}, which is not supported: remove it."
            )


def _metrics(name: str, leaves: list[ConfigurableTask]) -> tuple[Metric, ...]:
    """The metrics that every task of a group gives for each question."""
    first, *others = ({one.name: one for one in _per_question(leaf)} for leaf in leaves)
    common = tuple(metric for key, metric in first.items() if all(other.get(key) == metric for other in others))
    if not common:
        raise InputError(
            f"`evaluation.tasks.{name}`: no metric of it is a number for each question that is averaged over "
            f"questions, so its arms cannot be compared in pairs: ask another task."
        )
    return common


def _filters(leaf: ConfigurableTask) -> list[str]:
    """The ways in which answers are read; the harness calls a single one without a name `none`."""
    return [one["name"] for one in leaf.config.filter_list or [{"name": "none"}]]


def _per_question(leaf: ConfigurableTask) -> Iterator[Metric]:
    better = leaf.higher_is_better()
    for name, aggregation in leaf.aggregation().items():
        if aggregation is get_aggregation("mean"):
            yield Metric(name, "accuracy", "higher" if better[name] else "lower")
        elif aggregation is get_aggregation("bits_per_byte"):
            yield Metric(name, "bits_per_byte", "lower")
