"""Every call of the run, metric, experiment and workspace API, for tests that hold for all."""

import uuid
from dataclasses import dataclass
from typing import Any

PREFIX = "/api/v1/workspaces/{workspace}"


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: Any = None
    writes: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def send(self, api: Any, run: Any) -> Any:
        path = self.path.replace("{uid}", run.uid).replace("{name}", run.experiment.name)
        if self.method == "GET":
            return api.get(path)
        send = api.patch if self.method == "PATCH" else api.post
        return send(path, self.body() if callable(self.body) else self.body)


def batch(*values: Any, name: str = "loss", kind: str = "scalar", **facts: Any) -> dict[str, Any]:
    """A batch of one series; `steps` and `times` may be given."""
    one = {"name": name, "kind": kind, "steps": None, "times": [1.7e9] * len(values)}
    return {"batch": str(uuid.uuid4()), "metrics": [{**one, "values": list(values), **facts}]}


def new_run(**facts: Any) -> dict[str, Any]:
    return {"uid": uuid.uuid4().hex, "experiment": "vision", "start": True, **facts}


READS = (
    Call("GET", ""),
    Call("GET", "/experiments"),
    Call("GET", "/experiments/{name}"),
    Call("GET", "/experiments/{name}/events"),
    Call("GET", "/runs"),
    Call("GET", "/runs-export?format=jsonl"),
    Call("GET", "/export.zip?query="),
    Call("GET", "/runs/{uid}"),
    Call("GET", "/runs/{uid}/events"),
    Call("GET", "/runs/{uid}/lineage"),
    Call("GET", "/runs/{uid}/metrics"),
    Call("GET", "/runs/{uid}/metrics/points?name=loss"),
    Call("GET", "/runs/{uid}/metrics/values"),
)
WRITES = (
    Call("POST", "/experiments", {"name": "other"}, writes=True),
    Call("PATCH", "/experiments/{name}", {"description": "cats"}, writes=True),
    Call("POST", "/experiments/{name}/archive", {}, writes=True),
    Call("POST", "/experiments/{name}/tags", {"set": {"team": "vision"}}, writes=True),
    Call("POST", "/experiments/{name}/reactivate", {}, writes=True),
    Call("POST", "/runs", new_run, writes=True),
    Call("PATCH", "/runs/{uid}", {"display_name": "other"}, writes=True),
    Call("POST", "/runs/{uid}/start", {}, writes=True),
    Call("POST", "/runs/{uid}/complete", {}, writes=True),
    Call("POST", "/runs/{uid}/fail", {}, writes=True),
    Call("POST", "/runs/{uid}/cancel", {}, writes=True),
    Call("POST", "/runs/{uid}/kill", {}, writes=True),
    Call("POST", "/runs/{uid}/canceled", {}, writes=True),
    Call("POST", "/runs/{uid}/tags", {"set": {"a": "b"}}, writes=True),
    Call("POST", "/runs/{uid}/properties", {"set": {"a": "b"}}, writes=True),
    Call("POST", "/runs/{uid}/parameters", {"set": {"a": "b"}}, writes=True),
    Call("POST", "/runs/{uid}/batches", lambda: batch(0.5), writes=True),
    Call("POST", "/runs/{uid}/heartbeat", {}, writes=True),
    Call(
        "POST",
        "/runs/{uid}/children",
        lambda: {"children": [{"uid": uuid.uuid4().hex}]},
        writes=True,
    ),
)
# A reader may do this, for it changes nothing but their own favourites.
OWN = (
    Call("POST", "/runs/{uid}/star", {"starred": True}),
    Call("POST", "/experiments/{name}/star", {"starred": True}),
)
CALLS = READS + WRITES + OWN
