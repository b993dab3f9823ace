"""Every page of the URL map, asked by everybody: whoever adds an address must give it a rule."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from studio.accounts.permissions import Actor
from studio.operations.closing import close_workspace
from studio.web.access import PERSONAL
from tests import make
from tests.architecture.test_policies import policy_of
from tests.conftest import People
from tests.rows import all_rows, changed_tables
from tests.web.whole_world import PATTERNS, PNG, RULE_DELIVERY, TABLE, World, make_world

pytestmark = pytest.mark.usefixtures("lasting_people")

MEMBER_PAGES = [name for name, found in PATTERNS.items() if policy_of(found) == "member"]
PERSONAL_PAGES = [name for name, found in PATTERNS.items() if policy_of(found) == PERSONAL]
PUBLIC_PAGES = [name for name in PATTERNS if name not in MEMBER_PAGES + PERSONAL_PAGES]

VIEWS = """version: 1
views:
- name: Taken in
  list: runs
  state: {q: "status:failed"}
"""

# Which pages take a form: each is asked once.
CHANGES: dict[str, bool] = {}


class Image:
    """A file of a form, which may be sent more than once."""

    name = "plot.png"

    def read(self, n: int = -1) -> bytes:
        return PNG


class Table(Image):
    """The same for a history that is uploaded."""

    name = "runs.csv"

    def read(self, n: int = -1) -> bytes:
        return TABLE


# What a form of the page would send, for the changes that need something.
FORMS: dict[str, dict[str, Any]] = {
    "run-description-images": {"image": Image(), "text": "# Title"},
    "experiment-description-images": {"image": Image(), "text": "# Title"},
    "run-tags": {"add": "quality: great"},
    "run-rename": {"display_name": "another name"},
    "run-row-name": {"display_name": "another name"},
    "run-row-tags": {"add": "quality: great"},
    "run-description": {"text": "another text", "version": ""},
    "run-description-preview": {"text": "# Title"},
    "run-description-restore": {"version": "1", "expected": "2"},
    "run-star": {"starred": "1"},
    "run-notify": {"on": "1"},
    "view-subscribe": {"edge": "enter"},
    "alert-create": {"name": "another", "kind": "status", "statuses": "Failed", "mail": "1"},
    "alert-change": {
        **{"name": "renamed", "kind": "status", "statuses": "Failed"},
        **{"is_shared": "1", "people": "bob"},
    },
    "alert-mute": {"for": "1d"},
    "alert-retry": {"delivery": str(RULE_DELIVERY)},
    "run-resubmit-start": {"uid": "another"},
    "run-fail": {"reason": "wrong data"},
    "run-cancel": {"reason": "enough"},
    "experiment-star": {"starred": "1"},
    "experiment-archive": {"archived": "1"},
    "experiment-rename": {"name": "another-name"},
    "experiment-description": {"text": "another text", "version": ""},
    "experiment-description-preview": {"text": "# Title"},
    "experiment-description-restore": {"version": "1", "expected": "2"},
    "run-bulk": {"all": "1"},
    "run-list-logs-start": {"all": "1", "list": "?q=log~epoch"},
    "run-compare-chosen": {"all": "1"},
    "run-bulk-start": {"all": "1", "add": "seen twice"},
    "tag-change-start": {"action": "rename", "key": "quality", "to": "grade"},
    "member-add": {"name": "dave", "role": "reader"},
    "member-create": {"name": "gus", "role": "reader"},
    "member-role": {"user": "erin", "role": "contributor"},
    "member-link": {"user": "fay"},
    "member-remove": {"user": "erin"},
    "target-create": {"name": "another"},
    "target-save": {"description": "another text"},
    "target-enable": {"enabled": "0"},
    "target-drain": {"node": "box", "draining": "1"},
    "view-create": {"name": "Best", "state": "?q=status:failed", "place": "runs"},
    "view-save": {"version": "2", "state": "?q=status:running"},
    "view-rename": {"version": "2", "name": "A", "description": "All of them"},
    "view-sharing": {"everyone": "see"},
    "view-restore": {"version": "1"},
    "view-pin": {"pinned": "0"},
    "view-default": {"on": "1"},
    "view-order": {"view": "b" * 10},
    "import-check": {"kind": "csv", "file": Table()},
    "view-import-take": {"text": VIEWS, "really": "1"},
}
# What a page needs in its query.
CHART = {"charts": "kind=line&y=metric.loss", "chart": "0"}
CPU = {"host": "node1", "panel": "cpu"}
QUERIES: dict[str, dict[str, str]] = {
    "run-list-figure": CHART,
    "run-list-chart-table": CHART,
    "run-list-chart-csv": CHART,
    "run-list-pill": {"q": "status:failed", "pill": "0"},
    "tag-values": {"key": "quality"},
    "tag-change": {"action": "rename", "key": "quality", "to": "grade"},
    "run-figure": {"m": "loss"},
    "run-metric-table": {"m": "loss"},
    "run-metric-csv": {"m": "loss"},
    "run-monitoring-figure": CPU,
    "run-monitoring-table": CPU,
    "run-monitoring-csv": CPU,
    "run-log-beside": {"path": "a", "beside": "logs/output.txt"},
    "run-log-lines": {"path": "logs/output.txt"},
    "run-log-line": {"path": "logs/output.txt"},
    "run-log-mark": {"path": "logs/output.txt", "kind": "error"},
    "run-log-map": {"path": "logs/output.txt"},
    "run-charts-at-line": {"line": "1"},
    "run-snapshot-file": {"path": "train.py"},
    "description-suggest": {"text": "see run:"},
    "run-list-logs": {"q": "log~epoch"},
    "run-find": {"find": "epoch"},
    "run-find-hits": {"find": "epoch"},
}
# A reader may do this: it is his own and shows to nobody else.
OWN_TO_A_READER = {
    "run-star": "a star is the reader's own bookmark",
    "experiment-star": "so is this one",
    "run-compare-chosen": "nothing is stored: it leads to a page",
    "member-leave": "nobody is kept",
    "run-list-logs-start": "a search shows nothing that the reader could not read",
    "view-pin": "pins are the reader's own",
    "view-order": "and so is their order",
    "view-default": "what opens a list, for the reader alone",
    "view-used": "when the reader last opened the view",
    "view-subscribe": "it tells the reader alone of what they may see",
    "run-notify": "so does this",
    "alert-create": "and a rule of one's own",
}
OWN_TABLES = {
    *("runs.star", "runs.experimentstar", "accounts.membership", "accounts.memberevent"),
    *("work.work", "artifacts.logsearch"),
    *("alerts.alertrule", "alerts.destination", "alerts.ruleevent"),
    *("custom_views.viewpin", "custom_views.viewuse", "custom_views.defaultview"),
}
# A contributor may not do this either.
OWNERS_ONLY = {"member-add", "member-create", "member-role", "member-link", "member-remove"}
OWNERS_ONLY |= {"target-create", "target-save", "target-enable", "target-drain", "target-delete"}
# Forms that only those see who may send them.
OWNERS_FORMS = {"target-new", "target-edit", "alert-edit", "alert-confirm"}
# The rule asked for is one of the workspace.
OWNERS_ONLY |= {"alert-change", "alert-enable", "alert-mute", "alert-test", "alert-retry"}
OWNERS_ONLY |= {"alert-delete"}
# Posted, because what is typed may be long; nothing is stored.
STORES_NOTHING = {
    *("run-bulk", "run-compare-chosen"),
    *("run-description-preview", "experiment-description-preview"),
}
# What a page answers, where it is not 200: it sends on to another one, has no news, or names runs.
ANSWERS = {"workspace": 302, "run-list-live": 204, "run-row": 302, "run-compare-file": 404}
ANSWERS |= {"view-used": 204, "run-log-mark": 302, "run-charts-at-line": 302}


@pytest.fixture(scope="module")
def whole_world(everybody: People) -> World:
    return make_world(everybody)


@pytest.fixture
def world(whole_world: World, put_back: None) -> World:
    return whole_world


@pytest.fixture
def workspace(world: World) -> Any:
    return world.run.workspace


def methods_of(client: Client, address: str) -> set[str]:
    """What the page answers to, as it says itself when asked in a way it does not know."""
    refusal = client.generic("PROPFIND", address)
    assert refusal.status_code == 405, f"{address} answers {refusal.status_code} to PROPFIND"
    return set(refusal["Allow"].replace(",", " ").split())


def ask(client: Client, world: World, name: str, **instead: str) -> Any:
    """Use the page in the way it is meant: a GET, or a POST of its form."""
    address = world.address(name, **instead)
    if changes(world, name):
        return make.read(client.post(address, FORMS.get(name, {})))
    return make.read(client.get(address, QUERIES.get(name, {})))


def changes(world: World, name: str) -> bool:
    if name not in CHANGES:
        asked = methods_of(make.client(world.run.submitter), world.address(name))
        CHANGES[name] = "POST" in asked
    return CHANGES[name]


@pytest.mark.parametrize("name", MEMBER_PAGES + PERSONAL_PAGES)
def test_anonymous_is_sent_to_sign_in(name: str, world: World, client: Client) -> None:
    before = all_rows()
    address = world.address(name)

    for answer in (client.get(address), client.post(address, FORMS.get(name, {}))):
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("sign-in"))
    part = client.get(address, headers={"HX-Request": "true"})
    assert part["HX-Redirect"].startswith(reverse("sign-in"))
    assert not changed_tables(before)


@pytest.mark.parametrize("name", MEMBER_PAGES)
def test_an_outsider_gets_404(name: str, world: World, dave_client: Client) -> None:
    before = all_rows()
    address = world.address(name)

    assert dave_client.get(address).status_code == 404
    assert dave_client.post(address, FORMS.get(name, {})).status_code == 404
    assert not changed_tables(before)


@pytest.mark.parametrize("name", MEMBER_PAGES)
def test_an_outsider_cannot_tell_a_workspace_from_none(
    name: str, world: World, dave_client: Client
) -> None:
    there = dave_client.get(world.address(name))
    nowhere = dave_client.get(world.address(name, workspace="nowhere"))

    assert there.status_code == nowhere.status_code
    assert plain(there, world) == plain(nowhere, world)


@pytest.mark.parametrize("name", MEMBER_PAGES)
def test_nobody_can_tell_a_closed_workspace_from_none(
    name: str, world: World, people: Any, workspace: Any
) -> None:
    close_workspace(workspace, by=Actor(name="command line"))
    before = all_rows()
    address, form = world.address(name), FORMS.get(name, {})

    for person in (people.alice, people.carol, make.user("root", admin=True)):
        client = make.client(person)
        there, nowhere = client.get(address), client.get(world.address(name, workspace="nowhere"))
        assert there.status_code == nowhere.status_code == 404
        assert plain(there, world) == plain(nowhere, world)
        assert client.post(address, form).status_code == 404
    assert set(changed_tables(before)) == {"accounts.user"}


def plain(answer: Any, world: World) -> bytes:
    """The answer without the name that was asked for and the page's own random token."""
    text: bytes = re.sub(rb"[A-Za-z0-9]{64}", b"", answer.content)
    return text.replace(world.values["workspace"].encode(), b"*").replace(b"nowhere", b"*")


