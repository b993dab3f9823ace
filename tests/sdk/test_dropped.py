"""What is lost is counted on its run, by whichever process lost it or finds it lost."""

from __future__ import annotations

import json
from pathlib import Path

from studio.sdk import Experiment
from studio.sdk.records import batch_id
from studio.sdk.spool import Request, Spool
from studio.sdk.sync import sync
from studio.wire import Batch, Series
from tests.sdk.conftest import Training
from tests.sdk.fake_server import FakeStudio
from tests.sdk.fake_store import Fault, counts_of
from tests.waiting import wait_until


def test_each_process_tells_its_own_count(studio: FakeStudio, training: Training) -> None:
    studio.faults = [Fault("422", path="batches"), Fault("422", path="batches")]
    done = training.run(
        """
        import os, sys
        with exp.start_logging(snapshot_directory=None) as run:
            run.log_list("parent", [1, 2, 3])
            run.flush()
            pid = os.fork()
            if pid == 0:
                run.log_list("child", [1, 2])
                sys.exit(0)
            os.waitpid(pid, 0)
        """
    )
    assert done.returncode == 0, done.stderr
    assert sorted(counts_of(studio, studio.run()["uid"])) == [2, 3]


def test_what_was_dropped_is_told_though_the_process_ends_first(
    studio: FakeStudio, training: Training, private_spool: Path
) -> None:
    process = training.start(
        """
        import sys
        import studio.sdk.run as r
        import studio.sdk.spool as s
        r.END_FLUSH_S = r.END_RETRY_S = 0.5
        s.MOST_BYTES = 10
        with exp.start_logging(snapshot_directory=None) as run:
            run.log("i", 0)
            run.flush()
            print("ready", flush=True)
            sys.stdin.readline()
            run.log_list("i", [1, 2, 3])
        """
    )
    wait_until(lambda: studio.store.points)
    studio.stop()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert list(private_spool.glob("*.spool"))
    studio.start()
    done = training.run("exp.start_logging(snapshot_directory=None).complete()")
    assert done.returncode == 0, done.stderr
    uid = next(iter(studio.store.runs))
    wait_until(lambda: counts_of(studio, uid))
    # And what the console said.
    assert counts_of(studio, uid)[0] >= 3


def test_a_run_that_ends_with_the_loss_tells_it(experiment: Experiment, studio: FakeStudio) -> None:
    studio.faults = [Fault("422", path="batches")]
    with experiment.start_logging(snapshot_directory=None) as run:
        run.log("x", 1)
    wait_until(lambda: counts_of(studio, run.id) == [1])


def test_what_sync_finds_refused_is_counted(experiment: Experiment, studio: FakeStudio) -> None:
    uid = left_behind(experiment, studio)
    studio.faults = [Fault("422", path="batches"), Fault("422", path="batches")]
    assert sync(experiment._client).n_refused == 2
    assert counts_of(studio, uid) == [4]


def test_what_a_later_process_finds_refused_is_counted(
    experiment: Experiment, studio: FakeStudio, training: Training
) -> None:
    uid = left_behind(experiment, studio)
    studio.faults = [Fault("422", path=f"{uid}/batches"), Fault("422", path=f"{uid}/batches")]
    process = training.start(
        """
        run = exp.start_logging(snapshot_directory=None)
        input()
        run.complete()
        """
    )
    wait_until(lambda: counts_of(studio, uid) == [4])
    process.communicate("\n", timeout=30)


def left_behind(experiment: Experiment, studio: FakeStudio) -> str:
    """A run, of which a dead process left two batches of two points each."""
    with experiment.start_logging(snapshot_directory=None) as run:
        run.log("x", 0)
    spool = Spool()
    for _ in range(2):
        series = Series("x", "scalar", [1.0, 2.0], [1.0, 2.0])
        body = json.dumps(Batch(batch_id(), (series,)).dump()).encode()
        spool.append(Request(f"/runs/{run.id}/batches", body, "POST", studio.url, "default", 2))
    spool.abandon()
    return run.id
