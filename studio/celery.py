"""The Celery application: the broker is a doorbell, the database is the truth.

Found by `celery -A studio`; imported by `studio.apps` so that `shared_task` binds to it.
"""

import os

from celery import Celery

import studio.broker  # noqa: F401  (registers the safefs:// transport)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

app = Celery("studio")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
