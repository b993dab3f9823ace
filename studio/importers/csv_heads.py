"""What the columns of a table of runs mean, by their names. Pure."""

import re
from collections import Counter
from dataclasses import dataclass

from studio.importers.records import SourceError

# Other names of a column, in lower case: our own export's, and those that other trackers use.
NAMES = {
    "uid": ("uid", "id", "run_id", "run id"),
    "name": ("name", "display_name", "run_name", "run name"),
    "experiment": ("experiment", "experiment_name", "project", "group"),
    "status": ("status", "state"),
    "created": ("submitted", "created", "created_at", "createdat", "date"),
    "started": ("started", "started_at", "start_time", "start"),
    "ended": ("ended", "ended_at", "end_time", "end", "finished"),
    "duration": ("duration", "duration_s", "runtime"),
    "description": ("description", "notes"),
    "submitter": ("submitter", "user", "author"),
    "tags": ("tags",),
    "parent": ("parent", "parent_id"),
}
LONG = {
    "run": ("run", "run_id", "run id", "uid", "run_name", "name"),
    "metric": ("metric", "key", "tag", "name"),
    "step": ("step", "iteration", "epoch"),
    "value": ("value",),
    "time": ("time", "wall_time", "timestamp"),
    "experiment": ("experiment", "project"),
}
_FAMILIES = {
    **dict.fromkeys(("tag",), "tag"),
    **dict.fromkeys(("param", "params", "parameter", "config"), "param"),
    **dict.fromkeys(("property",), "property"),
    **dict.fromkeys(("metric", "metrics", "summary"), "metric"),
}
_DOTTED = re.compile(r"(?P<family>[A-Za-z]+)[.:/](?P<key>.+)", re.DOTALL)
# Columns of our own export that say nothing a run could take.
_LEFT_OUT = {"target", "type", "number", "star", "children"}
# More than any spreadsheet has.
MAX_COLUMNS, MAX_NAME_CHARS = 20_000, 1_000


@dataclass(frozen=True, slots=True)
class Head:
    """A column. family: a key of NAMES, or tag, param, property, metric; "" for one left out."""

    text: str
    family: str
    key: str = ""


def heads_of(cells: list[str]) -> list[Head]:
    """The columns of a table with one row a run; an unknown name is a parameter. Raises SourceError
    for a head with a name twice, with none that a run could be called by, or that is too large."""
    names = [cell.strip() for cell in cells]
    _refuse_large(names)
    doubles = [name for name, n in Counter(names).items() if name and n > 1]
    if doubles:
        raise SourceError(f"The column “{min(doubles)[:80]}” is there twice. Name each once.")
    found: list[Head] = []
    taken = set[str]()
    for name in names:
        head = _head(name)
        if head.family in NAMES and head.family in taken:
            head = Head(name, "param", name)
        taken.add(head.family)
        found.append(head)
    if not taken & {"uid", "name"}:
        raise SourceError(
            "No column is called “name” or “uid”. Name the columns in the first row: name, "
            "experiment, status, started, ended, tag.X, param.X, metric.X."
        )
    return found


def _refuse_large(names: list[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise SourceError(
            f"The table has {len(names):,} columns; at most {MAX_COLUMNS:,} are read. Leave out "
            "columns, or write one row a point, with the columns run, metric, step and value."
        )
    for number, name in enumerate(names, 1):
        if len(name) > MAX_NAME_CHARS:
            raise SourceError(
                f"The name of column {number:,}, “{name[:40]}…”, has {len(name):,} characters; at "
                f"most {MAX_NAME_CHARS:,} are read. Name the columns in the first row."
            )


def _head(name: str) -> Head:
    low = name.lower()
    if not name or low in _LEFT_OUT or _is_best(low):
        return Head(name, "")
    for family, names in NAMES.items():
        if low in names:
            return Head(name, family)
    match = _DOTTED.fullmatch(name)
    if match and match["family"].lower() in _FAMILIES:
        return Head(name, _FAMILIES[match["family"].lower()], _unquoted(match["key"]))
    return Head(name, "param", name)


def _is_best(name: str) -> bool:
    """Whether it is a metric at its best, as our own export calls it: `loss:min`."""
    is_at = name.endswith(")") and (":at-min(" in name or ":at-max(" in name)
    return is_at or name.endswith((":min", ":max"))


def long_heads(cells: list[str]) -> dict[str, int] | None:
    """Where the columns of a table with one row a point are; None when it is none."""
    names = [cell.strip().lower() for cell in cells]
    found: dict[str, int] = {}
    for family, accepted in LONG.items():
        at = next((names.index(name) for name in accepted if name in names), None)
        if at is not None and at not in found.values():
            found[family] = at
    return found if {"run", "metric", "value"} <= found.keys() else None


def _unquoted(key: str) -> str:
    """A key as our own export writes it where it holds a mark: `param."a,b"`."""
    if len(key) > 1 and key[0] == key[-1] == '"':
        return re.sub(r"\\(.)", r"\1", key[1:-1], flags=re.DOTALL)
    return key
