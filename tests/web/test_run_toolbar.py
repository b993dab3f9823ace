"""The toolbar of a run: each action there, in order, and why it is not allowed."""

from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from studio.runs.actions import keeping
from studio.runs.models import Run
from tests import make
from tests.artifacts.test_differences import snapshot
from tests.web.pages import HTMX, Read, read

ORDER = ["refresh", "resubmit", "cancel", "fail", "compare", "archive", "delete", "more"]


@pytest.fixture
def submitted(workspace: Any, experiment: Any) -> Run:
    """A queued run with a stored source."""
    source = snapshot(workspace, {"train.py": b"lr = 1\n"})
    submit = actions.Submission(
        target="local",
        snapshot=source.digest,
        script="train.py",
        arguments=["--note", "two words"],
        environment={"packages": ["six==1.16"], "variables": {"OMP_NUM_THREADS": "1"}},
    )
    new = {"uid": "first", "display_name": "baseline", "parameters": {"lr": "1"}}
    return make.run(experiment, start=False, submit=submit, **new)


def at(run: Run, what: str = "") -> str:
    return f"/w/lab/runs/{run.uid}{what}"


def reasons(page: Read) -> dict[str, str]:
    """Button of the bar -> why it is disabled."""
    return {
        own["id"].split("-")[1]: own["title"]
        for tag, own in page.elements
        if tag == "button" and own.get("aria-disabled") and own.get("id", "").startswith("run-")
    }


def test_every_action_is_there_in_order(bob_client: Client, submitted: Run) -> None:
    ids = [one.split("-")[1] for one in read(bob_client.get(at(submitted))).ids("run-")]
    assert [one for one in ids if one in ORDER][: len(ORDER)] == ORDER


def test_what_is_not_allowed_says_why(
    bob_client: Client, carol_client: Client, people: Any, run: Run, submitted: Run
) -> None:
    assert reasons(read(bob_client.get(at(submitted)))) == {
        "delete": "The run is not finished: cancel it first"
    }
    refused = reasons(read(carol_client.get(at(submitted))))
    assert refused == {
        "resubmit": "Your role does not allow submitting runs",
        "cancel": "Your role does not allow cancelling runs",
        "fail": "Your role does not allow changing runs",
        "archive": "Your role does not allow archiving runs",
        "delete": "Your role does not allow deleting runs",
    }
    child = make.run(run.experiment, parent=run)
    for one in (run, child):
        actions.fail_run(one, by=make.actor(people.bob))
    assert reasons(read(bob_client.get(at(run)))) == {
        "resubmit": "Another program started it, so the studio has nothing to submit again",
        "cancel": "The run is already Failed",
        "fail": "The run is already Failed",
    }


def test_archiving_is_undone_from_the_toast(bob_client: Client, run: Run) -> None:
    page = read(bob_client.post(at(run, "/archive"), headers=HTMX))
    assert "Archived" in page.texts
    (undo,) = (own["hx-post"] for tag, own in page.elements if own.get("hx-swap") == "none")

    again = bob_client.post(undo, headers=HTMX)
    assert again["HX-Retarget"] == "#runs-header"
    assert Run.objects.get(pk=run.pk).archived_at is None


def test_a_deleted_run_is_undone_where_the_person_lands_and_at_its_own_address(
    bob_client: Client, carol_client: Client, dave_client: Client, people: Any, run: Run
) -> None:
    assert bob_client.post(at(run, "/delete")).status_code == 303
    assert "not finished" in read(bob_client.get(at(run))).text
    actions.complete_run(run, by=make.actor(people.bob))
    landed = bob_client.post(at(run, "/delete"), follow=True)
    assert landed.redirect_chain[-1] == (f"/w/lab/experiments/{run.experiment.name}", 303)
    restore = f"/w/lab/trash/{run.uid}/restore"
    assert read(landed).one("form", action=restore)["hx-post"] == restore

    gone = bob_client.get(at(run, "/metrics"))
    assert gone.status_code == 404
    assert "is in the trash" in read(gone).text
    assert "Ask a contributor" in read(carol_client.get(at(run))).text
    assert "is in the trash" not in read(dave_client.get(at(run))).text
    part = bob_client.get(at(run, "/header"), headers=HTMX)
    assert (part.status_code, restore in part.content.decode()) == (404, False)
    back = bob_client.post(restore, {"back": "run"})
    assert back["Location"] == at(run)
    assert bob_client.get(at(run)).status_code == 200


def test_a_child_that_went_along_names_the_run_to_restore(
    bob_client: Client, people: Any, run: Run
) -> None:
    child = make.run(run.experiment, parent=run)
    for one in (child, run):
        actions.complete_run(one, by=make.actor(people.bob))
    keeping.delete_run(run, by=make.actor(people.bob))
    page = read(bob_client.get(at(child)))

    assert "restore that run, and this one comes back too" in page.text
    assert at(run) in [own.get("href") for _, own in page.elements]


def test_the_form_shows_what_would_be_submitted(
    bob_client: Client, carol_client: Client, run: Run, submitted: Run
) -> None:
    page = read(bob_client.get(at(submitted, "/resubmit")))

    for shown in ("baseline", "train.py", "--note 'two words'", "OMP_NUM_THREADS", "lr", "local",
                  "Built from six==1.16"):  # fmt: skip
        assert shown in page.texts
    assert page.one("input", name="experiment")["value"] == "vision"
    other = read(bob_client.get(at(submitted, "/resubmit")))
    assert page.one("input", name="uid")["value"] != other.one("input", name="uid")["value"]
    assert "Another program started it" in read(bob_client.get(at(run, "/resubmit"))).text
    refused = read(carol_client.get(at(submitted, "/resubmit")))
    assert "Your role does not allow submitting runs" in refused.text


def test_two_clicks_make_one_run_that_both_pages_tell_of(
    bob_client: Client, submitted: Run
) -> None:
    form = {"uid": "again", "arguments": "--note 'a  b'\r\n--fast", "experiment": "vision"}
    answers = [bob_client.post(at(submitted, "/resubmit/start"), form) for _ in range(2)]

    assert [answer["Location"] for answer in answers] == ["/w/lab/runs/again"] * 2
    made = Run.objects.get(uid="again")
    assert (made.arguments, made.status) == (["--note", "a  b", "--fast"], "Queued")
    assert "Resubmitted from baseline" in read(bob_client.get(at(made))).text
    assert "Resubmitted as baseline" in read(bob_client.get(at(submitted))).text
    for one, other in ((made, submitted), (submitted, made)):
        history = read(bob_client.get(at(one, "/history")))
        assert at(other) in [own.get("href") for _, own in history.elements]


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("arguments", "--note 'open", "close each quote"),
        ("experiment", "no name", "can't name an experiment"),
        ("target", "moon", "There is no compute target “moon”"),
        ("uid", "no id", "A run id has 1 to 256 letters"),
    ],
)
def test_what_is_wrong_is_said_with_what_was_typed(
    bob_client: Client, submitted: Run, field: str, typed: str, words: str
) -> None:
    answer = bob_client.post(at(submitted, "/resubmit/start"), {"uid": "again", field: typed})

    assert answer.status_code == 422
    assert words in read(answer).text
    assert field == "target" or typed in answer.content.decode().replace("&#39;", "'")
    assert Run.objects.count() == 1
