"""An export has every run of the list, once, whatever happens while it is read."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.exports.formats import FORMATS
from studio.exports.table import Table, table_of
from studio.metrics.models import Metric
from studio.runs.models import Run
from studio.search.columns import DEFAULT_COLUMNS, parse_columns
from studio.search.order import Order, parse_order
from tests import make
from tests.amount import form
from tests.exports.reading import READERS

pytestmark = [pytest.mark.django_db, pytest.mark.data]

MANY = form(3_000, 10_000)


def add_runs(experiment: Any, n: int, *, first: int = 0) -> None:
    facts = {"workspace": experiment.workspace, "experiment": experiment}
    Run.objects.bulk_create(
        Run(**facts, number=i, display_name=f"run {i}", duration_s=float(i % 7))
        for i in range(first, first + n)
    )


def table(experiment: Any, columns: str = "name,duration", order: str = "", **facts: Any) -> Table:
    room = experiment.workspace
    chosen = Order(parse_order(order), room, facts.pop("user", None))
    return table_of(Run.objects.of(room), parse_columns(columns), chosen)


@pytest.mark.parametrize("order", ["", "duration,-name"])
def test_thousands_of_runs_come_once_while_others_are_added_and_change(
    experiment: Any, order: str
) -> None:
    add_runs(experiment, MANY)
    wanted = list(Run.objects.values_list("uid", flat=True))
    seen = []

    for n_blocks, rows in enumerate(table(experiment, order=order).blocks()):
        seen += [row[0] for row in rows]
        add_runs(experiment, 20, first=MANY + 20 * n_blocks)
        # Those that were not read yet go to the front, those that were read to the end.
        Run.objects.filter(uid__in=seen[-50:]).update(duration_s=100.0)
        Run.objects.exclude(uid__in=seen[-600:]).update(duration_s=-1.0)

    assert len(seen) == MANY
    assert set(seen) == set(wanted)


def test_rows_come_in_the_order_of_the_list(experiment: Any) -> None:
    add_runs(experiment, 30)
    newest = list(Run.objects.newest().values_list("uid", flat=True))
    by_duration = sorted(Run.objects.all(), key=lambda run: (run.duration_s, -run.pk))

    small = table(experiment)
    blocks = Table(small.columns, small.ids, block_rows=7).blocks()

    assert [row[0] for rows in blocks for row in rows] == newest
    sorted_rows = next(table(experiment, order="duration").blocks())
    assert [row[0] for row in sorted_rows] == [run.uid for run in by_duration]


def test_a_run_deleted_meanwhile_is_left_out(experiment: Any) -> None:
    add_runs(experiment, 4)
    made = table(experiment)
    gone = Run.objects.newest()[1]
    Run.objects.filter(pk=gone.pk).update(deleted_at=gone.created_at)

    rows = [row for block in made.blocks() for row in block]

    assert len(rows) == 3
    assert gone.uid not in {row[0] for row in rows}


def test_a_block_costs_the_same_queries_whatever_its_size(experiment: Any, people: Any) -> None:
    add_runs(experiment, 60)
    Run.objects.update(submitter=people.bob)
    for run in Run.objects.all():
        Metric.objects.create(workspace=run.workspace, run=run, name="loss", last=1.0)
    texts = (*map(str, DEFAULT_COLUMNS), "description", "param.lr", "property.a", "target")
    columns = ",".join((*texts, "metric.loss", "children", "started", "ended", "type", "number"))
    made = table(experiment, columns, user=people.bob)
    counts = []
    for size in (1, 20, 60):
        blocks = Table(made.columns, made.ids, made.user, block_rows=size).blocks()
        with CaptureQueriesContext(connection) as queries:
            next(blocks)
        counts.append(len(queries))

    assert counts == [10, 10, 10]


@pytest.mark.parametrize("kind", FORMATS)
def test_no_transaction_is_open_between_two_pieces(experiment: Any, kind: str) -> None:
    """What is told to a slow reader holds up no writer: each piece has its own queries."""
    # As many rows as two of its pieces have, and a few more.
    n_runs = 12_000 if kind == "parquet" else 4_000
    add_runs(experiment, n_runs)
    with CaptureQueriesContext(connection) as queries:
        pieces = FORMATS[kind].write(table(experiment))
        first = [next(pieces), next(pieces)]
        n = len(queries)
        rest = list(pieces)

    assert n < len(queries) - 3
    assert len(READERS[kind]([*first, *rest])) == n_runs


@pytest.mark.parametrize("kind", FORMATS)
def test_a_list_without_runs_is_a_file_without_rows(experiment: Any, kind: str) -> None:
    assert READERS[kind](FORMATS[kind].write(table(experiment))) == []


def test_the_uid_comes_first_and_once(experiment: Any) -> None:
    run = make.run(experiment)
    made = table(experiment, "name,uid,status")

    assert [str(column) for column in made.columns] == ["uid", "name", "status"]
    assert next(made.blocks()) == [[run.uid, run.display_name, "Running"]]
