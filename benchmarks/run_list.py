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
# What a page must take at most, in ms, and the share of what `mlflow server` takes in the same run
# for the same question, answered in JSON.
MOST_USUAL_MS = 60.0
PLAIN, FILTERED, SORTED, COMBINED = 1 / 12, 1 / 10, 1 / 8, 1 / 20
# Below this, growth means nothing.
LEAST_MS = 14.0
# What may be at the largest size: so many times the figure at the smallest, and no more than.
MOST_GROWTH, MOST_MS = 2.0, 150.0
SMALL, USUAL, LARGE = 10_000, 100_000, 1_000_000
# A page slower than this is asked for five times only.
SLOW_MS = 1_000


@dataclass(frozen=True, slots=True)
class Case:
    """A page by its address. `share`: of what the peer takes for its search called `peer`, or as
    the page, at 100,000 runs. `others`: addresses asked for after it, one a call. `is_bounded`: it
    reads or counts up to a bound that 10,000 runs do not reach, so that these say nothing of it."""

    name: str
    path: str
    share: float = FILTERED
    others: Sequence[str] = ()
    peer: str = ""
    is_bounded: bool = False


def filtered(name: str, q: str, more: str = "", share: float = FILTERED) -> Case:
    return Case(name, f"/runs?q={quote(q)}{more}", share)


GROUPED = [
    Case(name, path, is_bounded=True)
    for name, path in (
        ("grouped by a tag", "/runs?group=tag.model"),
        ("common word, grouped by a tag", "/runs?q=baseline&group=tag.model"),
    )
]


def cases(deep: str, deep_loss: str, *older: str) -> list[Case]:
    """`deep`: the cursor after nine tenths of the list; `deep_loss`: the same, sorted by loss;
    `older`: those of pages that share no run."""
    never_drawn = [f"/runs?after={cursor}" for cursor in older]
    return [
        Case("default order", "/runs", PLAIN),
        Case(
            *("older pages, each row drawn for the first time", "/runs", PLAIN),
            others=never_drawn,
            peer="default order",
        ),
        Case(
            *("one experiment (90 % of the runs)", "/experiments/load-main", PLAIN),
            peer="default order",
        ),
        filtered("tag, metric and status", "tag.owner:team-7 metric.loss<0.5 status:Completed"),
        filtered("tag (2 %)", "tag.owner:team-7"),
        Case("sort by a metric", "/runs?order=metric.loss", SORTED),
        Case("sort by two keys with gaps", "/runs?order=-metric.val_loss,duration"),
        Case("sort by a tag, then a metric", "/runs?order=tag.owner,metric.loss"),
        Case("sort by submitter", "/runs?order=submitter"),
        Case("sort by number of child runs", "/runs?order=-children"),
        Case("sort by description", "/runs?order=description"),
        filtered("rare word", "zebrafish"),
        filtered("common word", "baseline"),
        filtered("a word that is nowhere", "qqqqqqq"),
        filtered("name contains", "name~0123"),
        filtered("tag contains", "tag.owner~am-1"),
        filtered(
            "OR and NOT",
            "(status:Failed OR metric.loss<0.001) -tag.quality:poor -param.optimizer:adam",
        ),
        filtered("two rare conditions", "metric.loss<0.01 metric.accuracy<0.01"),
        Case("deep page (nine tenths down)", f"/runs?after={deep}"),
        Case("deep page, sorted by a metric", f"/runs?order=metric.loss&after={deep_loss}"),
        filtered(
            "filter, sort and text",
            "baseline tag.owner:team-7 metric.loss<0.5",
            "&order=-metric.accuracy",
            COMBINED,
        ),
        *GROUPED,
        Case("total and counters", "/runs-counts"),
        Case(
            *("total and counters of a filter", "/runs-counts?q=tag.owner:team-7"),
            is_bounded=True,
        ),
        Case("suggestions of metric names", "/runs-suggest?text=metric.la&cursor=9"),
        Case("column editor, 2,000 metric names", "/runs-columns?find=layer-01"),
    ]


