"""Runs with made-up numbers (fixed seed), found by every operator, in every order, page by page."""

import random
from typing import Any

from differential import GIVEN

COUNT = 24
WORDS = ["adam", "Adam", "sgd", "a%b", "a_b", "it's", "größe", "10", "9", ""]

METRICS = [
    "metrics.loss",
    "metric.loss",
    "metrics.`val loss`",
    'metrics."val loss"',
    "metrics.rare",
]
NUMBERS = ["0", "0.5", "-1", "1e0", "-2.5E-1", "+0.25", "1000"]
TEXTS = ["'adam'", '"Adam"', "'a%'", "'A%'", "'%D%'", "'a_b'", "''", "'10'", "'größe'"]

CLAUSES = [
    "status = 'RUNNING'",
    "status != 'RUNNING'",
    "attributes.status = 'FINISHED'",
    "attribute.status = 'finished'",
    "status LIKE 'FIN%'",
    "status IN ('FINISHED', 'FAILED')",
    "attr.run_name = 'run 3'",
    "run.run_name LIKE 'run 1%'",
    "run_name ILIKE 'RUN 2%'",
    "run_name != 'run 3'",
    "attributes.`run name` = 'run 3'",
    "attributes.Created > 0",
    f"start_time > {GIVEN + 12_000}",
    f"attributes.start_time <= {GIVEN + 5_000}",
    f"start_time = {GIVEN + 7_000}",
    f"start_time != {GIVEN + 7_000}",
    f"end_time >= {GIVEN + 30_000}",
    "user_id = 'ada'",
    "user_id LIKE '%O%'",
    "artifact_uri LIKE 'mlflow-artifacts:%'",
    "run_id IN ('{first}', '{second}')",
    "run_id NOT IN ('{first}', '{second}')",
    "attributes.run_id = '{first}'",
    "run_id != '{first}'",
    "params.optimizer IS NULL",
    "params.optimizer IS NOT NULL",
    "params.rare is null AND tags.kind is not null",
    "tags.kind IS NULL",
    "tags.`with space` = 'yes'",
    "tags.\"with space\" LIKE 'y%'",
    "tags.dotted.key = '1'",
    "tags.mlflow.user = 'ada'",
    "tags.`mlflow.runName` = 'run 5'",
    "params.optimizer = 'it\\'s'",
    'params.optimizer = "it\'s"',
    "metrics.loss < 0.5 and params.optimizer = 'adam' AND tags.kind != 'b'",
    "metrics.loss < 0.5 AND metrics.loss > 0.1",
    "datasets.name = 'iris'",
    "dataset.digest IN ('d1', 'd2')",
    "datasets.name LIKE 'ir%'",
    "dataset.context = 'train'",
    # What is refused.
    "metrics.loss ~ 3",
    "metrics.loss LIKE '3'",
    "metrics.loss = 'high'",
    "metrics.loss IN (1, 2)",
    "metrics.loss IS NULL",
    "params.optimizer > 'a'",
    "params.optimizer = adam",
    "params.optimizer = 3",
    "params.optimizer IN ('adam')",
    "params.'optimizer' = 'adam'",
    "colour.x = '1'",
    "attributes.colour = 'red'",
    "status > 'A'",
    "start_time LIKE '1%'",
    "start_time > 'noon'",
    "metrics.loss < 0.5 OR metrics.loss > 1",
    "(metrics.loss < 0.5)",
    "NOT metrics.loss < 0.5",
    "metrics.loss <",
    "< 3",
    "metrics.loss < 3 AND",
    "metrics.loss < 3 metrics.rare > 2",
    "metrics. < 3",
    "run_id IN ()",
    "run_id IN 'a'",
    "'unclosed",
    "tags.kind = 'a' ; DROP TABLE runs",
    "params.optimizer = 'adam",
    "metrics.loss > 1.2.3",
    "0.5 > metrics.loss",
]

ORDERS = [
    [],
    ["metrics.loss"],
    ["metrics.loss ASC"],
    ["metrics.loss DESC"],
    ["metrics.`val loss` desc", "params.optimizer"],
    ["metrics.rare DESC"],
    ["params.optimizer ASC"],
    ["params.optimizer DESC"],
    ["params.`rare` DESC"],
    ["tags.kind ASC", "metrics.loss DESC"],
    ["tag.kind DESC", "start_time ASC"],
    ["attributes.start_time ASC"],
    ["start_time DESC"],
    ["attribute.end_time ASC"],
    ["attributes.status", "attributes.run_name DESC"],
    ["run_name"],
    ["attributes.`Run Name` ASC"],
    ["Created DESC"],
    ["user_id DESC", "metrics.loss"],
    ["metrics.absent DESC"],
    ["metrics.loss DOWN"],
    ["colour.x"],
    ["attributes.colour"],
    ["metrics.loss ASC extra"],
    [""],
    ["metrics.loss, params.optimizer"],
    ["metrics.loss", "metrics.loss DESC"],
]


