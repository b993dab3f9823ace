"""Real scripts under real guards: every way to end one, and nothing left behind."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.compute import launcher
from studio.compute.guard_files import Log, StatusFile
from studio.compute.launcher import GuardHandle, GuardStatus, LaunchSpec
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., GuardHandle]
READY = "\nimport pathlib, time\npathlib.Path('ready').touch()\n"
SLEEP = READY + "time.sleep(600)\n"
IGNORE = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
IGNORE_BOTH = IGNORE + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
# A child, a grandchild in its own session, a daemon, and one with an empty environment too.
TREE = """
import os, subprocess, sys
STUBBORN = (
    "import os, signal, sys, time\\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n"
    "open(f'member-{os.getpid()}', 'w').close()\\ntime.sleep(600)\\n"
)
start = lambda **options: subprocess.Popen([sys.executable, "-S", "-c", STUBBORN], **options)
start()
start(start_new_session=True)
for environment in (None, {}):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            start(env=environment)
        os._exit(0)
"""
N_TREE = 4


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts Python source under a guard in tmp_path/work; ends what is left."""
    handles: list[GuardHandle] = []

    def start(source: str = "", **changes: Any) -> GuardHandle:
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        known: dict[str, Any] = {
            "run_key": "test", "argv": [sys.executable, "-S", "-u", "-c", source], "cwd": work,
            "env": dict(os.environ), "folder": tmp_path / "guard", "grace_s": 20,
            "kill_after_s": 0.3,
        }  # fmt: skip
        handles.append(launcher.launch(LaunchSpec(**{**known, **changes})))
        return handles[-1]

    yield start
    for handle in handles:
        handle.close()
        handle.process.kill()
        handle.process.wait()
        handle.sweep()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_ready(handle: GuardHandle) -> int:
    """The script's pid, once it says it is ready."""
    wait_until((handle.spec.cwd / "ready").exists, message="the script to be ready")
    status = handle.status()
    assert status is not None
    assert status.pid is not None
    assert is_alive(status.pid)
    return status.pid


def members_of(handle: GuardHandle, count: int = N_TREE) -> list[int]:
    """The pids of the tree, once `count` have reported."""

    def reported() -> list[int] | None:
        found = [int(path.name.split("-")[1]) for path in handle.spec.cwd.glob("member-*")]
        return found if len(found) == count else None

    return wait_until(reported, message="all members of the tree") or []


def end_of(handle: GuardHandle, timeout_s: float = 10) -> GuardStatus:
    """The final status; the guard left cleanly and nothing carries the cookie any more."""
    assert handle.wait(timeout_s), f"guard still busy: {handle.status()}"
    assert (handle.spec.folder / "guard.log").read_text() == ""
    assert handle.poll() == 0
    assert launcher.find_members(handle.cookie) == set()
    status = handle.status()
    assert status is not None
    assert status.is_over
    return status


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_and_the_output_are_kept(run: Run, code: int) -> None:
    handle = run(f"import sys; print('out'); print('err', file=sys.stderr); sys.exit({code})")
    status = end_of(handle)
    assert (status.exit_code, status.exit_signal, status.reason) == (code, None, None)
    assert handle.log_file.read_text() == "out\nerr\n"
    assert (status.n_log_bytes, status.n_dropped_bytes, status.killed) == (8, 0, False)
    assert status.started_at
    assert status.ended_at
    assert status.ended_at >= status.started_at