# Through the MLflow protocol: not pages, but asked of the same runs.
SEARCHES = [
    Case(mlflow_search.NAMES + name, mlflow_search.PLACE) for name in mlflow_search.bodies("")
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
    peers = _peers(options, notes)
    server = _postgresql()
    notes += [server] if server else []
    rows = [
        Row.of_sample(f"mlflow server: {name}, {USUAL:,}, SQLite", taken)
        for name, taken in peers.items()
    ]
    for database in ("SQLite", "PostgreSQL"):
        smallest: dict[str, Sample] = {}
        for n_runs in options.list_sizes:
            if database == "PostgreSQL" and not server:
                notes.append("PostgreSQL: no server answers, not measured")
                break
            with _loaded(options, database, n_runs, notes) as studio:
                taken = {**_pages(studio, options), **mlflow_search.samples(studio, options)}
            smallest = smallest or taken
            for case in (*cases("", ""), *SEARCHES):
                row = _row(case, taken[case.name], database, n_runs)
                peer = peers.get(case.peer or case.name)
                rows.append(_judged(row, case, peer, smallest[case.name], n_runs))
    return Group(
        "Run list",
        "Whole HTML page of 50 rows (and, below it, what it loads besides), signed in, over one "
        "kept-alive connection: request sent to last byte read. CPU is the web server's; on "
        "PostgreSQL that of the database is not in it. The server keeps the rows it drew last: but "
        "for the older pages, each call after the first finds them. Limit: `mlflow server` on "
        "SQLite answering the same question over as many runs of the same make, in JSON: 50 runs "
        "for a page, 100 through the door of MLflow's clients. Targets at 100,000: 60 ms, and a "
        "share of the peer's time: 1/12 for the default order, 1/10 for filters, text and deep "
        "pages, 1/8 to sort, 1/20 for filter, sort and text together. At 1,000,000: at most twice "
        "the figure at 10,000, and 150 ms; 150 ms alone where 10,000 runs do not reach the bound "
        "of what is read: groups of the newest 50,000, counters to 10,000 each.",
        rows,
        notes,
    )


def _peers(options: Options, notes: list[str]) -> dict[str, Sample]:
    """What the peer took, by the name of the page or of the search through our door."""
    if USUAL not in options.list_sizes:
        return {}
    taken = mlflow_list_peer.samples(options, USUAL, notes)
    doors = {mlflow_search.NAMES + name: one for name, one in taken.at_once.items()}
    return {**taken.of_a_page, **doors}


def _row(case: Case, taken: Sample, database: str, n_runs: int) -> Row:
    name = f"{case.name}, {n_runs:,}, {database}"
    return Row.of_sample(name, taken, is_cpu_whole=database == "SQLite")


def _judged(row: Row, case: Case, peer: Sample | None, smallest: Sample, n_runs: int) -> Row:
    """The row with its target: at the usual size beside the peer, at the largest beside the
    smallest."""
    if case.is_bounded and n_runs in (USUAL, LARGE):
        return replace(row, target=Target(MOST_MS))
    if n_runs == USUAL and peer is not None:
        most_ms = min(MOST_USUAL_MS, case.share * peer.p50)
        return replace(row, limit=peer.p50, target=Target(most_ms))
    if n_runs == USUAL:
        return replace(row, target=Target(MOST_USUAL_MS))
    if n_runs == LARGE:
        most_ms = min(MOST_MS, MOST_GROWTH * max(smallest.p50, LEAST_MS))
        return replace(row, target=Target(most_ms))
    return row


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


# What else matters to plans each connection of the studio sets: docs/settings.md, DATABASE_URL.
SETTINGS = ("shared_buffers", "effective_cache_size", "work_mem")


def _postgresql() -> str:
    """The server's version and settings; "" where none answers."""
    try:
        with psycopg.connect(f"{POSTGRESQL}/postgres", connect_timeout=3) as base:
            shown = [
                f"{name} {base.execute(f'SHOW {name}'.encode()).fetchall()[0][0]}"
                for name in SETTINGS
            ]
            return f"PostgreSQL {base.info.server_version // 10_000}: {', '.join(shown)}"
    except psycopg.OperationalError:
        return ""


def _in_postgresql(*statements: str) -> None:
    with psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True, connect_timeout=3) as base:
        for statement in statements:
            base.execute(statement.encode())
