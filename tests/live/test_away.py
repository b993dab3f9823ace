"""Database and broker away: runs go on, cancels arrive, the truth is written later (P8, K6)."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import show_log
from tests.live.faults import Redis, locked_database
from tests.live.studio import Studio, status_of, words_of, write_script
from tests.live.test_main_job import log_of, submit
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

SLEEP = "import time\nprint('ready', flush=True)\ntime.sleep(600)\n"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    url = "safefs://localhost/"
    studio = Studio(tmp_path_factory.mktemp("embedded"), CELERY_BROKER_URL=url).start()
    yield studio
    studio.stop()
    show_log(studio)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    made = Redis(tmp_path_factory.mktemp("redis"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def on_redis(redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("on-redis"), CELERY_BROKER_URL=redis.url).start()
    yield studio
    studio.stop()
    show_log(studio)


def going(studio: Studio, folder: Path) -> Any:
    run = submit(studio, write_script(folder, SLEEP))
    status_of(run, "Running")
    wait_until(lambda: "ready" in log_of(run), 20, "the script to begin")
    return run


def cancel_takes_s(run: Any) -> float:
    began = time.monotonic()
    run.cancel()
    assert run.get_status() in {"CancelRequested", "Canceled"}
    # The script would go on for longer: it ended because it was told to.
    assert status_of(run, "Canceled", timeout_s=20) == "Canceled"
    return time.monotonic() - began


def test_a_cancel_arrives_when_no_message_can_be_written(embedded: Studio, tmp_path: Path) -> None:
    run = going(embedded, tmp_path / "a")
    queues = embedded.folder / "home" / "broker" / "queues"
    queues.rename(queues.with_name("away"))
    queues.write_text("a file is in the way")
    try:
        took_s = cancel_takes_s(run)
        assert embedded.processes_of(run.id) == []
        queued = submit(embedded, write_script(tmp_path / "b", "print('ran')\n"))
        assert status_of(queued, "Completed") == "Completed"
    finally:
        queues.unlink()
        queues.with_name("away").rename(queues)
    print(f"cancel without a broker: {took_s:.2f} s")


@pytest.mark.long
def test_the_end_of_a_run_is_written_after_a_long_lock_of_the_database(
    embedded: Studio, tmp_path: Path
) -> None:
    text = (
        "import time\nprint('ready', flush=True)\n"
        "for i in range(20): time.sleep(0.1); print(i, flush=True)\n"
        "open('outputs/model', 'w').write('w')\n"
    )
    run = submit(embedded, write_script(tmp_path / "src", text))
    other = going(embedded, tmp_path / "other")
    with locked_database(embedded):
        held_s = threading.Event()
        assert not held_s.wait(24)  # longer than SQLite's own patience
        assert embedded.processes_of(run.id) == []
        assert embedded.processes_of(other.id) != []
    assert status_of(run, "Completed", timeout_s=40) == "Completed"
    assert log_of(run).split() == ["ready", *map(str, range(20))]
    assert "outputs/model" in run.get_file_names()
    assert other.get_status() == "Running"
    assert cancel_takes_s(other) < 8


@pytest.mark.long
def test_ctrl_c_ends_everything_in_time_while_the_database_is_locked(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "studio").start()
    run = going(studio, tmp_path / "src")
    with locked_database(studio):
        began = time.monotonic()
        assert studio.stop() == 0
        took_s = time.monotonic() - began
        assert [words_of(process) for process in studio.marked()] == []
    print(f"Ctrl-C with a locked database: {took_s:.1f} s")
    assert took_s < 30
    studio.start()
    try:
        again = studio.workspace.get_run(run.id)
        assert status_of(again, "Failed", "Canceled") in {"Failed", "Canceled"}
    finally:
        studio.stop()
        show_log(studio)


def test_a_dead_broker_delays_nothing_for_long(
    on_redis: Studio, redis: Redis, tmp_path: Path
) -> None:
    run = going(on_redis, tmp_path / "a")
    redis.stop()
    took_s = cancel_takes_s(run)
    assert on_redis.processes_of(run.id) == []
    queued = submit(on_redis, write_script(tmp_path / "b", "print('ran')\n"))
    assert status_of(queued, "Completed", timeout_s=30) == "Completed"
    redis.start()
    cancel_takes_s(going(on_redis, tmp_path / "c"))
    print(f"cancel with a dead Redis: {took_s:.2f} s")


def test_a_broker_that_does_not_answer_delays_nothing_for_long(
    on_redis: Studio, redis: Redis, tmp_path: Path
) -> None:
    run = going(on_redis, tmp_path / "a")
    redis.stop(signal.SIGSTOP)
    try:
        took_s = cancel_takes_s(run)
    finally:
        redis.process.send_signal(signal.SIGCONT)
    print(f"cancel with a stopped Redis: {took_s:.2f} s")
    # A ceiling: without a time-out of its own (3 s) the request would wait until Redis goes on.
    assert took_s < 30