def test_a_script_that_dies_of_a_signal_is_reported_with_it(run: Run) -> None:
    status = end_of(run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    assert (status.exit_code, status.exit_signal) == (None, signal.SIGSEGV)


def test_a_cooperative_script_is_interrupted_and_may_tidy_up(run: Run) -> None:
    handle = run(f"try:{SLEEP.replace(chr(10), chr(10) + ' ')}\nexcept KeyboardInterrupt:\n"
                 " print('saved'); raise SystemExit(7)")  # fmt: skip
    pid = wait_ready(handle)
    asked_at = time.monotonic()
    assert handle.cancel()
    assert handle.cancel()
    status = end_of(handle)
    assert time.monotonic() - asked_at < 2
    assert (status.reason, status.exit_code, status.killed) == ("cancel", 7, False)
    assert handle.log_file.read_text() == "saved\n"
    assert not is_alive(pid)
    assert not handle.cancel(), "a guard that is gone can't be told"


def test_a_script_is_interrupted_even_when_the_worker_ignores_sigint(run: Run) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        handle = run(SLEEP)
    finally:
        signal.signal(signal.SIGINT, before)
    wait_ready(handle)
    handle.cancel()
    assert end_of(handle).exit_signal in (None, signal.SIGINT)


@pytest.mark.parametrize(
    ("source", "number", "killed", "least_s"),
    [(IGNORE, signal.SIGTERM, False, 0.4), (IGNORE_BOTH, signal.SIGKILL, True, 0.7)],
)
def test_a_stubborn_script_climbs_the_ladder(
    run: Run, source: str, number: int, killed: bool, least_s: float
) -> None:
    handle = run(source + SLEEP, grace_s=0.4)
    pid = wait_ready(handle)
    asked_at = time.monotonic()
    handle.cancel()
    status = end_of(handle)
    assert least_s <= time.monotonic() - asked_at < least_s + 2
    assert (status.reason, status.exit_signal, status.killed) == ("cancel", number, killed)
    assert not is_alive(pid)


def test_kill_now_does_not_wait_for_the_grace_time(run: Run) -> None:
    handle = run(IGNORE_BOTH + SLEEP)
    wait_ready(handle)
    handle.cancel()
    handle.kill()
    status = end_of(handle, timeout_s=3)
    assert (status.reason, status.exit_signal, status.killed) == ("cancel", signal.SIGKILL, True)


def test_cancel_ends_the_whole_tree(run: Run) -> None:
    handle = run(TREE + SLEEP, grace_s=0.3)
    members = [wait_ready(handle), *members_of(handle)]
    handle.cancel()
    end_of(handle)
    assert [pid for pid in members if is_alive(pid)] == []


def test_what_a_successful_script_leaves_behind_is_ended_and_it_stays_a_success(run: Run) -> None:
    handle = run(TREE + "import glob, time\nwhile len(glob.glob('member-*')) < 4: time.sleep(.01)")
    members = members_of(handle)
    status = end_of(handle)
    assert (status.exit_code, status.reason, status.killed) == (0, None, False)
    assert [pid for pid in members if is_alive(pid)] == []


def test_a_sweep_by_cookie_ends_what_a_killed_guard_left(run: Run) -> None:
    source = TREE.replace("(None, {})", "(None, None)")  # an empty environment hides from a sweep
    handle = run(source + SLEEP)
    members = [wait_ready(handle), *members_of(handle)]
    handle.process.kill()
    assert handle.wait(5)
    assert handle.poll() == -signal.SIGKILL
    assert all(is_alive(pid) for pid in members)
    assert handle.sweep() == len(members)
    assert [pid for pid in members if is_alive(pid)] == []
    status = handle.status()
    assert status is not None
    assert not status.is_over


def test_the_tree_is_gone_when_the_worker_is_killed(tmp_path: Path) -> None:
    spec = {"argv": [sys.executable, "-S", "-c", TREE + SLEEP], "cwd": str(tmp_path)}
    worker_source = (
        "import json, os, sys, time\nfrom pathlib import Path\n"
        "from studio.compute.launcher import *\nspec = json.loads(sys.argv[1])\n"
        "spec['cwd'] = Path(spec['cwd'])\n"
        "handle = launch(LaunchSpec('lost', **spec, env=dict(os.environ),"
        " folder=spec['cwd'] / 'guard', kill_after_s=0.3))\ntime.sleep(600)"
    )
    command = [sys.executable, "-c", worker_source, json.dumps(spec)]
    worker = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until((tmp_path / "ready").exists)
        wait_until(lambda: len(list(tmp_path.glob("member-*"))) == N_TREE)
        members = [int(path.name.split("-")[1]) for path in tmp_path.glob("member-*")]
    finally:
        worker.kill()
        worker.wait()

    def final() -> GuardStatus | None:
        status = launcher.read_status(tmp_path / "guard" / launcher.STATUS_FILE)
        return status if status and status.is_over else None

    status = wait_until(final, 5, "the guard to finish alone")
    assert status
    assert (status.reason, status.exit_signal) == ("worker_lost", signal.SIGTERM)
    assert [pid for pid in [*members, status.pid or 0] if is_alive(pid)] == []
    wait_until(lambda: not is_alive(status.guard_pid or 0), message="the guard to leave")


def test_closing_the_handle_lets_go_of_the_run(run: Run) -> None:
    handle = run(SLEEP)
    wait_ready(handle)
    handle.close()
    assert end_of(handle).reason == "worker_lost"


def test_sigterm_to_the_guard_is_a_cancel_and_sigint_is_nothing(run: Run) -> None:
    handle = run(SLEEP)
    wait_ready(handle)
    handle.process.send_signal(signal.SIGINT)
    handle.process.send_signal(signal.SIGTERM)
    status = end_of(handle)
    assert (status.reason, status.exit_code or status.exit_signal) == ("sigterm", signal.SIGINT)


@pytest.mark.parametrize("changes", [{"argv": ["/no/such/python"]}, {"cwd": Path("/no/such/dir")}])
def test_a_script_that_can_not_start_is_reported(run: Run, changes: dict[str, Any]) -> None:
    handle = run(**changes)
    status = end_of(handle)
    assert (status.exit_code, status.pid, status.killed) == (127, None, False)
    assert status.error
    assert "no/such" in status.error
    assert handle.log_file.read_text().startswith("[studio] could not start")


def test_two_runs_end_independently(run: Run, tmp_path: Path) -> None:
    first, second = run(SLEEP), run(SLEEP, folder=tmp_path / "second")
    wait_ready(first)
    first.close()
    assert end_of(first).reason == "worker_lost"
    status = wait_until(second.status)
    assert status
    assert not status.is_over
    second.kill()
    end_of(second)


def test_two_hundred_megabytes_of_output_arrive_whole(run: Run) -> None:
    handle = run("import os\nfor n in range(200): os.write(1, bytes([n]) * (1 << 20))")
    status = end_of(handle, timeout_s=30)
    assert (status.exit_code, status.n_dropped_bytes) == (0, 0)
    assert status.n_log_bytes == handle.log_file.stat().st_size >= 190 << 20


def test_a_log_that_may_not_grow_costs_output_not_the_run(run: Run) -> None:
    source = "import os\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
    handle = run("import time\n" + READY + source + "os.write(1, b'x' * (3 << 20)); os._exit(4)")
    wait_ready(handle)
    limits = resource.prlimit(handle.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(handle.process.pid, resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    (handle.spec.cwd / "go").touch()
    status = end_of(handle)
    assert (status.exit_code, status.log_error) == (4, "File too large")
    assert (status.n_log_bytes, status.n_dropped_bytes) == (1 << 20, 2 << 20)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB; mounting takes root, as CI is."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_costs_output_not_the_run(run: Run, small_disk: Path) -> None:
    source = (
        "import os, pathlib, time\nfor n in range(5): os.write(1, b'x' * (1 << 20))\n"
        "pathlib.Path('full').touch()\n"
        "while not pathlib.Path('space').exists(): time.sleep(0.01)\nos.write(1, b'after\\n')\n"
    )
    # Log and status share the full disk.
    filler = small_disk / "filler"
    filler.write_bytes(b"f" * 400_000)
    handle = run(source, folder=small_disk / "guard")
    wait_until((handle.spec.cwd / "full").exists, message="the script to have written all")

    def told() -> GuardStatus | None:
        status = handle.status()
        return status if status and status.log_error else None

    status = wait_until(told, 5, "the status to tell")
    assert status
    assert status.log_error == "No space left on device"
    assert status.n_dropped_bytes > 0
    filler.unlink()
    (handle.spec.cwd / "space").touch()
    status = end_of(handle)
    assert status.exit_code == 0
    assert status.n_log_bytes + status.n_dropped_bytes == 5 * (1 << 20) + 6
    last = handle.log_file.read_bytes().split(b"\n")[-3:]
    lost = f"[studio] {status.n_dropped_bytes} bytes of output lost: disk full"
    assert last == [lost.encode(), b"after", b""]


def test_the_end_is_still_recorded_on_a_full_disk(run: Run, small_disk: Path) -> None:
    handle = run("import os\nfor n in range(5): os.write(1, b'x' * (1 << 20))\nraise SystemExit(5)",
                 folder=small_disk / "guard")  # fmt: skip
    status = end_of(handle)
    assert (status.exit_code, status.log_error) == (5, "No space left on device")
    assert shutil.disk_usage(small_disk).free < 64 * 1024


def test_the_status_keeps_its_space_on_a_disk_that_is_being_filled(small_disk: Path) -> None:
    status = StatusFile(str(small_disk / "status.json"))
    status.save({"n": 0})
    output = Log(str(small_disk / "log.txt"))
    is_over = threading.Event()

    def fill() -> None:
        while not is_over.is_set():
            output.write(b"x" * (1 << 16))

    filler = threading.Thread(target=fill)
    filler.start()
    try:
        for n in range(1, 500):
            status.save({"n": n})
            assert status.is_saved, f"the {n}th change is lost"
            assert json.loads((small_disk / "status.json").read_text()) == {"n": n}
    finally:
        is_over.set()
        filler.join()
    assert output.error == "No space left on device"


def test_cancel_of_a_cooperative_script_is_quick(run: Run, tmp_path: Path) -> None:
    times = []
    for index in range(5):
        (tmp_path / "work" / "ready").unlink(missing_ok=True)
        handle = run(SLEEP, folder=tmp_path / f"guard{index}")
        pid = wait_ready(handle)
        asked_at = time.monotonic()
        handle.cancel()
        wait_until(lambda pid=pid: not is_alive(pid), every_s=0.002)  # type: ignore[misc]
        times.append(time.monotonic() - asked_at)
        end_of(handle)
    assert sorted(times)[2] < 0.5
