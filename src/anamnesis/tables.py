"""Tables that people edit: a YAML file beside the module that draws from it, checked against a pydantic type.

The editor of a table may not program, so every mistake becomes one sentence with file, line, key and what to do.
"""

import json
import random
import re
from collections.abc import Collection, Hashable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from anamnesis.errors import InputError

T = TypeVar("T")
Loc = tuple[str | int, ...]  # keys and positions on the way from the top of a table to an entry

Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]

SLOT = re.compile(r"\{(\w+)\}")
_TOLERANCE = 1e-9  # for sums of decimal fractions

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times faster


class _KeyError(yaml.MarkedYAMLError):
    """A key that YAML accepts and a table does not."""


class _Loader(_BaseLoader):
    """The safe loader that also refuses a key given twice and a key that YAML does not read as text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                problem = f"the key `{key.value}` is not read as text: put it in double quotes"
                raise _KeyError(problem=problem, problem_mark=key.start_mark)
            if key.value in seen:
                problem = f"the key `{key.value}` is there twice: remove or rename one"
                raise _KeyError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_table(path: Path, kind: type[T], context: Mapping[str, Any] | None = None) -> T:
    """Read the YAML file `path` as a `kind`; `context` is handed to the validators of `kind`.

    Raises:
        InputError: the file is missing or is no YAML, or an entry is unknown, missing or wrong.
    """
    text = _text(path)
    try:
        content = yaml.load(text, Loader=_Loader)  # a subclass of the safe loader
    except yaml.YAMLError as error:
        raise InputError(_yaml_sentence(path, error)) from None
    try:
        # Through JSON: in strict mode pydantic accepts a mapping for a dataclass, a list for a tuple, only from there.
        return TypeAdapter(kind).validate_json(json.dumps(content, default=str), context=context)
    except ValidationError as error:
        first = error.errors()[0]
        raise refusal(path, first["loc"], _reason(dict(first))) from None


def refusal(path: Path, loc: Loc, reason: str) -> InputError:
    """The error about one entry of a table: file, line, key and `reason`, which also says what to do."""
    keys = ".".join(str(part) for part in loc if isinstance(part, str) and part != "[key]")
    position = f", item {loc[-1] + 1}" if loc and isinstance(loc[-1], int) else ""
    place = f" `{keys}`{position}:" if keys else ""
    return InputError(f"{_name(path)}, line {_line(path, loc)}:{place} {reason}.")


def check_known(path: Path, loc: Loc, known: Collection[str]) -> None:
    """Refuse the key at `loc` (its last part) unless it is one of `known`."""
    name = str(loc[-1])
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"the closest name is `{close[0]}`" if close else f"use one of {', '.join(known)}"
        raise refusal(path, loc, f"`{name}` is not defined; {hint}")


def check_slots(path: Path, loc: Loc, text: str, known: Collection[str], needed: Collection[str] = ()) -> None:
    """Refuse a text with an unpaired brace, with a slot that is not `known`, or without one that is `needed`."""
    if set(SLOT.sub("", text)) & set("{}"):
        raise refusal(path, loc, "write a slot as {name}: a brace is not paired, or the name is not one word")
    slots = SLOT.findall(text)
    for name in slots:
        if name not in known:
            raise refusal(path, loc, f"nothing is defined for the slot {{{name}}}: use one of {', '.join(known)}")
    for name in needed:
        if name not in slots:
            raise refusal(path, loc, f"the slot {{{name}}} is missing: add it to the text")


def check_sum(path: Path, loc: Loc, shares: Mapping[str, float]) -> None:
    """Refuse shares that do not sum to 1."""
    if abs(sum(shares.values()) - 1) > _TOLERANCE:
        raise refusal(path, loc, f"the shares of {', '.join(shares)} must sum to 1; they sum to {_total(shares)}")


# ---- Findings and their probabilities ------------------------------------------------------------------------------


def _at_most_one(odds: dict[str, float]) -> dict[str, float]:
    if sum(odds.values()) > 1 + _TOLERANCE:
        raise ValueError(f"the probabilities must sum to 1 at most; they sum to {_total(odds)}: lower one of them")
    return odds


Odds = Annotated[dict[str, Share], Field(min_length=1), AfterValidator(_at_most_one)]


def check_odds(path: Path, loc: Loc, odds: Mapping[str, Odds], findings: Mapping[str, Collection[str]]) -> None:
    """Refuse unknown aspects and findings, and a table of odds by which a report could say nothing at all."""
    for aspect, of_aspect in odds.items():
        check_known(path, (*loc, aspect), findings)
        for finding in of_aspect:
            check_known(path, (*loc, aspect, finding), findings[aspect])
    if not any(sum(of_aspect.values()) > 1 - _TOLERANCE for of_aspect in odds.values()):
        raise refusal(path, loc, "the probabilities of at least one aspect must sum to 1, so that no report is empty")


def draw(odds: Mapping[str, Odds], rng: random.Random) -> Iterator[tuple[str, str]]:
    """Draw (aspect, finding) pairs, one at a time; what is missing to 1 is the probability of silence on an aspect."""
    for aspect, of_aspect in odds.items():
        silent = max(0.0, 1 - sum(of_aspect.values()))
        finding = rng.choices([*of_aspect, ""], [*of_aspect.values(), silent])[0]
        if finding:
            yield aspect, finding


# ---- The sentences -------------------------------------------------------------------------------------------------


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _total(shares: Mapping[str, float]) -> str:
    return f"{sum(shares.values()):.6g}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{_name(path)}: the table is missing; restore it from the repository.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{_name(path)}: byte {error.start} is not UTF-8; save the table as UTF-8.") from None


def _yaml_sentence(path: Path, error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    line = f", line {mark.line + 1}" if mark else ""
    advice = "; check the indentation (spaces, no tabs) and the double quotes around the text"
    hint = "" if isinstance(error, _KeyError) else advice
    return f"{_name(path)}{line}: {problem or error}{hint}."


def _reason(error: dict[str, Any]) -> str:
    match error["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return "this key is not known here: correct or remove it"
        case "missing" | "missing_argument":
            return "this key is missing: add it"
        case "string_type":
            return "this is not read as text: put it in double quotes"
        case "string_too_short":
            return "this text is empty: fill it in or delete the entry"
        case "float_type":
            return f"{error['input']} is not a number: write it as 0.35"
        case "tuple_type":
            return "this must be a list: begin each entry with a dash"
        case "dict_type" | "dataclass_type":
            return "this must be a group of keys: indent them below this one, as the entries beside it do"
        case "too_short":
            return f"there are too few entries: at least {error['ctx']['min_length']} is needed"
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    message = message[0].lower() + message[1:]
    return message if error["type"] == "value_error" else f"{error['input']} is wrong: {message}"


def _line(path: Path, loc: Loc) -> int:
    """The line of an entry, or of the last one on the way to it that exists."""
    node = yaml.compose(_text(path), Loader=_Loader)
    line = 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            entry = (node.value[part], node.value[part])
        else:
            entry = None
        if entry is None:
            break
        line, node = entry[0].start_mark.line + 1, entry[1]
    return line
