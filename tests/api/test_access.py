"""Who may do what through the API, for every call."""

import pytest

from tests import make
from tests.api.calls import CALLS, OWN, READS, WRITES, batch


@pytest.fixture(autouse=True)
def _points(api, run):
    assert api.post(f"/runs/{run.uid}/batches", batch(0.5)).status_code == 200


def shape(answer):
    """The code of a refusal; every refusal has this one shape."""
    body = answer.json()
    assert set(body) == {"error"}
    assert body["error"]["message"]
    return body["error"]["code"]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_contributor_may(call, api, run):
    answer = call.send(api, run)
    assert answer.status_code in (200, 201), answer.content


@pytest.mark.parametrize("call", READS + OWN, ids=str)
def test_a_reader_may_look(call, people, workspace, run):
    assert call.send(make.Api(people.carol, workspace), run).status_code == 200


@pytest.mark.parametrize("call", WRITES, ids=str)
def test_a_reader_may_not_write(call, people, workspace, run):
    answer = call.send(make.Api(people.carol, workspace), run)
    assert (answer.status_code, shape(answer)) == (403, "forbidden")


@pytest.mark.parametrize("call", WRITES + OWN, ids=str)
def test_a_token_that_may_only_read_can_not_write(call, people, workspace, run):
    answer = call.send(make.Api(people.bob, workspace, scope="read"), run)
    assert (answer.status_code, shape(answer)) == (403, "forbidden")


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_an_outsider_sees_nothing(call, people, workspace, run):
    secret = make.token(people.dave)
    answer = call.send(make.Api(people.dave, workspace, secret=secret), run)
    assert (answer.status_code, shape(answer)) == (404, "not_found")


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_token_of_another_workspace_sees_nothing(call, people, workspace, run):
    other = make.workspace("other", owner=people.bob)
    secret = make.token(people.bob, workspace=other)
    answer = call.send(make.Api(people.bob, workspace, secret=secret), run)
    assert (answer.status_code, shape(answer)) == (404, "not_found")


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_without_a_token_nobody_gets_in(call, people, workspace, run):
    answer = call.send(make.Api(people.bob, workspace, secret="studio_wrong"), run)
    assert (answer.status_code, shape(answer)) == (401, "unauthenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_the_answer_to_an_outsider_is_that_for_a_workspace_there_is_not(people, workspace, run):
    dave = make.Api(people.dave, workspace, secret=make.token(people.dave))
    hidden = dave.get(f"/runs/{run.uid}").json()
    dave.base = dave.base.replace("lab", "nowhere")
    missing = dave.get(f"/runs/{run.uid}").json()
    assert str(hidden).replace("lab", "nowhere") == str(missing)


def test_a_revoked_token_is_refused_at_once(people, workspace, run):
    from django.utils import timezone

    from studio.accounts.models import ApiToken

    bob = make.Api(people.bob, workspace)
    assert bob.get(f"/runs/{run.uid}").status_code == 200
    ApiToken.objects.update(revoked_at=timezone.now())
    assert bob.get(f"/runs/{run.uid}").status_code == 401


def test_a_token_of_a_person_who_left_is_refused(people, workspace, run):
    bob = make.Api(people.bob, workspace)
    people.bob.is_active = False
    people.bob.save()
    assert bob.post(f"/runs/{run.uid}/batches", batch(1.0)).status_code == 401


def test_a_role_taken_away_holds_from_the_next_batch_on(people, workspace, run):
    from studio.accounts.actions import set_member
    from studio.accounts.models import Role

    bob = make.Api(people.bob, workspace)
    set_member(workspace, people.bob, Role.READER, by=make.actor(people.alice))
    assert bob.post(f"/runs/{run.uid}/batches", batch(1.0)).status_code == 403
    people.bob.memberships.all().delete()
    assert bob.post(f"/runs/{run.uid}/batches", batch(1.0)).status_code == 404


def test_the_admin_may_log_without_being_a_member(workspace, run):
    admin = make.user("root", admin=True)
    secret = make.token(admin)
    answer = make.Api(admin, workspace, secret=secret).post(f"/runs/{run.uid}/batches", batch(1.0))
    assert answer.status_code == 200


class TestTokenOfARun:
    @pytest.fixture
    def own(self, people, workspace, run):
        from studio.accounts.models import Scope, new_token

        _, secret = new_token(
            people.bob, name="run", scope=Scope.WRITE, workspace=workspace, run_uid=run.uid
        )
        return make.Api(people.bob, workspace, secret=secret)

    def test_writes_to_its_run_and_the_runs_below(self, own, run, experiment):
        child = make.run(experiment, parent=make.run(experiment, parent=run))
        for uid in (run.uid, child.uid):
            assert own.post(f"/runs/{uid}/batches", batch(1.0)).status_code == 200

    def test_does_not_write_to_other_runs(self, own, experiment):
        other = make.run(experiment)
        assert own.post(f"/runs/{other.uid}/batches", batch(1.0)).status_code == 403
        assert own.post(f"/runs/{other.uid}/tags", {"set": {"a": "b"}}).status_code == 403

    def test_makes_child_runs_only(self, own, run):
        from tests.api.calls import new_run

        assert own.post("/runs", new_run(parent=run.uid)).status_code == 201
        answer = own.post("/runs", new_run())
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "parent")
