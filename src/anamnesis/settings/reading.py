"""All parameters of an experiment at once, for commands that look at the whole of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anamnesis.settings.base_text import BaseText
from anamnesis.settings.compute import Compute
from anamnesis.settings.corpus import Corpus, Domains
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.experiment import check_all, method_names, seed_numbers, split_name
from anamnesis.settings.export import Export
from anamnesis.settings.fisher import FisherText
from anamnesis.settings.methods import Method
from anamnesis.settings.modeling import Model
from anamnesis.settings.monitor import Monitor
from anamnesis.settings.profiles import PARAMS, profile_params
from anamnesis.settings.rehearsal_text import RehearsalText
from anamnesis.settings.rendering import Headings
from anamnesis.settings.sections import read_yaml, section
from anamnesis.settings.teacher_cache import TeacherCache
from anamnesis.settings.training import Optimization, Training
from anamnesis.settings.tuner import Tuner
from anamnesis.settings.verdict import Verdict


@dataclass(frozen=True)
class Experiment:
    """The parameters of an experiment, and as `values` the same as read from the files."""

    profile: str
    values: dict[str, Any]
    methods: dict[str, Method]
    seeds: list[int]
    split: str
    corpus: Corpus
    domains: Domains
    headings: Headings
    tuner: Tuner
    training: Training
    fisher: FisherText
    verdict: Verdict
    export: Export
    model: Model
    optimization: Optimization
    teacher_cache: TeacherCache
    base_text: BaseText
    rehearsal_text: RehearsalText
    monitor: Monitor
    evaluation: Evaluation
    compute: Compute

    def tuner_of(self, method: str) -> Tuner:
        return self.methods[method].tuner or self.tuner

    @property
    def static_runs(self) -> int:
        """How many trainings have the frozen base as their teacher."""
        return sum(arm.teacher == "static" for arm in self.methods.values()) * len(self.seeds)

    @property
    def reads_log_p(self) -> bool:
        """Whether a method weighs tokens by the base's log-probabilities of all reports."""
        return any(arm.tokens is not None for arm in self.methods.values())

    def models_of(self, method: str) -> tuple[int, int]:
        """How many models an evaluation of one run measures whole, and how many shares of an update."""
        arm = self.methods[method]
        return len(arm.domains) + (arm.teacher == "ema"), len(arm.shares)

    def retrieved_by(self, method: str) -> int:
        """How many reports the method's models read before a question on a report."""
        retrieval = self.methods[method].retrieval
        return 0 if retrieval is None else retrieval.reports

    @property
    def retrieved(self) -> list[int]:
        """The different numbers of them, with the base's 0."""
        return sorted({0, *map(self.retrieved_by, self.methods)})


def read_experiment(root: Path, profile: str | None = None) -> Experiment:
    """The experiment in params.yaml and its profile; or as `make repro PROFILE=` would run it.

    Raises:
        SettingsError: with the first thing that is wrong.
    """
    science = read_yaml(root / "params.yaml")
    if profile is not None:
        for key, value in profile_params(root, profile).items():
            *parents, last = key.split(".")
            place = science
            for parent in parents:
                place = place[parent]
            place[last] = value
        science["profile"] = profile
    check_all(root, science.get("profile"))
    file = f"profiles/{science['profile']}.yaml"
    scale = {name: values for name, values in read_yaml(root / file).items() if name != PARAMS}
    return Experiment(
        profile=science["profile"],
        values=science | scale,
        methods={name: section(science, name, Method) for name in method_names(science)},
        seeds=seed_numbers(science),
        split=split_name(science),
        corpus=section(science, "corpus", Corpus),
        domains=section(science, "domains", Domains),
        headings=section(science, "corpus.headings", Headings),
        tuner=section(science, "tuner", Tuner),
        training=section(science, "training", Training),
        fisher=section(science, "fisher", FisherText),
        verdict=section(science, "verdict", Verdict),
        export=section(science, "export", Export),
        model=section(scale, "model", Model, file),
        optimization=section(scale, "optimization", Optimization, file),
        teacher_cache=section(scale, "teacher_cache", TeacherCache, file),
        base_text=section(scale, "base_text", BaseText, file),
        rehearsal_text=section(scale, "rehearsal_text", RehearsalText, file),
        monitor=section(scale, "monitor", Monitor, file),
        evaluation=section(scale, "evaluation", Evaluation, file),
        compute=section(scale, "compute", Compute, file),
    )
