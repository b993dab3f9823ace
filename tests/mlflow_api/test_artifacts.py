"""PUT, GET, DELETE …/mlflow-artifacts/artifacts/{path}, the listings and get-artifact."""

from typing import Any
from urllib.parse import quote

import pytest

from studio.artifacts.models import Artifact
from studio.artifacts.store import store
from studio.lineage.model_actions import NewModel, create_model, delete_model
from studio.runs.actions import complete_run
from studio.runs.actions.keeping import delete_run
from studio.runs.models import RunEvent
from tests import make
from tests.mlflow_api.conftest import FILES

pytestmark = pytest.mark.data


@pytest.fixture
def root(run: Any) -> str:
    return f"{run.experiment_id}/{run.uid}/artifacts"


def test_files_are_put_replaced_got_listed_and_removed(mlflow: Any, root: str, run: Any) -> None:
    names = ["model.pkl", "plots/a b+c~d%20.png", "plots/deep/x.txt", "empty", "ünï/日本.txt"]
    for name in names:
        answer = mlflow.put_file(f"{root}/{name}", b"old")
        assert (answer.status_code, answer.json()) == (200, {})
    mlflow.put_file(f"{root}/model.pkl", b"newer")
    mlflow.put_file(f"{root}/empty", b"")

    assert mlflow.files(root) == {"model.pkl": 5, "plots": None, "empty": 0, "ünï": None}
    assert mlflow.files(f"{root}/plots/") == {"a b+c~d%20.png": 3, "deep": None}
    assert mlflow.get(FILES, path=f"{root}/absent").json() == {}
    assert mlflow.get_file(f"{root}/model.pkl").getvalue() == b"newer"
    assert mlflow.get_file(f"{root}/empty").getvalue() == b""
    part = mlflow.get_file(f"{root}/model.pkl", Range="bytes=1-2")
    assert (part.status_code, part.getvalue()) == (206, b"ew")
    assert set(run.artifacts.values_list("path", flat=True)) == set(names)

    own = mlflow.get("/api/2.0/mlflow/artifacts/list", run_id=run.uid, path="plots").json()
    assert own["root_uri"] == f"mlflow-artifacts:/{root}"
    assert [one["path"] for one in own["files"]] == ["plots/a b+c~d%20.png", "plots/deep"]
    assert mlflow.get("/get-artifact", run_uuid=run.uid, path="empty").status_code == 200

    assert mlflow.send("DELETE", f"{FILES}/{root}/plots").json() == {}
    assert mlflow.files(root) == {"model.pkl": 5, "empty": 0, "ünï": None}
    assert mlflow.send("DELETE", f"{FILES}/{root}/plots").status_code == 404
    assert mlflow.send("DELETE", f"{FILES}/{root}").status_code == 400
    assert RunEvent.objects.filter(run=run, kind="files_removed").count() == 1


def test_nothing_is_served_so_that_a_browser_runs_it(mlflow: Any, root: str) -> None:
    mlflow.put_file(f"{root}/page.html", b"<script>alert(1)</script>", kind="text/html")

    answer = mlflow.get_file(f"{root}/page.html")

    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]


HOSTILE = [
    *("../x", "a/../../x", "..", ".", "a/./b", "/etc/passwd", "a//b", "a\0b", "\\..\\x", "a\\b"),
    *("C:/x", "%2e%2e/x", "..%2fx", "a/%2e%2e%2f%2e%2e/x", "%5c..%5cx", "file:///etc/passwd"),
    *("a\nb", "\x7f", "x" * 5_001, "x/" * 3_000 + "y", "models/m-" + "0" * 32 + "/x", ""),
]
ODD_PLACES = [
    *("x", "1", "1/2", "a/b/artifacts/x", "../../x", "1/../artifacts/x", "9/none/artifacts/x"),
    *("1/models/m-1/artifacts/x", "9/models/m-" + "0" * 32 + "/artifacts/x", "1//artifacts/x"),
]


def test_what_is_no_plain_path_is_refused_everywhere_with_nothing_stored(
    mlflow: Any, root: str, run: Any
) -> None:
    model = create_model(run.experiment, NewModel("m"), source=run, by=make.actor(run.submitter))
    place = f"{run.experiment_id}/models/{model.uid}/artifacts"
    hostile = [f"{top}/{label}" for top in (root, place) for label in HOSTILE]
    hostile.remove(f"{place}/models/m-{'0' * 32}/x")
    for path in [*hostile, *ODD_PLACES]:
        statuses = {
            "PUT": mlflow.put_file(path, b"x").status_code,
            "GET": mlflow.get_file(path).status_code,
            "DELETE": mlflow.send("DELETE", f"{FILES}/{quote(path)}").status_code,
        }
        assert set(statuses.values()) <= {400, 404}, (path, statuses)
        if path not in {f"{root}/", f"{place}/", "a\nb"}:
            listed = mlflow.get(FILES, path=path)
            assert listed.status_code in {400, 404} or listed.json() == {}, path
    for path in HOSTILE[:-1]:
        for answer in (
            mlflow.get("/api/2.0/mlflow/artifacts/list", run_id=run.uid, path=path),
            mlflow.get("/get-artifact", run_id=run.uid, path=path),
        ):
            assert answer.status_code in {400, 404} or answer.json().keys() == {"root_uri"}, path
    assert not Artifact.objects.exists()
    assert not list(store().list())


