"""Custom views by the API: made, saved, restored, listed."""

from collections.abc import Callable
from typing import Any

import pytest

from studio.api import view_items
from tests import make
from tests.api.view_calls import delete, error, made, names, shared
from tests.rows import all_rows, changed_tables


@pytest.fixture
def alice(people: Any, workspace: Any) -> make.Api:
    return make.Api(people.alice, workspace)


class TestMaking:
    def test_a_view_is_private_and_tells_all_of_itself(
        self, api: make.Api, experiment: Any
    ) -> None:
        view = made(
            api,
            "Best of vision",
            description="lowest loss",
            list="experiment",
            experiment="vision",
            state={"order": "metric.loss", "size": "50"},
        )

        view_items.ViewItem.model_validate(view, strict=True)
        assert api.get(f"/views/{view['uid']}").json() == view
        assert (view["list"], view["experiment"]) == ("experiment", "vision")
        assert (view["state"], view["version"]) == ({"order": "metric.loss"}, 1)
        assert (view["owner"], view["sharing"], view["people"]) == ("bob", "private", {})
        assert view["unknown"] == [{"family": "metric", "name": "loss", "parts": ["order"]}]
        assert view["url"].endswith(f"/w/lab/views/best-of-vision-{view['uid']}")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "name"),
            ({"name": ""}, "name"),
            ({"name": "x" * 101}, "name"),
            ({"name": "a", "colour": "red"}, "colour"),
            ({"name": "a", "state": []}, "state"),
            ({"name": "a", "state": {"size": 100}}, "size"),
            ({"name": "a", "state": {"view": "x"}}, "state"),
            ({"name": "a", "state": {"q": "status:("}}, "q"),
            ({"name": "a", "state": {"columns": "nonsense"}}, "columns"),
            ({"name": "a", "list": "jobs"}, "list"),
            ({"name": "a", "list": "experiment"}, "experiment"),
            ({"name": "a", "experiment": "vision"}, "experiment"),
            ({"name": "a", "list": "experiment", "experiment": "none"}, "experiment"),
            ({"name": "FAILURES"}, "name"),
        ],
    )
    def test_what_is_no_view_is_refused(
        self, body: dict[str, Any], field: str, api: make.Api
    ) -> None:
        made(api)
        before = all_rows()

        assert error(api.post("/views", body)) == (422, "invalid", field)
        assert not changed_tables(before)

    def test_a_copy_is_private_and_own(self, api: make.Api, alice: make.Api) -> None:
        view = made(api, description="why")
        shared(api, view, everyone="see")

        answer = alice.post(f"/views/{view['uid']}/duplicate", {})
        named = alice.post(f"/views/{view['uid']}/duplicate", {"name": "Mine"})

        assert (answer.status_code, named.json()["name"]) == (201, "Mine")
        copy = answer.json()
        assert (copy["name"], copy["owner"], copy["sharing"]) == (
            *("Failures copy", "alice"),
            "private",
        )
        assert (copy["state"], copy["description"]) == (view["state"], "why")


