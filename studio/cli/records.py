"""Runs and experiments as the command line shows them: one casing, the original's names where it
has one, tags and properties always objects."""

from __future__ import annotations

from typing import Any

RUN = {
    "run_id": "uid",
    "run_number": "number",
    "experiment_name": "experiment",
    "workspace_name": "workspace",
    "display_name": "display_name",
    "run_type": "type",
    "status": "status",
    "status_reason": "status_reason",
    "status_utc": "status_at",
    "target": "target",
    "submitter": "submitter",
    "parent_run_id": "parent",
    "root_run_id": "root",
    "n_children": "n_children",
    "created_utc": "created_at",
    "start_time_utc": "started_at",
    "end_time_utc": "ended_at",
    "duration_s": "duration_s",
    "heartbeat_utc": "last_beat_at",
    "tags": "tags",
    "properties": "properties",
    "parameters": "parameters",
    "description": "description",
    "script_name": "script",
    "arguments": "arguments",
    "snapshot_id": "snapshot",
    "error": "error",
    "warnings": "warnings",
    "cancel_request": "cancel",
    "exit_code": "exit_code",
    "exit_signal": "exit_signal",
    "starred": "starred",
    "archived_utc": "archived_at",
    "deleted_utc": "deleted_at",
    "url": "url",
}
OBJECTS = ("tags", "properties", "parameters")
RUN_COLUMNS = (
    *("run_id", "display_name", "experiment_name", "status", "created_utc", "duration_s"),
    *("submitter", "tags"),
)
EXPERIMENT_COLUMNS = ("name", "created_utc", "latest_run_utc", "archived_time", "description")


def run_object(record: dict[str, Any]) -> dict[str, Any]:
    """A run of the API; with `run_definition` where the API gave one."""
    run = {name: record.get(field) for name, field in RUN.items()}
    run.update({name: run[name] or {} for name in OBJECTS})
    if "definition" in record:
        run["run_definition"] = record["definition"] or {}
    return run


def experiment_object(record: dict[str, Any]) -> dict[str, Any]:
    """An experiment of the API; with `n_runs` where the API counted them."""
    experiment = {
        "name": record["name"],
        "description": record.get("description") or "",
        "created_utc": record.get("created_at"),
        "archived_time": record.get("archived_at"),
        "latest_run_utc": record.get("latest_run_at"),
        "starred": bool(record.get("starred")),
        "tags": record.get("tags") or {},
    }
    if record.get("n_runs") is not None:
        experiment["n_runs"] = record["n_runs"]
    return experiment