def test_files_of_a_model_lie_with_its_run_and_are_seen_through_the_model_only(
    mlflow: Any, root: str, run: Any
) -> None:
    by = make.actor(run.submitter)
    model = create_model(run.experiment, NewModel("net"), source=run, by=by)
    place = f"{run.experiment_id}/models/{model.uid}/artifacts"
    assert mlflow.put_file(f"{place}/data/model.pkl", b"weights").status_code == 200
    mlflow.put_file(f"{root}/models/readme", b"mine")

    assert mlflow.files(place) == {"data": None}
    assert mlflow.files(f"{place}/data") == {"model.pkl": 7}
    assert mlflow.get_file(f"{place}/data/model.pkl").getvalue() == b"weights"
    assert mlflow.files(root) == {"models": None}
    assert mlflow.files(f"{root}/models") == {"readme": 4}
    assert mlflow.get_file(f"{root}/models/{model.uid}/data/model.pkl").status_code == 404
    assert run.artifacts.filter(path=f"models/{model.uid}/data/model.pkl").exists()

    delete_model(model, by=by)
    assert mlflow.put_file(f"{place}/more", b"x").status_code == 400
    assert mlflow.get_file(f"{place}/data/model.pkl").status_code == 200


def test_a_deleted_run_is_read_and_not_written(mlflow: Any, root: str, run: Any) -> None:
    mlflow.put_file(f"{root}/a", b"x")
    by = make.actor(run.submitter)
    delete_run(complete_run(run, by=by), by=by)

    refused = mlflow.put_file(f"{root}/b", b"x")
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert mlflow.send("DELETE", f"{FILES}/{root}/a").status_code == 400
    assert mlflow.get_file(f"{root}/a").getvalue() == b"x"
    assert mlflow.files(root) == {"a": 1}


def test_who_may_put_get_list_and_remove(
    mlflow: Any, mlflow_of: Any, people: Any, root: str, run: Any
) -> None:
    mlflow.put_file(f"{root}/a", b"x")
    expected = {
        people.alice: (200, 200, 200, 200),
        people.bob: (200, 200, 200, 200),
        people.carol: (403, 200, 200, 403),
        people.dave: (404, 404, 404, 404),
        None: (401, 401, 401, 401),
    }
    for user, wanted in expected.items():
        them = mlflow_of(user)
        mlflow.put_file(f"{root}/gone", b"x")
        seen = (
            them.put_file(f"{root}/b", b"x").status_code,
            them.get_file(f"{root}/a").status_code,
            them.get(FILES, path=root).status_code,
            them.send("DELETE", f"{FILES}/{root}/gone").status_code,
        )
        assert seen == wanted, user
        assert them.get("/get-artifact", run_id=run.uid, path="a").status_code == wanted[1]
        listed = them.get("/api/2.0/mlflow/artifacts/list", run_id=run.uid)
        assert listed.status_code == wanted[2]


def test_uploads_in_parts_are_refused_for_good(mlflow: Any, root: str) -> None:
    for method, place in (("POST", "mpu/create"), ("GET", "presigned")):
        answer = mlflow.send(method, f"/api/2.0/mlflow-artifacts/{place}/{root}/a")
        assert (answer.status_code, answer.json()["error_code"]) == (501, "NOT_IMPLEMENTED")


def test_too_large_a_file_is_refused_before_it_is_read(
    mlflow: Any, root: str, settings: Any, run: Any
) -> None:
    settings.MAX_ARTIFACT_BYTES = 3
    assert mlflow.put_file(f"{root}/a", b"four").status_code == 400
    assert not run.artifacts.exists()


def test_a_folder_is_listed_with_one_query_of_files(
    mlflow: Any, root: str, django_assert_max_num_queries: Any
) -> None:
    for i in range(12):
        mlflow.put_file(f"{root}/d{i % 3}/f{i}", b"x")
    with django_assert_max_num_queries(4):
        assert mlflow.files(root) == {"d0": None, "d1": None, "d2": None}
