"""Tags through the API: saved only over what was seen, counted, renamed on all runs."""

from typing import Any

import pytest

from studio.api.tags import TagItems, TagPreview, TagValueItems
from studio.runs.models import Run
from studio.work.models import Work
from studio.work.running import run_work
from tests import make

pytestmark = pytest.mark.django_db


def save(api: Any, run: Any, **body: Any) -> Any:
    return api.post(f"/runs/{run.uid}/tags", body)


def tags_of(run: Any) -> dict[str, str | None]:
    return dict(Run.objects.get(pk=run.pk).tags.values_list("key", "value"))


def test_a_change_upon_what_was_seen_is_told_what_is_stored_now(
    api: Any, run: Any, people: Any, workspace: Any
) -> None:
    alice = make.Api(people.alice, workspace)
    assert save(api, run, set={"q": "old"}, absent=["q"]).status_code == 200
    assert save(alice, run, set={"q": "hers", "new": None}, seen={"q": "old"}).status_code == 200

    refused = save(api, run, set={"q": "mine", "new": "mine", "b": "1"}, seen={"q": "old"})
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert (error["code"], error["field"]) == ("conflict", "tags")
    assert error["clashes"] == {
        "q": {
            "seen": {"value": "old"},
            "current": {"value": "hers"},
            "asked": {"value": "mine"},
            "by": "alice",
        }
    }
    gone = save(api, run, remove=["new"], absent=["new"]).json()["error"]["clashes"]["new"]
    assert (gone["seen"], gone["current"], gone["asked"]) == (None, {"value": None}, None)
    assert tags_of(run) == {"q": "hers", "new": None}
    assert save(api, run, set={"b": "1"}, seen={"q": "old"}).status_code == 200, "q stays"
    assert save(api, run, set={"q": "hers"}, seen={"q": "old"}).status_code == 200, "the same"


def test_keys_and_values_are_listed_in_pages(api: Any, experiment: Any) -> None:
    for n in range(3):
        make.run(experiment, tags={"n": str(n), "flag": None})
    first = api.get("/tags", limit=1, sort="-values").json()
    TagItems.model_validate(first, strict=True)
    rest = api.get("/tags", limit=1, sort="-values", cursor=first["next"]).json()
    assert [item["key"] for item in first["items"] + rest["items"]] == ["n", "flag"]
    assert first["items"][0]["n_values"] == 3
    assert rest["next"] is None
    values = api.get("/tags/values", key="n").json()
    TagValueItems.model_validate(values, strict=True)
    assert [(item["value"], item["n_runs"]) for item in values["items"]] == [
        ("0", 1),
        ("1", 1),
        ("2", 1),
    ]
    assert api.get("/tags/values", key="flag").json()["n_runs_without_value"] == 3
    for wrong in ({"sort": "age"}, {"limit": 0}, {"q": "a\0"}):
        assert api.get("/tags", **wrong).status_code == 422


def test_a_merge_is_told_started_and_undone(api: Any, experiment: Any) -> None:
    runs = [make.run(experiment, tags=tags) for tags in ({"a": "1"}, {"a": "1", "b": "2"})]
    view = {"name": "a view", "state": {"q": "tag.a:1"}}
    assert api.post("/views", view).status_code == 201
    body = {"action": "rename", "key": "a", "to": "b"}
    told = api.post("/tags/rewrite", {**body, "dry_run": True}).json()
    TagPreview.model_validate(told, strict=True)
    assert (told["n_runs"], told["n_both"], told["n_views"]) == (2, 1, 1)

    refused = api.post("/tags/rewrite", body)
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "keep")
    work = api.post("/tags/rewrite", {**body, "keep": "target"}).json()
    assert (work["kind"], work["action"]) == ("retag", "tag-rename")
    again = api.post("/tags/rewrite", {"action": "delete", "key": "a"})
    assert again.status_code == 409
    run_work(Work.objects.get(uid=work["id"]).pk)
    assert [tags_of(run) for run in runs] == [{"b": "1"}, {"b": "2"}]
    assert api.get("/work" + f"/{work['id']}").json()["can_undo"]
    undo = api.post("/work" + f"/{work['id']}/undo").json()
    run_work(Work.objects.get(uid=undo["id"]).pk)
    assert [tags_of(run) for run in runs] == [{"a": "1"}, {"a": "1", "b": "2"}]


def test_a_reader_may_look_and_not_change(people: Any, workspace: Any, run: Any, api: Any) -> None:
    save(api, run, set={"a": "1"})
    carol = make.Api(people.carol, workspace)
    body = {"action": "delete", "key": "a"}
    assert carol.get("/tags").json()["items"][0]["key"] == "a"
    assert carol.post("/tags/rewrite", {**body, "dry_run": True}).status_code == 200
    assert carol.post("/tags/rewrite", body).status_code == 403
