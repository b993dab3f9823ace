"""TensorBoard's logs become runs, whoever wrote them and however they end."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.proto.tensor_pb2 import TensorProto
from tensorboardX.record_writer import RecordWriter

from studio.importers.records import RunRecord, Unreadable
from studio.importers.tensorboard import TensorBoard

FLOAT, DOUBLE, INT64, STRING, HALF = 1, 2, 9, 7, 19


def runs(root: Path) -> dict[str, RunRecord]:
    found = list(TensorBoard(root).read())
    assert all(isinstance(one, RunRecord) for one in found), found
    assert TensorBoard(root).count() == len(found)
    return {one.name: one for one in found if isinstance(one, RunRecord)}


def points(record: RunRecord) -> dict[str, list[tuple[int, float, Any]]]:
    found: dict[str, list[tuple[int, float, Any]]] = {}
    for piece in record.points():
        rows = zip(piece.steps, piece.times, piece.values, strict=True)
        found.setdefault(f"{piece.kind} {piece.name}", []).extend(rows)
    return found


def tensor_event(tag: str, plugin: str, tensor: TensorProto, *, step: int = 0) -> Event:
    """As TensorFlow 2 writes it."""
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin))
    value = Summary.Value(tag=tag, tensor=tensor, metadata=metadata)
    return Event(wall_time=1_700_000_000.5, step=step, summary=Summary(value=[value]))


def write(path: Path, *events: Event | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = RecordWriter(str(path))
    for event in events:
        writer.write(event if isinstance(event, bytes) else event.SerializeToString())
    writer.close()
    return path


def test_each_folder_with_event_files_is_a_run(tmp_path: Path) -> None:
    root = tmp_path / "My sweep!"
    for name, rate in (("a", 0.1), ("b/train", 0.2)):
        with SummaryWriter(str(root / name)) as writer:
            for step in range(3):
                writer.add_scalar("loss", rate * step, step * 2**40, walltime=1_700_000_000 + step)
            writer.add_scalar("loss", math.nan, 7, walltime=1_700_000_003)
            writer.add_text("notes", "**hello**", 1, walltime=1_700_000_004)
            writer.add_histogram("weights", np.arange(5), 1)
            writer.add_image("digit/one", np.zeros((3, 4, 4), np.uint8), 5)
    found = runs(root)

    assert list(found) == ["a", "b/train"]
    one = found["a"]
    assert one.experiment == "My sweep!"
    assert one.status == "Completed"
    assert one.started_at is not None
    assert one.ended_at is not None
    assert one.started_at <= one.ended_at
    logged = points(one)
    steps = [(step, time) for step, time, _ in logged["scalar loss"]]
    assert steps == [(0, 1.7e9), (2**40, 1.7e9 + 1), (2**41, 1.7e9 + 2), (7, 1.7e9 + 3)]
    assert math.isnan(logged["scalar loss"][3][2])
    assert logged["text notes"] == [(1, 1.7e9 + 4, "**hello**")]
    (file,) = one.files()
    assert logged["image digit/one"][0][2] == {"path": file.path}
    assert file.path == "images/digit/one_5_0.png"
    with file.open() as stream:
        data = stream.read()
    assert len(data) == file.n_bytes
    assert Image.open(io.BytesIO(data)).size == (4, 4)
    assert one.problems == (
        "Values that have no place here were left out: 1 of the kind histogram.",
    )


def test_the_origin_stays_when_the_logs_are_moved_and_grow(tmp_path: Path) -> None:
    root = tmp_path / "logs"
    with SummaryWriter(str(root / "x" / "one")) as writer:
        writer.add_scalar("loss", 1.0, 1)
    before = runs(root)["x/one"].origin
    with SummaryWriter(str(root / "x" / "one"), filename_suffix=".z") as writer:
        writer.add_scalar("loss", 1.0, 2)
    moved = root.rename(tmp_path / "elsewhere")

    assert runs(moved / "x")["one"].origin == before
    assert len(points(runs(moved)["x/one"])["scalar loss"]) == 2


def test_hyperparameters_are_parameters(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        asked = {"lr": 0.1, "layers": 3, "opt": "adam", "nesterov": True}
        writer.add_hparams(asked, {"hparam/accuracy": 0.9}, name="trial")
    trial = runs(tmp_path)["trial"]

    wanted = {"lr": "0.1", "layers": "3", "opt": "adam", "nesterov": "True"}
    assert trial.parameters == wanted
    assert [value for _, _, value in points(trial)["scalar hparam/accuracy"]] == [
        pytest.approx(0.9)
    ]


def test_what_tensorflow_2_writes_is_read(tmp_path: Path) -> None:
    scalars = {
        "single": TensorProto(dtype=FLOAT, tensor_content=np.float32(0.25).tobytes()),
        "double": TensorProto(dtype=DOUBLE, double_val=[1e300]),
        "whole": TensorProto(dtype=INT64, int64_val=[-(2**62)]),
        "half": TensorProto(dtype=HALF, half_val=[int(np.float16(1.5).view(np.uint16))]),
    }
    events = [tensor_event(tag, "scalars", tensor) for tag, tensor in scalars.items()]
    later = Summary.Value(tag="single", tensor=TensorProto(dtype=FLOAT, float_val=[0.5]))
    png = b"\x89PNG and more"
    events += [
        # The plugin is said with the first value of a tag only.
        Event(wall_time=math.nan, step=9, summary=Summary(value=[later])),
        tensor_event("words", "text", TensorProto(dtype=STRING, string_val=[b"one", b"\xff"])),
        tensor_event("pic", "images", TensorProto(dtype=STRING, string_val=[b"4", b"4", png])),
        tensor_event("curve", "pr_curves", TensorProto(dtype=FLOAT, float_val=[1, 2])),
    ]
    write(tmp_path / "train" / "events.out.tfevents.1.host.1.0.v2", *events)
    record = runs(tmp_path)["train"]
    logged = points(record)

    found = {name.split()[1]: rows[0][2] for name, rows in logged.items() if "scalar" in name}
    assert found == {"single": 0.25, "double": 1e300, "whole": -(2.0**62), "half": 1.5}
    # A time that is none is that of the value before.
    assert logged["scalar single"][1] == (9, 1_700_000_000.5, 0.5)
    assert logged["text words"][0][2] == "one\n\ufffd"
    (image,) = record.files()
    assert image.open().read() == png
    assert "pr_curves" in record.problems[0]


def test_a_live_file_is_no_problem_and_a_damaged_one_keeps_what_is_before(tmp_path: Path) -> None:
    def scalar(step: int) -> Event:
        value = Summary.Value(tag="loss", simple_value=step)
        return Event(wall_time=1.7e9, step=step, summary=Summary(value=[value]))

    whole = write(tmp_path / "whole" / "events.out.tfevents.1", *map(scalar, range(1, 4)))
    data = whole.read_bytes()
    size = len(data) // 3
    damaged = bytearray(data)
    damaged[size + 15] ^= 1
    huge = b"\xff" * 8 + data[size + 8 :]
    ways = {
        "live": (data[:-3], [1, 2], 0),
        "cut": (data[: size + 5], [1], 0),
        "damaged": (bytes(damaged), [1], 1),
        "long": (data[:size] + huge, [1], 1),
    }
    for name, (content, _, _) in ways.items():
        file = tmp_path / name / "events.out.tfevents.1"
        file.parent.mkdir()
        file.write_bytes(content)
    # A true checksum of bytes that are no message.
    write(tmp_path / "strange" / "events.out.tfevents.1", scalar(1), b"\xff\xff\xff")
    ways["strange"] = (b"", [1], 1)
    found = runs(tmp_path)

    for name, (_, steps, n_problems) in ways.items():
        logged = points(found[name])["scalar loss"]
        assert [step for step, _, _ in logged] == steps, name
        assert len(found[name].problems) == n_problems, name
    assert f"byte {size:,}" in found["damaged"].problems[0]


def test_what_is_no_log_is_told(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("words", b"these are no events at all")):
        file = tmp_path / name / "events.out.tfevents.1"
        file.parent.mkdir()
        file.write_bytes(content)
    (tmp_path / "link.tfevents").symlink_to("/etc/passwd")
    found = list(TensorBoard(tmp_path).read())

    assert [type(one) for one in found] == [Unreadable, Unreadable]
    assert {one.place: one.why for one in found if isinstance(one, Unreadable)} == {
        "empty": "It has no event.",
        "words": "events.out.tfevents.1: the record at byte 0 is damaged; "
        "what follows was left out.",
    }
