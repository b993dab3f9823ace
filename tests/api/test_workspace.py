"""whoami, the workspace and its experiments."""

import pytest

from tests import make


def test_whoami_tells_person_workspace_and_rights(api, people, workspace):
    me = api.client.get("/api/v1/whoami", headers=api.headers).json()
    assert me["user"] == "bob"
    assert (me["workspace"], me["scope"], me["role"]) == ("lab", "admin", "contributor")
    assert me["run_uid"] is None


def test_whoami_of_a_token_for_all_workspaces_names_none(people, workspace):
    api = make.Api(people.bob, workspace, secret=make.token(people.bob))
    me = api.client.get("/api/v1/whoami", headers=api.headers).json()
    assert (me["workspace"], me["role"]) == (None, None)


def test_the_workspace_names_the_role(people, workspace):
    found = make.Api(people.carol, workspace).get("").json()
    assert found == {"name": "lab", "description": "", "role": "reader"}


class TestExperiments:
    def test_an_experiment_is_made_once(self, api):
        first = api.post("/experiments", {"name": "vision", "description": "cats"})
        again = api.post("/experiments", {"name": "vision"})
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["description"] == "cats"

    def test_a_reader_gets_the_one_there_is(self, people, workspace, experiment):
        carol = make.Api(people.carol, workspace)
        assert carol.post("/experiments", {"name": "vision"}).status_code == 200

    @pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "x" * 256, "é"])
    def test_names_that_can_not_be_are_refused(self, name, api):
        answer = api.post("/experiments", {"name": name})
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "name")

    @pytest.mark.parametrize("body", [{"name": 1}, {"name": "a", "color": "red"}, [], {}])
    def test_bad_bodies_are_refused(self, body, api):
        assert api.post("/experiments", body).status_code == 422

    def test_the_newest_submission_comes_first_and_pages_join(self, api, workspace):
        for name in ("old", "empty-a", "empty-b", "new"):
            made = make.experiment(workspace, name)
            if not name.startswith("empty"):
                make.run(made)
        found, cursor = [], ""
        while cursor is not None:
            page = api.get("/experiments", limit=1, cursor=cursor).json()
            found += [item["name"] for item in page["items"]]
            cursor = page["next"]
        assert found == ["new", "old", "empty-b", "empty-a"]

    def test_archived_ones_are_asked_for(self, api, workspace, experiment):
        from django.utils import timezone

        old = make.experiment(workspace, "old")
        type(old).objects.filter(pk=old.pk).update(archived_at=timezone.now())

        def names(archived):
            items = api.get("/experiments", archived=archived).json()["items"]
            return {item["name"] for item in items}

        assert names("active") == {"vision"}
        assert names("archived") == {"old"}
        assert names("all") == {"vision", "old"}

    @pytest.mark.parametrize(
        ("sort", "names"),
        [
            ("-latest", ["new", "old", "never"]),
            ("latest", ["old", "new", "never"]),
            ("name", ["never", "new", "old"]),
            ("-name", ["old", "new", "never"]),
            ("-runs", ["old", "new", "never"]),
            ("runs", ["never", "new", "old"]),
            ("starred", ["never", "new", "old"]),
        ],
    )
    def test_they_come_in_the_order_asked_for_and_pages_join(self, sort, names, api, workspace):
        for name, n_runs in (("never", 0), ("old", 2), ("new", 1)):
            made = make.experiment(workspace, name)
            for _ in range(n_runs):
                make.run(made)
        api.post("/experiments/never/star", {"starred": True})
        found, cursor = [], ""
        while cursor is not None:
            page = api.get("/experiments", limit=1, cursor=cursor, sort=sort).json()
            found += [item["name"] for item in page["items"]]
            cursor = page["next"]
        assert found == names

    def test_favourites_and_parts_of_names_are_asked_for(self, api, workspace, people):
        for name in ("vision", "speech"):
            make.experiment(workspace, name)
        assert api.post("/experiments/speech/star", {"starred": True}).json()["starred"]
        carol = make.Api(people.carol, workspace)
        assert not carol.get("/experiments/speech").json()["starred"]

        def names(**query):
            return [item["name"] for item in api.get("/experiments", **query).json()["items"]]

        assert names(starred="true") == ["speech"]
        assert names(q="VIS") == ["vision"]
        assert carol.get("/experiments", starred="true").json()["items"] == []
        assert not api.post("/experiments/speech/star", {"starred": False}).json()["starred"]
        assert names(starred="true") == []

    @pytest.mark.parametrize(
        ("query", "field"),
        [({"cursor": "x"}, "cursor"), ({"sort": "size"}, "sort"), ({"q": "x" * 300}, "q")],
    )
    def test_what_can_not_be_asked_is_refused(self, query, field, api):
        answer = api.get("/experiments", **query)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)

    @pytest.mark.parametrize("body", [{}, {"starred": 1}, {"starred": "yes"}, {"star": True}, []])
    def test_a_bad_star_is_refused(self, body, api, experiment):
        assert api.post("/experiments/vision/star", body).status_code == 422

    def test_a_description_is_not_overwritten_unseen(self, api, experiment):
        first = api.patch("/experiments/vision", {"description": "a", "description_version": 0})
        assert first.json()["description_version"] == 1
        late = api.patch("/experiments/vision", {"description": "b", "description_version": 0})
        assert late.status_code == 409
        assert late.json()["error"]["current"] == {"version": 1, "text": "a"}

    def test_one_experiment_counts_its_runs(self, api, run):
        assert api.get("/experiments/vision").json()["n_runs"] == 1
        assert api.get("/experiments/nothing").status_code == 404
