"""What must hold of runs at any moment, whoever does what to them: checks by their uids."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from studio.accounts.models import ApiToken
from studio.runs.models import Run, RunEvent
from studio.runs.status import ALLOWED, TERMINAL, Status

# Nothing has begun: no process is silent, so nobody closes them.
NOT_BEGUN = {Status.NOT_STARTED, Status.QUEUED}
ASKED = {Status.CANCEL_REQUESTED, *TERMINAL}
ENDS = ([], *([end] for end in TERMINAL), [Status.COMPLETED, Status.FAILED])


def check(uids: Sequence[str], *, is_over: bool = False) -> None:
    """3 queries. `is_over`: nobody works any more, and the reaper has had its time."""
    told: dict[int, list[Any]] = defaultdict(list)
    rows = RunEvent.objects.filter(run__uid__in=uids, kind="status").order_by("pk")
    for run_id, before, after, message in rows.values_list("run_id", "before", "after", "message"):
        told[run_id].append((before, after, message))
    live = ApiToken.objects.filter(run_uid__in=uids, revoked_at=None)
    live_of = set(live.values_list("run_uid", flat=True))
    for run in Run.objects.filter(uid__in=uids).select_related("job").order_by("pk"):
        where = f"run {uids.index(run.uid)} is {run.status}"
        check_history(run, told[run.pk], f"{where}: {told[run.pk]}")
        check_row(run, where)
        check_job(run, where, has_token=run.uid in live_of)
        if is_over:
            assert run.is_terminal or run.status in NOT_BEGUN, f"{where}, for ever"
            assert run.job is None or bool(run.job.closed_at) == run.is_terminal, f"{where}: job"


def check_history(run: Run, moves: list[Any], where: str) -> None:
    """Each recorded move is one that the machine allows, and the last one is the run's status."""
    assert moves[0][0] is None, where
    assert moves[-1][1] == run.status, where
    for (_, earlier, _), (before, after, message) in pairwise(moves):
        assert before == earlier, where
        is_mark = (before, after) == (Status.COMPLETED, Status.FAILED)
        assert is_mark or after in ALLOWED[Status(before)], where
        assert not is_mark or message, where
        assert message != "Never started" or moves[0][1] == Status.NOT_STARTED, where
    assert [after for _, after, _ in moves if after in TERMINAL] in ENDS, where


def check_row(run: Run, where: str) -> None:
    assert (run.ended_at is not None) == run.is_terminal, where
    assert run.duration_s is None or run.duration_s >= 0, where
    is_asked = run.status in ASKED or run.status_before_silence in ASKED
    assert run.cancel_requested_at is None or is_asked, f"{where}, its cancel was forgotten"


def check_job(run: Run, where: str, *, has_token: bool) -> None:
    """A closed job belongs to an ended run, which has no token; that of an ended run is closed, or
    its worker is told to stop it."""
    if run.job is None:
        return
    is_closed, is_held = run.job.closed_at is not None, bool(run.job.lease)
    assert run.is_terminal or not is_closed, f"{where}, its job is closed"
    assert is_closed or not run.is_terminal or run.job.cancel_requested_at, f"{where}, it goes on"
    assert is_held or is_closed or run.status == Status.QUEUED, f"{where}, unheld"
    assert not (is_closed and has_token), f"{where}, its token lives"
