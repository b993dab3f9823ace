"""What ids, names and statuses may be, for programs on top of the SDK."""

from studio.wire import EXPERIMENT, STATUSES, TERMINAL, UID

__all__ = ["EXPERIMENT", "STATUSES", "TERMINAL", "UID"]
