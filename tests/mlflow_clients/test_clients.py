"""Unchanged MLflow clients, of today and of the generation before, log to a real studio."""

from typing import Any

import pytest

from benchmarks.client import Browser
from studio.sdk import Experiment
from tests.live.studio import PASSWORD, Studio
from tests.mlflow_clients.client import MlflowClient

pytestmark = pytest.mark.live

NO, GONE = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
PLAIN = {
    "logged": {
        "name": "first steps",
        "status": "FINISHED",
        "is_dated": True,
        "params": {
            "optimizer": "adam",
            "lr": "0.1",
            "layers/0": "64",
            "größe": "groß",
            "batch": "32",
        },
        "metrics": {"loss": 0.125, "accuracy": 0.75, "f1 score": 0.5},
        "tags": {"quality": "good", "batched": "yes"},
        "note": "Learns **slowly**",
        "named": "first steps",
        # By time: what the batch brought is from the year 2023.
        "history": [[4, 0.125], [0, 1.0], [1, 0.5], [2, 1 / 3], [3, 0.25]],
        "batched at": 1_700_000_000_000,
        "no history": 0,
        "changed": NO,
        "files": ["texts/notes.txt"],
        "text": "read me",
        "found": ["first steps"],
    },
    "resumed": {
        "statuses": ["FAILED", "RUNNING", "FINISHED", "KILLED"],
        "params": {"late": "yes"},
        "loss": [2.0, 1.0],
        "names": ["went on", "went on"],
    },
    "families": {
        "children": ["child 0", "child 1", "child 2"],
        "some": ["child 1", "child 2"],
        "by loss": ["child 2", "child 1", "child 0"],
        "pages": [["child 0", "child 1"], ["child 2"]],
    },
    "trash": {
        "found": [[], ["deleted"], ["deleted"]],
        "closed": NO,
        "stages": ["deleted", "active"],
        "unknown run": GONE,
        "unknown experiment": GONE,
        "bad filter": NO,
        "bad page": NO,
    },
    "unnamed": {"experiment": "0", "has a name": True, "default": "Default"},
}


def experiments(name: str) -> dict[str, Any]:
    return {
        "is_same": True,
        "tags": {"team": "vision", "stage": "early", "mlflow.note.content": "What **this** is for"},
        "stages": ["active", "deleted", "active"],
        "has_times": True,
        "listed": [[], [f"{name} renamed"], [f"{name} renamed"]],
        "absent": None,
        "taken": "RESOURCE_ALREADY_EXISTS",
        "nameless": NO,
    }


@pytest.mark.parametrize("generation", ["today", "before"])
def test_what_a_script_logs_is_there(
    generation: str, shared_studio: Studio, request: pytest.FixtureRequest
) -> None:
    client: MlflowClient = request.getfixturevalue(generation)
    assert client.version[0] == {"today": "3", "before": "2"}[generation]
    name = f"mlflow-plain-{generation}"
    assert client.run("plain", shared_studio, experiment=name) == {
        "experiments": experiments(name),
        **PLAIN,
    }
    # A client that does not take the address of files for a server's writes them beside itself.
    assert not [path for path in (client.folder / "work").iterdir() if "mlruns" in path.name]
    seen_by_a_person(shared_studio, name)


def seen_by_a_person(studio: Studio, name: str) -> None:
    """The run is an ordinary one: on its pages, and to the SDK."""
    runs = {run.display_name: run for run in Experiment(studio.workspace, name).get_runs()}
    first = runs["first steps"]
    assert first.get_status() == "Completed"
    assert first.description == "Learns **slowly**"
    browser = Browser(studio.port)
    browser.sign_in("admin", PASSWORD)
    page = browser.page(f"/w/default/runs/{first.id}")
    for shown in ("first steps", "<strong>slowly</strong>", "optimizer", "adam", "groß", "quality"):
        assert shown in page, shown
    assert "f1 score" in browser.page(f"/w/default/runs/{first.id}/metrics")
    assert "notes.txt" in browser.page(f"/w/default/runs/{first.id}/logs")
    child = {run.display_name: run for run in runs["parent"].get_children()}["child 1"]
    assert "parent" in browser.page(f"/w/default/runs/{child.id}")


def test_numbers_at_the_edges_come_back(today: MlflowClient, shared_studio: Studio) -> None:
    facts = today.run("values", shared_studio, experiment="mlflow values")
    hexed = {
        "nan": "nan",
        "plus": "inf",
        "minus": "-inf",
        "most": float("1.7976931348623157e308").hex(),
        "least": float("5e-324").hex(),
        "zero": (-0.0).hex(),
        "tenth": (0.1).hex(),
        "odd": float(2**53 - 1).hex(),
    }
    # The last value of a metric has no sign of zero, as at mlflow server; its history has it.
    latest = {**hexed, "zero": (0.0).hex()}
    assert facts == {
        "numbers": {**latest, **{f"{k} b": v for k, v in latest.items()}, "steps": (1.0).hex()},
        "history": {k: [v] for k, v in hexed.items()},
        "steps": [-(2**63), -1, 0, 1, 2**53 + 1, 2**63 - 1],
        "last": {"value": 2.0, "history": [[10, 5, 9.0], [30, 5, 1.0], [30, 5, 2.0], [99, 4, 7.0]]},
        "pages": {"sizes": [400, 400, 201], "in order": True},
    }


