"""Runs: made, logged to, changed, deleted, and everything that is refused."""

import json
import math
from typing import Any

from differential import GIVEN

NEVER = "0" * 32


def operations(ask: Any, name: str) -> None:
    body = {"name": f"{name} runs"}
    own = ask.post("runs: experiment", "/experiments/create", body)["experiment_id"]
    run_id = made(ask, own)
    lenient(ask, own)
    tagged(ask, run_id)
    parameters(ask, run_id)
    metrics(ask, run_id)
    batches(ask, run_id)
    history(ask, run_id)
    inputs(ask, run_id)
    ended(ask, run_id)
    deleted(ask, own, run_id)


def made(ask: Any, own: str) -> str:
    named = [{"key": "mlflow.runName", "value": "by tag"}]
    plain = {"experiment_id": own, "start_time": GIVEN, "user_id": "ada"}
    first = ask.post("run", "/runs/create", {**plain, "run_name": "first"})["run"]["info"]
    for what, body in {
        "named by tag": {**plain, "tags": named},
        "named twice alike": {**plain, "tags": named, "run_name": "by tag"},
        "named twice otherwise": {**plain, "tags": named, "run_name": "by field"},
        "time as text": {**plain, "run_name": "text", "start_time": str(GIVEN + 5)},
        "time as fraction": {**plain, "run_name": "fraction", "start_time": 1.5},
        "time as words": {**plain, "run_name": "words", "start_time": "noon"},
        "unknown experiment": {**plain, "experiment_id": "987654321"},
        "number as experiment": {**plain, "experiment_id": 987654321},
        "bad tag": {**plain, "run_name": "bad tag", "tags": [{"value": "1"}]},
        "same tag twice": {**plain, "run_name": "n", "tags": [{"key": "a", "value": "1"}] * 2},
        "with tags": {**plain, "run_name": "t", "tags": [{"key": "mlflow.user", "value": "bob"}]},
    }.items():
        answer = ask.post(f"run: {what}", "/runs/create", body)
        if what == "time as fraction" and "run" in answer:
            hide_made_up(ask, f"run: {what}", answer)
    unnamed = ask.post("run unnamed", "/runs/create", plain)
    hide_made_up(ask, "run unnamed", unnamed)
    get = "/runs/get"
    ask.get("run get", get, run_id=first["run_id"], run_uuid=first["run_id"])
    ask.get("run get: by uuid", get, run_uuid=first["run_id"])
    ask.get("run get: unknown", get, run_id=NEVER)
    ask.get("run get: no id", get, run_id="no/id'")
    ask.get("run get: nothing", get)
    return str(first["run_id"])


def hide_made_up(ask: Any, label: str, answer: Any) -> None:
    """A run without a name gets one, made of chance."""
    kept = ask.answers[label]["answer"]["run"]
    made_up = answer["run"]["info"]["run_name"]
    kept["info"]["run_name"] = "<made up>" if made_up else made_up
    named = {"key": "mlflow.runName", "value": made_up}
    for tag in kept["data"]["tags"]:
        if tag["key"] == "mlflow.runName":
            is_same = named in answer["run"]["data"]["tags"]
            tag["value"] = "<made up>" if is_same else "another"


