"""Archives taken apart, so that two of them can be compared."""

import io
import json
import zipfile
from typing import Any

from studio.exports.archive import archive_of
from studio.metrics.packing import unpack
from studio.runs.models import Run

# What a run is in one studio only: its number, its people and machines, its history.
OF_ONE_STUDIO = {
    *("number", "submitter", "target", "evidence", "cancel", "status_at", "n_events", "n_chunks"),
}


def written(workspace: Any, views: str = "") -> bytes:
    archive = archive_of(workspace, Run.objects.of(workspace), views=views)
    return b"".join(archive.stream())


def json_lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def contents(data: bytes) -> dict[str, Any]:
    """What an archive says, whoever made it: runs, their points and bytes, lineage,
    experiments."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        members = {name: archive.read(name) for name in archive.namelist()}
    found: dict[str, Any] = {
        "experiments": [],
        "runs": {},
        "points": {},
        "files": {},
        "sources": {},
        "models": {},
        "lineage": [],
    }
    for name, content in members.items():
        folder = name.split("/")[0]
        if name == "experiments.jsonl":
            found["experiments"] = [
                {key: one[key] for key in ("name", "title", "description")}
                for one in json_lines(content)
            ]
        elif folder == "runs":
            for line in json_lines(content):
                found["runs"][line["uid"]] = _of_any_studio(line)
                for file in line["files"]:
                    if not file["path"].startswith("imported/"):
                        place = (line["uid"], file["path"])
                        found["files"][place] = members[file["member"]]
        elif folder == "models":
            found["models"] |= {line["uid"]: line for line in json_lines(content)}
        elif folder == "lineage":
            found["lineage"] += json_lines(content)
        elif folder == "metrics":
            found["points"] |= _points(content)
        elif folder in ("sources", "snapshots", "images"):
            found["sources"][name] = content
    return found


def _of_any_studio(line: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in line.items() if key not in OF_ONE_STUDIO | {"files"}}
    kept["properties"] = {
        key: value for key, value in kept["properties"].items() if key != "imported_submitter"
    }
    return kept


def _points(content: bytes) -> dict[Any, Any]:
    stream, found = io.BytesIO(content), {}
    while line := stream.readline():
        head = json.loads(line)
        points = unpack(stream.read(head["n_bytes"]))
        rows = found.setdefault((head["run"], head["name"], head["kind"]), [])
        values = points.values if isinstance(points.values, list) else points.values.tolist()
        # repr: a NaN is not equal to itself.
        columns = zip(points.steps.tolist(), points.times.tolist(), values, strict=True)
        rows.extend(repr(row) for row in columns)
    return found