class TestSaving:
    def test_what_is_named_changes_and_the_rest_stays(self, api: make.Api) -> None:
        view = made(api, description="why")

        answer = api.patch(f"/views/{view['uid']}", {"version": 1, "state": {"q": "cat"}})

        assert answer.json() == view | {
            **{"state": {"q": "cat"}, "version": 2},
            "changed_at": answer.json()["changed_at"],
        }
        again = api.patch(f"/views/{view['uid']}", {"version": 2, "name": "Failures"})
        assert again.json()["version"] == 2, "nothing new makes no version"

    def test_a_conflict_tells_what_is_stored_and_what_changed_since(
        self, api: make.Api, alice: make.Api
    ) -> None:
        view = made(api)
        shared(api, view, people={"alice": "edit"})
        path = f"/views/{view['uid']}"
        theirs = {
            "version": 1,
            "description": "Broken",
            "state": {"q": "status:failed cat", "size": "100"},
        }
        assert alice.patch(path, theirs).status_code == 200

        answer = api.patch(path, {"version": 1, "name": "Mine"})

        assert error(answer) == (409, "conflict", "version")
        view_items.Conflict.model_validate(answer.json(), strict=True)
        refused = answer.json()["error"]
        assert "alice saved version 2" in refused["message"]
        assert refused["current"] == api.get(path).json()
        assert refused["changes"] == [
            {"part": "description", "label": "Description", "before": "", "after": "Broken"},
            {
                **{"part": "filters", "label": "Filters"},
                **{"before": "status:failed", "after": "status:failed cat"},
            },
            {"part": "size", "label": "Page size", "before": "", "after": "100"},
        ]
        merged = api.patch(path, {"version": 2, "name": "Mine"})
        assert (merged.json()["version"], merged.json()["description"]) == (3, "Broken")

    def test_overwriting_is_said(self, api: make.Api) -> None:
        path = f"/views/{made(api)['uid']}"

        assert error(api.patch(path, {"name": "b"})) == (422, "invalid", "version")
        assert error(api.patch(path, {"name": "b", "version": 9}))[0] == 409
        assert api.patch(path, {"name": "b", "overwrite": True}).json()["name"] == "b"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"name": ""}, "name"),
            ({"state": {"q": "("}}, "q"),
            ({"list": "runs"}, "list"),
            ({"version": "1"}, "version"),
        ],
    )
    def test_what_can_not_be_stored_is_refused(
        self, body: dict[str, Any], field: str, api: make.Api
    ) -> None:
        path = f"/views/{made(api)['uid']}"

        assert error(api.patch(path, {"version": 1, **body})) == (422, "invalid", field)

    def test_versions_are_listed_with_what_they_changed_and_come_back(self, api: make.Api) -> None:
        path = f"/views/{made(api)['uid']}"
        api.patch(path, {"version": 1, "state": {"q": "cat"}})
        api.patch(path, {"version": 2, "name": "Cats"})

        back = api.post(f"{path}/restore", {"version": 1}).json()

        assert (back["name"], back["state"], back["version"]) == (
            *("Failures", {"q": "status:failed"}),
            4,
        )
        found, cursor = [], ""
        while cursor is not None:
            page = api.get(f"{path}/revisions", limit=3, cursor=cursor).json()
            view_items.RevisionPage.model_validate(page, strict=True)
            found += page["items"]
            cursor = page["next"]
        assert [one["version"] for one in found] == [4, 3, 2, 1]
        assert [[c["part"] for c in one["changes"]] for one in found] == [
            ["name", "filters"],
            ["name"],
            ["filters"],
            [],
        ]
        assert [one["restored"] for one in found] == [1, None, None, None]
        assert error(api.post(f"{path}/restore", {"version": 9})) == (422, "invalid", "version")
        assert api.get(f"{path}/revisions", cursor="1").json() == {"items": [], "next": None}
        assert error(api.get(f"{path}/revisions", cursor="x")) == (422, "invalid", "cursor")

    def test_a_deleted_view_is_gone(self, api: make.Api) -> None:
        path = f"/views/{made(api)['uid']}"

        answer = delete(api, path)

        assert (answer.status_code, bool(answer.json()["deleted_at"])) == (200, True)
        assert api.get(path).status_code == delete(api, path).status_code == 404
        assert names(api.get("/views")) == []

    def test_a_deleted_view_is_brought_back_by_who_could_delete_it(
        self, api: make.Api, alice: make.Api, people: Any, workspace: Any
    ) -> None:
        view = made(api)
        shared(api, view, everyone="see")
        before = api.get(f"/views/{view['uid']}").json()
        back = f"/views/{view['uid']}/undelete"
        assert delete(api, f"/views/{view['uid']}").json()["deleted_at"]

        assert error(make.Api(people.carol, workspace).post(back))[0] == 403
        assert error(make.Api(people.bob, workspace, scope="read").post(back))[0] == 403
        assert api.post(back).json() == before
        assert api.post(back).json() == before
        assert error(api.post("/views/nothing/undelete"))[0] == 404
        delete(api, f"/views/{view['uid']}")
        made(api)
        assert error(api.post(back)) == (422, "invalid", "name")

    def test_a_private_view_stays_gone_for_others(self, api: make.Api, alice: make.Api) -> None:
        view = made(api)
        delete(api, f"/views/{view['uid']}")

        assert error(alice.post(f"/views/{view['uid']}/undelete"))[0] == 404


class TestListing:
    def test_pages_join_in_the_order_of_names(self, api: make.Api) -> None:
        for name in ("b", "a", "d", "c", "e"):
            made(api, name)
        found, cursor = [], ""
        while cursor is not None:
            answer = api.get("/views", limit=2, cursor=cursor)
            view_items.ViewPage.model_validate(answer.json(), strict=True)
            found += names(answer)
            cursor = answer.json()["next"]
        assert found == ["a", "b", "c", "d", "e"]
        assert error(api.get("/views", cursor="x")) == (422, "invalid", "cursor")

    def test_whose_views_are_shown_is_asked_for(self, api: make.Api, alice: make.Api) -> None:
        made(alice, "private")
        shared(alice, made(alice, "to bob"), people={"bob": "see"})
        shared(alice, made(alice, "to all"), everyone="see")
        made(api, "own")

        found = {
            owner: names(api.get("/views", owner=owner))
            for owner in ("all", "mine", "shared", "workspace")
        }

        assert found == {
            "all": ["own", "to all", "to bob"],
            "mine": ["own"],
            "shared": ["to bob"],
            "workspace": ["to all"],
        }
        assert api.get("/views", owner="dave").status_code == 422

    @pytest.mark.parametrize(("q", "found"), [("ÄL", ["Älter"]), ("%", ["100 %"]), ("\0", 2)])
    def test_a_part_of_the_name_finds_it_in_any_case(
        self, q: str, found: list[str] | int, api: make.Api
    ) -> None:
        made(api, "Älter")
        made(api, "100 %")

        seen = names(api.get("/views", q=q))

        assert (len(seen) if isinstance(found, int) else seen) == found

    def test_a_list_takes_the_same_queries_for_one_and_for_many(
        self, api: make.Api, count_queries: Callable[[Callable[[], object]], int]
    ) -> None:
        shared(api, made(api, "a"), people={"carol": "see"})
        one = count_queries(lambda: api.get("/views"))
        for name in "bcdef":
            shared(api, made(api, name), everyone="see", people={"carol": "see"})

        assert count_queries(lambda: api.get("/views")) == one <= 3
