"""Lines of a run's text files by number, as the log viewer of the pages shows them."""

from typing import Any

from django.http import HttpRequest
from ninja import Path, Query, Router

from studio.api.access import run_of
from studio.api.file_schemas import LogLines
from studio.api.files import find_artifact
from studio.api.schemas import answers
from studio.artifacts import log_pages, logs
from studio.artifacts.log_pages import ShownLine

router = Router(tags=["files"])
MOST_LINE = 10**15


@router.get("/runs/{uid}/log-lines", response=answers(LogLines))
def read_log_lines(
    request: HttpRequest,
    workspace: Path[str],
    uid: str,
    path: str,
    first: Query[int] = 1,
    n: Query[int] = 100,
) -> Any:
    """At most `n` (and 400) lines from number `first` on; fewer where they are long: ask again
    behind `last`. Long lines are cut, progress bars are in their last state, colours are left out.

    `total` lines are counted in the first `counted` of `size` bytes; `complete`: no more will come.
    """
    run = run_of(request, workspace, uid)
    artifact = find_artifact(run, path)
    # Asked before reading: what is read from a finished log is all of it.
    is_finished = logs.is_finished(artifact, run)
    first, n = max(1, min(first, MOST_LINE)), max(0, min(n, log_pages.MAX_LINES))
    shown = log_pages.read_page(artifact, first, n, with_times=True)
    return {
        "path": artifact.path,
        "items": [line_dict(line) for line in shown.lines],
        "last": shown.last,
        "total": shown.total,
        "size": shown.size,
        "counted": shown.covered if shown.is_behind else shown.size,
        "complete": is_finished,
        "errors": shown.n_errors,
        "warnings": shown.n_warnings,
        "damage": artifact.damage,
    }


def line_dict(shown: ShownLine) -> dict[str, Any]:
    return {
        "line": shown.number,
        "text": shown.line.text,
        "hidden_bytes": shown.n_hidden,
        "earlier_states": shown.has_states,
        "open": shown.is_open,
        "mark": {"errors": "error", "warnings": "warning"}[shown.mark] if shown.mark else None,
        "at_ms": shown.at_ms,
    }
