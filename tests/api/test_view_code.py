"""Custom views as YAML by the API."""

from typing import Any

import pytest

from studio.api import view_code
from studio.custom_views.plain_yaml import MAX_BYTES
from tests import make
from tests.rows import all_rows, changed_tables

YAML = "application/yaml"
TEXT = """version: 1
views:
- name: Best
  list: runs
  state:
    q: tag.quality:great
    order: metric.loss:min
  shared:
    everyone: see
- name: Failures
  list: runs
  state:
    q: status:failed
"""


def taken(api: make.Api, text: str | bytes = TEXT, query: str = "", kind: str = YAML) -> Any:
    body = text.encode() if isinstance(text, str) else text
    return api.send("POST", f"/views/import{query}", body, kind)


def results(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.content
    view_code.ImportReport.model_validate(answer.json(), strict=True)
    return [(one["name"], one["result"]) for one in answer.json()["items"]]


def test_what_is_sent_is_taken_and_comes_back_the_same(api: make.Api) -> None:
    first = taken(api, query="?share=true")
    again = taken(api, query="?share=true")
    answer = api.get("/views.yaml")

    assert results(first) == [("Best", "created"), ("Failures", "created")]
    assert results(again) == [("Best", "unchanged"), ("Failures", "unchanged")]
    assert (answer.status_code, answer.content.decode()) == (200, TEXT)
    assert answer["Content-Type"] == "application/yaml; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="views-lab.yaml"'


def test_a_dry_run_tells_what_would_happen_and_what_is_unknown(api: make.Api) -> None:
    taken(api)
    before = all_rows()

    answer = taken(api, TEXT.replace("failed", "(").replace("min", "max"), "?dry_run=true")

    assert results(answer) == [("Best", "changed"), ("Failures", "refused")]
    best, failures = answer.json()["items"]
    assert best["changes"] == "sort"
    assert best["unknown"] == [
        {"family": "tag", "name": "quality", "parts": ["filters"]},
        {"family": "metric", "name": "loss", "parts": ["order"]},
    ]
    assert failures["reason"].startswith("q: ")
    assert (best["version"], failures["uid"]) == (2, None)
    assert not changed_tables(before)


def test_sharing_is_left_alone_unless_asked_for(api: make.Api, people: Any, workspace: Any) -> None:
    carol = make.Api(people.carol, workspace)

    taken(api)
    assert carol.get("/views").json()["items"] == []
    taken(api, query="?share=1")
    assert [one["name"] for one in carol.get("/views").json()["items"]] == ["Best"]


def test_some_views_are_written_by_uid_or_by_owner(
    api: make.Api, people: Any, workspace: Any
) -> None:
    taken(api, query="?share=1")
    carol = make.Api(people.carol, workspace)
    uids = {one["name"]: one["uid"] for one in api.get("/views").json()["items"]}

    one = api.get(f"/views.yaml?view=failures-{uids['Failures']}").content.decode()
    both = api.get(f"/views.yaml?view={uids['Failures']}&view={uids['Best']}").content.decode()

    assert "name: Best" not in one
    assert "name: Failures" in one
    assert both == TEXT
    assert api.get("/views.yaml", owner="shared").content == b"version: 1\nviews: []\n"
    assert "Failures" not in carol.get("/views.yaml").content.decode()
    refused = carol.get(f"/views.yaml?view={uids['Best']}&view={uids['Failures']}")
    none = carol.get(f"/views.yaml?view={uids['Best']}&view=aaaaaaaaaa")
    assert refused.status_code == none.status_code == 404


@pytest.mark.parametrize(
    ("text", "kind", "status", "field"),
    [
        (TEXT, "application/json", 415, None),
        (TEXT, "application/x-www-form-urlencoded", 415, None),
        (b"x" * (MAX_BYTES + 1), YAML, 413, None),
        (b"# nothing", YAML, 422, "document"),
        (b"\xff", YAML, 422, "document"),
        ("a: &a [*a]", YAML, 422, "document"),
        ("version: 2", "text/yaml", 422, "version"),
        (TEXT + "  colour: red\n", YAML, 422, "views[1].colour"),
    ],
)
def test_what_is_no_such_document_is_refused(
    text: str | bytes, kind: str, status: int, field: str | None, api: make.Api
) -> None:
    before = all_rows()

    answer = taken(api, text, kind=kind)

    assert (answer.status_code, answer.json()["error"].get("field")) == (status, field)
    assert not changed_tables(before)
