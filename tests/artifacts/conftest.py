"""A store on a disk that fills up soon; work done at the same time."""

import os
import resource
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

SMALL_BYTES = 256 * 1024


@pytest.fixture
def full_disk(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """Files go to a file system of 256 kB; without the right to mount, no file may grow past it."""
    folder = tmp_path / "small"
    folder.mkdir()
    settings.STUDIO_STORAGE_URL = f"file://{folder}"
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0:
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_BYTES, before[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def until_stored(call: Callable[[], Any]) -> Any:
    """What `call` returns; tried again while the database is busy, as every client of ours does."""
    while True:
        try:
            return call()
        except OperationalError:
            continue


def at_once(calls: Sequence[Callable[[], Any]]) -> None:
    """Run all calls in threads of their own; raises the first error of any."""
    failures: list[BaseException] = []

    def work(call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]
    assert not any(thread.is_alive() for thread in threads)
