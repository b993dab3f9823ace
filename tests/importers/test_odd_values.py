"""What no calendar has and no float holds costs that value, and never an import."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.tensor_pb2 import TensorProto

from studio.importers.growth import Growth
from studio.importers.mlflow_folder import open_folder
from studio.importers.mlflow_server import _piece
from studio.importers.records import Points, RunRecord, Unreadable
from studio.importers.sources import SourceOptions
from studio.importers.tensorboard import TensorBoard
from studio.importers.wandb_runs import WandbRuns
from studio.runs.limits import Invalid
from tests.importers import made_mlruns, made_wandb
from tests.importers.test_tensorboard import points, runs, tensor_event, write

HUGE = "1" + "0" * 400
DEEP, ENDLESS = '{"a":' * 500 + "1" + "}" * 500, "[" * 100_000
UINT8 = 4


def only(root: Path) -> RunRecord:
    (found,) = WandbRuns(root).read()
    assert isinstance(found, RunRecord), found
    return found


def test_wandb_times_and_numbers(tmp_path: Path) -> None:
    made = made_wandb.record
    log = made_wandb.write(
        tmp_path / "log",
        made(run={"project": "vision"}, start_s=2**62),
        made(config={"lr": "0.1", "big": HUGE, "deep": DEEP, "no": "{"}),
        made(history={"loss": 1.0, "_timestamp": 1_714_564_800}),
        made(history={"loss": HUGE, "_timestamp": HUGE, "deep": DEEP, "no": ENDLESS, "ok": 2}),
        made(history={"loss": 0.5, "_step": HUGE}),
        made(sample_s=2**63 - 1),
        made(runtime_s=2**62),
    )
    run = only(log)
    found = points(run)

    assert run.started_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert run.ended_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert (run.parameters["lr"], run.parameters["big"]) == ("0.1", HUGE)
    assert [value for _, _, value in found["scalar loss"]] == [1.0, 0.5]
    assert [value for _, _, value in found["scalar ok"]] == [2.0]
    assert sum("cpu" in name for name in found) == 1
    assert run.problems == (
        "Values that have no place here were left out: deep" + ".a" * 49 + ", loss, no.",
    )


def test_exported_histories_of_wandb(tmp_path: Path) -> None:
    files = {
        "huge/history.jsonl": f'{{"loss": {HUGE}, "_timestamp": {HUGE}, "_step": {HUGE}}}\n'
        '{"loss": 1, "_timestamp": 1714564800, "_step": 1}\n',
        "deep/history.jsonl": '{"a":' * 100_000 + "\n",
        "deep config/history.jsonl": '{"loss": 1}\n',
        "deep config/config.json": ENDLESS,
        "long/history.csv": "loss\n" + "9" * 1_200_000 + "\n",
        "odd/history.csv": "_step,_timestamp,loss\nnan,1e999,inf\n-inf,nan,1_0\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    found = list(WandbRuns(tmp_path).read())
    told = {one.place: one.why for one in found if isinstance(one, Unreadable)}
    read = {one.name: points(one) for one in found if isinstance(one, RunRecord)}

    assert told.keys() == {"deep", "deep config", "long"}
    assert "nested too deep" in told["deep"]
    assert [value for _, _, value in read["huge"]["scalar loss"]] == [1.0]
    assert math.isinf(read["odd"]["scalar loss"][0][2])


def test_tensors_of_tensorboard_that_hold_what_their_type_can_not(tmp_path: Path) -> None:
    write(
        tmp_path / "a" / "events.out.tfevents.1",
        tensor_event("byte", "scalars", TensorProto(dtype=UINT8, int_val=[300])),
        tensor_event("half", "scalars", TensorProto(dtype=19, half_val=[-1])),
        tensor_event("good", "scalars", TensorProto(dtype=UINT8, int_val=[3])),
    )

    assert points(runs(tmp_path)["a"]).keys() == {"scalar good"}
    assert TensorBoard(tmp_path).count() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("start_time", "9" * 5_000), ("artifact_uri", "http://[x"), ("end_time", "-" + "9" * 30)],
)
def test_a_meta_of_mlflow_costs_its_run_at_most(tmp_path: Path, name: str, value: str) -> None:
    root = made_mlruns.folder(tmp_path / "mlruns")
    meta = root / "1" / made_mlruns.RUNS[0] / "meta.yaml"
    lines = [line for line in meta.read_text().splitlines() if not line.startswith(name)]
    meta.write_text("\n".join([*lines, f"{name}: {value}", ""]))
    with open_folder(root, SourceOptions()) as reader:
        found = list(reader.read())

    assert sum(isinstance(one, RunRecord) for one in found) >= 2
    assert len(found) == 3


@pytest.mark.parametrize(
    "point",
    [{"step": None}, {"step": math.inf}, {"timestamp": 10**400}, {"value": 10**400}, "no point"],
)
def test_a_point_of_an_mlflow_server_that_is_none(point: Any) -> None:
    with pytest.raises(ValueError, match="a point of “loss” is none"):
        _piece("loss", [{"step": 1, "timestamp": 1, "value": 1}, point])


@pytest.mark.parametrize("time", [math.nan, math.inf, 1e18])
def test_a_point_after_the_last_year_is_refused(time: float) -> None:
    with pytest.raises(Invalid, match="no time"):
        Growth({}).new_of(Points("loss", [0], [time], [1.0]))
