"""Reads a section of params.yaml or of a profile into its dataclass, and says in one sentence what is wrong in it."""

import json
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML, YAMLError

from anamnesis.errors import InputError

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

# What the numbers of a run are computed in: fp32, torch's 32-bit counts, and NumPy's seeds.
FP32_MAX = 3.4e38
COUNT_MAX = 2**31 - 1
SEED_MAX = 2**32 - 1

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=FP32_MAX)]
Rate = Annotated[float, Field(gt=0, le=FP32_MAX)]
Positive = Annotated[int, Field(gt=0, le=COUNT_MAX)]
NonNegative = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Seed = Annotated[int, Field(ge=0, le=SEED_MAX)]
Text = Annotated[str, Field(min_length=1)]


# pydantic's names for a key that a dataclass does not have.
UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")


class SettingsError(InputError):
    """A parameter that cannot be used; the message is one sentence with the file, the key and what to do."""


T = TypeVar("T")


def section(values: Mapping[str, Any], name: str, kind: type[T], file: str = "params.yaml") -> T:
    """Read the section `name` of `values`, or a part of one (`corpus.headings`), into the dataclass `kind`.

    Raises:
        SettingsError: the section is missing, or a key in it is unknown, missing or out of range.
    """
    content: Any = values
    for part in name.split("."):
        if not isinstance(content, Mapping) or part not in content:
            raise SettingsError(f"{file} has no section `{name}`: add one with the keys {sorted(_keys(kind))}.")
        content = content[part]
    try:
        # Through JSON: in strict mode pydantic takes a mapping for a dataclass only from there. Python's JSON has a
        # notation for NaN and infinity, which pydantic reads and STRICT then refuses.
        return TypeAdapter(kind).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise SettingsError(_sentence(error, file, name, kind)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, read as DVC reads it: YAML 1.2, where `yes` is text and `1e-4` is a number.

    Raises:
        SettingsError: the file is not YAML, or not a mapping.
    """
    try:
        values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise SettingsError(f"{path.name} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path.name} must be a mapping of keys to values.")
    return values


def unknown_key(file: str, key: str, known: list[str]) -> str:
    """The sentence about a key that does not exist."""
    close = get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known keys are {sorted(known)}."
    return f"{file}: unknown key `{key}`; {hint}"


def _keys(kind: Any) -> list[str]:
    return list(getattr(kind, "__dataclass_fields__", {}))


def _sentence(error: ValidationError, file: str, name: str, kind: type) -> str:
    # A misspelt key is unknown and missing at once: the first says more.
    errors = sorted(error.errors(), key=lambda one: one["type"] not in UNKNOWN)
    first, *others = _of_the_first_mistake(errors, kind)
    steps = list(_steps(kind, first["loc"]))
    key = ".".join([name, *(part for part, _ in steps)])
    if first["type"] in UNKNOWN:
        return unknown_key(file, key, _keys(steps[-1][1]))
    if first["type"] in ("missing", "missing_argument"):
        return f"{file}: the key `{key}` is missing: add it."
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if first["type"] == "value_error":
        return f"{file}: `{key}`: {message}."
    message = " or ".join([message, *(other["msg"].removeprefix("Input should be ") for other in others)])
    message = message.replace("a valid array", "a list").replace("an object", "a mapping of keys to values")
    if isinstance(first["input"], str) and message.endswith(("number", "integer")):
        message += " (a number is written without quotes)"
    return f"{file}: `{key}` is {_shown(first['input'])}: {message[0].lower()}{message[1:]}."


def _of_the_first_mistake(errors: Sequence[ErrorDetails], kind: type) -> list[ErrorDetails]:
    """The first error; where a value fits no type of a union, the errors of the types that come closest to it."""
    here = _key_path(kind, errors[0]["loc"])
    if len(here) == len(errors[0]["loc"]):
        return [errors[0]]
    same = [error for error in errors if _key_path(kind, error["loc"])[: len(here)] == here]
    right_type = [error for error in same if not error["type"].endswith("_type")] or same
    depth = max(len(_key_path(kind, error["loc"])) for error in right_type)
    closest = [error for error in right_type if len(_key_path(kind, error["loc"])) == depth]
    return closest if all(error["type"].endswith("_type") for error in closest) else closest[:1]


def _key_path(kind: type, place: Sequence[int | str]) -> list[str]:
    return [part for part, _ in _steps(kind, place)]


def _steps(kind: Any, place: Sequence[int | str]) -> Iterator[tuple[str, Any]]:
    """Each key on the way to `place` with the type it is a key of.

    pydantic puts the chosen type of a union into the place ("str", "list[…]"), which is no key of ours. None is no
    choice: an optional value has its one type.
    """
    for part in place:
        choices = _choices(kind)
        if len(choices) > 1:
            kind = next((choice for choice in choices if _is_called(choice, str(part))), None)
            continue
        kind = choices[0]
        yield str(part), kind
        kind = _inside(kind, part)


def _choices(kind: Any) -> list[Any]:
    """The types that a value of type `kind` may have, None left out."""
    if get_origin(kind) is Annotated:
        return _choices(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [choice for one in get_args(kind) if one is not NoneType for choice in _choices(one)]
    return [kind]


def _is_called(choice: Any, label: str) -> bool:
    """Whether pydantic calls `choice` so among others: a list by its form, a dataclass by its name or its `kind`."""
    if get_origin(choice) is list:
        return label.startswith("list[")
    if not is_dataclass(choice):
        return False
    literals = [hint for hint in get_type_hints(choice).values() if get_origin(hint) is Literal]
    return label in {getattr(choice, "__name__", ""), *(str(value) for hint in literals for value in get_args(hint))}


def _inside(kind: Any, part: int | str) -> Any:
    """The type of what is found under `part` in a value of type `kind`."""
    if is_dataclass(kind):
        return get_type_hints(kind, include_extras=True).get(str(part))
    arguments = get_args(kind)
    return arguments[-1] if arguments else None


def _shown(value: object) -> str:
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 80
    return short.repr(value)
