"""Monitor and alert rules as pages: what forms keep, who sees what, and what is asked before."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from studio.accounts.members import remove_member
from studio.accounts.models import User
from studio.alerts.actions import create_rule, subscribe, try_rule
from studio.alerts.drafts import Address, RuleDraft
from studio.alerts.mail import unsubscribe_url
from studio.alerts.models import AlertRule, Delivery, State
from studio.custom_views.actions import Draft, create_view
from studio.custom_views.models import Access
from studio.custom_views.sharing import share_view
from studio.runs import actions
from tests import make
from tests.rows import all_rows, changed_tables
from tests.web.forms import form_of
from tests.web.pages import HTMX, read

RULES = "/w/lab/alerts"
HOOK = "https://hooks.example.org/a/secret"


@pytest.fixture
def rule_of(workspace: Any, people: Any) -> Callable[..., AlertRule]:
    def create(who: str = "bob", *, shared: bool = False, subject: Any = None, **facts: Any) -> Any:
        facts = {"name": "Broken", "statuses": ["Failed"], **facts}
        by = make.actor(getattr(people, who))
        return create_rule(workspace, RuleDraft(**facts), by=by, is_shared=shared, subject=subject)

    return create


def n_events(answer: Any) -> int:
    return len(read(answer).ids("monitor-event-"))


def link(answer: Any, words: str) -> str:
    """Where the only link with these words leads."""
    (found,) = re.findall(rf'<a [^>]*href="([^"]+)"[^>]*>{words}', answer.content.decode())
    return html.unescape(found)


def test_monitor_filters_pages_and_exports_what_it_shows(
    bob_client: Client, experiment: Any, people: Any
) -> None:
    runs = [make.run(experiment, display_name=f"net-{i}") for i in range(51)]
    actions.fail_run(runs[7], by=make.actor(people.alice), reason="wrong <data>")

    page = bob_client.get("/w/lab/monitor")
    assert n_events(page) == 50
    older = bob_client.get(link(page, "Next 50"))
    assert n_events(older) == 2
    asked = {"status": "Failed", "experiment": "visi", "run": "net-7", "actor": "ali"}
    part = bob_client.get("/w/lab/monitor", asked, headers=HTMX)
    assert n_events(part) == 1
    assert "wrong &lt;data&gt;" in part.content.decode()
    file: Any = bob_client.get(read(part).one("a", id="monitor-export")["href"])
    lines = b"".join(file.streaming_content).decode().splitlines()
    assert len(lines) == 2
    assert runs[7].uid in lines[1]
    by_id = bob_client.get("/w/lab/monitor", {"run": runs[7].uid})
    assert n_events(by_id) == 2
    assert "No event is like that" in bob_client.get("/w/lab/monitor?run=zz").content.decode()


def test_a_run_leads_to_its_events(bob_client: Client, run: Any) -> None:
    page = bob_client.get(f"/w/lab/runs/{run.uid}/history")

    assert n_events(bob_client.get(link(page, "Its status changes on Monitor"))) == 1


@pytest.mark.parametrize(
    ("address", "query"),
    [
        ("/w/lab/runs?q=status:failed", "status:failed"),
        ("/w/lab/runs?q=status:failed&mine=1", "is:mine status:failed"),
        ("/w/lab/experiments/vision?q=a+or+b", "experiment:vision (a or b)"),
        ("/w/lab/experiments/vision", "experiment:vision"),
    ],
)
def test_a_list_leads_to_a_rule_about_its_runs(
    address: str, query: str, bob_client: Client, experiment: Any
) -> None:
    page = read(bob_client.get(address))

    answer = bob_client.get(page.one("a", id="runs-tell")["href"])

    assert read(answer).one("input", id="alert-query")["value"] == query
    metric = read(bob_client.get(link(answer, "A metric crosses a value")))
    assert metric.one("input", id="alert-query")["value"] == query


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [
        ({"kind": "metric", "metric": "loss", "threshold": "abc"}, "alert-threshold-error"),
        ({"kind": "metric", "metric": "", "threshold": "0.3"}, "alert-metric-error"),
        ({"kind": "duration", "time": "0", "unit": "h"}, "alert-time-error"),
        ({"kind": "status", "statuses": ["Failed"], "query": "loss<<"}, "alert-query-error"),
        ({"kind": "status"}, "alert-statuses-error"),
        ({"kind": "status", "statuses": ["Failed"], "hooks": "http://10.0.0.1"}, "alert-url-error"),
        ({"kind": "status", "statuses": ["Failed"], "mail": ""}, "alert-addresses-error"),
        ({"kind": "status", "statuses": ["Failed"], "digest": "weekly"}, ""),
    ],
)
def test_a_refused_form_says_why_at_its_place_and_keeps_all_that_was_typed(
    sent: dict[str, Any], wrong: str, alice_client: Client
) -> None:
    typed = {"name": "My <rule>", "query": "tag.a:b", "mail": "1", "operator": ">=", **sent}
    typed |= {
        "slack": "" if sent.get("mail") == "" else HOOK,
        "digest": sent.get("digest", "daily"),
    }
    before = all_rows()

    answer = alice_client.post(f"{RULES}/create", typed)

    assert answer.status_code == 422
    page = answer.content.decode()
    assert (f'id="{wrong}"' if wrong else 'role="alert"') in page
    assert "My &lt;rule&gt;" in page
    held = form_of(answer, "alerts-form").fields
    for name in ("name", "query", "metric", "threshold", "time", "slack", "hooks"):
        if name in sent or name in ("name", "slack"):
            assert (name, typed[name]) in held
    assert not changed_tables(before)


def test_an_owner_makes_a_rule_of_the_workspace_for_chosen_people(
    alice_client: Client, carol_client: Client, workspace: Any
) -> None:
    sent: dict[str, Any] = {"name": "All", "kind": "status", "statuses": "Failed"}
    sent |= {"is_shared": "1", "mail": "1"}
    sent |= {"people": ["bob", "carol"], "hooks": HOOK}

    answer = alice_client.post(f"{RULES}/create", sent)

    rule = AlertRule.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"{RULES}/{rule.uid}")
    assert [one.user and one.user.username for one in rule.destinations.order_by("pk")] == [
        *("bob", "carol"),
        None,
    ]
    assert HOOK in alice_client.get(answer["Location"]).content.decode()
    seen = carol_client.get(answer["Location"]).content.decode()
    assert "bob, carol" in seen
    assert HOOK not in seen
    assert rule.destinations.get(channel="webhook").secret not in seen
    for word in ("Mute", "Switch off", "Send a test", "confirm-delete"):
        assert word not in seen
    assert carol_client.get(f"{RULES}/{rule.uid}/edit").status_code == 403
    assert "A contributor" not in seen


def test_a_contributor_is_not_offered_a_rule_of_the_workspace(bob_client: Client) -> None:
    assert "is_shared" not in bob_client.get(f"{RULES}/new").content.decode()
    sent = {"name": "All", "kind": "status", "statuses": "Failed", "is_shared": "1"}

    assert bob_client.post(f"{RULES}/create", {**sent, "people": "carol"}).status_code == 403
    assert not AlertRule.objects.exists()


def test_a_rule_on_a_view_is_edited_with_edge_number_digest_and_destinations(
    bob_client: Client, workspace: Any, people: Any, rule_of: Callable[..., AlertRule]
) -> None:
    view = create_view(workspace, Draft("Best", {"q": "vision"}), by=make.actor(people.bob))
    rule = rule_of(kind="view", edge="enter", subject=view)
    page = bob_client.get(f"{RULES}/{rule.uid}/edit")
    assert "The view “Best”" in page.content.decode()
    sent = {"name": "Many", "edge": "above", "digest": "hourly", "mail": "1", "slack": HOOK}

    wrong = bob_client.post(f"{RULES}/{rule.uid}/change", {**sent, "threshold": "0.5"})
    assert wrong.status_code == 422
    assert ("edge", "above") in form_of(wrong, "alerts-form").fields
    assert bob_client.post(
        f"{RULES}/{rule.uid}/change", {**sent, "threshold": "100"}
    ).status_code == (303)

    rule.refresh_from_db()
    assert (rule.kind, rule.view, rule.edge, rule.threshold) == ("view", view, "above", 100)
    assert rule.destinations.count() == 2
    told = bob_client.get(f"{RULES}/{rule.uid}").content.decode()
    assert "The number of runs in the view “Best” reaches 100" in told


def test_the_list_of_what_was_told_asks_again_only_while_something_leaves(
    bob_client: Client, run: Any, rule_of: Callable[..., AlertRule]
) -> None:
    rule = rule_of()
    assert "every 5s" not in bob_client.get(f"{RULES}/{rule.uid}").content.decode()
    try_rule(rule, by=make.actor(rule.owner))
    assert "every 5s" in bob_client.get(f"{RULES}/{rule.uid}").content.decode()

    Delivery.objects.update(state=State.FAILED, trouble="The mail server said 550: <no>")
    part = bob_client.get(f"{RULES}/{rule.uid}", headers=HTMX).content.decode()

    assert "every 5s" not in part
    assert "550: &lt;no&gt;" in part
    retry = {"delivery": str(Delivery.objects.get().pk)}
    assert bob_client.post(f"{RULES}/{rule.uid}/retry", retry).status_code == 303
    assert Delivery.objects.get().state == State.WAITING


def test_deleting_asks_and_tells_what_is_lost(
    bob_client: Client, run: Any, rule_of: Callable[..., AlertRule]
) -> None:
    rule = rule_of()
    try_rule(rule, by=make.actor(rule.owner))

    page = bob_client.get(f"{RULES}/{rule.uid}/confirm-delete").content.decode()

    assert "1 message" in page
    assert "<dialog" not in page
    part = bob_client.get(f"{RULES}/{rule.uid}/confirm-delete", headers=HTMX).content.decode()
    assert "<dialog" in part
    assert bob_client.post(f"{RULES}/{rule.uid}/delete").status_code == 303
    assert not AlertRule.objects.exists()


def test_who_lost_the_workspace_finds_their_rule_no_more(
    bob_client: Client, people: Any, workspace: Any, rule_of: Callable[..., AlertRule]
) -> None:
    rule = rule_of()
    remove_member(workspace, "bob", by=make.actor(people.alice))

    for path in ("", "/edit", "/confirm-delete"):
        assert bob_client.get(f"{RULES}/{rule.uid}{path}").status_code == 404
    assert bob_client.post(f"{RULES}/{rule.uid}/enable", {"on": "0"}).status_code == 404
    assert make.client(people.alice).get(f"{RULES}/{rule.uid}").status_code == 200


def test_a_person_without_an_address_is_led_to_where_it_is_entered(
    bob_client: Client, people: Any, run: Any
) -> None:
    User.objects.filter(pk=people.bob.pk).update(email="")

    assert read(bob_client.get(RULES)).one("a", href="/account#account-email")
    answer = bob_client.post(f"/w/lab/runs/{run.uid}/notify", {"on": "1"}, follow=True)
    assert "Enter one on your account page" in answer.content.decode()


def test_mails_are_stopped_by_their_link_without_a_cookie(
    people: Any, rule_of: Callable[..., AlertRule]
) -> None:
    rule = rule_of(
        "alice", shared=True, addresses=[Address("email", user="bob"), Address("slack", url=HOOK)]
    )
    token = unsubscribe_url(rule.destinations.get(channel="email")).rsplit("/", 1)[1]
    stranger = Client(enforce_csrf_checks=True)

    asked = stranger.get(f"/unsubscribe/{token}")
    assert asked.status_code == 200
    assert "Stop the mails" in asked.content.decode()
    assert rule.destinations.count() == 2
    done = stranger.post(f"/unsubscribe/{token}", {"List-Unsubscribe": "One-Click"})
    assert "The mails are stopped" in done.content.decode()
    assert [one.channel for one in rule.destinations.all()] == ["slack"]
    for wrong in (token, token[:-1], "x", "%00"):
        answer = stranger.get(f"/unsubscribe/{wrong}")
        assert answer.status_code == 404
        assert "This link is no good" in answer.content.decode()


def test_the_name_of_a_view_is_for_who_sees_it(
    workspace: Any, people: Any, carol_client: Any
) -> None:
    by = make.actor(people.bob)
    view = create_view(workspace, Draft("Secret plan", {"q": "status:failed"}), by=by)
    share_view(view, everyone=Access.SEE, people={}, by=by)
    rule = subscribe(view, by=make.actor(people.carol))
    AlertRule.objects.filter(pk=rule.pk).update(name="Mine")
    addresses = ("/w/lab/alerts", f"/w/lab/alerts/{rule.uid}")
    assert all("Secret plan" in carol_client.get(one).text for one in addresses)

    share_view(view, everyone=Access.NONE, people={}, by=by)

    assert not any("Secret plan" in carol_client.get(one).text for one in addresses)
