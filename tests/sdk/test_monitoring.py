"""What a process uses of its machine: read from real processes, and sent with a run of the SDK."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.wire.measures import MAX_HOST, MEASURES, host_name, name_of, read_name
from studio.wire.sampling import Sample, open_sampler, this_host
from tests.sdk.conftest import ROOT, Training
from tests.sdk.fake_server import FakeStudio
from tests.waiting import wait_until

MB = 1 << 20
# A child that holds memory, whose own child burns a core and writes to the disk.
BURNING = f"""
import subprocess, sys
held = bytearray({150 * MB})
subprocess.run([sys.executable, "-c", '''
import os
import re
with open("burnt", "wb") as file:
    while True:
        sum(range(200_000)); file.write(b"x" * {MB}); file.seek(0)
'''])
"""


@pytest.fixture
def burning(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", BURNING], cwd=tmp_path, start_new_session=True
    )
    yield process
    os.killpg(process.pid, 9)
    process.wait()


def test_a_tree_of_processes_is_measured_as_one(
    burning: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    sampler = open_sampler(burning.pid, folder=str(tmp_path))
    assert sampler is not None
    first = sampler.sample()
    assert first["cpu_count"] == os.cpu_count()
    assert "cpu_percent" not in first
    seen: list[Sample] = []

    def is_burning() -> bool:
        seen.append(sampler.sample())
        return seen[-1].get("cpu_percent", 0) > 10 and seen[-1]["process_count"] == 2

    wait_until(is_burning, 30, "the child's child to burn", every_s=0.3)
    found = seen[-1]
    assert 150 * MB < found["memory_bytes"] < found["host_memory_used_bytes"]
    assert found["cpu_percent"] <= found["host_cpu_percent"] + 20 <= 100 * first["cpu_count"] + 20
    assert found["disk_free_bytes"] > 0
    assert "cpu_count" not in found


def test_what_ended_between_two_samples_counts_and_what_ended_before_harms_nothing() -> None:
    # Its own child does all the work, and is gone before the second sample.
    work = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'sum(range(9_000_000))'])"
    code = f"input()\n{work}\nprint('done', flush=True)\ninput()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    sampler = open_sampler(process.pid, folder="/nowhere", with_root=False)
    assert sampler is not None
    assert process.stdin is not None
    assert process.stdout is not None
    sampler.sample()
    print(file=process.stdin, flush=True)
    process.stdout.readline()
    found = sampler.sample()
    assert found["cpu_percent"] > 0
    assert (found["process_count"], found["memory_bytes"]) == (0, 0)
    process.communicate("\n")
    assert sampler.sample()["cpu_percent"] == 0


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gpu-7.example.org", "gpu-7.example.org"),
        ("a/b\n\0\ud800c", "a_b___c"),
        (" ", "unnamed"),
        ("x" * 300, "x" * MAX_HOST),
    ],
)
def test_any_host_makes_a_name_that_reads_back(text: str, name: str) -> None:
    assert host_name(text) == name
    found = read_name(name_of(host_name(text), "gpu/3/power_watts"))
    assert found is not None
    assert (found.host, found.words) == (name, "GPU 3")


RUN = """
with exp.start_logging(snapshot_directory=None) as run:
    run.log("loss", 1)
    assert run.get_metrics() == {"loss": [1.0]}, run.get_metrics()
"""


def systems(studio: FakeStudio) -> set[str]:
    return {name for _, name in studio.store.points if name.startswith("system/")}


def test_an_interactive_run_sends_what_its_process_uses(
    studio: FakeStudio, training: Training
) -> None:
    training.environment["STUDIO_MONITOR"] = "1"
    done = training.run(RUN)
    assert done.returncode == 0, done.stderr
    keys = ("memory_bytes", "process_count", "host_memory_total_bytes", "disk_free_bytes")
    assert {name_of(this_host(), key) for key in keys} <= systems(studio)
    uid = studio.run()["uid"]
    (memory, *_) = studio.values(uid, name_of(this_host(), "memory_bytes"))
    assert memory > 10 * MB


@pytest.mark.parametrize(
    ("setting", "head"), [("0", ""), ("1", "import sys\nsys.modules['psutil'] = None\n")]
)
def test_a_run_without_psutil_or_that_wants_none_sends_no_samples(
    setting: str, head: str, studio: FakeStudio, training: Training
) -> None:
    training.environment["STUDIO_MONITOR"] = setting
    done = training.run(head + RUN)
    assert (done.returncode, done.stderr) == (0, "")
    assert systems(studio) == set()


def test_a_fork_samples_nothing_and_a_machine_that_cannot_be_read_is_told_once(
    studio: FakeStudio, training: Training
) -> None:
    training.environment["STUDIO_MONITOR"] = "1"
    done = training.run(
        """
        import os, psutil
        with exp.start_logging(snapshot_directory=None) as run:
            run.flush()
            if os.fork() == 0:
                psutil.virtual_memory = None
                run.log("child", 1)
                run.flush()
                os._exit(0)
            os.wait()
            psutil.virtual_memory = None
            run._channel.monitor._due_s = 0
            for i in range(3):
                run.log("parent", i)
                run.flush()
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no more samples of this machine") == 1
    uid = studio.run()["uid"]
    assert studio.values(uid, "parent") == [0, 1, 2]
    assert studio.values(uid, "child") == [1]
    assert studio.values(uid, name_of(this_host(), "memory_bytes"))


def test_the_docs_name_every_key_with_its_unit() -> None:
    rows = re.findall(
        r"^\| `(.+?)` \| (\S+?),? .*\|$",
        (ROOT / "docs" / "monitoring.md").read_text(),
        re.MULTILINE,
    )
    ours = MEASURES[: next(i for i, one in enumerate(MEASURES) if one.key == "gpu_count") + 1]
    told = {key.replace("<n>", "{gpu}"): unit.replace("–", "") for key, unit in rows}
    assert told == {one.key: one.unit for one in ours}


# A driver with two devices, of which the second tells its name alone.
DRIVER = """
class NVMLError(Exception): pass
NVML_TEMPERATURE_GPU = 0
class Of:
    def __init__(self, **facts): self.__dict__.update(facts)
def nvmlInit(): pass
def nvmlDeviceGetCount(): return 2
def nvmlDeviceGetHandleByIndex(i): return i
def nvmlDeviceGetName(device): return [b"A100", "H100"][device]
def first(device, found):
    if device: raise NVMLError()
    return found
def nvmlDeviceGetUtilizationRates(device): return first(device, Of(gpu=87))
def nvmlDeviceGetMemoryInfo(device): return first(device, Of(used=2, total=8))
def nvmlDeviceGetPowerUsage(device): return first(device, 250_000)
def nvmlDeviceGetTemperature(device, what): return first(device, 61)
"""


def test_gpus_are_told_by_name_and_use(tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text(DRIVER)
    asked = "import json; from studio.wire.sampling import gpus_now; print(json.dumps(gpus_now()))"
    told = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        check=True,
    )
    first, second = json.loads(told.stdout)
    assert first == {
        "name": "A100",
        "memory_bytes": 8.0,
        "memory_used_bytes": 2.0,
        "utilization_percent": 87.0,
        "power_watts": 250.0,
        "temperature_celsius": 61.0,
    }
    assert second == {"name": "H100"}
