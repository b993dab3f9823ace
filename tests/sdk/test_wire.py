"""The wire: what is dumped parses back equal; what breaks the contract is refused with its path."""

from __future__ import annotations

import contextlib
import json
import math
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.wire import Batch, FileEntry, RunCreate, Series, TagChange, WireError

ID = "0192d0c4-0000-7000-8000-000000000000"
numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(2**60), 2**60)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=50)


def series(**change: Any) -> dict[str, Any]:
    return {
        "name": "loss",
        "kind": "scalar",
        "steps": None,
        "times": [1.0],
        "values": [0.5],
    } | change


def same(a: list[Any], b: list[Any]) -> bool:
    return all(x == y or (x != x and y != y) for x, y in zip(a, b, strict=True))


@given(st.lists(numbers, min_size=1, max_size=50), st.sampled_from(["scalar", "list"]))
def test_numbers_survive_the_way_over_standard_json(values: list[Any], kind: str) -> None:
    sent = Series("n", kind, [1.0] * len(values), values, list(range(len(values))))
    text = json.dumps(Batch(str(uuid.uuid4()), (sent,)).dump(), allow_nan=False)
    (got,) = Batch.parse(json.loads(text)).metrics
    assert same(got.values, [float(v) for v in values])
    assert got.steps == sent.steps


def test_negative_zero_and_the_largest_double_are_kept() -> None:
    sent = Series("n", "scalar", [1.0] * 3, [-0.0, 1.7976931348623157e308, 5e-324])
    got = Series.parse(json.loads(json.dumps(sent.dump())))
    assert math.copysign(1, got.values[0]) == -1
    assert got.values[1:] == sent.values[1:]


@given(st.dictionaries(texts.filter(bool), texts | st.none(), max_size=5), texts)
def test_a_run_survives_the_way(tags: dict[str, str | None], description: str) -> None:
    sent = RunCreate("abc", "exp", tags=tags, description=description, start=True)
    assert RunCreate.parse(json.loads(json.dumps(sent.dump()))) == sent


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_any_json_is_either_parsed_or_refused_with_a_wire_error(data: Any) -> None:
    for message in (Batch, RunCreate, TagChange, FileEntry):
        with pytest.raises(WireError):
            message.parse([data])
        with contextlib.suppress(WireError):
            message.parse(data if isinstance(data, dict) else {"metrics": data, "batch": data})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"values": [True]}, "metrics[0].values"),
        ({"values": ["0.5"]}, "metrics[0].values"),
        ({"values": [None]}, "metrics[0].values"),
        ({"values": []}, "metrics[0].values"),
        ({"values": [10**400]}, "metrics[0].values"),
        ({"times": []}, "metrics[0].times"),
        ({"times": [float("nan")]}, "metrics[0].times"),
        ({"times": [True]}, "metrics[0].times"),
        ({"times": [-1.0]}, "metrics[0].times"),
        ({"steps": [1.0]}, "metrics[0].steps"),
        ({"steps": [2**63]}, "metrics[0].steps"),
        ({"steps": [1, 2]}, "metrics[0].steps"),
        ({"name": ""}, "metrics[0].name"),
        ({"name": "n" * 256}, "metrics[0].name"),
        ({"name": "a\x00b"}, "metrics[0].name"),
        ({"name": "\ud800"}, "metrics[0].name"),
        ({"kind": "scalars"}, "metrics[0].kind"),
        ({"extra": 1}, "metrics[0].extra"),
        ({"kind": "text", "values": [1.5]}, "metrics[0].values"),
        ({"kind": "table", "values": [{"a": [1]}]}, "metrics[0].values[0].a"),
        ({"kind": "image", "values": [{"path": "../x"}]}, "metrics[0].values[0].path"),
        ({"kind": "residuals", "values": [{}]}, "metrics[0].values[0]"),
    ],
)
def test_a_wrong_series_is_refused_with_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(WireError) as caught:
        Batch.parse({"batch": ID, "metrics": [series(**change)]})
    assert caught.value.path == path


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "a/../b", "..", "a//b", "./a", "a\\b", "a\x00", "x" * 5001]
)
def test_a_path_is_a_relative_label(path: str) -> None:
    with pytest.raises(WireError):
        FileEntry.parse({"path": path, "digest": "0" * 64, "size": 1, "executable": False})


@pytest.mark.parametrize(
    "change",
    [
        {"uid": "a/b"},
        {"uid": "x" * 257},
        {"experiment": "two words"},
        {"experiment": "a\n"},
        {"start": 1},
        {"max_run_duration_s": True},
        {"parent": ""},
        {"status": "Completed"},
        {"submit": {"snapshot": "s"}},
        {"submit": {"snapshot": "s", "script": "a.py", "command": ["ls"]}},
        {"submit": {"snapshot": "s", "script": "../a.py"}},
        {"tags": {"": "x"}},
        {"properties": {"a": None}},
        {"description": "x" * 100_001},
    ],
)
def test_a_wrong_run_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        RunCreate.parse({"uid": "abc", "experiment": "exp"} | change)


def test_more_than_100_000_points_are_refused() -> None:
    big = series(times=[1.0] * 60_000, values=[1.0] * 60_000)
    with pytest.raises(WireError, match="100000"):
        Batch.parse({"batch": ID, "metrics": [big, big]})
