"""What one changed parameter runs again: one key of every part of a method, and of what methods share.

The pipeline runs once at test size, in a copy of the checkout, with a method for each part. Then each key gets another
value, `dvc repro` runs, and everything is put back. A row has the shared stages that ran, and the methods whose runs
were trained, or only measured, again. The command fails if these are not the methods that read the key.
"""

import json
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from anamnesis.files import write_jsonl
from anamnesis.markdown import table
from tests.complaints import write_complaints
from tests.project import Project, stages_run

SCIENCE, SCALE = "params.yaml", "profiles/tiny.yaml"
METHODS = [
    *("none", "static", "ema", "anchored", "stm", "budgeted", "slow", "adapters", "l1", "ewc", "replay", "rehearsal"),
    *("multitask", "chain", "rag", "combined"),
]
# Examples of another task, which are not shipped: the complaints of `chain` again.
EXAMPLES = Path("data/domains/multitask.jsonl")
# Stages that run after any change of params.yaml, in a second: they read the whole file.
ALWAYS = {"needs", "summarize"}


@dataclass(frozen=True)
class Change:
    """Another value of a key, and the methods that read it: what is trained again, and what is only measured again.

    None stands for all methods of the experiment.
    """

    key: str
    value: Any
    trained: tuple[str, ...] | None
    measured: tuple[str, ...] | None = ()
    file: str = SCIENCE


CHANGES = [
    Change("ema.decay", 0.9, ("ema",)),
    Change("static.kl_weight", 0.2, ("static",)),
    Change("anchored.mix", 0.4, ("anchored",)),
    Change("stm.tokens.max_perplexity", 2.0, ("stm",)),
    Change("budgeted.budget.nats", 0.5, ("budgeted",)),
    Change("slow.pace.rate", 0.5, ("slow",)),
    Change("adapters.tuner.size", 32, ("adapters",)),
    Change("l1.penalties.l1.weight", 1e-3, ("l1",)),
    Change("ewc.penalties.ewc.weight", 30.0, ("ewc",)),
    Change("replay.replay.share", 0.33, ("replay",)),
    Change("multitask.replay.weight", 0.5, ("multitask",)),
    Change("chain.domains", ["corpus", "symptoms"], ("chain",)),
    Change("rag.retrieval.reports", 2, ("rag",)),
    Change("none.shares", [0.5], ("none",)),
    Change("fisher.documents", 8, ("ewc", "chain", "combined")),
    Change("domains.symptoms.seed", 1, ("chain",)),
    Change("rehearsal_text.seed", 2, ("rehearsal", "combined"), file=SCALE),
    Change("monitor.reports", 3, ("budgeted",), file=SCALE),
    # dvc.yaml declares the shared tuner for every training, also of a method that has another, or none.
    Change("tuner.r", 8, None),
    Change("evaluation.generation_limit", 2, (), None, file=SCALE),
    Change("verdict.margins.accuracy", 0.02, ()),
]


@dataclass(frozen=True)
class Rerun:
    """What ran: stages that methods share, and the methods that were trained, or measured and not trained."""

    shared: list[str]
    trained: list[str]
    measured: list[str]

    def is_that_of(self, change: Change, methods: Collection[str]) -> bool:
        """Whether the right methods ran, and no other."""
        wanted = [
            methods if names is None else set(names) & set(methods) for names in (change.trained, change.measured)
        ]
        return [set(self.trained), set(self.measured)] == [set(names) for names in wanted]


def rerun(project: Project, change: Change) -> Rerun:
    """Run the pipeline with the change, and put everything back."""
    project.change(change.file, {change.key: change.value})
    stages = stages_run(project.run("dvc", "repro"))
    project.restore()
    return of_stages(stages)


def of_stages(stages: Iterable[str]) -> Rerun:
    """Sort the names of stages, such as `fisher` and `train@ewc-0`."""
    shared, trained, measured = [], [], []
    for name in stages:
        stage, _, run = name.partition("@")
        method = run.rpartition("-")[0]
        if stage == "train":
            trained.append(method)
        elif stage.startswith("evaluate") and run:
            measured.append(method)
        elif stage != "inputs" and name not in ALWAYS:
            shared.append(name)
    only = [name for name in dict.fromkeys(measured) if name not in trained]
    return Rerun(shared, list(dict.fromkeys(trained)), only)


def listed(names: Sequence[str], methods: Collection[str]) -> str:
    return "all" if set(names) == set(methods) else ", ".join(f"`{name}`" for name in names)


@click.command(help=__doc__)
def main() -> None:
    with TemporaryDirectory() as scratch:
        project = Project(Path(scratch))
        examples = [
            {"prompt": f"{row['symptoms']}:", "completion": f" {row['code']}"}
            for row in write_complaints(project.folder)
        ]
        write_jsonl(project.folder / EXAMPLES, examples)
        project.change(SCIENCE, {"methods": METHODS, "fisher.documents": 6})
        click.echo(f"{len(METHODS)} methods are run once.", err=True)
        project.run("dvc", "repro")
        project.commit("run")
        rows, wrong = [], []
        for change in CHANGES:
            found = rerun(project, change)
            right = found.is_that_of(change, METHODS)
            wrong += [] if right else [change.key]
            click.echo(f"{change.key}: {found}", err=True)
            rows.append(
                [
                    f"`{change.key}={json.dumps(change.value)}`",
                    ", ".join(f"`{name}`" for name in found.shared),
                    *(listed(names, METHODS) for names in (found.trained, found.measured)),
                ]
            )
    click.echo(table(["changed", "shared stages", "trained again", "only measured again"], rows))
    if wrong:
        sys.exit(f"Not the methods that read the key ran: {', '.join(wrong)}.")


if __name__ == "__main__":
    main()