def lenient(ask: Any, own: str) -> None:
    """What one of the servers may take and the other not, on a run that is not looked at again."""
    body = {"experiment_id": own, "run_name": "lenient", "start_time": GIVEN, "user_id": "ada"}
    run = {"run_id": ask.post("lenient run", "/runs/create", body)["run"]["info"]["run_id"]}
    point = {"key": "m", "value": 1.0, "timestamp": GIVEN, "step": 0}
    for what, changes in {
        "infinity": {"key": "inf", "value": "Infinity"},
        "minus infinity": {"key": "minus", "value": "-Infinity"},
        "words": {"value": "high"},
        "flag": {"value": True},
        "step too large": {"step": 2**63},
        "fraction as step": {"step": 1.5},
    }.items():
        ask.post(f"metric: {what}", "/runs/log-metric", {**run, **point, **changes})
    for key in ("inf", "minus"):
        ask.get(f"history: {key}", "/metrics/get-history", **run, metric_key=key)
    words = {**run, "metrics": [{**point, "value": "high"}]}
    ask.post("batch: bad value", "/runs/log-batch", words)
    nameless = {"name": "", "digest": "d", "source_type": "local", "source": "{}"}
    data = {**run, "datasets": [{"dataset": nameless}]}
    ask.post("inputs: no name", "/runs/log-inputs", data)
    ask.post("update: scheduled", "/runs/update", {**run, "status": "SCHEDULED"})
    ended = {**run, "status": "FINISHED", "end_time": GIVEN + 5}
    ask.post("update: ended before it goes on", "/runs/update", ended)
    ask.post("update: goes on", "/runs/update", {**run, "status": "RUNNING"})
    late = {"experiment_id": own, "run_name": "late", "user_id": "ada"}
    ask.post("run: without a time", "/runs/create", late)
    nobody = {"experiment_id": own, "run_name": "nobody", "start_time": GIVEN}
    ask.post("run: without a user", "/runs/create", nobody)


def tagged(ask: Any, run_id: str) -> None:
    for key, value in {
        "quality": "good",
        "mlflow.note.content": "# A *note*",
        "mlflow.runName": "renamed by tag",
        "a/b c.d:e-f_g": "1",
        "größe": "ü",
        "empty": "",
        "": "no key",
        "/lead": "1",
        "..": "1",
        "a//b": "1",
        "semi;colon": "1",
        "new\nline": "1",
        "k" * 251: "1",
        "long": "v" * 8001,
    }.items():
        body = {"run_id": run_id, "key": key, "value": value}
        ask.post(f"run tag: {key[:20]!r}", "/runs/set-tag", body)
    ask.post("run tag: again", "/runs/set-tag", {"run_id": run_id, "key": "quality", "value": "b"})
    ask.post("run tag: number", "/runs/set-tag", {"run_id": run_id, "key": "n", "value": 3})
    ask.post("run tag: no value", "/runs/set-tag", {"run_id": run_id, "key": "n"})
    ask.post("run tag: uuid", "/runs/set-tag", {"run_uuid": run_id, "key": "u", "value": "1"})
    ask.post("run tag: no run", "/runs/set-tag", {"run_id": NEVER, "key": "n", "value": "1"})
    ask.post("run untag", "/runs/delete-tag", {"run_id": run_id, "key": "empty"})
    ask.post("run untag: absent", "/runs/delete-tag", {"run_id": run_id, "key": "absent"})
    ask.post("run untag: no run", "/runs/delete-tag", {"run_id": NEVER, "key": "n"})
    ask.post("run untag long", "/runs/delete-tag", {"run_id": run_id, "key": "long"})
    ask.get("run get tagged", "/runs/get", run_id=run_id)


def parameters(ask: Any, run_id: str) -> None:
    for what, (key, value) in {
        "first": ("lr", "0.1"),
        "same": ("lr", "0.1"),
        "other": ("lr", "0.2"),
        "empty": ("empty", ""),
        "6000": ("long", "v" * 6000),
        "6001": ("longer", "v" * 6001),
        "odd key": ("a/b c.d:e-f_g", "x"),
        "bad key": ("semi;colon", "x"),
        "dots": ("../x", "x"),
        "no key": ("", "x"),
        "key 251": ("k" * 251, "x"),
        "script": ("größe", "groß"),
        "number": ("n", 3),
        "flag": ("n", True),
        "null": ("n", None),
    }.items():
        body = {"run_id": run_id, "key": key, "value": value}
        ask.post(f"param: {what}", "/runs/log-parameter", body)
    ask.post("param: no run", "/runs/log-parameter", {"run_id": NEVER, "key": "a", "value": "1"})
    ask.post("param: no id", "/runs/log-parameter", {"key": "a", "value": "1"})


