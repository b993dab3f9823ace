"""Faults between training and studio: acknowledged is stored, nothing is doubled, order is kept."""

from __future__ import annotations

import json
import os
import pickle
import signal
import threading
from pathlib import Path

import pytest

from studio.sdk import Experiment, Workspace
from studio.sdk.records import batch_id
from studio.sdk.spool import Request, Spool, orphans
from studio.sdk.sync import SyncReport, sync
from studio.wire import Batch, Series
from tests.sdk.conftest import Training
from tests.sdk.fake_server import FakeStudio
from tests.sdk.fake_store import Fault, counts_of
from tests.waiting import wait_until

LOOP = """
    import time
    with exp.start_logging(snapshot_directory=None) as run:
        for i in range(3000):
            run.log("i", i)
            if i % 500 == 0:
                run.flush(20)
"""


@pytest.mark.parametrize("kind", ["503", "500", "429", "408", "drop", "reset"])
def test_a_fault_neither_loses_nor_doubles_a_point(
    studio: FakeStudio, training: Training, kind: str
) -> None:
    studio.faults = [Fault(kind), Fault(kind)]
    done = training.run(LOOP)
    assert done.returncode == 0, done.stderr
    record = studio.run()
    assert record["status"] == "Completed"
    assert studio.values(record["uid"], "i") == list(range(3000))
    assert studio.store.n_duplicates >= (2 if kind == "reset" else 0)
    assert not studio.faults


def test_a_slow_studio_does_not_slow_the_caller(experiment: Experiment, studio: FakeStudio) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        studio.faults = [Fault("slow", seconds=1.5)]
        run.log("x", 0)
        wait_until(lambda: not studio.faults)
        for i in range(1, 1000):
            run.log("x", i)
        n_arrived = len(studio.values(run.id, "x"))
    assert n_arrived <= 1, "the caller waited until the held-up batch had arrived"
    assert studio.values(run.id, "x") == list(range(1000))


def test_a_studio_that_is_away_loses_nothing(studio: FakeStudio, training: Training) -> None:
    process = training.start(
        """
        import time
        with exp.start_logging(snapshot_directory=None) as run:
            for i in range(200):
                run.log("i", i)
                time.sleep(0.02)
        """
    )
    wait_until(lambda: studio.store.points)
    studio.stop()
    spool = Path(os.environ["STUDIO_SPOOL_DIR"])
    wait_until(lambda: any(file.stat().st_size for file in spool.glob("*.spool")))
    studio.start()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    record = studio.run()
    assert studio.values(record["uid"], "i") == list(range(200))
    assert record["status"] == "Completed"
    assert "kept on disk" in errors
    assert not list(spool.glob("*.spool"))


def test_a_studio_away_for_good_leaves_a_spool_that_the_next_process_sends(
    studio: FakeStudio, training: Training
) -> None:
    process = training.start(
        """
        import sys
        import studio.sdk.run as r
        r.END_FLUSH_S = r.END_RETRY_S = 0.5
        with exp.start_logging(snapshot_directory=None) as run:
            run.log("i", 0)
            run.flush()
            print("ready", flush=True)
            sys.stdin.readline()
            for i in range(1, 5000):
                run.log("i", i)
        """
    )
    wait_until(lambda: studio.store.points)
    studio.stop()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "studio.sdk.sync" in errors
    (record,) = studio.store.runs.values()
    assert record["status"] == "Running"
    studio.start()
    done = training.run("exp.start_logging(snapshot_directory=None).complete()")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: record["status"] == "Completed")
    assert studio.values(record["uid"], "i") == list(range(5000))


def test_sync_sends_what_was_left_and_leaves_other_studios_alone(
    experiment: Experiment, studio: FakeStudio, private_spool: Path
) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        run.log("x", 0)
    series = Series("x", "scalar", [1.0, 2.0], [1.0, 2.0])
    for url in (studio.url, "http://elsewhere:1"):
        spool = Spool()
        body = json.dumps(Batch(batch_id(), (series,)).dump()).encode()
        spool.append(Request(f"/runs/{run.id}/batches", body, "POST", url, "default", 2))
        spool.append(Request("/runs/unknown/complete", b"{}", "POST", url, "default"))
        assert spool.path is not None
        assert spool.path.stat().st_mode & 0o777 == 0o600
        spool.abandon()
    assert sync(experiment._client) == SyncReport(n_sent=1, n_refused=1, n_left=2)
    assert sync(experiment._client) == SyncReport(n_sent=0, n_refused=0, n_left=2)
    assert studio.values(run.id, "x") == [0, 1, 2]
    assert len(list(private_spool.glob("*.spool"))) == 1


