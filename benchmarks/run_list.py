"""The list of 100,000 runs: the whole page over HTTP, beside the same rows by bare SQLite."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote

from benchmarks.measure import repeat
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio

PAGE = 51
SHOWN = "workspace_id = :w AND parent_id IS NULL AND deleted_at IS NULL AND archived_at IS NULL"
NEWEST = "ORDER BY r.created_at DESC, r.id DESC LIMIT 51"
# What a page must take at most, in ms (performance.md T1 and T2).
PLAIN, FILTERED = Target(14), Target(30)


@dataclass(frozen=True, slots=True)
class Case:
    """A page by its address, and the SQL that finds the same runs."""

    name: str
    path: str
    sql: str
    target: Target


def cases(deep: str) -> list[Case]:
    """`deep` is the cursor in the middle of the list."""
    q = quote("tag.owner:team-7 metric.loss<0.5 status:Completed")
    return [
        Case("default order", "/runs", f"SELECT r.* FROM runs_run r WHERE {SHOWN} {NEWEST}", PLAIN),
        Case(
            "tag, metric and status",
            f"/runs?q={q}",
            f"""SELECT r.* FROM runs_run r WHERE {SHOWN} AND status = 'Completed' AND EXISTS (
              SELECT 1 FROM runs_tag t WHERE t.run_id = r.id AND key = 'owner' AND value = 'team-7')
              AND EXISTS (SELECT 1 FROM metrics_metric m WHERE m.run_id = r.id AND name = 'loss'
              AND last < 0.5) {NEWEST}""",
            FILTERED,
        ),
        Case(
            "rare word",
            "/runs?q=zebrafish",
            f"""SELECT r.* FROM runs_run r WHERE {SHOWN} AND r.id IN (SELECT rowid FROM
              runs_runtext_fts WHERE runs_runtext_fts MATCH '"zebrafish"') {NEWEST}""",
            FILTERED,
        ),
        Case(
            "common word",
            "/runs?q=baseline",
            f"""SELECT r.* FROM runs_run r JOIN runs_runtext x ON x.run_id = r.id WHERE {SHOWN}
              AND instr(x.body, 'baseline') {NEWEST}""",
            FILTERED,
        ),
        Case(
            "deep page (the middle of the list)",
            f"/runs?after={deep}",
            f"""SELECT r.* FROM runs_run r WHERE {SHOWN} AND (created_at, id) <
              (SELECT created_at, id FROM runs_run WHERE id = :middle) {NEWEST}""",
            FILTERED,
        ),
        Case(
            "one experiment (90 % of the runs)",
            "/experiments/load-main",
            f"SELECT r.* FROM runs_run r WHERE {SHOWN} AND experiment_id = :e {NEWEST}",
            PLAIN,
        ),
    ]


def measure(options: Options) -> Group:
    """Time of a page = request sent to last byte of the HTML read, signed in, one connection kept
    alive. Not timed: styles, scripts, painting."""
    studio = Studio(options.folder / "list").prepare()
    loaded = studio.manage("seed_load", "--runs", str(options.n_runs))
    middle = studio.shell(MIDDLE.format(options.n_runs // 2)).split()
    keys = {"w": middle[1], "e": middle[2], "middle": middle[3]}
    with studio, closing(sqlite3.connect(studio.database)) as base:
        rows = [floor(studio, options)]
        sizes = []
        for case in cases(middle[0]):
            row, n_bytes = timed(studio, case, options, Bare(base, case.sql, keys))
            rows.append(row)
            sizes.append(f"{case.name} {n_bytes / 1024:.0f} KB")
    return Group(
        f"Run list: {options.n_runs:,} runs",
        "Whole HTML page of 50 rows, signed in, over one kept-alive connection: request sent to "
        "last byte read. CPU is the web server's. Limit: the same rows with their tags by bare "
        "SQLite.",
        rows,
        [f"seeding: {loaded}", f"HTML: {', '.join(sizes)}", "sort by a metric: no page has it yet"],
    )


# Prints the cursor of a run, and the keys of its workspace, of the largest experiment and its own.
MIDDLE = """
from studio.runs.models import Experiment, Run
from studio.web.paging import cursor_of
run = Run.objects.filter(workspace__name="load").newest()[{}]
large = Experiment.objects.get(workspace=run.workspace_id, name="load-main")
print(cursor_of(run), run.workspace_id, large.pk, run.pk)
"""


def floor(studio: Studio, options: Options) -> Row:
    """What any answer costs here."""
    browser = studio.browser()
    taken = repeat(
        lambda: browser.page("/healthz"), n=options.n_calls * 3, warm=20, root=studio.web
    )
    return Row.of_sample("/healthz, the floor of any answer", taken)


@dataclass(frozen=True, slots=True)
class Bare:
    """The same runs by SQL alone, with their tags."""

    base: sqlite3.Connection
    sql: str
    keys: dict[str, str]

    def __call__(self) -> int:
        runs = self.base.execute(self.sql, self.keys).fetchall()
        ids = ",".join(str(int(run[0])) for run in runs)
        tags = self.base.execute(f"SELECT run_id, key, value FROM runs_tag WHERE run_id IN ({ids})")
        return len(runs) + len(tags.fetchall())


def timed(studio: Studio, case: Case, options: Options, bare: Bare) -> tuple[Row, int]:
    """The row of a page, and its size in bytes."""
    browser = studio.browser()
    page = browser.page("/w/load" + case.path)
    n_rows = page.count('<tr id="runs-row-')
    n_found = len(bare.base.execute(bare.sql, bare.keys).fetchall())
    if n_rows != min(PAGE - 1, n_found):
        raise RuntimeError(f"{case.name}: the page shows {n_rows} rows, SQL finds {n_found}")
    taken = repeat(
        lambda: browser.page("/w/load" + case.path), n=options.n_calls, warm=5, root=studio.web
    )
    limit = repeat(bare, n=20)
    return Row.of_sample(case.name, taken, limit=limit.p50, target=case.target), len(page.encode())
