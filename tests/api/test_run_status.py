"""start, complete, fail, cancel, kill, canceled, heartbeat, children."""

import pytest

from studio.runs.models import Run
from tests import make
from tests.api.calls import batch


@pytest.fixture
def send(api, run):
    return lambda path, body=None: api.post(f"/runs/{run.uid}/{path}", body)


def error(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_from_not_started_to_completed(api, experiment):
    run = make.run(experiment, start=False)
    assert api.post(f"/runs/{run.uid}/start").json()["status"] == "Running"
    done = api.post(f"/runs/{run.uid}/complete").json()
    assert done["status"] == "Completed"
    assert done["duration_s"] >= 0
    assert done["ended_at"] is not None


@pytest.mark.parametrize(
    ("step", "status"),
    [("start", "Running"), ("complete", "Completed"), ("fail", "Failed"), ("canceled", "Canceled")],
)
def test_the_same_step_again_changes_nothing(step, status, send, run):
    answers = [send(step) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.json()["status"] for answer in answers} == {status}
    assert run.events.filter(after=status).count() == 1


def test_a_failure_keeps_its_error(send):
    details = {"code": "ValueError", "message": "no", "traceback": "File x"}
    failed = send("fail", {"error": details, "reason": "bad data"}).json()
    assert (failed["error"], failed["status_reason"]) == (details, "bad data")


def test_a_completed_run_may_be_marked_as_failed(send):
    send("complete")
    assert send("fail", {"reason": "wrong data"}).json()["status"] == "Failed"


def test_what_the_status_forbids_is_409(send):
    send("complete")
    assert error(send("start")) == (409, "invalid_transition")
    assert error(send("canceled")) == (409, "invalid_transition")


class TestCancel:
    def test_a_running_run_is_asked_and_its_client_learns_of_it(self, send):
        asked = send("cancel", {"reason": "too slow"}).json()
        assert asked["status"] == "CancelRequested"
        assert (asked["cancel"]["by"], asked["cancel"]["reason"]) == ("bob", "too slow")
        for answer in (send("heartbeat"), send("batches", batch(1.0))):
            assert answer.json()["status"] == "CancelRequested"
            assert answer.json()["cancel"] == asked["cancel"]
        assert send("canceled").json()["status"] == "Canceled"

    def test_child_runs_are_asked_too_unless_told_otherwise(self, send, run, experiment):
        child = make.run(experiment, parent=run)
        send("cancel", {"children": False})
        assert Run.objects.get(pk=child.pk).status == "Running"
        send("cancel", {})
        assert Run.objects.get(pk=child.pk).status == "CancelRequested"

    def test_a_finished_run_stays_as_it_is_and_says_so(self, send):
        send("complete")
        answer = send("cancel")
        assert answer.status_code == 200
        assert answer.json()["notice"] == "The run is already Completed."
        assert answer.json()["cancel"] is None

    def test_a_run_that_waits_is_canceled_at_once(self, api, experiment):
        waiting = make.run(experiment, start=False)
        assert api.post(f"/runs/{waiting.uid}/cancel").json()["status"] == "Canceled"

    def test_killing_asks_for_the_cancel_first(self, send):
        assert send("kill").json()["status"] == "CancelRequested"


class TestHeartbeat:
    @pytest.fixture
    def dropped(self, api, run):
        def read():
            warnings = api.get(f"/runs/{run.uid}").json()["warnings"]
            return [text.partition("keep: ")[2] for text in warnings]

        return read

    def test_it_is_heard(self, send, run):
        Run.objects.filter(pk=run.pk).update(last_beat_at=None)
        assert send("heartbeat").json() == {"status": "Running", "cancel": None}
        assert Run.objects.get(pk=run.pk).last_beat_at is not None

    def test_a_silent_run_comes_back(self, send, run):
        from studio.runs.lifecycle import transition
        from studio.runs.status import Status

        transition(run, Status.NOT_RESPONDING, by=make.actor(run.submitter))
        assert send("heartbeat").json()["status"] == "Running"

    def test_warnings_are_kept_once_and_drops_with_their_newest_number(self, send, api, run):
        for n_dropped in (5, 1234):
            send("heartbeat", {"warning": "slow disk", "n_dropped": n_dropped})
        warnings = api.get(f"/runs/{run.uid}").json()["warnings"]
        assert len(warnings) == 2
        assert warnings[1].endswith(": 1,234.")

    def test_drops_of_several_processes_add_up(self, send, dropped):
        send("heartbeat", {"n_dropped": 5})
        for n_dropped, sender in [(1000, "node-1"), (1200, "node-2"), (1100, "node-1")]:
            send("heartbeat", {"n_dropped": n_dropped, "sender": sender})
        # Kept on disk, and sent after a newer one.
        send("heartbeat", {"n_dropped": 7, "sender": "node-2"})
        assert dropped() == ["2,305 (unnamed: 5; node-1: 1,100; node-2: 1,200)."]

    def test_drops_of_many_processes_stay_in_the_sum(self, send, dropped):
        for i in range(50):
            send("heartbeat", {"n_dropped": 100, "sender": f"node-{i}"})
        (told,) = dropped()
        assert told.startswith("5,000 (others: 3,100; node-31: 100; ")

    def test_a_warning_that_looks_like_a_count_spoils_none(self, send, dropped):
        prefix = "The client dropped points it could not keep: "
        send("heartbeat", {"warning": f"{prefix}, many (so: ,)"})
        assert send("heartbeat", {"n_dropped": 3, "sender": "a"}).status_code == 200
        assert dropped() == ["3 (a: 3)."]


class TestChildren:
    def test_many_children_come_in_the_order_given(self, send, count_queries):
        children = [{"uid": f"c{i}", "tags": {"fold": str(i)}} for i in range(30)]
        items = send("children", {"children": children}).json()["items"]
        assert [item["uid"] for item in items] == [child["uid"] for child in children]
        assert {item["status"] for item in items} == {"Running"}
        assert items[7]["tags"] == {"fold": "7"}

    def test_the_same_call_again_gives_the_same_children(self, send):
        body = {"children": [{"uid": "a"}, {"uid": "b"}], "start": False}
        first, again = send("children", body), send("children", body)
        assert again.status_code == 200
        assert first.json() == again.json()
        assert Run.objects.exclude(parent=None).count() == 2

    def test_one_taken_id_makes_none(self, send, experiment):
        make.run(experiment, uid="taken")
        assert error(send("children", {"children": [{"uid": "a"}, {"uid": "taken"}]})) == (
            409,
            "conflict",
        )
        assert not Run.objects.filter(uid="a").exists()

    def test_more_than_a_thousand_or_none_are_refused(self, send):
        for n in (0, 1001):
            body = {"children": [{"uid": f"c{i}"} for i in range(n)]}
            assert error(send("children", body)) == (422, "invalid")

    def test_the_same_id_twice_in_a_call_is_refused(self, send):
        body = {"children": [{"uid": "a"}, {"uid": "a"}]}
        assert send("children", body).status_code == 422
