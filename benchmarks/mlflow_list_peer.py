"""Searches of `mlflow server` over as many runs as ours, with the same shares of everything (see
`studio/metrics/made_up.py`). Its tables are filled directly: its API would take hours.

Of 100 runs, as our door for MLflow's clients is asked, and of 50, as a page of ours shows; what it
answers is JSON, a page is the whole HTML."""

import base64
import json
import random
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import mlflow_search
from benchmarks.measure import Sample, repeat
from benchmarks.mlflow_door import PATH, Peer, mlflow_command
from benchmarks.options import Options

SEED, ROUND = 1, 5_000
EXPERIMENTS = ["load-main", *(f"load-side-{i}" for i in range(1, 8))]
LATEST_MS, EVERY_MS = 1_793_534_400_000, 30_000
METRICS = ["accuracy", "loss", "lr", "seconds", "val_accuracy", "val_loss"]
WORDS = ["baseline", "warmup", "cosine", "dropout", "augmentation", "frozen", "tuned", "larger"]
RARE_WORD, RARE_FIRST, RARE_ONE_IN = "zebrafish", 18, 15_000
# Without statistics SQLite takes minutes for these; with them it takes longer for the others. Each
# is asked in the way that is quicker.
AFTER_ANALYZE = {"sort by a metric", "filter, sort and text"}
# With their shares, in hundredths.
STATUSES = {"FINISHED": 80, "FAILED": 12, "KILLED": 5, "RUNNING": 3}
N_CALLS = 5
AT_ONCE, OF_A_PAGE = 100, 50


