"""A worker signs on: names never collide between hosts, and are found again after a crash."""

import os
import socket
from datetime import timedelta

import pytest
from django.utils import timezone

from studio.compute.models import Target, Worker
from studio.execution import registering
from studio.execution.machine import Machine
from studio.execution.registering import NodeBusy, WrongNode, is_alive, register, this_machine

pytestmark = [pytest.mark.django_db, pytest.mark.data]
HOST = socket.gethostname()


@pytest.fixture
def other(worker: Worker) -> Worker:
    """A live worker of another host that bears the name of this one."""
    worker.node, worker.host, worker.machine = f"{HOST}-local", HOST, "elsewhere/boot"
    worker.save()
    return worker


def silence(worker: Worker, minutes: float) -> None:
    worker.last_seen_at = timezone.now() - timedelta(minutes=minutes)
    worker.save()


def test_the_first_worker_of_a_host_is_called_after_host_and_target(worker: Worker) -> None:
    made = register("local", n_slots=3)
    assert (made.node, made.host, made.pid) == (f"{HOST}-local", HOST, os.getpid())
    assert made.machine == this_machine()


@pytest.mark.parametrize("minutes", [0, 30])
def test_two_hosts_of_one_name_never_share_a_node(other: Worker, minutes: float) -> None:
    """Not even when the other one sleeps: it may wake, and its runs are not this host's to end."""
    silence(other, minutes)
    made = register("local", n_slots=3)
    assert made.node.startswith(f"{HOST}-local-")
    other.refresh_from_db()
    assert other.stopped_at is None


def test_a_copy_of_a_host_is_told_from_it_while_it_lives(other: Worker) -> None:
    """The same id, another boot: a copy, or this host before it was started anew."""
    other.machine = this_machine().partition("/")[0] + "/before"
    silence(other, 0)
    assert register("local", n_slots=3).node != other.node
    silence(other, 2)
    assert register("local", n_slots=3).node == other.node


def test_a_name_given_by_hand_is_refused_while_another_bears_it(other: Worker) -> None:
    with pytest.raises(NodeBusy, match="--node"):
        register("local", n_slots=3, node=other.node)
    for wrong in ("a b", "a/b", "a,b", "x" * 201):
        with pytest.raises(WrongNode):
            register("local", n_slots=3, node=wrong)


def test_a_worker_that_died_here_is_followed_by_one_of_its_name(other: Worker) -> None:
    other.machine, other.pid = this_machine(), 2**22 + 1
    silence(other, 0)
    assert register("local", n_slots=3).node == other.node
    other.refresh_from_db()
    assert other.was_lost
    with pytest.raises(NodeBusy):
        register("local", n_slots=3)  # this process, which lives


def test_a_used_again_process_number_is_not_the_worker(worker: Worker) -> None:
    worker.pid, worker.machine = os.getpid(), "here"
    assert is_alive(worker, "here")
    worker.started_at = worker.started_at.replace(year=2020)
    assert not is_alive(worker, "here")


def test_a_worker_on_another_host_is_known_by_its_beats(worker: Worker) -> None:
    assert is_alive(worker, "there")
    silence(worker, 2)
    assert not is_alive(worker, "there")


def test_the_machine_tells_how_it_is(tmp_path: object) -> None:
    from pathlib import Path

    machine = Machine(Path(str(tmp_path)) / "runs")
    assert "cpu_percent" not in machine.facts
    machine.look()
    facts = machine.facts
    assert facts["n_cpus"] == os.cpu_count()
    assert 0 <= facts["cpu_percent"] <= 100
    assert 0 < facts["memory_percent"] <= 100
    assert facts["disk_free_bytes"] > 0


def test_a_worker_of_a_new_target_makes_it(worker: Worker) -> None:
    assert registering.register("big", n_slots=1).target == Target.objects.get(name="big")
