"""Who sees and changes custom views by the API, and each person's own pins and defaults."""

from typing import Any

import pytest

from studio.accounts import actions as accounts
from studio.accounts.models import Role, Scope, new_token
from studio.custom_views.models import CustomView
from tests import make
from tests.api.view_calls import delete, error, made, names, shared


@pytest.fixture
def alice(people: Any, workspace: Any) -> make.Api:
    return make.Api(people.alice, workspace)


@pytest.fixture
def carol(people: Any, workspace: Any) -> make.Api:
    return make.Api(people.carol, workspace)


@pytest.fixture
def run_token(run: Any) -> make.Api:
    """The API as a submitted run of bob's."""
    _, secret = new_token(
        run.submitter, name="run", scope=Scope.WRITE, workspace=run.workspace, run_uid=run.uid
    )
    return make.Api(run.submitter, run.workspace, secret=secret)


class TestSharing:
    def test_a_private_view_is_as_none_to_everybody_else(
        self, api: make.Api, alice: make.Api, carol: make.Api
    ) -> None:
        uid = made(api)["uid"]
        for other in (alice, carol):
            assert names(other.get("/views")) == []
            for method, path, body in (
                ("GET", "", None),
                ("GET", "/revisions", None),
                ("PATCH", "", {"name": "b", "version": 1}),
                ("DELETE", "", None),
                ("POST", "/share", {"everyone": "see"}),
                ("POST", "/duplicate", {}),
                ("POST", "/restore", {"version": 1}),
                ("POST", "/pin", {"pinned": True}),
                ("POST", "/default", {"on": True}),
            ):
                mine = ask(other, method, f"/views/{uid}{path}", body)
                none = ask(other, method, f"/views/aaaaaaaaaa{path}", body)
                assert mine.status_code == none.status_code == 404, (method, path)
                assert mine.json() == with_uid(none.json(), uid)

    def test_seeing_and_editing_are_granted_apart(
        self, api: make.Api, alice: make.Api, people: Any, workspace: Any
    ) -> None:
        erin = make.user("erin")
        accounts.set_member(workspace, erin, Role.CONTRIBUTOR, by=make.actor(people.alice))
        other, view = make.Api(erin, workspace), made(api)
        path = f"/views/{view['uid']}"
        shared(api, view, people={"erin": "see"})

        seen = other.get(path).json()
        refused = other.patch(path, {"version": 1, "name": "b"})

        assert (seen["may_edit"], seen["people"], seen["sharing"]) == (False, None, "people")
        assert error(refused)[:2] == (403, "forbidden")
        assert "bob lets you see this view" in refused.json()["error"]["message"]
        shared(api, view, people={"erin": "edit"})
        assert other.patch(path, {"version": 1, "name": "b"}).status_code == 403
        assert other.patch(path, {"version": 1, "state": {}}).status_code == 200
        assert other.post(f"{path}/share", {"everyone": ""}).status_code == 403
        assert delete(other, path).status_code == 403
        shared(api, view)
        assert other.get(path).status_code == 404

    def test_an_owner_of_the_workspace_looks_after_what_everyone_sees(
        self, api: make.Api, alice: make.Api, carol: make.Api
    ) -> None:
        view = made(api)
        shared(api, view, everyone="see", people={"carol": "edit"})
        path = f"/views/{view['uid']}"

        assert alice.get(path).json()["people"] == {"carol": "edit"}
        assert carol.get(path).json()["people"] is None
        assert alice.patch(path, {"version": 1, "state": {}}).status_code == 200
        ended = alice.post(f"{path}/share", {"everyone": ""})
        assert (ended.status_code, ended.json()["sharing"]) == (200, "private")
        assert alice.get(path).status_code == 404

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "everyone"),
            ({"everyone": "own"}, "everyone"),
            ({"everyone": "", "people": {"carol": "own"}}, "people.carol"),
            ({"everyone": "", "people": {"dave": "see"}}, "people"),
            ({"everyone": "", "people": {"bob": "see"}}, "people"),
        ],
    )
    def test_what_can_not_be_granted_is_refused(
        self, body: dict[str, Any], field: str, api: make.Api
    ) -> None:
        path = f"/views/{made(api)['uid']}"

        assert error(api.post(f"{path}/share", body)) == (422, "invalid", field)


