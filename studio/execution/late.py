"""What a script logged and could not send before it ended, and what the studio refused of it.

The SDK keeps it in a folder of the run, and a process of the SDK sends it, with the rights that the
script had: the server does not import the SDK.
"""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.db import transaction

from studio.accounts.models import Scope, new_token
from studio.compute.models import Job
from studio.execution.claims import Claim
from studio.execution.environment import inherited
from studio.execution.verdict import storable
from studio.runs.actions import warn_run
from studio.runs.lifecycle import LeaseLost

logger = logging.getLogger(__name__)

FOLDER = "spool"
# So long a run stays Finalizing while the web server is away and the database is not.
PATIENCE_S = 60.0
ENDS_WITHIN_S = 30.0
STILL_WAITS = (
    "{n_left} requests with the last of what the script logged could not be sent: they wait in "
    "{kept_in} on its machine, and `studio sync` there sends them"
)
REFUSED = (
    "{n_refused} requests of the script, with {n_points_refused:,} points, were refused for good: "
    "{why_refused}. They are kept in {kept_in} on its machine"
)
MOST_WHY = 500


def new_secret(claim: Claim) -> str:
    """The secret of a new token of the claimed run alone. Raises LeaseLost, and ValueError without
    a submitter."""
    run, job = claim.run, claim.job
    if run.submitter is None:
        raise ValueError("its submitter's account is gone")
    with transaction.atomic():
        # Whoever takes the job away ends the tokens of its run: none may be made after that.
        held = Job.objects.open().filter(pk=job.pk, lease=claim.lease)
        if not held.select_for_update().exists():
            raise LeaseLost(f"run {run.uid} was taken from this worker")
        _, secret = new_token(
            run.submitter,
            name=f"run {run.short_uid}",
            scope=Scope.WRITE,
            workspace=run.workspace,
            run_uid=run.uid,
        )
    return secret


def send_late(claim: Claim, folder: Path, *, patience_s: float = PATIENCE_S) -> bool:
    """Send what waits in the spool of the run's folder, and keep what was refused; nothing happens
    when there is neither. Both are told by warnings on the run. False when something lies in the
    folder still."""
    spool = folder / FOLDER
    kept = [*spool.glob("*.spool"), *spool.glob("*.dead")]
    if not any(file.stat().st_size for file in kept):
        return True
    try:
        report = _run_sync(claim, spool, patience_s)
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        logger.warning("late points not sent run=%s because=%s", claim.run.uid, problem)
        report = {"n_left": "Some", "n_refused": 0, "kept_in": str(spool)}
    if report["n_refused"]:
        report["why_refused"] = str(report["why_refused"])[:MOST_WHY].rstrip(".")
        warn_run(claim.run, storable(REFUSED.format(**report)))
    if report["n_left"]:
        warn_run(claim.run, STILL_WAITS.format(**report))
    return report["kept_in"] != str(spool)


def _run_sync(claim: Claim, spool: Path, patience_s: float) -> dict[str, object]:
    environment = {
        **inherited(os.environ),
        "PYTHONPATH": str(settings.BASE_DIR),
        "STUDIO_URL": settings.STUDIO_BASE_URL,
        "STUDIO_WORKSPACE": claim.run.workspace.name,
        "STUDIO_TOKEN": new_secret(claim),
    }
    if where := os.environ.get("STUDIO_SPOOL_DIR"):
        environment["STUDIO_SPOOL_DIR"] = where
    done = subprocess.run(
        [sys.executable, "-m", "studio.sdk.sync", str(spool), str(patience_s)],
        env=environment,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=patience_s + ENDS_WITHIN_S,
        check=False,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found
