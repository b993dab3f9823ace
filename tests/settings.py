"""The studio's own settings, in a data folder of the tests' own.

A settings module, because pytest-django reads the settings before any conftest: a test must never
touch the data, nor ring the workers, of a studio that runs from this folder.
"""

import os
import tempfile
from pathlib import Path

# Processes that a test starts keep the folder which the test gave them. Each process that runs
# tests has its own: what a studio allows but so often at once, tests in another must not use up.
if os.environ.get("STUDIO_TEST_HOME_OF") != os.environ.get("PYTEST_XDIST_WORKER", "all"):
    os.environ["STUDIO_TEST_HOME_OF"] = os.environ.get("PYTEST_XDIST_WORKER", "all")
    os.environ["STUDIO_TEST_HOME"] = os.environ["STUDIO_HOME"] = tempfile.mkdtemp(
        prefix="studio-test-"
    )
    os.environ.setdefault("STUDIO_SECRET_KEY", "only-for-tests-" + "x" * 50)
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    Path(os.environ["STUDIO_HOME"], "static").mkdir()
    # A broker of its own too: with the same one, a worker would take the tasks of another's test.
    broker, _, number = os.environ.get("CELERY_BROKER_URL", "").rpartition("/")
    process = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    if broker.startswith("redis://") and number.isdecimal():
        os.environ["CELERY_BROKER_URL"] = f"{broker}/{int(number) + int(process)}"

from studio.settings import *  # noqa: F403
from studio.settings import DATABASES

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in a real studio: connections to one database in memory do not wait for each
    # other's locks, and a test with a live server has several.
    path = Path(os.environ["STUDIO_TEST_HOME"], "test.sqlite3")
    DATABASES["default"]["TEST"] = {"NAME": str(path)}
else:
    # What a test commits may be gone after a power cut.
    DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"
