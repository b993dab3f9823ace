"""Files of a run by the two addresses that they have, and what is no file."""

from typing import Any
from urllib.parse import quote

from ops_experiments import BY


def operations(ask: Any, name: str) -> None:
    body = {"name": f"{name} files"}
    own = ask.post("files: experiment", "/experiments/create", body)["experiment_id"]
    made = ask.post("files: run", "/runs/create", {"experiment_id": own, "run_name": "files", **BY})
    info = made["run"]["info"]
    run_id, root = info["run_id"], info["artifact_uri"].removeprefix("mlflow-artifacts:")
    up(ask, root)
    down(ask, root)
    listed(ask, root, run_id)
    strange(ask, root)
    server(ask)


def up(ask: Any, root: str) -> None:
    for path, data in {
        "a.txt": b"one",
        "dir/b.json": b'{"b": 1}',
        "dir/deep/c.bin": bytes(range(256)),
        "empty.txt": b"",
        "with space.txt": b"space",
        "größe.txt": b"utf-8",
        "a+b~c.txt": b"plus",
        "50%.txt": b"percent",
        "twice/%41.txt": b"encoded twice",
    }.items():
        ask.file(f"put {path}", "PUT", f"{root}/{quote(path)}", data)
    ask.file("put again", "PUT", f"{root}/a.txt", b"two")
    chunks = iter([b"chunk", b"ed"])
    ask.file("put chunked", "PUT", f"{root}/chunked.txt", chunks)
    ask.file("put empty chunked", "PUT", f"{root}/chunked-empty.txt", iter([]))


def down(ask: Any, root: str) -> None:
    for path in (
        "a.txt",
        "empty.txt",
        "with space.txt",
        "größe.txt",
        "a+b~c.txt",
        "50%.txt",
        "twice/%41.txt",
        "chunked.txt",
        "chunked-empty.txt",
        "absent.txt",
        "dir",
        "dir/absent",
    ):
        ask.file(f"download {path}", "GET", f"{root}/{quote(path)}")


def listed(ask: Any, root: str, run_id: str) -> None:
    folder = root.strip("/")
    for path in ("", "/twice", "/dir", "/dir/deep", "/absent", "/a.txt"):
        ask.at(f"list {path!r}", f"/api/2.0/mlflow-artifacts/artifacts?path={folder}{path}")
    for path in ("", "dir", "absent", "a.txt", "../x", "/etc"):
        query = {"run_id": run_id, "path": path} if path else {"run_id": run_id}
        ask.get(f"list of run {path!r}", "/artifacts/list", **query)
    ask.get("list of run: unknown", "/artifacts/list", run_id="0" * 32)
    ask.get("list of run: nothing", "/artifacts/list")


def strange(ask: Any, root: str) -> None:
    for path in ("../up.txt", "%2e%2e/up.txt", "a/../../up.txt", "..%2Fup.txt", "%2Fetc%2Fpasswd"):
        ask.file(f"put strange {path}", "PUT", f"{root}/{path}", b"x")
        ask.file(f"get strange {path}", "GET", f"{root}/{path}")
    ask.file("put nowhere", "PUT", "/987654321/0/artifacts/a.txt", b"x")
    ask.file("get nowhere", "GET", "/987654321/0/artifacts/a.txt")
    ask.file("delete file", "DELETE", f"{root}/a.txt")
    ask.file("get deleted file", "GET", f"{root}/a.txt")
    ask.file("delete absent file", "DELETE", f"{root}/absent.txt")
    ask.at("list strange", "/api/2.0/mlflow-artifacts/artifacts?path=../..")


def server(ask: Any) -> None:
    ask.at("health", "/health")
    ask.at("no such call", "/api/2.0/mlflow/no/such/call")
    ask.at("wrong method", "/api/2.0/mlflow/runs/create")
    ask.post("post to a get", "/runs/get", {"run_id": "0" * 32})
