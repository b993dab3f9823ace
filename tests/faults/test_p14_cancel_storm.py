"""P14: many cancels at once all end, once each, and other pages go on answering meanwhile."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import storm
from tests.faults.conftest import Promise

pytestmark = [pytest.mark.live, pytest.mark.faults]

LONG = os.environ.get("STUDIO_FAULTS") == "long"
N_RUNNING, N_QUEUED = (50, 950) if LONG else (4, 36)
MOST_S = 60.0
MOST_TIMES_SLOWER = 2.0


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with storm.studio_for(tmp_path_factory.mktemp("storm") / "studio", N_RUNNING) as found:
        yield found


@pytest.mark.parametrize("way", storm.WAYS)
def test_all_that_are_cancelled_at_once_end_once(way: str, studio: Any, promise: Promise) -> None:
    promise("P14", f"cancelled at once, {way}", n=N_RUNNING + N_QUEUED)
    found = storm.storm(studio, storm.WAYS[way], n_running=N_RUNNING, n_queued=N_QUEUED)

    assert set(found.statuses) == {"Canceled"}
    assert len(found.uids) == N_RUNNING + N_QUEUED
    assert {found.ends[uid] for uid in found.uids} == {1}
    assert found.n_left == 0
    if LONG:
        assert found.seconds <= MOST_S
        assert found.ratio <= MOST_TIMES_SLOWER
