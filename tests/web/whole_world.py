"""A workspace with something behind every address: what the test of the URL map asks for."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

from django.urls import get_resolver, reverse

from studio.accounts.members import add_member, create_member
from studio.accounts.models import Role
from studio.accounts.welcome import link_parts
from studio.alerts.actions import create_rule, try_rule
from studio.alerts.drafts import Address, RuleDraft
from studio.alerts.mail import unsubscribe_url
from studio.alerts.models import AlertRule, Delivery
from studio.artifacts.uploads import CHECK, take_upload
from studio.bulk.acting import start_bulk
from studio.bulk.selection import Selection
from studio.custom_views.actions import Draft, create_view, delete_view, save_view
from studio.custom_views.models import Access, CustomView
from studio.custom_views.sharing import pin_view, share_view
from studio.runs import actions
from studio.runs.actions.experiments import describe_experiment
from studio.runs.models import Run
from studio.work.actions import start_work
from studio.work.running import run_work
from tests import make
from tests.architecture.test_policies import web_patterns
from tests.artifacts.test_differences import snapshot
from tests.conftest import People

PATTERNS = {str(found.name): found for _, found in web_patterns()}
IMAGE, PNG = "outputs/plot.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 60
TABLE = b"run,param.lr\nfirst,0.1\n"
RULE, RULE_DELIVERY = "rrrrrrrrrr", 4711
BATCH = "11111111-ab55-4a33-9d2b-1c1f0a4a4c11"


@dataclass
class World:
    """A workspace with something behind every address."""

    run: Any
    values: dict[str, str]
    own_values: dict[str, dict[str, str]]

    def address(self, name: str, **instead: str) -> str:
        """The address of the page; fails for a parameter nobody gave a value to."""
        (known,) = {tuple(params) for _, params in get_resolver().reverse_dict.getlist(name)[0][0]}
        values = {**self.values, **self.own_values.get(name, {}), **instead}
        unknown = [param for param in known if param not in values]
        assert not unknown, f"{name}: give {unknown} a value in the fixture `world`"
        return reverse(name, kwargs={param: values[param] for param in known})


def make_world(people: People, name: str = "lab") -> World:
    workspace = make.workspace(
        name, owner=people.alice, contributor=people.bob, reader=people.carol
    )
    experiment = make.experiment(workspace, "vision")
    run = make.run(experiment)
    by = make.actor(people.bob)
    actions.change_tags(run, by=by, put={"quality": "fantastic"})
    for text in ("A run", "The *first* run"):
        actions.describe_run(run, text, by=by)
        describe_experiment(experiment, text, by=by)
    make.run(experiment, parent=run)
    fay = more_people(run.workspace, by=make.actor(people.alice))
    api = make.Api(people.bob, run.workspace)
    raw = "application/octet-stream"
    points = {"kind": "scalar", "steps": [0, 1], "times": [1e9, 1e9 + 1], "values": [0.3, 0.2]}
    names = ("loss", "system/node1/cpu_percent")
    batch = {"batch": BATCH, "metrics": [{"name": name, **points} for name in names]}
    made = [
        api.post(f"/runs/{run.uid}/batches", batch),
        api.send("POST", f"/runs/{run.uid}/images", PNG, raw),
        api.send("PUT", f"/runs/{run.uid}/artifacts/{IMAGE}", PNG, raw),
        api.send("POST", f"/runs/{run.uid}/logs/logs/output.txt?offset=0", b"epoch 1\n", raw),
    ]
    assert all(answer.status_code in {200, 201} for answer in made), made
    values = {
        "workspace": run.workspace.name,
        "uid": run.uid,
        "name": experiment.name,
        "number": str(experiment.pk),
        "path": IMAGE,
        "offer": "tags",
        "version": "1",
        "target": make.served_target(run.workspace),
        "digest": made[1].json()["digest"],
        **dict(zip(("uidb64", "token"), link_parts(fay), strict=True)),
    }
    own = own_values(experiment, by) | view_values(run.workspace, people)
    return World(run, values, own | alert_values(run.workspace, people))


def more_people(workspace: Any, *, by: Any) -> Any:
    """A second owner, so that the first may leave, another reader, and one without a password."""
    for name, role in (("olga", Role.OWNER), ("erin", Role.READER)):
        add_member(workspace, make.user(name).username, role, by=by)
    return create_member(workspace, "fay", Role.READER, by=by)


def view_values(workspace: Any, people: Any) -> dict[str, dict[str, str]]:
    """A view of bob's that everyone may edit, in its second version; it and another one pinned by
    all; and a deleted one."""
    by = make.actor(people.bob)
    made = [
        create_view(workspace, Draft(name, {"q": "vision"}), by=by) for name in ("A", "B", "Gone")
    ]
    for view, letter in zip(made, "abc", strict=True):
        CustomView.objects.filter(pk=view.pk).update(uid=letter * 10)
        view.refresh_from_db()
        share_view(view, everyone=Access.EDIT, people={}, by=by)
    save_view(made[0], by=by, expected_version=1, state={"q": "status:completed"})
    delete_view(made[2], by=by)
    for view in made[:2]:
        for person in (people.alice, people.bob, people.carol):
            pin_view(view, by=make.actor(person), pinned=True)
    found = {name: {"address": made[0].address} for name in PATTERNS if name.startswith("view")}
    return found | {"view-undelete": {"address": made[2].address}}


def own_values(experiment: Any, by: Any) -> dict[str, dict[str, str]]:
    """What only some addresses name: background work, open and over, a deleted run, and one with
    a source."""
    arguments = {"set": {"seen": None}}
    works = [
        start_bulk(experiment.workspace, "tags", Selection(query=""), arguments, by=by)
        for _ in range(2)
    ]
    run_work(works[0].pk)
    deleted = make.run(experiment)
    actions.complete_run(deleted, by=by)
    actions.keeping.delete_run(deleted, by=by)
    ended, waits = ({"work": work.uid} for work in works)
    found = dict.fromkeys(("work-detail", "work-progress", "work-undo"), ended)
    submitted = make.run(experiment)
    source = snapshot(experiment.workspace, {"train.py": b"lr = 1\n"})
    Run.objects.filter(pk=submitted.pk).update(snapshot=source.digest)
    snapshots = ("run-snapshot", "run-snapshot-file", "run-snapshot-zip")
    found |= {name: {"uid": submitted.uid} for name in snapshots}
    submit = actions.Submission(target="local", snapshot=source.digest, script="train.py")
    again = make.run(experiment, start=False, submit=submit)
    found |= {name: {"uid": again.uid} for name in ("run-resubmit", "run-resubmit-start")}
    over, archived = make.run(experiment), make.run(experiment)
    actions.complete_run(over, by=by)
    actions.keeping.archive_run(archived, by=by)
    found |= {"run-delete": {"uid": over.uid}, "run-unarchive": {"uid": archived.uid}}
    found["target-delete"] = {"target": "spare"}
    found["import-start"] = {"work": looked_through(experiment.workspace, by)}
    return found | {"work-cancel": waits, "trash-restore": {"uid": deleted.uid}}


def looked_through(workspace: Any, by: Any) -> str:
    """The uid of the work that has looked through a file of one run, which waits to be imported."""
    upload = take_upload(workspace, "runs.csv", BytesIO(TABLE), by=by)
    asked = {"kind": "csv", "upload": upload.uid, "file": upload.name}
    work = start_work(workspace, CHECK, asked, by=by)
    run_work(work.pk)
    return work.uid


def alert_values(workspace: Any, people: People) -> dict[str, dict[str, str]]:
    """A rule of the workspace that has told something, and one delivery that was given up."""
    draft = RuleDraft("Broken", statuses=["Failed"], addresses=[Address("email", user="bob")])
    rule = create_rule(workspace, draft, by=make.actor(people.alice), is_shared=True)
    AlertRule.objects.filter(pk=rule.pk).update(uid=RULE)
    firing = try_rule(rule, by=make.actor(people.alice))
    Delivery.objects.filter(firing=firing).update(id=RULE_DELIVERY, state="failed")
    token = unsubscribe_url(rule.destinations.get()).rsplit("/", 1)[1]
    found = {name: {"rule": RULE} for name in PATTERNS if name.startswith("alert")}
    return found | {"unsubscribe": {"token": token}}
