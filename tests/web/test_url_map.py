"""Every page of the URL map, asked by everybody: whoever adds an address must give it a rule."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from studio.runs import actions
from tests import make
from tests.architecture.test_policies import policy_of, web_patterns
from tests.rows import all_rows, changed_tables

PATTERNS = {str(found.name): found for _, found in web_patterns()}
MEMBER_PAGES = [name for name, found in PATTERNS.items() if policy_of(found) == "member"]
PUBLIC_PAGES = [name for name in PATTERNS if name not in MEMBER_PAGES]

# What a form of the page would send, for the changes that need something.
FORMS: dict[str, dict[str, str]] = {
    "run-tags": {"add": "quality: great"},
    "run-rename": {"display_name": "another name"},
    "run-description": {"text": "another text", "version": ""},
    "run-description-preview": {"text": "# Title"},
    "run-star": {"starred": "1"},
    "run-fail": {"reason": "wrong data"},
    "run-cancel": {"reason": "enough"},
}
# What a page needs in its query.
QUERIES: dict[str, dict[str, str]] = {
    "run-figure": {"m": "loss"},
    "run-metric-table": {"m": "loss"},
    "run-metric-csv": {"m": "loss"},
    "run-log-piece": {"path": "logs/output.txt", "after": "0"},
}
# A reader may do this: it is his own and shows to nobody else.
OWN_TO_A_READER = {"run-star": "a star is the reader's own bookmark"}
# Posted, because what is typed may be long; nothing is stored.
STORES_NOTHING = {"run-description-preview"}
# What a page answers, where it is not 200: it sends on to another one, or has no news.
ANSWERS = {"workspace": 302, "run-list-live": 204}
IMAGE, PNG = "outputs/plot.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 60
BATCH = "11111111-ab55-4a33-9d2b-1c1f0a4a4c11"


@dataclass
class World:
    """A workspace with something behind every address."""

    run: Any
    values: dict[str, str]

    def address(self, name: str, **instead: str) -> str:
        """The address of the page; fails for a parameter nobody gave a value to."""
        (known,) = {tuple(params) for _, params in get_resolver().reverse_dict.getlist(name)[0][0]}
        unknown = [param for param in known if param not in self.values]
        assert not unknown, f"{name}: give {unknown} a value in the fixture `world`"
        return reverse(name, kwargs={param: {**self.values, **instead}[param] for param in known})


@pytest.fixture
def world(run: Any, experiment: Any, people: Any) -> World:
    by = make.actor(people.bob)
    actions.change_tags(run, by=by, put={"quality": "fantastic"})
    actions.describe_run(run, "The *first* run", by=by)
    make.run(experiment, parent=run)
    api = make.Api(people.bob, run.workspace)
    raw = "application/octet-stream"
    points = {"kind": "scalar", "steps": [0, 1], "times": [1e9, 1e9 + 1], "values": [0.3, 0.2]}
    batch = {"batch": BATCH, "metrics": [{"name": "loss", **points}]}
    made = [
        api.post(f"/runs/{run.uid}/batches", batch),
        api.send("PUT", f"/runs/{run.uid}/artifacts/{IMAGE}", PNG, raw),
        api.send("POST", f"/runs/{run.uid}/logs/logs/output.txt?offset=0", b"epoch 1\n", raw),
    ]
    assert all(answer.status_code in {200, 201} for answer in made), made
    values = {
        "workspace": run.workspace.name,
        "uid": run.uid,
        "name": experiment.name,
        "path": IMAGE,
    }
    return World(run, values)


def methods_of(client: Client, address: str) -> set[str]:
    """What the page answers to, as it says itself when asked in a way it does not know."""
    refusal = client.generic("PROPFIND", address)
    assert refusal.status_code == 405, f"{address} answers {refusal.status_code} to PROPFIND"
    return set(refusal["Allow"].replace(",", " ").split())


def ask(client: Client, world: World, name: str, **instead: str) -> Any:
    """Use the page in the way it is meant: a GET, or a POST of its form."""
    address = world.address(name, **instead)
    if "POST" in methods_of(make.client(world.run.submitter), world.address(name)):
        return client.post(address, FORMS.get(name, {}))
    return client.get(address, QUERIES.get(name, {}))


def changes(world: World, name: str) -> bool:
    return "POST" in methods_of(make.client(world.run.submitter), world.address(name))


@pytest.mark.parametrize("name", MEMBER_PAGES)
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


def plain(answer: Any, world: World) -> bytes:
    """The answer without the name that was asked for and the page's own random token."""
    text: bytes = re.sub(rb"[A-Za-z0-9]{64}", b"", answer.content)
    return text.replace(world.values["workspace"].encode(), b"*").replace(b"nowhere", b"*")


@pytest.mark.parametrize(
    "name", [name for name in MEMBER_PAGES if "uid" in str(PATTERNS[name].pattern)]
)
def test_a_run_is_not_found_through_another_workspace(
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
    before = all_rows()

    answer = ask(carol_client, world, name)

    if not changes(world, name):
        assert answer.status_code == ANSWERS.get(name, 200)
    elif name not in OWN_TO_A_READER:
        assert answer.status_code == 403
    own = {"runs.star"} if name in OWN_TO_A_READER else set()
    assert set(changed_tables(before)) <= own


@pytest.mark.parametrize("name", MEMBER_PAGES)
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_owners_and_contributors_see_pages_and_change(
    who: str, name: str, world: World, people: Any
) -> None:
    """The other side of the coin: what a reader was refused would have changed something."""
    before = all_rows()

    answer = ask(make.client(getattr(people, who)), world, name)

    assert answer.status_code in {ANSWERS.get(name, 200), 303}
    assert bool(changed_tables(before)) == (changes(world, name) and name not in STORES_NOTHING)


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

    answer = client.get(reverse(name))

    assert answer.status_code in {200, 302, 405}
    told = answer.content + answer.get("Location", "").encode()
    for secret in (world.run.uid, world.run.display_name, "fantastic"):
        assert secret.encode() not in told
    assert not changed_tables(before)
