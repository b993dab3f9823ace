"""Storing the files of a run."""

import hashlib
import io
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from studio.accounts.models import User
from studio.accounts.permissions import Actor, NotAllowed
from studio.artifacts.actions import (
    GrowingLog,
    TooLarge,
    find_artifact,
    open_artifact,
    put_artifact,
    put_artifact_file,
    size_of,
    type_of,
)
from studio.artifacts.line_index import owner_key
from studio.artifacts.logs import append_log
from studio.artifacts.store import store
from studio.blobs import StorageFull
from studio.runs.actions import complete_run
from studio.runs.limits import Invalid
from studio.runs.models import RunEvent
from tests import make
from tests.artifacts.conftest import at_once, until_stored

pytestmark = pytest.mark.data


@pytest.fixture
def bob(people: Any) -> Actor:
    return make.actor(people.bob)


@pytest.fixture
def put(run: Any, bob: Actor) -> Any:
    return lambda path, data: put_artifact(run, path, io.BytesIO(data), by=bob)


def bytes_of(artifact: Any) -> bytes:
    with open_artifact(artifact) as stream:
        return stream.read()


def keys() -> list[str]:
    return [key for key in store().list() if key == owner_key(key)]


@pytest.mark.parametrize("data", [b"", b"x", b"\0\xff\r\n" * 5_000, os.urandom(3_000_000)])
def test_a_file_comes_back_byte_for_byte(put: Any, data: bytes) -> None:
    artifact = put("outputs/model.bin", data)
    assert bytes_of(artifact) == data
    assert artifact.n_bytes == size_of(artifact) == len(data)
    assert artifact.digest == hashlib.sha256(data).hexdigest()
    assert artifact.is_complete


def test_no_part_of_the_name_reaches_the_disk(put: Any, run: Any) -> None:
    put("..%2f..%2fetc/passwd\\C:", b"x")
    (key,) = keys()
    assert key.startswith(f"runs/{run.workspace_id}/{run.pk}/")
    assert not {"passwd", "etc", "%2f"} & set(key.split("/"))


def test_replacing_a_file_frees_the_old_bytes_only_after_the_commit(
    put: Any, run: Any, django_capture_on_commit_callbacks: Any
) -> None:
    old = put("a.txt", b"old")
    with django_capture_on_commit_callbacks(execute=True):
        new = put("a.txt", b"new")
        assert bytes_of(old) == b"old"
    assert new.pk == old.pk
    assert keys() == [new.blob_key]
    assert bytes_of(old) == b"new"  # a row read before goes on to the new bytes


def test_both_unicode_forms_name_one_file(put: Any, run: Any) -> None:
    put("caf\u00e9.txt", b"1")
    put("cafe\u0301.txt", b"2")
    assert run.artifacts.count() == 1
    assert bytes_of(find_artifact(run, "cafe\u0301.txt")) == b"2"


def test_too_large_a_file_is_refused_and_leaves_nothing(put: Any, run: Any, settings: Any) -> None:
    settings.MAX_ARTIFACT_BYTES = 10
    with pytest.raises(TooLarge, match="STUDIO_MAX_ARTIFACT_BYTES"):
        put("a.txt", b"x" * 11)
    assert not keys()
    assert not run.artifacts.exists()
    assert put("a.txt", b"x" * 10).n_bytes == 10


def test_a_full_disk_refuses_the_file_and_keeps_the_old_one(
    full_disk: Path, put: Any, run: Any
) -> None:
    put("a.txt", b"old")
    with pytest.raises(StorageFull):
        put("a.txt", b"x" * 1_000_000)
    assert bytes_of(find_artifact(run, "a.txt")) == b"old"
    assert len(keys()) == 1


def test_a_write_that_fails_late_leaves_no_bytes_behind(run: Any, bob: Actor) -> None:
    ended = complete_run(run, by=bob)
    nobody = Actor(name="nobody", user=User(is_superuser=True))  # can't be stored in the history
    with pytest.raises(ValueError, match="unsaved"):
        put_artifact(ended, "a.txt", io.BytesIO(b"x"), by=nobody)
    assert not keys()
    assert not run.artifacts.exists()


@pytest.mark.parametrize("path", ["../a", "/a", "", "a\0b"])
def test_a_path_that_climbs_is_refused_before_a_byte_is_read(
    run: Any, bob: Actor, path: str
) -> None:
    stream = io.BytesIO(b"x")
    with pytest.raises(Invalid):
        put_artifact(run, path, stream, by=bob)
    assert stream.tell() == 0
    assert find_artifact(run, path) is None


def test_a_reader_and_an_outsider_may_not_store(run: Any, people: Any) -> None:
    for who in (people.carol, people.dave):
        with pytest.raises(NotAllowed):
            put_artifact(run, "a.txt", io.BytesIO(b"x"), by=make.actor(who))
    assert not keys()


def test_a_log_that_grows_is_not_replaced(put: Any, run: Any, bob: Actor) -> None:
    append_log(run, "logs/output.txt", 0, b"line\n", by=bob)
    with pytest.raises(GrowingLog):
        put("logs/output.txt", b"other")
    assert bytes_of(find_artifact(run, "logs/output.txt")) == b"line\n"
    assert len(keys()) == 1


def test_only_files_stored_after_the_end_are_in_the_history(put: Any, run: Any, bob: Actor) -> None:
    put("during.txt", b"x")
    ended = complete_run(run, by=bob)
    put_artifact(ended, "after.txt", io.BytesIO(b"x"), by=bob)
    (event,) = RunEvent.objects.filter(run=run, kind="artifact")
    assert event.after == {"path": "after.txt", "size": 1}
    assert event.actor == "bob"


def test_two_uploads_of_one_path_at_once_leave_one_whole_file(
    transactional_db: None, people: Any, run: Any, bob: Actor
) -> None:
    contents = [bytes([65 + i]) * 200_000 for i in range(4)]

    def upload(data: bytes) -> None:
        until_stored(lambda: put_artifact(run, "a.bin", io.BytesIO(data), by=bob))

    at_once([partial(upload, data) for data in contents])
    (artifact,) = run.artifacts.all()
    assert bytes_of(artifact) in contents
    assert keys() == [artifact.blob_key]


def test_a_file_of_a_process_is_stored_whatever_its_name(
    run: Any, bob: Actor, tmp_path: Path
) -> None:
    odd = tmp_path / "new\nline"
    odd.write_bytes(b"x")
    assert put_artifact_file(run, "outputs/new\nline", odd, by=bob).path == "outputs/new\ufffdline"


def test_a_file_that_became_a_link_is_not_followed(run: Any, bob: Actor, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    link = tmp_path / "link"
    link.symlink_to(secret)
    with pytest.raises(OSError, match="link"):
        put_artifact_file(run, "outputs/link", link, by=bob)
    assert not keys()


@pytest.mark.parametrize(
    ("label", "announced", "kind"),
    [
        ("a.png", "", "image/png"),
        ("a.png", "application/octet-stream", "image/png"),
        ("a.bin", "text/csv; charset=utf-8", "text/csv"),
        ("a", "", "application/octet-stream"),
        ("a.txt", "evil\r\nX: y", "text/plain"),
        ("data:text/html,x", "", "application/octet-stream"),
    ],
)
def test_the_type_is_the_announced_one_or_a_guess(label: str, announced: str, kind: str) -> None:
    assert type_of(label, announced=announced) == kind
