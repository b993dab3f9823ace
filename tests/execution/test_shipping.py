"""The log of a run is what its process wrote, byte for byte, whatever happens on the way."""

from pathlib import Path
from typing import Any

import pytest

from studio.accounts.permissions import Actor
from studio.artifacts import logs
from studio.artifacts.actions import find_artifact
from studio.artifacts.models import MAIN_LOG
from studio.execution.shipping import LogShipper
from studio.runs.models import Run

pytestmark = [pytest.mark.django_db, pytest.mark.data]
BY = Actor.system("test")


def stored(run: Run) -> bytes:
    artifact = find_artifact(run, MAIN_LOG)
    assert artifact is not None
    return logs.read_window(artifact, 0, 10_000_000).data


def test_what_is_written_arrives_and_a_second_call_sends_only_what_is_new(
    run: Run, tmp_path: Path
) -> None:
    source = tmp_path / "output.log"
    shipper = LogShipper(run, source, by=BY)
    assert shipper.ship() == 0
    source.write_bytes(b"first\n\xff\x00")
    assert shipper.ship() == 8
    with source.open("ab") as file:
        file.write(b"second\n")
    assert shipper.ship() == 7
    assert stored(run) == source.read_bytes()


def test_a_restarted_worker_sends_nothing_twice(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "output.log"
    source.write_bytes(b"x" * 3_000_000)
    LogShipper(run, source, by=BY).ship()
    again = LogShipper(run, source, by=BY)
    with source.open("ab") as file:
        file.write(b"end\n")
    assert again.finish()
    assert stored(run) == source.read_bytes()


def test_what_was_printed_after_the_run_was_lost_stays_here(run: Run, tmp_path: Path) -> None:
    """The first piece waited for a network that was away, and the run was given up meanwhile."""
    source = tmp_path / "output.log"
    source.write_bytes(b"x" * 3_000_000)
    shipper = LogShipper(run, source, by=BY)

    n_sent = shipper.ship(lambda: False)

    assert 0 < n_sent < 3_000_000
    assert stored(run) == b"x" * n_sent
    assert shipper.ship(lambda: True) == 3_000_000 - n_sent


def test_a_full_store_is_told_and_the_bytes_wait(run: Run, tmp_path: Path, full_disk: Any) -> None:
    source = tmp_path / "output.log"
    source.write_bytes(b"small\n")
    shipper = LogShipper(run, source, by=BY)
    shipper.ship()
    with source.open("ab") as file:
        file.write(b"y" * 5_000_000)
    assert shipper.ship() == 0
    assert "waits" in shipper.trouble
    assert shipper.waiting_bytes() == 5_000_000
    assert not shipper.finish()
    artifact = find_artifact(run, MAIN_LOG)
    assert artifact is not None
    assert "5,000,000 bytes are missing" in artifact.damage
    assert stored(run) == b"small\n"