def metrics(ask: Any, run_id: str) -> None:
    point = {"run_id": run_id, "key": "m", "value": 1.0, "timestamp": GIVEN, "step": 0}
    for what, changes in {
        "first": {},
        "same": {},
        "integer": {"value": 2, "step": 1},
        "NaN": {"key": "nan", "value": "NaN"},
        "number as text": {"key": "text", "value": "0.5"},
        "null": {"value": None},
        "large": {"key": "large", "value": 1e308},
        "largest step": {"key": "steps", "step": 2**63 - 1},
        "least step": {"key": "steps", "step": -(2**63)},
        "step of 2^53+1": {"key": "exact", "step": 2**53 + 1},
        "step as text": {"key": "text", "step": "7"},
        "whole fraction as step": {"key": "whole", "step": 3.0},
        "time as text": {"key": "text", "timestamp": str(GIVEN + 1)},
        "negative time": {"key": "negative", "timestamp": -5},
        "no key": {"key": ""},
        "bad key": {"key": "a;b"},
        "odd key": {"key": "a/b c.d:e-f_g"},
        "key 251": {"key": "k" * 251},
        "dots": {"key": "../m"},
        "no run": {"run_id": NEVER},
        "older step": {"key": "m", "value": 9.0, "step": -1},
        "later time, lower step": {"key": "m", "value": 8.0, "step": 0, "timestamp": GIVEN + 9},
    }.items():
        ask.post(f"metric: {what}", "/runs/log-metric", {**point, **changes})
    for missing in ("run_id", "key", "value", "timestamp", "step"):
        body = {k: v for k, v in point.items() if k != missing}
        ask.post(f"metric: without {missing}", "/runs/log-metric", body)
    # The protocol's JSON has it in quotes; Python's writes the bare word.
    bare = json.dumps({**point, "key": "bare", "value": math.nan})
    ask.post("metric: bare NaN", "/runs/log-metric", bare)
    ask.get("run get logged", "/runs/get", run_id=run_id)


def batches(ask: Any, run_id: str) -> None:
    def points(count: int) -> list[dict[str, Any]]:
        return [{"key": "b", "value": i, "timestamp": GIVEN, "step": i} for i in range(count)]

    def pairs(count: int, key: str = "b") -> list[dict[str, str]]:
        return [{"key": f"{key}{i}", "value": str(i)} for i in range(count)]

    good = {"key": "kept", "value": 1.0, "timestamp": GIVEN, "step": 0}
    for what, body in {
        "all": {"metrics": points(3), "params": pairs(3), "tags": pairs(3)},
        "again": {"metrics": points(3), "params": pairs(3), "tags": pairs(3)},
        "empty": {},
        "1000 points": {"metrics": points(1000)},
        "1001 points": {"metrics": points(1001)},
        "101 params": {"params": pairs(101, "many")},
        "101 tags": {"tags": pairs(101, "many")},
        "1001 in all": {"metrics": points(950), "params": pairs(51, "many")},
        "changed param": {"metrics": [good], "params": [{"key": "b0", "value": "9"}]},
        "param twice": {"metrics": [good], "params": [{"key": "p", "value": "1"}] * 2},
        "param twice otherwise": {
            "params": [{"key": "p", "value": "1"}, {"key": "p", "value": "2"}]
        },
        "tag twice": {"tags": [{"key": "t", "value": "1"}, {"key": "t", "value": "2"}]},
        "bad metric": {"params": pairs(1, "bad"), "metrics": [{**good, "key": "a;b"}]},
        "no list": {"metrics": good},
        "no object": {"params": ["a"]},
        "name by tag": {"tags": [{"key": "mlflow.runName", "value": "by batch"}]},
    }.items():
        ask.post(f"batch: {what}", "/runs/log-batch", {"run_id": run_id, **body})
    ask.post("batch: no run", "/runs/log-batch", {"run_id": NEVER, "metrics": [good]})
    ask.post("batch: no id", "/runs/log-batch", {"metrics": [good]})
    ask.get("run get batched", "/runs/get", run_id=run_id)


