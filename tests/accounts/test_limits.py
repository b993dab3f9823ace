"""How much a token and a person may ask for in a minute."""

import hashlib
from typing import Any

import pytest
from django.test import Client

from studio.accounts.limits import forget_spent
from studio.wire.bundles import entry
from tests import make
from tests.web.pages import read

RAW = "application/octet-stream"


@pytest.fixture(autouse=True)
def _nothing_spent(settings: Any) -> Any:
    forget_spent()
    settings.LIMITS = {"writes": 2, "searches": 2, "exports": 1, "uploads": 1}
    yield
    forget_spent()


def statuses(secret: str, method: str, path: str, n: int) -> list[int]:
    headers = {"Authorization": f"Bearer {secret}"}
    asked = [Client().generic(method, path, headers=headers) for _ in range(n)]
    late = [answer for answer in asked if answer.status_code == 429]
    assert all(0 < int(answer["Retry-After"]) <= 60 for answer in late)
    return [answer.status_code for answer in asked]


def test_each_kind_of_request_has_a_limit_of_its_own(experiment: Any, people: Any) -> None:
    base, secret = "/api/v1/workspaces/lab", make.token(people.bob)
    assert statuses(secret, "GET", f"{base}/runs", 3) == [200, 200, 429]
    assert statuses(secret, "GET", f"{base}/runs-export", 2) == [200, 429]
    whole = make.token(people.carol)
    assert statuses(whole, "GET", f"{base}/export.zip", 2) == [200, 429]
    assert 429 not in statuses(secret, "POST", f"{base}/runs", 2)
    assert statuses(secret, "POST", f"{base}/runs", 1) == [429]
    digest = "0" * 64
    assert 429 not in statuses(secret, "PUT", f"{base}/blobs/{digest}", 1)
    assert statuses(secret, "PUT", f"{base}/blobs/{digest}", 1) == [429]
    assert statuses(secret, "GET", f"{base}/experiments/vision", 4) == [200] * 4
    search = "/api/2.0/mlflow/experiments/search"
    assert statuses(secret, "GET", search, 1) == [429]
    other = make.token(people.bob)
    assert statuses(other, "GET", search, 3) == [200, 200, 429]


def test_the_history_of_a_workspace_is_a_search(experiment: Any, people: Any) -> None:
    events = "/api/v1/workspaces/lab/events"
    assert statuses(make.token(people.bob), "GET", events, 3) == [200, 200, 429]


def test_a_comparison_as_a_file_is_an_export_and_two_files_on_a_page_are_none(
    run: Any, experiment: Any, people: Any
) -> None:
    bob, two = make.client(people.bob), f"runs={run.uid},{make.run(experiment).uid}"
    page = [bob.get(f"/w/lab/compare/file?{two}&path=train.py").status_code for _ in range(4)]
    table = [bob.get(f"/w/lab/compare/table?{two}&format=csv").status_code for _ in range(4)]

    assert 429 not in page
    # A person has three times as much as a token.
    assert table == [200, 200, 200, 429]


def test_small_files_that_travel_together_count_one_by_one(
    experiment: Any, people: Any, settings: Any
) -> None:
    settings.LIMITS = {**settings.LIMITS, "uploads": 60}
    headers = {"Authorization": f"Bearer {make.token(people.bob)}"}
    files = [str(i).encode() for i in range(100)]
    body = b"".join(entry(hashlib.sha256(data).hexdigest(), data) for data in files)

    def send() -> Any:
        path = "/api/v1/workspaces/lab/blobs"
        return Client().generic("POST", path, body, content_type=RAW, headers=headers)

    assert send().status_code == 201
    refused = send()
    assert refused.status_code == 429
    # 40 more than a minute's were sent, and one of the next is wanted.
    assert int(refused["Retry-After"]) in {40, 41}


def test_a_person_has_a_limit_over_all_tokens_and_the_pages_share_it(
    experiment: Any, people: Any
) -> None:
    path = "/api/v1/workspaces/lab/runs"
    for _ in range(3):
        assert statuses(make.token(people.bob), "GET", path, 2) == [200, 200]
    assert statuses(make.token(people.bob), "GET", path, 1) == [429]
    refused = make.client(people.bob).get("/w/lab/runs")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert "Too many searches" in read(refused).text
    assert make.client(people.carol).get("/w/lab/runs").status_code == 200


def test_the_token_of_a_run_counts_by_itself_and_zero_is_no_limit(
    experiment: Any, people: Any, settings: Any
) -> None:
    from studio.accounts.models import Scope, new_token

    path = "/api/v1/workspaces/lab/runs"
    for _ in range(3):
        statuses(make.token(people.bob), "GET", path, 2)
    facts = {"scope": Scope.WRITE, "workspace": experiment.workspace, "run_uid": "abc"}
    _, secret = new_token(people.bob, name="run", **facts)
    assert statuses(secret, "GET", path, 3) == [200, 200, 429]
    settings.LIMITS = dict.fromkeys(settings.LIMITS, 0)
    assert statuses(secret, "GET", path, 5) == [200] * 5


def test_only_the_scope_admin_manages(workspace: Any, people: Any, settings: Any) -> None:
    settings.LIMITS = dict.fromkeys(settings.LIMITS, 0)
    answers = {}
    for scope in ("read", "write", "admin"):
        answer = Client().post(
            "/api/v1/workspaces/lab/targets",
            {"name": f"gpu-{scope}"},
            content_type="application/json",
            headers={"Authorization": f"Bearer {make.token(people.alice, scope=scope)}"},
        )
        answers[scope] = answer.status_code
    assert answers == {"read": 403, "write": 403, "admin": 201}
