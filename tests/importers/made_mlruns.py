"""An `mlruns` folder and a database as MLflow writes them, made without MLflow."""

import sqlite3
from pathlib import Path

START = 1_700_000_000_000
RUNS = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)
SCHEMA = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name VARCHAR(256) NOT NULL,
  artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32));
CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), user_id VARCHAR(256),
  status VARCHAR(9), start_time BIGINT, end_time BIGINT, lifecycle_stage VARCHAR(20),
  artifact_uri VARCHAR(200), experiment_id INTEGER);
CREATE TABLE metrics ("key" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
  run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0',
  PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan));
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE TABLE params ("key" VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32),
  PRIMARY KEY ("key", run_uuid));
CREATE INDEX index_params_run_uuid ON params (run_uuid);
CREATE TABLE tags ("key" VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32),
  PRIMARY KEY ("key", run_uuid));
CREATE INDEX index_tags_run_uuid ON tags (run_uuid);
"""


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def folder(root: Path) -> Path:
    """Two experiments, four runs: one of them the child of another, one going on, one deleted."""
    for number, name in (("1", "'Vision: first'"), ("2", "second")):
        write(root / number / "meta.yaml", f"experiment_id: '{number}'\nname: {name}\n")
    for i, (uid, status, stage) in enumerate(
        zip(RUNS, "3414", ("active", "active", "active", "deleted"), strict=True)
    ):
        home = root / ("1" if i < 2 else "2") / uid
        end = "null" if status == "1" else str(START + 60_000)
        write(
            home / "meta.yaml",
            f"run_id: {uid}\nrun_name: run {i}\nstatus: {status}\nuser_id: zoe\n"
            f"start_time: {START + i}\nend_time: {end}\nlifecycle_stage: {stage}\n",
        )
        write(home / "metrics" / "val" / "loss", f"{START} 0.5 0\n{START + 1} nan 1\n")
        write(home / "params" / "lr", "0.1")
        write(home / "tags" / "mlflow.note.content", "It *works*.")
        write(home / "artifacts" / "notes" / "a.txt", "hello")
    write(root / "1" / RUNS[1] / "tags" / "mlflow.parentRunId", RUNS[0])
    return root


def database(path: Path, n_runs: int) -> Path:
    """So many runs with five parameters, three metrics of four points, and two tags each."""
    with sqlite3.connect(path) as db:
        db.executescript(SCHEMA)
        db.execute("INSERT INTO experiments VALUES (1, 'Many', '', 'active')")
        ids = [f"{i:032x}" for i in range(n_runs)]
        db.executemany(
            "INSERT INTO runs VALUES (?, ?, 'zoe', 'FINISHED', ?, ?, 'active', '', 1)",
            ((uid, f"run {i}", START + i, START + i + 9) for i, uid in enumerate(ids)),
        )
        db.executemany(
            "INSERT INTO params VALUES (?, ?, ?)",
            ((f"p{k}", str(k / 10), uid) for uid in ids for k in range(5)),
        )
        db.executemany(
            "INSERT INTO tags VALUES (?, ?, ?)",
            ((f"t{k}", "x", uid) for uid in ids for k in range(2)),
        )
        db.executemany(
            "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)",
            (
                (f"m{k}", 1 / (step + 1), START + step, uid, step)
                for uid in ids
                for k in range(3)
                for step in range(4)
            ),
        )
    db.close()
    return path
