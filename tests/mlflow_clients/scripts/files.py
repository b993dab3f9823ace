"""Files up and down: large, empty, oddly named, and those that the client makes itself."""

import hashlib
import random
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient

LARGE = 50 << 20
# Without `#`, `?` and `%20`: this client sends them as they are, so that no server sees the name.
NAMES = [
    "plain.txt",
    "with space.txt",
    "percent % sign%.txt",
    "plus+and~tilde.txt",
    "größe 🙂.txt",
    "quote'\"&;=.txt",
    ".hidden",
    "no_ending",
    "two..dots.txt",
    "[brackets]{}().txt",
    "a" * 200 + ".bin",
]


def main(experiment: str, with_pandas: bool) -> dict[str, Any]:
    client = MlflowClient()
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name="files") as active:
        run_id = active.info.run_id
        facts = {
            "large": large(run_id),
            "small": small(client, run_id),
            "named": named(client, run_id),
            "made": made(client, run_id),
        }
        if with_pandas:
            facts["drawn"] = drawn(client, run_id)
    tree = client.list_artifacts(run_id)
    return {**facts, "top": [[f.path, f.is_dir, f.file_size] for f in tree]}


def sha(path: Path | str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def large(run_id: str) -> dict[str, Any]:
    Path("large.bin").write_bytes(random.Random(7).randbytes(LARGE))
    mlflow.log_artifact("large.bin")
    back = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="large.bin")
    return {"size": Path(back).stat().st_size, "is_equal": sha(back) == sha("large.bin")}


def small(client: MlflowClient, run_id: str) -> dict[str, Any]:
    """An empty file, what follows on the same connection, and a file that is written again."""
    Path("empty.txt").write_bytes(b"")
    mlflow.log_artifact("empty.txt", "small")
    mlflow.log_text("one", "small/again.txt")
    mlflow.log_text("three", "small/again.txt")
    listed = [[f.path, f.file_size or 0] for f in client.list_artifacts(run_id, "small")]
    back = client.download_artifacts(run_id, "small/empty.txt")
    return {
        "listed": listed,
        "empty": Path(back).stat().st_size,
        "again": mlflow.artifacts.load_text(f"runs:/{run_id}/small/again.txt"),
        "absent": len(client.list_artifacts(run_id, "no/such/folder")),
    }


def named(client: MlflowClient, run_id: str) -> dict[str, Any]:
    folder = Path("odd")
    (folder / "deep" / "er").mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / name).write_text(name)
    (folder / "deep" / "er" / "leaf.json").write_text("{}")
    mlflow.log_artifacts("odd", "odd")
    back = Path(client.download_artifacts(run_id, "odd"))
    listed = {f.path.removeprefix("odd/") for f in client.list_artifacts(run_id, "odd")}
    arrived = {path.name: path.read_text() for path in back.iterdir() if path.is_file()}
    return {
        "listed otherwise": [sorted(set(NAMES) - listed), sorted(listed - set(NAMES) - {"deep"})],
        "come back": {name: arrived.get(name) == name for name in NAMES},
        "leaf": (back / "deep" / "er" / "leaf.json").read_text(),
        "deep": [[f.path, f.is_dir] for f in client.list_artifacts(run_id, "odd/deep")],
    }


def made(client: MlflowClient, run_id: str) -> dict[str, Any]:
    mlflow.log_dict({"a": [1, 2.5, None], "ü": "ö"}, "made/data.json")
    mlflow.log_dict({"a": 1}, "made/data.yaml")
    mlflow.log_text("<script>alert(1)</script>", "made/page.html")
    return {
        "dict": mlflow.artifacts.load_dict(f"runs:/{run_id}/made/data.json"),
        "files": sorted(f.path for f in client.list_artifacts(run_id, "made")),
    }


def drawn(client: MlflowClient, run_id: str) -> dict[str, Any]:
    """Pictures by name, and by key and step, and a table that grows."""
    import numpy

    picture = numpy.arange(48, dtype=numpy.uint8).reshape(4, 4, 3)
    mlflow.log_image(picture, "made/picture.png")
    for step in range(2):
        mlflow.log_image(picture, key="faces/left", step=step)
    mlflow.log_table({"word": ["a", "b"], "count": [1, 2]}, "made/table.json")
    mlflow.log_table({"word": ["c"], "count": [3]}, "made/table.json")
    table = mlflow.load_table("made/table.json", run_ids=[run_id])
    tags = client.get_run(run_id).data.tags
    steps = [f.path for f in client.list_artifacts(run_id, "images") if f.path.endswith(".png")]
    image = mlflow.artifacts.load_image(f"runs:/{run_id}/made/picture.png")
    return {
        "table": table.to_dict("list"),
        "image": image.size,
        "by step": len(steps),
        "tags": sorted(k for k in tags if k in ("mlflow.loggedArtifacts", "mlflow.loggedImages")),
    }
