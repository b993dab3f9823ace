"""Experiments: made, found, changed, deleted, and everything that is refused."""

from typing import Any

BY = {"start_time": 1, "user_id": "ada"}


def operations(ask: Any, name: str) -> None:
    own = made(ask, f"{name} experiments")
    changed(ask, own, f"{name} experiments")
    deleted(ask, own, f"{name} experiments")
    searched(ask, f"{name} experiments")


def made(ask: Any, name: str) -> str:
    path = "/experiments/create"
    body = {"name": f"{name} a", "tags": [{"key": "team", "value": "ü"}, {"key": "x", "value": ""}]}
    own = ask.post("create", path, body)["experiment_id"]
    for what, wrong in {
        "again": {"name": f"{name} a"},
        "no name": {},
        "null name": {"name": None},
        "empty name": {"name": ""},
        "long name": {"name": "n" * 501},
        "number as name": {"name": 7},
        "tags that are no list": {"name": f"{name} t", "tags": "no"},
        "a list": [],
        "no JSON": "{",
        "empty body": "",
        "unknown field": {"name": f"{name} unknown field", "colour": "red"},
    }.items():
        ask.post(f"create: {what}", path, wrong)
    for what, query in {
        "": {"experiment_id": own},
        ": unknown": {"experiment_id": "987654321"},
        ": no number": {"experiment_id": "abc"},
        ": nothing": {},
    }.items():
        ask.get(f"get{what}", "/experiments/get", **query)
    ask.get("get by name", "/experiments/get-by-name", experiment_name=f"{name} a")
    ask.get("get by name: unknown", "/experiments/get-by-name", experiment_name="no such one")
    ask.get("get by name: nothing", "/experiments/get-by-name")
    ask.get("get default", "/experiments/get", experiment_id="0")
    return str(own)


def changed(ask: Any, own: str, name: str) -> None:
    rename = "/experiments/update"
    ask.post("create second", "/experiments/create", {"name": f"{name} b"})
    ask.post("rename", rename, {"experiment_id": own, "new_name": f"{name} c"})
    ask.post("rename: taken", rename, {"experiment_id": own, "new_name": f"{name} b"})
    ask.post("rename: to its own", rename, {"experiment_id": own, "new_name": f"{name} c"})
    ask.post("rename: nothing", rename, {"experiment_id": own})
    ask.post("rename: unknown", rename, {"experiment_id": "987654321", "new_name": "z"})
    tag = "/experiments/set-experiment-tag"
    ask.post("tag", tag, {"experiment_id": own, "key": "team", "value": "vision"})
    ask.post("tag: second", tag, {"experiment_id": own, "key": "a/b c.d", "value": "1"})
    ask.post("tag: no key", tag, {"experiment_id": own, "value": "1"})
    ask.post("tag: empty value", tag, {"experiment_id": own, "key": "empty", "value": ""})
    ask.post("tag: long key", tag, {"experiment_id": own, "key": "k" * 251, "value": "1"})
    ask.post("tag: long value", tag, {"experiment_id": own, "key": "l", "value": "v" * 5001})
    ask.post("tag: unknown", tag, {"experiment_id": "987654321", "key": "a", "value": "1"})
    untag = "/experiments/delete-experiment-tag"
    ask.post("untag", untag, {"experiment_id": own, "key": "a/b c.d"})
    ask.post("untag: absent", untag, {"experiment_id": own, "key": "absent"})
    ask.post("untag long", untag, {"experiment_id": own, "key": "l"})
    ask.get("get changed", "/experiments/get", experiment_id=own)


def deleted(ask: Any, own: str, name: str) -> None:
    body = {"experiment_id": own}
    run = ask.post("run in it", "/runs/create", {**body, "run_name": "in it", **BY})
    run_id = run["run"]["info"]["run_id"]
    ask.post("delete", "/experiments/delete", body)
    ask.get("get deleted", "/experiments/get", **body)
    ask.get("get deleted by name", "/experiments/get-by-name", experiment_name=f"{name} c")
    ask.get("get run of deleted", "/runs/get", run_id=run_id)
    ask.post("create with the name of deleted", "/experiments/create", {"name": f"{name} c"})
    ask.post("run in deleted", "/runs/create", {**body, **BY})
    tag = {"run_id": run_id, "key": "a", "value": "1"}
    ask.post("tag run of deleted", "/runs/set-tag", tag)
    ask.post("rename deleted", "/experiments/update", {**body, "new_name": f"{name} d"})
    late = {**body, "key": "late", "value": "1"}
    ask.post("tag deleted", "/experiments/set-experiment-tag", late)
    ask.post("delete: again", "/experiments/delete", body)
    ask.post("delete: unknown", "/experiments/delete", {"experiment_id": "987654321"})
    ask.post("restore", "/experiments/restore", body)
    ask.get("get restored", "/experiments/get", **body)
    ask.get("get run of restored", "/runs/get", run_id=run_id)
    ask.post("restore: again", "/experiments/restore", body)
    ask.post("restore: unknown", "/experiments/restore", {"experiment_id": "987654321"})


def searched(ask: Any, name: str) -> None:
    for number in range(5):
        tags = [{"key": "n", "value": str(number)}, {"key": "with space", "value": "yes"}]
        body = {"name": f"{name} s{number} {'Odd' if number % 2 else 'even'}", "tags": tags}
        ids = ask.post(f"create s{number}", "/experiments/create", body)
    ask.post("delete s4", "/experiments/delete", {"experiment_id": ids["experiment_id"]})
    own = f"name LIKE '{name} s%'"
    path = "/experiments/search"
    for clause in (
        f"name = '{name} s1 Odd'",
        f"name != '{name} s1 Odd'",
        f"name LIKE '{name} s%Odd'",
        f"name LIKE '{name} s%odd'",
        f"name ILIKE '{name} s%ODD'",
        "tags.n = '2'",
        "tags.n != '2'",
        "tags.n LIKE '%'",
        "tags.`with space` = 'yes'",
        'tags."with space" = "yes"',
        "tags.absent = '1'",
        "tags.absent != '1'",
        "creation_time > 0",
        "creation_time < 0",
        "last_update_time >= 0 AND tags.n = '1'",
        "attribute.name ILIKE '%'",
        "colour = 'red'",
        "name > 'a'",
        "name = 3",
        "name =",
        "tags.n = '1' OR tags.n = '2'",
    ):
        body = {"filter": f"{own} AND {clause}", "max_results": 50, "order_by": ["name ASC"]}
        ask.post(f"search: {clause.replace(name, 'NAME')}", path, body)
    for order in (["name DESC"], ["name"], [], ["creation_time ASC"], ["colour ASC"], ["name UP"]):
        body = {"filter": own, "max_results": 50, "order_by": order}
        ask.post(f"search ordered: {order}", path, body)
    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL", "SOME"):
        body = {"filter": own, "max_results": 50, "order_by": ["name"], "view_type": view}
        ask.post(f"search view: {view}", path, body)
    for size in (0, -1, 50001, "2", None, 1.5):
        body = {"filter": own, "order_by": ["name"], "max_results": size}
        ask.post(f"search size: {size!r}", path, body)
    token = ""
    for page in range(3):
        body = {"filter": own, "order_by": ["name"], "max_results": 2, "page_token": token}
        token = ask.post(f"search page {page}", path, body).get("next_page_token", "")
    body = {"filter": own, "max_results": 2, "page_token": "no token"}
    ask.post("search page: bad", path, body)
    ask.get("search by GET", path, filter=own, max_results=2, order_by="name DESC")