@pytest.mark.parametrize("generation", ["today", "before"])
def test_files_of_any_name_and_size_go_up_and_down(
    generation: str, shared_studio: Studio, request: pytest.FixtureRequest
) -> None:
    client: MlflowClient = request.getfixturevalue(generation)
    is_whole = generation == "today"
    name = f"mlflow files {generation}"
    facts = client.run("files", shared_studio, experiment=name, with_pandas=is_whole)
    drawn = facts.pop("drawn", None)
    assert set(facts["named"].pop("come back").values()) == {True}
    assert facts == {
        "large": {"size": 50 << 20, "is_equal": True},
        "small": {
            "listed": [["small/again.txt", 5], ["small/empty.txt", 0]],
            "empty": 0,
            "again": "three",
            "absent": 0,
        },
        "named": {"listed otherwise": [[], []], "leaf": "{}", "deep": [["odd/deep/er", True]]},
        "made": {
            "dict": {"a": [1, 2.5, None], "ü": "ö"},
            "files": ["made/data.json", "made/data.yaml", "made/page.html"],
        },
        "top": [
            *([["images", True, None]] if is_whole else []),
            ["large.bin", False, 50 << 20],
            *([name, True, None] for name in ("made", "odd", "small")),
        ],
    }
    if is_whole:
        assert drawn == {
            "table": {"word": ["a", "b", "c"], "count": [1, 2, 3]},
            "image": [4, 4],
            "by step": 2,
            "tags": ["mlflow.loggedArtifacts", "mlflow.loggedImages"],
        }


@pytest.mark.parametrize("generation", ["today", "before"])
def test_threads_and_queues_lose_and_double_nothing(
    generation: str, shared_studio: Studio, request: pytest.FixtureRequest
) -> None:
    client: MlflowClient = request.getfixturevalue(generation)
    facts = client.run("many", shared_studio, experiment=f"mlflow many {generation}")
    assert facts == {
        "queued": {"steps": True, "params": 6, "tags": 6, "status": "FINISHED"},
        "one run": {"points": 800, "doubles": 0, "params": 17, "last": 15.0, "raced": True},
        "own runs": {"names": True, "statuses": ["FINISHED"], "values": True},
        "one experiment": {"RESOURCE_ALREADY_EXISTS": 15, "made": 1},
    }


def test_what_is_not_kept_is_refused_in_words(today: MlflowClient, shared_studio: Studio) -> None:
    facts = today.run("unasked", shared_studio, experiment="mlflow unasked")
    for call, (code, words) in facts["answers"].items():
        assert code in ("NOT_IMPLEMENTED", "ENDPOINT_NOT_FOUND"), (call, code, words)
        assert "studio" in words, (call, words)
    # A traced function goes on, whatever becomes of its trace.
    assert facts["traced"] == 42


def test_who_one_is_counts_for_every_call(today: MlflowClient, shared_studio: Studio) -> None:
    run = Experiment(shared_studio.workspace, "mlflow-rights").start_logging(
        display_name="guarded", snapshot_directory=None, outputs=False
    )
    run.complete()
    admin = shared_studio.config["token"]
    reader = shared_studio.manage(
        "createtoken", "admin", "--workspace", "default", "--scope", "read"
    )
    ways = {
        "token": {"MLFLOW_TRACKING_TOKEN": admin},
        "name and token": {
            "MLFLOW_TRACKING_USERNAME": "admin",
            "MLFLOW_TRACKING_PASSWORD": admin,
        },
        "workspace": {"MLFLOW_TRACKING_TOKEN": admin, "MLFLOW_WORKSPACE": "default"},
        "reading": {"MLFLOW_TRACKING_TOKEN": reader},
        "nothing": {},
        "another token": {"MLFLOW_TRACKING_TOKEN": f"{admin}0"},
        "password": {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": PASSWORD},
        "another password": {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "x"},
        "no such workspace": {"MLFLOW_TRACKING_TOKEN": admin, "MLFLOW_WORKSPACE": "nowhere"},
    }
    settings = {"MLFLOW_TRACKING_URI": shared_studio.url}
    facts = today.run("signs_in", settings, ways=ways, run_name="guarded")
    good = {
        "search": True,
        "get": "guarded",
        "log": None,
        "list": ["who.txt"],
        "up": None,
        "down": "me",
    }
    assert facts["token"] == facts["name and token"] == facts["workspace"] == good
    assert facts["password"] == good
    assert facts["reading"] == {**good, "log": "! PERMISSION_DENIED", "up": "! 403"}
    stranger = dict.fromkeys(("search", "get", "log"), "! UNAUTHENTICATED")
    stranger |= dict.fromkeys(("list", "up", "down"), "! 401")
    assert facts["nothing"] == facts["another token"] == facts["another password"] == stranger
    assert all(str(answer).startswith("!") for answer in facts["no such workspace"].values())
