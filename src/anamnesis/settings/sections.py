"""Reading a section of params.yaml or of a profile into its dataclass, and the sentences about what is wrong in it."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from anamnesis.errors import InputError

STRICT = ConfigDict(extra="forbid", strict=True)

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]


class SettingsError(InputError):
    """A parameter that cannot be used; the message is one sentence with the file, the key and the mend."""


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
        # Through JSON: in strict mode pydantic takes a mapping for a dataclass only from there.
        return TypeAdapter(kind).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise SettingsError(_sentence(error, file, name, kind)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises SettingsError if it is not one."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path.name} must be a mapping of keys to values.")
    return values


def _keys(kind: type) -> list[str]:
    return list(getattr(kind, "__dataclass_fields__", {}))


def unknown_key(file: str, key: str, known: list[str]) -> str:
    close = get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known keys are {sorted(known)}."
    return f"{file}: unknown key `{key}`; {hint}"


def _sentence(error: ValidationError, file: str, name: str, kind: type) -> str:
    first = error.errors()[0]
    # pydantic adds the chosen branch of a union ("str", "list[…]") to the place; it is no key of ours.
    parts = [str(p) for p in first["loc"] if not str(p).startswith(("list[", "constrained-", "str", "function-"))]
    key = ".".join([name, *parts])
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        owner: Any = kind
        for part in parts[:-1]:
            owner = owner.__dataclass_fields__[part].type
        return unknown_key(file, key, _keys(owner))
    if first["type"] in ("missing", "missing_argument"):
        return f"{file}: the key `{key}` is missing: add it."
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if first["type"] == "value_error":
        return f"{file}: `{key}`: {message}."
    if isinstance(first["input"], str) and "number" in message:
        message += " (YAML reads 1e-4 as text: write 1.0e-4)"
    return f"{file}: `{key}` is {first['input']!r}: {message[0].lower()}{message[1:]}."
