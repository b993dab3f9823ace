"""Two machines serve one target: cancels reach the right one, and what a lost one held is told."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.faults.conftest import Promise
from tests.faults.hosts import Host, bridge, reachable, studio_for_hosts, two_hosts
from tests.faults.trainings import moves
from tests.live.conftest import show_log
from tests.live.faults import Redis
from tests.live.studio import Studio, status_of, write_script
from tests.live.test_main_job import log_of, submit
from tests.postgres import SERVER, address_of, database_of_its_own
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

TARGET = "gpu"
# Lines: a second's. Without network it prints for four seconds and more.
MOST_ON_ITS_WAY = 20
SCRIPT = """
import os, socket, sys, time
print("host", socket.gethostname(), flush=True)
while not os.path.exists(sys.argv[1]):
    print("tick", flush=True)
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("hosts")
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(bridge())
        database = stack.enter_context(database_of_its_own())
        server = urlsplit(SERVER)
        port = stack.enter_context(reachable(server.hostname or "", server.port or 5432))
        redis = Redis(folder)
        stack.callback(redis.stop)
        redis_port = stack.enter_context(reachable("127.0.0.1", redis.port))
        made = studio_for_hosts(
            folder / "studio",
            postgres=address_of(database, at=(address, port)),
            redis=f"redis://{address}:{redis_port}/0",
            address=address,
        ).start()
        stack.callback(made.stop)
        yield made
        show_log(made)


@pytest.fixture(scope="module")
def hosts(studio: Studio) -> Iterator[tuple[Host, Host]]:
    with two_hosts(studio, TARGET) as made:
        yield made
        for host in made:
            print(host.name, host.log.read_text()[-3000:])


class Job:
    """A run on the target, until `finish`."""

    def __init__(self, studio: Studio, folder: Path) -> None:
        self.end = folder / "end"
        source = write_script(folder / "src", SCRIPT)
        self.run: Any = submit(studio, source, arguments=[str(self.end)], compute_target=TARGET)

    def host(self) -> str:
        """The name of the machine on which it runs, as the script sees it."""
        wait_until(lambda: "tick" in log_of(self.run), 120, "the script to begin")
        return log_of(self.run).split()[1]

    def pids(self, host: Host) -> list[int]:
        """Its processes on that machine."""
        return [pid for pid in host.pids() if run_of(pid) == self.run.id]

    def finish(self) -> None:
        self.end.touch()
        assert status_of(self.run, timeout_s=60) == "Completed"


def run_of(pid: int) -> str | None:
    try:
        return psutil.Process(pid).environ().get("STUDIO_RUN_ID")
    except psutil.Error:
        return None


def one_on_each(studio: Studio, folder: Path, hosts: tuple[Host, Host]) -> list[Job]:
    """Two jobs, in the order of the machines that run them."""
    jobs = {job.host(): job for job in (Job(studio, folder / "1"), Job(studio, folder / "2"))}
    return [jobs[host.name] for host in hosts]


def test_a_cancel_reaches_the_machine_that_runs_it(
    studio: Studio, hosts: tuple[Host, Host], tmp_path: Path, promise: Promise
) -> None:
    promise("two machines: a cancel reaches")
    on_alpha, on_beta = one_on_each(studio, tmp_path, hosts)
    began = time.monotonic()
    on_beta.run.cancel()
    assert status_of(on_beta.run, "Canceled", timeout_s=20) == "Canceled"
    print(f"cancel on another machine: {time.monotonic() - began:.2f} s")
    assert on_beta.pids(hosts[1]) == []
    assert on_alpha.pids(hosts[0])
    assert on_alpha.run.get_status() == "Running"
    on_alpha.finish()


def test_a_machine_without_network_loses_its_run_and_writes_nothing_when_it_is_back(
    studio: Studio, hosts: tuple[Host, Host], tmp_path: Path, promise: Promise
) -> None:
    promise("two machines: a cable pulled")
    alpha = hosts[0]
    on_alpha, on_beta = one_on_each(studio, tmp_path, hosts)
    alpha.pull_cable()
    try:
        assert status_of(on_alpha.run, "Failed", timeout_s=120) == "Failed"
        log = log_of(on_alpha.run)
        assert on_alpha.pids(alpha), "nobody could end it yet"
    finally:
        alpha.plug_cable_in()
    began = time.monotonic()
    wait_until(lambda: on_alpha.pids(alpha) == [], 120, "the lost process to be ended")
    print(f"ended {time.monotonic() - began:.1f} s after the network was back")
    assert on_alpha.run.get_status() == "Failed"
    assert moves(on_alpha.run).count("Failed") == 1
    # What was on its way when the cable was pulled may arrive: a fifth of a second's output, not
    # that of all the time without network.
    late = log_of(on_alpha.run).removeprefix(log)
    assert late == "tick\n" * (len(late) // 5)
    assert len(late) // 5 <= MOST_ON_ITS_WAY
    assert on_beta.run.get_status() == "Running"
    on_beta.finish()


def test_what_a_dead_machine_ran_is_told_and_what_waited_runs_on_the_other(
    studio: Studio, hosts: tuple[Host, Host], tmp_path: Path, promise: Promise
) -> None:
    promise("two machines: one dies")
    on_alpha, on_beta = one_on_each(studio, tmp_path, hosts)
    waiting = Job(studio, tmp_path / "waiting")
    assert waiting.run.get_status() == "Queued"
    hosts[0].die()
    began = time.monotonic()
    assert status_of(on_alpha.run, "Failed", timeout_s=120) == "Failed"
    print(f"a dead machine's run closed after {time.monotonic() - began:.1f} s")
    error = str(on_alpha.run.get_details()["error"])
    assert "last heard from" in error
    assert "tick" in error
    on_beta.finish()
    assert waiting.host() == "beta"
    waiting.finish()
