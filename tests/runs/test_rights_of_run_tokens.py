"""The token of a submitted script: its run and those below it; upwards it may only log points."""

from dataclasses import replace
from typing import Any

import pytest

from studio.accounts.permissions import NotAllowed
from studio.metrics.actions import record_batch
from studio.runs import actions
from studio.wire import Batch, Series
from tests import make

pytestmark = pytest.mark.django_db


def batch() -> Batch:
    return Batch("0192d0c4-0000-7000-8000-000000000000", (Series("x", "scalar", [1.0], [2.0]),))


def test_a_child_logs_points_to_its_root_but_cannot_end_it(experiment: Any, people: Any) -> None:
    root = make.run(experiment)
    grandchild = make.run(experiment, parent=make.run(experiment, parent=root))
    own = replace(make.actor(people.bob), run_uid=grandchild.uid)
    assert record_batch(root, batch(), by=own).n_points == 1
    with pytest.raises(NotAllowed):
        actions.complete_run(root, by=own)


def test_a_stranger_run_gets_no_points(experiment: Any, people: Any) -> None:
    stranger, mine = make.run(experiment), make.run(experiment)
    own = replace(make.actor(people.bob), run_uid=mine.uid)
    with pytest.raises(NotAllowed):
        record_batch(stranger, batch(), by=own)