@pytest.mark.parametrize(
    "name",
    [name for name in MEMBER_PAGES if re.search("str:(uid|address)", str(PATTERNS[name].pattern))],
)
def test_a_run_or_view_is_not_found_through_another_workspace(
    name: str, world: World, people: Any, dave_client: Client
) -> None:
    make.workspace("elsewhere", owner=people.dave)
    before = all_rows()

    assert ask(dave_client, world, name, workspace="elsewhere").status_code == 404
    assert not changed_tables(before)


@pytest.mark.parametrize("name", MEMBER_PAGES)
def test_a_reader_sees_pages_and_changes_nothing(
    name: str, world: World, carol_client: Client
) -> None:
    before, is_change = all_rows(), changes(world, name)

    answer = ask(carol_client, world, name)

    if not is_change:
        assert answer.status_code == (403 if name in OWNERS_FORMS else ANSWERS.get(name, 200))
    elif name not in OWN_TO_A_READER:
        assert answer.status_code == 403
    own = OWN_TABLES if name in OWN_TO_A_READER else set()
    assert set(changed_tables(before)) <= own


@pytest.mark.parametrize("name", MEMBER_PAGES)
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_owners_and_contributors_see_pages_and_change(
    who: str, name: str, world: World, people: Any
) -> None:
    """The other side of the coin: what a reader was refused would have changed something."""
    before, is_change = all_rows(), changes(world, name)

    answer = ask(make.client(getattr(people, who)), world, name)

    if who == "bob" and name in OWNERS_ONLY | OWNERS_FORMS:
        assert answer.status_code == 403
        assert not changed_tables(before)
        return
    assert answer.status_code in {ANSWERS.get(name, 200), 303}
    assert bool(changed_tables(before)) == (is_change and name not in STORES_NOTHING)


@pytest.mark.parametrize("name", MEMBER_PAGES)
def test_a_change_needs_the_forms_own_token(name: str, world: World, people: Any) -> None:
    if not changes(world, name):
        return
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.alice)
    before = all_rows()

    assert client.post(world.address(name), FORMS.get(name, {})).status_code == 403
    assert not changed_tables(before)


@pytest.mark.parametrize("name", PUBLIC_PAGES)
def test_a_public_page_tells_nothing_of_a_workspace(
    name: str, world: World, client: Client
) -> None:
    before = all_rows()

    answer = client.get(world.address(name))

    # 404: no such link to unsubscribe by; 401: who measures has a token; 503: nobody serves.
    assert answer.status_code in {200, 302, 401, 404, 405, 503}
    told = answer.content + answer.get("Location", "").encode()
    for secret in (world.run.uid, world.run.display_name, "fantastic"):
        assert secret.encode() not in told
    assert not changed_tables(before)
