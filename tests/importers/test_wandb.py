"""What W&B leaves on a disk becomes runs. `make_wandb.py` says how the real log was made."""

import json
import math
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from studio.importers.records import RunRecord, Unreadable
from studio.importers.wandb_runs import WandbRuns
from studio.wire.measures import read_name

REAL = Path(__file__).with_name("wandb-0.31.0")
# As make_wandb.py, with x_stats_sampling_interval=1, x_disable_meta and the host "node-7".
MEASURED = Path(__file__).with_name("wandb-0.31.0-measured")


def read(root: Path) -> list[RunRecord | Unreadable]:
    found = list(WandbRuns(root).read())
    assert WandbRuns(root).count() == len(found)
    return found


def only(root: Path) -> RunRecord:
    (found,) = read(root)
    assert isinstance(found, RunRecord), found
    return found


def points(record: RunRecord) -> dict[str, list[tuple[int, Any]]]:
    found: dict[str, list[tuple[int, Any]]] = {}
    for piece in record.points():
        assert not isinstance(piece, Unreadable)
        rows = zip(piece.steps, piece.values, strict=True)
        found.setdefault(f"{piece.kind} {piece.name}", []).extend(rows)
    return found


def test_the_log_of_an_offline_run_is_read() -> None:
    run = only(REAL)
    assert (run.name, run.experiment, run.status) == ("small-resnet", "vision", "Failed")
    assert run.origin == "wandb:vision/pjfcf106"
    assert run.tags == {"baseline": None, "x": None}
    assert run.description == "first *try*"
    assert run.parameters == {"lr": "0.1", "opt.name": "adam", "opt.betas": "[0.9, 0.999]"}
    assert run.properties["wandb.run_group"] == "sweep"
    assert run.properties["wandb.exit_code"] == "3"
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.started_at < run.ended_at
    assert run.problems == ("Values that have no place here were left out: weights.",)
    found = points(run)
    assert found["scalar loss"] == [(step * 10, 1 / (step + 1)) for step in range(6)]
    assert [step for step, _ in found["scalar nested.a"]] == [0, 10, 20, 30, 40, 50]
    assert math.isnan(found["scalar acc"][3][1])
    assert found["text phase"][0] == (0, "warm")
    assert found["scalar best"] == [(50, 0.5)]
    files = {file.path: file for file in run.files() if not isinstance(file, Unreadable)}
    assert files["logs/output.txt"].open().read() == b"hello log\n"
    assert found["image img"] == [
        (50, {"path": next(path for path in files if path.endswith(".png"))})
    ]


def test_samples_of_the_machine_are_those_that_monitoring_shows() -> None:
    run = only(MEASURED)
    assert not run.problems
    found = {name: rows for name, rows in points(run).items() if "system/" in name}
    groups = {}
    for name in found:
        reading = read_name(name.removeprefix("scalar "))
        assert reading is not None
        assert reading.host == "node-7"
        if reading.measure:
            groups[reading.measure.key] = reading.measure.group
    assert groups == {
        "cpu": "cpu_share",
        "proc.memory.rssMB": "memory",
        "proc.memory.availableMB": "memory",
        "proc.memory.percent": "memory_share",
        "memory_percent": "memory_share",
        "disk./.usagePercent": "disk_share",
        "network.recv": "network_total",
        "network.sent": "network_total",
    }
    steps = [step for step, _ in found["scalar system/node-7/proc.memory.rssMB"]]
    assert len(steps) >= 3
    assert steps == sorted(steps)
    assert 0 <= steps[0] <= steps[-1] < 60


def test_damage_keeps_what_is_before_and_a_live_log_is_no_problem(tmp_path: Path) -> None:
    (log,) = REAL.glob("*/*.wandb")
    data = log.read_bytes()
    damaged = bytearray(data)
    damaged[4_000] ^= 1
    ways = {"live": data[:3_000], "damaged": bytes(damaged), "head": b"no log", "empty": b""}
    for name, content in ways.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run-a.wandb").write_bytes(content)
    for name, n_problems in (("live", 0), ("damaged", 1)):
        run = only(tmp_path / name)
        assert run.status == "Running"
        assert len(run.problems) == n_problems, run.problems
        assert 0 < len(points(run)["scalar loss"]) < 6
    for name in ("head", "empty"):
        (told,) = read(tmp_path / name)
        assert told == Unreadable("run-a.wandb", f"{name}: run-a.wandb is no log of W&B.")


def test_a_run_that_was_resumed_is_one_run(tmp_path: Path) -> None:
    (folder,) = REAL.glob("offline-run-*")
    for name in ("offline-run-20260101_000000-pjfcf106", "offline-run-20260102_000000-pjfcf106"):
        shutil.copytree(folder, tmp_path / name)

    assert len(points(only(tmp_path))["scalar loss"]) == 12


def test_exported_histories_are_read(tmp_path: Path) -> None:
    rows = [
        {"_step": 0, "_timestamp": 1714564800.0, "loss": 1.0, "note": "a"},
        {"_step": 5, "_timestamp": 1714564810.5, "loss": 0.5, "note": None},
    ]
    for name in ("lines", "table", "columns"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"lr": {"value": 0.1}, "opt": "adam"}')
        (tmp_path / name / "summary.json").write_text('{"loss": 0.5, "best": 0.25, "_step": 5}')
    (tmp_path / "lines/history.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "columns/history.parquet")
    (tmp_path / "table/history.csv").write_text(
        "_step,_timestamp,loss,note\n0,1714564800.0,1.0,a\n5,1714564810.5,0.5,\n"
    )
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/history.jsonl").write_text("[1]\n")
    broken, *found = read(tmp_path)

    assert broken == Unreadable("broken", "history.jsonl can't be read: a line is no object.")
    assert [run.name for run in found if isinstance(run, RunRecord)] == [
        "columns",
        "lines",
        "table",
    ]
    for run in found:
        assert isinstance(run, RunRecord)
        assert run.experiment == tmp_path.name
        assert run.parameters == {"lr": "0.1", "opt": "adam"}
        assert run.started_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
        assert points(run) == {
            "scalar loss": [(0, 1.0), (5, 0.5)],
            "text note": [(0, "a")],
            "scalar best": [(5, 0.25)],
        }, run.name