@pytest.mark.parametrize(
    "after",
    [
        "exp.start_logging(snapshot_directory=None).complete()",
        "run = exp.workspace.get_run({uid!r}); run.log('more', 1); run.flush()",
    ],
)
def test_kill_9_of_training_keeps_what_was_spooled(
    studio: FakeStudio, training: Training, after: str
) -> None:
    process = training.start(
        """
        import time
        run = exp.start_logging(snapshot_directory=None)
        run.log("i", 0)
        run.flush()
        i = 0
        while True:
            i += 1
            run.log("i", i)
            time.sleep(0.001)
        """
    )
    wait_until(lambda: studio.store.points)
    studio.stop()
    spool = Path(os.environ["STUDIO_SPOOL_DIR"])
    wait_until(lambda: sum(file.stat().st_size for file in spool.glob("*.spool")) > 20_000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (file,) = spool.glob("*.spool")
    with file.open("ab") as torn:
        torn.write(b"\x10\x00\x00\x00")
    studio.start()
    uid = studio.run()["uid"]
    before = len(studio.values(uid, "i"))
    done = training.run(after.format(uid=uid))
    assert done.returncode == 0, done.stderr
    stored = studio.values(uid, "i")
    assert len(stored) > before
    assert stored == list(range(len(stored)))


def test_threads_of_one_run_lose_nothing(experiment: Experiment, studio: FakeStudio) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:

        def work(n: int) -> None:
            for i in range(5000):
                run.log(f"thread{n}", i)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for n in range(4):
        assert studio.values(run.id, f"thread{n}") == list(range(5000))


@pytest.mark.parametrize("how", ["fork", "multiprocessing"])
def test_a_forked_child_logs_to_the_run_and_does_not_end_it(
    studio: FakeStudio, training: Training, how: str
) -> None:
    code = {
        "fork": """
            import os, sys
            with exp.start_logging(snapshot_directory=None) as run:
                run.log("parent", 0)
                pid = os.fork()
                if pid == 0:
                    for i in range(100):
                        run.log("child", i)
                    sys.exit(0)
                os.waitpid(pid, 0)
                run.log("parent", 1)
        """,
        "multiprocessing": """
            import multiprocessing
            def work(run):
                for i in range(100):
                    run.log("child", i)
            with exp.start_logging(snapshot_directory=None) as run:
                run.log("parent", 0)
                process = multiprocessing.get_context("fork").Process(target=work, args=(run,))
                process.start()
                process.join()
                run.log("parent", 1)
        """,
    }[how]
    done = training.run(code)
    assert done.returncode == 0, done.stderr
    record = studio.run()
    assert record["status"] == "Completed"
    assert studio.values(record["uid"], "parent") == [0, 1]
    assert studio.values(record["uid"], "child") == list(range(100))
    ends = [path for _, path in studio.store.requests if path.endswith(("complete", "canceled"))]
    assert len(ends) == 1


def test_a_refused_batch_is_put_aside_and_told_once(
    experiment: Experiment,
    studio: FakeStudio,
    private_spool: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        studio.faults = [Fault("422")]
        run.log("x", 1)
        run.flush()
        run.log("x", 2)
        run.flush()
        wait_until(lambda: any(uid == run.id for uid, _ in studio.store.heartbeats))
    assert studio.values(run.id, "x") == [2]
    assert counts_of(studio, run.id) == [1]
    assert list(private_spool.glob("*.dead"))
    assert "refused" in caplog.text


def test_a_full_disk_drops_and_counts_but_never_raises(
    experiment: Experiment, studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.sdk.spool.MOST_BYTES", 10)
    with experiment.start_logging(snapshot_directory=None) as run:
        studio.faults = [Fault("503", retry_after="1")]
        run.log("x", 1)
        wait_until(lambda: run._channel.n_dropped)
        wait_until(lambda: studio.store.heartbeats)
    assert counts_of(studio, run.id) == [1]


def test_the_spool_gives_back_every_record_and_ignores_a_torn_one(tmp_path: Path) -> None:
    spool = Spool()
    requests = [Request("/p", bytes([i]) * i, "POST", "u", "w", i) for i in range(200)]
    for request in requests:
        spool.append(request)
    path = spool.path
    assert path is not None
    assert Spool.adopt(path) is None, "a live process's spool was taken"
    size = path.stat().st_size
    os.truncate(path, size - 3)
    spool.abandon()
    found = Spool.adopt(path)
    assert found is not None
    assert list(found.pending()) == requests[:-1]
    found.close()
    assert not path.exists()


def test_a_spool_is_never_taken_before_it_is_locked() -> None:
    is_over = threading.Event()

    def take() -> None:
        while not is_over.is_set():
            for spool in orphans():
                spool.close()

    takers = [threading.Thread(target=take) for _ in range(2)]
    for taker in takers:
        taker.start()
    try:
        for i in range(300):
            spool = Spool()
            spool.append(Request(f"/{i}", b"x"))
            assert spool.path is not None
            assert spool.path.exists(), f"spool {i} was removed while it was made"
            assert [request.path for request in spool.pending()] == [f"/{i}"]
            spool.close()
    finally:
        is_over.set()
        for taker in takers:
            taker.join()


def test_what_could_not_be_sent_in_time_moves_to_the_spools_of_the_machine(
    studio: FakeStudio, private_spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from studio.sdk import sync as module

    monkeypatch.setenv("STUDIO_SPOOL_DIR", str(tmp_path / "of the run"))
    spool = Spool()
    spool.append(Request("/runs/x/complete", b"{}", "POST", studio.url, "default"))
    spool.abandon()
    monkeypatch.setenv("STUDIO_SPOOL_DIR", str(private_spool))
    for name, value in {"URL": studio.url, "TOKEN": "secret", "WORKSPACE": "default"}.items():
        monkeypatch.setenv(f"STUDIO_{name}", value)
    studio.stop()
    assert module.main([str(tmp_path / "of the run"), "0"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["n_sent"], told["n_left"], told["kept_in"]) == (0, 1, str(private_spool))
    assert list((tmp_path / "of the run").iterdir()) == []
    assert len(list(private_spool.glob("*.spool"))) == 1
    studio.start()
    assert module.main([str(private_spool), "5"]) == 0, "refused for good: nothing waits"
    told = json.loads(capsys.readouterr().out)
    assert (told["n_left"], told["n_refused"], told["n_points_refused"]) == (0, 1, 0)
    assert "no run" in told["why_refused"]


def test_a_pickle_of_a_run_holds_no_token_and_finds_it_again(
    experiment: Experiment, studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with experiment.start_logging(snapshot_directory=None, outputs=False) as run:
        data = pickle.dumps(run)
        assert b"secret" not in data
        assert pickle.loads(data)._client.token == ""
        monkeypatch.setenv("STUDIO_TOKEN", "secret")
        again = pickle.loads(data)
        assert again == run
        again.log("x", 1)
    assert studio.values(run.id, "x") == [1]


def test_a_damaged_byte_ends_the_replay_there(tmp_path: Path) -> None:
    spool = Spool()
    for i in range(3):
        spool.append(Request(f"/{i}", b"x" * 50))
    path = spool.path
    assert path is not None
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    assert [request.path for request in spool.pending()] == ["/0"]
    assert spool.n_records == 0


def test_a_studio_that_is_down_does_not_hold_up_the_runs_of_another(
    experiment: Experiment, studio: FakeStudio
) -> None:
    with FakeStudio() as other:
        there = Experiment(Workspace("default", url=other.url, token="secret"), "trials")
        away = there.start_logging(snapshot_directory=None)
        other.stop()
        away.log("x", 1)
        with experiment.start_logging(snapshot_directory=None) as run:
            run.log("x", 1)
            wait_until(lambda: studio.values(run.id, "x") == [1])
            other.start()
            assert run.flush(20)
            away.complete()
        assert other.values(away.id, "x") == [1]


def test_points_after_a_lost_log_end_still_arrive(
    experiment: Experiment, studio: FakeStudio
) -> None:
    with experiment.start_logging(snapshot_directory=None) as run:
        print("first line")
        run.flush()
        with studio.lock:
            del studio.store.logs[run.id, "logs/output.txt"][3:]
        print("second line")
        run.flush()
        print("third line")
    log = studio.store.logs[run.id, "logs/output.txt"]
    assert bytes(log) == b"firsecond line\nthird line\n"
