"""P24: ten times the normal load, slow clients and huge bodies are answered or refused politely;
what was acknowledged is stored, the health page answers, and afterwards all is as before."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from studio.web.gunicorn_worker import HEAD_WITHIN_S
from tests.faults.conftest import Promise
from tests.faults.crowd import Crowd
from tests.faults.trainings import LONG, settles
from tests.live.conftest import show_log
from tests.live.studio import Studio
from tests.waiting import answers, wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

SECONDS = 60 if LONG else 6
N_SLOW = 60  # nearly four times the threads of the web server
POLITE = {200, 201, 204, 413, 429, 503}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = Studio(tmp_path_factory.mktemp("overload")).start()
    yield made
    made.stop()
    show_log(made)


def crowd_of(studio: Studio, times: int) -> Crowd:
    from studio.sdk import Experiment

    run = Experiment(studio.workspace, "overload").start_logging(snapshot_directory=None)
    crowd = Crowd(studio, run)
    crowd.add(2 * times, crowd.log)
    crowd.add(2 * times, crowd.list_runs)
    crowd.add(1, crowd.ask_health)
    return crowd


N_RESTLESS = 48  # half as many again as the threads of two processes


def test_connections_that_never_pause_keep_nobody_waiting(studio: Studio, promise: Promise) -> None:
    """Half as many again as there are threads: each has its turn, and so has a newcomer."""
    promise("P24", "connections that never pause", n=N_RESTLESS)
    from studio.sdk import Experiment

    over = threading.Event()
    n_answers = [0] * N_RESTLESS

    def ask_on(i: int) -> None:
        line = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=30)
        with contextlib.closing(line):
            while not over.is_set():
                line.request("GET", "/api/2.0/mlflow/nothing")
                line.getresponse().read()
                n_answers[i] += 1

    with ThreadPoolExecutor(N_RESTLESS) as pool:
        asking = [pool.submit(ask_on, i) for i in range(N_RESTLESS)]
        try:
            wait_until(lambda: min(n_answers) >= 3, 30, "each connection to be answered")
            with Experiment(studio.workspace, "overload").start_logging(
                snapshot_directory=None
            ) as run:
                assert run.get_status() == "Running"
        finally:
            over.set()
    assert [done.exception() for done in asking] == [None] * N_RESTLESS


def lasts(crowd: Crowd, seconds: float) -> None:
    crowd.over.wait(seconds)
    crowd.stop()


def test_overload_is_answered_politely_and_passes(studio: Studio, promise: Promise) -> None:
    promise("P24", "ten times the load", seconds=SECONDS)
    normal = crowd_of(studio, 1)
    lasts(normal, SECONDS / 4)
    crowd = crowd_of(studio, 10)
    crowd.add(2, crowd.upload)
    lasts(crowd, SECONDS)
    after_s = settles(lambda: is_normal(studio), within_s=30)
    statuses = {status for _, status in crowd.answers}
    print(f"{dict(crowd.answers)}; health {median(crowd.health_s):.2f} s median, "
          f"{max(crowd.health_s):.2f} s at most; normal again after {after_s:.1f} s")  # fmt: skip
    assert statuses <= POLITE, crowd.answers
    assert crowd.without_retry_after == 0
    assert crowd.answers["health", 200] == len(crowd.health_s) > 0
    metrics = crowd.run.get_metrics()
    for name, firsts in crowd.acknowledged.items():
        expected = [float(first + i) for first in firsts for i in range(10)]
        assert metrics[name][: len(expected)] == expected, name
        # The last one may have been stored though its answer came too late to be counted.
        assert len(metrics[name]) - len(expected) in {0, 10}
    crowd.run.complete()


def is_normal(studio: Studio) -> bool:
    """Whether one who asks now is answered at once."""
    began = time.monotonic()
    return answers(f"{studio.url}/healthz") and time.monotonic() - began < 1


def test_clients_that_never_finish_a_request_take_no_thread_from_the_others(
    studio: Studio, promise: Promise
) -> None:
    promise("P24", "clients that never finish a head", n=N_SLOW)
    crowd = crowd_of(studio, 1)
    crowd.add(N_SLOW, crowd.crawl)
    wait_until(lambda: len(crowd.health_s) >= (100 if LONG else 10), 90, "ten answers")
    crowd.stop()
    print(f"beside {N_SLOW} slow clients: health {median(crowd.health_s):.3f} s median, "
          f"{max(crowd.health_s):.2f} s at most")  # fmt: skip
    assert crowd.answers["health", 200] == len(crowd.health_s)
    # A ceiling: behind a slow client one would wait until the door's patience with it is over.
    assert max(crowd.health_s) < HEAD_WITHIN_S
    assert sum(n for (what, status), n in crowd.answers.items() if what == "log") > 0
    crowd.run.complete()
