"""POST …/snapshots/missing, PUT …/blobs/{digest}, POST and GET …/snapshots, …/zip."""

import hashlib
import io
import zipfile
from typing import Any

import pytest

from tests import make

pytestmark = pytest.mark.data
RAW = "application/octet-stream"
FILES = {"train.py": b"print('hello')\n", "lib/__init__.py": b"", "data/a.bin": bytes(range(256))}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entries(files: dict[str, bytes]) -> dict[str, Any]:
    return {
        "files": [
            {"path": path, "digest": sha(data), "size": len(data), "executable": path == "train.py"}
            for path, data in files.items()
        ]
    }


@pytest.fixture
def snapshot(api: Any) -> str:
    for data in FILES.values():
        sent = api.send("PUT", f"/blobs/{sha(data)}", data, RAW)
        assert (sent.status_code, sent.json()) == (201, {"digest": sha(data), "size": len(data)})
    made = api.post("/snapshots", entries(FILES))
    assert made.status_code == 201
    assert made.json()["n_files"] == 3
    return str(made.json()["id"])


def test_a_source_goes_up_once_and_comes_back_as_a_zip(api: Any, snapshot: str) -> None:
    digests = [sha(data) for data in FILES.values()]
    asked = api.post("/snapshots/missing", {"digests": [*digests, sha(b"new")]})
    assert asked.json() == {"missing": [sha(b"new")]}
    assert api.post("/snapshots", entries(FILES)).json()["id"] == snapshot
    listed = api.get(f"/snapshots/{snapshot}").json()
    assert {file["path"]: file["digest"] for file in listed["files"]} == {
        path: sha(data) for path, data in FILES.items()
    }
    answer = api.get(f"/snapshots/{snapshot}/zip")
    assert answer["Content-Disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
        assert archive.getinfo("train.py").external_attr >> 16 & 0o111


def test_files_that_were_not_sent_are_named(api: Any) -> None:
    answer = api.post("/snapshots", entries({"a": b"not sent"}))
    assert answer.status_code == 409
    assert answer.json()["error"]["missing"] == [sha(b"not sent")]


def test_a_wrong_digest_is_422(api: Any) -> None:
    for digest in (sha(b"other"), "nonsense", "a" * 65):
        answer = api.send("PUT", f"/blobs/{digest}", b"data", RAW)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "digest")


@pytest.mark.any_database
@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "a\0b", "a//b"])
def test_a_path_that_climbs_is_422(api: Any, snapshot: str, path: str) -> None:
    answer = api.post("/snapshots", entries({path: FILES["train.py"]}))
    assert answer.status_code == 422


def test_two_entries_of_one_path_are_422(api: Any, snapshot: str) -> None:
    body = entries({"train.py": FILES["train.py"]})
    assert api.post("/snapshots", {"files": body["files"] * 2}).status_code == 422


def test_a_snapshot_is_seen_by_its_workspace_only(
    people: Any, workspace: Any, snapshot: str
) -> None:
    reader = make.Api(people.carol, workspace)
    assert reader.get(f"/snapshots/{snapshot}").status_code == 200
    assert reader.post("/snapshots", {"files": []}).status_code == 403
    assert reader.post("/snapshots/missing", {"digests": []}).status_code == 403
    assert reader.send("PUT", f"/blobs/{sha(b'x')}", b"x", RAW).status_code == 403
    theirs = make.Api(people.dave, make.workspace("other", owner=people.dave))
    assert theirs.get(f"/snapshots/{snapshot}").status_code == 404
    assert theirs.get(f"/snapshots/{snapshot}/zip").status_code == 404
    digests = [sha(data) for data in FILES.values()]
    assert theirs.post("/snapshots/missing", {"digests": digests}).json() == {"missing": digests}


def test_a_full_disk_is_507(full_disk: Any, api: Any) -> None:
    data = b"x" * 1_000_000
    answer = api.send("PUT", f"/blobs/{sha(data)}", data, RAW)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_full")
    assert api.send("PUT", f"/blobs/{sha(b'small')}", b"small", RAW).status_code == 201
