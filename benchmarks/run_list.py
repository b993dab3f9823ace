"""The run list at 10,000, 100,000 and 1,000,000 runs, on SQLite and on PostgreSQL: whole pages over
HTTP, and what a page loads beside its rows."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import quote

import psycopg

from benchmarks import mlflow_list_peer, mlflow_search
from benchmarks.measure import Sample, repeat
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio

POSTGRESQL = os.environ.get("BENCH_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432")
DATABASE = "studio_bench"
# What a page must take at most, in ms (performance.md T1, T2, T3, and quality.md for the rest).
PLAIN, FILTERED, OTHER = 14.0, 30.0, 60.0
# What may be at the largest size: so many times the figure at the smallest, and no more than.
MOST_GROWTH, MOST_MS = 2.0, 150.0
SMALL, USUAL, LARGE = 10_000, 100_000, 1_000_000
# A page slower than this is asked for five times only.
SLOW_MS = 1_000


@dataclass(frozen=True, slots=True)
class Case:
    """A page by its address; `target_ms` is its target at 100,000 runs. `others`: addresses asked
    for after it, one a call."""

    name: str
    path: str
    target_ms: float = FILTERED
    others: Sequence[str] = ()


def filtered(name: str, q: str, more: str = "", target_ms: float = FILTERED) -> Case:
    return Case(name, f"/runs?q={quote(q)}{more}", target_ms)


def cases(deep: str, deep_loss: str, *older: str) -> list[Case]:
    """`deep`: the cursor after nine tenths of the list; `deep_loss`: the same, sorted by loss;
    `older`: those of pages that share no run."""
    never_drawn = [f"/runs?after={cursor}" for cursor in older]
    return [
        Case("default order", "/runs", PLAIN),
        Case("older pages, each row drawn for the first time", "/runs", others=never_drawn),
        Case("one experiment (90 % of the runs)", "/experiments/load-main", PLAIN),
        filtered("tag, metric and status", "tag.owner:team-7 metric.loss<0.5 status:Completed"),
        filtered("tag (2 %)", "tag.owner:team-7"),
        Case("sort by a metric", "/runs?order=metric.loss"),
        Case("sort by two keys with gaps", "/runs?order=-metric.val_loss,duration"),
        Case("sort by a tag, then a metric", "/runs?order=tag.owner,metric.loss"),
        Case("sort by submitter", "/runs?order=submitter", OTHER),
        Case("sort by number of child runs", "/runs?order=-children", OTHER),
        Case("sort by description", "/runs?order=description", OTHER),
        filtered("rare word", "zebrafish"),
        filtered("common word", "baseline"),
        filtered("a word that is nowhere", "qqqqqqq"),
        filtered("name contains", "name~0123"),
        filtered("tag contains", "tag.owner~am-1"),
        filtered(
            "OR and NOT",
            "(status:Failed OR metric.loss<0.001) -tag.quality:poor -param.optimizer:adam",
        ),
        filtered("two rare conditions", "metric.loss<0.01 metric.accuracy<0.01", "", OTHER),
        Case("deep page (nine tenths down)", f"/runs?after={deep}"),
        Case("deep page, sorted by a metric", f"/runs?order=metric.loss&after={deep_loss}"),
        filtered(
            "filter, sort and text",
            "baseline tag.owner:team-7 metric.loss<0.5",
            "&order=-metric.accuracy",
        ),
        Case("grouped by a tag", "/runs?group=tag.model", OTHER),
        Case("total and counters", "/runs-counts", OTHER),
        Case("total and counters of a filter", "/runs-counts?q=tag.owner:team-7", OTHER),
        Case("suggestions of metric names", "/runs-suggest?text=metric.la&cursor=9", OTHER),
        Case("column editor, 2,000 metric names", "/runs-columns?find=layer-01", OTHER),
    ]


# Through the MLflow protocol: not pages, but asked of the same runs.
SEARCHES = [
    Case(mlflow_search.NAMES + name, mlflow_search.PLACE, mlflow_search.TARGET_MS)
    for name in mlflow_search.bodies("")
]


# Prints the cursors: after nine tenths of the list, of the list sorted by loss, and of older pages.
CURSORS = """
from studio.accounts.models import Workspace
from studio.metrics.models import Metric
from studio.runs.models import Run
from studio.search.cursors import Place, write_cursor
room = Workspace.objects.get(name="load")
runs = Run.objects.of(room).listed().roots().newest()
run = runs[runs.count() * 9 // 10]
row = Metric.objects.filter(workspace=room, name="loss", last__gte=0.9).order_by("last")[0]
print(write_cursor(Place((run.created_at,), run.pk), ""))
print(write_cursor(Place((row.last, None), row.run_id), "metric.loss"))
for run in runs[1000:5000:50]:
    print(write_cursor(Place((run.created_at,), run.pk), ""))
"""


def measure(options: Options) -> Group:
    """Time of a page = request sent to last byte of the HTML read, signed in, one connection kept
    alive. Not timed: styles, scripts, painting."""
    notes: list[str] = []
    peers = mlflow_list_peer.samples(options, USUAL, notes) if USUAL in options.list_sizes else {}
    rows = [
        Row.of_sample(f"{mlflow_list_peer.NAME}{name}, {USUAL:,}, SQLite", taken)
        for name, taken in peers.items()
    ]
    for database in ("SQLite", "PostgreSQL"):
        smallest: dict[str, Sample] = {}
        for n_runs in options.list_sizes:
            if database == "PostgreSQL" and not _has_postgresql():
                notes.append("PostgreSQL: no server answers, not measured")
                break
            with _loaded(options, database, n_runs, notes) as studio:
                taken = {**_pages(studio, options), **mlflow_search.samples(studio, options)}
            smallest = smallest or taken
            rows += [
                _row(case, taken[case.name], smallest, database, n_runs)
                for case in (*cases("", ""), *SEARCHES)
            ]
    theirs = {
        f"{mlflow_search.NAMES}{name}, {USUAL:,}, SQLite": taken.p50
        for name, taken in peers.items()
    }
    rows = [replace(row, limit=theirs.get(row.name)) for row in rows]
    return Group(
        "Run list",
        "Whole HTML page of 50 rows (and, below it, what it loads besides), signed in, over one "
        "kept-alive connection: request sent to last byte read. CPU is the web server's; on "
        "PostgreSQL that of the database is not in it. The server keeps the rows it drew last: but "
        "for the older pages, each call after the first finds them. Targets: at 100,000 runs in "
        "ms; at 1,000,000 at most twice the figure at 10,000 and 150 ms. The limit of searches "
        "through MLflow's door is `mlflow server` over as many runs of the same make.",
        rows,
        notes,
    )


def _row(case: Case, taken: Sample, smallest: dict[str, Sample], database: str, n_runs: int) -> Row:
    target = Target(case.target_ms) if n_runs == USUAL else None
    if n_runs == LARGE:
        # Below T1's figure growth means nothing.
        few_ms = max(smallest[case.name].p50, PLAIN)
        target = Target(min(MOST_MS, MOST_GROWTH * few_ms))
    name = f"{case.name}, {n_runs:,}, {database}"
    return Row.of_sample(name, taken, target=target, is_cpu_whole=database == "SQLite")


def _pages(studio: Studio, options: Options) -> dict[str, Sample]:
    """Each page's sample by its name."""
    browser = studio.browser()
    found = {}
    for case in cases(*studio.shell(CURSORS).split()):
        left = iter(case.others)

        def call(case: Case = case, left: Iterator[str] = left) -> None:
            browser.page("/w/load" + next(left, case.path))

        first = repeat(call, n=1, warm=0, root=studio.web)
        is_slow = first.p50 > SLOW_MS
        found[case.name] = repeat(
            call, n=5 if is_slow else options.n_calls, warm=1 if is_slow else 5, root=studio.web
        )
    return found


@contextmanager
def _loaded(options: Options, database: str, n_runs: int, notes: list[str]) -> Iterator[Studio]:
    """A studio with so many runs, which is gone afterwards: a million take four gigabytes."""
    folder = options.folder / f"list-{database}-{n_runs}"
    settings = {}
    if database == "PostgreSQL":
        _in_postgresql(f"DROP DATABASE IF EXISTS {DATABASE}", f"CREATE DATABASE {DATABASE}")
        settings["DATABASE_URL"] = f"{POSTGRESQL}/{DATABASE}"
    try:
        studio = Studio(folder, **settings).prepare()
        notes.append(f"seeding {database}: {studio.manage('seed_load', '--runs', str(n_runs))}")
        with studio:
            yield studio
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if database == "PostgreSQL":
            _in_postgresql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


def _has_postgresql() -> bool:
    try:
        _in_postgresql("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _in_postgresql(*statements: str) -> None:
    with psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True, connect_timeout=3) as base:
        for statement in statements:
            base.execute(statement.encode())
