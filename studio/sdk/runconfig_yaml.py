"""Reading and writing `.runconfig` files: YAML whose fields have the original's names.

What a field may hold is checked here, with the line of what is wrong. Texts are taken as they stand
in the file: an argument `1e-3` or `no` stays `1e-3` or `no`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from studio.sdk.errors import RunConfigurationException

SECTIONS = frozenset(
    {"environment", "environment.python", "environment.python.condaDependencies", "history"}
)
# Known of the original, without a meaning here.
IGNORED = frozenset(
    {
        *("nodeCount", "priority", "spark", "docker", "hdi", "tensorflow", "mpi", "pytorch"),
        *("paralleltask", "dataReferences", "data", "datacaches", "outputData", "identity"),
        *("sourceDirectoryDataStore", "amlcompute", "kubernetescompute", "credentialPassthrough"),
        *("applicationEndpoints", "autoPrepareEnvironment", "services", "jobName", "tags"),
        *("environment.version", "environment.docker", "environment.spark", "environment.r"),
        *("environment.databricks", "environment.inferencingStackVersion", "environment.assetId"),
        *("environment.python.baseCondaEnvironment",),
        *("environment.python.condaDependencies.name",),
        *("environment.python.condaDependencies.channels",),
        *("environment.python.condaDependencies.prefix",),
    }
)
USUAL = {"nodeCount": "1", "docker": None, "priority": None}


@dataclass
class RunConfigValues:
    """The values of a file by dotted name (`environment.python.interpreterPath`), and which fields
    were left out of account: (name, line)."""

    values: dict[str, Any] = field(default_factory=dict)
    ignored: list[tuple[str, int]] = field(default_factory=list)


def read(text: str, name: str) -> RunConfigValues:
    """The checked fields of a file called `name`. Raises RunConfigurationException, naming the
    line, for what is no YAML, an unknown field, or a field of the wrong type."""
    found = RunConfigValues()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _read_section(_mapping(root, "the file"), "", found)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        what = getattr(problem, "problem", None) or "it cannot be read"
        raise RunConfigurationException(f"{name}{where}: this is no YAML: {what}") from None
    except _Wrong as wrong:
        line = wrong.node.start_mark.line + 1
        raise RunConfigurationException(f"{name}, line {line}: {wrong}") from None
    return found


def write(values: dict[str, Any]) -> str:
    """The text of a file with these values by dotted name; those that are None are left out."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        if value is None:
            continue
        *sections, last = name.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


class _Wrong(Exception):
    def __init__(self, node: yaml.Node, text: str) -> None:
        super().__init__(text)
        self.node = node


def _read_section(section: yaml.MappingNode, prefix: str, found: RunConfigValues) -> None:
    for key, value in section.value:
        name = prefix + str(key.value)
        if name == "environment" and isinstance(value, yaml.ScalarNode) and not _is_null(value):
            found.values["environment.python.condaDependenciesFile"] = value.value
        elif name in SECTIONS:
            if not _is_null(value):
                _read_section(_mapping(value, name), name + ".", found)
        elif name in FIELDS:
            if not _is_null(value):
                found.values[name] = FIELDS[name](value, name)
        elif name in IGNORED:
            if not _is_nothing(value) and USUAL.get(name) != value.value:
                found.ignored.append((name, key.start_mark.line + 1))
        else:
            raise _Wrong(key, f"{name!r} is not a known field{_did_you_mean(name)}")


def _did_you_mean(name: str) -> str:
    near = difflib.get_close_matches(name, [*FIELDS, *IGNORED, *SECTIONS], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _is_null(node: yaml.Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


def _is_nothing(node: yaml.Node) -> bool:
    """Nothing is asked for: null, false, or nothing but that inside."""
    if isinstance(node, yaml.ScalarNode):
        return _is_null(node) or node.value in ("false", "False", "no", "")
    return not any(True for _ in _leaves(node, set()))


def _leaves(node: yaml.Node, seen: set[int]) -> Iterator[yaml.Node]:
    """What is asked for below a node; an alias that leads back to itself ends there."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if not _is_nothing(node):
            yield node
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _leaves(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _leaves(value, seen)


def _mapping(node: yaml.Node, name: str) -> yaml.MappingNode:
    if not isinstance(node, yaml.MappingNode):
        raise _Wrong(node, f"{name} must hold fields (name: value), not {_kind_of(node)}")
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _Wrong(key, f"{name}: a name must be a text")
    return node


def _text(node: yaml.Node, name: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Wrong(node, f"{name} must be a text, not {_kind_of(node)}")
    return str(node.value)


def _texts(node: yaml.Node, name: str) -> list[str]:
    if not isinstance(node, yaml.SequenceNode):
        raise _Wrong(node, f"{name} must be a list, not {_kind_of(node)}")
    return [_text(item, f"each of {name}") for item in node.value]


def _text_or_texts(node: yaml.Node, name: str) -> str | list[str]:
    is_list = isinstance(node, yaml.SequenceNode)
    return _texts(node, name) if is_list else _text(node, name)


def _dependencies(node: yaml.Node, name: str) -> dict[str, list[str]]:
    """{"conda": packages, "pip": packages} of a list as in an environment file of conda."""
    if not isinstance(node, yaml.SequenceNode):
        raise _Wrong(node, f"{name} must be a list, not {_kind_of(node)}")
    found: dict[str, list[str]] = {"conda": [], "pip": []}
    for item in node.value:
        if isinstance(item, yaml.ScalarNode):
            found["conda"].append(_text(item, name))
            continue
        for key, value in _mapping(item, f"each of {name}").value:
            if key.value != "pip":
                raise _Wrong(key, f"each of {name} must be a text, or hold pip")
            found["pip"] += _texts(value, f"{name}.pip")
    return found


def _flag(node: yaml.Node, name: str) -> bool:
    if node.tag != "tag:yaml.org,2002:bool":
        raise _Wrong(node, f"{name} must be true or false, not {_kind_of(node)}")
    return str(node.value).lower() in ("true", "yes", "on")


def _seconds(node: yaml.Node, name: str) -> float:
    try:
        found = float(_text(node, name))
    except ValueError:
        found = -1.0
    if not 0 < found < float("inf"):
        raise _Wrong(node, f"{name} must be a number of seconds, not {_kind_of(node)}")
    return found


def _variables(node: yaml.Node, name: str) -> dict[str, str]:
    pairs = _mapping(node, name).value
    return {
        str(key.value): "" if _is_null(value) else _text(value, f"{name}.{key.value}")
        for key, value in pairs
    }


def _kind_of(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(str(node.value)[:60])
    return "a list" if isinstance(node, yaml.SequenceNode) else "a group of fields"


FIELDS: dict[str, Callable[[yaml.Node, str], Any]] = {
    "script": _text,
    "arguments": _texts,
    "command": _text_or_texts,
    "target": _text,
    "framework": _text,
    "communicator": _text,
    "maxRunDurationSeconds": _seconds,
    "environmentVariables": _variables,
    "environment.name": _text,
    "environment.environmentVariables": _variables,
    "environment.python.userManagedDependencies": _flag,
    "environment.python.interpreterPath": _text,
    "environment.python.requirementsFile": _text,
    "environment.python.condaDependenciesFile": _text,
    "environment.python.condaDependencies.dependencies": _dependencies,
    "history.outputCollection": _flag,
    "history.snapshotProject": _flag,
    "history.directoriesToWatch": _texts,
}
