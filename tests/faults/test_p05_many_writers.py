"""P5: processes and threads log to one run at once, and the web server dies meanwhile."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.amount import form
from tests.faults.conftest import Promise
from tests.faults.programs import Program, balance
from tests.live.conftest import show_log
from tests.live.studio import Studio
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

N_PROCESSES, N_THREADS = 4, 8

# The process that starts the run, two forked from it and one spawned. Values are distinct; a thread
# whose flush is answered says so.
WRITERS = """
import multiprocessing, os, sys, threading, time
from studio.sdk import Experiment, Workspace

N_THREADS, N = int(sys.argv[1]), int(sys.argv[2])

def thread(run, first):
    for i in range(first, first + N):
        run.log("shared", float(i), step=i)
        if i % 25 == 0:
            time.sleep(0.2)
    if run.flush(100):
        os.write(1, f"{first}\\n".encode())

def process(run, number):
    firsts = [(number * N_THREADS + k) * N for k in range(N_THREADS)]
    threads = [threading.Thread(target=thread, args=(run, first)) for first in firsts]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    run.log("last words", float(number), step=number)

if __name__ == "__main__":
    experiment = Experiment(Workspace.from_config(), "writers")
    with experiment.start_logging(snapshot_directory=None, outputs=False) as run:
        run.log("first word", 1.0)
        os.write(1, f"{run.id}\\n".encode())
        forked = os.fork()
        if forked == 0:
            process(run, 1)
            sys.exit(0)
        children = [
            multiprocessing.get_context(how).Process(target=process, args=(run, number))
            for number, how in ((2, "fork"), (3, "spawn"))
        ]
        for child in children:
            child.start()
        process(run, 0)
        for child in children:
            child.join()
        assert [child.exitcode for child in children] == [0, 0]
        assert os.waitpid(forked, 0)[1] == 0
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = Studio(tmp_path_factory.mktemp("writers")).start()
    yield made
    made.stop()
    show_log(made)


def test_many_processes_and_threads_of_one_run_lose_and_double_nothing(
    studio: Studio, tmp_path: Path, promise: Promise
) -> None:
    n = form(150, 5_000)
    n_points = N_PROCESSES * N_THREADS * n
    promise("P5", "many processes and threads, one run", n=n_points)
    program = Program(studio, tmp_path, WRITERS, N_THREADS, n)
    wait_until(lambda: program.words(), 30, "the run")
    wait_until(lambda: program.run.get_metrics("shared"), 30, "the first points")
    for process in studio.child("web").children():
        process.send_signal(signal.SIGKILL)
    program.ended(0)
    run, firsts = program.run, [int(word) for word in program.words()[1:]]
    assert len(firsts) == N_PROCESSES * N_THREADS
    acknowledged = {float(i) for first in firsts for i in range(first, first + n)}
    attempted = {float(i) for i in range(n_points)}
    found = run.get_metrics()
    assert balance(found["shared"], acknowledged=acknowledged, attempted=attempted) == n_points
    # Put last, after the flushes: what a process ends with is sent at its exit.
    assert sorted(found["last words"]) == [0.0, 1.0, 2.0, 3.0]
    assert found["first word"] == [1.0], "a forked process sent what its parent had queued"
    assert run.get_status() == "Completed"
    assert program.spooled_bytes() == 0