def ask(api: make.Api, method: str, path: str, body: Any) -> Any:
    if method == "GET":
        return api.get(path)
    if method == "DELETE":
        return delete(api, path)
    return (api.patch if method == "PATCH" else api.post)(path, body)


def with_uid(answer: dict[str, Any], uid: str) -> dict[str, Any]:
    """The same refusal for another uid."""
    told = answer["error"]["message"].replace("aaaaaaaaaa", uid)
    return {"error": {**answer["error"], "message": told}}


class TestOwnWays:
    def test_a_reader_pins_and_opens_lists_with_what_they_see(
        self, api: make.Api, carol: make.Api
    ) -> None:
        view = made(api)
        shared(api, view, everyone="see")
        path = f"/views/{view['uid']}"

        pinned = carol.post(f"{path}/pin", {"pinned": True}).json()
        opened = carol.post(f"{path}/default", {"on": True}).json()

        assert (pinned["pinned"], opened["is_my_default"]) == (True, True)
        assert (opened["is_default"], opened["may_edit"]) == (False, False)
        mine = api.get(path).json()
        assert (mine["pinned"], mine["is_my_default"]) == (False, False)
        assert not carol.post(f"{path}/pin", {"pinned": False}).json()["pinned"]
        assert not carol.post(f"{path}/default", {"on": False}).json()["is_my_default"]

    def test_the_workspaces_default_is_set_by_its_owner(
        self, api: make.Api, alice: make.Api
    ) -> None:
        view, other = made(api), made(api, "other")
        path = f"/views/{view['uid']}"
        shared(api, view, everyone="see")
        shared(api, other, everyone="see")

        assert api.post(f"{path}/default", {"on": True, "everyone": True}).status_code == 403
        assert alice.post(f"{path}/default", {"on": True, "everyone": True}).json()["is_default"]
        off = {"on": False, "everyone": True}
        assert alice.post(f"/views/{other['uid']}/default", off).status_code == 200
        assert api.get(path).json()["is_default"], "only another view is no default any more"
        assert api.post(f"{path}/default", off).status_code == 403
        assert not alice.post(f"{path}/default", off).json()["is_default"]


class TestTokens:
    def test_a_token_that_only_reads_is_told_so(self, api: make.Api, people: Any) -> None:
        view = made(api)
        reading = make.Api(people.bob, CustomView.objects.get().workspace, scope="read")

        assert names(reading.get("/views")) == ["Failures"]
        for answer in (
            reading.post("/views", {"name": "b"}),
            reading.patch(f"/views/{view['uid']}", {"name": "b", "version": 1}),
            reading.post(f"/views/{view['uid']}/pin", {"pinned": True}),
        ):
            assert error(answer)[:2] == (403, "forbidden")
            assert "may only read" in answer.json()["error"]["message"]

    def test_the_token_of_a_run_sees_what_everyone_does_and_changes_nothing(
        self, api: make.Api, run_token: make.Api
    ) -> None:
        view, private = made(api), made(api, "private")
        shared(api, view, everyone="edit", people={"carol": "see"})

        assert run_token.get(f"/views/{view['uid']}").json()["people"] is None
        assert b"carol" not in run_token.get("/views.yaml").content
        assert names(run_token.get("/views")) == ["Failures"]
        assert run_token.get(f"/views/{private['uid']}").status_code == 404
        for answer in (
            run_token.post("/views", {"name": "b"}),
            run_token.patch(f"/views/{view['uid']}", {"name": "b", "version": 1}),
            run_token.post(f"/views/{view['uid']}/pin", {"pinned": True}),
            run_token.send("POST", "/views/import", b"version: 1", "application/yaml"),
        ):
            assert error(answer)[:2] == (403, "forbidden")
            assert "The token of a run" in answer.json()["error"]["message"]