def history(ask: Any, run_id: str) -> None:
    path = "/metrics/get-history"
    for key in ("m", "nan", "steps", "exact", "whole", "negative", "kept", "absent"):
        ask.get(f"history: {key}", path, run_id=run_id, metric_key=key)
    token: Any = None
    for page in range(3):
        query = {"run_id": run_id, "metric_key": "b", "max_results": 400}
        query |= {"page_token": token} if token else {}
        token = ask.get(f"history page {page}", path, **query).get("next_page_token")
    ask.get("history: bad page", path, run_id=run_id, metric_key="b", page_token="no token")
    ask.get("history: no run", path, run_id=NEVER, metric_key="m")
    ask.get("history: no key", path, run_id=run_id)
    ask.get("history: no id", path, metric_key="m")
    for size in (0, -1, 25000, 25001, 10**9, "x"):
        ask.get(f"history size {size}", path, run_id=run_id, metric_key="m", max_results=size)


def inputs(ask: Any, run_id: str) -> None:
    data = {"name": "iris", "digest": "abc", "source_type": "local", "source": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "train"}]
    full = {**data, "digest": "def", "schema": '{"a": 1}', "profile": '{"rows": 3}'}
    for what, body in {
        "first": {"datasets": [{"dataset": data, "tags": tags}]},
        "same": {"datasets": [{"dataset": data, "tags": tags}]},
        "second": {"datasets": [{"dataset": full}]},
        "nothing": {},
        "no source": {"datasets": [{"dataset": {"name": "n", "digest": "d"}}]},
        "no list": {"datasets": data},
    }.items():
        ask.post(f"inputs: {what}", "/runs/log-inputs", {"run_id": run_id, **body})
    ask.post("inputs: no run", "/runs/log-inputs", {"run_id": NEVER, "datasets": []})
    ask.get("run get inputs", "/runs/get", run_id=run_id)


def ended(ask: Any, run_id: str) -> None:
    for what, body in {
        "finished": {"status": "FINISHED", "end_time": GIVEN + 1000},
        "only name": {"run_name": "by field"},
        "failed": {"status": "FAILED", "end_time": GIVEN + 2000},
        "killed": {"status": "KILLED", "end_time": str(GIVEN + 3000)},
        "killed again": {"status": "KILLED", "end_time": GIVEN + 3000},
        "unknown status": {"status": "CRASHED"},
        "empty name": {"run_name": ""},
        "nothing": {},
        "bad time": {"end_time": "noon"},
    }.items():
        ask.post(f"update: {what}", "/runs/update", {"run_id": run_id, **body})
        ask.get(f"update then get: {what}", "/runs/get", run_id=run_id)
    late = {"run_id": run_id, "key": "late", "value": "1"}
    ask.post("update: late param", "/runs/log-parameter", late)
    ask.post("update: no run", "/runs/update", {"run_id": NEVER, "status": "FAILED"})
    ask.post("update: no id", "/runs/update", {"status": "FAILED"})


def deleted(ask: Any, own: str, run_id: str) -> None:
    body = {"run_id": run_id}
    pair = {**body, "key": "z", "value": "1"}
    ask.post("run delete", "/runs/delete", body)
    ask.get("run get deleted", "/runs/get", run_id=run_id)
    ask.post("run deleted: tag", "/runs/set-tag", pair)
    ask.post("run deleted: untag", "/runs/delete-tag", pair)
    ask.post("run deleted: param", "/runs/log-parameter", pair)
    point = {**pair, "value": 1.0, "timestamp": 1, "step": 0}
    ask.post("run deleted: metric", "/runs/log-metric", point)
    ask.post("run deleted: batch", "/runs/log-batch", {**body, "tags": [{"key": "z"}]})
    ask.post("run deleted: empty batch", "/runs/log-batch", body)
    ask.post("run deleted: update", "/runs/update", {**body, "run_name": "late"})
    ask.get("run deleted: history", "/metrics/get-history", run_id=run_id, metric_key="m")
    ask.post("run delete: again", "/runs/delete", body)
    ask.post("run delete: unknown", "/runs/delete", {"run_id": NEVER})
    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
        wanted = {"experiment_ids": [own], "filter": "tags.quality = 'b'", "run_view_type": view}
        ask.post(f"run deleted: search {view}", "/runs/search", wanted)
    ask.post("run restore", "/runs/restore", body)
    ask.post("run restore: again", "/runs/restore", body)
    ask.post("run restore: unknown", "/runs/restore", {"run_id": NEVER})
    ask.get("run get restored", "/runs/get", run_id=run_id)
