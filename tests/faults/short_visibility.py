"""Settings of a worker that gives a message back to the queue when it is unsettled for 3 s: the
shortest such time of all who share a Redis counts for all."""

import os

from studio.settings import *  # noqa: F403
from studio.settings import CELERY_BROKER_TRANSPORT_OPTIONS as USUAL

CELERY_BROKER_TRANSPORT_OPTIONS = {
    **USUAL,
    "visibility_timeout": float(os.environ["TEST_VISIBILITY_S"]),
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}
