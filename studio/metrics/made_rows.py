"""The SQL by which a database puts runs together from the tables of `made_up`. No queries.

Plain SQL that SQLite and PostgreSQL both know, but for moments and hexadecimal digits. The tables
are called load_frame, load_facts …; see `Templates`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from django.db import connection

from studio.metrics.made_up import (
    CHILDREN,
    DESCRIBED,
    EVERY_S,
    FAMILY,
    LATEST,
    MILLION,
    RARE_FIRST,
    RARE_ONE_IN,
    RARE_WORD,
    ROUND,
    STARRED,
    UID_PARTS,
    turn_of,
)
from studio.runs.models import SORTED_CHARS
from studio.runs.status import Status


@dataclass(frozen=True, slots=True)
class Round:
    """Runs `first` to `first + n - 1` of a load of `of`; `key` is the key of the first."""

    number: int
    first: int
    n: int
    of: int
    key: int
    uid_moves: list[int]

    def created_at(self, i: int) -> datetime:
        """When the run `i` of the round was made."""
        return LATEST - timedelta(seconds=(self.of - self.first - i) * EVERY_S)


class Made(TypedDict):
    """Arguments of `loading.insert_selected`."""

    expressions: Mapping[str, str]
    source: str


def _source(one: Round, *kinds: str, where: str = "true") -> str:
    """The runs of the round in their order, with the row of each kind that is theirs."""
    tables = ["load_frame f", *(f"load_{kind} {kind}" for kind in kinds)]
    turned = [f"{kind}.n = (f.n + {turn_of(kind, one.number)}) % {ROUND}" for kind in kinds]
    # CROSS JOIN: SQLite then reads them from left to right.
    return (
        f"FROM {' CROSS JOIN '.join(tables)} "
        f"WHERE f.n < {one.n} AND {' AND '.join([*turned, where])} ORDER BY f.n"
    )


def _moment(seconds: str, thousandths: str = "") -> str:
    """A column of a moment as Django writes it, from seconds since 1970."""
    if connection.vendor == "sqlite":
        fraction = f" || '.' || substr(1000 + {thousandths}, 2) || '000'" if thousandths else ""
        return f"datetime({seconds}, 'unixepoch'){fraction}"
    fraction = f" + {thousandths} * interval '1 millisecond'" if thousandths else ""
    return f"to_timestamp({seconds}){fraction}"


def _hexadecimal(number: str) -> str:
    if connection.vendor == "sqlite":
        return f"printf('%08x', {number})"
    return f"lpad(to_hex({number}), 8, '0')"


def _name(one: Round) -> str:
    return f"labels.model || '-' || substr(CAST({10_000_000 + one.first} + f.n AS text), 2)"


def _is_described(one: Round) -> str:
    return f"({one.first} + f.n) % {DESCRIBED} = 0"


def _text(one: Round) -> str:
    rare = f"({one.first} + f.n) % {RARE_ONE_IN} = {RARE_FIRST}"
    return f"words.text || CASE WHEN {rare} THEN ' {RARE_WORD}' ELSE '' END"


def runs(one: Round) -> Made:
    """Runs whose life ended long ago, or never began."""
    created_s = f"{int(one.created_at(0).timestamp())} + {EVERY_S} * f.n"
    ended = _moment(f"{created_s} + facts.seconds", "facts.thousandths")
    has_begun = f"facts.status <> '{Status.NOT_STARTED}'"
    parts = zip(UID_PARTS, one.uid_moves, strict=True)
    n_after = f"{one.of - one.first - 1} - f.n"
    expressions = {
        "id": f"{one.key} + f.n",
        "experiment_id": "f.experiment_id",
        "number": f"f.number + {one.number} * f.in_a_round",
        "uid": " || ".join(
            _hexadecimal(f"(facts.{part} + {move}) % {2**32}") for part, move in parts
        ),
        "display_name": _name(one),
        "parent_id": f"CASE WHEN f.up > 0 THEN {one.key} + f.n - f.up END",
        "root_id": f"CASE WHEN f.up > 0 THEN {one.key} + f.n - f.up END",
        "n_children": f"CASE WHEN f.n % {FAMILY} = 0 AND {n_after} > 0 THEN "
        f"CASE WHEN {n_after} < {CHILDREN} THEN {n_after} ELSE {CHILDREN} END END",
        "first_tag": "labels.first_tag",
        "description_start": f"CASE WHEN {_is_described(one)} THEN "
        f"rtrim(substr({_text(one)}, 1, {SORTED_CHARS})) END",
        "submitter_id": "facts.submitter_id",
        "target_id": "facts.target_id",
        "status": "facts.status",
        "status_at": f"CASE WHEN {has_begun} THEN {ended} ELSE {_moment(created_s)} END",
        "created_at": _moment(created_s),
        "started_at": f"CASE WHEN {has_begun} THEN {_moment(created_s)} END",
        "ended_at": f"CASE WHEN {has_begun} THEN {ended} END",
        "duration_s": f"CASE WHEN {has_begun} THEN facts.duration_s END",
    }
    return {"expressions": expressions, "source": _source(one, "facts", "labels", "words")}


def descriptions(one: Round) -> Made:
    """The Markdown, which is plain words, and its HTML."""
    text = _text(one)
    expressions = {
        "run_id": f"{one.key} + f.n",
        "text": text,
        "html": f"'<p>' || {text} || '</p>'",
    }
    return {
        "expressions": expressions,
        "source": _source(one, "words", where=_is_described(one)),
    }


def texts(one: Round) -> Made:
    """As `searchtext.body_of` writes it, of texts that are folded already."""
    described = f"CASE WHEN {_is_described(one)} THEN {_text(one)} ELSE '' END"
    expressions = {
        "run_id": f"{one.key} + f.n",
        "body": f"{_name(one)} || labels.lines || {described}",
    }
    return {"expressions": expressions, "source": _source(one, "labels", "words")}


def stars(one: Round) -> Made:
    """Every so many-th run is starred."""
    where = f"({one.first} + f.n) % {STARRED} = 0"
    return {
        "expressions": {"run_id": f"{one.key} + f.n"},
        "source": _source(one, where=where),
    }


def _labels(one: Round, key: int) -> dict[str, str]:
    return {"run_id": f"{key} + t.i", "key": "t.key", "value": "t.value"}


def _parameters(one: Round, key: int) -> dict[str, str]:
    return {**_labels(one, key), "number": "t.number"}


def _metrics(one: Round, key: int) -> dict[str, str]:
    last = f"(t.millionths + {one.number} * t.step) % {MILLION}"
    whole = f"CAST({MILLION} AS double precision)"
    return {
        "run_id": f"{key} + t.i",
        "name": "t.name",
        "last": f"CASE WHEN t.last_text = '' THEN ({last}) / {whole} END",
        "last_text": "t.last_text",
        "min": f"({last} - t.below) / {whole}",
        "max": f"({last} + t.above) / {whole}",
    }


# Columns of the tables with several rows for a run, a row being called `t`; `key` is what to add to
# its `i` to get the key of the run.
BY_TABLE: Mapping[str, Callable[[Round, int], dict[str, str]]] = {
    "tags": _labels,
    "properties": _labels,
    "parameters": _parameters,
    "metrics": _metrics,
}
