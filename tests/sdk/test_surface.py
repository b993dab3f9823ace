"""The surface of the original, name by name: arguments in their order, with their defaults."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from studio import sdk
from studio.sdk import Experiment, OfflineRun, Run, ScriptRunConfig, Workspace

LOG = "name value description=''"
DOCUMENT = "name value description=''"
FILTERS = "type=None tags=None properties=None"

SURFACE = {
    Workspace: {
        "from_config": "path=None auth=None _file_name=None",
        "write_config": "path=None file_name=None",
        "get_run": "run_id",
        "get_details": "",
        "get_mlflow_tracking_uri": "",
        "get_portal_url": "",
    },
    Experiment: {
        "__init__": "workspace name",
        "start_logging": "name=None run_id=None outputs=None snapshot_directory='.' "
        "display_name=None description=None",
        "submit": "config tags=None",
        "get_runs": f"{FILTERS} include_children=False",
        "list": "workspace experiment_name=None view_type='ActiveOnly' tags=None",
        "archive": "",
        "reactivate": "new_name=None",
        "tag": "key value=None",
        "set_tags": "tags",
        "remove_tags": "tags",
        "refresh": "",
        "get_portal_url": "",
    },
    ScriptRunConfig: {
        "__init__": "source_directory=None script=None arguments=None run_config=None "
        "compute_target=None environment=None distributed_job_config=None resume_from=None "
        "max_run_duration_seconds=2592000 command=None docker_runtime_config=None",
    },
    Run: {
        "__init__": "experiment run_id outputs=None",
        "get_context": "allow_offline=True",
        "get_submitted_run": "",
        "get": "workspace run_id",
        "list": f"experiment {FILTERS} status=None include_children=False",
        "list_by_compute": f"compute {FILTERS} status=None",
        "start": "",
        "get_status": "",
        "get_detailed_status": "",
        "get_details": "",
        "get_details_with_logs": "",
        "get_all_logs": "destination=None",
        "wait_for_completion": "show_output=False wait_post_processing=False raise_on_error=True",
        "complete": "_set_status=True",
        "fail": "error_details=None error_code=None _set_status=True",
        "cancel": "",
        "flush": "timeout_seconds=300",
        "clean": "",
        "child_run": "name=None run_id=None outputs=None",
        "create_children": "count=None tag_key=None tag_values=None",
        "submit_child": "config tags=None",
        "get_children": "recursive=False tags=None properties=None type=None status=None "
        "_rehydrate_runs=True",
        "tag": "key value=None",
        "set_tags": "tags",
        "get_tags": "",
        "remove_tags": "tags",
        "add_properties": "properties",
        "get_properties": "",
        "upload_file": "name path_or_stream datastore_name=None",
        "upload_files": "names paths return_artifacts=False timeout_seconds=None "
        "datastore_name=None",
        "upload_folder": "name path datastore_name=None",
        "get_file_names": "",
        "download_file": "name output_file_path=None _validate_checksum=False",
        "download_files": "prefix=None output_directory=None output_paths=None batch_size=100 "
        "append_prefix=True timeout_seconds=None",
        "take_snapshot": "path",
        "get_snapshot_id": "",
        "get_environment": "",
        "restore_snapshot": "snapshot_id=None path=None",
        "get_metrics": "name=None recursive=False run_type=None populate=False",
        "get_portal_url": "",
        "log": f"{LOG} step=None",
        "log_list": LOG,
        "log_row": "name description=None",
        "log_table": LOG,
        "log_image": "name path=None plot=None description=''",
        "log_confusion_matrix": DOCUMENT,
        "log_accuracy_table": DOCUMENT,
        "log_residuals": DOCUMENT,
        "log_predictions": DOCUMENT,
    },
}
PROPERTIES = {
    Workspace: ["name", "experiments", "compute_targets", "runs"],
    Experiment: ["id", "name", "workspace", "description", "archived_time", "tags"],
    Run: [
        *("id", "number", "type", "experiment", "status", "parent", "name", "display_name"),
        *("description", "tags", "properties"),
    ],
}
EXCEPTIONS = (
    *("UserErrorException", "RunEnvironmentException", "ActivityFailedException"),
    *("AzureMLException", "ExperimentExecutionException", "SnapshotException"),
    *("ServiceException", "ModelPathNotFoundException", "RunConfigurationException"),
    *("AuthenticationException", "WorkspaceException"),
)
NOT_HERE = [
    *((Experiment, "delete"), (Workspace, "create")),
    *((Run, "register_model"), (Run, "get_secret")),
]
ROOT = Path(__file__).resolve().parents[2]
# Ours may come behind the original's, by keyword only, or as a positional one behind them.
OURS_BEHIND = {("cancel", "reason")}


@pytest.mark.parametrize(
    ("cls", "name", "expected"),
    [(cls, name, text) for cls, table in SURFACE.items() for name, text in table.items()],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_call_takes_the_arguments_of_the_original(cls: type, name: str, expected: str) -> None:
    found = []
    for parameter in inspect.signature(getattr(cls, name)).parameters.values():
        ours = parameter.name in ("self", "_create") or (name, parameter.name) in OURS_BEHIND
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and not ours:
            default = parameter.default
            equals = "" if default is parameter.empty else f"={default!r}"
            found.append(parameter.name + equals)
    assert " ".join(found) == expected
    assert inspect.getdoc(getattr(cls, name))


@pytest.mark.parametrize(("cls", "name"), NOT_HERE)
def test_what_is_not_here_is_told_in_the_docs(cls: type, name: str) -> None:
    text = (ROOT / "docs" / "sdk.md").read_text().partition("## What is not here")[2]
    assert not hasattr(cls, name)
    assert f"{name}`" in text


@pytest.mark.parametrize("cls", PROPERTIES)
def test_what_is_read_of_an_object_has_the_names_of_the_original(cls: type) -> None:
    known = set(dir(cls)) | {"name", "workspace"}
    assert set(PROPERTIES[cls]) <= known


def test_the_exceptions_are_one_tree() -> None:
    for name in EXCEPTIONS:
        assert issubclass(getattr(sdk, name), sdk.StudioError), name


def test_an_offline_run_has_every_call_of_a_run() -> None:
    for name in SURFACE[Run]:
        assert callable(getattr(OfflineRun, name))


def test_the_version_is_that_of_the_package() -> None:
    import tomllib

    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["version"] == sdk.VERSION == sdk.__version__
