"""Whether the points of a sweep can be run, asked before anything starts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from anamnesis.errors import InputError
from anamnesis.files import written_whole
from anamnesis.settings.reading import Experiment, read_experiment
from anamnesis.sweeping.grid import Point, refuse

PARAMS_FILE = "params.yaml"


def checked(points: Sequence[Point], root: Path, also: Callable[[Experiment], None]) -> list[Experiment]:
    """The experiment of each point, read from the files that it will be run with.

    Args:
        points: of a sweep.
        root: the checkout.
        also: raises InputError for an experiment that cannot be run for another reason than its parameters.

    Raises:
        InputError: with every point that cannot be run, and why.
    """
    experiments, refused = [], []
    for point in points:
        try:
            with settings_of(point, root) as folder:
                experiment = read_experiment(folder)
            also(experiment)
            experiments.append(experiment)
        except InputError as error:
            refused.append(f"{point.label}: {error}")
    refuse(refused)
    return experiments


@contextmanager
def settings_of(point: Point, root: Path) -> Iterator[Path]:
    """A folder that looks like the checkout with the point's params.yaml and profile."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for entry in root.iterdir():
            if entry.name not in (PARAMS_FILE, "profiles"):
                (folder / entry.name).symlink_to(entry)
        write_settings(point, folder)
        yield folder


def write_settings(point: Point, folder: Path) -> None:
    """Write the point's params.yaml and profile."""
    _write(point.science, point.scale, folder)


def write_shared_settings(points: Sequence[Point], folder: Path) -> None:
    """Write a params.yaml with all methods of the points, so that what any of them needs is made."""
    science = dict(points[0].science)
    for point in reversed(points):
        science[point.method] = point.science[point.method]
    science["methods"] = list(dict.fromkeys(point.method for point in points))
    _write(science, points[0].scale, folder)


def _write(science: Mapping[str, Any], scale: Mapping[str, Any], folder: Path) -> None:
    for file, values in ((PARAMS_FILE, science), (f"profiles/{science['profile']}.yaml", scale)):
        with written_whole(folder / file) as written:
            YAML(typ="safe").dump(dict(values), written)
