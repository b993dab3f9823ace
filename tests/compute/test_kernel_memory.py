"""Where the kernel counts the processes it ended for want of memory, and the proof that comes of
it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.compute.kernel_memory import MACHINE, Account, Watch, accounts_in, counted
from studio.compute.launcher import read_status
from tests.compute.test_guard import Run, end_of, run

__all__ = ["run"]

V1 = "36 31 0:33 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
V1_CONTAINER = "36 31 0:33 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory"
V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
OTHER = "36 31 0:34 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"
GROUP_V1 = "/sys/fs/cgroup/memory"


@pytest.mark.parametrize(
    ("groups", "mounts", "counters"),
    [
        ("4:memory:/jobs/7\n0::/", f"{OTHER}\n{V1}", [f"{GROUP_V1}/jobs/7/memory.oom_control"]),
        ("4:memory:/\n", V1, [f"{GROUP_V1}/memory.oom_control"]),
        ("4:memory:/docker/ab", V1_CONTAINER, [f"{GROUP_V1}/memory.oom_control"]),
        ("4:cpu,memory:/x", V1.replace("rw,memory", "rw,cpu,memory"), [
            f"{GROUP_V1}/x/memory.oom_control"
        ]),
        ("0::/user.slice/a", V2, ["/sys/fs/cgroup/user.slice/a/memory.events"]),
        ("1:cpu:/", OTHER, []),
        ("", "", []),
    ],
)  # fmt: skip
def test_the_group_of_a_process_is_found(groups: str, mounts: str, counters: list[str]) -> None:
    assert [account.counter_file for account in accounts_in(groups, mounts)] == counters


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("low 0\noom 2\noom_kill 3\n", 3),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", 0),
        ("oom_kill_disable 0\n", None),
        ("oom_kill many\n", None),
        ("", None),
    ],
)
def test_the_counter_is_read_or_nobody_knows(text: str, n: int | None) -> None:
    assert counted(text) == n


def test_what_rises_is_told_from_what_rose_before(tmp_path: Path) -> None:
    counter, limit = tmp_path / "memory.events", tmp_path / "memory.max"
    counter.write_text("oom_kill 5\n")
    limit.write_text("max\n")
    account = Account(str(counter), "group", str(limit))
    watch = Watch(account)
    assert (watch.rose_since_look(), watch.n_since_start()) == (False, 0)
    counter.write_text("oom_kill 6\n")
    assert (watch.rose_since_look(), watch.n_since_start()) == (True, 1)
    watch.look()
    assert (watch.rose_since_look(), watch.n_since_start()) == (False, 1)
    assert account.limit_bytes() is None
    limit.write_text("4096\n")
    assert account.limit_bytes() == 4096
    counter.unlink()
    assert (watch.rose_since_look(), watch.n_since_start()) == (None, None)


@pytest.fixture
def small_group() -> Iterator[str]:
    """The processes file of a group with 60 MB; "" where none can be made."""
    base = Path(MACHINE.counter_file if os.geteuid() else GROUP_V1)
    folder = base / f"studio-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text("60000000")
        (folder / "memory.swappiness").write_text("0")
    except OSError:
        yield ""
        return
    yield str(folder / "cgroup.procs")
    folder.rmdir()


GROW = "held = []\nwhile True:\n    held.append(bytearray(1 << 20))\n"


def test_a_process_that_the_kernel_ended_for_want_of_memory_is_told_from_a_kill(
    run: Run, small_group: str, tmp_path: Path
) -> None:
    killed = end_of(run("import os; os.kill(os.getpid(), 9)"))
    assert (killed.exit_signal, killed.reason) == (9, None)
    assert killed.memory_kill_at_end is not True
    if not small_group:
        return
    # The guard joins the group, and its script with it.
    launch = (
        "import os, sys; from pathlib import Path; from studio.compute import launcher;"
        f" Path({small_group!r}).write_text(str(os.getpid()));"
        f" spec = launcher.LaunchSpec('oom', [sys.executable, '-c', {GROW!r}], Path('/tmp'), {{}},"
        f" Path({str(tmp_path / 'oom')!r}));"
        " handle = launcher.launch(spec); handle.wait(30); handle.close()"
    )
    subprocess.run([sys.executable, "-c", launch], check=True, timeout=60)
    ended = read_status(tmp_path / "oom" / "status.json")
    assert ended is not None
    assert (ended.exit_signal, ended.memory_kill_at_end) == (9, True), ended
    assert (ended.n_memory_kills, ended.memory_scope) == (1, "group")
    assert ended.memory_limit_bytes is not None
    assert 30_000_000 < ended.peak_bytes <= ended.memory_limit_bytes < 70_000_000