def page_bodies(n_runs: int) -> dict[str, dict[str, Any]]:
    """What answers the same question as a page of ours, by the name of that page."""
    note = "tags.`mlflow.note.content`"
    deep = base64.b64encode(json.dumps({"offset": n_runs * 8 // 10}).encode()).decode()
    both = "tags.owner = 'team-7' AND metrics.loss < 0.5"
    return {
        "default order": {},
        "tag, metric and status": {"filter": f"{both} AND status = 'FINISHED'"},
        "tag (2 %)": {"filter": "tags.owner = 'team-7'"},
        "sort by a metric": {"order_by": ["metrics.loss ASC"]},
        "rare word": {"filter": f"{note} LIKE '%{RARE_WORD}%'"},
        "common word": {"filter": f"{note} LIKE '%baseline%'"},
        "deep page (nine tenths down)": {"page_token": deep},
        "filter, sort and text": {
            "filter": f"{both} AND {note} LIKE '%baseline%'",
            "order_by": ["metrics.accuracy DESC"],
        },
    }


@dataclass(frozen=True, slots=True)
class Taken:
    """Samples by the name of what was asked: of 100 runs at once, and of a page of 50."""

    at_once: dict[str, Sample] = field(default_factory=dict)
    of_a_page: dict[str, Sample] = field(default_factory=dict)


def samples(options: Options, n_runs: int, notes: list[str]) -> Taken:
    """None, and a note, without MLflow."""
    command = mlflow_command()
    if command is None:
        notes.append("`mlflow` is not installed (.venv-mlflow or PATH): its list was not measured")
        return Taken()
    peer = Peer(command, options.folder / "mlflow-list-peer")
    try:
        with peer:
            experiments = [_experiment(peer, name) for name in EXPERIMENTS]
        _fill(peer.folder / "mlflow.db", experiments, n_runs)
        at_once = mlflow_search.bodies("")
        del at_once["deep page"]
        taken = Taken()
        asked = (
            (taken.at_once, at_once, AT_ONCE),
            (taken.of_a_page, page_bodies(n_runs), OF_A_PAGE),
        )
        for is_analyzed in (False, True):
            if is_analyzed:
                with closing(sqlite3.connect(peer.folder / "mlflow.db")) as base:
                    base.execute("ANALYZE")
            with peer:
                for found, bodies, n in asked:
                    for name, body in bodies.items():
                        if (name in AFTER_ANALYZE) == is_analyzed:
                            found[name] = _asked(peer, experiments[0], {"max_results": n, **body})
    except TimeoutError as error:
        notes.append(f"`mlflow server` did not start, its list was not measured: {error}")
        return Taken()
    return taken


def _experiment(peer: Peer, name: str) -> int:
    body = json.dumps({"name": name}).encode()
    made = json.loads(peer.door.line().send("POST", f"{PATH}experiments/create", body))
    return int(made["experiment_id"])


def _asked(peer: Peer, experiment: int, asked: dict[str, Any]) -> Sample:
    line = peer.door.line()
    body = json.dumps({"experiment_ids": [str(experiment)], **asked}).encode()

    def call() -> None:
        found = json.loads(line.send("POST", f"{PATH}runs/search", body))
        # Of the rare word there are fewer than a page; nothing found would be another question.
        if not 0 < len(found.get("runs", ())) <= asked["max_results"]:
            raise RuntimeError(f"{len(found.get('runs', ()))} runs found: {asked}")

    return repeat(call, n=N_CALLS, warm=1, root=peer.process)


def _fill(path: Path, experiments: list[int], n_runs: int) -> None:
    """Runs with four tags, eight parameters, six metrics, every third with a description; nine of
    ten in the first experiment, newest first."""
    draw = random.Random(SEED)
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("PRAGMA synchronous=OFF")
        for begin in range(0, n_runs, ROUND):
            indexes = range(begin, min(begin + ROUND, n_runs))
            uids = [uuid.uuid4().hex for _ in indexes]
            base.execute("BEGIN")
            base.executemany(
                "INSERT INTO runs (run_uuid, name, user_id, status, start_time, end_time, "
                "lifecycle_stage, artifact_uri, experiment_id, source_type) "
                "VALUES (?, ?, 'bench', ?, ?, ?, 'active', ?, ?, 'LOCAL')",
                [_run(draw, uid, i, experiments) for uid, i in zip(uids, indexes, strict=True)],
            )
            labels = {
                "tags": [_tags(draw, i) for i in indexes],
                "params": [_parameters(draw) for _ in indexes],
            }
            for table, of_runs in labels.items():
                base.executemany(
                    f"INSERT INTO {table} (run_uuid, key, value) VALUES (?, ?, ?)",
                    [
                        (uid, key, value)
                        for uid, own in zip(uids, of_runs, strict=True)
                        for key, value in own.items()
                    ],
                )
            points = [(uid, name, draw.random()) for uid in uids for name in METRICS]
            for table in ("latest_metrics", "metrics"):
                base.executemany(
                    f"INSERT INTO {table} (run_uuid, key, value, timestamp, step, is_nan) "
                    "VALUES (?, ?, ?, 1700000000000, 99, 0)",
                    points,
                )
            base.execute("COMMIT")


def _run(draw: random.Random, uid: str, i: int, experiments: list[int]) -> tuple[Any, ...]:
    began_ms = LATEST_MS - i * EVERY_MS
    ended_ms = began_ms + int(draw.lognormvariate(6, 1) * 1_000)
    (status,) = draw.choices(list(STATUSES), list(STATUSES.values()))
    (place,) = draw.choices([experiments[0], draw.choice(experiments[1:])], [9, 1])
    return uid, f"run-{i}", status, began_ms, ended_ms, f"mlflow-artifacts:/{uid}", place


def _tags(draw: random.Random, i: int) -> dict[str, str]:
    tags = {
        "model": draw.choice(["resnet", "vit", "bert", "mlp", "unet"]),
        "owner": f"team-{draw.randrange(50)}",
        "quality": draw.choice(["great", "good", "poor", "fantastic run"]),
        "worth another look": "",
    }
    if draw.random() < 1 / 3:
        tags["mlflow.note.content"] = " ".join(draw.choices(WORDS, k=8))
    if i % RARE_ONE_IN == RARE_FIRST:
        tags["mlflow.note.content"] = f"a {RARE_WORD}"
    return tags


def _parameters(draw: random.Random) -> dict[str, str]:
    numbers = {
        key: f"{10 ** draw.uniform(-5, -1):.3g}" for key in ("dropout", "lr", "weight_decay")
    }
    whole = {key: str(draw.randrange(1, 500)) for key in ("batch", "epochs", "layers", "seed")}
    return {**numbers, **whole, "optimizer": draw.choice(["adam", "sgd", "rmsprop", "lion"])}
