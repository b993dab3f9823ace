"""A file that is replaced or removed at the worst moment is the old one or the new one, whole."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory

from studio.accounts.permissions import Actor
from studio.artifacts.actions import find_artifact, open_artifact, put_artifact, size_of
from studio.artifacts.logs import append_log, close_log
from studio.artifacts.removing import remove_artifacts
from studio.artifacts.serving import attachment
from studio.artifacts.store import store
from studio.runs.actions import complete_run
from tests import make
from tests.blobs.bucket import Bucket, serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob(people: Any) -> Actor:
    return make.actor(people.bob)


@pytest.fixture
def bucket(settings: Any) -> Iterator[Bucket]:
    with serving() as found:
        settings.STUDIO_STORAGE_URL = found.url
        for key in list(store().list()):
            store().delete(key)
        yield found


def meanwhile(bucket: Bucket, method: str, ending: str, call: Callable[[], Any]) -> None:
    """Let `call` happen just before the next request of that kind."""

    def fault(environ: dict[str, Any], *_: Any) -> None:
        if environ["REQUEST_METHOD"] == method and environ["PATH_INFO"].endswith(ending):
            bucket.fault = None
            try:
                call()
            finally:
                connection.close()

    bucket.fault = fault


def put(run: Any, path: str, data: bytes, bob: Actor) -> Any:
    return put_artifact(run, path, io.BytesIO(data), by=bob)


def download(artifact: Any) -> tuple[int, bytes, str]:
    """(status, bytes, announced length) of a download by that row."""
    answer: Any = attachment(RequestFactory().get("/"), artifact)
    data = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, data, answer.headers.get("Content-Length", "")


def test_a_file_replaced_after_its_row_was_read_is_the_new_one(run: Any, bob: Actor) -> None:
    put(run, "outputs/model.pt", b"x" * 1_000, bob)
    seen: Any = find_artifact(run, "outputs/model.pt")
    put(run, "outputs/model.pt", b"y" * 20, bob)

    assert download(seen) == (200, b"y" * 20, "20")


def test_a_file_replaced_after_its_size_was_read_is_the_new_one(
    run: Any, bob: Actor, bucket: Bucket
) -> None:
    old = put(run, "outputs/model.pt", b"x" * 1_000, bob)
    # The size is asked for first, and again when the file is opened.

    def replace() -> None:
        put(run, "outputs/model.pt", b"y" * 3_000, bob)

    def after_the_first() -> None:
        meanwhile(bucket, "HEAD", old.blob_key, replace)

    meanwhile(bucket, "HEAD", old.blob_key, after_the_first)

    assert download(find_artifact(run, "outputs/model.pt")) == (200, b"y" * 3_000, "3000")


def test_a_file_removed_after_its_row_was_read_is_said_to_be_lost(
    run: Any, people: Any, bob: Actor
) -> None:
    put(run, "outputs/model.pt", b"x" * 1_000, bob)
    seen: Any = find_artifact(run, "outputs/model.pt")
    remove_artifacts(run, "outputs/model.pt", by=make.actor(people.alice))

    assert download(seen)[0] == 410
    assert size_of(seen) == 0


@pytest.mark.parametrize("late", ["append", "close"])
def test_a_log_replaced_while_it_is_written_to_is_the_file(
    run: Any, bob: Actor, bucket: Bucket, late: str
) -> None:
    append_log(run, "logs/a.txt", 0, b"x" * 10, by=bob)
    complete_run(run, by=bob)
    key = run.artifacts.get().blob_key

    def replace() -> None:
        put(run, "logs/a.txt", b"whole", bob)

    if late == "append":
        # The log is written to; what is noted of it comes next.
        meanwhile(bucket, "HEAD", f"{key}.lines", replace)
        append_log(run, "logs/a.txt", 10, b"y" * 10, by=bob)
    else:
        meanwhile(bucket, "GET", "/lab", replace)
        close_log(run, "logs/a.txt", damage="cut")

    file = run.artifacts.get()
    assert (file.n_bytes, file.is_complete, file.damage) == (5, True, "")
    assert download(file) == (200, b"whole", "5")
    assert list(store().list()) == [file.blob_key]


def test_a_log_removed_while_it_is_written_to_leaves_nothing(
    run: Any, people: Any, bob: Actor, bucket: Bucket
) -> None:
    append_log(run, "logs/a.txt", 0, b"x" * 10, by=bob)
    complete_run(run, by=bob)
    key, owner = run.artifacts.get().blob_key, make.actor(people.alice)
    meanwhile(bucket, "HEAD", f"{key}.lines", lambda: remove_artifacts(run, "logs/a.txt", by=owner))

    append_log(run, "logs/a.txt", 10, b"y" * 10, by=bob)

    assert not run.artifacts.exists()
    assert list(store().list()) == []


def test_a_repeat_on_a_log_keeps_it(run: Any, bob: Actor) -> None:
    for _ in range(2):
        append_log(run, "logs/a.txt", 0, b"x" * 10, by=bob)

    with open_artifact(run.artifacts.get()) as stream:
        assert stream.read() == b"x" * 10
