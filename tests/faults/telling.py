"""What the tests of P26 share: rules, runs that fail at once, and time that passes."""

import contextlib
import json
import sqlite3
from typing import Any

from studio.sdk import Experiment
from tests.live.faults import rows
from tests.live.studio import Studio

# Rules of a person each, who hears of one experiment: {name: {"email", ...more of the draft}}.
RULES = """
import json, sys
from studio.accounts.actions import set_member
from studio.accounts.models import Role, User, Workspace
from studio.accounts.permissions import Actor
from studio.alerts.actions import create_rule
from studio.alerts.drafts import Address, RuleDraft
w = Workspace.objects.get(name="default")
admin = Actor.of_user(User.objects.get(username="admin"))
for name, more in json.loads('''WANTED''').items():
    person = User.objects.create_user(name, f"{name}@example.org", "correct horse battery")
    set_member(w, person, Role.CONTRIBUTOR, by=admin)
    urls = more.pop("urls", [])
    to = [Address("email"), *(Address("webhook", url=url) for url in urls)]
    draft = RuleDraft(name=name, query=f"experiment:{name}", statuses=["Failed"], addresses=to)
    create_rule(w, draft, by=Actor.of_user(person))
"""
# Interactive runs of an experiment, failed one right after the other.
FAIL = """
from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor
from studio.runs import actions
from studio.runs.actions.create import create_runs
by = Actor.of_user(User.objects.get(username="admin"))
w = Workspace.objects.get(name="default")
e = actions.ensure_experiment(w, "EXPERIMENT", by=by)[0]
for _ in range(0, N_RUNS, 100):
    for run in create_runs(e, [actions.NewRun(start=True)] * min(100, N_RUNS), by=by, parent=None):
        actions.fail_run(run, by=by, reason="wrong data")
"""


def make_rules(studio: Studio, wanted: dict[str, dict[str, Any]]) -> None:
    studio.manage("shell", "-v", "0", "-c", RULES.replace("WANTED", json.dumps(wanted)))


def fail_many(studio: Studio, experiment: str, n: int) -> None:
    """In one process, as fast as it can."""
    studio.manage(
        "shell", "-v", "0", "-c", FAIL.replace("EXPERIMENT", experiment).replace("N_RUNS", str(n))
    )


def fail_one(studio: Studio, experiment: str, **facts: Any) -> Any:
    """An interactive run that failed; its news also has everything sent that is due."""
    run = Experiment(studio.workspace, experiment).start_logging(snapshot_directory=None, **facts)
    run.fail(error_details="no data")
    return run


def write(studio: Studio, statement: str) -> None:
    path = studio.folder / "home" / "studio.sqlite3"
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        connection.execute(statement)


def hours_pass(studio: Studio) -> None:
    """What waits for another try is due, and the lease of whoever died is over."""
    past = "'2020-01-01 00:00:00'"
    write(studio, f"UPDATE alerts_delivery SET due_at = {past} WHERE state = 'waiting'")
    write(studio, f"UPDATE alerts_delivery SET leased_until = {past} WHERE state = 'sending'")


def next_hour(studio: Studio) -> None:
    """The hour whose mails are counted is over, and what waited for it is due."""
    past = "'2020-01-01 00:00:00'"
    write(studio, f"UPDATE alerts_delivery SET sent_at = {past} WHERE state = 'sent'")
    write(studio, f"UPDATE alerts_delivery SET due_at = {past} WHERE state = 'waiting'")


def states(studio: Studio, rule: str) -> dict[str, int]:
    """How many deliveries of the rule are in which state."""
    query = (
        "SELECT d.state, COUNT(*) FROM alerts_delivery d JOIN alerts_firing f ON f.id = d.firing_id"
        " JOIN alerts_alertrule r ON r.id = f.rule_id WHERE r.name = ? GROUP BY d.state"
    )
    return dict(rows(studio, query, rule))


def troubles(studio: Studio, rule: str) -> set[str]:
    query = (
        "SELECT DISTINCT d.trouble FROM alerts_delivery d JOIN alerts_firing f"
        " ON f.id = d.firing_id JOIN alerts_alertrule r ON r.id = f.rule_id WHERE r.name = ?"
    )
    return {text for (text,) in rows(studio, query, rule)}
