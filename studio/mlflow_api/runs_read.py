"""What belongs to many runs at once, in SQL that is written out: a page of runs asks all of it, and
built by the ORM each question takes several times longer than it runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from studio.metrics.models import NUMERIC
from studio.mlflow_api.answers import double
from studio.queries.reading import these
from studio.runs.limits import whole_value

# The property that keeps who the client said that it is, where it is not its token's owner.
USER_ID = "mlflow.user_id"
# Of 64 bits; the float next to it is one too many.
GREATEST = 2**63 - 1
Labels = dict[int, dict[str, str | None]]
Lists = dict[int, list[dict[str, Any]]]

FACTS = """
SELECT r.id, p.uid, s.username, n.value, d.text FROM runs_run r
LEFT JOIN runs_run p ON p.id = r.parent_id
LEFT JOIN accounts_user s ON s.id = r.submitter_id
LEFT JOIN runs_property n ON n.run_id = r.id AND n.key = %s
LEFT JOIN runs_description d ON d.run_id = r.id
WHERE r.id IN
"""
TAGS = "SELECT run_id, key, value, rest FROM runs_tag WHERE run_id IN"
PARAMETERS = "SELECT run_id, key, value, rest FROM runs_parameter WHERE run_id IN"
METRICS = f"""
SELECT run_id, name, last, last_text, last_at, last_step FROM metrics_metric
WHERE kind IN ({", ".join(f"'{kind}'" for kind in sorted(NUMERIC))}) AND n_points > 0
AND run_id IN {{these}} ORDER BY name
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Facts:
    """parent: uid of the parent run; submitter: name of who submitted the run; user: whom its
    client named; note: the description. "" where there is none."""

    parent: str
    submitter: str
    user: str
    note: str


def facts_of(ids: Sequence[int]) -> dict[int, Facts]:
    """By run id (1 query)."""
    return {pk: Facts(*(text or "" for text in rest)) for pk, *rest in _asked(FACTS, ids, USER_ID)}


def tags_of(ids: Sequence[int]) -> Labels:
    """The stored tags by run id (1 query)."""
    return _labels(_asked(TAGS, ids))


def parameters_of(ids: Sequence[int]) -> Labels:
    """By run id (1 query)."""
    return _labels(_asked(PARAMETERS, ids))


def _labels(rows: list[Any]) -> Labels:
    found: Labels = {}
    for run_id, key, value, rest in rows:
        found.setdefault(run_id, {})[key] = whole_value(value, rest)
    return found


def latest_metrics(ids: Sequence[int]) -> Lists:
    """The last value of each metric that is a number, by run id, in the order of names (1 query):
    that of the highest step, of equal steps that of the latest time."""
    found: Lists = {}
    for run_id, name, last, text, at, step in _asked(METRICS, ids):
        value = double(last) if last is not None else text or "NaN"
        timestamp = min(round((at or 0.0) * 1_000), GREATEST)
        one = {"key": name, "value": value, "timestamp": timestamp, "step": step or 0}
        found.setdefault(run_id, []).append(one)
    return found


def _asked(sql: str, ids: Sequence[int], *before: str) -> list[Any]:
    listed, one = these(ids)
    whole = sql.format(these=listed) if "{these}" in sql else f"{sql} {listed}"
    with connection.cursor() as cursor:
        cursor.execute(whole, [*before, one])
        rows: list[Any] = cursor.fetchall()
    return rows
