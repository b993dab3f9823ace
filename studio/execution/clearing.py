"""Ends what is left on this host of runs that were closed while no worker held them."""

import logging
from collections.abc import Collection
from pathlib import Path

from django.conf import settings

from studio.compute.launcher import META_FILE, adopt, sweep
from studio.compute.models import Job
from studio.execution.closing import tidy_up
from studio.runs.limits import MAX_WARNINGS
from studio.runs.models import Run

logger = logging.getLogger(__name__)

GUARD_ENDS_WITHIN_S = 10.0
AT_ONCE = 500


def end_closed(node: str, *, held: Collection[str] = ()) -> int:
    """Kill the processes of closed jobs that name `node` and whose lease is not among those `held`,
    and remove their folders, except those kept because their files could not be stored; how many
    jobs. Other workers of the host may use the same folder: theirs stay."""
    found = sorted(
        str(meta.parent) for meta in Path(settings.STUDIO_RUNS_DIR).glob(f"*/{META_FILE}")
    )
    n_ended = 0
    for at in range(0, len(found), AT_ONCE):
        closed = Job.objects.filter(node=node, closed_at__isnull=False, lease__gt="")
        for job in closed.filter(folder__in=found[at : at + AT_ONCE]).exclude(lease__in=held):
            folder = Path(job.folder)
            if not _is_kept(job, folder):
                _end(job, folder)
                n_ended += 1
    return n_ended


def _is_kept(job: Job, folder: Path) -> bool:
    """Whether its run tells people to look there, or has no place left to tell them."""
    run = Run.objects.filter(job=job).first()
    if run is None:
        return False
    told = any(str(folder) in str(warning) for warning in run.warnings)
    return told or len(run.warnings) >= MAX_WARNINGS


def _end(job: Job, folder: Path) -> None:
    logger.warning("ending what is left of job=%s, closed at %s", job.pk, job.closed_at)
    cookie = f"{job.pk}-{job.lease}"
    guard = adopt(folder, cookie)
    try:
        if guard is not None:
            guard.kill()
            if not guard.wait(GUARD_ENDS_WITHIN_S):
                guard.kill_guard()
        sweep([cookie])
    except OSError as error:
        logger.warning("job=%s folder=%s stays: %s", job.pk, folder, error)
        return
    finally:
        if guard is not None:
            guard.close()
    tidy_up(folder)
