"""What the SDK lets through, the studio takes: of a refused batch all points would be lost."""

from __future__ import annotations

import contextlib
import fractions
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from studio.api.body import read_body
from studio.sdk import UserErrorException
from studio.sdk.client import Client
from studio.sdk.metrics import Metrics
from studio.sdk.records import Channel, Point, Post, pack
from studio.wire import Batch

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
# With NUL and halves of surrogate pairs.
texts = st.text(st.characters(exclude_categories=()), max_size=5)
names = texts | st.sampled_from(["loss", "\0", "a\0b", "\ud800", "n" * 255, "n" * 256, "é" * 256])
integers = st.integers() | st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**400])
scalars = (
    st.none()
    | st.booleans()
    | integers
    | st.floats()
    | texts
    | st.sampled_from([np.float32(1), np.int64(3), np.str_("\0"), fractions.Fraction(10**400)])
)
arrays = st.sampled_from([np.array([1.5, np.nan]), np.array(["\0", "b"]), np.array([[1], [2]])])
anything = st.recursive(
    scalars | arrays,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
steps = st.none() | integers | st.sampled_from([1.0, 1e300, np.int64(7), "3"])
columns = st.dictionaries(texts, scalars, max_size=4) | st.integers(199, 202).map(
    lambda n: dict.fromkeys(map(str, range(n)), 1.0)
)
tables = st.dictionaries(texts, st.lists(scalars, min_size=2, max_size=2), max_size=3) | columns
residuals = st.dictionaries(texts, anything, max_size=2).map(
    lambda more: {**more, "bin_edges": [0, 1], "bin_counts": np.array([2])}
)
calls = st.lists(
    st.one_of(
        st.tuples(st.just("log"), names, scalars, st.just(""), steps),
        st.tuples(st.just("log_list"), names, st.lists(scalars, max_size=3)),
        st.tuples(st.just("log_row"), names, columns),
        st.tuples(st.just("log_table"), names, tables),
        st.tuples(st.just("log_residuals"), names, residuals | anything),
        st.tuples(st.just("log_image"), names, steps),
    ),
    max_size=6,
)


class Kept(Metrics):
    """What a run would hand to the sender."""

    def __init__(self) -> None:
        self._channel = Channel(Client("http://studio.invalid", "default", "secret"), "a-run")
        self.records: list[Point | Post] = []

    def _put(self, record: Point | Post) -> None:
        self.records.append(record)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    path.write_bytes(PNG)
    return path


def ask(run: Kept, picture: Path, call: tuple[Any, ...]) -> None:
    what, name, *rest = call
    if what == "log_row":
        # `self` and `name` are no columns.
        run.log_row(name, "", **{f"c{key}": value for key, value in rest[0].items()})
    elif what == "log_image":
        run.log_image(name, picture, step=rest[0])
    else:
        getattr(run, what)(name, *rest)


@given(calls)
def test_the_studio_takes_every_batch_of_what_the_sdk_let_through(
    picture: Path, made: list[tuple[Any, ...]]
) -> None:
    run = Kept()
    for call in made:
        with contextlib.suppress(UserErrorException):
            ask(run, picture, call)
    n_points = 0
    for _, request in pack(run.records):
        if request.path.endswith("/batches"):
            body = RequestFactory().post("/", request.body, content_type="application/json")
            n_points += read_body(body, Batch).n_points
    assert n_points == sum(isinstance(record, Point) for record in run.records)


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (("log", "x", 1, "", 2**63), "64 bits"),
        (("log", "x", 1, "", -(10**400)), "64 bits"),
        (("log", "x", 1, "", 1e300), "64 bits"),
        (("log_row", "x", dict.fromkeys(map(str, range(201)), 1)), "at most 200 columns, not 201"),
        (("log_table", "x", dict.fromkeys(map(str, range(201)), 1)), "at most 200 columns"),
    ],
)
def test_what_the_studio_would_refuse_is_refused_at_once(
    picture: Path, call: tuple[Any, ...], hint: str
) -> None:
    run = Kept()
    with pytest.raises(UserErrorException, match=hint):
        ask(run, picture, call)
    assert not run.records


def test_a_name_is_made_storable() -> None:
    run = Kept()
    run.log("a\0b", 1.0)
    run.log("a\ud800", 1.0)
    assert [record.name for record in run.records if isinstance(record, Point)] == ["a�b", "a?"]