def operations(ask: Any, name: str) -> None:
    rng = random.Random(20)
    body = {"name": f"{name} search"}
    own = ask.post("found: experiment", "/experiments/create", body)["experiment_id"]
    ids = [run(ask, rng, own, number) for number in range(COUNT)]
    known = {"first": ids[0], "second": ids[1]}
    for clause in [*CLAUSES, *crossed()]:
        found(ask, f"found: {clause}", own, filter=clause.format(**known))
    for order in ORDERS:
        found(ask, f"ordered: {order}", own, order_by=order)
    for number in range(25):
        clause = " AND ".join(rng.sample([*SAFE, *crossed()], 2))
        order = rng.sample(["metrics.loss DESC", "params.optimizer", "tags.kind DESC"], 2)
        found(ask, f"mixed {number}: {clause} {order}", own, filter=clause, order_by=order)
    paged(ask, own)


SAFE = ["status = 'RUNNING'", "run_name LIKE 'run 1%'", "tags.kind IS NOT NULL", "start_time > 0"]


def crossed() -> list[str]:
    """Metrics with every comparison, parameters and tags with each of theirs."""
    signs = ("=", "!=", ">", ">=", "<", "<=")
    numbers = [
        f"{metric} {sign} {NUMBERS[(i + j) % len(NUMBERS)]}"
        for i, metric in enumerate(METRICS)
        for j, sign in enumerate(signs)
    ]
    words = ("=", "!=", "LIKE", "ILIKE", "like", "ilike")
    fields = ("params.optimizer", "param.optimizer", "parameters.optimizer", "tags.kind")
    texts = [
        f"{field} {word} {TEXTS[(i + 2 * j) % len(TEXTS)]}"
        for i, field in enumerate(fields)
        for j, word in enumerate(words)
    ]
    return numbers + texts


def run(ask: Any, rng: random.Random, own: str, number: int) -> str:
    body = {
        "experiment_id": own,
        "run_name": f"run {number}",
        "start_time": GIVEN + 1000 * number,
        "user_id": rng.choice(["ada", "bob"]),
    }
    info = ask.post(f"found: make {number}", "/runs/create", body)["run"]["info"]
    values = {"loss": rng.choice([rng.uniform(-1, 2), 0.5, -1.0]), "val loss": rng.random()}
    if number % 7 == 0:
        values = {"rare": float(number), "loss": [0.25, "NaN"][number % 2]}
    if number % 11 == 0:
        values = {}
    points = [
        {"key": k, "value": v, "timestamp": GIVEN, "step": s}
        for k, v in values.items()
        for s in (0, 1)
    ]
    params = [{"key": "optimizer", "value": rng.choice(WORDS)}] if number % 5 else []
    params += [{"key": "rare", "value": str(number)}] if number % 9 == 0 else []
    tags = [{"key": "kind", "value": rng.choice([*"aabB", "Adam", "adam"])}] if number % 4 else []
    tags += [{"key": "with space", "value": "yes"}, {"key": "dotted.key", "value": str(number % 3)}]
    batch = {"run_id": info["run_id"], "metrics": points, "params": params, "tags": tags}
    ask.post(f"found: log {number}", "/runs/log-batch", batch)
    if number % 6 == 0:
        data = {"name": rng.choice(["iris", "wine"]), "digest": f"d{number // 6}"}
        entry = {"dataset": {**data, "source_type": "local", "source": "{}"}, "tags": CONTEXT}
        logged = {"run_id": info["run_id"], "datasets": [entry]}
        ask.post(f"found: data {number}", "/runs/log-inputs", logged)
    if number % 3:
        status = rng.choice(["FINISHED", "FAILED", "KILLED"])
        end = {"run_id": info["run_id"], "status": status, "end_time": GIVEN + 1500 * number}
        ask.post(f"found: end {number}", "/runs/update", end)
    return str(info["run_id"])


CONTEXT = [{"key": "mlflow.data.context", "value": "train"}]


def found(ask: Any, label: str, own: str, **wanted: Any) -> None:
    """Keep only the names: that a found run is whole is seen elsewhere."""
    body = {"experiment_ids": [own], "max_results": 100, **wanted}
    answer = ask.post(label, "/runs/search", body)
    if "runs" in answer:
        ask.answers[label]["answer"] = [run["info"]["run_name"] for run in answer["runs"]]


def paged(ask: Any, own: str) -> None:
    body: dict[str, Any] = {"experiment_ids": [own], "order_by": ["params.optimizer DESC"]}
    token = ""
    for page in range(5):
        label, path = f"search page {page} of runs", "/runs/search"
        answer = ask.post(label, path, {**body, "max_results": 9, "page_token": token})
        token = answer.get("next_page_token", "")
        names = [run["info"]["run_name"] for run in answer.get("runs", [])]
        ask.answers[label]["answer"] = [names, bool(token)]
    whole = {"experiment_ids": [own], "max_results": 3}
    ask.post("search whole runs", "/runs/search", whole)
    for what, changes in {
        "size 0": {"max_results": 0},
        "size -1": {"max_results": -1},
        "size 50001": {"max_results": 50001},
        "size as text": {"max_results": "2", "filter": "run_name = 'run 3'"},
        "bad token": {"page_token": "no token"},
        "no experiments": {"experiment_ids": []},
        "unknown experiment": {"experiment_ids": ["987654321"]},
        "experiment as text": {"experiment_ids": own},
        "two experiments": {"experiment_ids": [own, "987654321"], "filter": "run_name = 'run 3'"},
        "view": {"run_view_type": "SOME", "filter": "run_name = 'run 3'"},
        "order as text": {"order_by": "metrics.loss", "filter": "run_name = 'run 3'"},
    }.items():
        ask.post(f"search of runs: {what}", "/runs/search", {**body, **changes})
