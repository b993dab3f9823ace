"""Logged models: made, changed, found, deleted, and the metrics and runs that they belong to."""

from typing import Any

from differential import GIVEN
from ops_experiments import BY

NEVER = "m-" + "0" * 32


def operations(ask: Any, name: str) -> None:
    body = {"name": f"{name} models"}
    own = ask.post("models: experiment", "/experiments/create", body)["experiment_id"]
    run = ask.post(
        "models: run", "/runs/create", {"experiment_id": own, "run_name": "models", **BY}
    )
    run_id = run["run"]["info"]["run_id"]
    model_id = made(ask, own, run_id)
    changed(ask, model_id)
    measured(ask, own, run_id, model_id)
    searched(ask, own)
    deleted(ask, own, model_id)


def made(ask: Any, own: str, run_id: str) -> str:
    path = "/logged-models"
    pairs = [{"key": "lr", "value": "0.1"}]
    full = {"name": "net", "source_run_id": run_id, "model_type": "classifier"}
    body = {"experiment_id": own, **full, "params": pairs, "tags": pairs}
    answer = ask.post("model", path, body)
    for what, wrong in {
        "same name": {"experiment_id": own, "name": "net"},
        "odd name": {"experiment_id": own, "name": "a/b:c"},
        "no experiment": {"name": "n"},
        "unknown experiment": {"experiment_id": "987654321", "name": "n"},
    }.items():
        ask.post(f"model: {what}", path, wrong)
    spare = ask.post("model: spare", path, {"experiment_id": own, "name": "spare"})
    other = spare["model"]["info"]["model_id"]
    body = {"model_id": other, "status": "NO_STATUS"}
    ask.post("model ends NO_STATUS", f"{path}/{other}", body, "PATCH")
    ask.post("model: without spare", f"{path}/{other}", {"model_id": other}, "DELETE")
    return str(answer["model"]["info"]["model_id"])


def changed(ask: Any, model_id: str) -> None:
    path = f"/logged-models/{model_id}"
    ask.get("model get", path)
    ask.get("model get: unknown", f"/logged-models/{NEVER}")
    more = [{"key": f"p{n}", "value": str(n)} for n in range(3)]
    ask.post("model params", f"{path}/params", {"model_id": model_id, "params": more})
    ask.post("model params: same", f"{path}/params", {"model_id": model_id, "params": more})
    other = [{"key": "p0", "value": "other"}]
    ask.post("model params: other", f"{path}/params", {"model_id": model_id, "params": other})
    ask.post("model tags", f"{path}/tags", {"model_id": model_id, "tags": more}, "PATCH")
    changed_tag = {"model_id": model_id, "tags": other}
    ask.post("model tags: other", f"{path}/tags", changed_tag, "PATCH")
    ask.post("model untag", f"{path}/tags/p1", {}, "DELETE")
    ask.post("model untag: absent", f"{path}/tags/absent", {}, "DELETE")
    for status in ("LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"):
        body = {"model_id": model_id, "status": status}
        ask.post(f"model ends {status}", path, body, "PATCH")
    ask.post("model ends: unknown", f"/logged-models/{NEVER}", {"status": "x"}, "PATCH")
    ask.get("model get changed", path)


def measured(ask: Any, own: str, run_id: str, model_id: str) -> None:
    point = {"run_id": run_id, "key": "acc", "value": 0.5, "timestamp": GIVEN, "step": 1}
    ask.post("model metric", "/runs/log-metric", {**point, "model_id": model_id})
    late = {**point, "value": 0.75, "step": 2, "model_id": model_id}
    ask.post("model metric: later", "/runs/log-metric", late)
    data = {"dataset_name": "iris", "dataset_digest": "d"}
    ask.post("model metric: data", "/runs/log-metric", {**late, "key": "on data", **data})
    ask.post("model metric: unknown", "/runs/log-metric", {**point, "model_id": NEVER})
    pair = {"run_id": run_id, "models": [{"model_id": model_id, "step": 3}]}
    ask.post("model output", "/runs/outputs", pair)
    ask.post("model output: same", "/runs/outputs", pair)
    ask.post("model input", "/runs/log-inputs", {**pair, "models": [{"model_id": model_id}]})
    ask.post("model output: no run", "/runs/outputs", {**pair, "run_id": "0" * 32})
    ask.get("model get measured", f"/logged-models/{model_id}")
    ask.get("model run", "/runs/get", run_id=run_id)
    unknown = {"run_id": run_id, "models": [{"model_id": NEVER, "step": 0}]}
    ask.post("model output: unknown", "/runs/outputs", unknown)


def searched(ask: Any, own: str) -> None:
    for number in range(4):
        tags = [{"key": "n", "value": str(number)}]
        body = {"experiment_id": own, "name": f"found-{number}", "params": tags, "tags": tags}
        ask.post(f"model found-{number}", "/logged-models", body)
    for clause in (
        "name = 'net'",
        "name != 'net'",
        "name LIKE 'found-%'",
        "name ILIKE 'FOUND-%'",
        "tags.n = '2'",
        "params.n != '2'",
        "metrics.acc > 0.6",
        "metrics.acc < 0.6",
        "model_type = 'classifier'",
        "status = 'READY'",
        "status = 'PENDING'",
        "creation_timestamp > 0",
        "name = 'net' AND tags.lr = '0.1'",
        "colour = 'red'",
        "name ~ 'x'",
    ):
        names(ask, f"models found: {clause}", own, filter=clause)
    for order in (["name", True], ["name", False], ["metrics.acc", False], ["colour", True]):
        by = [{"field_name": order[0], "ascending": order[1]}, {"field_name": "name"}]
        names(ask, f"models ordered: {order}", own, order_by=by)
    token = ""
    for page in range(3):
        by = [{"field_name": "name", "ascending": True}]
        token = names(ask, f"models page {page}", own, order_by=by, max_results=3, page_token=token)
    ask.post("models of no experiment", "/logged-models/search", {})
    unknown = {"experiment_ids": ["987654321"]}
    ask.post("models of an unknown experiment", "/logged-models/search", unknown)


def names(ask: Any, label: str, own: str, **wanted: Any) -> str:
    answer = ask.post(label, "/logged-models/search", {"experiment_ids": [own], **wanted})
    if "models" in answer:
        found = [model["info"]["name"] for model in answer["models"]]
        # Without an order, that of equal times is chance.
        ask.answers[label]["answer"] = found if "order_by" in wanted else sorted(found)
    return str(answer.get("next_page_token", ""))


def deleted(ask: Any, own: str, model_id: str) -> None:
    path = f"/logged-models/{model_id}"
    ask.post("model delete", path, {"model_id": model_id}, "DELETE")
    ask.get("model get deleted", path)
    ask.get("model get deleted: allowed", path, allow_deleted="true")
    ask.post("model delete: again", path, {"model_id": model_id}, "DELETE")
    ask.post("model delete: unknown", f"/logged-models/{NEVER}", {}, "DELETE")
    names(ask, "models without the deleted", own)
