"""Looking through the logs of many runs in the background, newest run first.

A piece notes which runs are next; their logs are read by `settle`, outside its transaction.
"""

import hashlib
from dataclasses import replace

from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.artifacts import log_findings
from studio.artifacts.models import LogFinding, LogSearch
from studio.bulk import selection as selecting
from studio.bulk.selection import Selection
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.search.log_terms import log_texts, without_logs
from studio.search.printer import print_query
from studio.search.syntax import parse
from studio.work.actions import AlreadyUnderWay, start_work
from studio.work.beats import Beat
from studio.work.kinds import Piece
from studio.work.models import Work

LOG_SEARCH = "log_search"
# Of more runs the newest: narrow the query, or filter by something else first.
MAX_RUNS = 10_000
MAX_TEXTS = 5
RUNS_PER_PIECE = 25
BYTES_PER_PIECE = 256 * 1024 * 1024
# To start a search of one log, however short, takes as long as reading so much.
BYTES_PER_LOG = 4 * 1024 * 1024


def start_log_search(workspace: Workspace, selection: Selection, *, by: Actor) -> Work:
    """Look for every text of a query's `log~` in the logs of the runs that meet its conditions
    beside them; the same search that is under way already is not started twice.

    Raises Invalid (WrongPattern), SearchSyntaxError, NotAllowed.
    """
    require(by, Permission.START_WORK, workspace)
    asked = selecting.checked(selection)
    node = parse(asked.query)
    texts = log_texts(node)
    if not texts:
        raise Invalid("query", 'Nothing is asked of logs. For example: log~"CUDA out of memory"')
    if len(texts) > MAX_TEXTS:
        raise Invalid("query", f"One search looks for at most {MAX_TEXTS} texts in logs.")
    searches = log_findings.begin(workspace, texts)
    rest = replace(asked, query=print_query(without_logs(node)))
    ids = [search.pk for search in searches]
    same = f"{ids} {replace(rest, at='').dump()} {by.name}"
    arguments = {"selection": rest.dump(), "searches": ids, "texts": list(texts)}
    once = f"log_search {hashlib.sha256(same.encode()).hexdigest()[:40]}"
    try:
        work = start_work(workspace, LOG_SEARCH, arguments, by=by, once=once)
    except AlreadyUnderWay as other:
        return other.work
    LogSearch.objects.filter(pk__in=ids).update(work_uid=work.uid, started_at=timezone.now())
    return work


class LogSearchKind:
    """See `studio.work.kinds.Kind`."""

    def count(self, work: Work) -> int:
        asked = Selection.load(work.arguments["selection"])
        found = selecting.matching(asked, work.workspace, user=work.actor_user)
        return found.order_by()[:MAX_RUNS].count()

    def piece(self, work: Work, *, by: Actor) -> Piece:
        require(by, Permission.SEE, work.workspace)
        most = min(RUNS_PER_PIECE, MAX_RUNS - work.n_done)
        found = selecting.next_slice(
            Selection.load(work.arguments["selection"]),
            work.workspace,
            user=by.user,
            cursor=work.cursor,
            most=most,
        )
        sizes = log_findings.sizes_of(found.runs)
        runs = _fitting(found.runs, sizes, log_findings.n_logs_of(found.runs))
        log_findings.ask(work.arguments["searches"], {run.pk: sizes[run.pk] for run in runs})
        is_last = len(runs) == len(found.runs) and found.cursor is None
        is_enough = work.n_done + len(runs) >= MAX_RUNS
        return Piece(None if is_last or is_enough else runs[-1].pk, n_done=len(runs))

    def settle(self, work: Work) -> None:
        log_findings.look(work.arguments["searches"], tick=Beat(work))


def n_without(
    workspace: Workspace, selection: Selection, search: LogSearch, *, by: Actor, most: int
) -> int:
    """How many runs a search for this selection would look at for the first time, `most` at most
    (1 query and those of the conditions). Raises SearchSyntaxError."""
    rest = replace(selection, query=print_query(without_logs(parse(selection.query))))
    found = selecting.matching(rest, workspace, user=by.user)
    known = LogFinding.objects.filter(search=search, is_pending=False)
    return found.exclude(pk__in=known.values("run")).order_by()[:most].count()


def _fitting(runs: list[Run], sizes: dict[int, int], n_logs: dict[int, int]) -> list[Run]:
    """As many as can be read before somebody is told how far it is; at least one."""
    n_bytes, taken = 0, list[Run]()
    for run in runs:
        n_bytes += sizes[run.pk] + BYTES_PER_LOG * min(n_logs.get(run.pk, 0), log_findings.MAX_LOGS)
        if taken and n_bytes > BYTES_PER_PIECE:
            break
        taken.append(run)
    return taken
