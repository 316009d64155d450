"""Try the points of a sweep on the validation split, and recommend one for a limit of forgetting.

The points run in DVC's queue, in a copy of the checkout. What is done is kept in scratch/sweeps/<name>: a sweep that
was stopped or killed goes on with the same command. Exit code 1 if a point failed.
"""

import sys
from collections.abc import Sequence
from functools import partial
from math import isfinite
from pathlib import Path

import click

from anamnesis.errors import InputError
from anamnesis.publishing.repository import Repository
from anamnesis.settings.corpus import Domains
from anamnesis.settings.reading import Experiment
from anamnesis.settings.sections import section
from anamnesis.settings.synthesis import Synthesis
from anamnesis.settings.verdict import Verdict
from anamnesis.sweeping.checking import checked, write_settings, write_shared_settings
from anamnesis.sweeping.choosing import sentences
from anamnesis.sweeping.finishing import about, finish
from anamnesis.sweeping.grid import Point, plan, read_settings, read_sweep
from anamnesis.sweeping.hours import announcement, expectation, own_stages
from anamnesis.sweeping.outcomes import Layout
from anamnesis.sweeping.own_files import own_files
from anamnesis.sweeping.progress import Progress
from anamnesis.sweeping.queue import Queue, Shared, Task
from anamnesis.sweeping.running import Runner
from anamnesis.sweeping.snapshot import code_digest
from anamnesis.sweeping.store import Store
from commands import ROOT
from stages._paths import METRICS, SCORES, SCRATCH, SYNTHETIC_REPORTS
from stages._stage import stage
from stages.check import check_replayed, check_synthetic, check_there, missing_corpus

# Made once, before all points: what several of them may read, and the base's own measurements.
SHARED = ("rehearsal", "fisher", "monitor", "domains", "evaluate_base_general", "evaluate_base_domain")
LAYOUT = Layout(SCORES, METRICS)


@click.command(help=__doc__)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Points that run at once.")
@click.option(
    "--at-most", type=click.FloatRange(min=0), help="Limit of forgetting; verdict.max_forgetting if left out."
)
@stage
def main(file: Path, jobs: int, at_most: float | None) -> None:
    sweep = read_sweep(file)
    science, scale = read_settings(ROOT, sweep)
    settings = section(science, "verdict", Verdict)
    limit = settings.max_forgetting if at_most is None else at_most
    if limit is None:
        raise InputError("params.yaml: `verdict.max_forgetting` is null, so say what may be forgotten: AT_MOST=0.1.")
    if not isfinite(limit):
        raise InputError(f"AT_MOST is {limit}: give a number, such as AT_MOST=0.1.")
    repository, own = Repository(ROOT), own_files(ROOT, science, scale, sweep.methods, [str(SYNTHETIC_REPORTS)])
    code = repository.code()
    planned = plan(sweep, science, scale, code_digest(ROOT, code, own.read))
    points = planned.points
    experiments = checked(points, ROOT, check_files)
    for label in planned.repeated:
        click.echo(f"named twice, run once: {label}")
    store = Store(ROOT / SCRATCH / "sweeps" / file.stem)
    with store.alone():
        done = {point.name: store.about(point.name)["seconds"] for point in points if store.has(point.name)}
        seconds, source = expectation(ROOT, sweep, points, experiments, jobs)
        click.echo(announcement(points, done, seconds, source, jobs))
        commit, changed = repository.commit(), repository.changed(code)
        progress = Progress({point.name: point.label for point in points}, seconds, done, jobs)
        runner = Runner(
            root=ROOT,
            queue=Queue(store.folder / "queue", own.copied),
            store=store,
            shared=Shared(partial(write_shared_settings, points), SHARED),
            listener=progress,
            about={point.name: about(point, commit, changed) for point in points},
            jobs=jobs,
        )
        failures = attempt(runner, progress, tasks(points, experiments))
        failed = {point.label: failures[point.name] for point in points if point.name in failures}
        if not any(store.has(point.name) for point in points):
            raise InputError(f"no point could be run, see {store.folder}/failed: {next(iter(failed.values()))}")
        chains = [one.label for one in section(science, "domains", Domains).values()]
        found = finish(file.stem, sweep, points, store, LAYOUT, settings, limit, science, failed, chains)
    click.echo("\n" + "\n".join(sentences(found.found, found.advice)) + "\n")
    click.echo(f"{found.pasted or ''}\nThe table and the pictures: {store.folder.relative_to(ROOT)}/sweep.md")
    for label, message in failed.items():
        click.echo(f"failed: {label}: {message}", err=True)
    sys.exit(bool(failed))


def attempt(runner: Runner, progress: Progress, wanted: Sequence[Task]) -> dict[str, str]:
    """The reasons of the points that failed, by name.

    Raises:
        InputError: the user stopped it; nothing goes on then.
    """
    try:
        return runner.run(wanted)
    except KeyboardInterrupt:
        runner.queue.stop()
        raise InputError("stopped; what is done is kept, and the next `make sweep` does the rest.") from None
    finally:
        progress.close()


def tasks(points: Sequence[Point], experiments: Sequence[Experiment]) -> list[Task]:
    """What the queue runs for each point: its trainings and evaluations."""
    return [
        Task(
            point.name,
            partial(write_settings, point),
            own_stages(experiment),
            LAYOUT.results(point.method, point.seeds),
        )
        for point, experiment in zip(points, experiments, strict=True)
    ]


def check_files(experiment: Experiment) -> None:
    """Refuse what the stage `check` would refuse for a reason outside of the parameters.

    The rest of what it checks is the same for all points, and it runs before them.
    """
    corpus = experiment.corpus
    if corpus.path == str(SYNTHETIC_REPORTS):
        check_synthetic(corpus, section(experiment.values, "synthesis", Synthesis), experiment.optimization)
    elif not Path(corpus.path).exists():
        raise InputError(missing_corpus(corpus.path, ROOT))
    for name, method in experiment.methods.items():
        check_replayed(name, method)
        check_there(name, method, experiment.domains)


if __name__ == "__main__":
    main()
