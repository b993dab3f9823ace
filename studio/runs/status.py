"""The status machine of a run, as data. Pure: no database, no clock.

    NotStarted ─> Queued ─> Starting ─> Preparing ─> Running ─> Finalizing ─> Completed
         │           │          │            │          │            │
         └───────────┴──────────┴─── any ────┴──────────┴────────────┴─────> Failed
    any active ─> CancelRequested ─> Canceled (or Completed/Failed when the process won the race)
    Starting…Finalizing, CancelRequested ─> NotResponding ─> back, or Failed/Canceled/Completed
    Starting, Preparing ─> Queued   (the worker died before the script began)
    Completed ─> Failed             (only by an explicit mark, with actor and reason)
    Completed, Failed, Canceled ─> Running   (only by an explicit resumption of a run without a job)

Sources: product.md K4, and the original's table of statuses.
"""

from django.db import models


class Status(models.TextChoices):
    NOT_STARTED = "NotStarted", "Not started"
    QUEUED = "Queued", "Queued"
    STARTING = "Starting", "Starting"
    PREPARING = "Preparing", "Preparing"
    RUNNING = "Running", "Running"
    FINALIZING = "Finalizing", "Finalizing"
    CANCEL_REQUESTED = "CancelRequested", "Cancel requested"
    NOT_RESPONDING = "NotResponding", "Not responding"
    COMPLETED = "Completed", "Completed"
    FAILED = "Failed", "Failed"
    CANCELED = "Canceled", "Canceled"


TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELED})
ACTIVE = frozenset(Status) - TERMINAL
# A process exists, so silence means something.
BEATING = frozenset(
    {
        Status.STARTING,
        Status.PREPARING,
        Status.RUNNING,
        Status.FINALIZING,
        Status.CANCEL_REQUESTED,
    }
)
CANCELLABLE = frozenset(
    {
        Status.NOT_STARTED,
        Status.QUEUED,
        Status.STARTING,
        Status.PREPARING,
        Status.RUNNING,
        Status.FINALIZING,
        Status.NOT_RESPONDING,
    }
)

ALLOWED: dict[Status, frozenset[Status]] = {
    Status.NOT_STARTED: frozenset(
        {
            Status.QUEUED,
            Status.STARTING,
            Status.PREPARING,
            Status.RUNNING,
            Status.CANCEL_REQUESTED,
        }
    )
    | TERMINAL,
    Status.QUEUED: frozenset(
        {Status.STARTING, Status.CANCEL_REQUESTED, Status.CANCELED, Status.FAILED}
    ),
    Status.STARTING: frozenset(
        {
            Status.QUEUED,
            Status.PREPARING,
            Status.RUNNING,
            Status.CANCEL_REQUESTED,
            Status.NOT_RESPONDING,
            Status.CANCELED,
            Status.FAILED,
        }
    ),
    Status.PREPARING: frozenset(
        {
            Status.QUEUED,
            Status.RUNNING,
            Status.CANCEL_REQUESTED,
            Status.NOT_RESPONDING,
            Status.CANCELED,
            Status.FAILED,
        }
    ),
    Status.RUNNING: frozenset({Status.FINALIZING, Status.CANCEL_REQUESTED, Status.NOT_RESPONDING})
    | TERMINAL,
    Status.FINALIZING: frozenset({Status.CANCEL_REQUESTED, Status.NOT_RESPONDING}) | TERMINAL,
    Status.CANCEL_REQUESTED: frozenset({Status.NOT_RESPONDING}) | TERMINAL,
    Status.NOT_RESPONDING: frozenset(BEATING) | TERMINAL,
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELED: frozenset(),
}
# One of two ways out of a terminal status: «Mark as failed», by a person or by `fail()`.
MARK_AS_FAILED = frozenset({Status.COMPLETED})
# A program goes on with a run of its own that was over: «resume». Nothing else reaches Running so.
RESUME = frozenset(TERMINAL)


def sources_of(to: Status, *, mark: bool = False, resume: bool = False) -> frozenset[Status]:
    """The statuses from which `to` may be reached; `mark` adds the explicit correction; `resume`
    has sources of its own."""
    if resume:
        return RESUME if to == Status.RUNNING else frozenset()
    found = frozenset(status for status, targets in ALLOWED.items() if to in targets)
    return found | MARK_AS_FAILED if mark and to == Status.FAILED else found


# The six counters above every run list.
COUNTERS: dict[str, frozenset[Status]] = {
    "Running": frozenset({Status.RUNNING, Status.FINALIZING}),
    "Completed": frozenset({Status.COMPLETED}),
    "Failed": frozenset({Status.FAILED}),
    "Canceled": frozenset({Status.CANCELED}),
    "Queued": frozenset({Status.QUEUED}),
    "Other": frozenset(
        {
            Status.NOT_STARTED,
            Status.STARTING,
            Status.PREPARING,
            Status.CANCEL_REQUESTED,
            Status.NOT_RESPONDING,
        }
    ),
}
