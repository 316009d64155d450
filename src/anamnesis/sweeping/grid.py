"""A sweep's file, and the points that it names: a method of params.yaml with some values set."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass

from anamnesis.errors import InputError
from anamnesis.settings.experiment import SCALE, SCIENCE, check_all
from anamnesis.settings.methods import Method
from anamnesis.settings.profiles import PARAMS, profile_file, profile_params
from anamnesis.settings.sections import STRICT, Seed, SettingsError, Text, read_yaml, section, unknown_key

# Sections of params.yaml that no training and no measurement depends on.
SAID_LATER = ("verdict", "export")
SPLIT = "validation"

Grid = dict[Text, Annotated[list[Any], Field(min_length=1)]]


@checked_dataclass(frozen=True, config=STRICT)
class Sweep:
    """What a sweep's file says under `sweep`.

    Attributes:
        profile: of the model that is trained.
        seeds: each point is trained once with each.
        methods: for each method of params.yaml, a grid: lists of values by dotted key of its section. Every combination
            of them is a point; an empty grid is the method as it is in params.yaml. Or a list of grids.
        scale: values of the profile, by dotted key, for all points.
    """

    profile: Text
    seeds: Annotated[list[Seed], Field(min_length=1)]
    methods: Annotated[dict[Text, Grid | list[Grid]], Field(min_length=1)]
    scale: dict[Text, Any] = Field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds names a seed twice: {self.seeds}; name each once")

    def grids(self, method: str) -> list[Grid]:
        """Those of one method."""
        given = self.methods[method]
        return given if isinstance(given, list) else [given]


@dataclass(frozen=True)
class Point:
    """One method with some values set.

    Attributes:
        label: for people: `ewc weight=30 rate=0.5`.
        method: its section in params.yaml.
        values: what the sweep sets in that section, by dotted key.
        section: the section with these values, to be put into params.yaml.
        science: the content of params.yaml for this point.
        scale: the content of its profile.
        identity: a hash of the values that its results depend on, and of the code.
    """

    label: str
    method: str
    values: Mapping[str, Any]
    section: Mapping[str, Any]
    science: Mapping[str, Any]
    scale: Mapping[str, Any]
    identity: str

    @property
    def name(self) -> str:
        """For DVC and for files."""
        return f"{self.method}-{self.identity}"

    @property
    def seeds(self) -> list[int]:
        return list(self.science["seeds"])


@dataclass(frozen=True)
class Plan:
    """The points of a sweep, and the labels of those that it names again."""

    points: Sequence[Point]
    repeated: Sequence[str]


def read_sweep(path: Path) -> Sweep:
    """Raises SettingsError with the first thing that is wrong in the file."""
    if not path.is_file():
        raise SettingsError(f"there is no sweep {path}: write one, or name one with FILE=sweeps/tiny.yaml.")
    values = read_yaml(path)
    if other := [key for key in values if key != "sweep"]:
        raise SettingsError(unknown_key(path.name, str(other[0]), ["sweep"]))
    if isinstance(values.get("sweep"), dict) and "split" in values["sweep"]:
        raise SettingsError(f"{path.name}: `sweep.split`: a sweep chooses, so it is always on {SPLIT}: remove the key.")
    return section(values, "sweep", Sweep, path.name)


def read_settings(root: Path, sweep: Sweep) -> tuple[dict[str, Any], dict[str, Any]]:
    """params.yaml and the profile of the sweep, with the values that are the same for all its points.

    If params.yaml is set to another profile, the values that the sweep's profile names are taken, as `make repro
    PROFILE=` does.

    Raises:
        SettingsError: there is no such profile, the sweep sets a key that it does not have, something else is wrong in
            params.yaml, or it is set to the test split.
    """
    check_all(root)
    science = read_yaml(root / "params.yaml")
    if science.get("split") != SPLIT:
        raise SettingsError(
            f"params.yaml: `split` is {science.get('split')!r}, and a sweep chooses: put it back to {SPLIT}; measure "
            f"what was chosen on test afterwards (make result)."
        )
    file = profile_file(root, sweep.profile, said_by="`sweep.profile`")
    if sweep.profile != science.get("profile"):
        for key, value in profile_params(root, sweep.profile).items():
            set_value(science, key, value)
    science |= {"profile": sweep.profile, "seeds": list(sweep.seeds)}
    scale = read_yaml(root / file)
    for key, value in sweep.scale.items():
        part = key.partition(".")[0]
        if part not in SCALE:
            raise SettingsError(unknown_key("`sweep.scale`", part, list(SCALE)))
        set_value(scale, key, value)
    return science, scale


def plan(sweep: Sweep, science: Mapping[str, Any], scale: Mapping[str, Any], code: str) -> Plan:
    """The points of a sweep in the order of its file, each once.

    Args:
        sweep: the content of its file.
        science, scale: the result of `read_settings`.
        code: a hash of the code, and of files of the user's that it reads.

    Raises:
        InputError: with every point that cannot be made, and why.
    """
    points: dict[str, Point] = {}
    repeated, refused = [], []
    for method in sweep.methods:
        grids = sweep.grids(method)
        keys = list(dict.fromkeys(key for grid in grids for key in grid))
        for values in (values for grid in grids for values in combinations(grid)):
            label = label_of(method, values, keys)
            try:
                point = _point(label, method, values, science, scale, code)
            except SettingsError as error:
                refused.append(f"{label}: {error}")
                continue
            if point.name in points:
                repeated.append(label)
            points.setdefault(point.name, point)
    refuse(refused)
    return Plan(list(points.values()), repeated)


def refuse(refused: Sequence[str]) -> None:
    """Raises InputError if there is a point that cannot be run; each has its label and the reason."""
    if refused:
        count = "a point" if len(refused) == 1 else f"{len(refused)} points"
        raise InputError("\n  ".join([f"nothing was started, because {count} cannot be run:", *refused]))


def combinations(grid: Grid) -> Iterator[dict[str, Any]]:
    """Every combination of the grid's values, the last key fastest."""
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def label_of(method: str, values: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The method and its values; a key is shortened to its last part where no other of `keys` ends so."""
    last = [key.rpartition(".")[2] for key in keys]
    short = {key: end if last.count(end) == 1 else key for key, end in zip(keys, last, strict=True)}
    return " ".join([method, *(f"{short[key]}={shown(value)}" for key, value in values.items())])


def shown(value: Any) -> str:
    """A value as YAML on one line, numbers without needless digits."""
    if isinstance(value, list):
        return f"[{','.join(map(shown, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def set_value(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; sections on the way that are absent or null are made.

    Raises:
        SettingsError: a part on the way is a value and no section.
    """
    *parents, last = key.split(".")
    place = values
    for number, parent in enumerate(parents, start=1):
        if place.get(parent) is None:
            place[parent] = {}
        place = place[parent]
        if not isinstance(place, dict):
            whole = ".".join(parents[:number])
            raise SettingsError(f"`{key}`: `{whole}` is a value and has no keys: set `{whole}` itself.")
    place[last] = deepcopy(value)


def _point(
    label: str,
    method: str,
    values: Mapping[str, Any],
    science: Mapping[str, Any],
    scale: Mapping[str, Any],
    code: str,
) -> Point:
    own = science.get(method)
    if not (isinstance(own, dict) and "teacher" in own):
        known = [name for name, one in science.items() if isinstance(one, dict) and "teacher" in one]
        raise SettingsError(unknown_key("params.yaml", method, known))
    changed = deepcopy(dict(science))
    chosen = changed[method]
    for key, value in values.items():
        if key.startswith("tuner.") and chosen.get("tuner") is None:
            # A method's own tuner replaces the common one as a whole.
            chosen["tuner"] = deepcopy(science["tuner"])
        set_value(chosen, key, value)
    whole = deepcopy(chosen)
    if "shares" in chosen and "shares" not in values:
        # Shares would be more models to measure, and are no points of the sweep.
        chosen["shares"] = []
    changed["methods"] = [method]
    read = section(changed, method, Method)
    return Point(label, method, dict(values), whole, changed, scale, _identity(method, read, changed, scale, code))


def _identity(method: str, read: Method, science: Mapping[str, Any], scale: Mapping[str, Any], code: str) -> str:
    common = {name: science[name] for name in SCIENCE if name not in SAID_LATER and name in science}
    if read.tuner is not None:
        common.pop("tuner", None)
    known = {name: values for name, values in scale.items() if name != PARAMS}
    depends = [method, asdict(read), common, known, science["seeds"], SPLIT, code]
    return hashlib.sha256(json.dumps(depends, sort_keys=True, default=str).encode()).hexdigest()[:12]
