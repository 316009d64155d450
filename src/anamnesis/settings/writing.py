"""Writes a profile's values into params.yaml."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from anamnesis.files import written_whole
from anamnesis.settings.profiles import profile_params
from anamnesis.settings.sections import SettingsError, read_yaml


@dataclass(frozen=True)
class Change:
    """A key of params.yaml, dotted, and its values before and after."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key}: {_yaml(self.old)} -> {_yaml(self.new)}"


def use_profile(root: Path, profile: str) -> list[Change]:
    """Write the profile's name and the values in its section `params` into params.yaml, and return what changed.

    Only the text of these values is replaced: comments, order and layout of the file stay as they are.

    Raises:
        SettingsError: there is no such profile, it names a key that params.yaml does not have, or params.yaml has no
            profile.
    """
    wanted = {"profile": profile, **profile_params(root, profile)}
    file = root / "params.yaml"
    science, text = read_yaml(file), file.read_text(encoding="utf-8")
    if "profile" not in science:
        raise SettingsError(f"params.yaml has no key `profile`: add the line `profile: {profile}`.")
    tree = YAML().compose(text)
    changes, edits = [], []
    for key, new in wanted.items():
        old: Any = science
        node: Node = tree
        for part in key.split("."):
            old, node = old[part], _value(node, part)
        if (old, type(old)) != (new, type(new)):
            changes.append(Change(key, old, new))
            edits.append((*_extent(node), _written(new, node)))
    for start, end, written in sorted(edits, reverse=True):
        text = text[:start] + written + text[end:]
    with written_whole(file) as unfinished:
        unfinished.write(text)
    return changes


def _value(node: Node, key: str) -> Node:
    assert isinstance(node, MappingNode)
    return next(value for name, value in node.value if name.value == key)


def _extent(node: Node) -> tuple[int, int]:
    """Where the value's text begins and ends; a list in block style would else reach to the next key."""
    last = node.value[-1] if isinstance(node, SequenceNode) and not node.flow_style and node.value else node
    return node.start_mark.index, last.end_mark.index


def _written(value: Any, node: Node) -> str:
    """The value as YAML in the place of `node`."""
    if isinstance(value, list) and value and isinstance(node, SequenceNode) and not node.flow_style:
        return f"\n{' ' * node.start_mark.column}".join(f"- {_yaml(one)}" for one in value)
    return _yaml(value)


def _yaml(value: Any) -> str:
    """On one line: JSON, which YAML includes, without the quotes of plain words."""
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.-]*", value) and YAML(typ="safe").load(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)
