"""What a store promises, tried on the local one with real files, processes and full disks."""

import hashlib
import io
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.blobs import (
    BlobNotFound,
    BlobTooLarge,
    InvalidKey,
    LocalStore,
    StorageFull,
    digest_key,
    open_store,
)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def bytes_of(store: LocalStore, key: str, start: int = 0, end: int | None = None) -> bytes:
    with store.open(key, start, end) as stream:
        return stream.read()


def files_of(store: LocalStore) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


def test_a_key_is_never_another_keys_folder(store: LocalStore) -> None:
    store.put("a/b", io.BytesIO(b"x"))
    for call in (lambda: store.put("a/b/c", io.BytesIO(b"y")), lambda: store.append("a", 0, b"y")):
        with pytest.raises(InvalidKey):
            call()
    with pytest.raises(BlobNotFound):
        store.open("a")
    assert bytes_of(store, "a/b") == b"x"


def test_a_planted_link_is_not_followed(store: LocalStore, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    (store.root / "a").symlink_to(secret)
    with pytest.raises(InvalidKey):
        store.open("a")
    with pytest.raises(InvalidKey):
        store.append("a", 0, b"x")
    assert secret.read_text() == "key"


def test_only_the_server_can_read_files_and_folders(store: LocalStore) -> None:
    store.put("a/b/c", io.BytesIO(b"x"))
    store.append("logs/d", 0, b"x")
    for path in store.root.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_failing_upload_leaves_what_was_there(store: LocalStore) -> None:
    class Broken(io.RawIOBase):
        def read(self, n_bytes: int = -1) -> bytes:
            raise ConnectionResetError

    store.put("a", io.BytesIO(b"old"))
    with pytest.raises(ConnectionResetError):
        store.put("a", Broken())  # type: ignore[arg-type]
    with pytest.raises(BlobTooLarge):
        store.put("a", io.BytesIO(b"12345"), limit_bytes=4)
    assert bytes_of(store, "a") == b"old"
    assert len(files_of(store)) == 1


def test_equal_content_is_stored_once_under_its_digest(store: LocalStore) -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    first = store.put_if_absent(digest, io.BytesIO(b"x"), under="w1/files")
    written_at = (store.root / first.key).stat().st_ino
    assert store.put_if_absent(digest, io.BytesIO(b"x"), under="w1/files") == first
    assert first.key == f"w1/files/{digest[:2]}/{digest}" == digest_key(digest, under="w1/files")
    assert (store.root / first.key).stat().st_ino == written_at


def test_appenders_in_other_processes_wait_for_each_other(store: LocalStore) -> None:
    code = (
        "import sys; from pathlib import Path; from studio.blobs import LocalStore\n"
        "store, size = LocalStore(Path(sys.argv[1])), 0\n"
        "while size < 20000: size = store.append('log', size, b'abcdefghij'[size % 10:] * 7)\n"
    )
    jobs = [subprocess.Popen([sys.executable, "-c", code, store.root]) for _ in range(3)]
    assert [job.wait(60) for job in jobs] == [0, 0, 0]
    assert store.size("log") >= 20_000


def test_puts_and_deletes_racing_in_one_folder_never_fail(store: LocalStore) -> None:
    errors: list[BaseException] = []

    def churn(name: str) -> None:
        try:
            for _ in range(60):
                store.put(f"a/b/{name}", io.BytesIO(b"x"))
                store.append(f"a/b/{name}.log", 0, b"x")
                store.delete(f"a/b/{name}")
                store.delete(f"a/b/{name}.log")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=churn, args=(f"n{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [path.name for path in store.root.iterdir()] == [".tmp"]


def test_uploads_that_a_dead_process_left_are_swept(store: LocalStore) -> None:
    (store.root / ".tmp" / "left").write_bytes(b"half")
    assert store.sweep() == 0
    assert store.sweep(older_than_s=-1) == 1
    assert files_of(store) == []


def test_a_store_is_opened_by_url(tmp_path: Path) -> None:
    open_store(f"file://{tmp_path}/with%20blank").put("a", io.BytesIO(b"x"))
    assert (tmp_path / "with blank" / "a").read_bytes() == b"x"


@pytest.mark.parametrize(
    "url", ["", "/tmp/x", "s3://user:pa55word@host/x", "file://host/x", "file:///x?y", "file:x"]
)
def test_another_url_is_refused_without_repeating_its_secrets(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        open_store(url)
    assert "pa55word" not in str(caught.value)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 kB; without the right to mount, the same by a file size limit."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(mounted)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        yield from _file_size_limit(mounted)
        return
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def _file_size_limit(folder: Path) -> Iterator[Path]:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 << 10, before[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_a_log_nothing_it_had(small_disk: Path) -> None:
    store, size = LocalStore(small_disk), 0

    def one_more() -> int:
        return store.append("log", size, bytes([65 + size % 26]) * 5_003)

    while size < 50_000:
        size = one_more()
    with pytest.raises(StorageFull) as caught:  # noqa: PT012
        while True:
            size = one_more()
    assert caught.value.size_bytes == size == store.size("log")
    assert size % 5_003 == 0
    assert size > 0
    kept = bytes_of(store, "log")
    assert all(len(set(kept[at : at + 5_003])) == 1 for at in range(0, size, 5_003))


def test_a_full_disk_refuses_an_upload_and_keeps_nothing_of_it(small_disk: Path) -> None:
    store = LocalStore(small_disk)
    store.put("small", io.BytesIO(b"x" * 5_000))
    with pytest.raises(StorageFull):
        store.put("large", io.BytesIO(b"y" * 300_000))
    assert list(store.list()) == ["small"]
    assert len(files_of(store)) == 1
    store.delete("small")
    store.put("again", io.BytesIO(b"x" * 5_000))
