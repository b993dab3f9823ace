"""The machine and the versions a result belongs to."""

import importlib.metadata
import os
import platform
import sqlite3
from datetime import UTC, datetime

import psutil

PACKAGES = ("django", "gunicorn", "django-ninja", "celery", "jinja2", "numpy", "orjson")


def facts() -> dict[str, str]:
    """Name -> value, as the document shows them."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    memory_gb = psutil.virtual_memory().total / 2**30
    return {
        "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{psutil.cpu_count()} cores ({model()}), {memory_gb:.0f} GB, "
        f"Linux {platform.release()}",
        "load before the run": load,
        "versions": ", ".join(
            [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}", *versions()]
        ),
    }


def model() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def versions() -> list[str]:
    """Name and version of the packages that matter here and are installed."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
