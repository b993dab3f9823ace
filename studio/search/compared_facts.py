"""What the rows of compared runs themselves say: attributes, and the environment they ran in."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from studio.runs.models import Run
from studio.runs.status import Status

MAX_FACTS = 5_000
MAX_TEXT = 2_000
# Below this the facts of a definition are shown as the JSON they are.
MAX_DEPTH = 4
PACKAGE = "Package "
_DIGITS = re.compile(r"([0-9]+)")
_WORDS = {
    "command_line": "Command",
    "python_version": "Python",
    "submitted_with_python": "Python of the submission",
    "platform": "Platform",
    "hostname": "Host",
    "cwd": "Folder",
}
# The git facts are attributes; the number of a process is never the same twice.
_ELSEWHERE = frozenset({"git", "pid", "packages"})


class Kind(StrEnum):
    """What the texts of a row are: words, numbers, lengths of time in seconds, moments."""

    TEXT = "text"
    NUMBER = "number"
    SECONDS = "seconds"
    MOMENT = "moment"


# Name of the row -> run id -> its text. No objects: a hundred runs have 30,000 of them.
Texts = dict[str, dict[int, str]]


def attributes(runs: Iterable[Run]) -> Texts:
    """The attributes in the order they are shown; those that no run has are left out."""
    runs = list(runs)
    found: Texts = {}
    for name, (_, read) in _ATTRIBUTES.items():
        texts = {run.pk: _cut(text) for run in runs if (text := read(run))}
        if texts:
            found[name] = texts
    return found


def kind_of_attribute(name: str) -> Kind:
    return _ATTRIBUTES[name][0]


def environment(runs: Iterable[Run]) -> Texts:
    """The facts of the definitions: command, Python and host first, the packages last."""
    first: Texts = {name: {} for name in _WORDS.values()}
    others: Texts = {}
    packages: Texts = {}
    for run in runs:
        pk, facts = run.pk, _definition(run)
        for name, text in _facts(facts):
            (first if name in first else others).setdefault(name, {})[pk] = text
        versions = facts.get("packages")
        if isinstance(versions, dict):
            for name, version in list(versions.items())[:MAX_FACTS]:
                packages.setdefault(name, {})[pk] = _text(version)
    found = first | _by_name(others)
    found |= {PACKAGE + name: texts for name, texts in _by_name(packages).items()}
    return {name: texts for name, texts in found.items() if texts}


def _by_name(texts: Texts) -> Texts:
    return {name: texts[name] for name in sorted(texts, key=order_of_name)}


def order_of_name(name: str) -> tuple[list[str | int], str]:
    """As people count: layer2 before layer10, and letters in any case alike."""
    parts = _DIGITS.split(name.casefold())
    # Every second part is a number.
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], name


def _facts(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    leaves = (
        leaf
        for key, fact in facts.items()
        if key not in _ELSEWHERE
        for leaf in _leaves(_WORDS.get(key, key), fact)
    )
    return islice(leaves, MAX_FACTS)


def _leaves(name: str, fact: Any, depth: int = 1) -> Iterator[tuple[str, str]]:
    if isinstance(fact, dict) and fact and depth < MAX_DEPTH:
        for key, inner in fact.items():
            yield from _leaves(f"{name}.{key}", inner, depth + 1)
    else:
        yield name[:MAX_TEXT], _text(fact)


def _text(fact: Any) -> str:
    if not isinstance(fact, str):
        fact = json.dumps(fact, ensure_ascii=False, sort_keys=True)
    return _cut(fact)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _definition(run: Run) -> dict[str, Any]:
    definition = getattr(run, "definition", None)
    facts = definition.facts if definition else None
    return facts if isinstance(facts, dict) else {}


def _git(name: str) -> Callable[[Run], str | None]:
    def read(run: Run) -> str | None:
        git = _definition(run).get("git")
        fact = git.get(name) if isinstance(git, dict) else None
        return None if fact in (None, "") else _text(fact)

    return read


def _changes(run: Run) -> str | None:
    """Whether the folder had changes that the commit does not hold."""
    dirty = _git("dirty")(run)
    if dirty is None:
        return None
    return "Uncommitted changes" if dirty.lower() == "true" else "None"


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _exact(number: float | None) -> str | None:
    return None if number is None else repr(number)


def _error(run: Run) -> str:
    error = run.error if isinstance(run.error, dict) else {}
    return str(error.get("message") or error.get("code") or run.status_reason)


_ATTRIBUTES: dict[str, tuple[Kind, Callable[[Run], str | None]]] = {
    "Name": (Kind.TEXT, lambda run: run.display_name),
    "Id": (Kind.TEXT, lambda run: run.uid),
    "Experiment": (Kind.TEXT, lambda run: run.experiment.name),
    "Status": (Kind.TEXT, lambda run: str(Status(run.status).label)),
    "Error": (Kind.TEXT, _error),
    "Exit code": (Kind.TEXT, lambda run: _exact(run.exit_code)),
    "Submitted": (Kind.MOMENT, lambda run: _iso(run.created_at)),
    "Started": (Kind.MOMENT, lambda run: _iso(run.started_at)),
    "Ended": (Kind.MOMENT, lambda run: _iso(run.ended_at)),
    "Duration": (Kind.SECONDS, lambda run: _exact(run.elapsed_s())),
    "Longest run time": (Kind.SECONDS, lambda run: _exact(run.max_duration_s)),
    "Submitter": (Kind.TEXT, lambda run: run.submitter.username if run.submitter else None),
    "Target": (Kind.TEXT, lambda run: run.target.name if run.target else None),
    "Type": (Kind.TEXT, lambda run: run.type),
    "Script": (Kind.TEXT, lambda run: run.script),
    "Arguments": (Kind.TEXT, lambda run: " ".join(map(str, run.arguments))),
    "Snapshot": (Kind.TEXT, lambda run: run.snapshot[:12]),
    "Git commit": (Kind.TEXT, _git("commit")),
    "Git branch": (Kind.TEXT, _git("branch")),
    "Git changes": (Kind.TEXT, _changes),
    "Repository": (Kind.TEXT, _git("repository_uri")),
}
